import socket
import threading
from contextlib import suppress

import pytest

from simulator.__main__ import main
from simulator.house import Simulator


def test_without_a_story_nothing_happens_by_itself() -> None:
    with Simulator() as simulator:
        assert simulator.story is None
        assert simulator.world.jenkins.root.children == {}


def test_ports_can_be_chosen() -> None:
    for base in range(21_000, 29_000, 100):
        with suppress(OSError), Simulator(port_base=base) as simulator:
            ports = [simulator.jenkins.port, simulator.github.port, simulator.slack.port, simulator.smtp_port]
            assert ports == [base, base + 1, base + 2, base + 3]
            assert simulator.github.storage.port == base + 4
            return
    pytest.fail("no five free ports in a row")


def test_when_a_port_is_taken_nothing_stays_open() -> None:
    with Simulator() as first:
        second = Simulator(port_base=first.smtp_port - 3)
        with pytest.raises(OSError, match=r"in use|assign"):
            second.start()
        second = Simulator()
        second.smtp.port = first.smtp_port
        with pytest.raises(OSError, match="in use"):
            second.start()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", second.jenkins.port))


def test_alone_it_prints_its_configuration_and_waits(capsys: pytest.CaptureFixture[str]) -> None:
    until = threading.Event()
    until.set()
    assert main(["--seed", "3"], until=until) == 0
    printed = capsys.readouterr().out
    assert "kind: jenkins" in printed
    assert "127.0.0.1" in printed


def test_alone_it_ends_quietly_when_interrupted() -> None:
    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  (as in the base class)
            raise KeyboardInterrupt

    assert main(["--quiet-world"], until=Interrupted()) == 0
