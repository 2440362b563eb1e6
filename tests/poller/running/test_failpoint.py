import signal
import subprocess
import sys

import pytest

from poller.running.failpoint import VARIABLE, Failpoints


def test_without_a_wish_nothing_happens() -> None:
    Failpoints.of({})("after_fetch")
    Failpoints("other=kill")("after_fetch")


def test_a_kill_lets_so_many_passes_go_by() -> None:
    program = (
        "from poller.running.failpoint import Failpoints\n"
        "point = Failpoints('here=kill:2')\n"
        "for number in range(5):\n"
        "    print(number, flush=True)\n"
        "    point('here')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["0", "1", "2"]


def test_a_sleep_sleeps() -> None:
    Failpoints("here=sleep:0.01")("here")


@pytest.mark.parametrize("text", ["here", "here=dance", "=kill:x,here=sing:1"])
def test_a_wish_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"kill|could not convert"):
        Failpoints.of({VARIABLE: text})
