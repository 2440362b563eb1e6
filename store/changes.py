"""The change feed: what a transaction has changed, in a few words, so that who shows it need not ask again and again.

The functions that change things take notes (`note`); before a transaction commits, `Database.transact` writes them
down, one row for each kind of change. There is one writer at a time, on PostgreSQL too, and a writer's turn ends only
when others can see what it committed: rows become visible in the order of their numbers, and reading on from the last
one that was seen misses none. Numbers that a rolled back transaction took stay unused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import NamedTuple

import orjson
from sqlalchemy import Connection

from store.among import listed

MOST_NAMED = 500  # pipelines, builds or alerts in a row; of more it says only that they are many
KEPT = 10_000  # rows: the newest
TOGETHER = 2_000  # rows that are read at once
_PRUNED_EVERY = 100  # transactions of a process, and after its first one
_NOTES = "buildwatch_changes"
_written = count()


class Kind(StrEnum):
    """What has changed. Their places in `_KINDS` are on disk: append only."""

    BUILD = "build"  # it is new, or has gone on, or more is known about it
    ALERT = "alert"
    PIPELINE = "pipeline"  # it is new, gone, back, or called something else
    PROVIDER = "provider"  # whether it can be reached
    SILENCE = "silence"
    CONFIGURATION = "configuration"
    DELIVERY = "delivery"  # a message waits, is being sent, was sent or was given up


_KINDS = tuple(Kind)


class Ends(NamedTuple):
    """From the earliest to the latest end of some builds, in milliseconds; of none: NO_ENDS."""

    first: int
    last: int

    @classmethod
    def of(cls, moments: Iterable[int | None]) -> "Ends":
        """Those of builds; None: it has not ended."""
        known = [each for each in moments if each is not None]
        return cls(min(known), max(known)) if known else NO_ENDS

    def __or__(self, other: "Ends") -> "Ends":
        """Both together."""
        return Ends(min(self.first, other.first), max(self.last, other.last))


NO_ENDS = Ends(1 << 62, -1)
ALL_ENDS = Ends(-1, 1 << 62)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What has changed since some number. Of a set that is None, so many that they are not named."""

    seq: int  # of the newest change; read on from here
    kinds: frozenset[Kind] = frozenset()
    pipelines: frozenset[int] | None = frozenset()
    builds: frozenset[int] | None = frozenset()
    alerts: frozenset[int] | None = frozenset()
    ends: Ends = NO_ENDS  # of all these builds, as they were and as they are

    def __or__(self, later: "Delta") -> "Delta":
        """Both together."""
        return Delta(
            seq=later.seq,
            kinds=self.kinds | later.kinds,
            pipelines=_both(self.pipelines, later.pipelines),
            builds=_both(self.builds, later.builds),
            alerts=_both(self.alerts, later.alerts),
            ends=self.ends | later.ends,
        )


@dataclass(slots=True)
class _Noted:
    """Of one kind, in this transaction. None: too many to name."""

    pipelines: set[int] | None
    ids: set[int] | None
    ends: Ends = NO_ENDS


def begin(session: Connection) -> None:
    """Forget what an earlier transaction on this connection noted and never committed."""
    session.info.pop(_NOTES, None)


def note(
    session: Connection,
    kind: Kind,
    *,
    pipelines: Iterable[int] | None = (),
    ids: Iterable[int] | None = (),
    ends: Ends = NO_ENDS,
) -> None:
    """Something has changed in this transaction; `ids` are those of builds or alerts, `ends` when builds ended.

    None: all of them have to be looked at, as when rows go that can tell no more where they counted.
    """
    notes: dict[Kind, _Noted] = session.info.setdefault(_NOTES, {})
    noted = notes.get(kind)
    if noted is None:
        noted = notes[kind] = _Noted(set(), set())
    noted.pipelines = None if pipelines is None or noted.pipelines is None else noted.pipelines.union(pipelines)
    noted.ids = None if ids is None or noted.ids is None else noted.ids.union(ids)
    noted.ends |= ALL_ENDS if kind is Kind.BUILD and ids is None else ends


