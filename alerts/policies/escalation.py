"""Who else is told when an alert lasts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from alerts.policies.routing import Match
from domain.alert import Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """An entry of `escalate:`."""

    after: timedelta  # since it was told
    unless_acked: bool = True
    to: tuple[str, ...]
    match: Match = field(default_factory=Match)


def due(escalations: Sequence[Escalation], alert: Alert, *, told_at: datetime, now: datetime) -> Iterator[Escalation]:
    """The entries whose time has come for an alert that fires, each once. Their `match` is not looked at."""
    acknowledged = "acknowledged" in alert.handling
    done = [identity(each) for each in alert.handling.get("escalated", ())]
    for escalation in escalations:
        stopped = acknowledged and escalation.unless_acked
        if not stopped and now - told_at >= escalation.after and identity(trace(escalation, now)) not in done:
            yield escalation


def trace(escalation: Escalation, now: datetime) -> dict[str, Any]:
    """What an alert remembers of an escalation: its place in the list may change, what it says does not."""
    return {"after": escalation.after.total_seconds(), "to": list(escalation.to), "at": now.isoformat()}


def identity(traced: Mapping[str, Any]) -> tuple[float, tuple[str, ...]]:
    """By which an escalation is known again."""
    return traced["after"], tuple(traced["to"])
