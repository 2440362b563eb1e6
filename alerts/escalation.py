"""Who else is told when an alert lasts."""

from dataclasses import dataclass, field
from datetime import timedelta

from alerts.routing import Match


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """An entry of `escalate:`."""

    after: timedelta  # since it was told
    unless_acked: bool = True
    to: tuple[str, ...]
    match: Match = field(default_factory=Match)
