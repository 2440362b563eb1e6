"""More about a run that has ended: its jobs, the step that failed, why, the logs, and what came in since it passed."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.build import Build, Outcome
from domain.details import Changes, Details, Log, Stage
from domain.text import TITLE_LIMIT, clean
from providers._base import ProviderError, Unavailable, Wanted
from providers._github.changes import changes_between
from providers._github.client import Client
from providers._github.inquiry import JOBS_ASKED, Cause, asked_about, cause_of, texts_of
from providers._github.jobs import (
    Annotation,
    Job,
    Jobs,
    duration_of,
    failing_step,
    has_begun,
    name_of,
    number_of,
    repository_of,
    runner_of,
    unhappy,
    url_of,
)
from providers._github.quota import Forbidden
from providers._github.reasons import Reason, Worth, reason_of
from providers._github.runs import outcome_of
from providers._github.storage import Missing, Storage

DETAILS_SECONDS: Final = 60.0
LOGS_READ: Final = 3  # of one run
_JOB_PAGES: Final = 10
_NEEDED: Final = {
    "jobs": "Actions: read",
    "annotations": "Checks: read",
    "log": "Actions: read",
    "changes": "Contents: read",
}

_BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class _Why:
    outcome: Outcome | None
    reason: str | None


_UNKNOWN: Final = _Why(None, None)


class Examination:
    """Looks at one build.

    Args:
        client: The way to GitHub.
        storage: Makes the way to its files, with a deadline.
        build: It has ended.
        wanted: What to ask for.
    """

    def __init__(self, client: Client, storage: Callable[[float], Storage], build: Build, wanted: Wanted) -> None:
        self._client = client
        self._build = build
        self._wanted = wanted
        self._deadline = time.monotonic() + DETAILS_SECONDS
        self._storage = storage(self._deadline)
        self._repository = repository_of(build)
        self._reader = Jobs(client, self._repository, self._deadline)
        self._annotations: dict[int, Sequence[Annotation]] = {}
        self._is_mute = False  # annotations cannot be read
        self._notes: list[str] = []
        self._later = False  # something of it may be read in a while

    def details(self) -> Details:
        """Everything that is wanted and can be read; as `runner` the machine of what failed first, or worked longest.

        Raises:
            Unavailable: The jobs cannot be read just now; the rate limit has no room.
            Refused: The credentials are wrong.
        """
        stages, needs_jobs = self._wanted.stages, self._wanted.stages or self._wanted.log_bytes > 0
        if not needs_jobs and self._wanted.since is None:
            return Details()
        self._client.insist_on_room()
        jobs = self._jobs() if needs_jobs else []
        failed = [] if self._build.outcome is Outcome.SUCCESS else unhappy(jobs)  # some jobs are allowed to fail
        logs = tuple(self._logs(failed))
        why = self._why(jobs, failed, has_log=bool(logs)) if stages else _UNKNOWN
        chosen = failed[0] if failed else max(jobs, key=_length, default=None)
        runner = None if chosen is None else runner_of(chosen)
        return Details(
            stages=tuple(map(_stage, jobs)) if stages else (),
            failing_stage=_place(failed[0]) if failed and stages else None,
            outcome=why.outcome,
            reason=why.reason,
            logs=logs,
            changes=self._changes(),
            labels={"runner": runner} if runner else {},
            notes=tuple(self._notes),
            later=self._later,
        )

    def _jobs(self) -> list[Job]:
        """The heart of it: where they cannot be read now, a later try is better than half the truth."""
        try:
            found = [job for job in self._reader.of(self._build, _JOB_PAGES) if number_of(job) is not None]
        except Forbidden as error:
            self._note("jobs", error)
            return []
        if not found and self._build.raw_outcome != "startup_failure":
            self._notes.append("jobs: GitHub lists none")
        return found

    def _why(self, jobs: Sequence[Job], failed: Sequence[Job], *, has_log: bool) -> _Why:
        """The reason. That a program ended with a code says less than its log."""
        if not jobs:
            return _Why(None, self._build.reason)
        cause, reason = self._cause(jobs), self._reason(failed)
        if reason is not None and reason.worth > Worth.WARNING and has_log:
            reason = None
        if cause is not None and (reason is None or reason.outcome is not cause.outcome):
            return _Why(cause.outcome, cause.reason)
        return _Why(reason.outcome, reason.text) if reason is not None else _UNKNOWN

    def _reason(self, failed: Sequence[Job]) -> Reason | None:
        """Of the first job that says more than that it failed; else of the first that says anything."""
        found = []
        for job in failed[:JOBS_ASKED]:
            reason = reason_of(self._written_at(job))
            if reason is not None:
                found.append(reason)
                if reason.worth <= Worth.WARNING:
                    break
        return min(found, key=lambda each: each.worth, default=None)

    def _cause(self, jobs: Sequence[Job]) -> Cause | None:
        """What a run that was cancelled, or that never began, really was."""
        if self._build.raw_outcome not in {"cancelled", "failure"} or not jobs:
            return None
        return cause_of(self._build, jobs, self._texts)

    def _texts(self, jobs: Sequence[Job]) -> Iterator[str]:
        for job in asked_about(jobs):
            yield from texts_of(self._written_at(job))

    def _written_at(self, job: Job) -> Sequence[Annotation]:
        """The annotations of a job, asked for once."""
        number = number_of(job)
        if number is None or self._is_mute:
            return ()
        if number not in self._annotations:
            self._annotations[number] = ()
            try:
                self._annotations[number] = self._reader.annotations(job)
            except ProviderError as error:
                self._is_mute = True  # the next ones would not be told either
                self._note("annotations", error)
        return self._annotations[number]

    def _logs(self, failed: Sequence[Job]) -> Iterator[Log]:
        """The ends of the logs of what failed first. Half of the bytes that are left for each, all for the last."""
        left = self._wanted.log_bytes
        chosen = [job for job in failed if has_begun(job)][:LOGS_READ]
        for job in chosen:
            most = left if job is chosen[-1] else left // 2
            log = self._log(job, most) if most > 0 else None
            if log is not None:
                left -= len(log.text.encode())
                yield log

    def _log(self, job: Job, most: int) -> Log | None:
        path = f"/repos/{self._repository}/actions/jobs/{number_of(job)}/logs"
        try:
            tail = self._storage.tail(path, most)
        except ProviderError as error:
            self._note("log", error, f"log of {name_of(job)}")
            return None
        if tail.is_short:
            self._notes.append(f"log of {name_of(job)}: very long, and its storage gives no parts: the end is missing")
        text = tail.body.decode(errors="replace").removeprefix(_BOM)
        if not tail.whole:
            text = text.partition("\n")[2] or text  # the first line may have lost its beginning
        return Log(name=name_of(job), text=text, whole=tail.whole, url=url_of(job)) if text else None

    def _changes(self) -> Changes | None:
        since = self._wanted.since
        if since is None:
            return None
        try:
            changes, note = changes_between(self._client, self._repository, since, self._build, self._deadline)
        except ProviderError as error:
            self._note("changes", error)
            return None
        if note is not None:
            self._notes.append(f"changes: {note}")
        return changes

    def _note(self, part: str, error: ProviderError, what: str = "") -> None:
        """Why a part was not read. Errors hold no secrets and no links that are permissions."""
        why = f"not permitted (403): the token needs {_NEEDED[part]}" if isinstance(error, Forbidden) else str(error)
        self._notes.append(clean(f"{what or part}: {why}", TITLE_LIMIT))
        self._later = self._later or isinstance(error, Unavailable | Missing)


def _stage(job: Job) -> Stage:
    conclusion = job.get("conclusion")
    return Stage(
        name=name_of(job),
        outcome=outcome_of(conclusion) if conclusion else None,
        step=failing_step(job),
        duration=duration_of(job),
        url=url_of(job),
    )


def _length(job: Job) -> timedelta:
    return duration_of(job) or timedelta(0)


def _place(job: Job) -> str:
    """`test (3.12): Run tests`."""
    step = failing_step(job)
    return clean(f"{name_of(job)}: {step}") if step else name_of(job)
