"""The simulated servers, and a store URL of each kind."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulator.house import Simulator


@pytest.fixture
def house() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store; the test runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    fresh: Callable[[], str] = request.getfixturevalue("postgres_url")
    return fresh()
