"""One figure of one pipeline over time: what it is like, where it goes, what is usual, which builds stand out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.build import Verdict
from domain.measurement import DURATION
from metrics.baseline import MIN_VALUES, Baseline, Method, baseline
from metrics.measurements import Aggregate, aggregate
from metrics.outliers import Outlier, outliers
from metrics.trend import Trend, better_of, trend

_DAY = timedelta(days=1)


class Figure(Protocol):
    """The figure of one build."""

    @property
    def finished_at(self) -> datetime:
        """When the build ended."""
        ...

    @property
    def value(self) -> float:
        """The figure, finite."""
        ...

    @property
    def verdict(self) -> Verdict:
        """Passed or failed."""
        ...

    @property
    def stream(self) -> str:
        """The branch, `""` for a plain job."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What there is to say about some figures. `trend.slope` is per day."""

    aggregate: Aggregate
    trend: Trend
    baseline: Baseline | None  # None: too few comparable builds
    outliers: tuple[Outlier, ...]  # by place among the figures
    stream: str  # of which trend and baseline are: the one with most builds
    verdict: Verdict | None  # ... and of which builds; None: of all
    usual_verdict: Verdict  # that the builds of the baseline have


def analyse(figures: Sequence[Figure], name: str, method: Method = Method.INTELLIGENT) -> Analysis | None:
    """Everything about some figures of a pipeline; None of none.

    Branches differ, and a build that fails ends early. So an outlier is one among the builds of its own branch that
    ended like it; trend and baseline are those of the busiest branch; the baseline is that of the builds that passed,
    as long as there are some, and the trend of durations, too.

    Args:
        figures: By the time of their end.
        name: Of the figure: it tells what is better.
        method: How the baseline is found.
    """
    if not figures:
        return None
    stream = Counter(each.stream for each in figures).most_common(1)[0][0]
    ours = [each for each in figures if each.stream == stream]
    passed = [each for each in ours if each.verdict is Verdict.PASSED]
    usual = passed if len(passed) >= MIN_VALUES else [each for each in ours if each.verdict is Verdict.FAILED]
    moving = passed if name == DURATION else ours
    start = figures[0].finished_at
    total = aggregate([each.value for each in figures])
    assert total is not None  # noqa: S101  (there are figures)
    return Analysis(
        aggregate=total,
        trend=trend(
            [(each.finished_at - start) / _DAY for each in moving], [each.value for each in moving], better_of(name)
        ),
        baseline=baseline([each.value for each in usual], method),
        outliers=tuple(outliers([each.value for each in figures], [(each.stream, each.verdict) for each in figures])),
        stream=stream,
        verdict=Verdict.PASSED if name == DURATION else None,
        usual_verdict=Verdict.PASSED if usual is passed else Verdict.FAILED,
    )
