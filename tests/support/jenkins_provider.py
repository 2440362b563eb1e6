"""The Jenkins provider as tests drive it: polls that keep their cursors as the store would."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.build import Build, Pipeline
from providers._base import Page, ProviderError
from providers.jenkins import Jenkins, JenkinsEntry, JenkinsSettings
from tests.support.jenkins_api import BASE

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def provider(*entries: Mapping[str, Any] | str, **settings: Any) -> Jenkins:
    """A provider named `ci`; an entry may be just its job."""
    values = {"kind": "jenkins", "url": BASE, "username": "bot", "token": "s3cret-token", **settings}
    shaped = [{"job": each} if isinstance(each, str) else each for each in entries or ("**",)]
    made = Jenkins("ci", JenkinsSettings(**values), [JenkinsEntry(provider="ci", **each) for each in shaped])
    made._client._pause = lambda _: None  # quick retries without waiting
    return made


@dataclass
class Watcher:
    """Polls one target again and again; each poll a minute later unless told otherwise."""

    jenkins: Jenkins = field(default_factory=provider)
    cursors: dict[str, Any] = field(default_factory=dict)
    now: datetime = NOON
    builds: dict[tuple[str, str], Build] = field(default_factory=dict)
    pipelines: dict[str, Pipeline] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    unreadable: list[Any] = field(default_factory=list)
    error: ProviderError | None = None

    def poll(self, after: timedelta = timedelta(minutes=1), target: int = 0) -> list[Page]:
        """One poll; a failure at its end is kept in `error`."""
        self.now += after
        self.error = None
        found = []
        try:
            for page in self.jenkins.poll(self.jenkins.targets()[target], dict(self.cursors), self.now):
                found.append(page)
                self.store(page)
        except ProviderError as error:
            self.error = error
        return found

    def store(self, page: Page) -> None:
        for key, cursor in page.cursors.items():
            if cursor is None:
                self.cursors.pop(key, None)
            else:
                self.cursors[key] = json.loads(json.dumps(cursor))
        for old, new in page.renamed.items():
            self.renamed[old] = new
            self.builds = {
                (new if key == old else key, external): build for (key, external), build in self.builds.items()
            }
        self.pipelines |= {pipeline.key: pipeline for pipeline in page.pipelines}
        self.builds |= {(build.pipeline.key, build.external_id): build for build in page.builds}
        self.missing += page.missing
        self.ended += page.ended
        self.unreadable += page.unreadable

    def of(self, key: str) -> dict[int, Build]:
        """The builds of a pipeline by number: the newest generation wins."""
        found = [(build.generation, build.number, build) for (k, _), build in self.builds.items() if k == key]
        found.sort(key=lambda each: each[:2])
        return {number: build for _, number, build in found}

    def outcomes(self, key: str) -> dict[int, str | None]:
        return {number: build.outcome and str(build.outcome) for number, build in self.of(key).items()}
