import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from poller.running.progress import Progress
from poller.watching.heartbeat import AT_MOST_EVERY, Heartbeat, call
from providers._base import Target
from tests.support.daemon import eventually
from tests.support.fault_server import FaultServer, answering, delayed, html, redirecting, resetting
from tests.support.hands import Hands

JOBS = [Target(provider="ci", key="jobs", every=timedelta(seconds=60))]


@pytest.fixture
def monitor() -> Iterator[FaultServer]:
    with FaultServer() as server:
        server.on("*", answering("OK"))
        yield server


class Polls:
    """Says that a cycle is done as often as it is told to."""

    def __init__(self) -> None:
        self.done = True
        self.health: dict[str, Any] = {}
        self.configuration = SimpleNamespace(providers={})

    def cycle_done(self, targets: list[Target]) -> bool:
        return self.done and bool(targets)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def polls() -> Polls:
    return Polls()


@pytest.fixture
def progress(hands: Hands) -> Progress:
    return Progress(hands.clock().monotonic)


@pytest.fixture
def heartbeat(hands: Hands, polls: Polls, progress: Progress) -> Heartbeat:
    return Heartbeat(hands.clock(), polls, progress)  # type: ignore[arg-type]


def idle() -> None:
    """Until no call is under way."""
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name == "heartbeat"])


def url(monitor: FaultServer) -> SecretStr:
    return SecretStr(f"{monitor.url}/ping/canary-uuid")


def test_a_cycle_is_one_call_and_not_more_than_one_in_half_a_minute(
    heartbeat: Heartbeat, hands: Hands, polls: Polls, monitor: FaultServer
) -> None:
    for _ in range(3):
        heartbeat.look(url(monitor), JOBS)
        idle()
    assert [(each.method, each.path) for each in monitor.exchanges] == [("GET", "/ping/canary-uuid")]
    polls.done = False
    hands.pass_by(AT_MOST_EVERY)
    heartbeat.look(url(monitor), JOBS)  # a cycle ended meanwhile
    idle()
    assert len(monitor.exchanges) == 2
    hands.pass_by(AT_MOST_EVERY)
    heartbeat.look(url(monitor), JOBS)  # and none since
    idle()
    assert len(monitor.exchanges) == 2


def test_nothing_is_called_while_something_hangs_or_nobody_wants_it(
    heartbeat: Heartbeat, hands: Hands, progress: Progress, monitor: FaultServer
) -> None:
    heartbeat.look(None, JOBS)
    with progress.doing("deliver", limit=10):
        hands.pass_by(11)
        heartbeat.look(url(monitor), JOBS)
    idle()
    assert monitor.exchanges == []
    heartbeat.look(url(monitor), JOBS)
    idle()
    assert len(monitor.exchanges) == 1


def test_servers_that_never_said_what_to_poll_hold_up_nothing_once_they_fail(
    heartbeat: Heartbeat, hands: Hands, polls: Polls, monitor: FaultServer
) -> None:
    polls.health = {"ci": SimpleNamespace(facts=SimpleNamespace(failing_since=None))}
    heartbeat.look(url(monitor), [])
    idle()
    assert monitor.exchanges == []
    polls.health["ci"].facts.failing_since = hands.wall
    heartbeat.look(url(monitor), [])
    idle()
    assert len(monitor.exchanges) == 1


def test_builds_that_are_pushed_hold_up_nothing(heartbeat: Heartbeat, polls: Polls, monitor: FaultServer) -> None:
    polls.health = {"push": SimpleNamespace(facts=SimpleNamespace(failing_since=None))}
    polls.configuration.providers = {"push": SimpleNamespace(polled=False)}
    heartbeat.look(url(monitor), [])
    idle()
    assert len(monitor.exchanges) == 1


def test_a_slow_monitor_holds_up_nobody(heartbeat: Heartbeat, hands: Hands, monitor: FaultServer) -> None:
    monitor.on("*", delayed(0.3, answering("OK")))
    heartbeat.look(url(monitor), JOBS)
    hands.pass_by(AT_MOST_EVERY)
    heartbeat.look(url(monitor), JOBS)  # the first is still under way
    idle()
    assert len(monitor.exchanges) == 1
    heartbeat.look(url(monitor), JOBS)
    idle()
    assert len(monitor.exchanges) == 2


def test_trouble_is_logged_once_and_so_is_its_end_and_the_secret_never(
    heartbeat: Heartbeat, hands: Hands, monitor: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for answer in (html(503), html(503), answering("OK"), answering("OK")):
        monitor.on("*", answer)
        heartbeat.look(url(monitor), JOBS)
        idle()
        hands.pass_by(AT_MOST_EVERY)
    assert [record.getMessage() for record in caplog.records if record.name == "poller.watching.heartbeat"] == [
        "heartbeat not delivered, will retry error=answered 503",
        "heartbeat delivered again",
    ]


def test_redirects_are_followed_on_the_same_host_only(monitor: FaultServer) -> None:
    monitor.on("/moved", redirecting("/here"))
    monitor.on("/away", redirecting("http://localhost:9/elsewhere"))
    monitor.on("/circle", redirecting("/circle"))
    assert call(f"{monitor.url}/moved") is None
    assert call(f"{monitor.url}/away") == "was sent to another host, which is not followed"
    assert call(f"{monitor.url}/circle") == "was sent in circles"


def test_what_is_wrong_is_said_without_the_url(monitor: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poller.watching.heartbeat.TIMEOUT", 0.2)
    monitor.on("/slow", delayed(5, answering("OK")))
    monitor.on("/reset", resetting())
    assert call(f"{monitor.url}/slow") == "no answer in 0 s"
    assert call(f"{monitor.url}/reset") == "the server cannot be reached"
    assert call("http://127.0.0.1:1/canary") == "the server cannot be reached"
    assert call("nonsense://canary") == "it cannot be called: InvalidSchema"
