"""kill -9 at random moments and at every failpoint: no alert is lost, and repeats lie only inside the send."""

import os
import random
import subprocess
import threading
from collections import Counter
from pathlib import Path

import pytest

from simulator.house import Simulator
from simulator.smtp import Mail
from store.engine import Database, open_database
from tests.support.daemon import eventually
from tests.support.process import DaemonProcess

KILLS = int(os.environ.get("BUILDWATCH_TEST_KILLS", "38"))  # on each of two databases; the failpoints come on top
KILLS_A_BREAK = 3
FAILPOINTS = ("after_fetch", "before_commit", "after_commit", "after_claim", "after_send", "after_mark")

CONFIG = """
store: {{url: "{store}"}}
providers:
  ci: {{kind: jenkins, url: "{house.jenkins_url}", username: bot, token: {house.jenkins_token}, poll_every: 1s}}
pipelines:
  - {{provider: ci, job: "**"}}
channels:
  bot: {{kind: slack, token: {house.slack_token}, channel: "#ci", api_url: "{house.slack_api_url}"}}
  mail:
    {{kind: smtp, host: {house.smtp_host}, port: {house.smtp_port}, starttls: false, from: a@example.com, to: b@x.org}}
alerts: {{success_rate_drop: off}}
"""


class Oracle:
    """What must have been said: of every job one break and one fix, to each channel."""

    def __init__(self, house: Simulator, database: Database) -> None:
        self.house = house
        self.database = database

    def cards(self) -> Counter[str]:
        """How many cards each alert has, by headline."""
        return Counter(message.text for message in self.house.slack.messages if message.thread_ts is None)

    def mails(self, word: str) -> dict[str, list[Mail]]:
        """The mails with this word in their subject, by Message-ID."""
        found: dict[str, list[Mail]] = {}
        for mail in self.house.smtp.mails:
            if word in mail.subject:
                found.setdefault(mail.message["Message-ID"], []).append(mail)
        return found

    def repeats(self) -> int:
        """How many mails arrived more than once."""
        return sum(len(copies) - 1 for word in ("failed", "is fixed") for copies in self.mails(word).values())


@pytest.fixture
def config(house: Simulator, store_url: str, tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(store=store_url, house=house))
    return path


def baseline(house: Simulator, config: Path, jobs: list[str]) -> None:
    """All jobs are green and known."""
    for job in jobs:
        house.world.jenkins.job(job).build("SUCCESS")
    with DaemonProcess(config, measured=False) as daemon:
        assert daemon.listen("READY"), daemon.log()
        eventually(lambda: len(house.jenkins.asked("*")) >= 3)
        assert daemon.stop() == 0, daemon.log()


def to_the_end(config: Path, done: "Oracle", jobs: list[str]) -> None:
    """Heal everything and let the daemon say so."""
    with DaemonProcess(config, measured=False) as daemon:
        eventually(lambda: len(done.mails("failed")) == len(jobs), within=60)
        for job in jobs:
            done.house.world.jenkins.job(job).build("SUCCESS")
        eventually(lambda: len(done.mails("is fixed")) == len(jobs), within=60)
        eventually(lambda: sum("is fixed" in text for text in done.cards()) == len(jobs), within=90)
        assert daemon.stop() == 0, daemon.log()


@pytest.mark.timeout(300 + 10 * KILLS)
def test_kills_at_random_moments_lose_nothing(house: Simulator, config: Path, store_url: str) -> None:
    chance = random.Random(7)  # noqa: S311  (a repeatable test, not a secret)
    jobs = [f"job-{number:03}" for number in range(max(KILLS // KILLS_A_BREAK, 1))]
    baseline(house, config, jobs)
    for job in jobs:
        house.world.jenkins.job(job).build("FAILURE")
        for _ in range(KILLS_A_BREAK):
            with DaemonProcess(config, measured=False) as daemon:
                assert daemon.listen("READY"), daemon.log()
                threading.Event().wait(chance.uniform(0.0, 0.5))
                daemon.kill()
    database = open_database(store_url)
    oracle = Oracle(house, database)
    to_the_end(config, oracle, jobs)
    assert all(count == 1 for count in oracle.cards().values()), oracle.cards()  # a bot finds what it posted
    assert oracle.repeats() <= KILLS
    database.close()


@pytest.mark.parametrize("point", FAILPOINTS)
def test_a_kill_at_a_failpoint_loses_nothing(point: str, house: Simulator, config: Path, store_url: str) -> None:
    baseline(house, config, ["job"])
    house.world.jenkins.job("job").build("FAILURE")
    for passes in (0, 1):
        with DaemonProcess(config, {"BUILDWATCH_FAILPOINTS": f"{point}=kill:{passes}"}, measured=False) as daemon:
            try:
                daemon.process.wait(4)
            except subprocess.TimeoutExpired:
                daemon.kill()
    database = open_database(store_url)
    oracle = Oracle(house, database)
    to_the_end(config, oracle, ["job"])
    assert sum(oracle.cards().values()) == 1, oracle.cards()
    assert oracle.repeats() <= 2
    assert len(oracle.mails("failed")) == len(oracle.mails("is fixed")) == 1
    database.close()
