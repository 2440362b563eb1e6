"""Windows over all pipelines, in the shapes that the clients of the seed systems know."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from typing_extensions import TypedDict

from domain.build import Outcome, Verdict
from domain.window import Window
from store import window_counts
from store.engine import Session
from store.pipelines import Known
from store.window_counts import Counts, Ended, together, with_running
from web.reading.remembered import Remembered
from web.words import iso

_NEITHER = {Outcome.CANCELLED: "cancelled", Outcome.SKIPPED: "skipped", Outcome.UNKNOWN: "unknown"}


class RunCounts(TypedDict):
    """Runs of a window: `total` counts those that run or were cancelled, too; the rate of the others is 0 to 1."""

    total: int
    success: int
    failure: int
    success_rate: float
    avg_duration_sec: float | None
    last_status: str | None
    last_finished_at: str | None


class RunsOfPipeline(RunCounts):
    """Those of one pipeline."""

    pipeline: str


class RunSummary(RunCounts):
    """`GET /api/metrics/summary`, and what the WebSocket pushes."""

    window_minutes: int
    per_pipeline: list[RunsOfPipeline]


class BuildSummary(TypedDict):
    """`GET /metrics/summary`. Rates are percent; of passed and failed builds, 0 without any."""

    window: str
    success_rate: float
    failure_rate: float
    avg_build_time: float | None  # seconds
    last_status_by_pipeline: dict[str, str]


def run_summary(session: Session, remembered: Remembered, now: datetime, minutes: int) -> RunSummary:
    """The last so many minutes, pipelines by name."""
    span = timedelta(minutes=minutes)
    ended, unfinished = remembered.rolling(session, window_counts.ended, span, now), remembered.unfinished(session)
    known = remembered.pipelines(session)

    def make() -> RunSummary:
        counts = with_running(ended, unfinished)
        rows = remembered.derived_each(("runs", minutes), {each: (its,) for each, its in counts.items()}, _runs)
        return {
            "window_minutes": minutes,
            **_runs(together(counts.values())),
            "per_pipeline": [
                {"pipeline": each.pipeline.name, **rows[each.id]} for each in by_name(known) if each.id in rows
            ],
        }

    return remembered.derived(("run summary", minutes), (ended, unfinished, known), make)


def by_name(known: Iterable[Known]) -> list[Known]:
    """Pipelines by name."""
    return sorted(known, key=lambda each: (each.pipeline.name, each.id))


def _runs(counts: Counts) -> RunCounts:
    last = counts.last
    return {
        "total": counts.total,
        "success": counts.passed,
        "failure": counts.failed,
        "success_rate": round(counts.success_rate or 0.0, 4),
        "avg_duration_sec": None if counts.duration_mean is None else round(counts.duration_mean, 3),
        "last_status": "running" if last is None and counts.running else last and word(last),
        "last_finished_at": last and iso(last.finished_at),
    }


def build_summary(session: Session, remembered: Remembered, name: str, window: Window) -> BuildSummary:
    """A window that ends now, and how each pipeline stands, whenever it was built last."""
    ended = remembered.rolling(session, window_counts.ended, window.end - window.start, window.end)
    total = remembered.derived(("build summary", name), (ended,), lambda: together(ended.values()))
    decided = total.passed + total.failed
    last, unfinished = remembered.last_ended(session), remembered.unfinished(session)
    known = remembered.pipelines(session)
    names = remembered.derived("unique names", (known,), lambda: unique_names(known))
    return {
        "window": name,
        "success_rate": round(100 * total.passed / decided, 1) if decided else 0.0,
        "failure_rate": round(100 * total.failed / decided, 1) if decided else 0.0,
        "avg_build_time": None if total.duration_mean is None else round(total.duration_mean, 1),
        "last_status_by_pipeline": {
            name: "in_progress" if each.id in unfinished else word(last[each.id])
            for name, each in names.items()
            if each.id in unfinished or each.id in last
        },
    }


def unique_names(known: Iterable[Known]) -> Mapping[str, Known]:
    """Pipelines by name; those that share one by their full name, with their provider where that is shared, too."""
    some = list(known)
    names = Counter(each.pipeline.name for each in some)
    keys = Counter(each.pipeline.key for each in some)

    def name_of(each: Known) -> str:
        if names[each.pipeline.name] == 1:
            return each.pipeline.name
        return each.pipeline.key if keys[each.pipeline.key] == 1 else f"{each.pipeline.provider}/{each.pipeline.key}"

    return {name_of(each): each for each in some}


def word(ended: Ended) -> str:
    """How a build ended, in the words of these clients: see `web.words.word_of`."""
    return _NEITHER.get(ended.outcome, "success" if ended.verdict is Verdict.PASSED else "failure")
