"""What a series of figures is like: the smallest, the largest, how they lie in between."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from domain.percentile import percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """Some figures in a few numbers, in the unit of the figures."""

    count: int
    minimum: float
    maximum: float
    mean: float
    p50: float
    p95: float
    p99: float
    std: float  # of a sample (n - 1); 0 for one figure


def aggregate(values: Sequence[float]) -> Aggregate | None:
    """The numbers of some finite figures; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return Aggregate(
        count=len(ordered),
        minimum=ordered[0],
        maximum=ordered[-1],
        mean=fmean(ordered),
        p50=percentile(ordered, 0.5),
        p95=percentile(ordered, 0.95),
        p99=percentile(ordered, 0.99),
        std=stdev(ordered) if len(ordered) > 1 else 0.0,
    )


def significant(value: float, digits: int = 6) -> float:
    """The value rounded to so many significant digits, for people: `0.1 + 0.2` is 0.3."""
    if not value or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))
