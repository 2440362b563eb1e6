from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from alerts.verdict import verdict_of
from domain.alert import AlertKind, AlertState, Reason, Scope
from domain.build import Build, Outcome
from domain.message import Message
from poller.config import Configuration
from poller.digests.digesting import CATCHING_UP, PREFIX, TOO_LATE, preview, send_due
from poller.proof.selfcheck import SELFCHECK
from poller.record import DAEMON
from poller.watching.poll_counts import PollCounts
from poller.watching.polling import POLLS
from store import alerts, builds, notes, outbox, pipelines
from store.engine import Database, Session
from tests.support.builders import alert, build, pipeline
from tests.support.configurations import loaded

CONFIG = """
timezone: Europe/Berlin
day_starts_at: "10:00"
providers:
  ci: {kind: fake}
pipelines:
  - {provider: ci, job: "**"}
channels:
  desk: {kind: lamp}
  wall: {kind: lamp}
digests:
  - {name: morning, cron: "0 10 * * *", to: [desk, wall]}
"""
TEN = datetime(2026, 11, 20, 9, tzinfo=UTC)  # 10:00 in Berlin
DAY = timedelta(days=1)
SOON = timedelta(seconds=3)
Put = Callable[..., None]


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return loaded(tmp_path / "config.yaml", CONFIG)


@pytest.fixture
def stored(database: Database) -> Put:
    def put(*some: Build) -> None:
        database.transact(lambda session: builds.upsert(session, some, verdict_of, TEN))

    return put


def due(database: Database, configuration: Configuration, now: datetime) -> frozenset[str]:
    return database.transact(lambda session: send_due(session, configuration, now))


def said(database: Database) -> list[Message]:
    """What the desk was told, oldest first."""
    return [each.message for each in reversed(database.read(partial(outbox.listing, channel="desk")))]


def test_a_digest_is_sent_at_its_time_and_not_again(database: Database, configuration: Configuration) -> None:
    assert due(database, configuration, TEN - 2 * SOON) == frozenset()
    assert due(database, configuration, TEN) == {"desk", "wall"}
    assert due(database, configuration, TEN + SOON) == frozenset()
    assert due(database, configuration, TEN + DAY - SOON) == frozenset()
    assert due(database, configuration, TEN + DAY + SOON) == {"desk", "wall"}
    assert len(said(database)) == 2
    views = database.read(partial(alerts.listing, all=True))
    assert {(view.alert.kind, view.alert.state, view.alert.scope) for view in views} == {
        (AlertKind.DIGEST, AlertState.RESOLVED, Scope(provider="*", branch="morning"))
    }
    assert {each.reason for view in views for each in view.notifications} == {Reason.FIRST}


def test_a_digest_that_is_new_waits_for_its_next_time(database: Database, configuration: Configuration) -> None:
    assert due(database, configuration, TEN + timedelta(hours=1)) == frozenset()
    assert due(database, configuration, TEN + DAY) == {"desk", "wall"}


def test_one_that_is_written_down_just_before_its_time_is_not_missed(
    database: Database, configuration: Configuration
) -> None:
    assert due(database, configuration, TEN + SOON) == {"desk", "wall"}


def test_new_times_in_config_yaml_make_no_digest_of_the_past(
    database: Database, configuration: Configuration, tmp_path: Path
) -> None:
    due(database, configuration, TEN)
    for number, change in enumerate((("0 10", "30 10"), ("Europe/Berlin", "Europe/London"))):
        changed = loaded(tmp_path / f"{number}.yaml", CONFIG.replace(*change))
        assert due(database, changed, TEN + timedelta(hours=2)) == frozenset()
    none = loaded(tmp_path / "none.yaml", CONFIG[: CONFIG.index("digests:")])
    assert due(database, none, TEN + DAY) == frozenset()


