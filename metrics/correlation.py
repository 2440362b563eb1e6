"""Whether failures have something in common: all on one runner, all in one cloud, while the others pass."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb

MIN_FAILED = 3
LEVEL = 0.01
_MOST_BUILDS = 5000  # beyond that the test is not what is missing, and whole numbers grow long


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """All failures have one value of a label."""

    label: str
    value: str
    failed: int  # all of them
    passed: int  # with that value, all the same
    elsewhere: int  # that passed with other values; none failed there
    p_value: float  # how likely failures of builds with any value fall on this one alone

    @property
    def text(self) -> str:
        """`all 5 on agent-7 (0 of 23 elsewhere)`."""
        return f"all {self.failed} on {self.value} (0 of {self.elsewhere} elsewhere)"


Group = tuple[Mapping[str, str], int, int]
"""The labels of some builds, how many of them failed, how many passed."""


def shared_by(groups: Iterable[Group], *, labels: Iterable[str] | None = None) -> list[Shared]:
    """What all failures among some builds share, the least likely first.

    Args:
        groups: The builds that passed, and the failures that may have a common cause. A failure without a label
            speaks against that label.
        labels: Those to look at; None: all that are met.
    """
    counts: dict[str, dict[str, list[int]]] = {}
    total = 0
    for its, failed, passed in groups:
        total += failed
        for label, value in its.items():
            tally = counts.setdefault(label, {}).setdefault(value, [0, 0])
            tally[0] += failed
            tally[1] += passed
    wanted = counts if labels is None else counts.keys() & set(labels)
    found = (_shared(label, counts[label], total) for label in wanted)
    return sorted((each for each in found if each is not None), key=lambda each: (each.p_value, each.label))


def _shared(label: str, counts: Mapping[str, Sequence[int]], failed: int) -> Shared | None:
    hit = [value for value, (bad, _) in counts.items() if bad]
    if failed < MIN_FAILED or len(hit) != 1 or counts[hit[0]][0] != failed:
        return None
    elsewhere = sum(good for value, (_, good) in counts.items() if value != hit[0])
    passed = counts[hit[0]][1]
    p_value = chance(failed, failed + passed, failed + passed + elsewhere)
    if p_value >= LEVEL:
        return None
    return Shared(label=label, value=hit[0], failed=failed, passed=passed, elsewhere=elsewhere, p_value=p_value)


def chance(failed: int, size: int, total: int) -> float:
    """How likely all of `failed` builds are among these `size` of all `total`, if any of them may fail alike.

    Fisher's exact test, one-sided: the last term of the hypergeometric distribution.
    """
    if total > _MOST_BUILDS:
        return (size / total) ** failed
    return comb(size, failed) / comb(total, failed)
