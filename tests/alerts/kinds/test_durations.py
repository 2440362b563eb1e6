from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.kinds.durations import WANTED
from alerts.rules import DurationRule, FailureRule, Rules
from domain.alert import AlertKind, Reason
from domain.timed import Timed
from tests.support.builders import NOON
from tests.support.verdicts import Memory

ONLY = Rules(failure=None, success_rate_drop=None, flapping=None, duration=DurationRule())
USUAL = [600.0 + count % 7 for count in range(30)]  # ten minutes


def timed(seconds: Sequence[float | None], queue: Sequence[float | None] = ()) -> list[Timed]:
    """Builds 1, 2, ... that passed and took so long; they waited for `queue`, where it is given."""
    return [
        Timed(0, number, 1000 + number, NOON + timedelta(hours=number), took, queue[number - 1] if queue else 0.0)
        for number, took in enumerate(seconds, 1)
    ]


def see(memory: Memory, seconds: Sequence[float | None], queue: Sequence[float | None] = ()) -> list[str]:
    return memory.see("P" * len(seconds), timed=timed(seconds, queue)[-WANTED:])


def test_five_builds_that_take_much_longer_are_told() -> None:
    memory = Memory(ONLY)
    assert see(memory, [*USUAL, *[840.0] * 4]) == []
    assert see(memory, [*USUAL, *[840.0] * 5]) == [Reason.FIRST]
    alert = memory.newest()
    assert alert.kind is AlertKind.DURATION
    assert alert.summary == (
        "takes 14 m, 39 % longer than 10 m 3 s before (the last 5 builds that passed, the 30 before), since #31"
    )
    assert (alert.evidence["measure"], alert.evidence["stage"]) == ("execution", None)
    assert alert.started_at == NOON + timedelta(hours=31)


@pytest.mark.parametrize(
    "seconds",
    [
        [*USUAL, *[719.0] * 5],  # under two minutes more
        [*[6000.0] * 30, *[6600.0] * 5],  # ten percent more
        [*USUAL[:14], *[840.0] * 5],  # too few to compare with
        [*[600.0, 600.0, 600.0, 600.0, 840.0] * 6, *[840.0] * 5],  # takes so long now and then
        [*USUAL, 840.0, 840.0, 600.0, 600.0, 600.0],  # only two
        [],
    ],
)
def test_what_is_small_rare_or_usual_is_not_told(seconds: list[float]) -> None:
    assert see(Memory(ONLY), seconds) == []


def test_the_time_in_the_queue_is_looked_at_apart() -> None:
    memory = Memory(ONLY)
    waits = [*[20.0] * 30, *[300.0] * 5]
    assert see(memory, USUAL + USUAL[:5], waits) == [Reason.FIRST]
    assert memory.newest().evidence["measure"] == "queue"
    assert memory.newest().summary == (
        "waits 5 m before it starts, it was 20 s (the last 5 builds that passed, the 30 before), since #31"
    )
    assert see(memory, USUAL + USUAL[:9], [*waits, *[20.0] * 4]) == [Reason.RESOLVED]


def test_builds_without_a_known_time_are_left_out() -> None:
    memory = Memory(ONLY)
    assert see(memory, [*USUAL, None, *[840.0] * 4, None]) == []
    assert memory.see("P" * 5, timed=timed([None] * 5)) == []


def test_it_took_no_time_at_all_before() -> None:
    memory = Memory(ONLY)
    assert see(memory, [*[0.0] * 30, *[300.0] * 5]) == [Reason.FIRST]
    assert memory.newest().summary.startswith("takes 5 m, it was 0 s before")


def test_it_is_over_when_half_of_the_increase_is_gone() -> None:
    memory = Memory(ONLY)
    slow = [*USUAL, *[840.0] * 5]
    see(memory, slow)
    assert see(memory, [*slow, *[730.0] * 5]) == []
    assert memory.newest().evidence["after"] == 730.0
    assert see(memory, [*slow, *[730.0] * 5, *[715.0] * 3]) == [Reason.RESOLVED]
    assert memory.newest().evidence["ended_by"]["number"] == 43


