"""Figures of builds over time: any measurement of a pipeline, what it is like, where it goes, what stands out."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from typing_extensions import TypedDict

from domain.build import Verdict
from domain.measurement import BUILT_IN
from metrics.analysis import Analysis, analyse
from metrics.baseline import Method
from metrics.measurements import Aggregate
from metrics.trend import Direction
from store import builds, measurements
from store.engine import Session
from store.measurements import Measured
from store.pipelines import Known
from web.asking import not_found
from web.shapes import instant

MOST_POINTS = 10_000
SHOWN = 50  # builds that stand out


class PointShape(TypedDict):
    """The figure of one build."""

    build: int
    finished_at: str
    value: float
    verdict: Verdict
    branch: str | None


class AggregateShape(TypedDict):
    """Some figures in a few numbers, in their unit."""

    count: int
    min: float
    max: float
    avg: float
    p50: float
    p95: float
    p99: float
    std: float


class TrendShape(TypedDict):
    """Where a figure goes: Theil and Sen's slope, Mann and Kendall's test."""

    direction: Direction
    slope_per_day: float | None
    p_value: float | None
    significant: bool
    count: int
    branch: str | None
    verdict: Verdict | None
    method: str


class BaselineShape(TypedDict):
    """What is usual: from `low` to `high` nothing is special."""

    method: Method
    value: float
    spread: float
    low: float
    high: float
    count: int
    left_out: int
    reason: str
    branch: str | None
    verdict: Verdict


class OutlierShape(PointShape):
    """A build that stands out."""

    number: int | None
    url: str | None
    usual: float
    score: float


class FigureShape(TypedDict):
    """One figure of a pipeline, as `buildwatch metric --json` shows it."""

    pipeline_id: int
    provider: str
    pipeline: str
    name: str
    metric: str
    branch: str | None
    days: int
    since: str
    until: str
    count: int
    history: list[PointShape]  # oldest first; of more than 10,000 the newest
    aggregated: AggregateShape | None
    trend: TrendShape | None
    baseline: BaselineShape | None
    outliers: list[OutlierShape]  # the newest 50
    outliers_total: int


def figure(
    session: Session, known: Known, name: str, *, now: datetime, days: int, branch: str | None, method: Method
) -> FigureShape:
    """One figure of a pipeline. Raises ProblemError for a name that no build has told."""
    check(session, known, name)
    since, until = reach(now, days)
    points = history(session, known, name, now=now, days=days, branch=branch)
    found = analyse(points, name, method)
    return {
        "pipeline_id": known.id,
        "provider": known.pipeline.provider,
        "pipeline": known.pipeline.key,
        "name": known.pipeline.name,
        "metric": name,
        "branch": branch,
        "days": days,
        "since": instant(since),
        "until": instant(until),
        "count": len(points),
        "history": [_point(each) for each in points[-MOST_POINTS:]],
        "aggregated": aggregate_shape(found.aggregate) if found else None,
        "trend": trend_shape(found) if found else None,
        "baseline": baseline_shape(found) if found else None,
        "outliers": _outliers(session, points, found) if found else [],
        "outliers_total": len(found.outliers) if found else 0,
    }


def reach(now: datetime, days: int) -> tuple[datetime, datetime]:
    """The window of so many days, with what ended in this very millisecond."""
    until = now + timedelta(milliseconds=1)
    return until - timedelta(days=days), until


def history(
    session: Session, known: Known, name: str, *, now: datetime, days: int, branch: str | None = None
) -> Sequence[Measured]:
    """The figures of so many days, oldest first. The builds of a plain job are one line, whatever the branch."""
    since, until = reach(now, days)
    stream = branch if known.pipeline.branched else None
    return measurements.history(session, known.id, name, since, until, stream=stream)


def names_of(session: Session, known: Known) -> list[str]:
    """What can be asked for."""
    return [*BUILT_IN, *measurements.names(session, known.id)]


def check(session: Session, known: Known, name: str) -> None:
    """Raise ProblemError for a name that no build of the pipeline has told."""
    if name not in names_of(session, known):
        raise not_found(f"the figure {name!r} of {known.pipeline.key}")


def _point(point: Measured) -> PointShape:
    return {
        "build": point.build_id,
        "finished_at": instant(point.finished_at),
        "value": point.value,
        "verdict": point.verdict,
        "branch": point.stream or None,
    }


def aggregate_shape(total: Aggregate) -> AggregateShape:
    """Some figures in a few numbers."""
    return {
        "count": total.count,
        "min": total.minimum,
        "max": total.maximum,
        "avg": total.mean,
        "p50": total.p50,
        "p95": total.p95,
        "p99": total.p99,
        "std": total.std,
    }


def trend_shape(found: Analysis) -> TrendShape:
    """Where it goes."""
    trend = found.trend
    return {
        "direction": trend.direction,
        "slope_per_day": trend.slope,
        "p_value": trend.p_value,
        "significant": trend.significant,
        "count": trend.count,
        "branch": found.stream or None,
        "verdict": found.verdict,
        "method": "theil-sen, mann-kendall",
    }


def baseline_shape(found: Analysis) -> BaselineShape | None:
    """What is usual; None: too few comparable builds."""
    usual = found.baseline
    if usual is None:
        return None
    return {
        "method": usual.method,
        "value": usual.value,
        "spread": usual.spread,
        "low": usual.low,
        "high": usual.high,
        "count": usual.count,
        "left_out": usual.left_out,
        "reason": usual.reason,
        "branch": found.stream or None,
        "verdict": found.usual_verdict,
    }


def _outliers(session: Session, points: Sequence[Measured], found: Analysis) -> list[OutlierShape]:
    shown = found.outliers[-SHOWN:]
    views = builds.get(session, {points[each.place].build_id for each in shown})
    shapes: list[OutlierShape] = []
    for each in shown:
        view = views.get(points[each.place].build_id)
        shapes.append(
            {
                **_point(points[each.place]),
                "number": view.build.number if view else None,
                "url": view.build.url if view else None,
                "usual": each.usual,
                "score": round(each.score, 2),
            }
        )
    return shapes
