"""What the live window counters are fed with: at the start, and after each change."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson

from domain.build import Status
from domain.counted import Counted
from store.columns import to_ms
from store.database import Session
from store.schema import OUTCOMES, STATUSES, VERDICTS

_COLUMNS = "p.provider, p.key, b.id, b.status, b.verdict, b.outcome, b.finished_at, b.duration"

_FINISHED = """
SELECT {columns} FROM pipelines p CROSS JOIN builds b ON b.pipeline_id = p.id AND b.finished_at >= ?
WHERE b.verdict IS NOT NULL AND b.superseded = 0 AND b.stream_id IS NOT NULL"""

_RUNNING = """
SELECT {columns} FROM builds b JOIN pipelines p ON p.id = b.pipeline_id
WHERE b.status < 2 AND b.stream_id IS NOT NULL"""

_TOUCHED = """
SELECT {columns}, b.superseded = 0 AND b.stream_id IS NOT NULL
FROM builds a JOIN builds b ON b.pipeline_id = a.pipeline_id AND b.external_id = a.external_id
JOIN pipelines p ON p.id = b.pipeline_id WHERE a.id {among}"""

_RUNNING_CODE = STATUSES.index(Status.RUNNING)


def since(session: Session, start: datetime) -> Iterator[Counted]:
    """All builds that count and finished at `start` or later, and all that run now."""
    finished = _FINISHED.replace("CROSS JOIN", "JOIN") if session.dialect.name == "postgresql" else _FINISHED
    for row in _execute(session, finished, to_ms(start)):
        yield _counted(row, counts=True)
    for row in _execute(session, _RUNNING):
        yield _counted(row, counts=True)


def touched(session: Session, build_ids: Iterable[int]) -> list[Counted]:
    """These builds with all their attempts, as they count now: a new attempt may take the old one's place."""
    ids = list(build_ids)
    if not ids:
        return []
    value: Any
    if session.dialect.name == "sqlite":
        among, value = "IN (SELECT value FROM json_each(?))", orjson.dumps(ids).decode()
    else:
        among, value = "= ANY(?)", ids
    rows = _execute(session, _TOUCHED.replace("{among}", among), value)
    return [_counted(row[:-1], counts=bool(row[-1])) for row in rows]


def _execute(session: Session, template: str, *values: Any) -> Iterable[Sequence[Any]]:
    statement = template.replace("{columns}", _COLUMNS)
    if session.dialect.name == "postgresql":
        statement = statement.replace("?", "%s")
    return session.exec_driver_sql(statement, values)


def _counted(row: Sequence[Any], *, counts: bool) -> Counted:
    provider, key, build_id, status, verdict, outcome, finished_at, duration = row
    owner = (provider, key)
    if not counts or status == _RUNNING_CODE or verdict is None or finished_at is None:
        return Counted(build_id, owner, running=counts and status == _RUNNING_CODE)
    return Counted(
        build_id,
        owner,
        running=False,
        verdict=VERDICTS[verdict],
        outcome=OUTCOMES[outcome],
        finished_at=finished_at,
        duration=duration,
    )
