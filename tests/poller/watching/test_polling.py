from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from poller.watching.health import Health
from poller.watching.polling import Polling
from providers._base import Page, ProviderError, Target, Trouble, Unavailable
from store.engine import Database
from store.providers import ProviderHealth
from tests.support.arriving import polling_of
from tests.support.builders import build
from tests.support.configurations import loaded
from tests.support.hands import Hands

JOBS = Target(provider="ci", key="jobs", every=timedelta(seconds=60))
CONFIG = """
providers: {ci: {kind: fake}}
pipelines: [{provider: ci, job: "**"}]
channels: {desk: {kind: lamp}}
"""


class Server:
    """A provider that shows one build and then stumbles, if it is told to."""

    error: ProviderError | None = None

    def poll(self, target: Target, cursors: Mapping[str, Any], now: datetime) -> Iterator[Page]:
        del target, cursors, now
        yield Page(builds=[build()], cursors={"job:web": {"last": 1}})
        if self.error is not None:
            raise self.error


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def polling(database: Database, tmp_path: Path, hands: Hands, server: Server) -> Polling:
    clock = hands.clock()
    health = {"ci": Health(clock, ProviderHealth(name="ci"))}
    configuration = loaded(tmp_path / "config.yaml", CONFIG)
    return polling_of(database, configuration, clock, providers={"ci": server}, health=health)


def test_a_poll_that_could_not_read_everything_slows_nothing_down_and_is_told_once(
    polling: Polling, hands: Hands, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.error = Unavailable(Trouble.SERVER_ERROR, "job/web answers 500")
    server.error.partial = True
    for _ in range(6):
        polling.poll(JOBS)
        hands.pass_by(60)
    memory = polling.memory_of(JOBS)
    assert (memory.polls, memory.misses) == (6, 0)
    assert memory.last_poll == hands.wall - timedelta(seconds=60)
    assert polling.health["ci"].facts.failing_since is None
    assert caplog.text.count("job/web answers 500") == 1
    server.error = None
    polling.poll(JOBS)
    assert memory.trouble is None


def test_a_pipeline_that_a_poll_could_not_read_is_not_known_and_the_others_are(
    polling: Polling, hands: Hands, server: Server
) -> None:
    server.error = Unavailable(Trouble.SERVER_ERROR, "job/web answers 500")
    server.error.partial = True
    server.error.parts = {"web": server.error}
    polling.poll(JOBS)
    known_until = polling.known_until([JOBS])
    assert known_until("web") is None
    assert known_until("api") == hands.wall
    assert [part.key for part in polling.health["ci"].parts] == ["web"]
    server.error = None
    polling.poll(JOBS)
    assert polling.known_until([JOBS])("web") == hands.wall
    assert polling.health["ci"].parts == ()


def test_a_poll_that_failed_counts_as_failed(polling: Polling, server: Server) -> None:
    server.error = Unavailable(Trouble.SERVER_ERROR, "503")
    polling.poll(JOBS)
    memory = polling.memory_of(JOBS)
    assert (memory.polls, memory.misses, memory.last_poll) == (0, 1, None)
    assert memory.cursors == {"job:web": {"last": 1}}
    assert polling.health["ci"].facts.failures == 1
