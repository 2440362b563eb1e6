"""How the builds of a window ended, by everything that the dashboard shows them by: outcome, labels and cause.

What counts is the same as in store/windows.py. Looks at the rows themselves, so it is slower than the counts alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.build import Outcome, Verdict
from domain.window import Window
from store import labels, names
from store import pipelines as registry
from store.among import owners
from store.columns import to_ms
from store.database import Session
from store.schema import OUTCOMES, VERDICTS
from store.windows import COUNTS

_COLUMNS = """b.labels_id, d.labels, d.found_labels, CASE WHEN b.verdict = 0 THEN d.bucket END, b.outcome, b.verdict,
    count(*), coalesce(sum(b.duration), 0), count(b.duration)"""
_BY = """b.labels_id, d.labels, d.found_labels, CASE WHEN b.verdict = 0 THEN d.bucket END, b.outcome, b.verdict"""
_JOIN = "LEFT JOIN build_details d ON d.build_id = b.id"
# One short range of the index `builds_finished` for each pipeline, as in store/windows.py.
_GROUPS = {
    "sqlite": f"""SELECT p.id, {_COLUMNS} FROM {{owners}} p CROSS JOIN builds b INDEXED BY builds_finished
    ON b.pipeline_id = p.id AND b.finished_at >= ? AND b.finished_at < ? AND {COUNTS} {_JOIN} GROUP BY p.id, {_BY}""",  # noqa: S608
    "postgresql": f"""SELECT p.id, {_COLUMNS} FROM {{owners}} p CROSS JOIN LATERAL (SELECT * FROM builds b
    WHERE b.pipeline_id = p.id AND b.finished_at >= %s AND b.finished_at < %s AND {COUNTS} OFFSET 0) b {_JOIN}
    GROUP BY p.id, {_BY}""",  # noqa: S608  (no values)
}


@dataclass(frozen=True, slots=True)
class Group:
    """Builds of one pipeline that are alike."""

    pipeline: int  # store.pipelines.Known.id
    labels: Mapping[str, str]  # their own over those of the pipeline
    bucket: str | None  # of those that failed
    outcome: Outcome
    verdict: Verdict
    count: int
    took: int  # milliseconds, together
    timed: int  # how many of them have a duration


def groups(session: Session, window: Window, only: Collection[int] | None = None) -> dict[int, list[Group]]:
    """The builds that ended in a window and count, by pipeline; of all pipelines, or `only` of these."""
    source, those = owners(session, only)
    rows: Sequence[Sequence[Any]] = session.exec_driver_sql(
        _GROUPS[session.dialect.name].format(owners=source), (*those, to_ms(window.start), to_ms(window.end))
    ).all()
    words = names.words_of(session, {row[1] for row in rows})
    inherited = {each.id: each.pipeline.labels for each in registry.by_ids(session, {row[0] for row in rows})}
    found: dict[int, list[Group]] = {}
    for pipeline, short, long, told, bucket, outcome, verdict, count, took, timed in rows:
        own = labels.own(words[short] or long, told)
        known = {**inherited[pipeline], **own} if own else inherited[pipeline]
        group = Group(pipeline, known, bucket, OUTCOMES[outcome], VERDICTS[verdict], count, int(took), timed)
        found.setdefault(pipeline, []).append(group)
    return found
