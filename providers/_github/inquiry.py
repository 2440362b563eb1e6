"""Why a run was cancelled, or failed before it did anything: GitHub says so in its jobs and their annotations only.

A job that runs for too long and a job that no runner takes both end as `cancelled`, like one that a person stops.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.build import Build, Outcome
from domain.text import TITLE_LIMIT, clean
from providers._base import Refused
from providers._github.client import Client
from providers._github.jobs import Annotation, Job, Jobs, has_begun, number_of, when

LONGEST_IN_QUEUE: Final = timedelta(hours=24)  # then GitHub gives up
GIVEN_UP: Final = timedelta(minutes=15)  # nobody's doing, when a run that has not begun is cancelled after so long
JOBS_ASKED: Final = 3  # about their annotations, of one run

_TOO_LONG: Final = "exceeded the maximum execution time"
_BY_INTENT: Final = ("canceled by", "cancelled by", "canceling since", "higher priority waiting request")

Texts = Callable[[Sequence[Job]], Iterable[str]]
"""What is written at the jobs that did not succeed; asks only for what is taken from it."""


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
        self._jobs = Jobs(client, repository, deadline)

    def cause(self, build: Build) -> Cause | None:
        """What really happened to a run that was cancelled or failed; None when its conclusion says it.

        Raises:
            Unavailable, Refused: As `Client.get`. That annotations may not be read is no error.
        """
        return cause_of(build, self._jobs.of(build), self._texts)

    def _texts(self, jobs: Sequence[Job]) -> Iterator[str]:
        for job in asked_about(jobs):
            try:
                found = self._jobs.annotations(job)
            except Refused:
                return  # the token may lack Checks: read
            yield from texts_of(found)


def asked_about(jobs: Sequence[Job]) -> list[Job]:
    """The jobs that did not succeed, at most 3, the longest first: a time-out takes the others with it."""
    unhappy = [job for job in jobs if job.get("conclusion") not in {"success", "neutral"} and number_of(job)]
    return sorted(unhappy, key=lambda job: len(job.get("steps") or ()), reverse=True)[:JOBS_ASKED]


def texts_of(annotations: Iterable[Annotation]) -> Iterator[str]:
    """What annotations say, one after the other."""
    for each in annotations:
        text = clean(str(each.get("message") or each.get("title") or ""), TITLE_LIMIT)
        if text:
            yield text


def cause_of(build: Build, jobs: Sequence[Job], texts: Texts) -> Cause | None:
    """What the jobs of a run that was cancelled or failed say about it; None when its conclusion says it all."""
    began = [job for job in jobs if job.get("conclusion") != "skipped"]
    idle = not any(map(has_begun, began))
    if build.outcome is Outcome.FAILURE:
        return _never_begun(began, texts) if began and idle else None
    return _too_long(began, texts) or _starved(began) or (_not_taken(build, began, texts) if idle else None)


def is_too_long(text: str) -> bool:
    """Whether an annotation says that a job has exceeded its time."""
    return _TOO_LONG in text.lower()


def _too_long(jobs: Sequence[Job], texts: Texts) -> Cause | None:
    if any(job.get("conclusion") == "timed_out" for job in jobs):
        return Cause(Outcome.TIMEOUT, "a job has exceeded the maximum execution time")
    text = next(filter(is_too_long, texts(jobs)), None)
    return None if text is None else Cause(Outcome.TIMEOUT, text)


def _never_begun(jobs: Sequence[Job], texts: Texts) -> Cause:
    text = next(iter(texts(jobs)), None)
    return Cause(Outcome.ERROR, text or "no job has begun: every one ended without a step")


def _not_taken(build: Build, jobs: Sequence[Job], texts: Texts) -> Cause | None:
    """People cancel what still waits, and so does a concurrency group: that is no error."""
    waited = timedelta(0)
    if build.finished_at is not None and build.queued_at is not None:
        waited = build.finished_at - build.queued_at
    if waited >= LONGEST_IN_QUEUE:
        return Cause(Outcome.ERROR, f"no runner has taken it for {waited // timedelta(hours=1)} h")
    if not jobs or waited < GIVEN_UP:
        return None
    written = list(texts(jobs))
    if any(mark in text.lower() for text in written for mark in _BY_INTENT):
        return None
    return Cause(Outcome.ERROR, written[0] if written else "every job was cancelled without a step: no runner took it")


def _starved(jobs: Sequence[Job]) -> Cause | None:
    """One job that no runner took for a day ends a run, whatever its others have done."""
    for job in jobs:
        created, ended = when(job, "created_at"), when(job, "completed_at")
        if not has_begun(job) and created and ended and ended - created >= LONGEST_IN_QUEUE:
            hours = (ended - created) // timedelta(hours=1)
            return Cause(Outcome.ERROR, clean(f"no runner has taken {job.get('name')} for {hours} h", TITLE_LIMIT))
    return None
