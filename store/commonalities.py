"""How builds ended by their labels and causes: what failures may have in common."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from domain.window import Window
from store import labels, names, pipelines
from store.columns import to_ms
from store.database import Session
from store.windows import COUNTS

_MOST_SEEN = 1000  # builds with one cause that are looked at
_MOST_PIPELINES = 100

# One short range of the index `builds_finished` for each pipeline, as in store/windows.py.
_OUTCOMES = {
    "sqlite": """
SELECT p.id, b.labels_id, d.labels, d.found_labels, {bucket}, sum(b.verdict), count(*)
FROM pipelines p CROSS JOIN builds b INDEXED BY builds_finished
    ON b.pipeline_id = p.id AND b.finished_at >= ? AND b.finished_at < ? AND {counts}
LEFT JOIN build_details d ON d.build_id = b.id
WHERE b.verdict < {worst} {only} GROUP BY p.id, b.labels_id, d.labels, d.found_labels, {bucket}""",
    "postgresql": """
SELECT p.id, b.labels_id, d.labels, d.found_labels, {bucket}, sum(b.verdict), count(*)
FROM pipelines p CROSS JOIN LATERAL (SELECT * FROM builds b WHERE b.pipeline_id = p.id
    AND b.finished_at >= ? AND b.finished_at < ? AND {counts} OFFSET 0) b
LEFT JOIN build_details d ON d.build_id = b.id
WHERE b.verdict < {worst} {only} GROUP BY p.id, b.labels_id, d.labels, d.found_labels, {bucket}""",
}
_BUCKET = "CASE WHEN b.verdict = 0 THEN d.bucket END"
_OF_BUCKET = """
SELECT DISTINCT b.pipeline_id FROM (SELECT build_id FROM build_details WHERE bucket = ? ORDER BY build_id DESC
LIMIT {most}) d JOIN builds b ON b.id = d.build_id WHERE b.verdict = 0 AND b.finished_at >= ? AND b.finished_at < ?"""


class Ended(NamedTuple):
    """Builds of one pipeline with the same labels; those that failed have the same bucket, too."""

    pipeline_id: int
    labels: Mapping[str, str]  # their own over those of the pipeline
    bucket: str | None
    failed: int
    passed: int


def ended(
    session: Session, window: Window, pipeline_ids: Collection[int] | None = None, *, only_failed: bool = False
) -> list[Ended]:
    """What passed or failed in a window, in all pipelines or in those with these `store.pipelines.Known.id`."""
    only = "" if pipeline_ids is None else f"AND p.id IN ({', '.join(map(str, map(int, pipeline_ids))) or 'NULL'})"
    statement = _OUTCOMES[session.dialect.name].format(
        counts=COUNTS, only=only, bucket=_BUCKET, worst=1 if only_failed else 2
    )
    rows = _execute(session, statement, to_ms(window.start), to_ms(window.end))
    words = names.words_of(session, {row[1] for row in rows})
    known = {each.id: each.pipeline for each in pipelines.by_ids(session, {row[0] for row in rows})}
    return [
        Ended(
            pipeline_id,
            {**known[pipeline_id].labels, **labels.own(words[short] or long, found)},
            bucket,
            count - int(passed),
            int(passed),
        )
        for pipeline_id, short, long, found, bucket, passed, count in rows
    ]


def pipelines_with(session: Session, bucket: str, window: Window) -> set[int]:
    """The pipelines in which builds of a bucket failed in a window: of the newest 1,000 such builds, at most 100."""
    statement = _OF_BUCKET.format(most=_MOST_SEEN)
    rows = _execute(session, statement, bucket, to_ms(window.start), to_ms(window.end))
    return {row[0] for row in rows[:_MOST_PIPELINES]}


def _execute(session: Session, statement: str, *values: Any) -> Sequence[Sequence[Any]]:
    if session.dialect.name == "postgresql":
        statement = statement.replace("?", "%s")
    return session.exec_driver_sql(statement, values).all()
