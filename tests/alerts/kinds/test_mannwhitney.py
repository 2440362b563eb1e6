from itertools import combinations
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.kinds import mannwhitney
from alerts.kinds.mannwhitney import p_greater

MALES, FEMALES = [19, 22, 16, 29, 24], [20, 11, 17, 12]


def test_it_agrees_with_the_example_in_the_manual_of_scipy() -> None:
    assert p_greater(MALES, FEMALES) == pytest.approx(0.1111111111111111 / 2)


def test_the_approximation_agrees_with_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mannwhitney, "_EXACT", 0)
    assert p_greater(MALES, FEMALES) == pytest.approx(0.11134688653314041 / 2)


@pytest.mark.parametrize(("larger", "smaller"), [(5, 30), (5, 20), (3, 3), (1, 9)])
def test_the_smallest_probability_is_one_way_among_all(larger: int, smaller: int) -> None:
    values, others = [100.0 + count for count in range(larger)], [float(count) for count in range(smaller)]
    assert p_greater(values, others) == pytest.approx(1 / comb(larger + smaller, larger))
    assert p_greater(others, values) == pytest.approx(1.0)


def test_equal_values_say_nothing() -> None:
    assert p_greater([1.0] * 5, [1.0] * 30) == 1.0
    assert p_greater([1.0] * 30, [1.0] * 30) == 1.0


small = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=5)


@given(small, small)
def test_ties_included_it_is_the_share_of_all_ways_to_divide_the_values(
    values: list[float], others: list[float]
) -> None:
    together = [*values, *others]

    def rank(value: float) -> float:
        return sum(each < value for each in together) + (sum(each == value for each in together) + 1) / 2

    found = sum(map(rank, values))
    ways = [sum(map(rank, way)) >= found for way in combinations(together, len(values))]
    assert p_greater(values, others) == pytest.approx(sum(ways) / len(ways))


@settings(deadline=None, max_examples=30)  # twenty of forty: many ways to count
@given(
    st.lists(st.floats(0, 40), min_size=15, max_size=20, unique=True),
    st.lists(st.floats(0, 40), min_size=15, max_size=20, unique=True),
)
def test_the_approximation_is_close_where_both_can_be_had(values: list[float], others: list[float]) -> None:
    ranks = mannwhitney._doubled_ranks([*values, *others])
    assert mannwhitney._approximate(ranks, len(values)) == pytest.approx(p_greater(values, others), abs=0.01)
