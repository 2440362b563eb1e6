"""Digests, the heartbeat and the note after an absence: from builds to people, through the daemon."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import poller.daemon
import poller.timing.timers
import poller.watching.connections
import poller.watching.heartbeat
from poller.startup import ALIVE
from simulator.house import Simulator
from store import notes
from tests.support.daemon import Running, eventually, running
from tests.support.fault_server import FaultServer, answering
from tests.support.scene import Section, cards, save, scene, subjects
from tests.support.travelling_clock import TravellingClock

BEFORE_THE_FOLD = "2026-10-25 00:10:00"  # 02:10 in Berlin, for the first time that night


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon looks after its own things often."""
    monkeypatch.setattr(poller.daemon, "TICK", timedelta(seconds=0.3))
    monkeypatch.setattr(poller.timing.timers, "TICK", timedelta(seconds=0.3))
    monkeypatch.setattr(poller.daemon, "NOTE_EVERY", 0.5)
    monkeypatch.setattr(poller.watching.heartbeat, "AT_MOST_EVERY", 0.5)


def lives(daemon: Running, clock: TravellingClock) -> bool:
    """Whether the daemon has left a sign of life since the clock was set."""
    note = daemon.database.read(lambda session: notes.get(session, ALIVE))
    return note is not None and clock() - note.updated_at < timedelta(seconds=10)


@pytest.fixture
def clock() -> TravellingClock:
    return TravellingClock(BEFORE_THE_FOLD)


@pytest.fixture
def world(clock: TravellingClock) -> Iterator[Simulator]:
    with Simulator(now=clock) as simulator:
        for name in ("api", "worker"):
            for _ in range(3):
                simulator.world.jenkins.job(name).build("SUCCESS")
        simulator.world.github.repo("acme/web").run("success")
        yield simulator


@pytest.fixture
def written(world: Simulator, store_url: str) -> Section:
    digest = {"name": "nightly", "cron": "30 2 * * *", "window": "24h", "to": ["bot", "mail"]}
    return scene(world, store_url, timezone="Europe/Berlin", digests=[digest])


@pytest.mark.usefixtures("quick")
def test_a_digest_reaches_slack_and_mail_once_a_night_also_when_half_past_two_comes_twice(
    world: Simulator, written: Section, clock: TravellingClock, tmp_path: Path
) -> None:
    path = save(tmp_path / "config.yaml", written)
    with running(path, clock=clock.clock()) as daemon:
        eventually(daemon.daemon.first_round_done)
        world.world.jenkins.job("api").build("FAILURE")
        eventually(lambda: cards(world, "api"))
        clock.set("2026-10-25 00:29:59")
        eventually(lambda: cards(world, "Digest") and subjects(world, "Digest"))
        (card,) = cards(world, "Digest")
        assert "1 still failing" in card
        assert "Digest nightly" in card
        clock.set("2026-10-25 01:30:02")  # 02:30:02 in Berlin, once more
        world.world.jenkins.job("api").build("SUCCESS")
        eventually(lambda: cards(world, "is fixed"))
    with running(path, clock=clock.clock()) as daemon:  # and not again after a restart
        eventually(daemon.daemon.first_round_done)
        world.world.jenkins.job("api").build("FAILURE")
        eventually(lambda: len(cards(world, "api")) >= 2)
        clock.set("2026-10-26 01:29:58")  # the next night
        eventually(lambda: len(cards(world, "Digest")) == 2 and len(subjects(world, "Digest")) == 2)
    text = world.smtp.mails[-1].text()
    for expected in ("Still open", "api", "How we watched", "Sun 25"):
        assert expected in text, (expected, text)


@pytest.mark.usefixtures("quick")
def test_a_digest_that_was_missed_is_sent_once_late_and_says_so(
    world: Simulator, written: Section, clock: TravellingClock, tmp_path: Path
) -> None:
    path = save(tmp_path / "config.yaml", written)
    clock.set("2026-11-20 12:00:00")
    with running(path, clock=clock.clock()) as daemon:
        eventually(daemon.daemon.first_round_done)
        eventually(lambda: lives(daemon, clock))
    clock.set("2026-11-23 04:00:00")  # three nights later, at 05:00
    with running(path, clock=clock.clock()) as daemon:
        eventually(lambda: cards(world, "Digest") and subjects(world, "Digest"))
        eventually(daemon.daemon.first_round_done)
    assert len(subjects(world, "Digest")) == 1
    assert "was due at 02:30" in next(each.text() for each in world.smtp.mails if "Digest" in each.subject)


@pytest.mark.usefixtures("quick")
def test_after_an_absence_one_note_says_what_was_made_up_for(
    world: Simulator, written: Section, clock: TravellingClock, tmp_path: Path
) -> None:
    path = save(tmp_path / "config.yaml", {key: value for key, value in written.items() if key != "digests"})
    clock.set("2026-11-21 01:10:00")
    with running(path, clock=clock.clock()) as daemon:
        eventually(daemon.daemon.first_round_done)
        eventually(lambda: lives(daemon, clock))
    assert cards(world) == []
    clock.set("2026-11-21 03:00:00")
    world.world.jenkins.job("api").build("FAILURE")
    world.world.jenkins.job("worker").build("SUCCESS")
    clock.set("2026-11-21 05:40:00")
    with running(path, clock=clock.clock()) as daemon:
        eventually(lambda: cards(world, "was down") and subjects(world, "was down"))
    (card,) = cards(world, "was down")
    assert "was down 02:10–06:40 (4 h 29 m" in card or "was down 02:10–06:40 (4 h 30 m)" in card  # noqa: RUF001
    assert "2 builds filled in, 1 alert late" in card
    with running(path, clock=clock.clock()) as daemon:
        eventually(daemon.daemon.first_round_done)
    assert len(cards(world, "was down")) == 1


@pytest.mark.usefixtures("quick")
def test_the_heartbeat_comes_while_all_is_well_and_also_while_a_server_fails(
    world: Simulator, written: Section, clock: TravellingClock, tmp_path: Path
) -> None:
    with FaultServer() as monitor:
        monitor.on("*", answering("OK"))
        path = save(tmp_path / "config.yaml", {**written, "heartbeat_url": f"{monitor.url}/ping/secret-uuid"})
        with running(path, clock=clock.clock()):
            eventually(lambda: len(monitor.exchanges) >= 2)
            world.jenkins.stop()
            before = len(monitor.exchanges)
            eventually(lambda: len(monitor.exchanges) >= before + 3)
    assert {(each.method, each.path) for each in monitor.exchanges} == {("GET", "/ping/secret-uuid")}
