"""Errors of the two drivers, sorted: what may pass, what a person has to act on, and what is our own mistake."""

import os
import re
import sqlite3
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from store.errors import StoreCorrupt, StoreError, StoreFull, StoreUnavailable

_TRANSIENT_STATES = {
    "40001": "another transaction was in the way",
    "40P01": "deadlock",
    "55P03": "locked by another session for too long",
    "57014": "the server took too long",
    "53200": "the server is out of memory",
    "53300": "the server has too many connections",
}
_LOST_STATES = ("08", "57P01", "57P02", "57P03", "57P05", "25P03")
_DENIED_STATES = ("28", "3D", "42501", "25006", "58", "XX000")
_CORRUPT_STATES = ("XX001", "XX002")
_FULL_STATE = "53100"
# Refusals at connect time come without a state.
_DENIED_TEXT = re.compile(
    r"authentication failed|does not exist|no pg_hba\.conf|no password supplied|permission denied"
)

_OUR_MISTAKES = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
}


class Place(Protocol):
    """Where the store is, for the text of errors."""

    url: str


@dataclass(frozen=True, slots=True)
class Fault:
    """`error` is what to raise, unless it is `transient` and there is time to try again."""

    error: StoreError
    transient: bool = False
    connection_lost: bool = False


def fault_of(error: Exception, place: Place) -> Fault | None:
    """Classify an exception; None when it says nothing about the store: a bug, or the caller's own exception."""
    if isinstance(error, StoreUnavailable):
        return Fault(error, transient=True)
    if isinstance(error, PoolExhausted):
        return Fault(StoreUnavailable(f"{place.url}: all connections are in use"), transient=True)
    origin: Any = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(origin, sqlite3.Error):
        return _of_sqlite(origin, place)
    if type(origin).__module__.startswith("psycopg"):
        return _of_postgres(origin, place)
    return None


def _of_sqlite(error: sqlite3.Error, place: Place) -> Fault | None:
    extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE)
    code = extended & 0xFF
    if code in _OUR_MISTAKES:
        return None
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Fault(StoreUnavailable(f"{place.url}: locked by another program for too long"), transient=True)
    if code == sqlite3.SQLITE_FULL or extended == sqlite3.SQLITE_IOERR_SHMSIZE:
        return Fault(StoreFull(f"{place.url}: the disk is full: free some space"))
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return Fault(StoreCorrupt(f"{place.url}: {error}: restore it from a backup"))
    return Fault(StoreError(f"{place.url}: {error}: user {os.geteuid()} must be able to read and write it"))


def _of_postgres(error: Any, place: Place) -> Fault | None:
    state = error.sqlstate or ""
    reason = str(error).strip().split("\n", 1)[0]
    if state in _TRANSIENT_STATES:
        return Fault(StoreUnavailable(f"{place.url}: {_TRANSIENT_STATES[state]}"), transient=True)
    if state == _FULL_STATE:
        return Fault(StoreFull(f"{place.url}: the server's disk is full: {reason}"))
    if state in _CORRUPT_STATES:
        return Fault(StoreCorrupt(f"{place.url}: {reason}: restore it from a backup"))
    if state.startswith(_DENIED_STATES) or (not state and _DENIED_TEXT.search(str(error))):
        return Fault(StoreError(f"{place.url}: {reason}"))
    if state.startswith(_LOST_STATES) or (not state and type(error).__name__ == "OperationalError"):
        return Fault(StoreUnavailable(f"{place.url}: {reason}"), transient=True, connection_lost=True)
    return None
