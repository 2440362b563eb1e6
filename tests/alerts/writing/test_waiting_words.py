from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

from alerts.kinds.no_verdict import decide_no_verdict
from alerts.kinds.stale import Begun, Due, decide_stale
from alerts.kinds.stuck import Unfinished, decide_stuck
from alerts.rules import Expectation, NoVerdictRule, StuckRule
from alerts.writing.message import compose
from domain.alert import Alert, AlertState, Reason, Scope
from domain.build import Status, Verdict
from domain.message import Message, Tone
from domain.stream import Ended
from tests.support.builders import NOON, build, minutes, pipeline

SCOPE = Scope(provider="ci", pipeline="web/deploy", branch="main")
WHOLE = Scope(provider="ci", pipeline="web/deploy")
LONG_AGO = NOON - timedelta(days=99)


def message(alert: Alert, reason: Reason, after: float, *numbers: int) -> Message:
    found = {number: build(number, id=number) for number in numbers}
    return compose(alert, reason, pipeline=pipeline(), builds=found, now=minutes(after), zone=UTC)


def lines(said: Message) -> dict[str, str]:
    return {fact.name: fact.value for fact in said.facts}


def stale(last: Begun | None, now: float, *stored: Alert) -> Alert:
    due = Due(at=NOON + timedelta(days=1), grace=timedelta(hours=2), expected="every 1 d")
    rule = Expectation(every=timedelta(days=1))
    (decision,) = decide_stale(
        scope=WHOLE,
        due=due,
        last=last,
        stored=stored,
        rule=rule,
        because="the job is disabled",
        watched_since=NOON - timedelta(hours=1),
        now=minutes(now),
    )
    return decision.alert


def test_a_stale_pipeline_says_since_when_what_was_expected_and_why() -> None:
    last = Begun(build_id=7, number=7, generation=0, at=NOON)
    alert = stale(last, 26 * 60)
    said = message(alert, Reason.FIRST, 26 * 60, 7)
    assert said.headline == "🟠 deploy no build for 1 d 2 h, expected every 1 d: the job is disabled"
    assert lines(said) == {
        "Pipeline": "deploy (web/deploy)",
        "Expected": "every 1 d",
        "Due": "2026-11-21 12:00 UTC, and 2 h of grace",
        "Because": "the job is disabled",
        "Last build": "#7, 2026-11-20 12:00 UTC",
        "Since": "2026-11-21 12:00 UTC",
    }
    reminded = message(alert, Reason.REMINDER, 50 * 60)
    assert "no build for 2 d 2 h" in reminded.headline
    new = Begun(build_id=8, number=8, generation=0, at=minutes(30 * 60))
    over = message(stale(new, 31 * 60, alert), Reason.RESOLVED, 31 * 60, 7, 8)
    assert (over.tone, over.headline) == (Tone.FIXED, "🟢 deploy builds again: #8 after 1 d 6 h without a build")


def test_a_pipeline_that_was_never_built_says_so() -> None:
    said = message(stale(None, 26 * 60), Reason.FIRST, 26 * 60)
    assert lines(said)["Last build"] == "none since it is watched, 2026-11-20 11:00 UTC"


def stuck(*stored: Alert, unfinished: list[Unfinished], ended: Any = None, now: float) -> Alert:
    (decision,) = decide_stuck(
        scope=SCOPE,
        unfinished=unfinished,
        ended=ended or {},
        stored=stored,
        rule=StuckRule(),
        longest=timedelta(minutes=40),
        watched_since=LONG_AGO,
        now=minutes(now),
    )
    return decision.alert


def test_stuck_builds_say_for_how_long_and_how_they_end() -> None:
    first = Unfinished(build_id=812, number=812, generation=0, status=Status.RUNNING, since=NOON)
    second = replace(first, build_id=813, number=813, status=Status.QUEUED, since=minutes(15))
    one = stuck(unfinished=[first], now=45)
    said = message(one, Reason.FIRST, 45, 812)
    assert said.headline == "🟠 deploy / main has a stuck build: #812 has been running for 45 m"
    assert lines(said)["Stuck"] == "#812 has been running for 45 m"
    assert lines(said)["At most"] == "40 m were to be expected"
    both = stuck(one, unfinished=[first, second], now=50)
    said = message(both, Reason.REFRESH, 50, 812, 813)
    assert said.headline == (
        "🟠 deploy / main 2 builds are stuck: #812 has been running for 50 m, "
        "#813 has been waiting in the queue for 35 m"
    )
    over = stuck(both, unfinished=[], ended={812: ("timeout", 3600), 813: ("cancelled", None)}, now=60)
    said = message(over, Reason.RESOLVED, 60, 812, 813)
    assert said.headline == ("🟢 deploy / main is not stuck any more: #812 timed out after 1 h, #813 was cancelled")
    assert "Stuck" not in lines(said)


def test_a_place_in_a_queue_has_no_number_but_a_reason() -> None:
    item = Unfinished(build_id=-7, number=None, generation=0, status=Status.QUEUED, since=NOON, why="no executor")
    alert = stuck(unfinished=[item], now=31)
    said = message(alert, Reason.FIRST, 31)
    assert said.headline == "🟠 deploy / main has a build waiting in the queue for 31 m: no executor"
    assert lines(said)["Stuck"] == "a build has been waiting in the queue for 31 m: no executor"
    over = message(stuck(alert, unfinished=[], now=40), Reason.RESOLVED, 40)
    assert over.headline == "🟢 deploy / main is not stuck any more: a build left the queue after 40 m"


def test_builds_without_a_verdict_say_how_they_ended() -> None:
    ended = [Ended(0, n, Verdict.NEUTRAL, minutes(n), n, "cancelled") for n in (1, 2, 3)]

    def judge(*newest: Ended, stored: tuple[Alert, ...] = ()) -> Alert:
        (decision,) = decide_no_verdict(
            scope=SCOPE, newest=newest, stored=stored, rule=NoVerdictRule(), watched_since=LONG_AGO, now=minutes(5)
        )
        return decision.alert

    fired = judge(*ended)
    said = message(fired, Reason.FIRST, 5, 3)
    assert said.headline == "🟠 deploy / main 3 builds in a row neither passed nor failed (cancelled)"
    assert lines(said)["Builds"] == "3 in a row: cancelled"
    over = judge(*ended, Ended(0, 4, Verdict.PASSED, minutes(4), 4, "success"), stored=(fired,))
    assert over.state is AlertState.RESOLVED
    assert message(over, Reason.RESOLVED, 6).headline == "🟢 deploy / main has a verdict again: #4 passed"
