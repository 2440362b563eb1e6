"""What answers look like, as types: the OpenAPI document is made of them. Times are ISO 8601 in UTC with `Z`."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from typing_extensions import TypedDict

from domain.alert import AlertKind, AlertState, Severity
from domain.build import Outcome, Status, Verdict
from domain.window import Summary
from store.builds import BuildView
from store.pipelines import Known
from store.window_counts import Counts


def iso(moment: datetime | None) -> str | None:
    """`2026-11-20T12:00:00.000Z`, always of the same length."""
    return None if moment is None else instant(moment)


def instant(moment: datetime) -> str:
    """The same, of a time that is known."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(duration: timedelta | None) -> float | None:
    """A duration."""
    return None if duration is None else round(duration.total_seconds(), 3)


class TestCounts(TypedDict):
    """The tests of a build."""

    total: int
    passed: int
    failed: int
    skipped: int


class BuildShape(TypedDict):
    """A build, as `buildwatch builds --json` shows it."""

    id: int
    pipeline_id: int | None
    provider: str
    pipeline: str
    name: str
    external_id: str
    number: int
    attempt: int
    status: Status
    outcome: Outcome | None
    raw_outcome: str | None
    verdict: Verdict | None
    flaky: bool
    branch: str | None
    commit: str | None
    title: str | None
    trigger: str | None
    actor: str | None
    is_fork: bool
    is_pull_request: bool
    queued_at: str | None
    started_at: str | None
    finished_at: str | None
    duration_seconds: float | None
    queue_seconds: float | None
    url: str | None
    failing_stage: str | None
    bucket: str | None
    reason: str | None
    labels: dict[str, str]
    tests: TestCounts | None
    measurements: dict[str, float]


def build_shape(view: BuildView, pipeline_id: int | None) -> BuildShape:
    """A stored build."""
    build, tests = view.build, view.build.tests
    counts: TestCounts | None = None
    if tests is not None:
        counts = {"total": tests.total, "passed": tests.passed, "failed": tests.failed, "skipped": tests.skipped}
    return {
        "id": build.id or 0,
        "pipeline_id": pipeline_id,
        "provider": build.pipeline.provider,
        "pipeline": build.pipeline.key,
        "name": build.pipeline.name,
        "external_id": build.external_id,
        "number": build.number,
        "attempt": build.attempt,
        "status": build.status,
        "outcome": build.outcome,
        "raw_outcome": build.raw_outcome,
        "verdict": view.verdict,
        "flaky": view.flaky,
        "branch": build.branch,
        "commit": build.commit,
        "title": build.title,
        "trigger": build.trigger,
        "actor": build.actor,
        "is_fork": build.is_fork,
        "is_pull_request": build.is_pull_request,
        "queued_at": iso(build.queued_at),
        "started_at": iso(build.started_at),
        "finished_at": iso(build.finished_at),
        "duration_seconds": seconds(build.duration),
        "queue_seconds": seconds(build.queue_time),
        "url": build.url,
        "failing_stage": build.failing_stage,
        "bucket": build.bucket,
        "reason": build.reason,
        "labels": {**build.pipeline.labels, **build.labels},
        "tests": counts,
        "measurements": dict(build.measurements),
    }


class BuildPage(TypedDict):
    """Builds, newest first: those that run or wait, then those that ended, by their end."""

    builds: list[BuildShape]
    next: str | None  # the cursor of the next page; null at the end. A page may be short and have a next one


class StageShape(TypedDict):
    """A stage of a build."""

    name: str
    outcome: Outcome | None
    step: str | None
    duration_seconds: float | None
    url: str | None


class CommitShape(TypedDict):
    """A change that came in."""

    id: str
    title: str
    author: str | None
    login: str | None
    is_bot: bool
    url: str | None


class ChangesShape(TypedDict):
    """What came in since the build before; `commits` may be fewer than `total`."""

    commits: list[CommitShape]
    total: int
    url: str | None


class CaseShape(TypedDict):
    """A test of a build."""

    suite: str
    name: str
    status: str
    duration_seconds: float | None
    message: str | None
    flaky: bool


class ErrorShape(TypedDict):
    """Tests that fail with the same error."""

    error: str
    count: int
    tests: list[dict[str, str]]


class ReportShape(TypedDict):
    """What the tests of a build say."""

    failing: list[CaseShape]
    newly_failing: list[dict[str, str]] | None  # null: nothing to compare with
    errors: list[ErrorShape]
    notes: list[str]