def test_of_several_missed_slots_the_last_is_sent_and_an_old_one_is_left_out(
    database: Database, configuration: Configuration, caplog: pytest.LogCaptureFixture
) -> None:
    due(database, configuration, TEN)
    assert due(database, configuration, TEN + 3 * DAY + timedelta(hours=2)) == {"desk", "wall"}
    assert len(said(database)) == 2
    assert ("Late", "was due at 10:00, when buildwatch was not running") in {
        (fact.name, fact.value) for fact in said(database)[-1].facts
    }
    assert due(database, configuration, TEN + 4 * DAY + TOO_LATE + SOON) == frozenset()
    assert "left out" in caplog.text
    assert due(database, configuration, TEN + 4 * DAY + TOO_LATE + SOON) == frozenset()
    assert due(database, configuration, TEN + 5 * DAY) == {"desk", "wall"}


def test_a_clock_that_is_set_sends_nothing_twice_and_stops_nothing(
    database: Database, configuration: Configuration
) -> None:
    due(database, configuration, TEN)
    assert due(database, configuration, TEN - timedelta(hours=1)) == frozenset()
    assert due(database, configuration, TEN) == frozenset()
    assert due(database, configuration, TEN + 3650 * DAY) == {"desk", "wall"}  # it ran ten years ahead
    assert due(database, configuration, TEN + timedelta(hours=1)) == frozenset()
    assert due(database, configuration, TEN + DAY) == {"desk", "wall"}


def test_it_waits_for_polls_that_see_what_ended_before_its_time(
    database: Database, configuration: Configuration
) -> None:
    def put(key: str, value: object) -> None:
        database.transact(lambda session: notes.put(session, key, value, TEN))

    due(database, configuration, TEN - DAY)
    put(DAEMON, {"since": TEN.isoformat()})
    put(POLLS, {"ci:jobs": (TEN - SOON).isoformat(), "ci:more": (TEN + SOON).isoformat()})
    assert due(database, configuration, TEN + 2 * SOON) == frozenset()
    assert database.read(lambda s: notes.read(s, PREFIX))[f"{PREFIX}morning"].value["slot"] != TEN.isoformat()
    put(POLLS, {"ci:jobs": TEN.isoformat(), "ci:more": (TEN + SOON).isoformat()})
    assert due(database, configuration, TEN + 3 * SOON) == {"desk", "wall"}
    put(DAEMON, {"since": (TEN + DAY + timedelta(hours=1)).isoformat()})  # a start after the next slot
    assert due(database, configuration, TEN + DAY + timedelta(hours=1) + SOON) == frozenset()
    assert due(database, configuration, TEN + DAY + timedelta(hours=1) + CATCHING_UP) == {"desk", "wall"}


def test_the_report_is_of_the_last_whole_day(database: Database, configuration: Configuration, stored: Put) -> None:
    def at(number: int, outcome: Outcome, ago: timedelta, **changes: object) -> Build:
        return build(number, outcome, started_at=TEN - ago, **changes)

    hour = timedelta(hours=1)
    stored(
        at(1, Outcome.SUCCESS, 26 * hour),  # the day before
        at(2, Outcome.FAILURE, 23 * hour, bucket="disk full", labels={"cloud": "aws"}),
        at(3, Outcome.SUCCESS, 22 * hour, labels={"cloud": "gcp"}),
        at(4, Outcome.CANCELLED, 21 * hour),
        at(5, Outcome.SUCCESS, -hour),  # after it
    )
    message = database.read(lambda s: preview(s, configuration.digests[0], configuration, TEN + 2 * hour))
    assert message.headline == "🔵 Digest morning: 50 % of 2 builds passed, 50 points less than usual"
    values = {fact.name: fact.value for fact in message.facts}
    assert values["Window"] == "Thu 19 Nov 10:00 to Fri 20 Nov 10:00 CET"
    assert values["Builds"] == "1 passed, 1 failed, 1 neither (cancelled, skipped)"
    assert [each.title for each in message.heats] == ["Pipelines, the worst first", "By cloud"]
    assert [each.title for each in message.tables] == ["Why builds failed"]
    assert [(row.name, row.value) for row in message.heats[1].rows] == [("aws", "0 % of 1"), ("gcp", "100 % of 1")]


