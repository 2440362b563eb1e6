import threading
from datetime import datetime
from typing import Any

import pytest

from alerts.kinds.stale import NO_TRIGGER
from poller.timing.idleness import MOST, NOT_KNOWN, why_idle
from providers._base import Trouble, Unavailable
from tests.support.builders import NOON


class Server:
    """Says what it is told to say, raises what it is told to raise."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def why_idle(self, key: str, now: datetime) -> str | None:
        assert now == NOON
        self.asked.append(key)
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, threading.Event):
            self.answer.wait()
            return "late"
        assert self.answer is None or isinstance(self.answer, str)
        return self.answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("the job is disabled", "the job is disabled"),
        (None, NO_TRIGGER),
        (Unavailable(Trouble.TIMEOUT, "ci.example.com: no answer"), f"{NOT_KNOWN} (timeout)"),
        (RuntimeError("odd"), NOT_KNOWN),
    ],
)
def test_whatever_the_look_up_comes_to_there_is_a_reason(answer: object, said: str) -> None:
    server: Any = Server(answer)
    assert why_idle([("ci", "nightly")], {"ci": server}, NOON) == {("ci", "nightly"): said}


def test_who_cannot_say_is_not_asked() -> None:
    mute: Any = object()
    keys = [("ci", "a"), ("gone", "b")]
    assert why_idle(keys, {"ci": mute}, NOON) == dict.fromkeys(keys, NO_TRIGGER)


def test_a_slow_server_delays_nothing_for_long_and_no_other_at_all() -> None:
    never = threading.Event()
    slow: Any = Server(never)
    quick: Any = Server("the job is disabled")
    keys = [("slow", "a"), ("slow", "b"), ("quick", "c")]
    found = why_idle(keys, {"slow": slow, "quick": quick}, NOON, patience=0.05)
    never.set()
    assert found == {
        ("slow", "a"): NOT_KNOWN,
        ("slow", "b"): NOT_KNOWN,
        ("quick", "c"): "the job is disabled",
    }
    assert slow.asked == ["a"]


def test_of_very_many_pipelines_only_some_are_asked_about() -> None:
    server: Any = Server("the queue is stuck")
    keys = [("ci", str(number)) for number in range(MOST + 5)]
    found = why_idle(keys, {"ci": server}, NOON)
    assert list(found.values()) == ["the queue is stuck"] * MOST + [NOT_KNOWN] * 5
