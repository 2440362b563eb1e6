"""The outbox: what has to be said, and how far it has come. A row is written with the alert that it tells of.

pending → sending → sent, or dead. One process holds the store's lock and sends; so what is `sending` when it
starts is by definition orphaned, and no leases or clocks are needed. Within (alert, channel) the order holds:
a message waits for the earlier ones until they are sent or dead.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, select, text, update

from domain.alert import NOTHING, Delivery, Notification, Reason
from domain.waiting import FOR_DETAILS
from store import changes
from store.changes import Kind
from store.database import Session
from store.messages import message_of
from store.outcomes import mark_dead
from store.schema import attempts, outbox

_DEFAULT_LISTING = 200
_LONGEST_HOLD = timedelta(days=8)
CHANNEL_GONE = "the channel is not in config.yaml any more"
DROPPED = "dropped by hand"
"""Why a message is dead that a person gave up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to send a notification, and what came of it."""

    at: datetime
    delivery: Delivery  # what it led to: sent, pending (will be tried again), dead
    ambiguous: bool  # nobody knows whether it was accepted
    answer: str | None  # the error, or the receipt as JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many notifications wait, and how many were given up."""

    pending: int
    dead: int


def add(session: Session, notifications: Iterable[Notification]) -> int:
    """Store notifications; one whose (alert, transition, channel) is stored already is ignored.

    Returns how many are new.
    """
    rows = [_values(each) for each in notifications]
    if not rows:
        return 0
    changes.note(session, Kind.DELIVERY)
    return session.execute(_INSERT, rows).rowcount


_COLUMNS = [column for column in outbox.c if column.name not in ("id", "claimed_at", "form", "card")]
_INSERT = text(f"""INSERT INTO outbox ({", ".join(column.name for column in _COLUMNS)})
    VALUES ({", ".join(f":{column.name}" for column in _COLUMNS)}) ON CONFLICT DO NOTHING""").bindparams(  # noqa: S608
    *(bindparam(column.name, type_=column.type) for column in _COLUMNS)
)  # put together once, and the same for both databases


def bring_forward(session: Session, now: datetime, latest: datetime) -> None:
    """What waits for a time beyond `latest` is due now: the clock was set back since that was planned.

    What quiet hours hold stays held, unless it is for longer than quiet hours ever last.
    """
    pending = outbox.c.delivery == Delivery.PENDING
    session.execute(update(outbox).where(pending, outbox.c.next_attempt_at > latest).values(next_attempt_at=now))
    session.execute(update(outbox).where(pending, outbox.c.hold_until > latest + _LONGEST_HOLD).values(hold_until=now))
    session.execute(update(outbox).where(pending, outbox.c.held == FOR_DETAILS).values(hold_until=now))


def hurry(session: Session, channel: str, now: datetime) -> None:
    """What a channel has waiting is due now: somebody may have put right what was wrong with it."""
    session.execute(
        update(outbox)
        .where(outbox.c.delivery == Delivery.PENDING, outbox.c.channel == channel, outbox.c.next_attempt_at > now)
        .values(next_attempt_at=now)
    )


def drop_channels(session: Session, known: Iterable[str], now: datetime) -> int:
    """What waits for a channel that config.yaml knows no more is given up. Returns how many."""
    gone = select(outbox.c.id).where(outbox.c.delivery == Delivery.PENDING, outbox.c.channel.not_in(list(known)))
    identities = session.execute(gone).scalars().all()
    for identity in identities:
        mark_dead(session, identity, CHANNEL_GONE, now)
    return len(identities)


def retry(session: Session, identity: int, now: datetime) -> bool:
    """A person wants it tried again now, with what it was sent together; False unless it waits or is dead."""
    waiting = outbox.c.delivery.in_([Delivery.PENDING, Delivery.DEAD])
    done = session.execute(
        update(outbox)
        .where(_together(session, identity), waiting)
        .values(delivery=Delivery.PENDING, next_attempt_at=now, hold_until=None, held=None)
    )
    if done.rowcount > 0:
        changes.note(session, Kind.DELIVERY)
    return done.rowcount > 0


def drop(session: Session, identity: int, now: datetime) -> bool:
    """A person gives it up, with what it was sent together; False unless it waits.

    The rows stay, so that the same change is never told later.
    """
    found = get(session, identity)
    if found is None or found.delivery is not Delivery.PENDING:
        return False
    mark_dead(session, found.batch or identity, DROPPED, now)
    return True


def _together(session: Session, identity: int) -> ColumnElement[bool]:
    batch = session.execute(select(outbox.c.batch).where(outbox.c.id == identity)).scalar()
    return outbox.c.id == identity if batch is None else outbox.c.batch == batch


