"""The jobs of a run and what GitHub writes at them: the only places that tell how it really went."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from domain.build import Build, Outcome
from domain.text import clean, clean_url
from providers._base import Refused, Trouble
from providers._github.client import PAGE, Client
from providers._github.runs import moment, outcome_of

Job = Mapping[str, Any]
"""A job of a run as GitHub's JSON has it."""

Annotation = Mapping[str, Any]
"""A remark at a job as GitHub's JSON has it."""

_BROKEN: Final = frozenset({Outcome.FAILURE, Outcome.TIMEOUT})
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Jobs:
    """Reads the jobs of runs and their annotations.

    Args:
        client: The way to GitHub.
        repository: `owner/name`.
        deadline: For all requests, on the monotonic clock.
    """

    def __init__(self, client: Client, repository: str, deadline: float) -> None:
        self._client = client
        self._base = f"/repos/{repository}"
        self._deadline = deadline

    def of(self, build: Build, most_pages: int = 1) -> list[Job]:
        """The jobs of the attempt, `PAGE` on each page; servers that count no attempts list those of the run.

        Raises:
            Unavailable, Refused: As `Client.get`.
        """
        run = f"{self._base}/actions/runs/{build.external_id}"
        for path in (f"{run}/attempts/{build.attempt}/jobs", f"{run}/jobs"):
            found = self._list(path, most_pages)
            if found is not None:
                return [job for job in found if not _is_later(job, build.attempt)]
        return []

    def annotations(self, job: Job) -> list[Annotation]:
        """What is written at a job, which is a check run of the same id. Needs the permission Checks: read.

        Raises:
            Unavailable, Refused: As `Client.get`.
        """
        number = number_of(job)
        return (number is not None and self._list(f"{self._base}/check-runs/{number}/annotations", 1)) or []

    def artifacts(self, build: Build, most_pages: int) -> list[Mapping[str, Any]]:
        """What all attempts of the build's run left behind, as GitHub's JSON has it.

        Raises:
            Unavailable, Refused: As `Client.get`; not found, when the run was deleted.
        """
        found = self._list(f"{self._base}/actions/runs/{build.external_id}/artifacts", most_pages)
        if found is None:
            raise Refused(Trouble.NOT_FOUND, f"run {build.external_id} is not on GitHub any more")
        return found

    def _list(self, path: str, most_pages: int) -> list[Mapping[str, Any]] | None:
        """None when it is not there. Pages can shift while they are read: each thing once."""
        found: dict[object, Mapping[str, Any]] = {}
        asked: Mapping[str, str] | None = {"per_page": str(PAGE)}
        for page in range(most_pages):
            if asked is None:
                break
            reply = self._client.get(path, asked, may_be_gone=True, deadline=self._deadline)
            if not reply.found:
                return None if page == 0 else list(found.values())
            body = reply.json()
            listed = body.get(path.rpartition("/")[2]) if isinstance(body, Mapping) else body
            for each in listed if isinstance(listed, list) else ():
                if isinstance(each, Mapping):
                    found.setdefault(number_of(each) or object(), each)
            asked = reply.next_query if reply.next_query != asked else None
        return list(found.values())


def repository_of(build: Build) -> str:
    """`owner/name` of a build's pipeline, as config.yaml has it."""
    return "/".join(build.pipeline.key.split("/", 2)[:2])


def number_of(job: Job) -> int | None:
    """Its id, where it has one."""
    found = job.get("id")
    return found if isinstance(found, int) else None


def name_of(job: Job) -> str:
    """What people call it."""
    return clean(str(job.get("name") or "?"))


def url_of(job: Job) -> str | None:
    """Where people look at it."""
    url = job.get("html_url")
    return clean_url(url) if isinstance(url, str) else None


def when(job: Job, field: str) -> datetime | None:
    """A time of a job or a step; None where it has none, or none that makes sense."""
    text = job.get(field)
    try:
        return moment(text) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None


def has_begun(job: Job) -> bool:
    """Whether any step of it has; a job that does not tell its steps is taken to have begun."""
    steps = job.get("steps")
    if not isinstance(steps, list):
        return True
    return any(isinstance(step, Mapping) and step.get("started_at") for step in steps)


def duration_of(job: Job) -> timedelta | None:
    """From its start to its end; None where either is unknown."""
    started, ended = when(job, "started_at"), when(job, "completed_at")
    return max(ended - started, timedelta(0)) if started and ended else None


def unhappy(jobs: Sequence[Job]) -> list[Job]:
    """The jobs that did not succeed: what failed first, first; then the cancelled ones, the longest first.

    What is cancelled went down with a job that failed, or has exceeded its time; then it had come farther than
    others, and a job that waited for it and fails in its turn is no cause.
    """
    failed = [job for job in jobs if outcome_of(job.get("conclusion")) in _BROKEN]
    cancelled = [job for job in jobs if outcome_of(job.get("conclusion")) is Outcome.CANCELLED]
    failed.sort(key=lambda job: when(job, "completed_at") or _NEVER)
    cancelled.sort(key=lambda job: len(job.get("steps") or ()), reverse=True)
    began = min((when(job, "started_at") or _NEVER for job in failed), default=_NEVER)
    causes = [job for job in cancelled if failed and has_begun(job) and (when(job, "completed_at") or _NEVER) <= began]
    return causes + failed + [job for job in cancelled if job not in causes]


def failing_step(job: Job) -> str | None:
    """The name of the first step that failed, else of the first that was cut off."""
    steps = job.get("steps")
    listed = [step for step in steps if isinstance(step, Mapping)] if isinstance(steps, list) else []
    for wanted in (_BROKEN, frozenset({Outcome.CANCELLED})):
        for step in listed:
            if outcome_of(step.get("conclusion")) in wanted:
                return name_of(step)
    return None


def runner_of(job: Job) -> str | None:
    """The machine that it ran on; for one of GitHub's own, which nobody meets twice, its kind: `ubuntu-24.04`."""
    name, labels = job.get("runner_name"), job.get("labels")
    hosted = job.get("runner_group_name") == "GitHub Actions" or str(name).startswith("GitHub Actions ")
    kinds = [label for label in labels if isinstance(label, str)] if isinstance(labels, list) else []
    chosen = (kinds[0] if hosted and kinds else name) or job.get("runner_group_name")
    return clean(chosen) if isinstance(chosen, str) and chosen else None


def _is_later(job: Job, attempt: int) -> bool:
    found = job.get("run_attempt")
    return isinstance(found, int) and found > attempt
