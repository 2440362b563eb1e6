"""GitHub Actions: repositories on github.com or on a GitHub Enterprise Server."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from domain.build import Build, Pipeline
from domain.details import Artifact, Details
from domain.text import clean
from providers._base import (
    Allowance,
    Candidate,
    Cursor,
    Page,
    Place,
    Posted,
    Probe,
    ProviderError,
    ProviderPlugin,
    Target,
)
from providers._base import Wanted as Asked
from providers._github.artifacts import artifacts_of, read_artifact
from providers._github.auth import AppToken, Credentials, FixedToken
from providers._github.backfill import BACKFILL, RepositoryBackfill
from providers._github.client import Client
from providers._github.collection import Wanted
from providers._github.details import Examination
from providers._github.gone import is_branch_gone
from providers._github.idle import why_idle
from providers._github.polling import RepositoryPoll
from providers._github.posted import place_of, posted_run
from providers._github.quota import Quota
from providers._github.runs import pipeline_key, pipeline_of, workflow_name
from providers._github.settings import PUBLIC_API, GitHubEntry, GitHubSettings
from providers._github.state import CURSOR
from providers._github.storage import Storage
from providers._github.survey import Repository, all_repositories, login, probe, repositories_of, workflows_of
from providers._http import Http
from providers._labels import LabelSource, Told, labels_of

ANONYMOUS_EVERY = timedelta(seconds=90)  # a request; without a token github.com answers 60 an hour to one address
UNVERIFIED = "verify: false: anybody on the way can read the token and answer as GitHub"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_log = logging.getLogger(__name__)


class GitHub:
    """One server with one set of credentials."""

    system: ClassVar[str] = "github"

    def __init__(self, name: str, settings: GitHubSettings, entries: Sequence[GitHubEntry]) -> None:
        self.name = name
        self._settings = settings
        self._entries = entries
        if not settings.verify:
            _log.warning("%s provider=%s", UNVERIFIED, name)
        proxy = settings.proxy.get_secret_value() if settings.proxy else None
        self._http = Http(trust_env=settings.trust_env, proxy=proxy, ca_file=settings.ca_file, verify=settings.verify)
        self._public = Http(trust_env=settings.trust_env, proxy=proxy) if settings.ca_file and settings.verify else None
        self._credentials = self._chosen_credentials()
        self._quota = Quota(limited=settings.api_url == PUBLIC_API)
        self._client = Client(self._http, settings.api_url, self._credentials, self._quota)
        self._watched: dict[str, bool] = {}
        self._sources: dict[str, tuple[LabelSource, ...]] = {}
        self._listed: dict[str, Sequence[Repository]] = {}  # the repositories of owners, as they were listed last
        self._called: dict[str, str] = {}  # what GitHub calls a repository today, in small letters → what polls it
        self._wanted = Wanted(
            provider=name,
            web_url=settings.web_url,
            matches=self._watches,
            workflows=self._workflows_of,
            dressed=self._dressed,
            labelled=self._labelled,
        )

    def quota(self) -> Allowance | None:
        """What is left of the hour's requests."""
        return self._quota.left

    def _chosen_credentials(self) -> Credentials:
        settings = self._settings
        if settings.private_key is None or settings.installation_id is None:
            return FixedToken(settings.token.get_secret_value() if settings.token else None)
        return AppToken(
            self._http,
            api_url=settings.api_url,
            app_id=str(settings.app_id),
            private_key=settings.private_key.get_secret_value,
            installation_id=settings.installation_id,
        )

    @property
    def _as_app(self) -> bool:
        return isinstance(self._credentials, AppToken)

    @property
    def _is_anonymous(self) -> bool:
        return self._settings.api_url == PUBLIC_API and self._settings.token is None and not self._as_app

    def _watches(self, key: str) -> bool:
        # Asked for every run of every page; there are as many answers as workflows.
        if key not in self._watched:
            self._watched[key] = any(entry.matches(key) for entry in self._entries)
        return self._watched[key]

    def _workflows_of(self, repository: str) -> list[str]:
        return [entry.workflow or "*" for entry in self._entries if entry.matches_repository(repository)]

    def _dressed(self, pipeline: Pipeline) -> Pipeline:
        """With the labels of the first entry that watches it, and its name where the entry means one repository."""
        entry = self._entry_of(pipeline.key)
        if entry is None:
            return pipeline
        name = pipeline.name
        if entry.name and not entry.is_glob:
            workflow = pipeline.name.partition(" ")[2]  # behind owner/name
            name = entry.name if entry.is_one_workflow else f"{entry.name} {workflow}"
        return replace(pipeline, name=clean(name), labels=entry.labels)

    def _labelled(self, build: Build) -> Build:
        """With what the first entry that watches it wants to be read off it."""
        key = build.pipeline.key
        if key not in self._sources:
            entry = self._entry_of(key)
            self._sources[key] = entry.sources if entry is not None else ()
        sources = self._sources[key]
        if not sources:
            return build
        told = Told(job_name=key, title=build.title, branch=build.branch, trigger=build.trigger, actor=build.actor)
        return replace(build, labels=labels_of(sources, told))

    def _entry_of(self, key: str) -> GitHubEntry | None:
        return next((entry for entry in self._entries if entry.matches(key)), None)

    def targets(self) -> Sequence[Target]:
        """One per repository. A glob whose owner could never be listed is a target itself: its poll tells why."""
        found: dict[str, Target] = {}
        listed: dict[str, Sequence[Repository] | None] = {}
        for entry in self._entries:
            every = entry.poll_every or self._settings.poll_every
            for name in self._names(entry, listed):
                known = found.get(name.casefold())
                soonest = min(every, known.every) if known else every
                found[name.casefold()] = Target(provider=self.name, key=known.key if known else name, every=soonest)
        if not self._is_anonymous:
            return tuple(found.values())
        gentle = ANONYMOUS_EVERY * len(found)
        return tuple(replace(target, every=max(target.every, gentle)) for target in found.values())

    def _names(self, entry: GitHubEntry, listed: dict[str, Sequence[Repository] | None]) -> Sequence[str]:
        if not entry.is_glob:
            return (entry.repo,)
        if entry.owner not in listed:
            try:
                listed[entry.owner] = repositories_of(self._client, entry.owner, as_app=self._as_app)
            except ProviderError:
                listed[entry.owner] = self._listed.get(entry.owner)  # they are not gone because this failed
            else:
                self._listed[entry.owner] = listed[entry.owner] or ()
        repositories = listed[entry.owner]
        if repositories is None:
            return (entry.repo,)
        return [each.name for each in repositories if entry.matches_repository(each.name)]

    def poll(self, target: Target, cursors: Mapping[str, Cursor], now: datetime) -> Iterator[Page]:
        """What is new in a repository."""
        if "*" in target.key or "?" in target.key:
            repositories_of(self._client, target.key.partition("/")[0], as_app=self._as_app)  # raises what is wrong
            return iter(())
        called = (cursors.get(CURSOR) or {}).get("repository")
        if called:
            self._called[called.casefold()] = target.key
        return RepositoryPoll(self._client, self._wanted, target.key, cursors, now).pages()

    def backfill(
        self, target: Target, keys: Sequence[str], since: datetime, cursor: Cursor, now: datetime
    ) -> Iterator[Page]:
        """History of a repository; `cursor` is what `cursors["backfill"]` of the last page held."""
        chosen = frozenset(keys)
        wanted = Wanted(
            provider=self.name,
            web_url=self._settings.web_url,
            matches=lambda key: (not chosen or key in chosen) and self._watches(key),
            workflows=self._workflows_of,
            dressed=self._dressed,
            labelled=self._labelled,
        )
        place = cursor.get(BACKFILL, cursor)
        return RepositoryBackfill(self._client, wanted, target.key, place or {}, now).pages(since)

    def discover(self) -> Iterator[Candidate]:
        """Every workflow of every repository that the credentials can see, and of the owners in config.yaml."""
        for repository in self._visible():
            for workflow in workflows_of(self._client, repository.name):
                pipeline = self._pipeline(repository, workflow)
                path = str(workflow["path"])
                short = path.removeprefix(".github/workflows/")
                yield Candidate(
                    pipeline=pipeline,
                    entry={"provider": self.name, "repo": repository.name, "workflow": short},
                    watched=self._watches(pipeline.key),
                )

    def _visible(self) -> Iterator[Repository]:
        seen: set[str] = set()
        owners = {entry.owner.casefold(): entry.owner for entry in self._entries}
        lists = [repositories_of(self._client, owner, as_app=self._as_app) for owner in owners.values()]
        everything = all_repositories(self._client, as_app=self._as_app) if self._credentials.token() else iter(())
        for repository in (*(each for listed in lists for each in listed), *everything):
            if repository.name not in seen:
                seen.add(repository.name)
                yield repository

    def _pipeline(self, repository: Repository, workflow: Mapping[str, Any]) -> Pipeline:
        path = str(workflow["path"])
        return pipeline_of(
            workflow_name(workflow, path),
            key=pipeline_key(repository.name, path),
            provider=self.name,
            repository=repository.name,
            path=path,
            web_url=self._settings.web_url,
            branch=repository.branch,
        )

    def probe(self) -> Probe:
        """Rate limits, identity, scopes, expiry of the token, and the difference of the clocks."""
        return probe(self._client, identity=self._identity(), warnings=self._warnings(), now=datetime.now(UTC))

    def why_idle(self, key: str, now: datetime) -> str | None:  # noqa: ARG002
        """Why a workflow has no new run: disabled, queued, archived."""
        return why_idle(self._client, key)

    def details(self, build: Build, wanted: Asked) -> Details:
        """Jobs, the step that failed, why, the logs of what failed, and the commits since a build that passed."""
        return Examination(self._client, self._storage, build, wanted).details()

    def artifacts(self, build: Build) -> Sequence[Artifact]:
        """The zip archives that an attempt of a run left behind and that have not expired."""
        return artifacts_of(self._client, build)

    def read_artifact(self, build: Build, artifact: Artifact, limit: int) -> bytes:
        """A zip archive."""
        return read_artifact(self._client, self._storage, build, artifact, limit)

    def posted(self, body: Mapping[str, Any]) -> Posted | None:
        """What a webhook of GitHub tells."""
        return posted_run(body, self._wanted, self._target_of)

    def place_of(self, url: str) -> Place | None:
        """Where the run is found that a page of GitHub shows."""
        return place_of(url, self._settings.web_url, self._target_of)

    def _target_of(self, repository: str) -> str | None:
        """What polls a repository that is called so now, in any case; None when nobody watches it."""
        polled = self._called.get(repository.casefold())
        if polled is not None:
            return polled
        entry = next((entry for entry in self._entries if entry.matches_repository(repository)), None)
        return None if entry is None else repository if entry.is_glob else entry.repo

    def _storage(self, deadline: float) -> Storage:
        return Storage(self._client, self._http, self._public, deadline)

    def is_gone(self, key: str, stream: str) -> bool:
        """Whether the branch or tag of a stream was deleted."""
        return is_branch_gone(self._client, key, stream)

    def _identity(self) -> str | None:
        if isinstance(self._credentials, AppToken):
            return f"app {self._credentials.app().get('slug', self._settings.app_id)}"
        return login(self._client) if self._settings.token else None

    def _warnings(self) -> list[str]:
        settings, parts = self._settings, urlsplit(self._settings.api_url)
        warnings = []
        if settings.token is None and not self._as_app:
            warnings.append("no token: 60 requests an hour, public repositories only")
        elif parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            warnings.append(f"the token travels unencrypted to {parts.hostname}: use https")
        if not settings.verify:
            warnings.append(UNVERIFIED)
        return warnings

    def close(self) -> None:
        """Close all sessions."""
        self._http.close()
        if self._public is not None:
            self._public.close()


PLUGIN = ProviderPlugin(settings=GitHubSettings, entry=GitHubEntry, provider=GitHub)
