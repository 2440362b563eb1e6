from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts.verdict import verdict_of
from domain.alert import AlertKind, AlertState
from poller.config import Configuration
from poller.startup import record_alive, record_return, tell_return
from store import alerts, builds, outbox
from store.engine import Database, Session
from tests.support.builders import NOON, alert, minutes
from tests.support.builders import builds as series
from tests.support.configurations import loaded

CONFIG = """
timezone: Asia/Kolkata
providers:
  ci: {kind: fake}
pipelines:
  - {provider: ci, job: "web/*"}
channels:
  desk: {kind: lamp}
  wall: {kind: lamp}
routes:
  - {match: {pipeline: "lib/*"}, to: [wall]}
  - {to: [desk]}
"""
EN = "\N{EN DASH}"


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return loaded(tmp_path / "config.yaml", CONFIG)


def runs(database: Database, start: datetime, end: datetime) -> None:
    """The daemon runs from start to end, without ever telling that it is back."""
    database.transact(lambda session: record_return(session, start))
    database.transact(lambda session: record_alive(session, end))


def told(database: Database, configuration: Configuration, now: datetime) -> frozenset[str]:
    return database.transact(lambda session: tell_return(session, configuration, now))


def headlines(database: Database) -> list[str]:
    return [each.message.headline for each in reversed(database.read(outbox.listing))]


def test_nothing_is_said_at_the_first_start_and_after_a_restart(
    database: Database, configuration: Configuration
) -> None:
    runs(database, NOON, minutes(5))
    assert told(database, configuration, minutes(5)) == frozenset()
    runs(database, minutes(14), minutes(20))
    assert told(database, configuration, minutes(20)) == frozenset()
    database.transact(lambda session: record_return(session, minutes(3)))  # a clock that was set back
    assert told(database, configuration, minutes(4)) == frozenset()


def test_what_was_filled_in_and_what_is_late_is_told_once(database: Database, configuration: Configuration) -> None:
    runs(database, NOON, minutes(5))
    runs(database, minutes(50), minutes(51))

    def fill(session: Session) -> None:
        builds.upsert(session, series("PFP"), verdict_of, minutes(51))
        alerts.save(session, alert(started_at=minutes(25)))
        for kind in (AlertKind.DIGEST, AlertKind.BASELINE):
            alerts.save(session, alert(started_at=minutes(25), kind=kind))

    database.transact(fill)
    assert told(database, configuration, minutes(52)) == {"desk"}
    assert told(database, configuration, minutes(53)) == frozenset()
    expected = f"🔵 buildwatch was down 17:35{EN}18:20 (45 m): 3 builds filled in, 1 alert late"
    assert headlines(database) == [expected]
    (message,) = [each.message for each in database.read(outbox.listing)]
    assert [(fact.name, fact.value) for fact in message.facts] == [
        ("deploy / main", "deploy / main failed, since Fri 17:55")
    ]
    started = next(
        view.alert
        for view in database.read(lambda s: alerts.listing(s, all=True))
        if view.alert.kind is AlertKind.STARTED
    )
    assert (started.state, started.started_at, started.resolved_at) == (
        AlertState.RESOLVED,
        minutes(5),
        minutes(50),
    )


def test_a_short_gap_in_which_nothing_happened_is_not_worth_a_message(
    database: Database, configuration: Configuration
) -> None:
    runs(database, NOON, minutes(5))
    runs(database, minutes(60), minutes(61))
    assert told(database, configuration, minutes(61)) == frozenset()
    assert told(database, configuration, minutes(62)) == frozenset()


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (timedelta(hours=3), f"17:30{EN}20:30 (3 h)"),
        (timedelta(hours=13), f"Fri 17:30{EN}Sat 06:30 (13 h)"),
        (timedelta(days=9), f"20 Nov 17:30{EN}29 Nov 17:30 (9 d)"),
    ],
)
def test_a_long_gap_is_told_whatever_happened(
    database: Database, configuration: Configuration, gap: timedelta, words: str
) -> None:
    runs(database, NOON - timedelta(hours=1), NOON)
    runs(database, NOON + gap, NOON + gap)
    assert told(database, configuration, NOON + gap) == {"desk"}
    assert headlines(database) == [f"🔵 buildwatch was down {words}: nothing was missed"]


def test_a_gap_that_a_short_run_did_not_tell_of_goes_on(database: Database, configuration: Configuration) -> None:
    runs(database, NOON, minutes(5))
    runs(database, minutes(120), minutes(121))
    runs(database, minutes(122), minutes(123))
    assert told(database, configuration, minutes(123)) == {"desk"}
    assert f"17:35{EN}19:32" in headlines(database)[0]


def test_many_late_alerts_are_counted(database: Database, configuration: Configuration) -> None:
    runs(database, NOON, minutes(5))
    runs(database, minutes(90), minutes(91))

    def fill(session: Session) -> None:
        for number in range(12):
            alerts.save(
                session,
                alert(started_at=minutes(10 + number), state=AlertState.RESOLVED),
            )

    database.transact(fill)
    told(database, configuration, minutes(92))
    (message,) = [each.message for each in database.read(outbox.listing)]
    assert "12 alerts late" in message.headline
    assert (len(message.facts), message.facts[-1].value) == (11, "2 more")
