"""A build in the words of each of the systems whose clients are served here."""

from datetime import datetime, tzinfo
from typing import Any

from domain.build import Build
from store.builds import BuildView
from web.words import iso, word_of

SOURCE = "source"  # labels of builds that came through /ingest/...
REPO = "repo"


def run_of(view: BuildView) -> dict[str, Any]:
    """As /api/events/run and /api/runs show it."""
    build = view.build
    return {
        "id": build.id,
        "pipeline": build.pipeline.name,
        "status": word_of(build, view.verdict),
        "started_at": iso(build.started_at),
        "finished_at": iso(build.finished_at),
        "duration_sec": seconds_of(build),
        "branch": build.branch,
        "commit": build.commit,
        "triggered_by": build.actor,
    }


def build_of(view: BuildView) -> dict[str, Any]:
    """As /ingest/github, /ingest/jenkins and /builds show it. `created_at` is when the build was made, not the row."""
    build = view.build
    word = word_of(build, view.verdict)
    return {
        "id": build.id,
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


def request_of(view: BuildView, zone: tzinfo) -> dict[str, Any]:
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
