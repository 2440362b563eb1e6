from datetime import timedelta

import pytest

from poller.running.clock import Clock, JumpDetector
from tests.support.hands import Hands


def test_passing_time_is_no_jump() -> None:
    hands = Hands()
    detector = JumpDetector(hands.clock())
    hands.pass_by(3600)
    assert detector.jump() is None


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(days=3650), timedelta(seconds=3)])
def test_a_clock_that_is_set_is_noticed_once(jump: timedelta) -> None:
    hands = Hands()
    detector = JumpDetector(hands.clock())
    hands.pass_by(5)
    hands.wall += jump
    assert detector.jump() == jump
    hands.pass_by(5)
    assert detector.jump() is None


def test_slewing_is_no_jump() -> None:
    hands = Hands()
    detector = JumpDetector(hands.clock())
    for _ in range(100):
        hands.pass_by(0.5)
        hands.wall += timedelta(milliseconds=1)
        assert detector.jump() is None


def test_the_real_clocks_agree_with_themselves() -> None:
    assert JumpDetector(Clock()).jump() is None
