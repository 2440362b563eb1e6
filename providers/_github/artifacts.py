"""The files that a run left behind: zip archives, for as long as the repository keeps them."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from domain.build import Build
from domain.details import Artifact
from domain.text import clean
from providers._base import Refused, Trouble
from providers._github.client import Client
from providers._github.jobs import Job, Jobs, repository_of, when
from providers._github.storage import Storage

LIST_SECONDS: Final = 60.0
READ_SECONDS: Final = 90.0
_PAGES: Final = 5
_JOB_PAGES: Final = 10
_LATE: Final = timedelta(minutes=5)  # what a run uploaded may be dated after its end
_EARLY: Final = timedelta(seconds=5)  # clocks differ; a job uploads while it runs
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def artifacts_of(client: Client, build: Build) -> tuple[Artifact, ...]:
    """What this attempt left behind and what has not expired; of several of one name the newest.

    GitHub lists the artifacts of all attempts of a run together. Those of a job that an attempt took over from an
    earlier one belong to it as well; the others would be yesterday's news.

    Raises:
        Unavailable, Refused: As `Client.get`; paced, when what is left of the rate limit is for polling.
    """
    client.insist_on_room()
    jobs = Jobs(client, repository_of(build), time.monotonic() + LIST_SECONDS)
    listed = [each for each in jobs.artifacts(build, _PAGES) if _is_there(each)]
    if build.finished_at is not None:
        listed = [each for each in listed if _made(each) <= build.finished_at + _LATE]
    if build.attempt > 1 and build.started_at is not None:
        began = build.started_at - _EARLY
        older = [each for each in listed if _made(each) < began]
        taken_over = jobs.of(build, _JOB_PAGES) if older else []
        listed = [each for each in listed if each not in older or _is_of(each, taken_over, began)]
    newest = {each["name"]: each for each in sorted(listed, key=_made)}
    return tuple(
        Artifact(name=clean(name), key=str(each["id"]), size=_size(each), archive=True) for name, each in newest.items()
    )


def read_artifact(
    client: Client, storage: Callable[[float], Storage], build: Build, artifact: Artifact, limit: int
) -> bytes:
    """The zip archive; `storage` makes the way to it with a deadline.

    Raises:
        Refused: not found, when it has expired or was deleted; too large.
        Unavailable: whatever may pass; paced, when what is left of the rate limit is for polling.
    """
    client.insist_on_room()
    if not artifact.key.isdigit():
        raise Refused(Trouble.NOT_FOUND, f"{artifact.name} is no artifact of GitHub")
    path = f"/repos/{repository_of(build)}/actions/artifacts/{artifact.key}/zip"
    return storage(time.monotonic() + READ_SECONDS).whole(path, limit)


def _is_there(found: Mapping[str, Any]) -> bool:
    number, name = found.get("id"), found.get("name")
    return isinstance(number, int) and isinstance(name, str) and name != "" and found.get("expired") is not True


def _made(found: Mapping[str, Any]) -> datetime:
    return when(found, "created_at") or _LONG_AGO


def _is_of(found: Mapping[str, Any], jobs: Sequence[Job], began: datetime) -> bool:
    """Whether a job that ran before an attempt began, and belongs to it, may have left this behind."""
    made = _made(found)
    for job in jobs:
        started, ended = when(job, "started_at"), when(job, "completed_at")
        if started and ended and started < began and started - _EARLY <= made <= ended + _EARLY:
            return True
    return False


def _size(found: Mapping[str, Any]) -> int | None:
    size = found.get("size_in_bytes")
    return size if isinstance(size, int) and size >= 0 else None
