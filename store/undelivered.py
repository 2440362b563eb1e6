"""Messages that did not come through: those that were given up, and those that wait."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from domain.alert import AlertKind, Delivery
from domain.waiting import Waiting
from store.database import Session
from store.outbox import CHANNEL_GONE, DROPPED
from store.schema import DEAD, attempts, outbox
from store.waiting import first_waiting, of_ids

_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """A row that was given up, and why."""

    attempt: int  # they are numbered in the order in which they were given up
    channel: str
    row: Waiting
    error: str


def given_up(session: Session, after: int) -> list[GivenUp]:
    """What was given up after this attempt, oldest first, unless a person wanted it."""
    query = (
        select(attempts.c.id, attempts.c.notification_id, attempts.c.answer, outbox.c.channel)
        .join(outbox, outbox.c.id == attempts.c.notification_id)
        .where(attempts.c.id > after, attempts.c.delivery == Delivery.DEAD, DEAD)
        .order_by(attempts.c.id)
        .limit(_MOST)
    )
    found = session.execute(query).all()
    if not found:
        return []
    rows = {row.id: row for row in of_ids(session, [each.notification_id for each in found])}
    return [
        GivenUp(attempt=each.id, channel=each.channel, row=rows[each.notification_id], error=each.answer or "")
        for each in found
        if each.answer not in {CHANNEL_GONE, DROPPED}
        and rows[each.notification_id].kind is not AlertKind.DELIVERY_FAILED
    ]


def last_given_up(session: Session) -> int:
    """The newest attempt that led to giving up; 0 when there is none."""
    newest: int | None = session.execute(
        select(func.max(attempts.c.id)).where(attempts.c.delivery == Delivery.DEAD, DEAD)
    ).scalar()
    return newest or 0


def waiting_for(session: Session, channel: str, limit: int) -> tuple[int, Sequence[Waiting]]:
    """How many rows wait for a channel, and the oldest of them."""
    pending = outbox.c.channel == channel, outbox.c.delivery == Delivery.PENDING
    count: int = session.execute(select(func.count()).select_from(outbox).where(*pending)).scalar_one()
    return count, first_waiting(session, channel, limit) if count else ()
