"""How pipelines stand: of each the last build that passed or failed, and what waits to be said or read."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select

from domain.alert import Delivery
from domain.build import Outcome, Verdict
from domain.window import Window
from store.among import owners
from store.columns import from_ms, to_ms
from store.database import Session
from store.schema import OUTCOMES, UNSENT, VERDICTS, builds, outbox
from store.windows import COUNTS

# Repeats the conditions of the indexes word for word: else SQLite does not see that they are enough.
_SETTLED = "b.verdict < 2 AND b.superseded = 0 AND b.stream_id IS NOT NULL"
_COUNTED = "b.verdict IS NOT NULL AND b.superseded = 0"
_LAST = f"""
SELECT p.id, b.id, b.number, b.finished_at, b.outcome, b.verdict FROM pipelines p JOIN builds b ON b.id = coalesce(
    (SELECT b.id FROM builds b WHERE b.pipeline_id = p.id AND {_SETTLED}
        AND b.stream_id = (SELECT n.id FROM names n WHERE n.text = {{branch}})
        ORDER BY b.generation DESC, b.number DESC LIMIT 1){{otherwise}}){{where}}"""  # noqa: S608  (no values)
_ANY_BRANCH = f""",
    (SELECT b.id FROM builds b WHERE b.pipeline_id = p.id AND b.finished_at > 0 AND {_COUNTED} AND b.verdict < 2
        AND b.stream_id IS NOT NULL ORDER BY b.finished_at DESC LIMIT 1)"""  # noqa: S608  (no values)
_DEFAULT = "CASE WHEN p.branched THEN p.default_branch ELSE '' END"


_OUTCOMES = {
    "sqlite": f"""SELECT p.id, b.outcome, count(*) FROM {{owners}} p CROSS JOIN builds b INDEXED BY builds_finished
    ON b.pipeline_id = p.id AND b.finished_at >= ? AND b.finished_at < ? AND {COUNTS} GROUP BY p.id, b.outcome""",  # noqa: S608
    "postgresql": f"""SELECT p.id, b.outcome, count(*) FROM {{owners}} p CROSS JOIN LATERAL (SELECT b.outcome
    FROM builds b WHERE b.pipeline_id = p.id AND b.finished_at >= %s AND b.finished_at < %s AND {COUNTS} OFFSET 0) b
    GROUP BY p.id, b.outcome""",  # noqa: S608
}


class Standing(NamedTuple):
    """The last build of a pipeline that passed or failed."""

    build_id: int
    number: int
    finished_at: datetime | None
    outcome: Outcome
    verdict: Verdict


class Waiting(NamedTuple):
    """What a channel has not sent."""

    pending: int
    dead: int
    oldest: datetime | None  # since when the first of them waits


def last_settled(
    session: Session, *, pipelines: Collection[int] | None = None, branch: str | None = None
) -> dict[int, Standing]:
    """By pipeline (`store.pipelines.Known.id`), those that have one: on a branch, the newest by the provider's numbers.

    Without `branch` that is the default branch, and where nothing was ever built there the last on any branch.
    """
    mark = "?" if session.dialect.name == "sqlite" else "%s"
    values: list[str | int] = [] if branch is None else [branch]
    where = ""
    if pipelines is not None:
        where = f" WHERE p.id IN ({', '.join([mark] * len(pipelines))})"
        values += pipelines
        if not pipelines:
            return {}
    statement = _LAST.format(
        branch=_DEFAULT if branch is None else mark, otherwise=_ANY_BRANCH if branch is None else ", NULL", where=where
    )
    return {
        row[0]: Standing(
            row[1], row[2], None if row[3] is None else from_ms(row[3]), OUTCOMES[row[4]], VERDICTS[row[5]]
        )
        for row in session.exec_driver_sql(statement, tuple(values))
    }


def outcomes(session: Session, window: Window, only: Collection[int] | None = None) -> dict[int, Sequence[int]]:
    """How many builds of each pipeline ended in a window, in the order of OUTCOMES; of all, or `only` of these.

    Those that count, as in store/windows.py.
    """
    source, those = owners(session, only)
    values = *those, to_ms(window.start), to_ms(window.end)
    found: dict[int, list[int]] = {}
    for pipeline, outcome, count in session.exec_driver_sql(
        _OUTCOMES[session.dialect.name].format(owners=source), values
    ):
        found.setdefault(pipeline, [0] * len(OUTCOMES))[outcome] = count
    return dict(found)


def waiting(session: Session) -> dict[str, Waiting]:
    """By channel, of those that have anything waiting or given up."""
    open_rows = select(outbox.c.channel, func.count(), func.min(outbox.c.created_at)).where(UNSENT)
    dead = select(outbox.c.channel, func.count()).where(outbox.c.delivery == Delivery.DEAD)
    given_up: dict[str, int] = {row[0]: row[1] for row in session.execute(dead.group_by(outbox.c.channel))}
    found = {
        channel: Waiting(count, given_up.pop(channel, 0), oldest)
        for channel, count, oldest in session.execute(open_rows.group_by(outbox.c.channel))
    }
    return found | {channel: Waiting(0, count, None) for channel, count in given_up.items()}


def stored(session: Session) -> int:
    """How many builds were ever stored: the number of the newest."""
    return int(session.execute(select(func.coalesce(func.max(builds.c.id), 0))).scalar_one())
