"""A build in the words of each of the systems whose clients are served here."""

from datetime import datetime, tzinfo

from typing_extensions import TypedDict

from domain.build import Build
from store.builds import BuildView
from web.words import iso, word_of

SOURCE = "source"  # labels of builds that came through /ingest/...
REPO = "repo"


class RunShape(TypedDict):
    """A build as a run."""

    id: int
    pipeline: str
    status: str  # success, failure, running; cancelled, skipped, unknown
    started_at: str | None
    finished_at: str | None
    duration_sec: float | None
    branch: str | None
    commit: str | None
    triggered_by: str | None


class SeedBuild(TypedDict):
    """A build in the words of the `builds` table of another system."""

    id: int
    provider: str
    pipeline: str
    repo: str | None
    branch: str | None
    status: str  # success, failure, in_progress, cancelled; skipped, unknown
    started_at: str | None
    completed_at: str | None
    duration_seconds: float | None
    url: str | None
    logs: str | None
    created_at: str | None


class RequestShape(TypedDict):
    """A regression run, as it is pushed: times are those of the clocks in the reporting zone."""

    request_id: str
    scheduler: str | None
    cloud: str | None
    started_at: str | None
    ended_at: str | None
    status: str  # PASSED, FAILED, RUNNING, KILLED, ...
    reason: str | None
    subreason: str | None
    notes: str | None


def run_of(view: BuildView) -> RunShape:
    """As /api/events/run and /api/runs show it."""
    build = view.build
    return {
        "id": build.id or 0,
        "pipeline": build.pipeline.name,
        "status": word_of(build, view.verdict),
        "started_at": iso(build.started_at),
        "finished_at": iso(build.finished_at),
        "duration_sec": seconds_of(build),
        "branch": build.branch,
        "commit": build.commit,
        "triggered_by": build.actor,
    }


def build_of(view: BuildView) -> SeedBuild:
    """As /ingest/github, /ingest/jenkins and /builds show it. `created_at` is when the build was made, not the row."""
    build = view.build
    word = word_of(build, view.verdict)
    return {
        "id": build.id or 0,
        "provider": build.labels.get(SOURCE, build.pipeline.provider),
        "pipeline": build.pipeline.name,
        "repo": build.labels.get(REPO),
        "branch": build.branch,
        "status": "in_progress" if word == "running" else word,
        "started_at": iso(build.started_at),
        "completed_at": iso(build.finished_at),
        "duration_seconds": seconds_of(build),
        "url": build.url,
        "logs": build.log_excerpt,
        "created_at": iso(build.queued_at or build.started_at),
    }


def request_of(view: BuildView, zone: tzinfo) -> RequestShape:
    """As /ingest/json takes it: the times without an offset, as the clocks in `zone` show them."""
    build = view.build
    return {
        "request_id": build.external_id,
        "scheduler": build.labels.get("scheduler"),
        "cloud": build.labels.get("cloud"),
        "started_at": _wall(build.started_at, zone),
        "ended_at": _wall(build.finished_at, zone),
        "status": request_status(build, view),
        "reason": build.bucket,
        "subreason": build.reason,
        "notes": build.title,
    }


def request_status(build: Build, view: BuildView) -> str:
    """PASSED, FAILED, RUNNING, or the provider's own word for how it ended otherwise."""
    word = word_of(build, view.verdict)
    known = {"success": "PASSED", "failure": "FAILED", "running": "RUNNING"}
    return known.get(word) or (build.raw_outcome or word).upper()


def seconds_of(build: Build) -> float | None:
    """How long it took."""
    return None if build.duration is None else build.duration.total_seconds()


def _wall(at: datetime | None, zone: tzinfo) -> str | None:
    return None if at is None else at.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")
