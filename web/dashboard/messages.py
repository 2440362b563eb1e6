"""What was said about an alert or a build, ready to be shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.alert import Delivery, Notification, Reason

WORDS = {
    Reason.FIRST: "first message",
    Reason.UPDATE: "it goes on",
    Reason.REMINDER: "reminder",
    Reason.RESOLVED: "it is over",
    Reason.CLOSED: "closed",
    Reason.REFRESH: "message kept current",
    Reason.THREADED: "in the thread",
}
_TONES = {Delivery.SENT: "passed", Delivery.DEAD: "failed"}
_STATES = {Delivery.SENT: "sent", Delivery.DEAD: "not delivered"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One message to one channel."""

    alert: int
    channel: str
    word: str  # why it is said
    state: str  # how far it has come
    tone: str  # passed, failed or neutral, as marks are called
    at: datetime  # sent, or else written
    text: str  # what keeps it; empty when it was sent


def of_notifications(notifications: Sequence[Notification]) -> list[Line]:
    """The messages of the outbox, oldest first."""
    return [
        Line(
            alert=each.alert_id,
            channel=each.channel,
            word=WORDS[each.reason],
            state=_state(each.delivery, each.attempts),
            tone=_TONES.get(each.delivery, "neutral"),
            at=each.sent_at or each.created_at,
            text="" if each.delivery is Delivery.SENT else each.last_error or _waits_for(each.held),
        )
        for each in notifications
    ]


def of_explanation(explained: Mapping[str, Any] | None) -> Iterator[Line]:
    """The messages that told of a build, from what `explain` says."""
    for alert in explained.get("alerts", ()) if explained else ():
        for message in alert.get("messages", ()):
            delivery = Delivery(message["state"])
            yield Line(
                alert=message["alert_id"],
                channel=message["channel"],
                word=WORDS[Reason(message["reason"])],
                state=_state(delivery, message["attempts"]),
                tone=_TONES.get(delivery, "neutral"),
                at=datetime.fromisoformat(message["sent_at"] or message["created_at"]),
                text="" if delivery is Delivery.SENT else message["answer"],
            )


def _state(delivery: Delivery, attempts: int) -> str:
    return _STATES.get(delivery) or ("tried again" if attempts else "waiting")


def _waits_for(held: str | None) -> str:
    return f"waits for {held}" if held else ""
