"""What people and policies have done with an alert."""

from collections.abc import Iterator
from datetime import datetime

from domain.alert import Alert, AlertState


def acknowledged(alert: Alert) -> bool:
    """Whether somebody has said that they know. An alert that is over needs nobody."""
    return alert.state is AlertState.FIRING and "acknowledged" in alert.handling


def told_at(alert: Alert) -> datetime:
    """When people first heard of it: reminders and escalations count from here."""
    told = alert.handling.get("told_at")
    return datetime.fromisoformat(told) if told else alert.started_at


def notes(alert: Alert) -> Iterator[str]:
    """`acknowledged by ada: on it`, `escalated to boss`: small print for the messages about it."""
    if alert.state is not AlertState.FIRING:
        return
    if acknowledged(alert):
        yield f"acknowledged by {acknowledgement(alert)}"
    for each in alert.handling.get("escalated", ()):
        yield f"escalated to {', '.join(each['to'])}"


def acknowledgement(alert: Alert) -> str:
    """`ada: on it`: who has acknowledged an alert, and what they said."""
    known = alert.handling["acknowledged"]
    return f"{known['by']}: {known['reason']}" if known.get("reason") else str(known["by"])
