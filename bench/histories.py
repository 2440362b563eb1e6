"""Seeded histories of verdicts, the rules that people use instead, and what an exact computation says about a CUSUM."""

import random
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from alerts.kinds.cusum import Model
from domain.build import Verdict
from domain.stream import Settled

START = datetime(2026, 1, 1, tzinfo=UTC)
BUILD_EVERY = timedelta(hours=1)

_VERDICTS = (Verdict.PASSED, Verdict.FAILED)


def independent(rate: float, count: int, seed: object) -> list[bool]:
    """Whether each of so many builds fails: each on its own, with this probability."""
    chance = random.Random(repr(seed)).random
    return [chance() < rate for _ in range(count)]


def clustered(rate: float, length: float, apart: float, count: int, seed: object, *, share: float = 1.0) -> list[bool]:
    """The same with outages, a Markov chain of two states.

    They last `length` builds and begin after `apart` more, in the mean. During one, this `share` of the builds fails.
    All of it is as usual for such a stream: no alert about it is right.
    """
    chance = random.Random(repr(seed)).random
    failures, down = [], False
    for _ in range(count):
        down = chance() >= 1 / length if down else chance() < 1 / apart
        failures.append(chance() < (share if down else rate))
    return failures


def line(failures: Sequence[bool]) -> list[Settled]:
    """As the rules read them: a build an hour."""
    return [
        Settled(0, number, _VERDICTS[failed], START + number * BUILD_EVERY, number, 1, flaky=False)
        for number, failed in enumerate(failures, 1)
    ]


def first_failures(failures: Sequence[bool]) -> int:
    """How often the rule `first failure` fires."""
    before = [False, *failures]
    return sum(failed and not earlier for earlier, failed in zip(before, failures, strict=False))


def fixed_thresholds(failures: Sequence[bool], *, window: int = 24, line_at: float = 0.8, fewest: int = 10) -> int:
    """How often `24 h < 80 %, min 10` fires, with a build an hour."""
    recent: deque[bool] = deque(maxlen=window)
    fired, under = 0, False
    for failed in failures:
        recent.append(failed)
        was, under = under, len(recent) >= fewest and 1 - sum(recent) / len(recent) < line_at
        fired += under and not was
    return fired


def run_length(normal: Model, rate: float, *, limit: float, outages: int, rise: float) -> float:
    """How many builds lie between two alarms when nothing changes: exact, for a baseline that stays as it is.

    A chain of renewals: builds pass until one fails; then evidence is gathered until it is used up or enough. The
    states while it is gathered (failures and passes since then, the present run, the number of runs) are finitely
    many after so many builds, and their probabilities are followed until nothing is left of them.
    """
    states = {(1, 0, 1, 1): 1.0}  # the first failure
    builds, alarms = 1 / rate, 0.0  # up to that failure
    while states:
        builds += sum(states.values())  # whatever the state is, another build comes
        after: dict[tuple[int, int, int, int], float] = {}
        for state, probability in states.items():
            for found, odds in _next(state, normal, rate, outages):
                failed, passed, run, _ = found
                evidence = failed * normal.up + passed * normal.down
                if found == state:  # a failure beyond the cap
                    pass
                elif evidence >= limit and found[3] >= outages and failed / (failed + passed) - normal.p0 >= rise:
                    alarms += probability * odds
                    continue
                elif evidence <= 0 and not run:
                    continue
                after[found] = after.get(found, 0.0) + probability * odds
        states = {state: probability for state, probability in after.items() if probability > 1e-13}
    return builds / alarms


def _next(
    state: tuple[int, int, int, int], normal: Model, rate: float, outages: int
) -> Iterator[tuple[tuple[int, int, int, int], float]]:
    failed, passed, run, runs = state
    yield (failed, passed + 1, 0, runs), 1 - rate
    if run >= normal.cap:
        yield state, rate
    else:
        yield (failed + 1, passed, run + 1, min(runs + (not run), outages)), rate
