import random

import pytest

from metrics.outliers import outliers


def test_what_is_far_from_the_usual_is_found_on_both_sides() -> None:
    values = [10.0, 11, 9, 10, 12, 8, 10, 11, 50, -40]
    found = outliers(values)
    assert [(each.place, each.value, each.usual) for each in found] == [(8, 50, 10), (9, -40, 10)]
    assert found[0].score == pytest.approx(40 / 1.4826, rel=1e-4)
    assert found[1].score < 0


def test_builds_are_compared_with_their_like_only() -> None:
    values = [10.0 + place % 3 for place in range(10)] + [100.0 + place % 3 for place in range(10)]
    groups = ["main"] * 10 + ["nightly"] * 10
    assert outliers(values, groups) == []
    assert [each.place for each in outliers([*values, 100.0], [*groups, "main"])] == [20]


def test_among_equal_figures_a_single_other_one_is_far_and_many_are_not() -> None:
    assert [each.place for each in outliers([0.0] * 19 + [1.0])] == [19]
    assert outliers([0.0] * 12 + [1.0] * 8) == []
    assert outliers([5.0] * 20) == []


def test_a_handful_has_no_outliers() -> None:
    assert outliers([1, 1, 1, 1, 1, 1, 1000]) == []
    assert outliers([]) == []


def test_figures_that_vary_by_chance_have_hardly_any() -> None:
    chance = random.Random(5)  # noqa: S311
    assert len(outliers([chance.gauss(100, 10) for _ in range(2000)])) <= 4