def test_a_window_of_time_ends_with_the_slot_and_its_strips_are_days(
    database: Database, configuration: Configuration, stored: Put, tmp_path: Path
) -> None:
    weekly = loaded(tmp_path / "weekly.yaml", CONFIG.replace('"0 10 * * *"', '"0 10 * * *", window: 7d'))
    stored(*(build(number, Outcome.FAILURE, started_at=TEN - number * DAY) for number in range(1, 9)))
    message = database.read(lambda s: preview(s, weekly.digests[0], weekly, TEN))
    assert "0 % of 7 builds passed" in message.headline
    assert message.heats[0].columns == ("Fri 13", "Sat 14", "Sun 15", "Mon 16", "Tue 17", "Wed 18", "Thu 19")
    del configuration


def test_growth_and_unsteadiness_are_found(database: Database, configuration: Configuration, stored: Put) -> None:
    slow, flaky = pipeline("slow"), pipeline("flaky")
    hour, minute = timedelta(hours=1), timedelta(minutes=1)

    def took(number: int, ago: timedelta, length: timedelta) -> Build:
        start = TEN - ago
        return build(number, pipeline=slow, started_at=start, finished_at=start + length)

    stored(*(took(number, (10 - number) * DAY, 10 * minute) for number in range(3, 9)), took(9, 5 * hour, 30 * minute))
    letters = [Outcome.SUCCESS, Outcome.FAILURE] * 3
    stored(*(build(n, each, pipeline=flaky, started_at=TEN - n * hour) for n, each in enumerate(letters, 1)))
    message = database.read(lambda s: preview(s, configuration.digests[0], configuration, TEN))
    tables = {each.title: [[cell.text for cell in row] for row in each.rows] for each in message.tables}
    assert tables["Flakiest, in 7 days"] == [["flaky", "0", "5 times in 6 builds"]]
    assert tables["Slower than in the 7 days before"] == [["slow", "30 m", "10 m", "+200 %"]]


def test_open_alerts_the_polls_the_self_check_and_the_outbox_are_in_it(
    database: Database, configuration: Configuration
) -> None:
    counts = PollCounts()
    counts.made("ci", TEN - timedelta(hours=5), TEN - timedelta(hours=6))
    check = {"at": TEN.isoformat(), "failed": 3, "unexplained": []}
    handling = {"acknowledged": {"by": "ada", "reason": "on it"}, "silenced_by": 3, "hidden_by": 4}
    due(database, configuration, TEN - DAY)

    def put(**changes: object) -> None:
        def unit(session: Session) -> None:
            pipelines.remember(session, [pipeline()], TEN)
            alerts.save(session, alert(started_at=TEN - DAY, handling=handling))
            counts.save(session, TEN)
            notes.put(session, POLLS, {"ci:jobs": (TEN - timedelta(hours=2)).isoformat()}, TEN)
            notes.put(session, SELFCHECK, check | changes, TEN)

        database.transact(unit)

    put()
    show = partial(preview, digest=configuration.digests[0], configuration=configuration, now=TEN)
    message = database.read(show)
    tables = {each.title: [[cell.text for cell in row] for row in each.rows] for each in message.tables}
    said_about = "deploy / main failed; silenced, flapping, acknowledged by ada: on it"
    assert tables["Still open, the oldest first"] == [["deploy / main", "1 d", said_about]]
    assert tables["How we watched"] == [["ci", "1", "0", "2 h"]]  # the gap that is still open
    values = {fact.name: fact.value for fact in message.facts}
    assert values["Self-check"] == "3 failed builds, each with a message or a reason (Fri 10:00)"
    for change, expected in (
        ({"failed": 0}, "no failed build that anybody should know of (Fri 10:00)"),
        ({"unexplained": [7]}, "1 of 3 failed builds have neither a message nor a reason, see doctor (Fri 10:00)"),
    ):
        database.transact(lambda s, change=change: notes.put(s, SELFCHECK, check | change, TEN))  # type: ignore[misc]
        assert {fact.name: fact.value for fact in database.read(show).facts}["Self-check"] == expected
    due(database, configuration, TEN + CATCHING_UP)
    assert {fact.name: fact.value for fact in database.read(show).facts}["Messages"] == "4 waiting"
