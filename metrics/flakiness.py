"""Flaky tests: those that fail and pass without reason.

A test is flaky when it failed and passed on the same commit, in one build or in several, or when it changed sides at
least three times in the last thirty builds. Failing three times in a row or more is no flakiness: such streaks are
left out. So are builds in which nearly everything failed: those say nothing of a single test.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from domain.testhistory import Course, Trial
from domain.testreport import FAILING, Test, TestStatus

WINDOW = 30  # builds
FLIPS = 3
STREAK = 3
_COLLAPSED = 0.8  # the share of failed tests from which a build does not count

Point = tuple[Trial, bool]
"""A build in which a test ran, and whether it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaky:
    """A flaky test, and why it is taken for one. Builds are those that count, without streaks of failures."""

    suite: str
    name: str
    flips: int  # changes of sides
    failed: int  # builds
    ran: int  # builds
    both_ways: tuple[str, ...] = ()  # commits on which it failed and passed, newest first
    retried: int = 0  # builds in which it failed before it passed
    last_failed: Trial | None = None

    @property
    def rate(self) -> float:
        """How often it fails, of the builds in which it ran."""
        return (self.failed + self.retried) / self.ran if self.ran else 0.0


def flaky_tests(runs: Sequence[Trial], lines: Iterable[Course]) -> list[Flaky]:
    """The flaky ones of these tests, the worst first. `runs` are builds of one stream, oldest first."""
    first = _first_of_window(runs)
    found = [flaky for line in lines if (flaky := _flaky(runs, line, first)) is not None]
    return sorted(found, key=lambda each: (-each.rate, -each.flips, each.suite, each.name))


def known_flaky(runs: Sequence[Trial], lines: Iterable[Course]) -> frozenset[Test]:
    """The tests whose failing in the build after these is no news: flaky until then, and not broken for good."""
    flaky = {(each.suite, each.name): each for each in flaky_tests(runs, lines)}
    return frozenset(flaky)


def _first_of_window(runs: Sequence[Trial]) -> int:
    """The place of the first of the last thirty builds; attempts of one build are one."""
    seen: set[tuple[int, int]] = set()
    for place in range(len(runs) - 1, -1, -1):
        seen.add((runs[place].generation, runs[place].number))
        if len(seen) > WINDOW:
            return place + 1
    return 0


def _flaky(runs: Sequence[Trial], line: Course, first: int) -> Flaky | None:
    points = list(_points(runs, line, first))
    both_ways, retried = _both_ways(points), [place for place in line.retried if place >= first]
    settled = _without_streaks(_last_attempts(points))
    flips = sum(before[1] is not after[1] for before, after in pairwise(settled))
    if not both_ways and not retried and flips < FLIPS:
        return None
    broken = [run for run, failed in points if failed]
    return Flaky(
        suite=line.suite,
        name=line.name,
        flips=flips,
        failed=sum(failed for _, failed in settled),
        ran=len(settled),
        both_ways=both_ways,
        retried=len(retried),
        last_failed=broken[-1] if broken else None,
    )


def _points(runs: Sequence[Trial], line: Course, first: int) -> Iterator[Point]:
    for run, status in zip(runs[first:], line.statuses[first:], strict=True):
        collapsed = run.total > 1 and run.failed >= _COLLAPSED * run.total
        if status not in (None, TestStatus.SKIPPED) and not collapsed:
            yield run, status in FAILING


def _both_ways(points: Collection[Point]) -> tuple[str, ...]:
    ended: dict[tuple[str, int | None], set[bool]] = {}
    for run, failed in reversed(list(points)):
        if run.commit is not None:
            ended.setdefault((run.commit, run.labels), set()).add(failed)
    return tuple(dict.fromkeys(commit for (commit, _), ways in ended.items() if len(ways) > 1))


def _last_attempts(points: Iterable[Point]) -> list[Point]:
    """One point for each build: how its last attempt ended."""
    return list({(run.generation, run.number): (run, failed) for run, failed in points}.values())


def _without_streaks(points: Iterable[Point]) -> list[Point]:
    """Without so many failures in a row that the test was really broken."""
    kept: list[Point] = []
    for failed, some in groupby(points, key=lambda point: point[1]):
        streak = list(some)
        if not failed or len(streak) < STREAK:
            kept += streak
    return kept
