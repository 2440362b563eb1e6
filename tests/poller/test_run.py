import signal
import socket
import time
from pathlib import Path

import pytest

from poller.delivery import courier
from simulator import faults
from simulator.house import Simulator
from tests.support.daemon import eventually, running
from tests.support.process import DaemonProcess


@pytest.fixture
def config(house: Simulator, tmp_path: Path) -> Path:
    house.world.jenkins.job("team/api").build("SUCCESS")
    path = tmp_path / "config.yaml"
    path.write_text(house.config_text(store_url=f"sqlite:///{tmp_path / 'store.db'}", poll_every="1s"))
    return path


def test_systemd_hears_ready_reload_and_stop(house: Simulator, config: Path) -> None:
    with DaemonProcess(config, {"WATCHDOG_USEC": "3000000"}) as daemon:
        assert daemon.listen("READY=1"), daemon.log()
        assert daemon.listen("WATCHDOG=1")
        daemon.heard.clear()
        daemon.ask(signal.SIGHUP)
        assert daemon.listen("RELOADING=1")
        assert daemon.listen("READY=1")
        config.write_text("providers: {")
        daemon.heard.clear()
        daemon.ask(signal.SIGHUP)
        assert daemon.listen("READY=1"), "a broken file does not keep `systemctl reload` waiting"
        eventually(lambda: "config.yaml:1:" in daemon.log())
        eventually(lambda: len(house.jenkins.requests) > 3)
        daemon.heard.clear()
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 10
        assert daemon.listen("STOPPING=1")


def test_a_broken_file_at_the_start_is_exit_78_with_its_place(config: Path) -> None:
    config.write_text("providers:\n  ci: {kind: jenkinz, url: 'http://127.0.0.1/'}\n")
    with DaemonProcess(config) as daemon:
        assert daemon.process.wait(30) == 78
        assert "config.yaml:2:14:" in daemon.log()
        assert "Traceback" not in daemon.log()


def test_asked_twice_it_leaves_at_once_although_a_message_is_under_way(house: Simulator, config: Path) -> None:
    with DaemonProcess(config) as daemon:
        assert daemon.listen("READY=1"), daemon.log()
        eventually(lambda: len(house.jenkins.requests) > 2)
        house.slack.fault(faults.hang())
        house.world.jenkins.job("team/api").build("FAILURE")
        eventually(lambda: house.slack.requests, within=60)
        daemon.ask(signal.SIGTERM)
        assert daemon.listen("STOPPING=1")
        daemon.ask(signal.SIGTERM)
        # On a machine that has much else to do at once takes seconds; the message would have 20 s, and the status be 0.
        assert daemon.process.wait(15) == 1
        house.slack.heal()


def test_a_thread_that_hangs_stops_the_pings(
    house: Simulator, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(courier, "SEND_LIMIT", 0.3)
    monkeypatch.setattr(courier, "IDLE_WAIT", 0.1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        environ = {
            "NOTIFY_SOCKET": ear.getsockname(),
            "WATCHDOG_USEC": "300000",
            "BUILDWATCH_FAILPOINTS": "after_claim=sleep:4",
        }
        with running(config, environ=environ) as daemon:
            eventually(daemon.daemon.first_round_done)
            house.world.jenkins.job("team/api").build("FAILURE")
            eventually(lambda: "no progress, the watchdog gets no ping overdue=channel" in caplog.text)
