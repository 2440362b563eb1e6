"""A simulated Jenkins, polled by the provider as the daemon would, and asked for the details of its builds."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.build import Build
from domain.details import Details
from providers._base import Wanted
from simulator.jenkins import JenkinsServer
from simulator.jenkins_world import JenkinsWorld
from tests.support.jenkins_provider import Watcher, provider


@dataclass
class Scene:
    """The server, and what was polled off it."""

    server: JenkinsServer
    watcher: Watcher

    @property
    def world(self) -> JenkinsWorld:
        return self.server.world

    def build(self, key: str, number: int | None = None) -> Build:
        """A build as a poll brings it; the newest one of this pipeline when no number is given."""
        self.watcher.poll()
        assert self.watcher.error is None
        builds = self.watcher.of(key)
        return builds[number or max(builds)]

    def details(self, key: str, number: int | None = None, *, since: int | None = None, **wanted: Any) -> Details:
        """What the provider tells about a build; the log of requests holds those for the details only."""
        build = self.build(key, number)
        good = self.watcher.of(key)[since] if since is not None else None
        self.server.forget()
        return self.watcher.jenkins.details(build, Wanted(since=good, **wanted))

    def asked(self) -> list[str]:
        """The paths that were asked for, below the context path, without `api/json`."""
        return [r.path.removeprefix("/ci/").removesuffix("api/json") for r in self.server.requests]


@contextmanager
def a_scene() -> Iterator[Scene]:
    """At a context path, with a root URL that is not the address; it is noon and time stands still."""
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    world = JenkinsWorld(now=lambda: noon, lock=threading.RLock())
    with JenkinsServer(world, context="/ci", root_url="https://ci.example.com/jenkins/") as server:
        yield Scene(server, Watcher(provider("**", url=server.url, token="jenkins-token")))
        assert server.errors == []
