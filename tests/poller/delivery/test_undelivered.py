from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.alert import Alert, AlertKind, AlertState, Delivery, Notification, Reason, Scope
from domain.waiting import Form
from poller.config import Configuration
from poller.delivery.courier import ChannelStatus
from poller.delivery.undelivered import judge_channels
from store import alerts, outbox, outcomes, waiting
from store.engine import Database, Session
from tests.support.builders import NOON, alert, minutes, notification
from tests.support.configurations import loaded

CONFIG = """
providers:
  ci: {kind: fake}
pipelines:
  - {provider: ci, job: "**"}
channels:
  desk: {kind: lamp}
  wall: {kind: lamp}
  hall: {kind: lamp}
routes:
  - {match: {pipeline: "lib/*"}, to: [wall]}
  - {to: [desk]}
"""
FINE = ChannelStatus(state="ok")
DOWN = ChannelStatus(state="broken", error="invalid_auth", failing_since=NOON)


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return loaded(tmp_path / "config.yaml", CONFIG)


@pytest.fixture
def judge(database: Database, configuration: Configuration) -> Callable[..., frozenset[str]]:
    """Judge all channels so many minutes after NOON; those that are not named are fine."""

    def judged(minute: float, **statuses: ChannelStatus) -> frozenset[str]:
        given = {"desk": FINE, "wall": FINE, "hall": FINE, **statuses}
        return database.transact(lambda session: judge_channels(session, given, configuration, minutes(minute)))

    return judged


def said(database: Database) -> list[tuple[str, Reason, str]]:
    """What was written about channels: to whom, why and what."""
    notes: list[Notification] = list(reversed(database.read(outbox.listing)))
    found = [note for note in notes if note.about.get("kind") == "delivery_failed"]
    return [(note.channel, note.reason, note.message.headline) for note in found]


def firing(database: Database) -> list[Alert]:
    return [each for each in database.read(alerts.firing) if each.kind is AlertKind.DELIVERY_FAILED]


def give_up(database: Database, channel: str = "desk", error: str = "too large", **changes: Any) -> None:
    """A message that a channel refused for good."""

    def unit(session: Session) -> None:
        saved = alerts.save(session, alert(**changes))
        outbox.add(session, [notification(alert_id=saved.id, channel=channel, about={"name": "web / main"})])
        (row,) = waiting.waiting(session, channel, NOON)
        outcomes.mark_dead(session, waiting.take(session, [row], Form.SINGLE, NOON), error, NOON)

    database.transact(unit)


Judge = Callable[..., frozenset[str]]


def test_a_channel_that_takes_nothing_for_a_quarter_of_an_hour_is_told_on_another_one(
    database: Database, judge: Judge
) -> None:
    assert judge(14, wall=DOWN) == frozenset()
    assert judge(15, wall=DOWN) == {"desk"}
    assert judge(16, wall=DOWN) == frozenset()
    assert said(database) == [
        ("desk", Reason.FIRST, "🟠 buildwatch: the channel wall has taken no messages for 15 m: invalid_auth")
    ]
    (told,) = firing(database)
    assert (told.scope, told.started_at) == (Scope(provider="buildwatch", branch="wall"), NOON)


def test_when_it_takes_messages_again_that_is_told_where_it_was(database: Database, judge: Judge) -> None:
    judge(20, wall=DOWN)
    assert judge(30, wall=ChannelStatus(state="ok", delivered_at=minutes(29))) == {"desk"}
    assert said(database)[1] == ("desk", Reason.RESOLVED, "🟢 buildwatch: the channel wall takes messages again")
    assert firing(database) == []


def test_it_is_never_told_on_itself_and_any_other_channel_that_works_will_do(database: Database, judge: Judge) -> None:
    assert judge(20, desk=DOWN, wall=DOWN) == {"hall"}
    assert {channel for channel, *_ in said(database)} == {"hall"}