def note_builds(session: Connection, ids: Iterable[int]) -> None:
    """The same of stored builds of which more is known now, or that are about to go; their ends stay as they are."""
    given, values = listed(session, ids)
    query = f"SELECT id, pipeline_id, finished_at FROM builds WHERE id IN {given}"  # noqa: S608  (no values)
    rows = session.exec_driver_sql(query, values).all()
    if rows:
        ends = Ends.of(row[2] for row in rows)
        note(session, Kind.BUILD, pipelines={row[1] for row in rows}, ids=[row[0] for row in rows], ends=ends)


def write(session: Connection) -> bool:
    """Write down what was noted in this transaction; False when that is nothing."""
    notes: dict[Kind, _Noted] | None = session.info.pop(_NOTES, None)
    if not notes:
        return False
    values: list[int | str | None] = []
    for kind, each in notes.items():
        values += (_KINDS.index(kind), _named(each.pipelines), _named(each.ids), *_stored(each.ends))
    row = "(?, ?, ?, ?, ?)" if session.dialect.name == "sqlite" else "(%s, %s, %s, %s, %s)"
    # Nothing is returned: for so small a statement that would double what it costs.
    rows = ", ".join([row] * len(notes))
    statement = f"INSERT INTO changes (kind, pipelines, ids, ends_from, ends_to) VALUES {rows}"  # noqa: S608
    session.exec_driver_sql(statement, tuple(values))
    if next(_written) % _PRUNED_EVERY == 0:
        # The newest stay: so SQLite never gives a number twice.
        session.exec_driver_sql(f"DELETE FROM changes WHERE seq <= (SELECT max(seq) FROM changes) - {KEPT:d}")  # noqa: S608  (a number)
    return True


def newest(session: Connection) -> int:
    """The number of the newest change; 0 when nothing has ever changed."""
    return int(session.exec_driver_sql("SELECT coalesce(max(seq), 0) FROM changes").scalar_one())


def since(session: Connection, seq: int) -> Delta | None:
    """What has changed after this number. None: too much, or the number is not of this store: look at everything."""
    query = (
        f"SELECT seq, kind, pipelines, ids, ends_from, ends_to FROM changes WHERE seq >= {seq:d} "  # noqa: S608  (numbers)
        f"ORDER BY seq LIMIT {TOGETHER:d}"
    )
    rows = session.exec_driver_sql(query).all()
    if len(rows) == TOGETHER:
        return None
    if seq and (not rows or rows[0][0] != seq):  # its row is gone, or a copy was put back that does not know it
        return None
    delta = Delta(seq=seq)
    for number, code, pipelines, ids, *ends in rows:
        if number > seq:
            delta |= _delta(number, _KINDS[code], _names(pipelines), _names(ids), _ends(*ends))
    return delta


def _delta(seq: int, kind: Kind, pipelines: frozenset[int] | None, ids: frozenset[int] | None, ends: Ends) -> Delta:
    return Delta(
        seq=seq,
        kinds=frozenset({kind}),
        pipelines=pipelines,
        builds=ids if kind is Kind.BUILD else frozenset(),
        alerts=ids if kind is Kind.ALERT else frozenset(),
        ends=ends,
    )


def _stored(ends: Ends) -> tuple[int | None, int | None]:
    return (None, None) if ends == NO_ENDS else ends


def _ends(first: int | None, last: int | None) -> Ends:
    return NO_ENDS if first is None or last is None else Ends(first, last)


def _named(ids: set[int] | None) -> str | None:
    return None if ids is None or len(ids) > MOST_NAMED else orjson.dumps(sorted(ids)).decode()


def _names(stored: str | None) -> frozenset[int] | None:
    return None if stored is None else frozenset(orjson.loads(stored))


def _both(one: frozenset[int] | None, other: frozenset[int] | None) -> frozenset[int] | None:
    if one is None or other is None:
        return None
    both = one | other
    return both if len(both) <= MOST_NAMED else None
