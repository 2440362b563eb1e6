"""A figure of a pipeline over time, as it is read from the store and as JSON tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import typer

from domain.build import Build, Pipeline
from domain.measurement import BUILT_IN
from metrics.analysis import Analysis, analyse
from metrics.baseline import Method
from poller.cli.naming import pipeline_named
from poller.cli.showing import iso
from poller.config import Configuration
from poller.config.problems import did_you_mean
from store import builds, measurements
from store.engine import Session
from store.measurements import Measured
from store.pipelines import Known

SHOWN = 20
"""Builds that stand out of which all is told, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A figure as it was read."""

    pipeline: Pipeline
    name: str
    branch: str | None
    since: datetime
    until: datetime
    history: Sequence[Measured]
    analysis: Analysis | None
    builds: Mapping[int, Build]  # those that stand out, and the newest


def names_of(
    session: Session, configuration: Configuration, pipeline: str, provider: str | None
) -> tuple[Known, list[str]]:
    """The pipeline, and the figures that builds of it have or that config.yaml names."""
    known = pipeline_named(session, pipeline, provider)
    reports = configuration.reports_of(configuration.entry_of(known.pipeline))
    configured = {name for each in reports.measurements for name in each.numbers}
    return known, [*BUILT_IN, *sorted(configured.union(measurements.names(session, known.id)))]


def read_figure(
    session: Session,
    configuration: Configuration,
    pipeline: str,
    provider: str | None,
    *,
    name: str,
    branch: str | None,
    since: datetime,
    until: datetime,
    method: Method,
) -> Found:
    """Read it. A name that nobody has told is a usage error."""
    known, names = names_of(session, configuration, pipeline, provider)
    if name not in names:
        text = f'{known.pipeline.key} has no figure "{name}"{did_you_mean(name, names)}'
        raise typer.BadParameter(text, param_hint="NAME")
    stream = branch if known.pipeline.branched else None
    if branch is not None and stream is None:
        raise typer.BadParameter(
            f"{known.pipeline.key} is a plain job: all its builds are one line", param_hint="--branch"
        )
    history = measurements.history(session, known.id, name, since, until, stream=stream)
    analysis = analyse(history, name, method)
    wanted = {history[each.place].build_id for each in analysis.outliers[-SHOWN:]} if analysis else set()
    wanted |= {each.build_id for each in history[-1:]}
    views = builds.get(session, wanted)
    return Found(
        pipeline=known.pipeline,
        name=name,
        branch=branch,
        since=since,
        until=until,
        history=history,
        analysis=analysis,
        builds={number: view.build for number, view in views.items()},
    )


def described(found: Found, days: float) -> dict[str, Any]:
    """As `metric --json` shows it; the keys are a contract."""
    analysis = found.analysis
    return {
        "provider": found.pipeline.provider,
        "pipeline": found.pipeline.key,
        "name": found.pipeline.name,
        "metric": found.name,
        "branch": found.branch,
        "days": days,
        "since": iso(found.since),
        "until": iso(found.until),
        "count": len(found.history),
        "history": [_point(each) for each in found.history],
        "aggregated": analysis and _aggregated(analysis),
        "trend": analysis and _trend(analysis),
        "baseline": analysis and _baseline(analysis),
        "outliers": [
            {
                **_point(found.history[each.place]),
                **_link(found, found.history[each.place].build_id),
                "usual": each.usual,
                "score": round(each.score, 2),
            }
            for each in (analysis.outliers[-SHOWN:] if analysis else ())
        ],
        "outliers_total": len(analysis.outliers) if analysis else 0,
    }


def _point(point: Measured) -> dict[str, Any]:
    return {
        "build": point.build_id,
        "finished_at": iso(point.finished_at),
        "value": point.value,
        "verdict": point.verdict,
        "branch": point.stream or None,
    }


def _link(found: Found, build_id: int) -> dict[str, Any]:
    build = found.builds.get(build_id)
    return {"number": build.number if build else None, "url": build.url if build else None}


def _aggregated(analysis: Analysis) -> dict[str, Any]:
    total = analysis.aggregate
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


def _trend(analysis: Analysis) -> dict[str, Any]:
    trend = analysis.trend
    return {
        "direction": trend.direction,
        "slope_per_day": trend.slope,
        "p_value": trend.p_value,
        "significant": trend.significant,
        "count": trend.count,
        "branch": analysis.stream or None,
        "verdict": analysis.verdict,
        "method": "theil-sen, mann-kendall",
    }


def _baseline(analysis: Analysis) -> dict[str, Any] | None:
    if analysis.baseline is None:
        return None
    return {**asdict(analysis.baseline), "branch": analysis.stream or None, "verdict": analysis.usual_verdict}
