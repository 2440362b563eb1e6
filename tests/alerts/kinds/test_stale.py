from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.decision import Decision
from alerts.kinds.stale import Begun, Due, decide_stale, due
from alerts.rules import Expectation
from domain.alert import Alert, AlertState, Reason, Scope
from poller.config.cron import next_after
from tests.support.builders import NOON

SCOPE = Scope(provider="ci", pipeline="web/nightly")
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
DAILY = Expectation(every=timedelta(days=1), grace=2 * HOUR)
LONG_AGO = NOON - timedelta(days=365)


def begun(at: datetime, number: int = 1) -> Begun:
    return Begun(build_id=number, number=number, generation=0, at=at)


def due_of(rule: Expectation, *builds: Begun, since: datetime = LONG_AGO, zone: Any = UTC) -> Due | None:
    return due(rule, builds, watched_since=since, next_after=lambda cron, after: next_after(cron, zone, after))


def latest(rule: Expectation, *builds: Begun, **more: Any) -> datetime:
    found = due_of(rule, *builds, **more)
    assert found is not None
    return found.latest


def judge(
    now: datetime, last: Begun | None, *stored: Alert, rule: Expectation | None = DAILY, **changes: Any
) -> tuple[Decision, ...]:
    values: dict[str, Any] = {"watched_since": LONG_AGO, "because": "the job is disabled"}
    values |= changes
    expected = due_of(rule, *([last] if last else []), since=values["watched_since"]) if rule else None
    return decide_stale(scope=SCOPE, due=expected, last=last, stored=stored, rule=rule, now=now, **values)


def test_a_build_is_due_so_long_after_the_last_one() -> None:
    assert latest(DAILY, begun(NOON)) == NOON + 26 * HOUR


def test_a_pipeline_without_builds_counts_from_when_it_is_watched() -> None:
    assert latest(DAILY, since=NOON) == NOON + 26 * HOUR
    nightly = Expectation(cron="0 2 * * *", grace=2 * HOUR)
    assert latest(nightly, since=NOON) == NOON + 16 * HOUR


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (datetime(2026, 11, 20, 0, 59, 30, tzinfo=UTC), datetime(2026, 11, 21, 1, tzinfo=UTC)),  # their clock is slow
        (datetime(2026, 11, 20, 0, 55, tzinfo=UTC), datetime(2026, 11, 20, 1, tzinfo=UTC)),  # somebody was early
        (datetime(2026, 11, 20, 2, 30, tzinfo=UTC), datetime(2026, 11, 21, 1, tzinfo=UTC)),  # late, within grace
        (datetime(2026, 3, 28, 1, 5, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)),  # 02:00 is left out: 03:00
        (datetime(2026, 3, 29, 1, 5, tzinfo=UTC), datetime(2026, 3, 30, 0, tzinfo=UTC)),  # summer
        (datetime(2026, 10, 24, 0, 5, tzinfo=UTC), datetime(2026, 10, 25, 0, tzinfo=UTC)),  # 02:00 comes twice: once
        (datetime(2026, 10, 25, 0, 5, tzinfo=UTC), datetime(2026, 10, 26, 1, tzinfo=UTC)),  # winter
    ],
)
def test_a_cron_line_means_local_times(last: datetime, expected: datetime) -> None:
    found = due_of(Expectation(cron="0 2 * * *"), begun(last), zone=BERLIN)
    assert found is not None
    assert found.at == expected


def test_what_never_comes_again_is_not_due() -> None:
    rule = Expectation(cron="0 2 * * *")
    assert due(rule, [begun(NOON)], watched_since=NOON, next_after=lambda *_: None) is None


def test_auto_waits_three_times_the_usual_gap_and_needs_twenty_builds() -> None:
    auto = Expectation(auto=True)
    hourly = [begun(NOON + number * HOUR, number) for number in range(20)]
    assert due_of(auto, *hourly[1:]) is None
    assert latest(auto, *hourly) == hourly[-1].at + 3 * HOUR


def test_auto_knows_a_gap_that_came_twice_as_a_habit_and_one_that_came_once_not() -> None:
    auto = Expectation(auto=True)
    moments, at = [], NOON
    for week in range(3):
        for number in range(40):
            moments.append(begun(at, 100 * week + number))
            at += HOUR
        at += 60 * HOUR  # a weekend
    assert latest(auto, *moments) - moments[-1].at == 1.1 * 61 * HOUR
    once = [each for each in moments if each.number < 200]
    assert latest(auto, *once) - once[-1].at == 3 * HOUR


def test_it_fires_once_when_the_grace_is_over_and_says_why() -> None:
    assert judge(NOON + 25.9 * HOUR, begun(NOON)) == ()
    (decision,) = judge(NOON + 26 * HOUR, begun(NOON, 7))
    alert = decision.alert
    assert (decision.reason, decision.baseline, decision.build_ids) == (Reason.FIRST, False, (7,))
    assert (alert.scope, alert.started_at) == (SCOPE, NOON + 24 * HOUR)
    assert alert.summary == "no build for 1 d 2 h, expected every 1 d: the job is disabled"
    assert alert.evidence["because"] == "the job is disabled"
    assert judge(NOON + 50 * HOUR, begun(NOON, 7), alert) == ()
    assert judge(NOON + 50 * HOUR, begun(NOON, 7), alert, rule=Expectation(every=7 * 24 * HOUR)) == ()


def test_the_next_build_ends_it() -> None:
    (fired,) = judge(NOON + 26 * HOUR, begun(NOON, 7))
    (ended,) = judge(NOON + 31 * HOUR, begun(NOON + 30 * HOUR, 8), fired.alert)
    assert (ended.alert.state, ended.alert.resolved_at) == (AlertState.RESOLVED, NOON + 30 * HOUR)
    assert (ended.alert.evidence["waited"], ended.alert.evidence["ended_by"]["id"]) == ("1 d 6 h", 8)


def test_the_first_build_of_all_ends_it_and_an_older_one_does_not() -> None:
    (fired,) = judge(NOON + 27 * HOUR, None, watched_since=NOON)
    assert "last_build" not in fired.alert.evidence
    assert judge(NOON + 28 * HOUR, begun(NOON - HOUR), fired.alert) == ()
    (ended,) = judge(NOON + 28 * HOUR, begun(NOON + 27.5 * HOUR), fired.alert)
    assert ended.alert.state is AlertState.RESOLVED


def test_what_was_stale_when_we_met_it_is_baseline() -> None:
    (decision,) = judge(NOON, begun(NOON - 100 * HOUR), watched_since=NOON - HOUR)
    assert (decision.reason, decision.baseline) == (None, True)


def test_switched_off_it_is_closed() -> None:
    (fired,) = judge(NOON + 26 * HOUR, begun(NOON, 7))
    (closed,) = judge(NOON + 27 * HOUR, begun(NOON, 7), fired.alert, rule=None)
    assert closed.alert.state is AlertState.CLOSED
    assert judge(NOON + 27 * HOUR, begun(NOON, 7), rule=None) == ()
