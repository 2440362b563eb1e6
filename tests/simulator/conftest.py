"""Simulated servers on a clock that stands still, and a client without proxies."""

from collections.abc import Iterator

import pytest
import requests

from simulator.github import GithubServer
from simulator.jenkins import JenkinsServer
from simulator.slack import SlackServer
from simulator.smtp import SmtpServer
from simulator.world import World
from tests.support.still_clock import StillClock


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def world(clock: StillClock) -> World:
    return World(seed=1, now=clock)


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def jenkins(world: World) -> Iterator[JenkinsServer]:
    with JenkinsServer(world.jenkins, context="/ci") as server:
        yield server
        assert server.errors == []


@pytest.fixture
def github(world: World) -> Iterator[GithubServer]:
    with GithubServer(world.github) as server:
        yield server
        assert server.errors == []


@pytest.fixture
def slack(clock: StillClock) -> Iterator[SlackServer]:
    with SlackServer(now=clock) as server:
        yield server
        assert server.errors == []


@pytest.fixture
def mail(clock: StillClock) -> Iterator[SmtpServer]:
    with SmtpServer(now=clock) as server:
        yield server
