"""What the live window counters need to know of a stored build."""

from typing import NamedTuple

from domain.build import Outcome, Verdict


class Counted(NamedTuple):
    """One attempt of one build, as windows see it. A NamedTuple because a start reads all of the last week."""

    build_id: int
    pipeline: tuple[str, str]  # (provider, key)
    running: bool  # it counts among the builds that run now
    verdict: Verdict | None = None  # None unless it counts among the finished ones
    outcome: Outcome | None = None  # present with a verdict
    finished_at: int = 0  # milliseconds since 1970
    duration: int | None = None  # milliseconds
