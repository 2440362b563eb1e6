"""Errors of the two drivers, sorted: what may pass, and what a person has to do about the rest."""

import os
import sqlite3
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.exc import DBAPIError

from store.errors import StoreCorrupt, StoreError, StoreFull, StoreUnavailable


class Place(Protocol):
    """Where the store is, for the text of errors."""

    url: str
    dialect: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A driver's error: `error` to raise, unless it is `transient` and there is time to try again."""

    error: StoreError
    transient: bool


def fault_of(error: DBAPIError, place: Place) -> Fault:
    """Classify what SQLAlchemy raised."""
    origin = error.orig
    if isinstance(origin, sqlite3.Error):
        return _of_sqlite(origin, place)
    return Fault(StoreUnavailable(f"{place.url}: {origin}"), error.connection_invalidated)


def _of_sqlite(error: sqlite3.Error, place: Place) -> Fault:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Fault(StoreUnavailable(f"{place.url}: locked by another program for too long"), transient=True)
    if code == sqlite3.SQLITE_FULL:
        return Fault(StoreFull(f"{place.url}: the disk is full; free some space"), transient=False)
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return Fault(StoreCorrupt(f"{place.url}: {error}; restore it from a backup"), transient=False)
    return Fault(StoreError(f"{place.url}: {error}, as user {os.getuid()}"), transient=False)
