from collections.abc import Iterator

import pytest
import responses

from simulator.github import GithubServer
from simulator.world import World
from tests.support.github_api import GitHubApi
from tests.support.github_provider import provider
from tests.support.github_scene import Scene
from tests.support.still_clock import StillClock


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    """A GitHub with one repository, acme/web, where https://api.github.com is."""
    server = GitHubApi()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        server.mount(mock)
        yield server


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A simulated GitHub on a still clock, and a provider that watches acme/web on it."""
    clock = StillClock()
    world = World(seed=1, now=clock)
    with GithubServer(world.github, link_base="https://elsewhere.example") as server:
        github = provider(api_url=server.url, token="github-token")
        yield Scene(world, clock, server, github)
        github.close()
        assert server.errors + server.storage.errors == []
