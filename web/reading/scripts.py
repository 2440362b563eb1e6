"""Pipelines as scripts, builds as executions: the words of a client that watches scripts."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Final

from typing_extensions import TypedDict

from domain.build import Build, Verdict
from domain.measurement import DURATION, built_in
from metrics.analysis import Analysis, analyse
from metrics.baseline import Method
from metrics.measurements import aggregate
from store import browsing, measurements, pipelines, window_counts
from store.browsing import Wanted
from store.builds import BuildView
from store.engine import Database, Session
from store.maintenance import size
from store.window_counts import Counts, with_running
from web.asking import cursor_of, pipeline_named, place_of
from web.paging import Cut, cut
from web.reading import figures
from web.reading.builds import stored
from web.reading.figures import AggregateShape, BaselineShape, TrendShape, aggregate_shape
from web.reading.remembered import ALL_TIME, Remembered
from web.shapes import instant, iso, seconds

EXECUTION_TIME: Final = "execution_time_seconds"
"""What these clients call the duration."""

_VERSION: Final = version("buildwatch")  # reads files
_MOMENT = timedelta(milliseconds=1)
_PASSED, _FAILED = 0, 1


class ScriptShape(TypedDict):
    """A pipeline. `path` is its full name; the rate is percent."""

    path: str
    script_path: str
    name: str
    provider: str
    execution_count: int
    successful_runs: int
    failed_runs: int
    success_rate: float
    last_execution: str | None


class ExecutionShape(TypedDict):
    """A build. `exit_code` is 0 when it passed, 1 when it failed, null when it did neither, or not yet."""

    id: int
    script_path: str
    exit_code: int | None
    success: bool
    status: str
    attempt_number: int
    timestamp: str | None
    start_time: str | None
    end_time: str | None
    execution_time_seconds: float | None


class ExecutionDetails(ExecutionShape):
    """A build with its figures and the lines that explain it."""

    metrics: dict[str, float]
    output: str | None
    url: str | None


class LatestMetric(TypedDict):
    """A figure of a build."""

    execution_id: int
    script_path: str
    metric_name: str
    value: float
    timestamp: str


class TimedValue(TypedDict):
    """A point of a series."""

    timestamp: str
    value: float


class SeriesShape(TypedDict):
    """One figure over time, oldest first."""

    metric_name: str
    script_path: str
    days: int
    data_points: int
    data: list[TimedValue]


class StatisticsShape(AggregateShape):
    """A figure in a few numbers."""

    median: float


class TrendAnswer(TypedDict):
    """Where a figure goes."""

    script_path: str
    metric_name: str
    days: int
    trend: TrendShape | None  # null: no builds


class BaselineAnswer(TypedDict):
    """What is usual for a figure."""

    script_path: str
    metric_name: str
    method: Method
    days: int
    baseline: BaselineShape | None  # null: fewer than five comparable builds


class DatabaseShape(TypedDict):
    """How much is stored."""

    total_scripts: int
    total_executions: int
    total_metrics: int  # durations, and figures from files
    database_size_bytes: int
    database_size_mb: float
    oldest_execution: str | None
    newest_execution: str | None


class ServiceHealth(TypedDict):
    """Whether it works."""

    status: str
    timestamp: str
    version: str


def health(now: datetime) -> ServiceHealth:
    """It answers."""
    return {"status": "ok", "timestamp": instant(now), "version": _VERSION}


def scripts(session: Session, remembered: Remembered, asked: Cut) -> tuple[list[ScriptShape], str | None]:
    """A page of pipelines by full name with all that is stored of them, and the cursor of the next page."""
    shown, following = cut(
        remembered.pipelines(session), lambda each: (each.pipeline.key, each.pipeline.provider), asked, parts=2
    )
    counts = with_running(remembered.window(session, window_counts.ended, ALL_TIME), remembered.unfinished(session))
    found: list[ScriptShape] = []
    for known in shown:
        its = counts.get(known.id, Counts())
        found.append(
            {
                "path": known.pipeline.key,
                "script_path": known.pipeline.key,
                "name": known.pipeline.name,
                "provider": known.pipeline.provider,
                "execution_count": its.total,
                "successful_runs": its.passed,
                "failed_runs": its.failed,
                "success_rate": round(100 * (its.success_rate or 0.0), 2),
                "last_execution": iso(its.last.finished_at) if its.last else None,
            }
        )
    return found, following


def executions(
    session: Session, asked: Cut, *, script: str | None, offset: int, exit_code: int | None
) -> tuple[list[ExecutionShape], str | None]:
    """A page of builds, newest first, and the cursor of the next. Raises ProblemError for an unknown pipeline."""
    verdicts: frozenset[Verdict] = frozenset()
    if exit_code is not None:
        verdicts = frozenset({Verdict.PASSED if exit_code == _PASSED else Verdict.FAILED})
    wanted = Wanted(pipelines=_ids(session, script), verdicts=verdicts)
    found = browsing.page(session, wanted, limit=asked.limit + offset, after=place_of(asked.cursor))
    return [_execution(each) for each in found.builds[offset:]], cursor_of(found.next)


def _ids(session: Session, script: str | None) -> list[int] | None:
    return None if script is None else [pipeline_named(session, script, "script_path").id]


def _execution(view: BuildView) -> ExecutionShape:
    build = view.build
    code = {Verdict.PASSED: _PASSED, Verdict.FAILED: _FAILED}.get(view.verdict) if view.verdict else None
    return {
        "id": build.id or 0,
        "script_path": build.pipeline.key,
        "exit_code": code,
        "success": view.verdict is Verdict.PASSED,
        "status": (build.outcome or build.status).value,
        "attempt_number": build.attempt,
        "timestamp": iso(_when(build)),
        "start_time": iso(build.started_at),
        "end_time": iso(build.finished_at),
        "execution_time_seconds": seconds(build.duration),
    }


def _when(build: Build) -> datetime | None:
    return build.finished_at or build.started_at or build.queued_at


def execution(session: Session, identity: int) -> ExecutionDetails:
    """A build with its figures. Raises ProblemError."""
    view = stored(session, identity)
    return {
        **_execution(view),
        "metrics": dict(figures_of(view.build)),
        "output": view.build.log_excerpt,
        "url": view.build.url,
    }


def figures_of(build: Build) -> Mapping[str, float]:
    """All figures of a build; its duration under the name that these clients know, too."""
    own = built_in(build)
    also = {EXECUTION_TIME: own[DURATION]} if DURATION in own else {}
    return {**also, **own, **build.measurements}


def latest(session: Session, *, script: str | None, limit: int) -> list[LatestMetric]:
    """The figures of the newest builds, newest first."""
    wanted = Wanted(pipelines=_ids(session, script))
    found: list[LatestMetric] = []
    for view in browsing.page(session, wanted, limit=limit).builds:
        build, at = view.build, _when(view.build)
        found += [
            {
                "execution_id": build.id or 0,
                "script_path": build.pipeline.key,
                "metric_name": name,
                "value": value,
                "timestamp": instant(at),
            }
            for name, value in figures_of(build).items()
            if at is not None
        ]
    return found[:limit]


def series(session: Session, now: datetime, *, script: str | None, name: str, days: int, limit: int) -> SeriesShape:
    """One figure over time: of a pipeline, or of the newest builds of all."""
    points = list(_points(session, now, script=script, name=name, days=days))[-limit:]
    return {
        "metric_name": name,
        "script_path": script or "all",
        "days": days,
        "data_points": len(points),
        "data": points,
    }


def _points(session: Session, now: datetime, *, script: str | None, name: str, days: int) -> Iterator[TimedValue]:
    if script is None:
        for build in _newest(session, now, days):
            value = figures_of(build).get(name)
            if value is not None and build.finished_at is not None:
                yield {"timestamp": instant(build.finished_at), "value": value}
        return
    known = pipeline_named(session, script, "script_path")
    for each in figures.history(session, known, _ours(name), now=now, days=days):
        yield {"timestamp": instant(each.finished_at), "value": each.value}


def _newest(session: Session, now: datetime, days: int) -> list[Build]:
    """The newest thousand builds that passed or failed, oldest first."""
    decided = frozenset({Verdict.PASSED, Verdict.FAILED})
    wanted = Wanted(since=now - timedelta(days=days), until=now + _MOMENT, verdicts=decided)
    return [view.build for view in browsing.page(session, wanted, limit=1000).builds][::-1]


def _ours(name: str) -> str:
    return DURATION if name == EXECUTION_TIME else name


def aggregated(
    session: Session, now: datetime, *, script: str | None, days: int, name: str | None
) -> dict[str, StatisticsShape]:
    """Each figure in a few numbers: of a pipeline, or of the newest builds of all."""
    values: dict[str, list[float]] = {}
    if script is None:
        for build in _newest(session, now, days):
            for each, value in figures_of(build).items():
                values.setdefault(each, []).append(value)
    else:
        known = pipeline_named(session, script, "script_path")
        for each in [EXECUTION_TIME, *figures.names_of(session, known)]:
            values[each] = [one.value for one in figures.history(session, known, _ours(each), now=now, days=days)]
    found: dict[str, StatisticsShape] = {}
    for each, some in values.items():
        total = aggregate(some)
        if total is not None and name in {None, each}:
            found[each] = {**aggregate_shape(total), "median": total.p50}
    return found


def trend(session: Session, now: datetime, *, script: str, name: str, days: int) -> TrendAnswer:
    """Where a figure of a pipeline goes. Raises ProblemError for what nobody has told."""
    found = _analysed(session, now, script=script, name=name, days=days, method=Method.INTELLIGENT)
    return {
        "script_path": script,
        "metric_name": name,
        "days": days,
        "trend": figures.trend_shape(found) if found else None,
    }


def baseline(session: Session, now: datetime, *, script: str, name: str, days: int, method: Method) -> BaselineAnswer:
    """What is usual for a figure of a pipeline. Raises ProblemError for what nobody has told."""
    found = _analysed(session, now, script=script, name=name, days=days, method=method)
    return {
        "script_path": script,
        "metric_name": name,
        "method": method,
        "days": days,
        "baseline": figures.baseline_shape(found) if found else None,
    }


def _analysed(session: Session, now: datetime, *, script: str, name: str, days: int, method: Method) -> Analysis | None:
    known = pipeline_named(session, script, "script_path")
    figures.check(session, known, _ours(name))
    return analyse(figures.history(session, known, _ours(name), now=now, days=days), _ours(name), method)


def database(session: Session, store: Database) -> DatabaseShape:
    """How much is stored."""
    oldest, newest = window_counts.reach(session)
    builds, used = window_counts.stored(session), size(session, store)
    return {
        "total_scripts": len(pipelines.all(session)),
        "total_executions": builds,
        "total_metrics": builds + measurements.count(session),
        "database_size_bytes": used,
        "database_size_mb": round(used / 2**20, 2),
        "oldest_execution": iso(oldest),
        "newest_execution": iso(newest),
    }
