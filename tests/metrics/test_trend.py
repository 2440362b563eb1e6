import random
from itertools import combinations, permutations
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.trend import Better, Direction, better_of, kendall, trend

SMALL = st.lists(st.tuples(st.integers(0, 8), st.integers(-4, 4)), min_size=8, max_size=40)


def points(count: int, slope: float = 0.0, noise: float = 1.0, seed: int = 1) -> tuple[list[float], list[float]]:
    chance = random.Random(seed)  # noqa: S311
    times = [float(place) for place in range(count)]
    return times, [100 + slope * time + chance.gauss(0, noise) for time in times]


@given(SMALL)
def test_the_score_counts_pairs_that_rise_less_those_that_fall(given_points: list[tuple[int, int]]) -> None:
    ordered = sorted(given_points, key=lambda point: point[0])
    times, values = [float(time) for time, _ in ordered], [float(value) for _, value in ordered]
    pairs = combinations(zip(times, values, strict=True), 2)
    expected = sum((end > start) * ((later > earlier) - (later < earlier)) for (start, earlier), (end, later) in pairs)
    assert kendall(times, values)[0] == expected


@pytest.mark.parametrize("values", [[1, 2, 3, 4, 5], [1, 1, 2, 3, 3], [2, 2, 2, 2, 5], [1, 1, 2, 2, 2]])
@pytest.mark.parametrize("times", [[0, 1, 2, 3, 4], [0, 0, 1, 2, 2]])
def test_its_variance_is_that_over_all_orders_of_the_values(times: list[float], values: list[float]) -> None:
    scores = [kendall(times, order)[0] for order in permutations(values)]
    assert sum(scores) == 0
    assert kendall(times, values)[1] == pytest.approx(sum(score**2 for score in scores) / len(scores))


@given(SMALL)
def test_the_slope_is_the_median_of_the_slopes_of_all_pairs(given_points: list[tuple[int, int]]) -> None:
    ordered = sorted(given_points, key=lambda point: point[0])
    times, values = [float(time) for time, _ in ordered], [float(value) for _, value in ordered]
    slopes = [(y - x) / (b - a) for (a, x), (b, y) in combinations(zip(times, values, strict=True), 2) if a != b]
    found = trend(times, values)
    if not slopes:
        assert (found.slope, found.direction) == (None, Direction.UNKNOWN)
    else:
        assert found.slope == pytest.approx(median(slopes))
        assert 0 <= (found.p_value or 0) <= 1


@pytest.mark.parametrize(
    ("slope", "better", "direction"),
    [
        (0.2, Better.LOWER, Direction.WORSENING),
        (-0.2, Better.LOWER, Direction.IMPROVING),
        (0.2, Better.HIGHER, Direction.IMPROVING),
        (-0.2, Better.HIGHER, Direction.WORSENING),
        (0.2, None, Direction.RISING),
        (-0.2, None, Direction.FALLING),
        (0.0, Better.LOWER, Direction.STEADY),
    ],
)
def test_a_trend_has_a_word(slope: float, better: Better | None, direction: Direction) -> None:
    found = trend(*points(60, slope), better)
    assert found.direction is direction
    assert found.significant is (slope != 0)
    assert found.slope == pytest.approx(slope, abs=0.02)
    assert found.intercept == pytest.approx(100, abs=1)


def test_a_line_without_noise_and_a_level_are_what_they_are() -> None:
    times = [float(place) for place in range(20)]
    rising, level = trend(times, [time * 0.1 for time in times]), trend(times, [5.0] * 20)
    assert (rising.direction, rising.slope) == (Direction.RISING, pytest.approx(0.1))
    assert (level.direction, level.slope, level.p_value) == (Direction.STEADY, 0, 1)
    assert trend(times, [0.0] * 20).direction is Direction.STEADY


def test_a_jump_that_stays_is_a_trend() -> None:
    times, values = points(40, noise=5)
    assert trend(times, [value + 50 * (place >= 20) for place, value in enumerate(values)]).significant


def test_a_few_absurd_values_are_not() -> None:
    times, values = points(40)
    assert trend(times, [*values[:-2], 1e12, 1e12]).direction is Direction.STEADY


def test_few_points_prove_nothing() -> None:
    found = trend([0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6])
    assert (found.direction, found.slope, found.p_value, found.significant) == (Direction.UNKNOWN, 1, None, False)
    assert trend([], []).slope is None
    assert trend([1], [1]).slope is None
    assert trend([3.0] * 10, [float(each) for each in range(10)]).direction is Direction.UNKNOWN


def drifting(count: int, chance: random.Random, alike: float) -> list[float]:
    values = [chance.gauss(0, 1)]
    while len(values) < count:
        values.append(alike * values[-1] + chance.gauss(0, 1))
    return values


@pytest.mark.parametrize(("alike", "most"), [(0.0, 6), (0.5, 10)])
def test_steady_figures_are_seldom_taken_for_a_trend_also_when_neighbours_are_alike(alike: float, most: int) -> None:
    chance = random.Random(7)  # noqa: S311
    times = [float(place) for place in range(80)]
    assert sum(trend(times, drifting(80, chance, alike)).significant for _ in range(200)) <= most


def test_of_many_points_the_slope_is_found_as_well() -> None:
    found = trend(*points(12_000, 0.001, noise=3))
    assert found.slope == pytest.approx(0.001, rel=0.1)
    assert found.direction is Direction.RISING
    assert found.count == 12_000
    assert found.p_value is not None


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("duration_seconds", Better.LOWER),
        ("queue_seconds", Better.LOWER),
        ("tests_failed", Better.LOWER),
        ("tests_skipped", Better.LOWER),
        ("tests_passed", Better.HIGHER),
        ("totals.coverage", Better.HIGHER),
        ("bundle.size", Better.LOWER),
        ("success_rate", Better.HIGHER),
        ("error_rate", None),
        ("tests_total", None),
        ("answer", None),
    ],
)
def test_what_is_better_is_told_by_the_name_where_it_is(name: str, better: Better | None) -> None:
    assert better_of(name) is better
