"""Figures of builds over time: those read from files, stored here, and those that builds tell by themselves."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, func, insert, select

from domain.build import Verdict
from domain.measurement import BUILT_IN, DURATION, QUEUE, TESTS
from store import names as words
from store.among import among
from store.changes import note_builds
from store.columns import from_ms, to_ms
from store.database import Session
from store.dialect import insert_into
from store.schema import VERDICTS, builds, measurement_names, measurements
from store.windows import COUNTS

MOST_NAMES: Final = 500
"""Different names that one pipeline may have: a file whose keys change with each build does not fill the store."""

# `builds_finished` has the pipeline, the times, the verdict and the duration. OFFSET 0 keeps PostgreSQL from
# reading the whole index, as in store/windows.py.
_HISTORY = {
    "sqlite": """SELECT b.id, b.finished_at, {value}, b.verdict, b.stream_id FROM builds b INDEXED BY builds_finished
{joins} WHERE b.pipeline_id = ? AND b.finished_at >= ? AND b.finished_at < ? AND {counts} AND b.verdict < 2
AND {value} IS NOT NULL {only} ORDER BY b.finished_at, b.id""",
    "postgresql": """SELECT b.id, b.finished_at, {value}, b.verdict, b.stream_id FROM (SELECT * FROM builds b
WHERE b.pipeline_id = ? AND b.finished_at >= ? AND b.finished_at < ? AND {counts} AND b.verdict < 2 OFFSET 0) b
{joins} WHERE {value} IS NOT NULL {only} ORDER BY b.finished_at, b.id""",
}
_STORED = "JOIN measurements m ON m.build_id = b.id AND m.name_id = {name}"
_DETAILS = "JOIN build_details d ON d.build_id = b.id AND d.tests IS NOT NULL"
_QUEUED = "(b.started_at - b.queued_at)"


class Measured(NamedTuple):
    """One build's figure. The verdict is passed or failed; the stream of a plain job is `""`."""

    build_id: int
    finished_at: datetime
    value: float
    verdict: Verdict
    stream: str


def record(session: Session, build_id: int, figures: Mapping[str, float]) -> Sequence[str]:
    """Store what was read from a file of a build, over what is known of it.

    Names of `domain.measurement.BUILT_IN` are left out, and those beyond 500 different ones of a pipeline.

    Returns:
        The names that were left out.
    """
    wanted = [name for name in figures if name not in BUILT_IN]
    pipeline = session.execute(select(builds.c.pipeline_id).where(builds.c.id == build_id)).scalar()
    if not wanted or pipeline is None:
        return list(figures)
    ids = _named(session, pipeline, wanted)
    rows = [{"build_id": build_id, "name_id": ids[name], "value": figures[name]} for name in wanted if name in ids]
    if rows:
        statement = insert_into(session, measurements)
        keys = [measurements.c.build_id, measurements.c.name_id]
        changed = {"value": statement.excluded.value}
        session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)
        note_builds(session, [build_id])
    return [name for name in figures if name not in ids]


def _named(session: Session, pipeline: int, wanted: Sequence[str]) -> dict[str, int]:
    """The numbers of these names, of which new ones get one while there is room."""
    known = _names(session, pipeline)
    new = [name for name in wanted if name not in known][: max(MOST_NAMES - len(known), 0)]
    if new:
        session.execute(insert(measurement_names), [{"pipeline_id": pipeline, "name": name} for name in new])
        known = _names(session, pipeline)
    return {name: known[name] for name in wanted if name in known}


def _names(session: Session, pipeline: int) -> dict[str, int]:
    query = select(measurement_names.c.name, measurement_names.c.id).where(measurement_names.c.pipeline_id == pipeline)
    return {row.name: row.id for row in session.execute(query)}


def names(session: Session, pipeline: int) -> list[str]:
    """The figures that files of this pipeline (`store.pipelines.Known.id`) told, sorted. Not the built-in ones."""
    return sorted(_names(session, pipeline))


def of_builds(session: Session, ids: Collection[int]) -> dict[int, dict[str, float]]:
    """What was read from files of these builds, those that have anything."""
    if not ids:
        return {}
    found: dict[int, dict[str, float]] = {}
    query = (
        select(measurements.c.build_id, measurement_names.c.name, measurements.c.value)
        .join(measurement_names, measurement_names.c.id == measurements.c.name_id)
        .where(among(session, measurements.c.build_id, ids))
        .order_by(measurements.c.build_id, measurement_names.c.name)
    )
    for build_id, name, value in session.execute(query):
        found.setdefault(build_id, {})[name] = value
    return found


def history(
    session: Session, pipeline: int, name: str, since: datetime, until: datetime, *, stream: str | None = None
) -> Sequence[Measured]:
    """One figure of the builds that ended in [since, until) and passed or failed, by the time of their end.

    Args:
        session: Open.
        pipeline: `store.pipelines.Known.id`.
        name: Of a file's figure, or of `domain.measurement.BUILT_IN`.
        since: The first moment.
        until: The moment after the last one.
        stream: Only builds of this branch (of a plain job: of its stream `""`); None: of all.
    """
    source = _source(session, pipeline, name)
    number = None if stream is None else words.number_of(session, stream)
    if source is None or (stream is not None and number is None):
        return ()
    value, joins = source
    only = "" if number is None else f"AND b.stream_id = {number:d}"
    statement = _HISTORY[session.dialect.name].format(value=value, joins=joins, counts=COUNTS, only=only)
    if session.dialect.name == "postgresql":
        statement = statement.replace("?", "%s")
    rows = session.exec_driver_sql(statement, (pipeline, to_ms(since), to_ms(until))).all()
    streams = words.words_of(session, {row[4] for row in rows})
    return [_measured(row, streams) for row in rows]


def _measured(row: Sequence[Any], streams: Mapping[int | None, str | None]) -> Measured:
    build_id, finished_at, value, verdict, stream = row
    return Measured(build_id, from_ms(finished_at), float(value), VERDICTS[verdict], streams[stream] or "")


def _source(session: Session, pipeline: int, name: str) -> tuple[str, str] | None:
    """The SQL of the value, and what has to be joined; None for a name that nobody has told."""
    if name == DURATION:
        return "(b.duration / 1000.0)", ""
    if name == QUEUE:
        return f"(CASE WHEN {_QUEUED} > 0 THEN {_QUEUED} / 1000.0 WHEN {_QUEUED} <= 0 THEN 0 END)", ""
    if name in TESTS:
        passed, failed, skipped = (_count(session, part) for part in ("passed", "failed", "skipped"))
        by_name = dict(zip(TESTS, (f"({passed} + {failed} + {skipped})", passed, failed, skipped), strict=True))
        return by_name[name], _DETAILS
    number = _names(session, pipeline).get(name)
    return None if number is None else ("m.value", _STORED.format(name=number))


def _count(session: Session, part: str) -> str:
    if session.dialect.name == "sqlite":
        return f"json_extract(d.tests, '$.{part}')"
    return f"(d.tests::json->>'{part}')::bigint"


def forget_names(session: Session) -> int:
    """Let go of names that no stored build has any more; how many. For the daily pruning: reads every figure."""
    used = select(measurements.c.name_id).distinct()
    return session.execute(delete(measurement_names).where(measurement_names.c.id.not_in(used))).rowcount


def count(session: Session) -> int:
    """How many figures are stored."""
    return session.execute(select(func.count()).select_from(measurements)).scalar_one()
