"""How builds with the same labels fared in a window: counts, their tests, and the last of them.

What counts is the same as in store/windows.py. Looks at the rows themselves, so it is slower than counts alone.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from domain.window import Window
from store import labels, names, pipelines
from store.among import owners
from store.columns import to_ms
from store.database import Session
from store.window_counts import Ended, unpacked
from store.windows import COUNTS

_OF_TESTS = {"sqlite": "json_extract(d.tests, '$.{part}')", "postgresql": "(d.tests::json->>'{part}')::bigint"}
_BY = "b.labels_id, d.labels, d.found_labels"
_COLUMNS = """count(*), coalesce(sum(CASE WHEN b.verdict = 1 THEN 1 ELSE 0 END), 0),
    coalesce(sum(CASE WHEN b.verdict = 0 THEN 1 ELSE 0 END), 0),
    max(b.finished_at * 64 + b.outcome * 4 + b.verdict),
    max(CASE WHEN b.verdict < 2 THEN b.finished_at * 64 + b.outcome * 4 + b.verdict END),
    coalesce(sum({passed}), 0), coalesce(sum({failed}), 0), coalesce(sum({skipped}), 0)"""
# One short range of the index `builds_finished` for each pipeline, as in store/windows.py.
_STANDINGS = {
    "sqlite": """SELECT p.id, {by}, {columns} FROM {owners} p CROSS JOIN builds b INDEXED BY builds_finished
    ON b.pipeline_id = p.id AND b.finished_at >= ? AND b.finished_at < ? AND {counts}
LEFT JOIN build_details d ON d.build_id = b.id GROUP BY p.id, {by}""",
    "postgresql": """SELECT p.id, {by}, {columns} FROM {owners} p CROSS JOIN LATERAL (SELECT * FROM builds b
    WHERE b.pipeline_id = p.id AND b.finished_at >= %s AND b.finished_at < %s AND {counts} OFFSET 0) b
LEFT JOIN build_details d ON d.build_id = b.id GROUP BY p.id, {by}""",
}


class Standing(NamedTuple):
    """Builds of one pipeline with the same labels, and the last of them."""

    pipeline: int  # store.pipelines.Known.id
    labels: Mapping[str, str]  # their own over those of the pipeline
    passed: int
    failed: int
    neutral: int
    last: Ended
    decided: Ended | None  # the last that passed or failed
    tests_passed: int
    tests_failed: int
    tests_skipped: int


def standings(session: Session, window: Window, only: Collection[int] | None = None) -> dict[int, list[Standing]]:
    """The builds that ended in a window and count, by pipeline; of all pipelines, or `only` of these."""
    source, those = owners(session, only)
    dialect = session.dialect.name
    parts = {part: _OF_TESTS[dialect].format(part=part) for part in ("passed", "failed", "skipped")}
    statement = _STANDINGS[dialect].format(owners=source, by=_BY, columns=_COLUMNS.format(**parts), counts=COUNTS)
    rows = session.exec_driver_sql(statement, (*those, to_ms(window.start), to_ms(window.end))).all()
    words = names.words_of(session, {row[1] for row in rows})
    inherited = {each.id: each.pipeline.labels for each in pipelines.by_ids(session, {row[0] for row in rows})}
    found: dict[int, list[Standing]] = {}
    for pipeline, short, long, told, *counts in rows:
        known = inherited[pipeline]
        own = labels.own(words[short] or long, told)
        found.setdefault(pipeline, []).append(_standing(pipeline, {**known, **own} if own else known, counts))
    return found


def _standing(pipeline: int, known: Mapping[str, str], counts: Sequence[Any]) -> Standing:
    count, passed, failed, last, decided, *tests = counts
    tests_passed, tests_failed, tests_skipped = map(int, tests)
    return Standing(
        pipeline=pipeline,
        labels=known,
        passed=int(passed),
        failed=int(failed),
        neutral=count - int(passed) - int(failed),
        last=unpacked(last),
        decided=None if decided is None else unpacked(decided),
        tests_passed=tests_passed,
        tests_failed=tests_failed,
        tests_skipped=tests_skipped,
    )
