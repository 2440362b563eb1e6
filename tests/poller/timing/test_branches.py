"""Branches that were deleted while something was firing on them."""

import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.alert import AlertState
from domain.build import Outcome, Pipeline
from poller.intake.ingest import Ingested
from poller.timing.branches import AT_ONCE, close_gone
from providers._base import Trouble, Unavailable
from store import alerts, pipelines
from store.engine import Database
from tests.support.arriving import taken_in
from tests.support.builders import build, minutes, pipeline
from tests.support.configurations import loaded

CONFIG = """
providers:
  ci: {kind: fake}
pipelines:
  - {provider: ci, job: "web/*", branches: ["**"]}
channels:
  desk: {kind: lamp}
"""
DAY = timedelta(days=1)
BRANCHED = replace(pipeline(), branched=True, default_branch="main")


@dataclass
class Server:
    gone: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    error: Exception | None = None
    slow: threading.Event | None = None

    def is_gone(self, key: str, stream: str) -> bool:
        assert key == BRANCHED.key
        self.asked.append(stream)
        if self.error is not None:
            raise self.error
        if self.slow is not None:
            self.slow.wait()
        return stream in self.gone


class House:
    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.configuration = loaded(folder / "config.yaml", CONFIG)
        self.server: Any = Server()
        self.now = minutes(30)
        self.committed = list[Ingested]()
        self.fails(0, "main")

    def fails(self, number: int, *branches: str, at: Pipeline = BRANCHED) -> None:
        builds = [
            build(10 * number + index, Outcome.FAILURE, pipeline=at, branch=branch)
            for index, branch in enumerate(branches, start=1)
        ]
        moment = minutes(200 * number + 20)
        taken_in(self.database, self.configuration, *builds, now=moment, last_poll=minutes(0))

    def look(self, at: datetime, patience: float = 5.0) -> frozenset[str]:
        servers = {"ci": self.server, "mute": object()}
        return close_gone(
            self.database,
            servers,  # type: ignore[arg-type]
            self.configuration,
            at,
            after_commit=self.committed.append,
            patience=patience,
        )

    def firing(self) -> list[str | None]:
        return [alert.scope.branch for alert in self.database.read(alerts.firing)]


@pytest.fixture
def here(database: Database, tmp_path: Path) -> House:
    return House(database, tmp_path)


def test_an_alert_on_a_deleted_branch_is_closed_once_the_branch_has_been_quiet_for_a_day(here: House) -> None:
    here.fails(1, "feature/x", "feature/y")
    here.server.gone = {"feature/x", "main"}
    assert here.look(minutes(60)) == frozenset()
    assert here.server.asked == []
    assert here.look(minutes(300) + DAY) == {"desk"}
    assert here.server.asked == ["feature/x", "feature/y"], "never about the default branch"
    assert sorted(map(str, here.firing())) == ["feature/y", "main"]
    (ingested,) = here.committed
    (over,) = ingested.transitions
    assert (over.state, over.evidence["closed_because"]) == (AlertState.CLOSED, "the branch is gone")


def test_each_branch_is_asked_about_once_a_day_and_a_few_at_a_time(here: House) -> None:
    here.fails(1, *[f"b{number}" for number in range(AT_ONCE + 2)])
    at = minutes(300) + DAY
    here.look(at)
    assert len(here.server.asked) == AT_ONCE
    here.look(at + timedelta(minutes=10))
    assert sorted(here.server.asked) == [f"b{number}" for number in range(AT_ONCE + 2)]
    here.look(at + timedelta(minutes=20))
    assert len(here.server.asked) == AT_ONCE + 2
    here.look(at + DAY)
    assert len(here.server.asked) == 2 * AT_ONCE + 2


@pytest.mark.parametrize("error", [Unavailable(Trouble.TIMEOUT, "no answer"), RuntimeError("odd")])
def test_what_could_not_be_looked_up_is_left_as_it_is(here: House, error: Exception) -> None:
    here.fails(1, "feature/x")
    here.server.error = error
    assert here.look(minutes(300) + DAY) == frozenset()
    assert len(here.firing()) == 2


def test_a_slow_server_holds_up_nobody(here: House) -> None:
    here.fails(1, "feature/x", "feature/y")
    here.server.slow, here.server.gone = threading.Event(), {"feature/x"}
    assert here.look(minutes(300) + DAY, patience=0.05) == frozenset()
    here.server.slow.set()
    assert len(here.firing()) == 3


def test_who_cannot_say_and_what_is_not_there_is_not_asked_about(here: House) -> None:
    here.fails(1, "feature/x")
    here.database.transact(lambda session: pipelines.set_missing(session, "ci", [BRANCHED.key], minutes(50)))
    here.look(minutes(300) + DAY)
    assert here.server.asked == []
    here.server = object()
    assert here.look(minutes(300) + DAY) == frozenset()
