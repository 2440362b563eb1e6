"""Why a run was cancelled, or failed before it did anything: GitHub says so in its jobs and their annotations only.

A job that runs for too long and a job that no runner takes both end as `cancelled`, like one that a person stops.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from domain.build import Build, Outcome
from domain.text import TITLE_LIMIT, clean
from providers._base import Refused
from providers._github_client import Client
from providers._github_runs import moment

LONGEST_IN_QUEUE: Final = timedelta(hours=24)  # then GitHub gives up
GIVEN_UP: Final = timedelta(minutes=15)  # nobody's doing, when a run that has not begun is cancelled after so long
JOBS_ASKED: Final = 3  # about their annotations, of one run

_TOO_LONG: Final = "exceeded the maximum execution time"
_BY_INTENT: Final = ("canceled by", "cancelled by", "canceling since", "higher priority waiting request")

Job = Mapping[str, Any]
"""A job of a run as GitHub's JSON has it."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What the conclusion of a run really means, and why."""

    outcome: Outcome
    reason: str


def is_unclear(build: Build) -> bool:
    """Whether the conclusion alone does not tell what happened. Pull requests and forks never alert anyway."""
    return build.stream is not None and build.raw_outcome in {"cancelled", "failure"}


class Inquiry:
    """Asks GitHub about runs that have ended.

    Args:
        client: The way to GitHub.
        repository: `owner/name`.
        deadline: Of the poll, on the monotonic clock.
    """

    def __init__(self, client: Client, repository: str, deadline: float) -> None:
        self._client = client
        self._base = f"/repos/{repository}"
        self._deadline = deadline

    def cause(self, build: Build) -> Cause | None:
        """What really happened to a run that was cancelled or failed; None when its conclusion says it.

        Raises:
            Unavailable, Refused: As `Client.get`. That annotations may not be read is no error.
        """
        jobs = [job for job in self._jobs(build) if job.get("conclusion") != "skipped"]
        idle = not any(map(_has_begun, jobs))
        if build.outcome is Outcome.FAILURE:
            return self._never_begun(jobs) if jobs and idle else None
        return self._too_long(jobs) or _starved(jobs) or (self._not_taken(build, jobs) if idle else None)

    def _too_long(self, jobs: Sequence[Job]) -> Cause | None:
        if any(job.get("conclusion") == "timed_out" for job in jobs):
            return Cause(Outcome.TIMEOUT, "a job has exceeded the maximum execution time")
        text = next((text for text in self._annotations(jobs) if _TOO_LONG in text.lower()), None)
        return None if text is None else Cause(Outcome.TIMEOUT, text)

    def _never_begun(self, jobs: Sequence[Job]) -> Cause:
        text = next(iter(self._annotations(jobs)), None)
        return Cause(Outcome.ERROR, text or "no job has begun: every one ended without a step")

    def _not_taken(self, build: Build, jobs: Sequence[Job]) -> Cause | None:
        """People cancel what still waits, and so does a concurrency group: that is no error."""
        waited = timedelta(0)
        if build.finished_at is not None and build.queued_at is not None:
            waited = build.finished_at - build.queued_at
        if waited >= LONGEST_IN_QUEUE:
            return Cause(Outcome.ERROR, f"no runner has taken it for {waited // timedelta(hours=1)} h")
        if not jobs or waited < GIVEN_UP:
            return None
        texts = list(self._annotations(jobs))
        if any(mark in text.lower() for text in texts for mark in _BY_INTENT):
            return None
        return Cause(Outcome.ERROR, texts[0] if texts else "every job was cancelled without a step: no runner took it")

    def _jobs(self, build: Build) -> list[Job]:
        """The jobs of the attempt; servers that count no attempts list those of the run."""
        run = f"{self._base}/actions/runs/{build.external_id}"
        for path in (f"{run}/attempts/{build.attempt}/jobs", f"{run}/jobs"):
            found = self._list(path)
            if found is not None:
                return found
        return []

    def _annotations(self, jobs: Sequence[Job]) -> Iterator[str]:
        """What is written at the jobs that did not succeed, the longest first: a time-out takes the others with it."""
        unhappy = [job for job in jobs if job.get("conclusion") not in {"success", "neutral"} and _number(job)]
        unhappy.sort(key=lambda job: len(job.get("steps") or ()), reverse=True)
        for job in unhappy[:JOBS_ASKED]:
            try:
                found = self._list(f"{self._base}/check-runs/{_number(job)}/annotations") or []
            except Refused:
                return  # the token may lack Checks: read
            for each in found:
                text = clean(str(each.get("message") or each.get("title") or ""), TITLE_LIMIT)
                if text:
                    yield text

    def _list(self, path: str) -> list[Mapping[str, Any]] | None:
        reply = self._client.get(path, {"per_page": "100"}, may_be_gone=True, deadline=self._deadline)
        if not reply.found:
            return None
        body = reply.json()
        listed = body.get("jobs") if isinstance(body, Mapping) else body
        return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []


def _starved(jobs: Sequence[Job]) -> Cause | None:
    """One job that no runner took for a day ends a run, whatever its others have done."""
    for job in jobs:
        created, ended = _moment(job.get("created_at")), _moment(job.get("completed_at"))
        if not _has_begun(job) and created and ended and ended - created >= LONGEST_IN_QUEUE:
            hours = (ended - created) // timedelta(hours=1)
            return Cause(Outcome.ERROR, clean(f"no runner has taken {job.get('name')} for {hours} h", TITLE_LIMIT))
    return None


def _moment(text: object) -> datetime | None:
    try:
        return moment(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _has_begun(job: Job) -> bool:
    """Whether any step of it has; a job that does not tell its steps is taken to have begun."""
    steps = job.get("steps")
    if not isinstance(steps, list):
        return True
    return any(isinstance(step, Mapping) and step.get("started_at") for step in steps)


def _number(job: Job) -> int | None:
    found = job.get("id")
    return found if isinstance(found, int) else None
