from datetime import timedelta

import pytest

from alerts.settling import is_awaited, patience
from domain.build import Status
from domain.stream import Awaited
from tests.support.builders import NOON

WAIT = timedelta(minutes=10)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def failed(rerun: Status | None = None) -> Awaited:
    return Awaited(1, "ci", "web", "main", NOON, rerun, False)  # noqa: FBT003  (a re-run has not passed)


def test_without_a_rerun_a_failure_settles_when_the_wait_is_over() -> None:
    assert is_awaited(failed(), WAIT, NOON + WAIT - MINUTE)
    assert not is_awaited(failed(), WAIT, NOON + WAIT)


def test_nothing_is_awaited_without_a_wait() -> None:
    assert not is_awaited(failed(), timedelta(0), NOON)
    assert not is_awaited(failed(Status.RUNNING), timedelta(0), NOON)


def test_a_rerun_that_has_ended_settles_at_once() -> None:
    assert not is_awaited(failed(Status.FINISHED), WAIT, NOON)


@pytest.mark.parametrize(("wait", "longest"), [(WAIT, 2 * HOUR), (HOUR, 4 * HOUR)])
def test_a_rerun_that_never_ends_is_not_awaited_for_ever(wait: timedelta, longest: timedelta) -> None:
    assert is_awaited(failed(Status.RUNNING), wait, NOON + longest - MINUTE)
    assert not is_awaited(failed(Status.RUNNING), wait, NOON + longest)
    assert patience(wait) == longest
