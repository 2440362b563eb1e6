from statistics import mean, quantiles, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.measurements import aggregate, significant


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=50))
def test_figures_are_summed_up_as_the_standard_library_does(values: list[float]) -> None:
    found = aggregate(values)
    assert found is not None
    cuts = quantiles(values, n=100, method="inclusive")
    assert (found.count, found.minimum, found.maximum) == (len(values), min(values), max(values))
    assert (found.p50, found.p95, found.p99) == pytest.approx((cuts[49], cuts[94], cuts[98]), rel=1e-6, abs=1e-3)
    assert (found.mean, found.std) == pytest.approx((mean(values), stdev(values)), rel=1e-6, abs=1e-3)


def test_one_figure_has_no_deviation_and_none_has_nothing() -> None:
    one = aggregate([3.0])
    assert one is not None
    assert (one.minimum, one.p99, one.std) == (3, 3, 0)
    assert aggregate([]) is None


@pytest.mark.parametrize(
    ("value", "shown"), [(0.1 + 0.2, 0.3), (1234567.8, 1234570.0), (0.0, 0.0), (-1e-9 / 3, -3.33333e-10)]
)
def test_numbers_for_people_have_six_digits(value: float, shown: float) -> None:
    assert significant(value) == shown
