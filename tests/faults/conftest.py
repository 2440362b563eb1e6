"""What the tests of faults need besides the servers."""

from datetime import timedelta

import pytest

import poller.daemon
import poller.delivery.courier
import poller.watching.connections
from alerts.channels._base import Channel
from poller.config import Configuration


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon looks after its own things often, tries messages again soon, and spares no channel."""
    make = poller.watching.connections.make_channel

    def unpaced(configuration: Configuration, name: str) -> Channel:
        channel = make(configuration, name)
        channel.min_interval = 0.0
        return channel

    monkeypatch.setattr(poller.watching.connections, "make_channel", unpaced)
    monkeypatch.setattr(poller.daemon, "TICK", timedelta(seconds=0.5))
    monkeypatch.setattr(poller.delivery.courier, "FIRST_WAIT", timedelta(seconds=0.2))
