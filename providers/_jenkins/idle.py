"""Why a job has no new build: it is disabled, or waits in the queue, or Jenkins is about to shut down."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from domain.text import clean
from providers._base import ProviderError, Trouble
from providers._jenkins.client import JenkinsClient
from providers._jenkins.names import path_of

_JOB: Final = "name,buildable,disabled,queueItem[why,inQueueSince]"
_USUAL: Final = ("main", "master")


def why_idle(client: JenkinsClient, key: str) -> str | None:
    """The reason in a few words, None when nothing stands in the way; at most two requests.

    `key` is the full name of a job or of a multibranch project. Raises what `JenkinsClient.get` raises.
    """
    try:
        found = client.get(path_of(key), f"{_JOB},jobs[{_JOB}]")
    except ProviderError as error:
        if error.trouble is Trouble.NOT_FOUND:
            return "Jenkins has no such job any more, or our account may not see it"
        raise
    branches = found.get("jobs")
    if isinstance(branches, list):
        reason = "the project is disabled" if found.get("disabled") is True else _of_branches(branches)
    else:
        reason = _of_job(found, "the job")
    return reason or _of_server(client)


def _of_branches(branches: Sequence[Any]) -> str | None:
    """Of a multibranch project: the usual branch if there is one, or else the first that says something."""
    jobs = [job for job in branches if isinstance(job, dict)]
    if not jobs:
        return "the project has no branches: Jenkins has found none with a Jenkinsfile"
    usual = [job for job in jobs if job.get("name") in _USUAL]
    return next((reason for job in usual or jobs if (reason := _of_job(job, f"the job of {job.get('name')}"))), None)


def _of_job(job: Mapping[str, Any], called: str) -> str | None:
    if job.get("buildable") is False or job.get("disabled") is True:
        return clean(f"{called} is disabled")
    waiting = job.get("queueItem")
    if not isinstance(waiting, dict):
        return None
    since, why = waiting.get("inQueueSince"), waiting.get("why")
    when = ""
    if type(since) is int:
        queued_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=since)
        when = f" since {queued_at:%Y-%m-%d %H:%M} UTC"
    return clean(f"{called} waits in the queue{when}" + (f": {why}" if why else ""))


def _of_server(client: JenkinsClient) -> str | None:
    server = client.get("", "quietingDown")
    return "Jenkins is preparing for shutdown and starts no builds" if server.get("quietingDown") is True else None
