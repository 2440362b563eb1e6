"""What a digest asks of the builds that ended in a window. What counts is the same as in store/windows.py."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from domain.window import Window
from store import labels, names
from store.columns import to_ms
from store.database import Session
from store.pipelines import Key
from store.schema import FLAKY
from store.windows import COUNTS

# As in store/windows.py: one short range of the index `builds_finished` for each pipeline. OFFSET 0 keeps PostgreSQL
# from making a plain join of it, which reads the whole index.
_ENDED_IN = {
    "sqlite": """pipelines p CROSS JOIN builds b INDEXED BY builds_finished
    ON b.pipeline_id = p.id AND b.finished_at >= ? AND b.finished_at < ? AND {counts}""",
    "postgresql": """pipelines p CROSS JOIN LATERAL (SELECT * FROM builds b WHERE b.pipeline_id = p.id
    AND b.finished_at >= ? AND b.finished_at < ? AND {counts} OFFSET 0) b""",
}
_JOINED = {"sqlite": "group_concat(b.duration)", "postgresql": "string_agg(b.duration::text, ',')"}

# The order within a stream is the provider's, never that of the ends.
_FLAKINESS = """
SELECT t.provider, t.key, sum(t.flaky), sum(t.changed), count(*) FROM (
    SELECT p.provider, p.key, CASE WHEN b.flags & {flag} <> 0 THEN 1 ELSE 0 END AS flaky,
        CASE WHEN b.verdict <> lag(b.verdict) OVER (PARTITION BY b.pipeline_id, b.stream_id
            ORDER BY b.generation, b.number) THEN 1 ELSE 0 END AS changed
    FROM {ended_in} WHERE b.verdict < 2) t
GROUP BY t.provider, t.key HAVING sum(t.flaky) + sum(t.changed) > 0"""

_DURATIONS = """
SELECT p.provider, p.key, {joined} FROM {ended_in}
WHERE b.verdict = 1 AND b.duration IS NOT NULL GROUP BY p.provider, p.key"""

_LABELS = """
SELECT p.provider, p.key, b.labels_id, d.labels, d.found_labels, sum(b.verdict), count(*) - sum(b.verdict)
FROM {ended_in} LEFT JOIN build_details d ON d.build_id = b.id
WHERE b.verdict < 2 GROUP BY p.provider, p.key, b.labels_id, d.labels, d.found_labels"""

_BUCKETS = """
SELECT d.bucket, count(*) FROM {ended_in} LEFT JOIN build_details d ON d.build_id = b.id
WHERE b.verdict = 0 GROUP BY d.bucket"""


class Flakiness(NamedTuple):
    """Of one pipeline in a window."""

    reruns: int  # builds that passed after an earlier attempt of theirs had failed
    changes: int  # how often a build ended otherwise than the one before it in its stream
    builds: int  # that passed or failed


class LabelCount(NamedTuple):
    """Builds of one pipeline in a window that have the same labels of their own."""

    pipeline: Key
    labels: Mapping[str, str]
    passed: int
    failed: int


def flakiness(session: Session, window: Window) -> dict[Key, Flakiness]:
    """How unsteady each pipeline was, of those that were at all."""
    rows = _execute(session, _FLAKINESS, window, flag=FLAKY)
    return {(provider, key): Flakiness(*map(int, counts)) for provider, key, *counts in rows}


def durations(session: Session, window: Window) -> dict[Key, list[int]]:
    """How long the passed builds of each pipeline took, in milliseconds, ascending."""
    rows = _execute(session, _DURATIONS, window, joined=_JOINED[session.dialect.name])
    return {(provider, key): sorted(map(int, joined.split(","))) for provider, key, joined in rows}


def label_counts(session: Session, window: Window) -> list[LabelCount]:
    """What passed and failed, by pipeline and by the labels that builds have of their own."""
    rows = list(_execute(session, _LABELS, window))
    words = names.words_of(session, {row[2] for row in rows})
    return [
        LabelCount((provider, key), labels.comparable(words[short] or long, found), int(passed), int(failed))
        for provider, key, short, long, found, passed, failed in rows
    ]


def buckets(session: Session, window: Window) -> Counter[str | None]:
    """How many failed builds are in each bucket; None: in none."""
    return Counter({row[0]: row[1] for row in _execute(session, _BUCKETS, window)})


def _execute(session: Session, template: str, window: Window, **parts: object) -> Iterable[Sequence[Any]]:
    ended_in = _ENDED_IN[session.dialect.name].format(counts=COUNTS)
    statement = template.format(ended_in=ended_in, **parts)
    if session.dialect.name == "postgresql":
        statement = statement.replace("?", "%s")
    return session.exec_driver_sql(statement, (to_ms(window.start), to_ms(window.end))).all()
