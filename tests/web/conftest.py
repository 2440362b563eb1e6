"""Fixtures for the tests of the web: a site over both kinds of stores, and a client that asks it."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi._compat import v2
from fastapi.testclient import TestClient
from pydantic import TypeAdapter
from pydantic.warnings import UnsupportedFieldAttributeWarning
from typing_extensions import override

from store.engine import Database
from tests.support.site import Premises, premises, site_over
from web.app import make_app
from web.site import Site

ADDRESS = "http://127.0.0.1:8080"


class _LaterAdapter(TypeAdapter[Any]):
    _defer_build = True  # type: ignore[assignment]

    @override
    def rebuild(self, **how: Any) -> bool | None:
        with warnings.catch_warnings():  # as FastAPI does it, around what is built at once
            warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)
            return super().rebuild(**how)


@pytest.fixture(scope="session", autouse=True)
def _models_made_when_used() -> Iterator[None]:
    """Every test has an application of its own, and asks for a few of its routes: only their models are built.

    That makes an application in a fifth of the time. `buildwatch` builds them all, when it starts.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(v2, "TypeAdapter", _LaterAdapter)
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
