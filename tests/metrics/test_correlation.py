from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.correlation import chance, shared_by

Labelled = list[tuple[dict[str, str], int, int]]


def ran(value: str, *, failed: int = 0, passed: int = 0, label: str = "runner") -> Labelled:
    return [({label: value}, failed, passed)]


def test_failures_that_share_a_runner_say_so() -> None:
    [found] = shared_by(ran("agent-7", failed=5, passed=1) + ran("agent-1", passed=12) + ran("agent-2", passed=11))
    assert found.text == "all 5 on agent-7 (0 of 23 elsewhere)"
    assert (found.label, found.value, found.failed, found.passed, found.elsewhere) == ("runner", "agent-7", 5, 1, 23)
    assert found.p_value == pytest.approx(6 / 118_755)


@pytest.mark.parametrize(
    "builds",
    [
        ran("a", failed=2) + ran("b", passed=50),  # two are no pattern
        ran("a", failed=5) + ran("b", failed=1, passed=50),  # one elsewhere
        ran("a", failed=5),  # nobody else
        ran("a", failed=3, passed=10) + ran("b", passed=10),  # may well be chance
        [*ran("a", failed=5), ({}, 1, 0), *ran("b", passed=50)],  # of one nobody knows
        ran("a", failed=5) + ran("b", passed=50, label="cloud"),  # another label
        [],
    ],
)
def test_what_may_be_chance_is_not_said(builds: Labelled) -> None:
    assert shared_by(builds) == []


def test_the_least_likely_comes_first_and_labels_may_be_chosen() -> None:
    bad = [({"runner": "a", "cloud": "x", "who": str(place)}, 1, 0) for place in range(6)]
    good = [({"runner": f"r{place % 9}", "cloud": "xy"[place % 2]}, 0, 1) for place in range(40)]
    found = shared_by([*bad, *good])
    assert [each.label for each in found] == ["runner"]
    assert shared_by([*bad, *good], labels=["cloud", "none"]) == []
    assert shared_by([*bad, *good], labels=["runner"]) == found


@given(st.integers(1, 6), st.integers(0, 6), st.integers(1, 4))
def test_the_chance_is_the_share_of_all_ways_to_fail(size: int, others: int, failed: int) -> None:
    ways = list(combinations(range(size + others), failed))
    if ways:
        here = sum(max(way) < size for way in ways)
        assert chance(failed, size, size + others) == pytest.approx(here / len(ways))


def test_of_very_many_builds_the_chance_is_all_but_the_same() -> None:
    assert chance(3, 2000, 5001) == pytest.approx(chance(3, 2000, 5000), rel=0.01)
