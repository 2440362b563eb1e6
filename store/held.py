"""Rows of the outbox that wait for the details of a build: written anew when these come, and let go."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update

from domain.alert import Delivery, Notification
from domain.message import Message
from domain.waiting import FOR_DETAILS
from store import changes
from store.among import among
from store.changes import Kind
from store.database import Session
from store.schema import UNSENT, outbox


def for_details(row: Notification, now: datetime) -> bool:
    """Whether it still waits for the details of its build."""
    waits = row.hold_until is not None and row.hold_until > now
    return row.delivery is Delivery.PENDING and row.held == FOR_DETAILS and waits


def rewrite(session: Session, identity: int, message: Message, about: Mapping[str, Any]) -> None:
    """Say something else in a row that nobody can have seen."""
    session.execute(update(outbox).where(outbox.c.id == identity).values(message=message, about=about))
    changes.note(session, Kind.DELIVERY)


def retell(session: Session, identity: int, about: Mapping[str, Any]) -> None:
    """What a row that was sent shares with others is known better now."""
    session.execute(update(outbox).where(outbox.c.id == identity).values(about=about))


def together(session: Session, batch: int) -> int:
    """How many rows were sent as one message."""
    return session.execute(select(func.count()).where(outbox.c.batch == batch)).scalar_one()


def waiting(session: Session, channel: str) -> int:
    """How many rows a channel has not been sent yet, whatever they wait for."""
    pending = outbox.c.channel == channel, outbox.c.delivery == Delivery.PENDING, UNSENT
    return session.execute(select(func.count()).where(*pending)).scalar_one()


def take_back(session: Session, ids: Sequence[int]) -> None:
    """Rows that nobody can have seen are not to be said at all."""
    session.execute(delete(outbox).where(among(session, outbox.c.id, ids)))
    changes.note(session, Kind.DELIVERY)


def let_go(session: Session, ids: Sequence[int], now: datetime, *, company: timedelta, crowd: int) -> frozenset[str]:
    """These rows wait no more; returns their channels.

    Where others of their channel still wait, they have `company` to come along. The last one takes all with it, and
    so does any one of more than a `crowd`: in a storm nobody waits for what nobody would read.
    """
    theirs = among(session, outbox.c.id, ids)
    channels = frozenset(session.execute(select(outbox.c.channel).where(theirs)).scalars())
    soon = now + company
    for channel in sorted(channels):
        waiting = _held(channel)
        query = select(func.count()).where(*waiting, outbox.c.hold_until > soon, ~theirs)
        others = session.execute(query).scalar_one()
        if others == 0 or others > crowd:
            everyone = update(outbox).where(*waiting, outbox.c.hold_until > now)
            session.execute(everyone.values(hold_until=now, next_attempt_at=now))
        else:
            some = update(outbox).where(*waiting, theirs, outbox.c.hold_until > soon)
            session.execute(some.values(hold_until=soon, next_attempt_at=soon))
    return channels


def _held(channel: str) -> Collection[Any]:
    pending = outbox.c.delivery == Delivery.PENDING
    return outbox.c.channel == channel, pending, UNSENT, outbox.c.held == FOR_DETAILS
