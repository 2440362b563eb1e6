"""Summaries of windows from SQL, answered by the index `builds_finished` alone.

What counts is defined by metrics/summary.py, which tests hold against this: of each build the attempt that counts,
neither forks nor pull requests, by the time of its end.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import orjson

from domain.build import Outcome, Verdict
from domain.percentile import percentile
from domain.window import Summary, Window
from store import labels, names, pipelines
from store.columns import from_ms, to_ms
from store.database import Session
from store.pipelines import Key
from store.schema import OUTCOMES, VERDICTS

StreamKey = tuple[str, str, str]
"""(provider, pipeline key, stream)."""

# Repeats the index's own condition word for word: else SQLite does not see that the index is enough.
COUNTS = "b.verdict IS NOT NULL AND b.superseded = 0 AND b.stream_id IS NOT NULL"

# The end of the n-th last build that passed or failed.
_START_OF_LAST = """coalesce((SELECT b.finished_at FROM builds b WHERE b.pipeline_id = p.id
AND b.finished_at > 0 AND {counts} AND b.verdict < 2 ORDER BY b.finished_at DESC LIMIT 1 OFFSET ?), 0)"""

# SQLite takes the outcome from the row that holds the maximum (documented, for a single max()). CROSS JOIN keeps
# it from reordering the tables; the order of the loops makes GROUP BY free.
SQLITE_TALLIES = """
SELECT p.provider, p.key, {by}count(*), sum(b.verdict), max(b.finished_at), b.outcome,
    json_group_array(b.duration) FILTER (WHERE b.verdict < 2)
FROM pipelines p CROSS JOIN builds b INDEXED BY builds_finished
    ON b.pipeline_id = p.id AND b.finished_at >= {start} AND b.finished_at < ? {only} {joins}
WHERE {counts} GROUP BY p.id{group}"""

# LATERAL: one short range of the index for each pipeline, where a plain join reads the whole index.
POSTGRESQL_TALLIES = """
SELECT p.provider, p.key, t.* FROM pipelines p CROSS JOIN LATERAL (
    SELECT {by}count(*), sum(b.verdict), max(b.finished_at),
        max(b.finished_at * 16 + b.outcome) % 16,
        '[' || string_agg(coalesce(b.duration::text, 'null'), ',') FILTER (WHERE b.verdict < 2) || ']'
    FROM builds b {joins}
    WHERE b.pipeline_id = p.id AND b.finished_at >= {start} AND b.finished_at < ? {only} AND {counts}
    GROUP BY b.pipeline_id{group}) t"""

_RUNNING = """
SELECT p.provider, p.key, {by}count(*) FROM builds b JOIN pipelines p ON p.id = b.pipeline_id {joins}
WHERE b.status < 2 AND b.status = 1 AND b.stream_id IS NOT NULL GROUP BY p.provider, p.key{group}"""

_LAST_OUTCOMES = """
SELECT p.provider, p.key, b.outcome, b.finished_at FROM pipelines p JOIN builds b ON b.id = (
    SELECT b.id FROM builds b WHERE b.pipeline_id = p.id AND b.finished_at > 0 AND {counts}
    ORDER BY b.finished_at DESC LIMIT 1)"""

# Numbers are grouped, not texts; there are far fewer of both than builds. What details found stands with the failed.
_LABELS = "b.labels_id, d.labels, d.found_labels"
_LABEL_JOINS = "LEFT JOIN build_details d ON d.build_id = b.id"

_NEUTRAL = VERDICTS.index(Verdict.NEUTRAL)
_END_OF_TIME = 1 << 62

Group = TypeVar("Group", bound=Hashable)


class _Tally(NamedTuple):
    """Finished builds that are summarized together."""

    total: int
    verdicts: int  # the sum of their codes: 0 failed, 1 passed, 2 neutral
    finished_at: int  # when the last one did
    outcome: int  # of the last one
    durations: str | None  # of those that passed or failed: a JSON array of milliseconds and nulls


def by_pipeline(session: Session, window: Window | int) -> dict[Key, Summary]:
    """One summary for each pipeline that has builds in the window or running.

    `window`: a span of time, or a number of last builds that passed or failed.
    """
    running = {(provider, key): count for provider, key, count in _running(session)}
    summaries = {
        (provider, key): _summary(_Tally._make(tally), running.pop((provider, key), 0))
        for provider, key, *tally in _tallies(session, window)
    }
    return summaries | {key: _summary(None, count) for key, count in running.items()}


def of_pipeline(session: Session, provider: str, key: str, window: Window | int) -> Summary:
    """The summary of one pipeline; of nothing when it is not stored."""
    known = pipelines.find(session, [(provider, key)]).get((provider, key))
    if known is None:
        return _summary(None, 0)
    tallies = [_Tally._make(tally) for _, _, *tally in _tallies(session, window, pipeline_id=known.id)]
    running = [count for *owner, count in _running(session) if owner == [provider, key]]
    return _summary(tallies[0] if tallies else None, sum(running))


def by_branch(session: Session, window: Window) -> dict[StreamKey, Summary]:
    """One summary for each stream that has builds in the window or running. A plain job's stream is `""`."""
    running = {tuple(group): count for *group, count in _running(session, by="b.stream_id")}
    tallies = [(tuple(row[:3]), _Tally._make(row[3:])) for row in _tallies(session, window, by="b.stream_id")]
    summaries = _merged(tallies, running)
    words = names.words_of(session, {stream for _, _, stream in summaries})
    return {(provider, key, words[stream] or ""): each for (provider, key, stream), each in summaries.items()}


class ByLabel(NamedTuple):
    """What happened, by the values of a label."""

    summaries: dict[str, Summary]
    pipelines: dict[Key, dict[str | None, tuple[int, int]]]  # of each how many (failed, passed); None: without label


