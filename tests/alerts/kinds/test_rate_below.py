from datetime import timedelta

import pytest

from alerts.kinds.rate_below import wilson_upper
from alerts.rules import RateBelowRule, Rules
from domain.alert import AlertKind, AlertState, Reason
from tests.support.builders import NOON, minutes
from tests.support.verdicts import Memory


def watching(percent: float = 90, **options: object) -> Rules:
    rule = RateBelowRule(percent=percent, **({"window": timedelta(hours=24)} | options))  # type: ignore[arg-type]
    return Rules(failure=None, success_rate_drop=None, success_rate_below=rule)


def test_it_fires_under_the_line_and_ends_five_points_above_it() -> None:
    memory = Memory(watching(percent=90))
    told = [memory.see("PF", counts=counts, now=minutes(count)) for count, counts in enumerate(COUNTS)]
    assert told == [[], [Reason.FIRST], [], [], [Reason.RESOLVED], []]
    assert memory.newest().resolved_at == minutes(4)


COUNTS = [(18, 2), (17, 3), (16, 4), (94, 6), (95, 5), (96, 4)]


def test_too_few_builds_decide_nothing_either_way() -> None:
    memory = Memory(watching(min_runs=10))
    assert memory.see("F", counts=(0, 9)) == []
    assert memory.see("F", counts=(0, 10)) == [Reason.FIRST]
    assert memory.see("F", counts=(9, 0)) == []
    assert memory.see("F", counts=(0, 0)) == []
    assert len(memory.firing()) == 1


def test_the_end_is_never_above_a_hundred_percent() -> None:
    memory = Memory(watching(percent=98))
    assert memory.see("F", counts=(19, 1)) == [Reason.FIRST]
    assert memory.see("F", counts=(99, 1)) == []
    assert memory.see("F", counts=(20, 0)) == [Reason.RESOLVED]


def test_with_confidence_a_small_sample_must_be_worse() -> None:
    sure = Memory(watching(percent=90, confidence=0.95))
    assert sure.see("F", counts=(17, 3)) == []
    assert sure.see("F", counts=(14, 6)) == [Reason.FIRST]


@pytest.mark.parametrize(("passed", "runs", "expected"), [(17, 20, 0.9380), (0, 10, 0.2130), (10, 10, 1.0)])
def test_the_upper_limit_is_that_of_wilson(passed: int, runs: int, expected: float) -> None:
    assert wilson_upper(passed, runs, 0.95) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (timedelta(hours=24), "the last 24 h"),
        (timedelta(hours=6), "the last 6 h"),
        (timedelta(days=7), "the last 7 d"),
        (20, "the last 20 builds"),
        ("daily", "the reporting day"),
    ],
)
def test_the_summary_says_what_was_counted(window: object, words: str) -> None:
    memory = Memory(watching(percent=90, window=window))
    memory.see("F", counts=(17, 3))
    assert memory.newest().summary == f"success rate 85 % (17/20) in {words}, the line is 90 %"


def test_only_builds_from_before_first_contact_are_baseline() -> None:
    memory = Memory(watching(), watched_since=NOON + timedelta(hours=5))
    assert memory.see("PF", counts=(1, 19)) == []
    assert memory.newest().evidence["baseline"] is True
    assert memory.see("PFFF", counts=(1, 20)) == []
    assert memory.newest().evidence["baseline"] is True
    assert memory.see("PFFFP", counts=(100, 0)) == []
    assert memory.newest().state is AlertState.RESOLVED


def test_asking_again_decides_nothing() -> None:
    memory = Memory(watching())
    memory.see("F", counts=(5, 15))
    before = dict(memory.alerts)
    assert memory.see("F", counts=(5, 15), now=minutes(7)) == []
    assert memory.alerts == before


def test_a_changed_line_does_not_fire_again() -> None:
    memory = Memory(watching(percent=90))
    assert memory.see("F", counts=(17, 3)) == [Reason.FIRST]
    memory.rules = watching(percent=95)
    assert memory.see("F", counts=(17, 3)) == []
    memory.rules = watching(percent=70)
    assert memory.see("F", counts=(17, 3)) == [Reason.RESOLVED]


def test_switching_it_off_closes_its_alert_and_without_counts_nothing_is_judged() -> None:
    memory = Memory(watching())
    memory.see("F", counts=(5, 15))
    assert memory.see("F") == []
    memory.rules = Rules(failure=None, success_rate_drop=None)
    assert memory.see("F", counts=(5, 15)) == [Reason.CLOSED]
    assert memory.newest().kind is AlertKind.SUCCESS_RATE_BELOW
