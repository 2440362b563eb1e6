from datetime import timedelta

import pytest

from alerts.policies.reminding import passed
from tests.support.builders import NOON

DAY = timedelta(days=1)
STEPS = (DAY, 3 * DAY, 7 * DAY)


@pytest.mark.parametrize(
    ("days", "count"), [(0.99, 0), (1, 1), (2.9, 1), (3, 2), (6.9, 2), (7, 3), (13.9, 3), (14, 4), (21, 5), (70, 12)]
)
def test_reminders_come_after_each_step_and_then_after_the_last_one_again(days: float, count: int) -> None:
    assert passed(STEPS, NOON, NOON + days * DAY) == count


def test_without_steps_there_are_no_reminders() -> None:
    assert passed((), NOON, NOON + 100 * DAY) == 0


def test_the_order_of_the_steps_does_not_matter() -> None:
    assert passed(tuple(reversed(STEPS)), NOON, NOON + 14 * DAY) == 4


def test_what_will_be_told_is_not_repeated_yet() -> None:
    assert passed(STEPS, NOON + DAY, NOON) == 0
