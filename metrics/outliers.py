"""Which builds have a figure far from what is usual among those that can be compared with them."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from metrics.baseline import FAR, robust_spread

MIN_COMPARABLE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """A figure that is far away. `place` is its index among those that were given."""

    place: int
    value: float
    usual: float  # the median of the comparable figures, itself among them
    score: float  # how many robust deviations away: negative below


def outliers(values: Sequence[float], groups: Sequence[Hashable] | None = None) -> list[Outlier]:
    """The figures that are more than 3.5 robust deviations from the median of their group, in their order.

    Args:
        values: Finite figures.
        groups: For each figure what it can be compared with, like its branch and verdict; None: all with all. A group
            of fewer than 8 has none.
    """
    places: Mapping[Hashable, list[int]] = defaultdict(list)
    for place, group in enumerate(groups if groups is not None else [None] * len(values)):
        places[group].append(place)
    found: list[Outlier] = []
    for members in places.values():
        if len(members) >= MIN_COMPARABLE:
            found += _among(values, members)
    return sorted(found, key=lambda each: each.place)


def _among(values: Sequence[float], members: Sequence[int]) -> list[Outlier]:
    comparable = [values[place] for place in members]
    usual = median(comparable)
    spread = robust_spread(comparable, usual)
    if not spread:
        return []
    scores = ((place, (values[place] - usual) / spread) for place in members)
    return [
        Outlier(place=place, value=values[place], usual=usual, score=score)
        for place, score in scores
        if abs(score) > FAR
    ]
