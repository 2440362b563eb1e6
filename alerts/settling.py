"""When a failed build counts. Pure: depends on how far its re-run has come and on the clock alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import zip_longest

from domain.build import Status, Verdict
from domain.stream import Awaited, Settled

_LEAST = timedelta(hours=2)
_TIMES = 4


def patience(wait: timedelta) -> timedelta:
    """How long after its end a failed build is awaited at most, while a re-run of it runs. Then it stands."""
    return max(_TIMES * wait, _LEAST)


def is_awaited(build: Awaited, wait: timedelta, now: datetime) -> bool:
    """Whether a failed first attempt may still be turned around.

    It has settled when a re-run has ended, however, or when none has begun within `wait` (`rerun.wait`). A re-run
    that never ends does not keep it from settling: never silence.
    """
    if not wait or build.rerun is Status.FINISHED:
        return False
    return now - build.finished_at < (patience(wait) if build.rerun is not None else wait)


def without_turned_around(tail: Sequence[Settled]) -> Sequence[Settled]:
    """The stream without the failures that a re-run has turned around: together they are one build that passed.

    Where re-runs are attempts the stream shows no such failure; some servers give them a number of their own.
    """
    return [
        each
        for each, then in zip_longest(tail, tail[1:])
        if not (each.verdict is Verdict.FAILED and then is not None and then.flaky and then.attempt == 1)
    ]
