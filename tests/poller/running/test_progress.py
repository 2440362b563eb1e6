import threading

import pytest

from poller.running.progress import Progress


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_work_within_its_limit_is_not_overdue() -> None:
    seconds = Seconds()
    progress = Progress(seconds)
    with progress.doing("poll ci", limit=10):
        seconds.now = 10
        assert progress.overdue() == []
        seconds.now = 11
        assert progress.overdue() == ["poll ci"]
    assert progress.overdue() == []


def test_a_loop_that_falls_silent_is_overdue() -> None:
    seconds = Seconds()
    progress = Progress(seconds)
    progress.expect("channel mail", within=60)
    seconds.now = 61
    assert progress.overdue() == ["channel mail"]
    progress.expect("channel mail", within=60)
    assert progress.overdue() == []
    progress.forget("channel mail")
    progress.forget("never known")
    seconds.now = 1000
    assert progress.overdue() == []


def test_draining_waits_for_the_work_under_way() -> None:
    progress = Progress(Seconds())
    begun, finish = threading.Event(), threading.Event()

    def work() -> None:
        with progress.doing("poll ci", limit=10):
            begun.set()
            finish.wait(5)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(5)
    assert not progress.drain(0.01)
    finish.set()
    assert progress.drain(5)
    thread.join()


def test_work_that_fails_is_over_too() -> None:
    progress = Progress(Seconds())
    with pytest.raises(ZeroDivisionError), progress.doing("poll ci", limit=10):
        _ = 1 / 0
    assert progress.drain(0)