def test_when_no_channel_works_it_is_told_as_soon_as_one_does(database: Database, judge: Judge) -> None:
    assert judge(20, desk=DOWN, wall=DOWN, hall=DOWN) == frozenset()
    assert len(firing(database)) == 3
    works = ChannelStatus(state="ok", delivered_at=minutes(21))
    assert judge(21, desk=DOWN, wall=DOWN, hall=works) == {"hall"}
    assert [reason for _, reason, _ in said(database)] == [Reason.FIRST, Reason.FIRST]
    assert len(firing(database)) == 2


def test_a_restart_begins_no_new_time(database: Database, judge: Judge) -> None:
    judge(10, wall=DOWN)
    assert judge(11) == frozenset()
    later = ChannelStatus(state="broken", error="invalid_auth", failing_since=minutes(12))
    assert judge(15.5, wall=later) == {"desk"}
    assert firing(database)[0].started_at == NOON


def test_what_waits_is_listed(database: Database, judge: Judge) -> None:
    def unit(session: Session) -> None:
        saved = alerts.save(session, alert())
        about = {"name": "web / main", "broken": "failed", "url": "https://ci.example.com/1"}
        outbox.add(session, [notification(alert_id=saved.id, channel="wall", about=about)])

    database.transact(unit)
    judge(20, wall=DOWN)
    (table,) = database.read(outbox.listing)[0].message.tables
    assert [cell.text for cell in table.rows[0]] == ["web / main", "failed"]


def test_a_message_that_was_given_up_is_told_once_elsewhere(database: Database, judge: Judge) -> None:
    judge(0)
    give_up(database, channel="wall")
    assert judge(1) == {"desk"}
    assert judge(2) == frozenset()
    assert said(database) == [
        ("desk", Reason.FIRST, "🟠 buildwatch: the channel wall did not take 1 message, given up for good")
    ]
    assert firing(database) == []
    (table,) = database.read(outbox.listing)[0].message.tables
    assert [cell.text for cell in table.rows[0]] == ["web / main", "too large"]


def test_what_is_given_up_while_a_channel_takes_nothing_is_an_update(database: Database, judge: Judge) -> None:
    judge(20, wall=DOWN)
    give_up(database, channel="wall")
    assert judge(21, wall=DOWN) == {"desk"}
    assert said(database)[1][1:] == (
        Reason.UPDATE,
        "🟠 buildwatch: the channel wall did not take 1 message, given up for good: invalid_auth",
    )


def test_what_a_person_gave_up_and_what_is_about_a_channel_is_not_told(database: Database, judge: Judge) -> None:
    judge(0)
    give_up(database, error=outbox.DROPPED)
    give_up(database, kind=AlertKind.DELIVERY_FAILED, scope=Scope(provider="buildwatch", branch="wall"))
    assert judge(1) == frozenset()


def test_what_was_given_up_before_this_was_looked_at_is_history(database: Database, judge: Judge) -> None:
    give_up(database)
    assert judge(0) == frozenset()
    assert judge(1) == frozenset()


def test_switched_off_it_ends(database: Database, judge: Judge, tmp_path: Path) -> None:
    judge(20, wall=DOWN)
    off = loaded(tmp_path / "off.yaml", CONFIG + "alerts: {delivery_failed: off}\n")
    told = database.transact(lambda session: judge_channels(session, {"wall": DOWN}, off, minutes(21)))
    assert told == {"desk"}
    assert database.read(lambda session: alerts.listing(session, all=True))[0].alert.state is AlertState.CLOSED
    assert database.transact(lambda session: judge_channels(session, {"wall": DOWN}, off, minutes(40))) == frozenset()


def test_a_channel_that_is_gone_is_forgotten(database: Database, configuration: Configuration) -> None:
    for statuses in ({"old": DOWN}, {}, {"old": FINE}):
        database.transact(lambda session, given=statuses: judge_channels(session, given, configuration, minutes(5)))
    assert firing(database) == []
    assert database.read(lambda session: outbox.listing(session, delivery=Delivery.PENDING)) == []
