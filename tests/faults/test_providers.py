"""Providers that misbehave: bounded time and memory, one alert, nothing lost, and nobody else is held up."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

import providers._github.client
from providers._http import Http, fetch
from simulator import faults
from simulator.house import Simulator
from simulator.jenkins import JenkinsServer
from simulator.server import Fault
from simulator.world import World
from tests.support.daemon import Running, eventually, running
from tests.support.fault_server import FaultServer, answering
from tests.support.scene import EVERY, bot, cards, jenkins, missing, replies, save, scene, stored

ON_TIME = 1.5  # seconds that a poll of a healthy server may come late on a loaded machine
CALL = 1.5


@dataclass(frozen=True)
class Place:
    """The simulated world, the server that stays healthy, and the daemon."""

    house: Simulator
    calm: JenkinsServer
    daemon: Running

    def misbehave(self, fault: Fault) -> None:
        self.house.jenkins.fault(fault)
        self.house.github.fault(fault)

    def heal(self) -> None:
        self.house.jenkins.heal()
        self.house.github.heal()


@contextmanager
def watching(house: Simulator, folder: Path) -> Iterator[Place]:
    """A daemon that has met three servers with green builds."""
    calm = JenkinsServer(World().jenkins)
    calm.world.job("calm").build("SUCCESS")
    for job in ("stays-broken", "recovers"):
        house.world.jenkins.job(job).build("SUCCESS")
    house.world.github.repo("acme/web").run("success")
    with calm:
        configuration = scene(house, f"sqlite:///{folder / 'store.db'}", channels={"bot": bot(house)})
        configuration["providers"]["calm"] = jenkins(house, url=calm.url)
        configuration["pipelines"].append({"provider": "calm", "job": "**"})
        with running(save(folder / "config.yaml", configuration)) as daemon:
            eventually(daemon.daemon.first_round_done)
            yield Place(house, calm, daemon)


@pytest.fixture
def place(house: Simulator, tmp_path: Path, hurried: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:  # noqa: ARG001
    """The same, with calls that give up after a second and a half instead of thirty."""
    for function in (fetch, Http.get):
        monkeypatch.setitem(function.__kwdefaults__, "seconds", CALL)
    monkeypatch.setattr(providers._github.client, "CALL_SECONDS", CALL)
    with watching(house, tmp_path) as found:
        yield found


def build_behind_the_outage(house: Simulator) -> None:
    """What people must hear of afterwards: a break that lasts on each server, and one that is over already."""
    house.world.jenkins.job("stays-broken").build("FAILURE")
    house.world.jenkins.job("stays-broken").build("FAILURE")
    house.world.jenkins.job("recovers").build("FAILURE")
    house.world.jenkins.job("recovers").build("SUCCESS")
    house.world.github.repo("acme/web").run("failure")


def assert_all_is_told(place: Place) -> None:
    """Every build is stored, and every break was told exactly once."""
    house, database = place.house, place.daemon.database
    eventually(lambda: stored(database, "ci", "stays-broken") == [1, 2, 3])
    eventually(lambda: stored(database, "ci", "recovers") == [1, 2, 3])
    eventually(lambda: len(stored(database, "gh", "acme/web/*")) == 2)
    eventually(lambda: len(cards(house, "failed")) >= 3)
    assert len(cards(house, "stays-broken failed, 2nd in a row")) == 1
    assert len(cards(house, "recovers failed (#2) and has recovered since")) == 1
    assert len(cards(house, "failed")) == 3
    assert missing(database) == []


def assert_the_healthy_one_was_polled_on_time(place: Place) -> None:
    moments = [request.at for request in place.calm.asked("*/api/json")]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise([*moments, datetime.now(UTC)])]
    assert max(gaps) <= EVERY + ON_TIME


BROKEN = {
    "drips": (faults.drip(0.2), "timeout"),
    "hangs": (faults.hang(), "timeout"),
    "cuts": (faults.cut(20), "connection"),
    "cuts without a length": (faults.cut(20, announced=False), "not json"),
    "resets": (faults.reset(), "connection"),
    "closes": (faults.drop(), "connection"),
    "shows a login page": (faults.html(), "not json"),
    "talks nonsense": (faults.replace_body(b'{"jobs": [{]}'), "not json"),
    "answers 401": (faults.answer(401), "auth"),
    "answers 403": (faults.answer(403), "auth"),
    "answers 503": (faults.html(503), "server error"),
    "sends a bomb": (faults.gzip_bomb(), "too large"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_server_that(name: str, place: Place) -> None:
    fault, trouble = BROKEN[name]
    house = place.house
    before = _peak_memory()
    place.misbehave(fault)
    build_behind_the_outage(house)
    for provider in ("ci", "gh"):
        eventually(lambda provider=provider: cards(house, f" {provider} "))  # type: ignore[misc]
    words = [message.words() for message in house.slack.messages]
    assert all(f"{trouble}:" in text for text in words), words
    place.heal()
    for provider in ("ci", "gh"):
        eventually(lambda provider=provider: cards(house, f" {provider} answers again"))  # type: ignore[misc]
    assert_all_is_told(place)
    assert len(cards(house)) == 5
    eventually(lambda: len(replies(house, "answers again")) >= 2)
    assert len(replies(house, "answers again")) == 2
    assert_the_healthy_one_was_polled_on_time(place)
    assert _peak_memory() - before < 96 * 1024, "kB"


def test_a_server_that_redirects_elsewhere_does_not_get_us_to_go_there(place: Place) -> None:
    with FaultServer() as elsewhere:
        elsewhere.on("*", answering('{"jobs": []}'))
        place.misbehave(faults.redirect(f"{elsewhere.url}/api/json"))
        eventually(lambda: len(cards(place.house, "redirects us elsewhere")) == 2)
        assert elsewhere.exchanges == []
    place.heal()
    eventually(lambda: len(cards(place.house, "answers again")) == 2)


def test_a_server_that_asks_for_patience_gets_it_and_nobody_is_told(place: Place) -> None:
    house = place.house
    place.misbehave(faults.rate_limited(3))
    for server in (house.jenkins, house.github):
        server.forget()
        eventually(lambda server=server: server.requests)  # type: ignore[misc]
    build_behind_the_outage(house)
    threading.Event().wait(2.0)
    place.heal()
    for server in (house.jenkins, house.github):
        assert len(server.requests) <= 2, [request.path for request in server.requests]
    assert_all_is_told(place)
    assert len(cards(house)) == 3
    assert_the_healthy_one_was_polled_on_time(place)


def test_a_server_that_suddenly_shows_nothing_is_not_believed(place: Place) -> None:
    house = place.house
    house.jenkins.fault(faults.replace_body(b'{"_class": "hudson.model.Hudson", "jobs": []}'))
    house.github.fault(faults.replace_body(b'{"total_count": 0, "workflow_runs": []}'), path="*/actions/runs")
    build_behind_the_outage(house)
    eventually(lambda: cards(house, "ci answers as if everything were gone"))
    place.heal()
    eventually(lambda: cards(house, "ci answers again"))
    assert_all_is_told(place)
    assert len(cards(house)) == 4


def _peak_memory() -> int:
    """The most memory that this process has ever had, in kB."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
