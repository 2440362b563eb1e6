"""Acknowledgements, reminders, escalations, flapping and quiet hours, from decisions to the outbox."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.rules import FailureRule, FlappingRule
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity
from domain.build import Outcome
from domain.testreport import TestCase, TestReport, TestStatus
from poller.telling.handling import CannotHandleError, acknowledge, unacknowledge
from poller.telling.tell import say
from store import alerts as stored_alerts
from store.engine import Database
from tests.support.builders import NOON, alert, build, message, minutes, pipeline
from tests.support.desk import Desk, broken, editing, flapping

FIRST, RESOLVED = ("desk", Reason.FIRST), ("desk", Reason.RESOLVED)
UPDATE, REMINDER = ("desk", Reason.UPDATE), ("desk", Reason.REMINDER)

ESCALATE = "escalate:\n  - {after: 1h, to: [boss, desk]}\n  - {after: 2h, unless: null, to: wall}\n"
UNREACHABLE = {"trouble": "timeout", "text": "no answer", "failures": 3, "frozen": 2}
NIGHTS = 'quiet_hours:\n  - {from: "22:00", to: "07:00"}\n'


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    here = Desk(database, tmp_path)
    here.builds("P")
    return here


def known(desk: Desk, alert_id: int = 1, reason: str | None = "on it") -> Alert:
    return desk.database.transact(
        lambda session: acknowledge(session, alert_id, desk.configuration, desk.now, by="ada", reason=reason)
    )


def unknown(desk: Desk, alert_id: int = 1) -> Alert:
    return desk.database.transact(lambda session: unacknowledge(session, alert_id, desk.configuration, desk.now))


# Reminders


def test_what_stays_broken_is_told_again_in_growing_steps(desk: Desk) -> None:
    desk.builds("F")
    assert desk.said() == [FIRST]
    told_at = desk.now
    for hours in (24, 72, 7 * 24, 14 * 24):
        desk.now = told_at + timedelta(hours=hours, seconds=-1)
        assert desk.looks() == []
        desk.pass_by(seconds=1)
        assert desk.looks() == [REMINDER]
        assert desk.looks() == []
    assert desk.rows()[-1].message.headline.startswith("🔴 deploy / main is still failing")
    assert desk.alerts()[0].handling["reminders"] == 4
    desk.builds("P")
    assert desk.said() == [RESOLVED]


def test_reminders_that_were_missed_are_one(desk: Desk) -> None:
    desk.builds("F")
    desk.said()
    desk.pass_by(days=30)
    assert desk.looks() == [REMINDER]
    assert desk.looks() == []


def test_there_are_no_reminders_where_they_are_switched_off(desk: Desk) -> None:
    desk.with_rules(failure=FailureRule(remind=()))
    desk.builds("F")
    desk.said()
    desk.pass_by(days=30)
    assert desk.looks() == []


def test_other_kinds_are_not_told_again(desk: Desk) -> None:
    desk.decides(alert(kind=AlertKind.DURATION, channels=()), Reason.FIRST)
    assert desk.said() == [FIRST]
    desk.pass_by(days=30)
    assert desk.looks() == []


def test_nothing_is_told_of_a_provider_that_does_not_answer(desk: Desk) -> None:
    quiet = desk.quiet({"branch": "other"}, at=minutes(60))
    desk.builds("F")
    gone = desk.decides(
        alert(kind=AlertKind.PROVIDER_UNREACHABLE, scope=Scope(provider="ci"), channels=(), evidence=UNREACHABLE),
        Reason.FIRST,
    )
    desk.decides(broken(scope=Scope(provider="ci", pipeline="web/x", branch="other")), Reason.FIRST)
    assert desk.said() == [FIRST, FIRST]
    desk.pass_by(days=2)
    assert desk.looks() == []
    assert desk.silence(quiet.id).ended_at is not None
    back = replace(gone, state=AlertState.RESOLVED, resolved_at=desk.now, transition=2)
    desk.decides(back, Reason.RESOLVED)
    desk.said()
    assert sorted(desk.looks()) == [FIRST, REMINDER]


def test_a_silence_stops_reminders_and_one_follows_its_end(desk: Desk) -> None:
    desk.builds("F")
    desk.said()
    desk.quiet(at=desk.now + timedelta(days=4))
    desk.pass_by(days=3, hours=1)
    assert desk.looks() == []
    desk.pass_by(days=1)
    assert desk.looks() == [REMINDER]


# Acknowledgements


def test_an_acknowledgement_stops_reminders_and_not_the_fix(desk: Desk) -> None:
    desk.builds("F")
    known(desk)
    desk.said()
    desk.pass_by(days=10)
    assert desk.looks() == []
    desk.builds("P")
    assert desk.said() == [RESOLVED]
    assert desk.rows()[-1].message.notes == ()
    with pytest.raises(CannotHandleError, match="alert 1 is over: it was resolved"):
        known(desk)


def test_an_acknowledgement_can_be_taken_back(desk: Desk) -> None:
    desk.builds("F")
    assert known(desk, reason=None).handling["acknowledged"] == {
        "by": "ada",
        "at": desk.now.isoformat(),
        "reason": None,
    }
    assert "acknowledged" not in unknown(desk).handling
    desk.pass_by(days=1)
    assert desk.looks()[-1] == REMINDER
    with pytest.raises(CannotHandleError, match="not acknowledged"):
        unknown(desk)
    with pytest.raises(CannotHandleError, match="there is no alert 99"):
        known(desk, 99)


def test_something_new_breaks_through_an_acknowledgement_and_ends_it(desk: Desk) -> None:
    first = desk.decides(broken(), Reason.FIRST)
    acked = known(desk)
    desk.said()
    changed = desk.decides(replace(acked, transition=first.transition + 1), Reason.UPDATE)
    assert desk.said() == [UPDATE]
    assert "acknowledged" not in changed.handling


def test_more_failures_of_the_same_leave_an_acknowledgement_alone(desk: Desk) -> None:
    desk.builds("F")
    known(desk)
    desk.builds("FF")
    assert "acknowledged" in desk.alerts()[0].handling
    assert desk.said() == [FIRST]


def test_cards_that_can_be_edited_show_the_acknowledgement(database: Database, tmp_path: Path) -> None:
    desk = editing(Desk(database, tmp_path))
    desk.builds("PF")
    assert sorted(desk.said()) == [("bot", Reason.FIRST), FIRST]
    known(desk, reason="on\nit")
    assert desk.said() == [("bot", Reason.REFRESH)]
    assert desk.rows()[-1].message.notes == ("acknowledged by ada: on\\x0ait",)
    unknown(desk)
    assert desk.said() == [("bot", Reason.REFRESH)]
    assert desk.rows()[-1].message.notes == ()
    desk.builds("P")
    assert sorted(desk.said()) == [("bot", Reason.RESOLVED), RESOLVED]


# What is new while it goes on


def test_another_cause_while_red_is_told_at_once_and_ends_the_acknowledgement(desk: Desk) -> None:
    desk.builds("F", bucket="helm")
    known(desk)
    desk.builds("F", bucket="helm")
    assert desk.said() == [FIRST]
    desk.builds("F", bucket="dns")
    assert desk.said() == [UPDATE]
    assert "acknowledged" not in desk.alerts()[0].handling
    desk.builds("FF", bucket="helm")
    assert desk.said() == []


def test_tests_that_fail_besides_those_known_are_told_at_once(desk: Desk) -> None:
    desk.builds("F", tests=report("a"))
    desk.builds("F", tests=report("a", "b"))
    desk.builds("F", tests=report("b"))
    assert desk.said() == [FIRST, UPDATE]


def test_what_was_not_known_before_is_no_news(desk: Desk) -> None:
    desk.builds("F")
    desk.builds("F", tests=report("a"), bucket="helm")
    assert desk.said() == [FIRST]


def test_tests_that_begin_to_fail_after_a_report_without_any_are_news(desk: Desk) -> None:
    desk.builds("F", tests=report())
    desk.builds("F", tests=report("a"))
    assert desk.said() == [FIRST, UPDATE]


def test_another_cause_breaks_through_a_silence_until_then(desk: Desk) -> None:
    desk.quiet(new_bucket=True)
    desk.builds("F", bucket="helm")
    desk.builds("F", bucket="helm")
    assert desk.said() == []
    desk.builds("F", bucket="dns")
    assert desk.said() == [FIRST]


def report(*failing: str) -> TestReport:
    """Of a test `ok` that passed and these that failed."""
    cases = [TestCase(suite="web", name="ok", status=TestStatus.PASSED)]
    cases += [TestCase(suite="web", name=name, status=TestStatus.FAILED) for name in failing]
    return TestReport(passed=1, failed=len(failing), skipped=0, cases=tuple(cases))


# Escalations


def test_what_lasts_is_told_to_others_once_and_they_hear_of_its_end(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, ESCALATE)
    desk.builds("PF")
    assert desk.said() == [FIRST]
    desk.pass_by(minutes=59)
    assert desk.looks() == []
    desk.pass_by(minutes=1)
    assert desk.looks() == [("boss", Reason.FIRST)]
    assert desk.rows()[-1].message.notes == ("escalated to boss, desk",)
    assert desk.looks() == []
    desk.pass_by(hours=1)
    assert desk.looks() == [("wall", Reason.FIRST)]
    assert desk.alerts()[0].channels == ("desk", "boss", "wall")
    desk.builds("P")
    assert sorted(desk.said()) == [("boss", Reason.RESOLVED), RESOLVED, ("wall", Reason.RESOLVED)]


def test_an_acknowledgement_stops_an_escalation_unless_it_is_for_all(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, ESCALATE)
    desk.builds("PF")
    known(desk)
    desk.said()
    desk.pass_by(hours=3)
    assert desk.looks() == [("wall", Reason.FIRST)]


def test_an_escalation_is_for_what_it_matches_and_not_for_what_is_silenced(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, "escalate:\n  - {after: 1h, to: boss, match: {pipeline: 'lib/*'}}\n")
    desk.builds("PF")
    desk.decides(broken(scope=Scope(provider="ci", pipeline="lib/a", branch="main")), Reason.FIRST)
    desk.said()
    quiet = desk.quiet(at=desk.now + timedelta(hours=2))
    desk.pass_by(hours=1)
    assert desk.looks() == []
    desk.now = quiet.ends.at or desk.now
    assert desk.looks() == [("boss", Reason.FIRST)]
    assert desk.rows()[-1].about["pipeline"] == "lib/a"


# Flapping


def test_failures_on_a_flapping_stream_are_told_in_its_thread(database: Database, tmp_path: Path) -> None:
    desk = editing(Desk(database, tmp_path))
    desk.with_rules(flapping=FlappingRule(transitions=1000, calm=-1))
    desk.builds("P")
    desk.decides(flapping(), Reason.FIRST)
    desk.said()
    desk.builds("FFPF")
    threaded = ("bot", Reason.THREADED)
    assert desk.said() == [threaded, threaded, threaded]
    root = desk.alert(1)
    assert {row.alert_id for row in desk.rows()} == {root.id}
    assert len({row.transition for row in desk.rows()}) == root.transition
    assert len({row.message.thread for row in desk.rows()}) == 1
    hidden = desk.alerts()[-1]
    assert hidden.handling["hidden_by"] == root.id
    assert hidden.channels == ()


def test_flapping_that_nobody_was_told_of_hides_no_failure(desk: Desk) -> None:
    desk.with_rules(flapping=FlappingRule(transitions=1000, calm=-1))
    desk.quiet({"kind": "flapping"}, at=minutes(1000))
    assert desk.decides(flapping(), Reason.FIRST).channels == ()
    desk.builds("F")
    assert desk.said() == [FIRST]


def test_many_failures_in_a_row_break_through_flapping(desk: Desk) -> None:
    desk.with_rules(flapping=FlappingRule(transitions=1000, calm=-1, break_through=5))
    desk.decides(flapping(), Reason.FIRST)
    desk.said()
    desk.builds("FFFF")
    assert desk.looks() == []
    desk.builds("F")
    assert desk.said() == [FIRST]
    assert "hidden_by" not in desk.alerts()[-1].handling
    desk.builds("P")
    assert desk.said() == [RESOLVED]


def test_what_is_still_broken_when_the_flapping_ends_is_told(desk: Desk) -> None:
    desk.with_rules(flapping=FlappingRule(transitions=1000, calm=-1))
    root = desk.decides(flapping(), Reason.FIRST)
    desk.builds("F")
    desk.said()
    assert desk.looks() == []
    over = replace(root, state=AlertState.RESOLVED, resolved_at=desk.now, transition=9)
    desk.decides(over, Reason.RESOLVED)
    desk.said()
    assert desk.looks() == [FIRST]
    assert desk.alerts()[-1].handling["woken"] == {"alert": root.id, "at": desk.now.isoformat()}


def test_a_failure_from_before_the_flapping_is_not_told_again_while_it_lasts(desk: Desk) -> None:
    desk.with_rules(flapping=FlappingRule(transitions=1000, calm=-1))
    desk.builds("F")
    desk.decides(flapping(), Reason.FIRST)
    desk.said()
    desk.pass_by(days=2)
    assert desk.looks() == []
    desk.builds("P")
    assert desk.said() == [RESOLVED]


def test_flapping_does_not_hide_where_its_rule_is_off(desk: Desk) -> None:
    root = desk.decides(flapping(), Reason.FIRST)
    desk.said()
    assert root.state is AlertState.FIRING
    desk.decides(broken(), Reason.FIRST)
    assert desk.said() == [FIRST]


# Quiet hours


def test_in_quiet_hours_messages_wait_until_the_morning(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, NIGHTS)
    morning = NOON + timedelta(hours=19)
    desk.builds("P")
    desk.now = NOON + timedelta(hours=11)
    desk.comes(build(2, Outcome.FAILURE))
    (row,) = desk.rows()
    assert (row.hold_until, row.held, row.next_attempt_at) == (morning, "quiet hours until 07:00", morning)
    assert desk.alerts()[0].handling["told_at"] == morning.isoformat()
    desk.comes(build(3))
    assert [each.hold_until for each in desk.rows()] == [morning, morning]
    desk.now = morning
    desk.comes(build(4, Outcome.FAILURE))
    assert desk.rows()[-1].hold_until is None


def test_reminders_wait_for_the_end_of_quiet_hours_and_are_one(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, NIGHTS)
    desk.builds("P")
    desk.now = NOON + timedelta(hours=9.5)
    desk.comes(build(2, Outcome.FAILURE))
    desk.said()
    desk.pass_by(hours=24.5)
    assert desk.looks() == []
    desk.now = NOON + timedelta(days=1, hours=19)
    assert desk.looks() == [REMINDER]


def test_quiet_hours_hold_what_they_match(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, 'quiet_hours:\n  - {from: "00:00", to: "00:00", match: {severity: warning}}\n')
    desk.builds("PF")
    desk.decides(alert(kind=AlertKind.DURATION, severity=Severity.WARNING, channels=()), Reason.FIRST)
    assert [row.hold_until is not None for row in desk.rows()] == [False, True]


def test_a_refresh_disturbs_nobody_and_does_not_wait(database: Database, tmp_path: Path) -> None:
    desk = editing(Desk(database, tmp_path, NIGHTS))
    desk.builds("PF")
    desk.now = NOON + timedelta(hours=11)
    desk.comes(build(3, Outcome.FAILURE))
    assert desk.rows()[-1].reason is Reason.REFRESH
    assert desk.rows()[-1].hold_until is None


# What messages may share


def test_messages_carry_what_they_may_share_with_others(desk: Desk) -> None:
    shop = pipeline("web/shop", labels={"team": "web"})
    desk.comes(build(1, pipeline=shop))
    facts = {"labels": {"cloud": "aws"}, "bucket": "helm", "reason": "Helm install failed", "url": "https://ci/2"}
    desk.comes(build(2, Outcome.FAILURE, pipeline=shop, commit="abc", **facts))
    assert desk.rows()[-1].about == {
        "provider": "ci",
        "pipeline": "web/shop",
        "name": "shop / main",
        "branch": "main",
        "build": desk.alerts()[-1].evidence["last_failed"]["id"],
        "commit": "abc",
        "bucket": "helm",
        "bucket_class": None,
        "labels": {"team": "web", "cloud": "aws"},
        "kind": "failure",
        "severity": "critical",
        "state": "firing",
        "url": "https://ci/2",
        "broken": 'failed: "Helm install failed"',
    }
    desk.comes(build(3, pipeline=shop))
    about: dict[str, Any] = dict(desk.rows()[-1].about)
    assert (about["state"], about["commit"], about["bucket"]) == ("resolved", "abc", "helm")


def test_only_a_saved_alert_can_be_told(desk: Desk) -> None:
    with pytest.raises(ValueError, match="only a saved alert"):
        desk.database.transact(
            lambda s: say(s, alert(), message(), desk.configuration, reason=Reason.FIRST, now=desk.now)
        )
    assert desk.database.read(stored_alerts.firing) == []


def test_a_channel_that_takes_no_messages_is_not_told_of_itself_when_that_lasts(
    database: Database, tmp_path: Path
) -> None:
    desk = Desk(database, tmp_path, ESCALATE)
    scope = Scope(provider="buildwatch", branch="boss")
    deaf = Alert(
        kind=AlertKind.DELIVERY_FAILED,
        scope=scope,
        severity=Severity.WARNING,
        state=AlertState.FIRING,
        started_at=desk.now,
        summary="takes no messages",
        evidence={"channel": "boss", "error": "invalid_auth", "given_up": 0},
        channels=("wall",),
    )
    database.transact(lambda session: stored_alerts.save(session, deaf))
    desk.pass_by(hours=2)
    assert desk.looks() == [FIRST]
    assert desk.alerts()[0].channels == ("wall", "desk")
    assert desk.rows()[-1].message.headline == "🟠 channel boss takes no messages: invalid_auth"
