"""Looking around: what could be watched, and how the connection is."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from domain.build import Pipeline
from domain.text import clean, clean_url
from providers._base import Candidate, Probe
from providers._jenkins.build import moment
from providers._jenkins.client import JenkinsClient
from providers._jenkins.names import decoded, path_of
from providers._jenkins.tree import Job, read_jobs
from providers._jenkins.watch import DEPTH_OF_ANY, branches_of


def candidates(client: JenkinsClient, provider: str, is_watched: Callable[[str], bool]) -> Iterator[Candidate]:
    """Every job and every multibranch project that the credentials can see, in the server's order."""
    found: dict[str, list[Job]] = {}
    jobs = list(read_jobs(client, depth=DEPTH_OF_ANY, reaches_into=lambda _: True).jobs())
    for job in jobs:
        found.setdefault(job.project or job.full_name, []).append(job)
    branches = branches_of(jobs)
    for key, members in found.items():
        pipeline = Pipeline(
            provider=provider,
            key=clean(key, 1000),
            name=clean(decoded(key)),
            url=clean_url(client.url + path_of(key)),
            branched=key in branches,
        )
        newest = max(job.last_at for job in members)
        yield Candidate(
            pipeline=pipeline,
            entry={"provider": provider, "job": clean(key, 1000)},
            watched=is_watched(key),
            last_build_at=moment(newest) if newest else None,
        )


def probe(client: JenkinsClient) -> Probe:
    """Version, identity and clock of the server, with what looks wrong.

    Raises:
        Unavailable, Refused: as `JenkinsClient.get` does.
    """
    asked_at = datetime.now(UTC)
    answer = client.answer("", "jobs[name]{0,1}")
    shown = client.parsed(answer).get("jobs")
    version = answer.headers.get("X-Jenkins")
    name = None if client.anonymous else client.identity().name
    warnings = []
    if not version:
        warnings.append("the answer has no X-Jenkins header: is this a Jenkins, and is the context path in `url`?")
    if name is None and not client.anonymous:
        warnings.append("the server does not say who we are: are the user name and the token right?")
    if not shown:
        who = "anonymous readers" if client.anonymous else "this user"
        warnings.append(f"the server shows no jobs to {who}: the permission Job/Read may be missing")
    return Probe(
        version=clean(version) if version else None,
        identity=name,
        clock_skew=_skew(answer.headers.get("Date"), asked_at),
        warnings=tuple(warnings),
    )


def _skew(date: str | None, ours: datetime) -> timedelta | None:
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return theirs - ours if theirs.tzinfo else None
