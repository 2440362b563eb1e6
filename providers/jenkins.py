"""Jenkins: jobs in folders, multibranch projects, matrix and other parents; one request per server when nothing moved.

A job is a pipeline under its full name. A multibranch project is one pipeline, and its jobs are its branches.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr, model_validator
from typing_extensions import override

from domain.build import Build
from domain.details import Artifact, Details
from domain.duration import format_duration
from providers._base import (
    Candidate,
    Cursor,
    Page,
    PipelineEntry,
    Place,
    Posted,
    Probe,
    ProviderPlugin,
    ProviderSettings,
    Target,
    Waiting,
    Wanted,
)
from providers._http import Http
from providers._jenkins.artifacts import read_artifact, read_artifacts
from providers._jenkins.client import JenkinsClient
from providers._jenkins.details import read_details
from providers._jenkins.history import BACKFILL, History
from providers._jenkins.idle import why_idle
from providers._jenkins.names import JobGlob, job_of_page, job_posted
from providers._jenkins.poll import Poll
from providers._jenkins.queue import read_queue
from providers._jenkins.reread import Rereads
from providers._jenkins.survey import candidates, probe
from providers._jenkins.watch import Rule, Watch

_ALL_JOBS = "jobs"


def _server_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        message = "write it like https://jenkins.example.com/ci, with the context path and without credentials"
        raise ValueError(message)
    return text.rstrip("/") + "/"


def _job_glob(text: str) -> str:
    JobGlob(text)
    return text


class JenkinsSettings(ProviderSettings):
    """`kind: jenkins` under `providers:`."""

    kind: Literal["jenkins"]
    url: Annotated[str, AfterValidator(_server_url)]  # with the context path
    username: str | None = None
    token: SecretStr | None = None  # an API token of that user; without both: what anonymous may see
    ca_file: Path | None = None  # certificates of an own authority, PEM
    verify: bool = True
    trust_env: bool = False  # whether ~/.netrc and *_PROXY count

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.username is None) is not (self.token is None):
            message = "username and token go together: give both, or none to read as anonymous"
            raise ValueError(message)
        return self


class JenkinsEntry(PipelineEntry):
    """An entry of `pipelines:` on Jenkins."""

    job: Annotated[str, AfterValidator(_job_glob)]  # full name; * within a folder, ** across folders

    @cached_property
    def glob(self) -> JobGlob:
        """`job`, ready to match."""
        return JobGlob(self.job)

    @override
    def matches(self, key: str) -> bool:
        """`org/web` is watched by `org/*`, and as a multibranch project also by `org/web/main`."""
        return self.glob.matches(key) or self.glob.branches_in(key) is not None


class Jenkins:
    """One server with one set of credentials."""

    system: ClassVar[str] = "jenkins"

    def __init__(self, name: str, settings: JenkinsSettings, entries: Sequence[JenkinsEntry]) -> None:
        self.name = name
        self._settings = settings
        self._entries = entries
        token = settings.token.get_secret_value() if settings.token else None
        self._client = JenkinsClient(
            settings.url,
            credentials=(settings.username, token) if settings.username and token else None,
            trust_env=settings.trust_env,
            verify=str(settings.ca_file) if settings.ca_file and settings.verify else settings.verify,
        )
        self._elsewhere = Http(ca_file=settings.ca_file, verify=settings.verify)  # ~/.netrc may name any host
        self._rules = tuple(self._rule(entry) for entry in entries)
        keys = dict.fromkeys(rule.target for rule in self._rules)
        self._watches = {key: Watch(name, settings.url, self._rules, key) for key in keys}
        self._rereads = {key: Rereads() for key in keys}

    def _rule(self, entry: JenkinsEntry) -> Rule:
        return Rule(
            glob=entry.glob,
            target=self._target_of(self._every(entry)),
            name=entry.name,
            labels=entry.labels,
            sources=entry.sources,
        )

    def _every(self, entry: JenkinsEntry) -> timedelta:
        return entry.poll_every or self._settings.poll_every

    def _target_of(self, every: timedelta) -> str:
        return _ALL_JOBS if every == self._settings.poll_every else f"{_ALL_JOBS} every {format_duration(every)}"

    def targets(self) -> Sequence[Target]:
        """The server, once for each interval that entries ask for. Reaches nothing."""
        intervals = dict.fromkeys(self._every(entry) for entry in self._entries)
        return tuple(Target(provider=self.name, key=self._target_of(every), every=every) for every in intervals)

    def poll(self, target: Target, cursors: Mapping[str, Cursor], now: datetime) -> Iterator[Page]:
        """What is new since the cursors: one request, and one more for each job that moved."""
        watch = self._watches[target.key]
        return Poll(self._client, watch, cursors, rereads=self._rereads[target.key], now=now).pages()

    def backfill(
        self,
        target: Target,
        keys: Sequence[str],
        since: datetime,
        cursor: Cursor,
        now: datetime,  # noqa: ARG002
    ) -> Iterator[Page]:
        """History back to `since`; `cursor` is what `cursors["backfill"]` of the last page held."""
        place = cursor.get(BACKFILL, cursor) or {}
        return History(self._client, self._watches[target.key], keys, place).pages(since)

    def discover(self) -> Iterator[Candidate]:
        """Every job and multibranch project that the credentials can see."""
        return candidates(self._client, self.name, lambda key: any(entry.matches(key) for entry in self._entries))

    def probe(self) -> Probe:
        """Version, identity and clock of the server."""
        return probe(self._client)

    def why_idle(self, key: str, now: datetime) -> str | None:  # noqa: ARG002
        """Why a job has no new build: disabled, or in the queue."""
        return why_idle(self._client, key)

    def queue(self) -> Sequence[Waiting]:
        """The builds that wait for an executor, for their turn, or for the end of their quiet period."""
        return read_queue(self._client)

    def details(self, build: Build, wanted: Wanted) -> Details:
        """Stages, logs, tests and changes of a finished build, in ten requests or so and at most a minute."""
        return read_details(self._client, build, wanted)

    def artifacts(self, build: Build) -> Sequence[Artifact]:
        """The files that the build archived."""
        return read_artifacts(self._client, build)

    def read_artifact(self, build: Build, artifact: Artifact, limit: int) -> bytes:
        """The content of one, also from a storage elsewhere that the server sends to: that gets no credentials."""
        return read_artifact(self._client, self._elsewhere, build, artifact, limit)

    def place_of(self, url: str) -> Place | None:
        """Where the build is found that a page of this server shows: the page of a job, or of a build of it."""
        job = job_of_page(url, self._settings.url)
        targets = self._polling(job) if job is not None else ()
        return Place(targets=targets, within=job) if job is not None and targets else None

    def posted(self, body: Mapping[str, Any]) -> Posted | None:
        """That something happened to a job: as the Notification plugin says it, or as `{job: folder/name}`."""
        job = job_posted(body)
        targets = self._polling(job)
        return Posted(targets=targets, within=job) if targets else None

    def _polling(self, job: str) -> tuple[str, ...]:
        """The targets that read this job; it may be that of a branch."""
        names = (job, job.rpartition("/")[0])
        found = [rule.target for rule in self._rules if any(name and rule.matches(name) for name in names)]
        return tuple(dict.fromkeys(found))

    def close(self) -> None:
        """Close the sessions of all threads."""
        self._client.close()
        self._elsewhere.close()


PLUGIN = ProviderPlugin(settings=JenkinsSettings, entry=JenkinsEntry, provider=Jenkins)
