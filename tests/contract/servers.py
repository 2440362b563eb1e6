"""A fake server for every kind of provider, so that one suite runs over all of them.

A new provider adds one entry to `STANDS`: how its server is started, what config.yaml says about it, and how a
build is made to happen there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from simulator.github import GithubServer
from simulator.jenkins import JenkinsServer
from simulator.server import Server
from simulator.world import World

Finish = Callable[[str], Any]
"""Ends a running build: `success` or `failure`."""


@dataclass(frozen=True, kw_only=True)
class Stand:
    """A running server, and the words of its kind of provider for it."""

    server: Server
    settings: Mapping[str, Any]  # under `providers:`, without `kind`
    entries: Sequence[Mapping[str, Any]]  # under `pipelines:`, without `provider`; together they watch two pipelines
    build: Callable[[str, str], Any]  # makes a finished build of pipeline "a" or "b": (pipeline, outcome)
    start: Callable[[str], Finish]  # starts one
    remove: Callable[[str], Any]  # takes a pipeline away
    hostile: Callable[[str], Any]  # makes a build of "a" with this text in every place that people can write to
    unreadable: Callable[[], Any]  # makes a build of "a" that nobody can understand
    secrets: frozenset[str] = field(default_factory=frozenset)


@contextmanager
def jenkins() -> Iterator[Stand]:
    world = World().jenkins

    def hostile(text: str) -> None:
        world.job("a").build("SUCCESS", display_name=text, description=text, branch=text, log="")

    def start(name: str) -> Finish:
        build = world.job(name).start()
        return lambda outcome: build.finish(outcome.upper())

    with JenkinsServer(world, context="/ci", users={"bot": "jenkins-s3cret"}) as server:
        yield Stand(
            server=server,
            settings={"url": server.url, "username": "bot", "token": "jenkins-s3cret"},
            entries=[{"job": "a"}, {"job": "b"}],
            build=lambda name, outcome: world.job(name).build(outcome.upper()),
            start=start,
            remove=lambda name: world.job(name).delete(),
            hostile=hostile,
            unreadable=lambda: world.job("a").build("SUCCESS", extra={"timestamp": "yesterday"}),
            secrets=frozenset({"jenkins-s3cret"}),
        )


@contextmanager
def github() -> Iterator[Stand]:
    world = World().github

    def hostile(text: str) -> None:
        world.repo("acme/a").run("success", title=text, actor=text, branch=text or None)

    def unreadable() -> None:
        world.repo("acme/a").run("success").extra["run_number"] = ["none"]

    def start(name: str) -> Finish:
        return world.repo(f"acme/{name}").start().finish

    with GithubServer(world) as server:
        token = next(iter(server.tokens))
        yield Stand(
            server=server,
            settings={"api_url": server.url, "token": token},
            entries=[{"repo": "acme/a"}, {"repo": "acme/b"}],
            build=lambda name, outcome: world.repo(f"acme/{name}").run(outcome),
            start=start,
            remove=lambda name: world.repo(f"acme/{name}").delete(),
            hostile=hostile,
            unreadable=unreadable,
            secrets=frozenset({token}),
        )


STANDS: Mapping[str, Callable[[], Any]] = {"jenkins": jenkins, "github": github}
"""By kind."""

SERVERLESS: Mapping[str, str] = {"push": "nobody asks a server: builds are pushed, see tests/providers/test_push.py"}
"""The kinds that have no server, and why."""
