import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.decide import Decision
from alerts.kinds.window_regression import Past, Tally, decide_window_regression, past_of, z_of
from alerts.rules import WindowRegressionRule
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope
from domain.window import Window
from tests.support.builders import NOON

KOLKATA = ZoneInfo("Asia/Kolkata")
SCOPE = Scope(provider="*", branch="cloud=aws")
RULE = WindowRegressionRule()
USUAL = [Tally(103, 7), Tally(105, 5)] * 7  # 110 runs a day, 94.5 % passed


class Days:
    """A scope whose days are judged one after the other."""

    def __init__(self, before: Sequence[Tally] = USUAL, rule: WindowRegressionRule = RULE) -> None:
        self.before = list(before)
        self.rule = rule
        self.stored: list[Alert] = []
        self.count = 0

    def window(self) -> Window:
        return Window(start=NOON + timedelta(days=self.count - 1), end=NOON + timedelta(days=self.count))

    def judge(self, tally: Tally, **facts: Any) -> tuple[Decision, ...]:
        decisions = decide_window_regression(
            scope=SCOPE,
            window=self.window(),
            tally=tally,
            before=self.before[-14:],
            stored=self.stored,
            rule=self.rule,
            zone=KOLKATA,
            facts=facts,
        )
        for each in decisions:
            channels = ("desk",) if each.reason is Reason.FIRST else each.alert.channels
            saved = replace(each.alert, id=each.alert.id or len(self.stored) + 1, channels=channels)
            self.stored = [alert for alert in self.stored if alert.id != saved.id] + [saved]
        return decisions

    def day(self, passed: int, failed: int) -> list[str]:
        """A day goes by; what is told at its end."""
        self.count += 1
        tally = Tally(passed, failed)
        decisions = self.judge(tally)
        assert not self.stored or self.stored[-1].state is not AlertState.FIRING or self.judge(tally) == ()
        self.before.append(tally)
        return [each.reason for each in decisions if each.reason is not None]


def test_the_statistics_are_those_of_the_design() -> None:
    past = past_of(USUAL)
    assert past is not None
    rate = 1456 / 1540
    spread = sum((each.passed - 110 * rate) ** 2 / (110 * rate * (1 - rate)) for each in USUAL) / 13
    assert (past.passed, past.runs, past.windows) == (1456, 1540, 14)
    assert past.phi == max(1.0, spread) == 1.0
    expected = (75 / 110 - rate) / math.sqrt(rate * (1 - rate) * (1 / 110 + 1 / 1540))
    assert z_of(Tally(75, 35), past) == pytest.approx(expected)


def test_days_that_differ_by_themselves_ask_for_more() -> None:
    wild = past_of([Tally(110, 0), Tally(80, 30)] * 7)
    assert wild is not None
    rate = 190 / 220
    by_hand = 7 * ((110 - 110 * rate) ** 2 + (80 - 110 * rate) ** 2) / (110 * rate * (1 - rate)) / 13
    assert wild.phi == pytest.approx(by_hand)
    assert wild.phi > 15
    assert Days([Tally(110, 0), Tally(80, 30)] * 7).day(75, 35) == []
    assert Days([Tally(95, 15)] * 14).day(75, 35) == [Reason.FIRST]


def test_a_day_that_is_much_worse_is_told_with_its_evidence() -> None:
    days = Days()
    assert days.day(75, 35) == [Reason.FIRST]
    alert = days.stored[0]
    assert alert.kind is AlertKind.WINDOW_REGRESSION
    assert alert.summary == (
        "success rate 95 % → 68 % (75/110 in the day until 2026-11-21 17:30 IST; 1456/1540 in the 14 days before)"
    )
    assert alert.evidence["z"] == pytest.approx(-11.76)
    assert alert.evidence["phi"] == 1.0
    assert alert.started_at == NOON


