"""One round of an upsert: what is stored of some builds, what was seen of them now, what has to be written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from domain.build import Build, Status, Verdict
from store import sql
from store.database import Session
from store.merge import is_rerun, merge, merge_details
from store.rows import NO_DETAILS, BuildRow, Details
from store.schema import FINISHED, STATUSES, VERDICTS
from store.settle import settle

Identity = tuple[int, str, int]
"""(pipeline id, external id, attempt)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A build that is new or has really changed."""

    build: Build  # with its id
    verdict: Verdict | None
    before: Status | None  # None: it was not stored
    before_verdict: Verdict | None


class Seen(NamedTuple):
    """A build as it came from a provider, and as it would be stored."""

    build: Build
    verdict: Verdict | None
    row: BuildRow
    details: Details


class Batch:
    """Reads all it needs at once, decides in memory, writes all at once."""

    def __init__(self, session: Session, seen: Sequence[Seen]) -> None:
        self._session = session
        self._seen = seen
        self._stored: dict[Identity, sql.Numbered] = {}
        self._attempts: dict[tuple[int, str], dict[int, BuildRow]] = {}
        keys = list({(each.row.pipeline_id, each.row.external_id): None for each in seen})
        for identity, row in sql.select_by_keys(session, keys):
            self._stored[row.pipeline_id, row.external_id, row.attempt] = identity, row
            self._attempts.setdefault((row.pipeline_id, row.external_id), {})[row.attempt] = row
        self._details = self._read_details()
        self._new_details: dict[Identity, Details] = {}
        self._changed: dict[Identity, Seen] = {}

    def write(self) -> list[Change]:
        """Store what is new, and tell what that is, in the order seen."""
        for each in self._seen:
            self._see(each)
        if not self._changed:
            return []
        self._settle()
        ids = self._write_rows()
        if self._new_details:
            sql.write_details(self._session, [(ids[where], each) for where, each in self._new_details.items()])
        return [self._change(where, ids[where], each) for where, each in self._changed.items()]

    def _read_details(self) -> dict[Identity, Details]:
        touched: dict[int, Identity] = {}
        for each in self._seen:
            where = _identity(each.row)
            stored = self._stored.get(where)
            if stored and (each.details != NO_DETAILS or (stored[1].status == FINISHED and stored[1] != each.row)):
                touched[stored[0]] = where
        return {touched[identity]: each for identity, each in sql.select_details(self._session, touched).items()}

    def _see(self, each: Seen) -> None:
        row = each.row
        where = _identity(row)
        attempts = self._attempts.setdefault((row.pipeline_id, row.external_id), {})
        old = attempts.get(row.attempt)
        rerun = old is not None and is_rerun(old, row)
        new = row if old is None or old == row else merge(old, row)
        if new != old:
            attempts[row.attempt] = new
            self._changed[where] = each
        if each.details != NO_DETAILS or rerun:
            known = self._details.get(where, NO_DETAILS)
            details = merge_details(known, each.details, rerun=rerun)
            if details != known:
                self._details[where] = self._new_details[where] = details
                self._changed[where] = each

    def _settle(self) -> None:
        for key in {where[:2] for where in self._changed}:
            if len(self._attempts[key]) > 1:
                self._attempts[key] = settle(self._attempts[key])

    def _write_rows(self) -> dict[Identity, int]:
        new: list[sql.Numbered] = []
        updated: list[sql.Numbered] = []
        ids: dict[Identity, int] = {}
        following = sql.next_id(self._session)
        for key in {where[:2]: None for where in self._changed}:
            for row in self._attempts[key].values():
                where = _identity(row)
                stored = self._stored.get(where)
                ids[where] = following + len(new) if stored is None else stored[0]
                if stored is None:
                    new.append((ids[where], row))
                elif stored[1] != row:
                    updated.append((ids[where], row))
        if new:
            sql.insert_rows(self._session, new)
        if updated:
            sql.update_rows(self._session, updated)
        return ids

    def _change(self, where: Identity, identity: int, each: Seen) -> Change:
        stored = self._stored.get(where)
        before = None if stored is None else stored[1]
        return Change(
            build=replace(each.build, id=identity),
            verdict=each.verdict,
            before=None if before is None else STATUSES[before.status],
            before_verdict=None if before is None or before.verdict is None else VERDICTS[before.verdict],
        )


def _identity(row: BuildRow) -> Identity:
    return row.pipeline_id, row.external_id, row.attempt


def in_batches(builds: Sequence[Build], size: int) -> Iterable[Sequence[Build]]:
    """Consecutive slices of at most `size` builds."""
    return (builds[start : start + size] for start in range(0, len(builds), size))
