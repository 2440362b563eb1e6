"""The ordered line of settled verdicts of one (pipeline, branch), as the alert rules read it."""

from datetime import datetime
from typing import NamedTuple

from domain.build import Verdict


class Settled(NamedTuple):
    """One build that has its final verdict: its newest finished attempt.

    Order within a stream is `(generation, number, queued_at)`: the provider's numbering, never the time of
    completion. Neutral builds are left out. A NamedTuple because hundreds are read for each decision.
    """

    generation: int
    number: int
    verdict: Verdict  # PASSED or FAILED
    finished_at: datetime
    build_id: int
    attempt: int
    flaky: bool  # an earlier attempt of the same build failed and this one passed
