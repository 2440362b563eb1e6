"""Hours in which messages wait."""

from dataclasses import dataclass, field
from datetime import time

from alerts.routing import Match


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """An entry of `quiet_hours:`. From `end` not later than `start` on they go over midnight."""

    days: frozenset[int]  # on which they begin; 0 is Monday
    start: time
    end: time
    match: Match = field(default_factory=Match)
