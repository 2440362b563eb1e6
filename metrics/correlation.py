"""Whether failures have something in common: all on one runner, all in one cloud, while the others pass."""

from collections import Counter
from collections.abc import Iterable, Mapping
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


Counts = Mapping[str, tuple[int, int]]
"""By the value of a label: how many (failed, passed)."""


def shared_by(builds: Iterable[tuple[Mapping[str, str], bool]], *, labels: Iterable[str] | None = None) -> list[Shared]:
    """What all failures among some builds share, the least likely first.

    Args:
        builds: The labels of each, and whether it failed: those that passed, and the failures that may have a
            common cause.
        labels: Those to look at; None: all that are met.
    """
    failed: dict[str, Counter[str]] = {}
    passed: dict[str, Counter[str]] = {}
    total = 0
    for its, bad in builds:
        total += bad
        for label, value in its.items():
            (failed if bad else passed).setdefault(label, Counter())[value] += 1
    wanted = failed if labels is None else failed.keys() & set(labels)
    counts = {
        label: {value: (failed[label][value], passed[label][value]) for value in {*failed[label], *passed[label]}}
        for label in wanted
        if label in passed
    }
    return shared_values(counts, failed=total)


def shared_values(counts: Mapping[str, Counts], *, failed: int) -> list[Shared]:
    """The same of counts. `failed`: how many failures there are, with the label or without."""
    found = (_shared(label, by_value, failed) for label, by_value in counts.items())
    return sorted((each for each in found if each is not None), key=lambda each: (each.p_value, each.label))


def _shared(label: str, counts: Counts, failed: int) -> Shared | None:
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
