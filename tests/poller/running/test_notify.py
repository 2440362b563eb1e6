import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from poller.running.notify import Systemd


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(1)
        yield listening


def test_systemd_hears_each_word(ear: socket.socket) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": ear.getsockname()})
    systemd.ready("3 targets")
    systemd.reloading()
    systemd.status("fine")
    systemd.ping()
    systemd.stopping()
    heard = [ear.recv(1000).decode() for _ in range(5)]
    assert heard[0] == "READY=1\nSTATUS=3 targets"
    assert heard[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert heard[1].rsplit("=", 1)[1].isdigit()
    assert heard[2:4] == ["STATUS=fine", "WATCHDOG=1"]
    assert heard[4].startswith("STOPPING=1")


def test_an_abstract_socket_works_too() -> None:
    name = f"buildwatch-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(1)
        Systemd({"NOTIFY_SOCKET": f"@{name}"}).ping()
        assert listening.recv(100) == b"WATCHDOG=1"


def test_without_systemd_nothing_happens(tmp_path: Path) -> None:
    Systemd({}).ping()
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ping()


def test_pings_are_due_three_times_as_often_as_asked_for() -> None:
    assert Systemd({"WATCHDOG_USEC": "90000000"}).watchdog_every == 30
    assert Systemd({}).watchdog_every == 0
    assert Systemd({"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": "1"}).watchdog_every == 0  # meant for another process


def test_who_does_not_listen_holds_nothing_up(ear: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poller.running.notify._PATIENCE", 0.01)
    systemd = Systemd({"NOTIFY_SOCKET": ear.getsockname()})
    for _ in range(600):  # more than any queue of datagrams takes
        systemd.ping()
