from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.decision import Decision
from alerts.kinds.stuck import Unfinished, decide_stuck, longest_run
from alerts.rules import StuckRule
from domain.alert import Alert, AlertState, Reason, Scope
from domain.build import Status
from tests.support.builders import NOON, minutes

SCOPE = Scope(provider="ci", pipeline="web/deploy", branch="main")
HALF = timedelta(minutes=30)


def runs(number: int = 812, since: datetime = NOON) -> Unfinished:
    return Unfinished(build_id=number, number=number, generation=0, status=Status.RUNNING, since=since)


def waits(number: int = 812, since: datetime = NOON) -> Unfinished:
    return Unfinished(build_id=number, number=number, generation=0, status=Status.QUEUED, since=since)


def judge(after: float, unfinished: list[Unfinished], *stored: Alert, **changes: Any) -> tuple[Decision, ...]:
    values: dict[str, Any] = {
        "ended": {},
        "rule": StuckRule(),
        "longest": timedelta(hours=1),
        "watched_since": NOON - timedelta(days=30),
    }
    return decide_stuck(scope=SCOPE, unfinished=unfinished, stored=stored, now=minutes(after), **(values | changes))


def fired(after: float, *unfinished: Unfinished) -> Alert:
    (decision,) = judge(after, list(unfinished))
    assert decision.reason is Reason.FIRST
    return decision.alert


@pytest.mark.parametrize(
    ("passed", "longest"),
    [
        ([60.0] * 4, None),
        ([60.0] * 5, 16 * 60),
        ([3600.0] * 5, 7200),
        ([900.0] * 100, 1800),
        ([], None),
    ],
)
def test_a_build_may_run_twice_as_long_as_usual_and_at_least_fifteen_minutes_more(
    passed: list[float], longest: float | None
) -> None:
    assert longest_run(StuckRule(), passed) == (None if longest is None else timedelta(seconds=longest))


def test_a_limit_in_the_configuration_counts_instead() -> None:
    assert longest_run(StuckRule(running_longer_than=HALF), [60.0] * 50) == HALF


def test_a_build_that_runs_too_long_is_told_while_it_runs() -> None:
    assert judge(59, [runs()]) == ()
    (decision,) = judge(60, [runs()])
    assert (decision.reason, decision.build_ids) == (Reason.FIRST, (812,))
    assert decision.alert.summary == "#812 has been running for 1 h"
    assert judge(90, [runs()], decision.alert) == ()
    assert judge(90, [runs()], longest=None) == ()


def test_a_build_that_waits_too_long_is_told_and_its_start_ends_that() -> None:
    assert judge(29, [waits()]) == ()
    alert = fired(30, waits())
    assert alert.summary == "#812 has been waiting in the queue for 30 m"
    (ended,) = judge(46, [runs(since=minutes(45))], alert)
    assert (ended.alert.state, ended.alert.summary) == (AlertState.RESOLVED, "#812 started after 45 m in the queue")
    (github,) = judge(46, [runs()], alert)
    assert github.alert.summary == "#812 started after 46 m in the queue"


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        (("success", 7200), "#812 succeeded after 2 h"),
        (("cancelled", None), "#812 was cancelled"),
        (("unknown", 60), "#812 ended after 1 m"),
        (None, "#812 is not there any more"),
    ],
)
def test_it_ends_with_the_build_and_says_how(ending: tuple[str, int | None] | None, said: str) -> None:
    (decision,) = judge(120, [], fired(61, runs()), ended={812: ending} if ending else {})
    assert (decision.alert.state, decision.alert.summary) == (AlertState.RESOLVED, said)
    assert decision.build_ids == (812,)


def test_one_alert_names_all_builds_of_the_stream() -> None:
    alert = fired(61, runs())
    second = runs(813, minutes(5))
    (grown,) = judge(66, [runs(), second], alert)
    assert grown.reason is None, "nobody was told by this alert, so no card is brought up to date"
    assert grown.alert.summary == "2 builds are stuck: #812 running for 1 h 6 m, #813 running for 1 h 1 m"
    (fewer,) = judge(70, [second], grown.alert, ended={812: ("failure", 4000)})
    assert [each["number"] for each in fewer.alert.evidence["builds"]] == [813]
    (ended,) = judge(80, [], fewer.alert, ended={813: ("success", 4200)})
    assert ended.alert.summary == "#812 failed after 1 h 6 m, #813 succeeded after 1 h 10 m"


def test_changed_limits_end_nothing() -> None:
    alert = fired(61, runs())
    assert judge(62, [runs()], alert, rule=StuckRule(running_longer_than=timedelta(days=1))) == ()
    assert judge(62, [runs()], alert, longest=None) == ()


def test_switched_off_it_is_closed() -> None:
    (closed,) = judge(62, [runs()], fired(61, runs()), rule=None)
    assert closed.alert.state is AlertState.CLOSED
    assert judge(62, [runs()], rule=None) == ()


def test_what_was_stuck_when_we_met_it_is_baseline() -> None:
    (decision,) = judge(300, [runs()], watched_since=minutes(200))
    assert (decision.reason, decision.baseline) == (None, True)


def test_a_build_that_nobody_hears_of_does_not_fire_for_ever() -> None:
    week = 7 * 24 * 60
    assert judge(week + 61, [runs()]) == ()
    (closed,) = judge(week + 61, [runs()], fired(61, runs()))
    assert (closed.alert.state, closed.alert.summary) == (
        AlertState.CLOSED,
        "closed: nothing was heard of it for 7 d",
    )
