from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from poller.watching.trigger import EveryTrigger
from tests.support.builders import NOON

PERIOD = timedelta(seconds=60)
MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2060, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)


def test_the_first_run_is_due_at_once() -> None:
    assert EveryTrigger(PERIOD, "ci:jobs").get_next_fire_time(None, NOON) == NOON


@given(now=MOMENTS, identity=st.text())
def test_the_next_run_is_after_now_and_within_one_period(now: datetime, identity: str) -> None:
    following = EveryTrigger(PERIOD, identity).get_next_fire_time(now, now)
    assert now < following <= now + PERIOD


@given(now=MOMENTS, jump=st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=3660)))
def test_the_previous_fire_time_plays_no_part(now: datetime, jump: timedelta) -> None:
    trigger = EveryTrigger(PERIOD, "ci:jobs")
    assert trigger.get_next_fire_time(now + jump, now) == trigger.get_next_fire_time(now, now)


def test_the_phase_stays_and_does_not_drift() -> None:
    trigger = EveryTrigger(PERIOD, "ci:jobs")
    first = trigger.get_next_fire_time(NOON, NOON)
    late = first + timedelta(seconds=7)  # the run was late
    assert trigger.get_next_fire_time(first, late) == first + PERIOD


def test_targets_are_spread_over_the_period() -> None:
    due = sorted(
        EveryTrigger(PERIOD, f"ci:{number}").get_next_fire_time(NOON, NOON).timestamp() for number in range(1000)
    )
    gaps = [after - before for before, after in pairwise(due)]
    assert max(gaps) < 1.0