def test_the_same_builds_do_not_open_it_again() -> None:
    memory = Memory(ONLY)
    line = [*USUAL, *[1200.0] * 5]
    told = see(memory, line)
    for _ in range(12):
        line.append(880.0)
        told += see(memory, line)
    assert told == [Reason.FIRST, Reason.RESOLVED]


def test_asked_again_with_nothing_new_it_decides_nothing() -> None:
    memory = Memory(ONLY)
    see(memory, [*USUAL, *[840.0] * 5])
    before = dict(memory.alerts)
    assert see(memory, [*USUAL, *[840.0] * 5]) == []
    assert memory.see("P" * 35) == []
    assert memory.alerts == before


def test_what_has_taken_so_long_a_hundred_times_is_normal() -> None:
    memory = Memory(ONLY)
    line = [*USUAL, *[840.0] * 5]
    told = see(memory, line)
    for _ in range(120):
        line.append(840.0)
        told += see(memory, line)
    assert told == [Reason.FIRST, Reason.CLOSED]
    assert memory.newest().evidence["closed_because"] == (
        "14 m has held for 100 builds and is taken as normal from now on"
    )


def test_failing_hides_it_until_the_failure_is_over() -> None:
    memory = Memory(Rules(failure=FailureRule(resolve_after=2), success_rate_drop=None, flapping=None))
    slow = timed([*USUAL, *[840.0] * 5])
    memory.see("P" * 34)
    assert memory.see("P" * 34 + "FP", timed=slow) == [Reason.FIRST]
    assert memory.see("P" * 34 + "FPP", timed=slow) == [Reason.RESOLVED, Reason.FIRST]
    assert [alert.kind for alert in memory.firing()] == [AlertKind.DURATION]


def test_one_that_fires_goes_on_behind_a_failure() -> None:
    memory = Memory(Rules(failure=FailureRule(), success_rate_drop=None, flapping=None))
    slow = [*USUAL, *[840.0] * 5]
    see(memory, slow)
    quick = timed([*slow, *[600.0] * 3])
    assert memory.see("P" * 38 + "F", timed=quick) == [Reason.FIRST, Reason.RESOLVED]


def test_what_took_long_at_first_contact_is_no_news() -> None:
    memory = Memory(ONLY, watched_since=NOON + timedelta(days=9))
    assert see(memory, [*USUAL, *[840.0] * 5]) == []
    assert memory.newest().evidence["baseline"] is True


def test_switched_off_it_closes_its_alert() -> None:
    memory = Memory(ONLY)
    see(memory, [*USUAL, *[840.0] * 5])
    memory.rules = Rules(failure=None, success_rate_drop=None, flapping=None, duration=None)
    assert memory.see("P" * 35) == [Reason.CLOSED]


def test_what_may_be_chance_is_told_when_three_builds_in_a_row_say_so() -> None:
    """Compared after each build, a test at 1 in 1,000 is wrong more often than that."""
    memory = Memory(ONLY)
    seconds = [*USUAL[:10], 900.0, 910.0, *USUAL[12:], 840.0, 850.0, 860.0, 870.0, 880.0]
    assert see(memory, seconds) == []
    assert see(memory, [*seconds, 890.0]) == []
    assert see(memory, [*seconds, 890.0, 895.0]) == [Reason.FIRST]
    assert 0.00002 < memory.newest().evidence["p"] < 0.001


def test_one_quick_build_does_not_hide_where_it_began() -> None:
    memory = Memory(ONLY)
    for count in (5, 6, 7):
        see(memory, [*USUAL, 840.0, 840.0, 600.0, *[840.0] * count])
    assert memory.newest().evidence["onset"]["number"] == 31


@given(st.lists(st.floats(1, 1e5), min_size=0, max_size=60))
def test_whatever_the_times_are_every_message_has_its_end(seconds: list[float]) -> None:
    memory = Memory(ONLY)
    for end in range(len(seconds) + 1):
        see(memory, seconds[:end])
        assert see(memory, seconds[:end]) == []
    reasons = [reason for reason, _ in memory.told]
    assert reasons[::2] == [Reason.FIRST] * len(reasons[::2])
    assert Reason.FIRST not in reasons[1::2]
