"""success_rate_drop on seeded histories: false alarms and delays against the rules that people use instead.

`python -m bench.rate_drop [--quick]`. What is counted as false is every alarm on a history that never changes.
"""

import argparse
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest.mock import patch

from alerts.kinds import cusum
from alerts.kinds.cusum import Recovery, model, open_drop
from alerts.kinds.rate_drop import LIMITS, decide_rate_drop
from alerts.rules import RateDropRule
from bench.histories import (
    START,
    clustered,
    first_failures,
    fixed_thresholds,
    independent,
    line,
    run_length,
)
from bench.measure import goal, heading, note, rows
from bench.recorded import recorded
from domain.alert import Alert, Reason, Scope
from domain.build import Outcome
from domain.stream import Settled

RATES = (0.005, 0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.35)
OUTAGES = [(rate, length, apart) for rate in (0.005, 0.02, 0.05) for length in (2, 5, 15) for apart in (60, 150)]
SHIFTS = ((0.05, 0.50, 20), (0.05, 0.30, 35), (0.10, 0.50, 30))  # from, to, at most so many builds in the median
EXACT = ((0.02, "high"), (0.05, "medium"), (0.10, "medium"), (0.20, "medium"), (0.35, "high"))
MIN_BASELINE = RateDropRule().min_baseline


@dataclass(frozen=True, slots=True)
class Found:
    """What three rules made of one history: how often each fired."""

    name: str
    builds: int
    detector: int
    naive: int
    failures: int

    def cells(self) -> list[str]:
        """A row of the table: false alarms per 1,000 builds."""
        return [self.name, *(f"{1000 * each / self.builds:.2f}" for each in (self.detector, self.naive, self.failures))]


@contextmanager
def counting() -> Iterator[list[Recovery]]:
    """Every drop that opens brings a `Recovery` with it: the list of those made meanwhile."""
    made: list[Recovery] = []

    class Counted(Recovery):
        def __init__(self, *given: object, **named: object) -> None:
            super().__init__(*given, **named)  # type: ignore[arg-type]
            made.append(self)

    with patch.object(cusum, "Recovery", Counted):
        yield made


def alarms(history: Sequence[Settled], sensitivity: str = "medium") -> int:
    """How often the detector fires on a history, from its beginning to its end."""
    with counting() as made:
        open_drop(history, limit=LIMITS[sensitivity], min_baseline=MIN_BASELINE)
    return len(made)


def judged(name: str, failures: Sequence[bool]) -> Found:
    return Found(name, len(failures), alarms(line(failures)), fixed_thresholds(failures), first_failures(failures))


def false_alarms(count: int) -> None:
    steady = [judged(f"{100 * rate:g} %", independent(rate, count, rate)) for rate in RATES]
    cloudy = [
        judged(
            f"{100 * rate:g} %, {length} every {apart}", clustered(rate, length, apart, count, (rate, length, apart))
        )
        for rate, length, apart in OUTAGES
    ]
    for title, found, most in (
        ("independent failures, by their rate", steady, 0.5),
        ("with outages: rate outside, mean length and distance in builds", cloudy, 1.2),
    ):
        heading(f"False alarms per 1,000 builds, {title}; {count:,} builds each")
        rows(["", "rate drop", "24 h < 80 %", "first failure"], [each.cells() for each in found])
        worst = max(found, key=lambda each: each.detector)
        goal(f"most of the detector ({worst.name})", 1000 * worst.detector / worst.builds, most)
        ours, theirs = sum(each.detector for each in found), sum(each.naive for each in found)
        goal("times fewer than 24 h < 80 %, min 10", theirs / max(ours, 1), 10, at_least=True)
    leaky = [
        judged(f"{100 * share:g} %, {length} every {apart}", clustered(0.02, length, apart, count, share, share=share))
        for share in (0.95, 0.9)
        for length, apart in ((5, 60), (15, 150))
    ]
    heading("Outages in which some builds pass (share that fails), 2 % outside: long ones are true drops, for a while")
    rows(["", "rate drop", "24 h < 80 %", "first failure"], [each.cells() for each in leaky])


def delays(repeats: int) -> None:
    heading(f"Builds until a drop is told, median of {repeats} histories of 200 builds before it")
    table = []
    for before, after, most in SHIFTS:
        found: dict[str, list[float]] = {
            sensitivity: [_delay(before, after, limit, seed) for seed in range(repeats)]
            for sensitivity, limit in LIMITS.items()
        }
        medians = {sensitivity: statistics.median(each) for sensitivity, each in found.items()}
        missed = sum(each == float("inf") for each in found["medium"])
        table.append([f"{100 * before:g} -> {100 * after:g} %", *(f"{each:g}" for each in medians.values()), missed])
        goal(f"medium, {100 * before:g} -> {100 * after:g} %", medians["medium"], most, " builds")
    rows(["", *LIMITS, "missed (medium)"], table)


