"""Fixtures for the tests of the web: a site over both kinds of stores, and a client that asks it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from store.engine import Database
from tests.support.remembered_routes import remembered_routes
from tests.support.site import Premises, premises, site_over
from web.app import make_app
from web.site import Site

ADDRESS = "http://127.0.0.1:8080"


@pytest.fixture(scope="session", autouse=True)
def _remembered_routes() -> Iterator[None]:
    """Every test has an application of its own, in a tenth of the time that `buildwatch` takes to make it."""
    with remembered_routes():
        yield


@pytest.fixture
def given(tmp_path: Path) -> Premises:
    """What the site stands on: its clock, configuration and settings may be changed."""
    return premises(tmp_path)


@pytest.fixture
def site(database: Database, given: Premises) -> Site:
    """A site over an empty store, at NOON; the test runs on both kinds of stores."""
    return site_over(database, given)


@pytest.fixture
def client(site: Site) -> Iterator[TestClient]:
    """Somebody on this machine, where nobody has to log in."""
    with TestClient(make_app(site), base_url=ADDRESS, follow_redirects=False) as client:
        yield client
