"""A simulated GitHub with one repository, and the provider that watches it: runs in, builds and their details out."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from domain.build import Build
from domain.details import Details
from providers._base import Wanted
from providers.github import GitHub
from simulator.github import GithubServer
from simulator.github_jobs import WorkJob
from simulator.github_world import Repository, Run
from simulator.world import World
from tests.support.github_provider import Watcher
from tests.support.still_clock import StillClock

NOTHING = Wanted(stages=False, log_bytes=0)


@dataclass
class Scene:
    """acme/web, polled through the real provider."""

    world: World
    clock: StillClock
    server: GithubServer
    github: GitHub
    watcher: Watcher = field(init=False)

    def __post_init__(self) -> None:
        self.watcher = Watcher(self.github, now=self.clock())

    @property
    def repo(self) -> Repository:
        return self.world.github.repo("acme/web")

    def job(self, name: str = "test", conclusion: str = "failure", **details: Any) -> WorkJob:
        return self.world.github.job(name, conclusion, **details)

    def run(self, conclusion: str = "failure", *jobs: WorkJob, **details: Any) -> Run:
        """A run that has just ended, with these jobs or the usual ones."""
        self.clock.advance(60)
        return self.repo.run(conclusion, jobs=jobs or None, **details)

    def build(self, run: Run) -> Build:
        """The newest attempt of a run as polls tell it."""
        self.clock.advance(60)
        self.watcher.poll(timedelta(seconds=60))
        known = [build for build in self.watcher.stored.values() if build.external_id == str(run.id)]
        return max(known, key=lambda build: build.attempt)

    def details(self, run: Run, **wanted: Any) -> Details:
        return self.github.details(self.build(run), Wanted(**wanted))

    def failed(self, *jobs: WorkJob, **wanted: Any) -> Details:
        """Details of a run that failed with these jobs."""
        return self.details(self.run("failure", *jobs), **wanted)
