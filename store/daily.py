"""How the builds of a window ended, by everything that decides whether and where they count."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from domain.window import Window
from store import labels, names, pipelines
from store.among import owners
from store.columns import to_ms
from store.database import Session
from store.schema import AWAITED
from store.windows import COUNTS, StreamKey

# As in store/windows.py: one short range of the index `builds_finished` for each pipeline. OFFSET 0 keeps PostgreSQL
# from making a plain join of it, which reads the whole index. What awaits a re-run has not settled.
_ENDED_IN = {
    "sqlite": """{owners} p CROSS JOIN builds b INDEXED BY builds_finished
    ON b.pipeline_id = p.id AND b.finished_at >= ? AND b.finished_at < ? AND {counts}""",
    "postgresql": """{owners} p CROSS JOIN LATERAL (SELECT * FROM builds b WHERE b.pipeline_id = p.id
    AND b.finished_at >= %s AND b.finished_at < %s AND {counts} OFFSET 0) b""",
}
_GROUPS = """
SELECT p.id, b.stream_id, b.branch_id, b.trigger_id, b.labels_id, d.labels, d.found_labels, sum(b.verdict), count(*)
FROM {ended_in}
LEFT JOIN build_details d ON d.build_id = b.id
WHERE b.verdict < 2 AND b.flags < {awaited}
GROUP BY p.id, b.stream_id, b.branch_id, b.trigger_id, b.labels_id, d.labels, d.found_labels"""


_STREAMS = """
SELECT p.id, b.stream_id, sum(b.verdict), count(*)
FROM {ended_in} WHERE b.verdict < 2 GROUP BY p.id, b.stream_id"""


class Group(NamedTuple):
    """Builds of one stream that passed or failed in a window, with the same branch, trigger and labels of their own."""

    pipeline_id: int
    stream: str
    branch: str | None
    trigger: str | None
    labels: Mapping[str, str]
    passed: int
    failed: int


def ended_in(session: Session, window: Window) -> list[Group]:
    """The settled builds of all streams, by the time of their end; neither neutral ones nor those of pull requests."""
    rows = _rows(session, _GROUPS, window)
    words = names.words_of(session, {number for row in rows for number in row[1:5]})
    return [
        Group(
            pipeline_id,
            words[stream] or "",
            words[branch] or words[stream] or None,
            words[trigger],
            labels.comparable(words[short] or long, found),
            int(passed),
            count - int(passed),
        )
        for pipeline_id, stream, branch, trigger, short, long, found, passed, count in rows
    ]


def by_stream(session: Session, window: Window) -> dict[StreamKey, tuple[int, int]]:
    """(passed, failed) of each stream, from the index alone: with those that failed and await a re-run."""
    found = streams(session, window)
    keys = pipelines.keys(session, found)
    return {(*keys[pipeline], stream): counts for pipeline, its in found.items() for stream, counts in its.items()}


def streams(
    session: Session, window: Window, only: Collection[int] | None = None
) -> dict[int, dict[str, tuple[int, int]]]:
    """The same by pipeline (`store.pipelines.Known.id`) and stream; of all pipelines, or `only` of these."""
    rows = _rows(session, _STREAMS, window, only)
    words = names.words_of(session, {row[1] for row in rows})
    found: dict[int, dict[str, tuple[int, int]]] = {}
    for pipeline, stream, passed, count in rows:
        found.setdefault(pipeline, {})[words[stream] or ""] = int(passed), count - int(passed)
    return found


def _rows(
    session: Session, statement: str, window: Window, only: Collection[int] | None = None
) -> Sequence[Sequence[Any]]:
    given, those = owners(session, only)
    source = _ENDED_IN[session.dialect.name].format(counts=COUNTS, owners=given)
    values = *those, to_ms(window.start), to_ms(window.end)
    return session.exec_driver_sql(statement.format(ended_in=source, awaited=AWAITED), values).all()
