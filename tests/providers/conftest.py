from collections.abc import Iterator

import pytest
import responses

from tests.support.github_api import GitHubApi


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    """A GitHub with one repository, acme/web, where https://api.github.com is."""
    server = GitHubApi()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        server.mount(mock)
        yield server
