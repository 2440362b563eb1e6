"""A change detector for success rates that learns what is normal from the stream itself.

A Bernoulli CUSUM: it adds up, build by build, how much better "the failure rate has risen by 20 points" explains
what is seen than "it is as before". Failures in one consecutive run count only up to a cap, because one outage is
one event, however many builds run into it; and it takes three of them, because two may meet by chance on a stream
that hardly ever fails. Pure arithmetic over settled verdicts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from domain.build import Verdict
from domain.stream import Settled

BASELINE = 200  # builds before the onset that say what is normal
OLDEST = timedelta(days=60)  # none of them older than this, seen from the onset
REBASE = 200  # builds after which a changed rate is the new normal

_SHIFT = 0.20  # the rise of the failure rate that the detector is tuned to
SMALLEST_RISE = 0.10
OUTAGES = 3  # runs of failures since the onset
_RECOVERED = 3.0
_PLAUSIBLE = 1.92  # log-likelihood ratio: half of chi-squared at 95 %, one degree of freedom
_REACH = 50  # builds before the onset among which the true beginning is looked for


@dataclass(frozen=True, slots=True)
class Model:
    """What is normal for a stream: `failed` of `runs` builds, and what follows from it."""

    failed: int
    runs: int
    p0: float  # the failure rate as it was, shrunk a little towards 1 in 5
    up: float  # what a failure adds to the evidence of a rise
    down: float  # what a pass takes from it (negative)
    cap: int  # failures of one consecutive run that count


@lru_cache(maxsize=4096)
def model(failed: int, runs: int) -> Model:
    """The model for a baseline of `failed` failures in `runs` builds."""
    p0 = (failed + 0.5) / (runs + 2.5)
    p1 = min(0.98, p0 + _SHIFT)
    cap = min(max(math.ceil(math.log(0.01) / math.log(p0)), 2), 5)
    return Model(failed, runs, p0, math.log(p1 / p0), math.log((1 - p1) / (1 - p0)), cap)


@dataclass(slots=True)
class Drop:
    """A fall of the success rate: since when, by how much and against what. Failures beyond the cap do not count."""

    normal: Model
    onset: Settled
    fired_by: Settled
    passed_at_firing: int  # since the onset
    failed_at_firing: int
    passed: int  # since the onset, by now
    failed: int
    earliest: Settled  # it began between these two builds, at 95 %
    latest: Settled


class Recovery:
    """The mirrored test that runs while a drop lasts; the baseline stays as it was."""

    __slots__ = ("_builds", "_level", "_normal", "_run", "failed", "passed")

    def __init__(self, normal: Model, *, passed: int, failed: int, run: int) -> None:
        """`run`: the consecutive failures that lead up to the first build to come."""
        self._normal, self._run = normal, run
        self.passed, self.failed = passed, failed
        self._level, self._builds = 0.0, 0

    def ends_with(self, settled: Settled) -> bool:
        """Take in the next build; True when the drop is over with it, see `recovered`."""
        self._builds += 1
        if settled.verdict is Verdict.FAILED:
            self._run += 1
            if self._run <= self._normal.cap:
                self.failed += 1
                self._level = max(0.0, self._level - self._normal.up)
        else:
            self._run = 0
            self.passed += 1
            self._level -= self._normal.down
        return self.recovered or self._builds >= REBASE

    @property
    def recovered(self) -> bool:
        """Whether the rate is back to what it was."""
        return self._level >= _RECOVERED


def open_drop(  # noqa: C901  (one pass over all builds for each decision: spelled out for speed)
    tail: Sequence[Settled], *, limit: float, min_baseline: int, since: tuple[int, int] | None = None
) -> Drop | None:
    """The drop that a stream is in at its end, None when it is in none.

    `limit` is the evidence (in nats) it takes. Builds up to `since` (generation, number) only say what is normal.
    """
    kept: list[Settled] = []  # without the failures beyond the cap
    sums = [0]  # failures among the first i of them
    normal: Model | None = None  # as it was at the onset, or where the present run of failures began
    drop: Drop | None = None
    recovery: Recovery | None = None
    onset, outages, level, run, testing = 0, 0, 0.0, 0, False
    failure = Verdict.FAILED  # looking it up on the enumeration would take a third of the time
    for settled in tail:
        failed = settled.verdict is failure
        run = run + 1 if failed else 0
        if normal is None:
            if not failed:  # most builds: nothing is suspected, and nothing happens
                kept.append(settled)
                sums.append(sums[-1])
                continue
            onset, outages = len(kept), 0
            normal = _normal(kept, sums, settled)
            testing = normal.runs >= min_baseline and (since is None or settled[:2] > since)
        counts = run <= normal.cap
        if counts:
            kept.append(settled)
            sums.append(sums[-1] + failed)
        if recovery is not None:
            if recovery.ends_with(settled):
                drop = recovery = normal = None
                level = 0.0
            continue
        if not counts:
            continue
        if testing:
            level += normal.up if failed else normal.down
            outages += run == 1
        if level >= limit and outages >= OUTAGES and _plain(normal, len(kept) - onset, sums[-1] - sums[onset]):
            drop = _drop(normal, kept, sums, onset)
            recovery = Recovery(normal, passed=drop.passed, failed=drop.failed, run=run)
        elif level <= 0.0 and not failed:
            normal, level = None, 0.0
    if drop is not None and recovery is not None:
        drop.passed, drop.failed = recovery.passed, recovery.failed
    return drop


def _normal(kept: Sequence[Settled], sums: Sequence[int], onset: Settled) -> Model:
    """What is normal just before the onset."""
    first, end = max(len(kept) - BASELINE, 0), len(kept)
    horizon = onset.finished_at - OLDEST
    while first < end and kept[first].finished_at < horizon:
        first += 1
    return model(sums[end] - sums[first], end - first)


def _plain(normal: Model, runs: int, failed: int) -> bool:
    """Whether the rise is large enough to speak of."""
    return failed / runs - normal.p0 >= SMALLEST_RISE


def _drop(normal: Model, kept: Sequence[Settled], sums: Sequence[int], onset: int) -> Drop:
    failed = sums[-1] - sums[onset]
    earliest, latest = _beginnings(normal, kept, onset)
    return Drop(
        normal=normal,
        onset=kept[onset],
        fired_by=kept[-1],
        passed_at_firing=len(kept) - onset - failed,
        failed_at_firing=failed,
        passed=len(kept) - onset - failed,
        failed=failed,
        earliest=kept[earliest],
        latest=kept[latest],
    )


def _beginnings(normal: Model, kept: Sequence[Settled], onset: int) -> tuple[int, int]:
    """The first and the last build at which the rise may have begun: likelihood within 95 % of that of the onset."""
    earliest = latest = onset
    loss = 0.0
    for index in range(onset - 1, max(onset - _REACH, 0) - 1, -1):
        loss -= _step(normal, kept[index])
        if loss <= _PLAUSIBLE:
            earliest = index
    loss = 0.0
    for index in range(onset, len(kept) - 1):
        loss += _step(normal, kept[index])
        if loss <= _PLAUSIBLE:
            latest = index + 1
    return earliest, latest


def _step(normal: Model, settled: Settled) -> float:
    return normal.up if settled.verdict is Verdict.FAILED else normal.down
