"""Whether a figure rises or falls with time: Theil and Sen's slope, Mann and Kendall's test.

Both look at pairs of builds only, so a single absurd value changes nothing. Sources: Sen 1968 (the slope), Kendall
1975 (the test, its variance with ties), Bayley and Hammersley 1946 (how many independent values neighbours are worth
that resemble each other, as builds of one day do).
"""

import math
import re
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, combinations, groupby, pairwise
from statistics import median

MIN_POINTS = 8  # fewer prove nothing at the level below
LEVEL = 0.01
_EXACT = 400  # points whose pairs are all looked at
_TESTED = 10_000  # points that are tested: their number is squared, if only in moving memory
_NOISE = 1e-9  # of the largest value: differences below it come from floating point


class Better(StrEnum):
    """Which way a figure should go."""

    LOWER = "lower"
    HIGHER = "higher"


class Direction(StrEnum):
    """Where a figure goes, in a word for people."""

    IMPROVING = "improving"
    WORSENING = "worsening"
    RISING = "rising"  # of a figure of which nobody knows what is better
    FALLING = "falling"
    STEADY = "steady"
    UNKNOWN = "unknown"  # too few builds


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Where a figure goes. `slope` is in units of the figure per unit of time, `p_value` two-sided."""

    direction: Direction
    count: int
    slope: float | None = None  # None: fewer than two different times
    intercept: float | None = None  # the line's value at time 0
    p_value: float | None = None
    significant: bool = False  # p below 0.01, among at least 8 points


_HIGHER = re.compile(r"(^|[_.\s-])(passed|coverage|covered|rate|score|throughput|speed)($|[_.\s-])", re.IGNORECASE)
_LOWER = re.compile(
    r"(^|[_.\s-])(seconds|duration|time|latency|ms|millis|bytes|size|memory|failed|failures|errors?|warnings?|skipped"
    r"|flaky|violations|vulnerabilities|issues|bugs|misses|p\d\d)($|[_.\s-])",
    re.IGNORECASE,
)


def better_of(name: str) -> Better | None:
    """Which way a figure of this name should go, as far as the name tells: seconds down, coverage up."""
    lower, higher = _LOWER.search(name), _HIGHER.search(name)
    if bool(lower) is bool(higher):
        return None
    return Better.LOWER if lower else Better.HIGHER


def trend(times: Sequence[float], values: Sequence[float], better: Better | None = None) -> Trend:
    """The trend of some figures.

    Args:
        times: When each was measured, ascending, in any unit: that of the slope. Equal times are allowed.
        values: The figures, finite.
        better: Which way they should go.

    Of more than 10,000 points the medians of neighbours are tested; the slope is that of at most 400 such medians.
    """
    count = len(values)
    times, values = _thinned(times, values, _TESTED)
    slope = _slope(*_thinned(times, values, _EXACT))
    if slope is None or count < MIN_POINTS:
        return Trend(direction=Direction.UNKNOWN, count=count, slope=slope)
    residuals = [value - slope * time for time, value in zip(times, values, strict=True)]
    score, variance = kendall(times, values)
    p_value = _p_value(score, variance * _inflation(values, residuals))
    significant = p_value < LEVEL and slope != 0
    return Trend(
        direction=_direction(slope, better) if significant else Direction.STEADY,
        count=count,
        slope=slope,
        intercept=median(residuals),
        p_value=p_value,
        significant=significant,
    )


def _direction(slope: float, better: Better | None) -> Direction:
    if better is None:
        return Direction.RISING if slope > 0 else Direction.FALLING
    return Direction.IMPROVING if (slope > 0) is (better is Better.HIGHER) else Direction.WORSENING


def kendall(times: Sequence[float], values: Sequence[float]) -> tuple[int, float]:
    """Kendall's S (pairs that rise minus pairs that fall) and its variance under no trend, with ties in both.

    `times` are ascending. n log n comparisons.
    """
    score = 0
    earlier: list[float] = []  # sorted
    for _, members in groupby(zip(times, values, strict=True), key=lambda point: point[0]):
        together = [value for _, value in members]
        for value in together:
            score += bisect_left(earlier, value) - (len(earlier) - bisect_right(earlier, value))
        for value in together:
            insort(earlier, value)
    return score, _variance(len(values), list(_ties(times)), list(_ties(values)))


def _ties(values: Sequence[float]) -> Iterator[int]:
    """How many are equal, for each value that is there more than once."""
    return (size for size in Counter(values).values() if size > 1)


def _variance(count: int, times: Sequence[int], values: Sequence[int]) -> float:
    """Kendall 1975, chapter 4: the variance of S when both sides have ties."""

    def third(size: int) -> int:
        return size * (size - 1) * (2 * size + 5)

    both = sum(t * (t - 1) for t in times) * sum(u * (u - 1) for u in values)
    threes = sum(t * (t - 1) * (t - 2) for t in times) * sum(u * (u - 1) * (u - 2) for u in values)
    variance = (third(count) - sum(map(third, times)) - sum(map(third, values))) / 18
    variance += both / (2 * count * (count - 1))
    return variance + threes / (9 * count * (count - 1) * (count - 2))


def _p_value(score: int, variance: float) -> float:
    """Two-sided, by the normal distribution with the correction for whole numbers."""
    if variance <= 0 or score == 0:
        return 1.0
    return math.erfc((abs(score) - 1) / math.sqrt(2 * variance))


def _inflation(values: Sequence[float], residuals: Sequence[float]) -> float:
    """How many values one independent value is worth: more than 1 where neighbours resemble each other.

    A figure that jumped once also lies for long on one side of its line. So what is left of it after the largest
    jump is looked at, too, and the less alike neighbours count.
    """
    noise = max(map(abs, values)) * _NOISE
    alike = max(min(_resemblance(residuals, noise), _resemblance(_without_jump(values), noise)), 0.0)
    return (1 + alike) / (1 - alike)


def _resemblance(residuals: Sequence[float], noise: float) -> float:
    """Spearman's correlation of neighbours, -1 to 1; 0 when there is nothing left but noise."""
    ranks = _ranks([round(residual / noise) if noise else 0 for residual in residuals])
    power = sum(rank * rank for rank in ranks)
    return sum(one * other for one, other in pairwise(ranks)) / power if power else 0.0


