"""Pipelines: how each stands, and what one has been through."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from domain.alert import Alert
from domain.build import Verdict
from domain.measurement import BUILT_IN, DURATION
from domain.window import Summary, Window
from metrics.baseline import Baseline, baseline
from metrics.windows import daily, reporting_day, rolling
from store import measurements, test_history, window_counts, windows
from store.browsing import Wanted
from store.engine import Session
from store.pipelines import Known
from store.window_counts import Counts, Ended
from web.asking import bad, named_like
from web.reading import builds
from web.reading.alerts import of_pipeline
from web.reading.remembered import Remembered
from web.shapes import (
    BandShape,
    DayShape,
    LastShape,
    MarkShape,
    PipelineDetails,
    PipelinePage,
    PipelineRow,
    counts_shape,
    instant,
    iso,
    pipeline_shape,
    summary_shape,
)

STRIP: Final = 50
DAYS: Final = 14
_DAY = timedelta(days=1)
_NO_COUNTS = Counts()


def page(
    session: Session,
    remembered: Remembered,
    window: Window,
    *,
    word: str,
    pattern: str | None = None,
    provider: str | None = None,
    limit: int,
    after: str | None = None,
) -> PipelinePage:
    """Pipelines by provider and full name, each with its window, its last build and how many alerts fire."""
    known = [
        each
        for each in remembered.pipelines(session)
        if provider in {None, each.pipeline.provider} and (pattern is None or named_like(each, pattern))
    ]
    start = _behind(known, after)
    shown = known[start : start + limit]
    ended = remembered.rolling(session, window_counts.ended, window.end - window.start, window.end)
    going_on, last = remembered.unfinished(session), remembered.last_ended(session)
    counts = window_counts.with_running(ended, going_on)
    unfinished = {key: both[1] for key, both in going_on.items()}
    firing = Counter((alert.scope.provider, alert.scope.pipeline) for alert in remembered.firing(session))
    rows: list[PipelineRow] = [
        {
            **pipeline_shape(each),
            "summary": counts_shape(counts.get(each.id, _NO_COUNTS)),
            "last": last_shape(last.get(each.id)),
            "unfinished": unfinished.get(each.id, 0),
            "firing": firing[each.pipeline.provider, each.pipeline.key],
        }
        for each in shown
    ]
    following = str(shown[-1].id) if shown and start + limit < len(known) else None
    return {"window": word, "pipelines": rows, "next": following}


def _behind(known: Sequence[Known], after: str | None) -> int:
    """The place behind the pipeline whose number the cursor is: it never goes, whatever is added."""
    if after is None:
        return 0
    for place, each in enumerate(known, 1):
        if str(each.id) == after:
            return place
    raise bad("cursor", "is not that of a page before this one")


def last_shape(last: Ended | None) -> LastShape | None:
    """The last build that ended."""
    if last is None:
        return None
    return {"outcome": last.outcome, "verdict": last.verdict, "finished_at": instant(last.finished_at)}


def details_of(
    session: Session, known: Known, now: datetime, *, day_starts_at: time, zone: ZoneInfo, days: int = DAYS
) -> PipelineDetails:
    """One pipeline: its last builds, its days with what is usual, its alerts."""
    provider, key = known.pipeline.provider, known.pipeline.key
    spans = [daily(now, day_starts_at, zone, days_back=back) for back in range(days - 1, -1, -1)]
    names = [reporting_day(each.start, day_starts_at, zone).isoformat() for each in spans]
    summaries = [windows.of_pipeline(session, provider, key, each) for each in spans]
    strip = builds.recent(session, Wanted(pipelines=[known.id]), STRIP)
    return {
        **pipeline_shape(known),
        "summary": summary_shape(windows.of_pipeline(session, provider, key, rolling(now, _DAY))),
        "strip": builds.shaped(session, strip),
        "days": [_day(name, each, summary) for name, each, summary in zip(names, spans, summaries, strict=True)],
        "duration_band": _band(_durations(session, known, now, days)),
        "rate_band": _rate_band(summaries[:-1]),
        "alerts": [mark(each) for each in of_pipeline(session, provider, key, since=spans[0].start)],
        "metrics": [*BUILT_IN, *measurements.names(session, known.id)],
        "streams_with_tests": test_history.streams(session, known.id, now - days * _DAY),
    }


def _day(name: str, window: Window, summary: Summary) -> DayShape:
    return {
        "day": name,
        "start": instant(window.start),
        "end": instant(window.end),
        "summary": summary_shape(summary),
    }


def _durations(session: Session, known: Known, now: datetime, days: int) -> Baseline | None:
    figures = measurements.history(session, known.id, DURATION, now - days * _DAY, now)
    return baseline([each.value for each in figures if each.verdict is Verdict.PASSED])


def _rate_band(summaries: Sequence[Summary]) -> BandShape | None:
    """Of whole days only. A rate is never beyond 0 and 1."""
    rates = [each.success_rate for each in summaries if each.success_rate is not None]
    band = _band(baseline(rates))
    return band and {**band, "low": max(band["low"], 0.0), "high": min(band["high"], 1.0)}


def _band(usual: Baseline | None) -> BandShape | None:
    if usual is None:
        return None
    return {
        "method": usual.method.value,
        "value": usual.value,
        "low": max(usual.low, 0.0),
        "high": usual.high,
        "count": usual.count,
    }


def mark(alert: Alert) -> MarkShape:
    """An alert in a chart."""
    return {
        "id": alert.id or 0,
        "kind": alert.kind,
        "severity": alert.severity,
        "state": alert.state,
        "branch": alert.scope.branch or None,
        "started_at": instant(alert.started_at),
        "resolved_at": iso(alert.resolved_at),
        "summary": alert.summary,
    }
