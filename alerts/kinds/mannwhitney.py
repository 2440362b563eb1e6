"""The Mann-Whitney test: whether some values tend to be larger than others, whatever their distribution.

Mann and Whitney (1947), "On a test of whether one of two random variables is stochastically larger than the other".
"""

import math
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist

_EXACT = 40  # values of both samples together, up to which all ways to divide them are counted
_BITS = 64  # of one count: there are fewer ways than that to divide so many values


def p_greater(values: Sequence[float], others: Sequence[float]) -> float:
    """The probability, if both samples came from the same source, that `values` rank so high or higher. One-sided.

    Up to 40 values together it is exact, ties included. Beyond, the normal approximation with corrections for
    continuity and ties. Neither sample may be empty.
    """
    ranks = _doubled_ranks([*values, *others])
    if len(ranks) <= _EXACT:
        return _exact(ranks, len(values))
    return _approximate(ranks, len(values))


def _doubled_ranks(values: Sequence[float]) -> list[int]:
    """Twice the rank of each value, so that the mean rank of tied values stays a whole number."""
    counts = Counter(values)
    doubled: dict[float, int] = {}
    below = 0
    for value in sorted(counts):
        doubled[value] = 2 * below + counts[value] + 1
        below += counts[value]
    return [doubled[value] for value in values]


def _exact(ranks: Sequence[int], chosen: int) -> float:
    """Of all ways to choose so many ranks, the share whose sum is that of the first ones or more."""
    # The ways by how many are chosen, and within one whole number by their sum, 64 bits for each: added all at once.
    ways = [1] + [0] * chosen
    for rank in ranks:
        for count in range(chosen, 0, -1):
            ways[count] += ways[count - 1] << _BITS * rank
    as_high = ways[chosen] >> _BITS * sum(ranks[:chosen])
    return as_high % ((1 << _BITS) - 1) / math.comb(len(ranks), chosen)  # the remainder is the sum of the digits


def _approximate(ranks: Sequence[int], chosen: int) -> float:
    size = len(ranks)
    rest = size - chosen
    larger = sum(ranks[:chosen]) / 2 - chosen * (chosen + 1) / 2  # the statistic U
    ties = sum(count**3 - count for count in Counter(ranks).values())
    variance = chosen * rest / 12 * (size + 1 - ties / (size * (size - 1)))
    if not variance:  # all the same
        return 1.0
    return 1 - NormalDist().cdf((larger - chosen * rest / 2 - 0.5) / math.sqrt(variance))