def by_label(session: Session, label: str, window: Window) -> dict[str, Summary]:
    """One summary for each value of a label, over all pipelines. A build's own label hides its pipeline's.

    Reads the rows themselves: some ten times slower than `by_pipeline`.
    """
    return by_label_and_pipeline(session, label, window).summaries


def by_label_and_pipeline(session: Session, label: str, window: Window) -> ByLabel:
    """The same, and what passed and failed in each pipeline, from one reading."""
    inherited = {
        (each.pipeline.provider, each.pipeline.key): each.pipeline.labels.get(label) for each in pipelines.all(session)
    }
    runs = _running(session, by=_LABELS, joins=_LABEL_JOINS)
    rows = _tallies(session, window, by=_LABELS, joins=_LABEL_JOINS)
    words = names.words_of(session, {row[2] for row in [*runs, *rows]})

    def value_of(provider: str, key: str, number: int | None, long: str | None, found: str | None) -> str | None:
        return labels.own(words[number] or long, found).get(label, inherited[provider, key])

    running: Counter[str | None] = Counter()
    for *group, count in runs:
        running[value_of(*group)] += count
    tallies = [(value_of(*row[:5]), _Tally._make(row[5:])) for row in rows]
    ended: dict[Key, dict[str | None, tuple[int, int]]] = {}
    for row, (value, tally) in zip(rows, tallies, strict=True):
        its = ended.setdefault((row[0], row[1]), {})
        decided = tally.durations.count(",") + 1 if tally.durations else 0
        passed = tally.verdicts - _NEUTRAL * (tally.total - decided)
        before = its.get(value, (0, 0))
        its[value] = before[0] + decided - passed, before[1] + passed
    summaries = {value: each for value, each in _merged(tallies, running).items() if value is not None}
    return ByLabel(summaries, ended)


def last_outcomes(session: Session) -> dict[Key, tuple[Outcome, datetime]]:
    """How and when the last finished build of each pipeline ended, where there is one."""
    found = _execute(session, _LAST_OUTCOMES.format(counts=COUNTS), ())
    return {(provider, key): (OUTCOMES[outcome], from_ms(ended)) for provider, key, outcome, ended in found}


def _merged(tallies: Iterable[tuple[Group, _Tally]], running: Mapping[Group, int]) -> dict[Group, Summary]:
    groups: dict[Group, list[_Tally]] = {group: [] for group in running}
    for group, tally in tallies:
        groups.setdefault(group, []).append(tally)
    return {group: _summary(_together(members), running.get(group, 0)) for group, members in groups.items()}


def _together(tallies: Sequence[_Tally]) -> _Tally | None:
    if len(tallies) <= 1:
        return tallies[0] if tallies else None
    arrays = [each.durations[1:-1] for each in tallies if each.durations is not None]
    return max(tallies, key=lambda each: each.finished_at)._replace(
        total=sum(each.total for each in tallies),
        verdicts=sum(each.verdicts for each in tallies),
        durations=f"[{','.join(filter(None, arrays))}]",
    )


def _summary(tally: _Tally | None, running: int) -> Summary:
    if tally is None:
        return Summary(total=running, passed=0, failed=0, neutral=0, running=running)
    finished, verdicts, _, outcome, array = tally
    durations: list[Any] = orjson.loads(array) if array else []
    neutral = finished - len(durations)
    passed = verdicts - _NEUTRAL * neutral
    if None in durations:
        durations = [each for each in durations if each is not None]
    durations.sort()
    mean, p50, p95 = _spread(durations) if durations else (None, None, None)
    return Summary(
        total=finished + running,
        passed=passed,
        failed=finished - passed - neutral,
        neutral=neutral,
        running=running,
        duration_mean=mean,
        duration_p50=p50,
        duration_p95=p95,
        last_outcome=OUTCOMES[outcome],
    )


def _spread(ordered: Sequence[int]) -> tuple[float, float, float]:
    """Mean, p50 and p95 in seconds."""
    return (
        sum(ordered) / len(ordered) / 1000,
        percentile(ordered, 0.5) / 1000,
        percentile(ordered, 0.95) / 1000,
    )


def _tallies(
    session: Session, window: Window | int, *, by: str | None = None, joins: str = "", pipeline_id: int | None = None
) -> Sequence[Sequence[Any]]:
    """(provider, key, `by`, then the fields of _Tally), for each group of finished builds."""
    if isinstance(window, Window):
        start, values = "?", [to_ms(window.start), to_ms(window.end)]
    else:
        start, values = _START_OF_LAST.format(counts=COUNTS), [window - 1, _END_OF_TIME]
    if pipeline_id is not None:
        values.append(pipeline_id)
    template = SQLITE_TALLIES if session.dialect.name == "sqlite" else POSTGRESQL_TALLIES
    statement = template.format(
        start=start, counts=COUNTS, only="" if pipeline_id is None else "AND p.id = ?", joins=joins, **_grouping(by)
    )
    return _execute(session, statement, values)


def _running(session: Session, *, by: str | None = None, joins: str = "") -> Sequence[Sequence[Any]]:
    """(provider, key, `by`, number of builds running now)."""
    return _execute(session, _RUNNING.format(joins=joins, **_grouping(by)), ())


def _grouping(by: str | None) -> Mapping[str, str]:
    return {"by": f"{by}, ", "group": f", {by}"} if by else {"by": "", "group": ""}


def _execute(session: Session, statement: str, values: Iterable[int]) -> Sequence[Sequence[Any]]:
    if session.dialect.name == "postgresql":
        statement = statement.replace("%", "%%").replace("?", "%s")
    return session.exec_driver_sql(statement, tuple(values)).all()
