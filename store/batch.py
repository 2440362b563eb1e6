"""One round of an upsert: what is stored of some builds, what was seen of them now, what has to be written."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count
from typing import NamedTuple

from domain.build import Build, Status, Verdict
from store import sql
from store.changes import NO_ENDS, Ends
from store.database import Session
from store.encode import Seen
from store.merge import is_rerun, merge, merge_details
from store.rows import NO_DETAILS, BuildRow, Details
from store.schema import FINISHED, STATUSES, VERDICTS
from store.settle import settle

Key = tuple[int, str]
"""(pipeline id, external id): a build."""

Identity = tuple[int, str, int]
"""(pipeline id, external id, attempt): a row."""


class Change(NamedTuple):
    """A build that is new or has really changed. A NamedTuple because a hundred thousand may arrive at once."""

    id: int
    seen: Build  # as it came: without the store's id, and without facts that were left out this time
    verdict: Verdict | None
    before: Status | None  # None: it was not stored
    before_verdict: Verdict | None

    @property
    def build(self) -> Build:
        """What was seen, with its id. Made anew at each call: among many changes look at `seen` first."""
        return replace(self.seen, id=self.id)


class Batch:
    """Reads all it needs at once, decides in memory, writes all at once."""

    def __init__(self, session: Session, seen: Sequence[Seen]) -> None:
        self._session = session
        self._seen = seen
        self._stored: dict[Identity, sql.Numbered] = {}
        self._rows: dict[Identity, BuildRow] = {}  # as they are now
        self._first: dict[Key, int] = {}  # one attempt of each build ...
        self._several: dict[Key, set[int]] = {}  # ... and all of them where there are more
        keys = list({(each.row.pipeline_id, each.row.external_id): None for each in seen})
        self._distinct = len(keys) == len(seen)
        for identity, row in sql.select_by_keys(session, keys):
            where = row.pipeline_id, row.external_id, row.attempt
            self._stored[where] = identity, row
            self._set(where, row)
        self._details = self._read_details() if self._stored else {}
        self._new_details: dict[Identity, Details] = {}
        self._changed: dict[Identity, Seen] = {}
        self._void: list[int] = []  # builds that run again under their attempt number
        self.touched: list[int] = []  # ids of what was written: other attempts of what has changed, too
        self.ends = NO_ENDS  # of these, before and after

    def write(self) -> list[Change]:
        """Store what is new, and tell what that is, in the order seen."""
        if self._distinct and not self._stored:
            return self._write_all()
        for each in self._seen:
            self._see(each)
        if not self._changed:
            return []
        self._settle()
        ids = self._write_rows()
        if self._void:
            sql.forget_reports(self._session, self._void)
        if self._new_details:
            sql.write_details(self._session, [(ids[where], each) for where, each in self._new_details.items()])
        self._touch([ids[where] for where in self._new_details], [self._rows[where] for where in self._new_details])
        return [self._change(where, ids[where], each) for where, each in self._changed.items()]

    def _touch(self, ids: Iterable[int], rows: Iterable[BuildRow]) -> None:
        self.touched += ids
        self.ends |= Ends.of(row.finished_at for row in rows)

    @property
    def pipelines(self) -> set[int]:
        """The row numbers of the pipelines in which something is new; after `write`."""
        return {where[0] for where in self._changed} or {each.row.pipeline_id for each in self._seen}

    def _write_all(self) -> list[Change]:
        """A page of builds none of which is stored: most pages of a first sync, and so a short way of its own."""
        first = sql.next_id(self._session)
        sql.insert_rows(self._session, first, [each.row for each in self._seen])
        numbered = list(enumerate(self._seen, first))
        self._touch((identity for identity, _ in numbered), (each.row for _, each in numbered))
        details = [(identity, each.details) for identity, each in numbered if each.details is not NO_DETAILS]
        if details:
            sql.write_details(self._session, details)
        return [Change(identity, each.build, each.verdict, None, None) for identity, each in numbered]

    def _read_details(self) -> dict[Identity, Details]:
        """Those of stored builds that come with details now, or that may be void because the build runs again."""
        touched: dict[int, Identity] = {}
        for each in self._seen:
            row = each.row
            where = row.pipeline_id, row.external_id, row.attempt
            stored = self._stored.get(where)
            if stored and (each.details is not NO_DETAILS or (stored[1].status == FINISHED and stored[1] != row)):
                touched[stored[0]] = where
        return {touched[identity]: each for identity, each in sql.select_details(self._session, touched).items()}

    def _see(self, each: Seen) -> None:
        row = each.row
        where = row.pipeline_id, row.external_id, row.attempt
        old = self._rows.get(where)
        rerun = False
        if old is None:
            self._set(where, row)
            self._changed[where] = each
        elif old != row:
            rerun = is_rerun(old, row)
            if rerun and where in self._stored:
                self._void.append(self._stored[where][0])
            new = merge(old, row)
            if new != old:
                self._rows[where] = new
                self._changed[where] = each
        if rerun or each.details is not NO_DETAILS:
            known = self._details.get(where, NO_DETAILS)
            details = merge_details(known, each.details, rerun=rerun)
            if details != known:
                self._details[where] = self._new_details[where] = details
                self._changed[where] = each

    def _set(self, where: Identity, row: BuildRow) -> None:
        self._rows[where] = row
        first = self._first.setdefault(where[:2], row.attempt)
        if first != row.attempt:
            self._several.setdefault(where[:2], {first}).add(row.attempt)

    def _settle(self) -> None:
        """Decide which attempt counts, where a build has several."""
        for key, numbers in self._several.items():
            settled = settle({number: self._rows[*key, number] for number in numbers})
            self._rows.update({(*key, number): row for number, row in settled.items()})

    def _write_rows(self) -> dict[Identity, int]:
        """Insert and update what differs from what is stored; returns the ids of all rows."""
        ids = {where: identity for where, (identity, _) in self._stored.items()}
        updated = [
            (identity, self._rows[where])
            for where, (identity, before) in self._stored.items()
            if self._rows[where] is not before
        ]
        self._touch([], (before for where, (_, before) in self._stored.items() if self._rows[where] is not before))
        new = [where for where in self._rows if where not in ids]
        following = sql.next_id(self._session)
        ids.update(zip(new, count(following), strict=False))
        if new:
            sql.insert_rows(self._session, following, [self._rows[where] for where in new])
        if updated:
            sql.update_rows(self._session, updated)
        self._touch((ids[where] for where in new), (self._rows[where] for where in new))
        self._touch((identity for identity, _ in updated), (row for _, row in updated))
        return ids

    def _change(self, where: Identity, identity: int, each: Seen) -> Change:
        stored = self._stored.get(where)
        if stored is None:
            return Change(identity, each.build, each.verdict, None, None)
        before = stored[1]
        before_verdict = None if before.verdict is None else VERDICTS[before.verdict]
        return Change(identity, each.build, each.verdict, STATUSES[before.status], before_verdict)
