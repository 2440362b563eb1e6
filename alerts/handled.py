"""What people and policies have done with an alert, in words."""

from collections.abc import Iterator

from domain.alert import Alert, AlertState


def acknowledged(alert: Alert) -> bool:
    """Whether somebody has said that they know. An alert that is over needs nobody."""
    return alert.state is AlertState.FIRING and "acknowledged" in alert.handling


def notes(alert: Alert) -> Iterator[str]:
    """`acknowledged by ada: on it`, `escalated to boss`: small print for the messages about it."""
    if acknowledged(alert):
        known = alert.handling["acknowledged"]
        yield f"acknowledged by {known['by']}" + (f": {known['reason']}" if known.get("reason") else "")
    if alert.state is AlertState.FIRING:
        for each in alert.handling.get("escalated", ()):
            yield f"escalated to {', '.join(each['to'])}"