class AttemptShape(TypedDict):
    """An attempt of the same build."""

    id: int
    attempt: int
    status: Status
    outcome: Outcome | None
    finished_at: str | None
    counts: bool  # it is the one that counts


class BuildDetails(BuildShape):
    """Everything that is known of a build."""

    superseded: bool  # another attempt counts instead
    log_excerpt: str | None
    bucket_class: str | None  # code, test, infra, env
    stages: list[StageShape]
    changes: ChangesShape | None
    report: ReportShape | None
    notes: list[str]  # what could not be read, and why
    attempts: list[AttemptShape]


class BuildAnswer(BuildDetails):
    """And who was told of it, or exactly why nobody was: what `buildwatch explain --json` prints."""

    explain: dict[str, Any] | None


class SummaryShape(TypedDict):
    """What happened in a window. Rates are 0 to 1, null without data; durations are seconds."""

    total: int
    passed: int
    failed: int
    neutral: int
    running: int
    success_rate: float | None
    duration_mean: float | None
    duration_p50: float | None
    duration_p95: float | None


def summary_shape(summary: Summary) -> SummaryShape:
    """A summary with its percentiles."""
    return {
        "total": summary.total,
        "passed": summary.passed,
        "failed": summary.failed,
        "neutral": summary.neutral,
        "running": summary.running,
        "success_rate": summary.success_rate,
        "duration_mean": summary.duration_mean,
        "duration_p50": summary.duration_p50,
        "duration_p95": summary.duration_p95,
    }


class CountsShape(TypedDict):
    """How many builds, and how they ended. The rate is 0 to 1, null without data."""

    total: int
    passed: int
    failed: int
    neutral: int
    running: int
    success_rate: float | None
    duration_mean: float | None


def counts_shape(counts: Counts) -> CountsShape:
    """Counts without percentiles."""
    return {
        "total": counts.total,
        "passed": counts.passed,
        "failed": counts.failed,
        "neutral": counts.neutral,
        "running": counts.running,
        "success_rate": counts.success_rate,
        "duration_mean": counts.duration_mean,
    }


class LastShape(TypedDict):
    """The last build that ended."""

    outcome: Outcome
    verdict: Verdict
    finished_at: str


class PipelineShape(TypedDict):
    """A pipeline."""

    id: int
    provider: str
    pipeline: str
    name: str
    url: str | None
    labels: dict[str, str]
    default_branch: str | None
    watched_since: str
    missing_since: str | None


def pipeline_shape(known: Known) -> PipelineShape:
    """A stored pipeline."""
    pipeline = known.pipeline
    return {
        "id": known.id,
        "provider": pipeline.provider,
        "pipeline": pipeline.key,
        "name": pipeline.name,
        "url": pipeline.url,
        "labels": dict(pipeline.labels),
        "default_branch": pipeline.default_branch,
        "watched_since": instant(known.watched_since),
        "missing_since": iso(known.missing_since),
    }


class PipelineRow(PipelineShape):
    """A pipeline and how it stands."""

    summary: CountsShape
    last: LastShape | None
    unfinished: int  # builds that run or wait
    firing: int  # alerts


class PipelinePage(TypedDict):
    """Pipelines by provider and full name."""

    window: str
    pipelines: list[PipelineRow]
    next: str | None


class BandShape(TypedDict):
    """What is usual: from `low` to `high` nothing is special."""

    method: str
    value: float
    low: float
    high: float
    count: int


class DayShape(TypedDict):
    """One reporting day of a pipeline."""

    day: str
    start: str
    end: str
    summary: SummaryShape


class MarkShape(TypedDict):
    """An alert in a chart."""

    id: int
    kind: AlertKind
    severity: Severity
    state: AlertState
    branch: str | None
    started_at: str
    resolved_at: str | None
    summary: str


class PipelineDetails(PipelineShape):
    """A pipeline: its last builds, its days, what is usual, its alerts."""

    summary: SummaryShape  # of the last 24 hours
    strip: list[BuildShape]  # the last 50 builds, newest first
    days: list[DayShape]  # oldest first; the last one is still going on
    duration_band: BandShape | None  # null: too few builds
    rate_band: BandShape | None
    alerts: list[MarkShape]
    metrics: list[str]  # names of figures
    streams_with_tests: list[str]  # branches; "" for a plain job


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping that JSON can be made of."""
    return {name: plain(each) if isinstance(each, Mapping) else each for name, each in value.items()}
