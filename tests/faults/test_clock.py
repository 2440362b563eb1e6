"""The clock is set while the daemon runs, or the machine sleeps: polling goes on, and nothing is told twice."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulator.house import Simulator
from tests.support.daemon import eventually
from tests.support.process import DaemonProcess

INTERVAL = 1.0
SLACK = 5.0  # seconds beyond the interval that the longest gap between two polls may last

CONFIG = """
store: {{url: "sqlite:///{folder}/store.db"}}
providers:
  ci: {{kind: jenkins, url: "{house.jenkins_url}", username: bot, token: {house.jenkins_token}, poll_every: 1s}}
pipelines:
  - {{provider: ci, job: "**"}}
channels:
  bot: {{kind: slack, token: {house.slack_token}, channel: "#ci", api_url: "{house.slack_api_url}"}}
  mail:
    {{kind: smtp, host: {house.smtp_host}, port: {house.smtp_port}, starttls: false, from: a@b.test, to: c@b.test}}
alerts: {{success_rate_drop: off}}
"""


class Clock:
    """The daemon's wall clock, as far away from ours as it is set. Its monotonic clock is left alone."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._file = folder / "clock"
        self.set("+0")
        self.environ = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset: str) -> None:
        """So far from ours, like `-1h` or `+10y`."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset}\n")
        fresh.replace(self._file)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        if os.environ.get("CI"):
            pytest.fail("libfaketime is required in CI", pytrace=False)
        pytest.skip("libfaketime is not installed")
    return Clock(tmp_path, found[0])


@pytest.fixture
def config(house: Simulator, tmp_path: Path) -> Path:
    house.world.jenkins.job("team/api").build("SUCCESS")
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(folder=tmp_path, house=house))
    return path


class Watch:
    """Notes when Jenkins was asked, on a clock that nobody sets."""

    def __init__(self, house: Simulator) -> None:
        self._house = house
        self._stop = threading.Event()
        self.longest = 0.0

    def _look(self) -> None:
        seen, since = self.polls(), time.monotonic()
        while not self._stop.wait(0.05):
            now, polls = time.monotonic(), self.polls()
            self.longest = max(self.longest, now - since)
            if polls != seen:
                seen, since = polls, now

    def polls(self) -> int:
        """How often Jenkins was asked so far."""
        return len(self._house.jenkins.asked("*"))

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Measure the longest gap between two polls meanwhile."""
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()


def cards(house: Simulator) -> list[str]:
    return [message.text for message in house.slack.messages if message.thread_ts is None]


def mails(house: Simulator) -> list[str]:
    return [mail.subject for mail in house.smtp.mails]


@pytest.mark.parametrize("offset", ["-1h", "+10y"])
def test_polling_and_alerts_survive_a_clock_that_is_set(
    offset: str, house: Simulator, config: Path, clock: Clock
) -> None:
    watch = Watch(house)
    with DaemonProcess(config, clock.environ) as daemon:
        assert daemon.listen("READY"), daemon.log()
        eventually(lambda: watch.polls() > 2)
        house.world.jenkins.job("team/api").build("FAILURE")
        eventually(lambda: len(mails(house)) == len(cards(house)) == 1)
        with watch.looking():
            clock.set(offset)
            eventually(lambda: "clock was set" in daemon.log())
            polls = watch.polls()
            eventually(lambda: watch.polls() > polls + 2)
            clock.set("+0")  # and back, as NTP would have it
            polls = watch.polls()
            eventually(lambda: watch.polls() > polls + 2)
            clock.set(offset)
            house.world.jenkins.job("team/api").build("SUCCESS")
            eventually(lambda: len(mails(house)) == 2)
            house.world.jenkins.job("team/web").build("SUCCESS")
        assert watch.longest <= INTERVAL + SLACK
        assert daemon.stop() == 0, daemon.log()
        assert "store pruned" not in daemon.log()  # a wrong date makes no history old
    assert sum("is fixed" in subject for subject in mails(house)) == 1, mails(house)
    assert (len(cards(house)), len(mails(house))) == (1, 2), (cards(house), mails(house))


def test_a_process_that_was_stopped_and_goes_on_makes_no_storm(house: Simulator, config: Path) -> None:
    watch, asleep = Watch(house), 4.0
    with DaemonProcess(config) as daemon:
        assert daemon.listen("READY"), daemon.log()
        eventually(lambda: watch.polls() > 2)
        daemon.ask(signal.SIGSTOP)
        threading.Event().wait(asleep)
        house.world.jenkins.job("team/api").build("FAILURE")
        before = watch.polls()
        daemon.ask(signal.SIGCONT)
        threading.Event().wait(2 * INTERVAL)
        # One poll that was due, and those of two intervals: not one for each that was missed.
        assert watch.polls() - before <= 2 * 4, daemon.log()
        eventually(lambda: len(mails(house)) == len(cards(house)) == 1)
        assert daemon.stop() == 0, daemon.log()
    assert (len(cards(house)), len(mails(house))) == (1, 1)
