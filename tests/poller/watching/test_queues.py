from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from poller.config import Configuration
from poller.watching.queues import Queues
from providers._base import Trouble, Unavailable, Waiting
from tests.support.builders import NOON
from tests.support.configurations import loaded
from tests.support.hands import Hands

CONFIG = """
providers: {ci: {kind: fake}, other: {kind: other}}
pipelines: [{provider: ci, job: "web/*"}]
channels: {desk: {kind: lamp}}
"""
ONE = Waiting(number=1, places=(("web/a", ""),), since=NOON)


class Server:
    """A provider with a queue."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None

    def queue(self) -> tuple[Waiting, ...]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return (ONE,)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return loaded(tmp_path / "config.yaml", CONFIG)


def test_a_queue_is_read_every_five_minutes(hands: Hands, configuration: Configuration) -> None:
    queues, server = Queues(hands.clock()), Server()
    provider: Any = server
    for _ in range(11):
        queues.read("ci", provider, configuration)
        hands.pass_by(60)
    assert server.asked == 2
    assert queues.waiting() == {"ci": (ONE,)}


def test_the_shortest_wait_that_is_asked_for_sets_the_pace(hands: Hands, tmp_path: Path) -> None:
    quick = loaded(tmp_path / "quick.yaml", CONFIG + "alerts: {stuck: {queued_longer_than: 60s}}\n")
    queues, server = Queues(hands.clock()), Server()
    provider: Any = server
    queues.read("ci", provider, quick)
    hands.pass_by(timedelta(seconds=30).total_seconds())
    queues.read("ci", provider, quick)
    assert server.asked == 1


@pytest.mark.parametrize("error", [Unavailable(Trouble.TIMEOUT, "no answer"), OverflowError("odd")])
def test_a_queue_that_cannot_be_read_is_not_known(hands: Hands, configuration: Configuration, error: Exception) -> None:
    queues, server = Queues(hands.clock()), Server()
    provider: Any = server
    for _ in range(2):
        queues.read("ci", provider, configuration)
        hands.pass_by(300)
    assert queues.waiting()
    server.error = error
    queues.read("ci", provider, configuration)
    assert queues.waiting() == {}


def test_nobody_is_asked_who_has_no_queue_or_where_no_wait_is_too_long(
    hands: Hands, configuration: Configuration, tmp_path: Path
) -> None:
    off = loaded(tmp_path / "off.yaml", CONFIG + "alerts: {stuck: off}\n")
    queues, server = Queues(hands.clock()), Server()
    provider: Any = server
    mute: Any = object()
    for _ in range(3):
        queues.read("ci", provider, off)
        queues.read("ci", mute, configuration)
        queues.read("other", provider, configuration)
        hands.pass_by(3600)
    assert (server.asked, queues.waiting()) == (0, {})
