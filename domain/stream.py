"""The ordered line of settled verdicts of one (pipeline, branch), as the alert rules read it."""

from datetime import datetime
from typing import NamedTuple

from domain.build import Status, Verdict


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
    flaky: bool  # it passed, and before it the same commit had failed: another attempt, or the build before


class Ended(NamedTuple):
    """One finished build that counts, neutral ones included."""

    generation: int
    number: int
    verdict: Verdict
    finished_at: datetime
    build_id: int
    word: str  # how it ended, in the provider's word or ours


class Awaited(NamedTuple):
    """A build that failed at its first attempt and stays out of its stream as long as a re-run may turn it around."""

    build_id: int
    provider: str
    pipeline: str  # Pipeline.key
    stream: str
    finished_at: datetime
    rerun: Status | None  # how far a re-run has come; None: none has been seen
    passed: bool  # a re-run has passed


class Signature(NamedTuple):
    """What a failure looks like: the same signature is the same news."""

    bucket: str | None  # None: not known
    tests: frozenset[str] | None  # those that failed, as `suite::name`; None: not known