def _without_jump(values: Sequence[float]) -> list[float]:
    """The distances to the medians before and after the place where the figure most likely jumped (Pettitt 1979)."""
    sums = list(accumulate(_ranks(values)))
    place = max(range(1, len(values)), key=lambda each: abs(sums[each - 1]))
    before, after = median(values[:place]), median(values[place:])
    return [value - (before if each < place else after) for each, value in enumerate(values)]


def _ranks(values: Sequence[float]) -> list[float]:
    """Places in order, 0 in the middle; equal values share the middle of their places."""
    ordered = sorted(values)
    return [(bisect_left(ordered, value) + bisect_right(ordered, value) - len(ordered)) / 2 for value in values]


def _slope(times: Sequence[float], values: Sequence[float]) -> float | None:
    """The median of the slopes of all pairs with different times."""
    slopes = [
        (later - earlier) / (end - start)
        for (start, earlier), (end, later) in combinations(zip(times, values, strict=True), 2)
        if end != start
    ]
    return median(slopes) if slopes else None


def _thinned(times: Sequence[float], values: Sequence[float], most: int) -> tuple[Sequence[float], Sequence[float]]:
    """So many points at most: of more, the medians of neighbours."""
    count = len(values)
    if count <= most:
        return times, values
    blocks = list(pairwise(place * count // most for place in range(most + 1)))
    return [median(times[start:end]) for start, end in blocks], [median(values[start:end]) for start, end in blocks]
