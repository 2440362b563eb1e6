from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.rules import FailureRule, FlappingRule, Rules
from domain.alert import AlertKind, AlertState, Reason
from domain.build import Verdict
from tests.support.builders import NOON
from tests.support.verdicts import Memory, tail

ONLY = Rules(failure=None, success_rate_drop=None, duration=None, flapping=FlappingRule())
CALM = "P" * 20
WILD = CALM + "FPFPFPF"  # seven changes


def test_seven_changes_of_sides_in_twenty_builds_are_flapping() -> None:
    memory = Memory(ONLY)
    assert memory.see(CALM + "FPFPFP") == []
    assert memory.see(WILD) == [Reason.FIRST]
    alert = memory.newest()
    assert (alert.kind, alert.severity) == (AlertKind.FLAPPING, "warning")
    assert alert.summary == "changed sides 7 times in 20 builds, 4 failed"
    assert (alert.evidence["onset"]["number"], alert.evidence["fired_by"]["number"]) == (21, 27)


def test_changes_that_are_far_apart_are_not() -> None:
    memory = Memory(ONLY)
    assert memory.see("PPPF" * 30) == [Reason.FIRST]  # 10 in 20
    assert Memory(ONLY).see(("P" * 9 + "F") * 10) == []  # 4 in 20


def test_a_re_run_with_a_number_of_its_own_is_no_change_of_sides_where_re_runs_are_awaited() -> None:
    line = tail(CALM + "FPFPFPFP")
    turned = [each._replace(flaky=each.number > 20 and each.verdict is Verdict.PASSED) for each in line]
    assert Memory(replace(ONLY, rerun_wait=timedelta(minutes=10))).see(turned) == []
    assert Memory(replace(ONLY, rerun_wait=timedelta(minutes=10))).see(line) == [Reason.FIRST]
    assert Memory(ONLY).see(turned) == [Reason.FIRST]  # each of them was told, and that is enough


def test_nor_does_the_rate_drop_by_what_such_re_runs_turn_around() -> None:
    rules = Rules(failure=None, duration=None, flapping=None, rerun_wait=timedelta(minutes=10))
    line = tail("P" * 60 + "FPFPFFPFPFPFFPFP")
    turned = [each._replace(flaky=each.number > 60 and each.verdict is Verdict.PASSED) for each in line]
    assert Memory(rules).see(line) == [Reason.FIRST]
    assert Memory(rules).see(turned) == []


def test_it_is_over_with_three_changes_or_fewer() -> None:
    memory = Memory(ONLY)
    told = [reason for end in range(20, 60) for reason in memory.see((WILD + "P" * 40)[:end])]
    assert told == [Reason.FIRST, Reason.RESOLVED]
    assert memory.newest().evidence["changes"] == 3
    assert memory.newest().state is AlertState.RESOLVED


def test_asked_again_it_decides_nothing_and_goes_on_with_the_counts_of_today() -> None:
    memory = Memory(ONLY)
    memory.see(WILD)
    before = dict(memory.alerts)
    assert memory.see(WILD) == []
    assert memory.alerts == before
    assert memory.see(WILD + "P") == []
    assert memory.newest().evidence["changes"] == 8


def test_what_flapped_at_first_contact_is_no_news() -> None:
    memory = Memory(ONLY, watched_since=NOON + timedelta(days=9))
    assert memory.see(WILD) == []
    assert memory.newest().evidence["baseline"] is True
    assert memory.see(WILD + "P" * 20) == []
    assert memory.firing() == []


def test_it_comes_before_the_failure_that_it_hides() -> None:
    memory = Memory(Rules(failure=FailureRule(), success_rate_drop=None, duration=None))
    memory.see(CALM + "FPFPFP")
    assert memory.see(WILD) == [Reason.FIRST, Reason.FIRST]
    assert [alert.kind for _, alert in memory.told[-2:]] == [AlertKind.FLAPPING, AlertKind.FAILURE]


def test_switched_off_it_closes_its_alert() -> None:
    memory = Memory(ONLY)
    memory.see(WILD)
    memory.rules = Rules(failure=None, success_rate_drop=None, flapping=None)
    assert memory.see(WILD) == [Reason.CLOSED]


def test_an_alert_that_has_ended_is_not_opened_again_by_the_same_builds() -> None:
    memory = Memory(ONLY)
    memory.see(WILD)
    memory.rules = Rules(failure=None, success_rate_drop=None, flapping=FlappingRule(calm=6, transitions=7))
    after = WILD + "P" * 14
    assert memory.see(after) == [Reason.RESOLVED]
    memory.rules = Rules(failure=None, success_rate_drop=None, flapping=FlappingRule(calm=0, transitions=2))
    assert memory.see(after) == []
    assert memory.see(after + "P") == [Reason.FIRST]


@given(st.text("PF", max_size=60))
def test_every_alert_that_begins_ends_when_the_stream_stays_calm(letters: str) -> None:
    memory = Memory(ONLY)
    for end in range(len(letters) + 1):
        memory.see(letters[:end])
    memory.see(letters + "P" * 20)
    assert memory.firing() == []
    reasons = [reason for reason, _ in memory.told]
    assert reasons == [Reason.FIRST, Reason.RESOLVED] * (len(reasons) // 2)
