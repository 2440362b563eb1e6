"""How long a build took, as the alert rules read it."""

from datetime import datetime
from typing import NamedTuple


class Timed(NamedTuple):
    """One build that passed: its newest attempt. Begins like `Settled`: (generation, number) is its place."""

    generation: int
    number: int
    build_id: int
    finished_at: datetime
    execution: float | None  # seconds from start to end; None when either is unknown
    queue: float | None  # seconds from queueing to start
