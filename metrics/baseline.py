"""What is usual for a figure: a value in the middle, and how far from it still is nothing special."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, median

from domain.percentile import percentile

NORMAL = 1.482602218505602  # the standard deviation of a normal distribution whose median deviation is 1
NORMAL_MEAN = 1.2533141373155001  # ... whose mean deviation is 1
FAR = 3.5  # deviations from the middle: Iglewicz and Hoaglin 1993
FENCE = 1.5  # times the range of the middle half: Tukey 1977
MIN_VALUES = 5
_LITTLE = 0.25  # of the middle
_OFTEN = 0.05


class Method(StrEnum):
    """How the usual value is found."""

    MEDIAN = "median"  # and the median deviation from it
    IQR = "iqr"  # the median of what lies within Tukey's fences
    INTELLIGENT = "intelligent"  # one of both, by what the values look like; the reason is told


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What is usual. From `low` to `high` nothing is special; all in the unit of the figures."""

    method: Method  # as it was used: never `intelligent`
    value: float
    spread: float  # like a standard deviation
    low: float
    high: float
    count: int  # figures that it was made of
    left_out: int  # figures too far away to be among them
    reason: str


def baseline(values: Sequence[float], method: Method = Method.INTELLIGENT) -> Baseline | None:
    """What is usual, given comparable finite figures; None of fewer than 5."""
    if len(values) < MIN_VALUES:
        return None
    ordered = sorted(values)
    if method is Method.INTELLIGENT:
        method, reason = _chosen(ordered)
    else:
        reason = "asked for"
    return _by_median(ordered, reason) if method is Method.MEDIAN else _by_fences(ordered, reason)


def robust_spread(values: Sequence[float], middle: float) -> float:
    """The median absolute deviation on the scale of a standard deviation.

    Where more than half of the figures are the same, the mean deviation serves: a single other value is special then,
    and a third of them are not. 0: all are the same.
    """
    deviations = [abs(value - middle) for value in values]
    typical = median(deviations)
    return NORMAL * typical if typical else NORMAL_MEAN * fmean(deviations)


def _chosen(ordered: Sequence[float]) -> tuple[Method, str]:
    low, high = fences(ordered)
    outside = sum(not low <= value <= high for value in ordered)
    if high > low and outside > _OFTEN * len(ordered):
        return Method.IQR, f"{outside} of {len(ordered)} lie far outside: they are left out"
    middle = median(ordered)
    if middle and robust_spread(ordered, middle) > _LITTLE * abs(middle):
        return Method.MEDIAN, "the figures vary much: the median is hardly moved by that"
    return Method.MEDIAN, "few or none lie far outside"


def fences(ordered: Sequence[float]) -> tuple[float, float]:
    """Tukey's: beyond them lies what is far from the middle half. `ordered` is ascending and not empty."""
    lower, upper = percentile(ordered, 0.25), percentile(ordered, 0.75)
    return lower - FENCE * (upper - lower), upper + FENCE * (upper - lower)


def _by_median(ordered: Sequence[float], reason: str) -> Baseline:
    middle = median(ordered)
    spread = robust_spread(ordered, middle)
    low, high = middle - FAR * spread, middle + FAR * spread
    return Baseline(
        method=Method.MEDIAN,
        value=middle,
        spread=spread,
        low=low,
        high=high,
        count=len(ordered),
        left_out=0,
        reason=reason,
    )


def _by_fences(ordered: Sequence[float], reason: str) -> Baseline:
    low, high = fences(ordered)
    inside = [value for value in ordered if low <= value <= high]
    middle = median(inside)
    return Baseline(
        method=Method.IQR,
        value=middle,
        spread=robust_spread(inside, middle),
        low=low,
        high=high,
        count=len(inside),
        left_out=len(ordered) - len(inside),
        reason=reason,
    )
