import random
from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise
from statistics import median

import pytest

from alerts.kinds.cusum import REBASE, model, open_drop
from domain.stream import Settled
from tests.support.builders import NOON
from tests.support.verdicts import settled, tail


def stream(rates: Iterable[float], seed: int) -> list[Settled]:
    """Builds that fail with the given probabilities, one an hour."""
    chance = random.Random(seed)  # noqa: S311  (seeded on purpose)
    return [settled(number, "F" if chance.random() < rate else "P") for number, rate in enumerate(rates, 1)]


def drops_at(line: list[Settled], first: int, limit: float = 7.0) -> int | None:
    """After how many builds a drop is seen for the first time, looking after each build from `first` on."""
    ends = range(first, len(line) + 1)
    return next((end for end in ends if open_drop(line[:end], limit=limit, min_baseline=50)), None)


def test_the_model_is_as_the_design_says() -> None:
    normal = model(12, 200)
    assert normal.p0 == pytest.approx(12.5 / 202.5)
    assert normal.up == pytest.approx(1.4446, abs=1e-3)  # ln((p0 + 0.2) / p0)
    assert normal.down == pytest.approx(-0.2397, abs=1e-3)  # ln((1 - p1) / (1 - p0))
    assert normal.cap == 2
    assert [model(failed, 200).cap for failed in (0, 40, 80, 199)] == [2, 3, 5, 5]


def test_a_stable_stream_is_in_no_drop() -> None:
    for rate in (0.0, 0.02, 0.1, 0.35):
        assert open_drop(stream([rate] * 600, seed=1), limit=7.0, min_baseline=50) is None


def test_false_onsets_are_rare() -> None:
    """Seeded: 3 streams of 6,000 builds, looked at after every fifth build over the last 600, as a poller would."""
    false = 0
    for rate in (0.01, 0.05, 0.2):
        line = stream([rate] * 6000, seed=11)
        seen = [open_drop(line[end - 600 : end], limit=7.0, min_baseline=50) for end in range(600, 6001, 5)]
        false += sum(now is not None and before is None for before, now in pairwise(seen))
    assert false <= 18 * 0.5


def test_a_drop_is_seen_within_a_few_builds() -> None:
    delays = []
    for seed in range(15):
        end = drops_at(stream([0.05] * 200 + [0.5] * 60, seed=seed), 201)
        assert end is not None
        delays.append(end - 200)
    assert median(delays) <= 16


def test_one_outage_is_one_event_however_long_it_lasts() -> None:
    assert open_drop(tail("P" * 100 + "F" * 300), limit=7.0, min_baseline=50) is None


def test_without_a_baseline_nothing_is_judged() -> None:
    assert open_drop(tail("P" * 40 + "FP" * 5), limit=7.0, min_baseline=50) is None
    assert open_drop(tail("P" * 60 + "FP" * 5), limit=7.0, min_baseline=50) is not None


def test_the_evidence_is_where_it_began_and_how_bad_it_is() -> None:
    drop = open_drop(tail("P" * 100 + "FP" * 10), limit=7.0, min_baseline=50)
    assert drop is not None
    assert (drop.normal.runs, drop.normal.failed) == (100, 0)
    assert drop.onset.number == 101
    assert (drop.passed, drop.failed) == (10, 10)
    assert drop.earliest.number <= 101 <= drop.latest.number
    assert drop.fired_by.number < 120


def test_builds_that_are_two_months_old_say_nothing_about_what_is_normal() -> None:
    old = [settled(number, "F" if number % 2 else "P", finished_at=NOON - timedelta(days=90)) for number in range(100)]
    new = [each._replace(number=each.number + 100) for each in tail("P" * 60 + "FP" * 8)]
    drop = open_drop([*old, *new], limit=7.0, min_baseline=50)
    assert drop is not None
    assert (drop.normal.runs, drop.normal.failed) == (60, 0)


def test_the_onset_moves_on_while_nothing_is_suspected() -> None:
    drop = open_drop(tail("P" * 60 + "F" + "P" * 100 + "FP" * 10), limit=7.0, min_baseline=50)
    assert drop is not None
    assert drop.onset.number == 162
    assert (drop.normal.runs, drop.normal.failed) == (161, 1)


def test_a_drop_that_recovers_is_over_and_a_new_one_is_found_behind_it() -> None:
    recovered = "P" * 100 + "FP" * 10 + "P" * 40
    assert open_drop(tail(recovered), limit=7.0, min_baseline=50) is None
    again = open_drop(tail(recovered + "FP" * 20), limit=7.0, min_baseline=50)
    assert again is not None
    assert again.onset.number > len(recovered) - 40


def test_after_two_hundred_builds_the_new_rate_is_normal() -> None:
    held = "P" * 100 + "FP" * ((REBASE + 30) // 2)
    assert open_drop(tail(held), limit=7.0, min_baseline=50) is None


def test_what_was_judged_before_only_says_what_is_normal() -> None:
    line = tail("P" * 100 + "FP" * 10)
    assert open_drop(line, limit=7.0, min_baseline=50, since=(0, 120)) is None
    assert open_drop(line, limit=7.0, min_baseline=50, since=(0, 99)) is not None


def test_a_stream_that_always_fails_does_not_break_the_arithmetic() -> None:
    assert open_drop(tail("F" * 600), limit=7.0, min_baseline=50) is None
    assert model(200, 200).up < 0


def test_more_sensitive_is_sooner() -> None:
    line = tail("PPPPPPPPPF" * 20 + "FPP" * 30)
    ends = [drops_at(line, 200, limit=limit) or 999 for limit in (5.0, 7.0, 9.0)]
    assert ends == sorted(ends)
    assert ends[0] < ends[2]