def _delay(before: float, after: float, limit: float, seed: int) -> float:
    history = line(independent(before, 200, (seed, before)) + independent(after, 150, (seed, after)))
    ends = range(201, len(history) + 1)
    return next(
        (end - 200 for end in ends if open_drop(history[:end], limit=limit, min_baseline=MIN_BASELINE)), float("inf")
    )


def exact(wanted: int) -> None:
    heading("Builds between two false alarms with a fixed baseline of 200: exact chain against simulation")
    table, worst = [], 0.0
    for rate, sensitivity in EXACT:
        normal, limit = model(round(200 * rate), 200), LIMITS[sensitivity]
        computed = run_length(normal, rate, limit=limit, outages=cusum.OUTAGES, rise=cusum.SMALLEST_RISE)
        builds, seen = _simulated(normal, rate, limit, round(wanted * computed))
        difference = builds / max(seen, 1) / computed - 1
        worst = max(worst, abs(difference))
        cells = [f"{computed:,.0f}", f"{builds / max(seen, 1):,.0f}", f"{seen:,}", f"{100 * difference:+.1f} %"]
        table.append([f"{100 * rate:g} %, {sensitivity}", *cells])
    rows(["failure rate", "exact", "simulated", "alarms", "difference"], table)
    goal("largest difference", 100 * worst, 10, " %")


def _simulated(normal: cusum.Model, rate: float, limit: float, builds: int) -> tuple[int, int]:
    """(builds, alarms) of the product's own pass, with a baseline that stays and alarms that are over at once."""
    passed, failed = line([False, True])
    chance, alarms_seen, chunk = random.Random(repr(rate)).random, 0, 200_000

    class Over:
        def __init__(self, *_: object, **__: object) -> None:
            nonlocal alarms_seen
            alarms_seen += 1
            self.passed = self.failed = 0

        def ends_with(self, _: Settled) -> bool:
            return True

    chunks = builds // chunk + 1
    with patch.multiple(cusum, Recovery=Over, _normal=lambda *_: normal):
        for _ in range(chunks):
            open_drop([failed if chance() < rate else passed for _ in range(chunk)], limit=limit, min_baseline=1)
    return chunks * chunk, alarms_seen


def as_told(count: int) -> None:
    """The pass over a whole history that is counted above against the product: decided anew with every build."""
    heading(f"Counted in one pass against decided build by build, {count:,} builds")
    table = []
    for name, failures in (
        ("2 %", independent(0.02, count, "told")),
        ("20 %", independent(0.2, count, "told")),
        ("1 %, 5 every 60", clustered(0.01, 5, 60, count, "told")),
        ("1 %, 5 every 60, 80 % fail", clustered(0.01, 5, 60, count, "told", share=0.8)),
    ):
        history = line(failures)
        told = sum(each is Reason.FIRST for each in _told(history))
        table.append([name, alarms(history), told])
    rows(["", "in one pass", "told"], table)


def _told(history: Sequence[Settled]) -> Iterator[Reason]:
    stored: dict[int, Alert] = {}
    for end in range(1, len(history) + 1):
        decisions = decide_rate_drop(
            scope=Scope(provider="bench"),
            tail=history[max(end - 600, 0) : end],
            stored=list(stored.values()),
            rule=RateDropRule(),
            hidden=False,
            watched_since=START,
            now=history[end - 1].finished_at,
        )
        for each in decisions:
            number = each.alert.id or len(stored) + 1
            stored[number] = replace(each.alert, id=number, channels=("desk",))
            if each.reason is not None:
                yield each.reason


def real() -> None:
    heading("Recorded histories (../shared/data)")
    found = [judged(name, failures) for name, failures in sorted(_recorded().items()) if len(failures) > 1]
    if not found:
        note("there are none here")
        return
    fired = [[each.name, each.builds, each.detector, each.naive, each.failures] for each in found]
    rows(["stream", "builds", "rate drop", "24 h < 80 %", "first failure"], fired)
    note(f"the detector says nothing before {MIN_BASELINE} builds")


def _recorded() -> Mapping[str, list[bool]]:
    """Whether each build failed, by stream, in the order of the builds."""
    return {
        stream: [build.outcome is not Outcome.SUCCESS for build in builds if build.outcome is not Outcome.CANCELLED]
        for stream, builds in recorded().items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer builds")
    quick = parser.parse_known_args()[0].quick
    false_alarms(20_000 if quick else 40_000)
    delays(51 if quick else 201)
    exact(400 if quick else 1_000)
    as_told(1_000 if quick else 5_000)
    real()


if __name__ == "__main__":
    main()