@pytest.mark.parametrize(
    ("before", "tally"),
    [
        (USUAL, Tally(100, 10)),  # 3.6 points
        (USUAL, Tally(12, 7)),  # 19 runs
        (USUAL, Tally(18, 3)),  # 9 points, but of 21
        (USUAL, Tally(110, 0)),
        (USUAL, Tally(0, 0)),
        (USUAL[:6], Tally(50, 60)),  # six days do not say how much days differ
        ([Tally(0, 0)] * 10 + USUAL[:4], Tally(50, 60)),
        ([Tally(0, 110)] * 14, Tally(0, 110)),  # nothing ever passed
        ([Tally(20, 0)] * 14, Tally(19, 1)),  # the first failure of all
    ],
)
def test_what_is_small_uncertain_or_usual_is_not_told(before: Sequence[Tally], tally: Tally) -> None:
    assert Days(before).day(*tally) == []


def test_where_nothing_had_ever_failed_a_few_failures_are_a_regression() -> None:
    assert Days([Tally(20, 0)] * 14).day(17, 3) == [Reason.FIRST]


def test_the_next_day_back_inside_ends_it() -> None:
    days = Days()
    assert days.day(75, 35) == [Reason.FIRST]
    assert days.day(103, 7) == [Reason.RESOLVED]
    assert days.stored[0].state is AlertState.RESOLVED
    assert days.stored[0].evidence["runs"] == 110


def test_bad_days_do_not_become_normal_while_it_fires() -> None:
    days = Days()
    told = [days.day(75, 35) for _ in range(8)]
    assert told == [[Reason.FIRST], *([[]] * 7)]
    assert days.stored[0].evidence["baseline_runs"] == 1540
    assert days.stored[0].evidence["windows_since"] == 7


def test_after_fourteen_days_a_new_rate_is_normal() -> None:
    days = Days()
    told = [reason for _ in range(20) for reason in days.day(75, 35)]
    assert told == [Reason.FIRST, Reason.CLOSED]
    assert days.stored[0].evidence["closed_because"] == "68 % is taken as normal from now on, after 14 days"


def test_days_with_few_builds_decide_nothing_and_end_it_in_the_end() -> None:
    days = Days()
    told = [reason for count in range(16) for reason in days.day(*((75, 35) if not count else (3, 3)))]
    assert told == [Reason.FIRST, Reason.CLOSED]
    assert days.stored[0].evidence["closed_because"] == "too few builds to judge by for 14 days"
    assert days.stored[0].evidence["runs"] == 110


def test_more_facts_become_evidence() -> None:
    days = Days()
    days.count = 1
    days.judge(Tally(75, 35), worst=[{"pipeline": "web", "failed": 30, "runs": 40}])
    assert days.stored[0].evidence["worst"][0]["pipeline"] == "web"


def test_an_empty_tally_adds_nothing() -> None:
    assert Tally(3, 4).plus(Tally()) == Tally(3, 4)
    assert Tally(3, 4).plus(Tally(1, 1)) == Tally(4, 5)


tallies = st.builds(Tally, st.integers(0, 200), st.integers(0, 200))


@given(st.lists(tallies, min_size=14, max_size=14), st.lists(tallies, max_size=20))
def test_whatever_the_days_were_every_message_has_its_end_and_nothing_breaks(
    before: list[Tally], after: list[Tally]
) -> None:
    days = Days(before)
    told = [reason for tally in after for reason in days.day(*tally)]
    assert told[::2] == [Reason.FIRST] * len(told[::2])
    assert Reason.FIRST not in told[1::2]


@given(tallies, st.integers(1, 500), st.integers(0, 500), st.floats(1, 50))
def test_z_is_a_number_and_falls_with_every_failure(tally: Tally, passed: int, failed: int, phi: float) -> None:
    past = Past(passed=passed, runs=passed + failed, phi=phi, windows=14)
    better = Tally(tally.passed + 1, tally.failed)
    worse = Tally(tally.passed, tally.failed + 1)
    assert math.isfinite(z_of(worse, past))
    if better.runs == worse.runs:
        assert z_of(worse, past) < z_of(better, past)
