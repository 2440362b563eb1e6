"""The change feed: what a transaction has changed, in a few words, so that who shows it need not ask again and again.

The functions that change things take notes (`note`); before a transaction commits, `Database.transact` writes them
down, one row for each kind of change. There is one writer at a time, on PostgreSQL too, and a writer's turn ends only
when others can see what it committed: rows become visible in the order of their numbers, and reading on from the last
one that was seen misses none. Numbers that a rolled back transaction took stay unused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import orjson
from sqlalchemy import Connection

MOST_NAMED = 500  # pipelines, builds or alerts in a row; of more it says only that they are many
KEPT = 10_000  # rows: the newest
TOGETHER = 2_000  # rows that are read at once
_PRUNED_EVERY = 100
_NOTES = "buildwatch_changes"


class Kind(StrEnum):
    """What has changed. Their places in `_KINDS` are on disk: append only."""

    BUILD = "build"  # it is new, or has gone on, or more is known about it
    ALERT = "alert"
    PIPELINE = "pipeline"  # it is new, gone, back, or called something else
    PROVIDER = "provider"  # whether it can be reached
    SILENCE = "silence"
    CONFIGURATION = "configuration"


_KINDS = tuple(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What has changed since some number. Of a set that is None, so many that they are not named."""

    seq: int  # of the newest change; read on from here
    kinds: frozenset[Kind] = frozenset()
    pipelines: frozenset[int] | None = frozenset()
    builds: frozenset[int] | None = frozenset()
    alerts: frozenset[int] | None = frozenset()

    def __or__(self, later: "Delta") -> "Delta":
        """Both together."""
        return Delta(
            seq=later.seq,
            kinds=self.kinds | later.kinds,
            pipelines=_both(self.pipelines, later.pipelines),
            builds=_both(self.builds, later.builds),
            alerts=_both(self.alerts, later.alerts),
        )


@dataclass(slots=True)
class _Noted:
    """Of one kind, in this transaction."""

    pipelines: set[int]
    ids: set[int]


def begin(session: Connection) -> None:
    """Forget what an earlier transaction on this connection noted and never committed."""
    session.info.pop(_NOTES, None)


def note(session: Connection, kind: Kind, *, pipelines: Iterable[int] = (), ids: Iterable[int] = ()) -> None:
    """Something has changed in this transaction; `ids` are those of builds or alerts."""
    notes: dict[Kind, _Noted] = session.info.setdefault(_NOTES, {})
    noted = notes.get(kind)
    if noted is None:
        noted = notes[kind] = _Noted(set(), set())
    noted.pipelines.update(pipelines)
    noted.ids.update(ids)


def write(session: Connection) -> bool:
    """Write down what was noted in this transaction; False when that is nothing."""
    notes: dict[Kind, _Noted] = session.info.pop(_NOTES, {})
    if not notes:
        return False
    rows = [(_KINDS.index(kind), _named(each.pipelines), _named(each.ids)) for kind, each in notes.items()]
    mark = "?" if session.dialect.name == "sqlite" else "%s"
    marks = ", ".join([f"({mark}, {mark}, {mark})"] * len(rows))
    statement = f"INSERT INTO changes (kind, pipelines, ids) VALUES {marks} RETURNING seq"  # noqa: S608  (no values)
    numbers = session.exec_driver_sql(statement, tuple(value for row in rows for value in row)).scalars().all()
    if any(number % _PRUNED_EVERY == 0 for number in numbers):
        # The newest stay: so SQLite never gives a number twice.
        session.exec_driver_sql(f"DELETE FROM changes WHERE seq <= {max(numbers) - KEPT:d}")  # noqa: S608  (a number)
    return True


def newest(session: Connection) -> int:
    """The number of the newest change; 0 when nothing has ever changed."""
    return int(session.exec_driver_sql("SELECT coalesce(max(seq), 0) FROM changes").scalar_one())


def since(session: Connection, seq: int) -> Delta | None:
    """What has changed after this number. None: too much, or the number is not of this store: look at everything."""
    query = f"SELECT seq, kind, pipelines, ids FROM changes WHERE seq >= {seq:d} ORDER BY seq LIMIT {TOGETHER:d}"  # noqa: S608
    rows = session.exec_driver_sql(query).all()
    if len(rows) == TOGETHER:
        return None
    if seq and (not rows or rows[0][0] != seq):  # its row is gone, or a copy was put back that does not know it
        return None
    delta = Delta(seq=seq)
    for number, code, pipelines, ids in rows:
        if number > seq:
            delta |= _delta(number, _KINDS[code], _names(pipelines), _names(ids))
    return delta


def _delta(seq: int, kind: Kind, pipelines: frozenset[int] | None, ids: frozenset[int] | None) -> Delta:
    return Delta(
        seq=seq,
        kinds=frozenset({kind}),
        pipelines=pipelines,
        builds=ids if kind is Kind.BUILD else frozenset(),
        alerts=ids if kind is Kind.ALERT else frozenset(),
    )


def _named(ids: set[int]) -> str | None:
    return orjson.dumps(sorted(ids)).decode() if len(ids) <= MOST_NAMED else None


def _names(stored: str | None) -> frozenset[int] | None:
    return None if stored is None else frozenset(orjson.loads(stored))


def _both(one: frozenset[int] | None, other: frozenset[int] | None) -> frozenset[int] | None:
    if one is None or other is None:
        return None
    both = one | other
    return both if len(both) <= MOST_NAMED else None
