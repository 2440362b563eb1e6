"""kill -9 at random moments and at every failpoint: no alert is lost, and repeats lie only inside the send."""

import os
import random
import subprocess
import threading
from collections import Counter
from pathlib import Path

import pytest

from domain.message import SIGNS, Tone
from simulator.house import Simulator
from simulator.smtp import Mail
from tests.support.daemon import eventually
from tests.support.process import DaemonProcess

KILLS = int(os.environ.get("BUILDWATCH_TEST_KILLS", "38"))  # on each of two databases; the failpoints come on top
KILLS_A_BREAK = 3
FAILPOINTS = (
    "after_fetch",
    "before_commit",
    "after_commit",
    "after_details",
    "after_saving_details",
    "after_claim",
    "after_send",
    "after_mark",
)

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
    """What must have been said: of every job one break and one fix, to each channel, alone or with others."""

    def __init__(self, house: Simulator, jobs: list[str]) -> None:
        self.house = house
        self.jobs = jobs

    def cards(self) -> Counter[str]:
        """How many cards each job is on."""
        cards = [message.words() for message in self.house.slack.messages if message.thread_ts is None]
        return Counter(job for card in cards for job in self.jobs if job in card)

    def fixed(self) -> int:
        """How many jobs are on a card that says that everything on it is fixed."""
        cards = [message for message in self.house.slack.messages if message.thread_ts is None]
        ended = [card.words() for card in cards if card.text.startswith(SIGNS[Tone.FIXED])]
        return len({job for card in ended for job in self.jobs if job in card})

    def mails(self, sign: str) -> dict[str, list[Mail]]:
        """The mails that begin with this sign, by Message-ID."""
        found: dict[str, list[Mail]] = {}
        for mail in self.house.smtp.mails:
            if mail.subject.startswith(sign):
                found.setdefault(mail.message["Message-ID"], []).append(mail)
        return found

    def named(self, sign: str) -> Counter[str]:
        """In how many of these mails each job has a line; copies of one mail count once, headlines do not."""
        texts = [copies[0].text().partition("\n")[2] for copies in self.mails(sign).values()]
        return Counter(job for text in texts for job in self.jobs if job in text)

    def repeats(self) -> int:
        """How many mails arrived more than once; all copies of a mail say the same of the same jobs."""
        repeats = 0
        for sign in (SIGNS[Tone.BROKEN], SIGNS[Tone.FIXED]):
            for copies in self.mails(sign).values():
                repeats += len(copies) - 1
                assert len({frozenset(job for job in self.jobs if job in mail.text()) for mail in copies}) == 1
        return repeats

    def assert_told_once(self) -> None:
        """Nothing was lost, and where repeats can be found there are none."""
        once = Counter(self.jobs)
        assert self.cards() == once
        assert self.named(SIGNS[Tone.BROKEN]) == once
        assert self.named(SIGNS[Tone.FIXED]) == once


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


def to_the_end(config: Path, oracle: "Oracle") -> None:
    """Heal everything and let the daemon say so."""
    jobs = oracle.jobs
    with DaemonProcess(config, measured=False) as daemon:
        eventually(lambda: len(oracle.named(SIGNS[Tone.BROKEN])) == len(jobs), within=60)
        eventually(lambda: len(oracle.cards()) == len(jobs), within=60)
        for job in jobs:
            oracle.house.world.jenkins.job(job).build("SUCCESS")
        eventually(lambda: len(oracle.named(SIGNS[Tone.FIXED])) == len(jobs), within=90)
        eventually(lambda: oracle.fixed() == len(jobs), within=90)
        assert daemon.stop() == 0, daemon.log()


@pytest.mark.timeout(300 + 10 * KILLS)
def test_kills_at_random_moments_lose_nothing(house: Simulator, config: Path) -> None:
    chance = random.Random(7)  # noqa: S311  (a repeatable test, not a secret)
    config.write_text(config.read_text() + "details: off\n")  # what they add is told once more: others prove that
    jobs = [f"job-{number:03}" for number in range(max(KILLS // KILLS_A_BREAK, 1))]
    baseline(house, config, jobs)
    for job in jobs:
        house.world.jenkins.job(job).build("FAILURE")
        for _ in range(KILLS_A_BREAK):
            with DaemonProcess(config, measured=False) as daemon:
                assert daemon.listen("READY"), daemon.log()
                threading.Event().wait(chance.uniform(0.0, 0.5))
                daemon.kill()
    oracle = Oracle(house, jobs)
    to_the_end(config, oracle)
    oracle.assert_told_once()
    assert oracle.repeats() <= KILLS


@pytest.mark.parametrize("point", FAILPOINTS)
def test_a_kill_at_a_failpoint_loses_nothing(point: str, house: Simulator, config: Path) -> None:
    die_twice(point, house, config, ["job-000"])


@pytest.mark.timeout(240)
@pytest.mark.parametrize("point", ["after_commit", "after_claim", "after_send", "after_mark"])
def test_a_kill_while_a_group_is_told_loses_nothing(point: str, house: Simulator, config: Path) -> None:
    jobs = [f"job-{number:03}" for number in range(7)]
    oracle = die_twice(point, house, config, jobs)
    assert len(house.slack.messages) <= 6
    assert len(oracle.mails(SIGNS[Tone.BROKEN])) <= 3  # each death may part a group, and nothing more


def die_twice(point: str, house: Simulator, config: Path, jobs: list[str]) -> Oracle:
    """All jobs break, and the daemon dies at the first and then at the second time that it comes to a place."""
    baseline(house, config, jobs)
    for job in jobs:
        house.world.jenkins.job(job).build("FAILURE")
    for passes in (0, 1):
        with DaemonProcess(config, {"BUILDWATCH_FAILPOINTS": f"{point}=kill:{passes}"}, measured=False) as daemon:
            try:
                daemon.process.wait(4)
            except subprocess.TimeoutExpired:
                daemon.kill()
    oracle = Oracle(house, jobs)
    to_the_end(config, oracle)
    oracle.assert_told_once()
    assert oracle.repeats() <= 2
    return oracle