def get(session: Session, identity: int) -> Notification | None:
    """One notification with its root."""
    row = session.execute(select(outbox).where(outbox.c.id == identity)).first()
    return None if row is None else _from_row(row, root=_root(session, row.alert_id, row.channel))


def sent_with(session: Session, identity: int) -> list[Notification]:
    """The other rows that one message tells of, or told of, together with this one; without `root`."""
    batch = select(outbox.c.batch).where(outbox.c.id == identity).scalar_subquery()
    others = select(outbox).where(outbox.c.batch == batch, outbox.c.id != identity).order_by(outbox.c.id)
    return [_from_row(row) for row in session.execute(others)]


def listing(
    session: Session,
    *,
    channel: str | None = None,
    delivery: Delivery | None = None,
    limit: int = _DEFAULT_LISTING,
) -> list[Notification]:
    """The newest notifications, newest first; without `root`."""
    query = select(outbox).order_by(outbox.c.id.desc()).limit(limit)
    if channel is not None:
        query = query.where(outbox.c.channel == channel)
    if delivery is not None:
        query = query.where(outbox.c.delivery == delivery)
    return [_from_row(row) for row in session.execute(query)]


def of_alerts(session: Session, alert_ids: Sequence[int]) -> dict[int, list[Notification]]:
    """What was said about each of these alerts, oldest first; without `root`."""
    found: dict[int, list[Notification]] = {}
    for row in session.execute(select(outbox).where(outbox.c.alert_id.in_(alert_ids)).order_by(outbox.c.id)):
        found.setdefault(row.alert_id, []).append(_from_row(row))
    return found


def counts(session: Session) -> dict[str, Counts]:
    """By channel, of the channels that have anything waiting or dead."""
    query = (
        select(outbox.c.channel, outbox.c.delivery, func.count())
        .where(outbox.c.delivery != Delivery.SENT)
        .group_by(outbox.c.channel, outbox.c.delivery)
    )
    found: dict[str, Counter[bool]] = {}
    for channel, delivery, count in session.execute(query):
        found.setdefault(channel, Counter())[delivery is Delivery.DEAD] += count
    return {channel: Counts(pending=each[False], dead=each[True]) for channel, each in sorted(found.items())}


def attempts_of(session: Session, identity: int) -> list[Attempt]:
    """All tries to send a notification, oldest first."""
    rows = session.execute(select(attempts).where(attempts.c.notification_id == identity).order_by(attempts.c.id))
    return [Attempt(at=row.at, delivery=row.delivery, ambiguous=row.ambiguous, answer=row.answer) for row in rows]


def _root(session: Session, alert_id: int, channel: str) -> Mapping[str, Any]:
    ours = and_(
        outbox.c.alert_id == alert_id,
        outbox.c.channel == channel,
        outbox.c.delivery == Delivery.SENT,
        outbox.c.reason.not_in([Reason.REFRESH, Reason.THREADED]),
    )
    receipt = session.execute(select(outbox.c.receipt).where(ours).order_by(outbox.c.id).limit(1)).scalar()
    return NOTHING if receipt is None else receipt


def _values(notification: Notification) -> Mapping[str, Any]:
    return {
        "alert_id": notification.alert_id,
        "transition": notification.transition,
        "channel": notification.channel,
        "reason": notification.reason,
        "message": notification.message,
        "created_at": notification.created_at,
        "delivery": notification.delivery,
        "attempts": notification.attempts,
        "next_attempt_at": notification.next_attempt_at,
        "sent_at": notification.sent_at,
        "last_error": notification.last_error,
        "ambiguous": notification.ambiguous,
        "progress": notification.progress,
        "receipt": notification.receipt,
        "about": notification.about,
        "hold_until": notification.hold_until,
        "held": notification.held,
        "batch": notification.batch,
    }


def _from_row(row: Row[*tuple[Any, ...]], **changes: Any) -> Notification:
    values: dict[str, Any] = {
        "alert_id": row.alert_id,
        "transition": row.transition,
        "channel": row.channel,
        "reason": row.reason,
        "message": message_of(row.message),
        "created_at": row.created_at,
        "delivery": row.delivery,
        "attempts": row.attempts,
        "next_attempt_at": row.next_attempt_at,
        "sent_at": row.sent_at,
        "last_error": row.last_error,
        "ambiguous": row.ambiguous,
        "progress": row.progress,
        "receipt": row.receipt,
        "about": row.about,
        "hold_until": row.hold_until,
        "held": row.held,
        "batch": row.batch,
        "id": row.id,
    }
    return Notification(**(values | changes))
