import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.baseline import Method, baseline, robust_spread

FIGURES = st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=60)


def test_the_median_and_the_median_deviation_by_hand() -> None:
    found = baseline([1, 2, 3, 4, 100], Method.MEDIAN)
    assert found is not None
    assert (found.value, found.count, found.left_out) == (3, 5, 0)
    assert found.spread == pytest.approx(1.4826, rel=1e-4)
    assert (found.low, found.high) == (pytest.approx(3 - 3.5 * 1.4826, rel=1e-4), pytest.approx(8.1891, rel=1e-4))


def test_the_middle_half_leaves_out_what_is_far_from_it() -> None:
    found = baseline([1, 2, 3, 4, 100], Method.IQR)
    assert found is not None
    assert (found.value, found.low, found.high, found.count, found.left_out) == (2.5, -1, 7, 4, 1)


def test_the_method_follows_from_the_values_and_is_told() -> None:
    chance = random.Random(3)  # noqa: S311
    calm = [chance.gauss(100, 2) for _ in range(100)]
    wild = [chance.uniform(10, 200) for _ in range(100)]
    spoilt = [*calm[:90], *(1000.0 + place for place in range(10))]
    assert [(each.method, each.reason) for each in map(baseline, (calm, wild, spoilt)) if each] == [
        (Method.MEDIAN, "few or none lie far outside"),
        (Method.MEDIAN, "the figures vary much: the median is hardly moved by that"),
        (Method.IQR, "11 of 100 lie far outside: they are left out"),
    ]


def test_a_handful_has_no_baseline() -> None:
    assert baseline([1, 2, 3, 4]) is None


def test_equal_figures_have_no_spread() -> None:
    found = baseline([7.0] * 6)
    assert found is not None
    assert (found.value, found.spread, found.low, found.high) == (7, 0, 7, 7)


def test_where_most_are_the_same_the_mean_deviation_serves() -> None:
    assert robust_spread([0] * 9 + [10], 0) == pytest.approx(1.2533, rel=1e-4)


@given(FIGURES, st.sampled_from(Method))
def test_a_baseline_lies_among_the_figures(values: list[float], method: Method) -> None:
    found = baseline(values, method)
    assert found is not None
    assert found.low <= found.value <= found.high
    assert min(values) <= found.value <= max(values)
    assert found.count + found.left_out == len(values)
    assert found.method is not Method.INTELLIGENT
    if found.method is Method.MEDIAN:
        assert found.value == median(values)
