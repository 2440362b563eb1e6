from datetime import timedelta

from alerts.rules import FailureRule, RateDropRule, Rules
from domain.alert import AlertKind, AlertState, Reason
from tests.support.builders import NOON
from tests.support.verdicts import Memory

DROP_ONLY = Rules(failure=None, success_rate_drop=RateDropRule(), flapping=None)
GOOD = "P" * 100
DROPPED = GOOD + "FP" * 10


def feed(memory: Memory, letters: str, start: int) -> list[str]:
    """Evaluate after every build from `start` on, over at most 600; returns what was told."""
    return [reason for end in range(start, len(letters) + 1) for reason in _seen(memory, letters, end)]


def _seen(memory: Memory, letters: str, end: int) -> list[str]:
    return memory.see("." * max(end - 600, 0) + letters[max(end - 600, 0) : end])


def test_a_drop_is_told_once_and_its_recovery_once() -> None:
    memory = Memory(DROP_ONLY)
    assert feed(memory, DROPPED + "P" * 60, 1) == [Reason.FIRST, Reason.RESOLVED]
    alert = memory.newest()
    assert (alert.kind, alert.severity, alert.state) == (AlertKind.SUCCESS_RATE_DROP, "warning", AlertState.RESOLVED)
    assert len(memory.alerts) == 1
    assert alert.evidence["ended_by"]["number"] > 120


def test_the_evidence_reads_like_a_sentence() -> None:
    memory = Memory(DROP_ONLY)
    memory.see(DROPPED)
    assert memory.newest().summary == (
        "success rate 100 % → 50 % (10/20 since #101; baseline 100/100), started between #93 and #101"
    )


def test_asking_again_with_nothing_new_decides_nothing() -> None:
    memory = Memory(DROP_ONLY)
    memory.see(DROPPED)
    before = dict(memory.alerts)
    assert memory.see(DROPPED) == []
    assert memory.alerts == before


def test_the_baseline_is_frozen_while_it_fires() -> None:
    memory = Memory(DROP_ONLY)
    feed(memory, GOOD + "FP" * 60, 100)
    alert = memory.newest()
    assert (alert.evidence["baseline_passed"], alert.evidence["baseline_runs"]) == (100, 100)
    assert alert.evidence["runs"] == 120
    assert alert.state is AlertState.FIRING


def test_after_two_hundred_builds_it_is_closed_and_not_told_again() -> None:
    memory = Memory(DROP_ONLY)
    told = feed(memory, GOOD + "FP" * 200, 100)
    assert told == [Reason.FIRST, Reason.CLOSED]
    assert "has held for 200 builds" in memory.newest().evidence["closed_because"]


def test_a_second_drop_after_a_recovery_is_a_second_alert() -> None:
    memory = Memory(DROP_ONLY)
    told = feed(memory, DROPPED + "P" * 100 + "FP" * 20, 100)
    assert told == [Reason.FIRST, Reason.RESOLVED, Reason.FIRST]
    assert len(memory.alerts) == 2


def test_many_builds_at_once_come_to_the_same_alert() -> None:
    memory = Memory(DROP_ONLY)
    assert memory.see(DROPPED) == [Reason.FIRST]
    assert memory.see(DROPPED + "P" * 60) == [Reason.RESOLVED]
    unseen = Memory(DROP_ONLY)
    assert unseen.see(DROPPED + "P" * 60) == []


def test_a_drop_before_first_contact_is_baseline() -> None:
    memory = Memory(DROP_ONLY, watched_since=NOON + timedelta(days=30))
    assert memory.see(DROPPED) == []
    assert memory.newest().evidence["baseline"] is True
    assert memory.see(DROPPED + "P" * 60) == []
    assert memory.firing() == []


def test_failing_hides_a_drop_until_it_is_fixed() -> None:
    memory = Memory(Rules(failure=FailureRule(after=1), success_rate_drop=RateDropRule(), flapping=None))
    memory.see(GOOD)
    assert memory.see(GOOD + "FPFPF") == [Reason.FIRST]
    told = memory.see(GOOD + "FPFPFFPF")
    assert told in ([Reason.RESOLVED, Reason.FIRST], [])
    assert [alert.kind for alert in memory.firing()] == [AlertKind.FAILURE]
    assert memory.see(GOOD + "FPFPFFPFP") == [Reason.RESOLVED, Reason.FIRST]
    assert [alert.kind for alert in memory.firing()] == [AlertKind.SUCCESS_RATE_DROP]


def test_an_open_drop_goes_on_behind_a_failure_and_is_not_told_twice() -> None:
    memory = Memory(Rules(failure=FailureRule(after=2), success_rate_drop=RateDropRule(), flapping=None))
    assert memory.see(DROPPED) == [Reason.FIRST]
    assert memory.see(DROPPED + "FF") == [Reason.FIRST]
    assert sorted(alert.kind for alert in memory.firing()) == ["failure", "success_rate_drop"]
    assert memory.see(DROPPED + "FFP") == [Reason.RESOLVED]
    assert [alert.kind for alert in memory.firing()] == [AlertKind.SUCCESS_RATE_DROP]


def test_switching_the_kind_off_closes_its_alert() -> None:
    memory = Memory(DROP_ONLY)
    memory.see(DROPPED)
    memory.rules = Rules(failure=None, success_rate_drop=None, flapping=None)
    assert memory.see(DROPPED) == [Reason.CLOSED]


def test_a_changed_sensitivity_leaves_an_alert_as_it_is() -> None:
    memory = Memory(Rules(failure=None, success_rate_drop=RateDropRule(sensitivity="high"), flapping=None))
    assert memory.see(GOOD + "FPFPF") == [Reason.FIRST]
    memory.rules = Rules(failure=None, success_rate_drop=RateDropRule(sensitivity="low"), flapping=None)
    assert memory.see(GOOD + "FPFPF") == []
    assert memory.see(GOOD + "FPFPF" + "P" * 60) == [Reason.RESOLVED]


def test_an_empty_stream_changes_nothing() -> None:
    memory = Memory(DROP_ONLY)
    memory.see(DROPPED)
    assert memory.see("") == []
    assert len(memory.firing()) == 1
