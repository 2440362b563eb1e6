from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.build import Verdict
from metrics.analysis import Analysis, analyse
from metrics.baseline import Method
from metrics.trend import Direction
from tests.support.builders import NOON


@dataclass(frozen=True, kw_only=True)
class Figure:
    finished_at: datetime
    value: float
    verdict: Verdict = Verdict.PASSED
    stream: str = "main"


def figures(values: list[float], verdict: Verdict = Verdict.PASSED, stream: str = "main") -> list[Figure]:
    """A day apart."""
    return [
        Figure(finished_at=NOON + timedelta(days=place), value=value, verdict=verdict, stream=stream)
        for place, value in enumerate(values)
    ]


def analysed(some: list[Figure], name: str = "duration_seconds") -> Analysis:
    found = analyse(sorted(some, key=lambda each: each.finished_at), name, Method.MEDIAN)
    assert found is not None
    return found


def test_no_figures_say_nothing() -> None:
    assert analyse([], "duration_seconds") is None


def test_durations_are_those_of_builds_that_passed_and_the_slope_is_per_day() -> None:
    passed = [100.0 + 2 * place for place in range(12)]
    found = analysed(figures(passed) + figures([1.0] * 12, Verdict.FAILED))
    assert (found.trend.count, found.trend.slope, found.trend.direction) == (12, 2, Direction.WORSENING)
    assert (found.verdict, found.usual_verdict) == (Verdict.PASSED, Verdict.PASSED)
    assert found.baseline is not None
    assert found.baseline.value == 111
    assert found.aggregate.count == 24


def test_other_figures_are_those_of_all_builds() -> None:
    found = analysed(figures([0.0] * 8) + figures([5.0] * 8, Verdict.FAILED), "tests_failed")
    assert (found.trend.count, found.verdict) == (16, None)


def test_the_busiest_branch_is_meant_and_others_are_not_compared_with_it() -> None:
    found = analysed(figures([10.0, 11, 12] * 4) + figures([1000.0, 1001, 1002] * 3, stream="next"))
    assert (found.stream, found.trend.count, found.outliers) == ("main", 12, ())


def test_where_hardly_a_build_passes_those_that_fail_are_usual() -> None:
    found = analysed(figures([50.0] * 4) + figures([10.0] * 9, Verdict.FAILED))
    assert found.usual_verdict is Verdict.FAILED
    assert found.baseline is not None
    assert found.baseline.value == 10
