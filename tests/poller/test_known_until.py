"""Up to when a provider's builds are known, and that its recovery is told before its news."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from poller.watching import polling as module
from poller.watching.health import Health
from poller.watching.polling import Polling
from providers._base import Page, ProviderError, Target, Trouble, Unavailable
from store.engine import Database
from store.errors import StoreUnavailable
from store.providers import ProviderHealth
from tests.support.arriving import polling_of
from tests.support.builders import NOON, build
from tests.support.configurations import loaded
from tests.support.hands import Hands

CONFIG = """
providers: {ci: {kind: fake}}
pipelines: [{provider: ci, job: "**"}]
channels: {desk: {kind: lamp}}
"""
WEB = Target(provider="ci", key="Acme/web", every=timedelta(seconds=60))
API = Target(provider="ci", key="acme/api", every=timedelta(seconds=60))
KEY = "acme/web/.github/workflows/ci.yml"


@dataclass
class Server:
    """Shows so many pages, then raises what it is told to raise."""

    pages: int = 1
    error: Exception | None = None
    told: list[str] = field(default_factory=list)

    def poll(self, target: Target, cursors: Mapping[str, Any], now: datetime) -> Iterator[Page]:
        del target, cursors, now
        for number in range(1, self.pages + 1):
            self.told.append(f"page {number} asked for")
            yield Page(builds=[build(number)])
        if self.error is not None:
            raise self.error


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def polling(sqlite_database: Database, tmp_path: Path, hands: Hands, server: Server) -> Polling:
    clock = hands.clock()
    return polling_of(
        sqlite_database,
        loaded(tmp_path / "config.yaml", CONFIG),
        clock,
        after_commit=lambda ingested: server.told.append(f"{len(ingested.changes)} builds stored"),
        providers={"ci": server},
        health={"ci": Health(clock, ProviderHealth(name="ci"))},
        answers=lambda health: server.told.append(f"{health.facts.name} answers"),
    )


def timeout(*, partial: bool = False) -> ProviderError:
    error = Unavailable(Trouble.TIMEOUT, "no answer")
    error.partial = partial
    return error


def test_builds_are_known_until_the_last_poll_that_read_everything(polling: Polling, hands: Hands) -> None:
    assert polling.known_until([WEB, API])(KEY) is None
    polling.poll(WEB)
    hands.pass_by(60)
    assert polling.known_until([WEB, API])(KEY) == NOON
    assert polling.known_until([WEB, API])("another/repo") is None
    polling.poll(API)
    assert polling.known_until([WEB, API])("another/repo") == NOON
    assert polling.known_until([])("another/repo") is None
    polling.begin_round(["ci"])
    assert polling.known_until([WEB, API])(KEY) is None


@pytest.mark.parametrize("error", [timeout(), RuntimeError("odd"), StoreUnavailable("no database")])
def test_after_a_poll_that_failed_nothing_is_known_until_the_next_good_one(
    polling: Polling, hands: Hands, server: Server, error: Exception
) -> None:
    polling.poll(WEB)
    server.error = error
    polling.poll(WEB)
    assert polling.known_until([WEB])(KEY) is None
    server.error = None
    hands.pass_by(60)
    polling.poll(WEB)
    assert polling.known_until([WEB])(KEY) == hands.wall


def test_holding_back_forgets_nothing_and_neither_does_a_pipeline_that_cannot_be_read(
    polling: Polling, hands: Hands, server: Server
) -> None:
    polling.poll(WEB)
    server.error = Unavailable(Trouble.PACED, "later", retry_after=1)
    polling.poll(WEB)
    assert polling.known_until([WEB])(KEY) == NOON
    server.error = timeout(partial=True)
    hands.pass_by(60)
    polling.poll(WEB)
    assert polling.known_until([WEB])(KEY) == hands.wall


def test_a_poll_that_takes_too_long_leaves_the_rest_unknown(
    polling: Polling, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    polling.poll(WEB)
    monkeypatch.setattr(module, "POLL_DEADLINE", -1.0)
    server.pages = 2
    polling.poll(WEB)
    assert polling.known_until([WEB])(KEY) is None


def test_a_cycle_is_done_when_every_target_has_had_its_turn(polling: Polling, hands: Hands, server: Server) -> None:
    assert not polling.cycle_done([])
    polling.poll(WEB)
    assert not polling.cycle_done([WEB, API])
    server.error = timeout()
    polling.poll(API)
    assert polling.cycle_done([WEB, API])
    assert not polling.cycle_done([WEB, API]), "a new one has begun"
    for _ in range(5):
        polling.poll(API)
        hands.pass_by(1)
    server.error = StoreUnavailable("no database")
    polling.poll(WEB)
    assert not polling.cycle_done([WEB, API])
    server.error = None
    polling.poll(WEB)
    assert polling.cycle_done([WEB, API]), "a server that wants to be left alone has had its turn"


def test_that_a_provider_answers_again_is_told_before_what_broke_meanwhile(polling: Polling, server: Server) -> None:
    server.error, server.pages = timeout(), 0
    polling.poll(WEB)
    server.error, server.pages = None, 3
    polling.poll(WEB)
    assert server.told == [
        "page 1 asked for",
        "page 2 asked for",
        "ci answers",
        "1 builds stored",
        "1 builds stored",
        "page 3 asked for",
        "1 builds stored",
    ]
    assert polling.health["ci"].facts.failing_since is None


def test_a_first_page_alone_is_not_an_answer_yet_but_kept(polling: Polling, server: Server) -> None:
    server.error = timeout()
    polling.poll(WEB)
    server.told.clear()
    polling.poll(WEB)
    assert server.told == ["page 1 asked for", "0 builds stored"]
    assert polling.health["ci"].facts.failing_since is not None


def test_an_answer_that_lacks_some_pipelines_is_one(polling: Polling, server: Server) -> None:
    server.error, server.pages = timeout(), 0
    polling.poll(WEB)
    server.error, server.pages = timeout(partial=True), 1
    polling.poll(WEB)
    assert server.told == ["page 1 asked for", "ci answers", "1 builds stored"]
    assert polling.health["ci"].facts.failing_since is None
