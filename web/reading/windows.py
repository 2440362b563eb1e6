"""Windows in figures: reporting days with their tiles, causes and label values, and rolling summaries."""

from collections.abc import Sequence
from typing import Final

from typing_extensions import TypedDict

from domain.build import Outcome
from domain.window import Window
from store import digest, windows
from store.engine import Session
from web.paging import Cut, cut
from web.reading.days import Day
from web.reading.digests import digest_of
from web.reading.overview import Changed, Overview, Stream
from web.reading.remembered import Remembered
from web.reading.tally import Tally
from web.shapes import BuildShape, SummaryShape, instant, summary_shape

_MOST: Final = 200  # values of a label


class TallyShape(TypedDict):
    """Builds that ended. The rate is 0 to 1, null without data."""

    total: int
    passed: int
    failed: int
    neutral: int
    success_rate: float | None


class TilesShape(TallyShape):
    """What stands on the tiles: the window, and the one before it."""

    running: int
    success_rate_before: float | None
    duration_mean: float | None  # seconds
    duration_mean_before: float | None


class OutcomeShape(TypedDict):
    """How many builds ended so."""

    outcome: Outcome
    count: int


class BucketShape(TypedDict):
    """A cause of failures; null: nobody knows the cause."""

    bucket: str | None
    count: int
    pipelines: int
    new: bool  # the window before had none


class DayTally(TallyShape):
    """One day of a label value: for its waffle, and its trend."""

    day: str


class ValueShape(TypedDict):
    """The builds with one value of a label, over the last seven days."""

    value: str
    days: list[DayTally]  # oldest first


class StreamShape(TypedDict):
    """A branch whose results differ from those of the window before."""

    pipeline_id: int
    provider: str
    pipeline: str
    name: str
    branch: str | None
    failed: int
    passed: int
    failed_before: int
    passed_before: int


class ChangedShape(TypedDict):
    """What is different from the window before."""

    broken: list[StreamShape]
    more_broken: int
    fixed: list[StreamShape]
    more_fixed: int
    new_buckets: list[str]
    gone_buckets: list[str]
    success_rate: float | None  # the difference


class DayName(TypedDict):
    """A window to choose."""

    day: str
    start: str
    end: str
    current: bool


class WindowShape(DayName):
    """One reporting day."""

    windows: list[DayName]  # the seven that can be chosen, oldest first
    tiles: TilesShape
    outcomes: list[OutcomeShape]
    buckets: list[BucketShape]
    changed: ChangedShape
    labels: list[str]  # names to choose from
    by: str | None  # the label that the values are of
    values: list[ValueShape]
    more_values: int
    recent: list[BuildShape]


def window_shape(seen: Overview, days: Sequence[Day], recent: list[BuildShape]) -> WindowShape:
    """One reporting day."""
    return {
        **_day(seen.day),
        "windows": [_day(each) for each in days],
        "tiles": {
            **_tally(seen.tally),
            "running": seen.running,
            "success_rate_before": seen.rate_before,
            "duration_mean": seen.mean,
            "duration_mean_before": seen.mean_before,
        },
        "outcomes": [{"outcome": Outcome(name), "count": count} for name, count in seen.outcomes],
        "buckets": [
            {"bucket": each.name or None, "count": each.count, "pipelines": each.pipelines, "new": each.is_new}
            for each in seen.buckets
        ],
        "changed": _changed(seen.changed),
        "labels": list(seen.labels),
        "by": seen.label,
        "values": [
            {
                "value": each.value,
                "days": [{"day": day.name, **_tally(its)} for day, its in zip(days, each.days, strict=True)],
            }
            for each in seen.by_value
        ],
        "more_values": seen.more_values,
        "recent": recent,
    }


def _day(day: Day) -> DayName:
    return {
        "day": day.name,
        "start": instant(day.window.start),
        "end": instant(day.window.end),
        "current": day.is_current,
    }


def _tally(tally: Tally) -> TallyShape:
    return {
        "total": tally.total,
        "passed": tally.passed,
        "failed": tally.failed,
        "neutral": tally.neutral,
        "success_rate": tally.rate,
    }


def _changed(changed: Changed) -> ChangedShape:
    return {
        "broken": [_stream(each) for each in changed.broken],
        "more_broken": changed.more_broken,
        "fixed": [_stream(each) for each in changed.fixed],
        "more_fixed": changed.more_fixed,
        "new_buckets": list(changed.new_buckets),
        "gone_buckets": list(changed.gone_buckets),
        "success_rate": changed.rate,
    }


def _stream(stream: Stream) -> StreamShape:
    pipeline = stream.known.pipeline
    return {
        "pipeline_id": stream.known.id,
        "provider": pipeline.provider,
        "pipeline": pipeline.key,
        "name": pipeline.name,
        "branch": stream.branch or None,
        "failed": stream.failed,
        "passed": stream.passed,
        "failed_before": stream.failed_before,
        "passed_before": stream.passed_before,
    }


class BucketCount(TypedDict):
    """How many builds failed of a cause; null: nobody knows of what."""

    bucket: str | None
    count: int


class BucketList(TypedDict):
    """Causes of failures in a window, the most frequent first."""

    window: str
    start: str
    end: str
    buckets: list[BucketCount]
    more: int  # causes that are left out


def buckets(session: Session, word: str, window: Window, limit: int) -> BucketList:
    """What builds of a window failed of."""
    found = sorted(digest.buckets(session, window).items(), key=lambda each: (-each[1], each[0] or ""))
    return {
        "window": word,
        "start": instant(window.start),
        "end": instant(window.end),
        "buckets": [{"bucket": bucket, "count": count} for bucket, count in found[:limit]],
        "more": max(len(found) - limit, 0),
    }


class LabelShape(TypedDict):
    """A label and the values that pipelines have of it."""

    name: str
    values: list[str]


class LabelList(TypedDict):
    """Labels by name."""

    labels: list[LabelShape]


def labels(session: Session, remembered: Remembered, days: Sequence[Day]) -> LabelList:
    """The labels of pipelines, and of builds of these days."""
    found: dict[str, set[str]] = {}
    for each in remembered.pipelines(session):
        for name, value in each.pipeline.labels.items():
            found.setdefault(name, set()).add(value)
    for day in days:
        for name, values in digest_of(session, remembered, day, {}).labels.items():
            found.setdefault(name, set()).update(values)
    return {"labels": [{"name": name, "values": sorted(values)[:_MOST]} for name, values in sorted(found.items())]}


class ValueSummary(TypedDict):
    """The builds with one value of a label in a window."""

    value: str
    summary: SummaryShape


class ByLabel(TypedDict):
    """A window by the values of a label."""

    label: str
    window: str
    values: list[ValueSummary]
    next: str | None


def by_label(session: Session, label: str, word: str, window: Window, asked: Cut) -> ByLabel:
    """One summary for each value of a label, over all pipelines. Raises ProblemError for a wrong cursor."""
    found = windows.by_label(session, label, window)
    shown, following = cut(found.items(), lambda each: (each[0],), asked, parts=1)
    return {
        "label": label,
        "window": word,
        "values": [{"value": value, "summary": summary_shape(summary)} for value, summary in shown],
        "next": following,
    }
