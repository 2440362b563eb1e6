"""Tests that take longer than they did: the median of the last runs against that of those before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from domain.testreport import Test

RECENT, BEFORE, ENOUGH = 5, 25, 10  # runs: the last ones, those before at most, and at least
_FACTOR, _SECONDS = 1.5, 1.0  # a test is slower by both


@dataclass(frozen=True, slots=True, kw_only=True)
class Slower:
    """A test that takes longer than it did, in seconds."""

    suite: str
    name: str
    before: float  # the median
    now: float  # the median

    @property
    def growth(self) -> float:
        """By how much, in seconds."""
        return self.now - self.before


def slower_tests(ids: Sequence[int], durations: Mapping[Test, Mapping[int, float]]) -> list[Slower]:
    """Those that have grown most come first.

    Args:
        ids: the builds of a stream, oldest first.
        durations: seconds, by test and build.
    """
    found = []
    for (suite, name), took in durations.items():
        known = [took[each] for each in ids if each in took]
        recent, earlier = known[-RECENT:], known[-RECENT - BEFORE : -RECENT]
        if len(earlier) < ENOUGH:
            continue
        now, before = median(recent), median(earlier)
        if now >= _FACTOR * before and now - before >= _SECONDS:
            found.append(Slower(suite=suite, name=name, before=before, now=now))
    return sorted(found, key=lambda each: (-each.growth, each.suite, each.name))
