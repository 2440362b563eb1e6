"""Who is told, when, and who asked not to be: through the running daemon, on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.alert import Alert, AlertState
from domain.silence import Ends
from poller.telling.handling import silence
from simulator.house import Simulator
from store import alerts, outbox, silences
from tests.support.daemon import Running, eventually, running
from tests.support.running_clock import RunningClock
from tests.support.scene import bot, cards, command, jenkins, mail, replies, save, subjects

JOB = "team/api"


@pytest.fixture
def time() -> RunningClock:
    return RunningClock()


@pytest.fixture
def house(time: RunningClock) -> Iterator[Simulator]:
    with Simulator(now=time.now) as simulator:
        for _ in range(3):
            simulator.world.jenkins.job(JOB).build("SUCCESS")
        yield simulator


def config(house: Simulator, store: str, folder: Path, **changes: Any) -> Path:
    """All jobs of Jenkins; a bot hears of everything, mail of what it is given."""
    written = {
        "store": {"url": store},
        "providers": {"ci": jenkins(house)},
        "pipelines": [{"provider": "ci", "job": "**"}],
        "channels": {"bot": bot(house), "mail": mail(house)},
        "alerts": {"success_rate_drop": "off"},
        "routes": [{"match": {"pipeline": "nothing"}, "to": "mail"}, {"to": "bot"}],
        **changes,
    }
    return save(folder / "config.yaml", written)


def ends(house: Simulator, how: str) -> None:
    house.world.jenkins.job(JOB).build(how)


def stored(daemon: Running) -> list[Alert]:
    return [view.alert for view in daemon.database.read(lambda session: alerts.listing(session, all=True))]


def fires(daemon: Running, number: int) -> bool:
    return any(each.id == number and each.state is AlertState.FIRING for each in stored(daemon))


def quiet(daemon: Running) -> None:
    """Wait until everything has been polled once."""
    eventually(daemon.daemon.first_round_done)


def looked(daemon: Running, time: RunningClock) -> None:
    """Wait until the daemon has looked after what lasts: it ends a silence whose time is over."""
    ends = Ends(at=time.now() + timedelta(seconds=1))
    daemon.database.transact(lambda s: silence(s, {"pipeline": "nothing"}, ends, time.now(), reason="a look"))
    time.pass_by(seconds=10)
    eventually(lambda: daemon.database.read(silences.unended) == [])


def deliver(daemon: Running) -> None:
    """What another process has put in the outbox is found within 30 s; a test does not wait for that."""
    daemon.daemon._dispatcher.wake_all()


def test_what_still_fires_when_a_silence_ends_is_told_and_a_recovery_inside_one_is_reported(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    path = config(house, store_url, tmp_path)
    with running(path, time.clock()) as daemon:
        quiet(daemon)
        assert "silence 1: pipeline team/*" in command(path, "silence", "team/*", "--for", "4h", "--reason", "release")
        ends(house, "FAILURE")
        eventually(lambda: fires(daemon, 1))
        time.pass_by(hours=3, minutes=50)
        ends(house, "FAILURE")
        eventually(lambda: stored(daemon)[0].evidence["failures"] == 2)
        assert cards(house) == []
        time.pass_by(minutes=15)
        eventually(lambda: len(cards(house, "failed, 2nd in a row")) == 1)
        command(path, "silence", "team/*", "--until-fixed", "--reason", "we know")
        ends(house, "SUCCESS")
        eventually(lambda: cards(house, "is fixed"))
        eventually(lambda: "fixed" in command(path, "silence", "--list", "--all"))
        ends(house, "FAILURE")
        eventually(lambda: len(cards(house, "failed")) == 1)
    assert len(cards(house)) == 2


def test_a_silence_outlives_a_restart_and_what_came_and_went_under_it_is_not_told(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    path = config(house, store_url, tmp_path)
    with running(path, time.clock()) as daemon:
        quiet(daemon)
        command(path, "silence", JOB, "--until-build", "7", "--reason", "new cluster")
        ends(house, "FAILURE")
        eventually(lambda: fires(daemon, 1))
    ends(house, "SUCCESS")
    with running(path, time.clock()) as daemon:
        eventually(lambda: not fires(daemon, 1))
        ends(house, "FAILURE")
        eventually(lambda: fires(daemon, 2))
        assert cards(house) == []
        ends(house, "FAILURE")
        eventually(lambda: cards(house, "failed, 2nd in a row"))
    assert len(cards(house)) == 1


def test_an_acknowledgement_stops_the_reminders_and_not_the_fix(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    path = config(house, store_url, tmp_path)
    with running(path, time.clock()) as daemon:
        quiet(daemon)
        ends(house, "FAILURE")
        eventually(lambda: len(cards(house, "failed")) == 1)
        time.pass_by(hours=24, minutes=1)
        eventually(lambda: len(replies(house, "is still failing")) == 1)
        assert "acknowledged by ada: on it" in command(path, "ack", "1", "--by", "ada", "--reason", "on it")
        deliver(daemon)
        eventually(lambda: "acknowledged by ada: on it" in str(house.slack.messages[0].blocks))
        time.pass_by(hours=24 * 8)
        looked(daemon, time)
        assert stored(daemon)[0].handling["reminders"] == 1
        ends(house, "SUCCESS")
        eventually(lambda: cards(house, "is fixed"))
    assert len(replies(house, "is still failing")) == 1
    assert "acknowledged" not in str(house.slack.messages[0].blocks)


def test_what_breaks_in_quiet_hours_is_told_when_they_end(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    now = time.now()
    start, end = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (-1, 2))
    path = config(house, store_url, tmp_path, quiet_hours=[{"from": start, "to": end}])
    house.world.jenkins.job("team/worker").build("SUCCESS")
    with running(path, time.clock()) as daemon:
        quiet(daemon)
        ends(house, "FAILURE")
        house.world.jenkins.job("team/worker").build("FAILURE")
        eventually(lambda: fires(daemon, 1) and fires(daemon, 2))
        house.world.jenkins.job("team/worker").build("SUCCESS")
        eventually(lambda: not (fires(daemon, 1) and fires(daemon, 2)))
        (row, *_) = daemon.database.read(outbox.listing)
        assert row.held == f"quiet hours until {end}"
        assert cards(house) == []
        time.pass_by(hours=2, minutes=1)
        deliver(daemon)
        eventually(lambda: "api" in str([message.blocks for message in house.slack.messages]))
        ends(house, "SUCCESS")
        eventually(lambda: "is fixed" in str([message.blocks for message in house.slack.messages]))


def test_what_lasts_is_told_to_others_too_and_they_hear_that_it_is_over(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    path = config(house, store_url, tmp_path, escalate=[{"after": "1h", "to": ["mail"]}])
    with running(path, time.clock()) as daemon:
        quiet(daemon)
        ends(house, "FAILURE")
        eventually(lambda: len(cards(house, "failed")) == 1)
        assert subjects(house) == []
        time.pass_by(hours=1)
        eventually(lambda: len(subjects(house, "failed")) == 1)
        ends(house, "SUCCESS")
        eventually(lambda: subjects(house, "is fixed"))
        eventually(lambda: cards(house, "is fixed"))
    assert len(subjects(house)) == 2


def test_what_changes_in_config_in_mid_alert_neither_tells_it_again_nor_loses_its_end(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    path = config(house, store_url, tmp_path)
    with running(path, time.clock()) as daemon:
        quiet(daemon)
        ends(house, "FAILURE")
        eventually(lambda: len(cards(house, "failed")) == 1)
        before = daemon.daemon._polling.configuration
        config(
            house,
            store_url,
            tmp_path,
            alerts={"success_rate_drop": "off", "failure": {"after": 3, "remind": ["30d"]}},
            routes=[{"to": "mail"}],
        )
        eventually(lambda: daemon.daemon._polling.configuration is not before)
        ends(house, "FAILURE")
        eventually(lambda: stored(daemon)[0].evidence["failures"] == 2)
        assert (len(cards(house)), subjects(house)) == (1, [])
        ends(house, "SUCCESS")
        eventually(lambda: cards(house, "is fixed"))
        for _ in range(3):
            ends(house, "FAILURE")
        eventually(lambda: subjects(house, "failed, 3rd in a row"))
    assert len(cards(house)) == 1
