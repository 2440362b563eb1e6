"""What became of a message that was tried. Rows that were sent as one share its fate; the leading one names them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, literal, or_, select, update

from domain.alert import NOTHING, Delivery
from domain.waiting import Form
from store import changes
from store.changes import Kind
from store.columns import to_json
from store.database import Session
from store.schema import attempts, outbox

_INTERRUPTED = "the process ended while it was being sent"
_UNSENT = outbox.c.delivery.in_([Delivery.PENDING, Delivery.SENDING])
_DOUBTLESS = and_(~outbox.c.ambiguous, outbox.c.progress == literal({}, outbox.c.progress.type))


def mark_sent(session: Session, lead: int, receipt: Mapping[str, Any], now: datetime) -> None:
    """The channel accepted it."""
    ours = _of(lead)
    _record(session, ours, Delivery.SENT, to_json(receipt), now)
    _set(session, ours, delivery=Delivery.SENT, receipt=receipt, sent_at=now, ambiguous=False, last_error=None)


def mark_retry(
    session: Session,
    lead: int,
    error: str,
    next_attempt_at: datetime,
    *,
    ambiguous: bool = False,
    progress: Mapping[str, Any] = NOTHING,
) -> None:
    """It was not accepted, or nobody knows (`ambiguous`, which stays until it is sent): try again then.

    What certainly was not accepted by anybody is free again: its rows may be folded and gathered anew. Anything
    else is tried again as it is, under its own name.
    """
    ours = _of(lead)
    _record(session, ours, Delivery.PENDING, error, next_attempt_at, ambiguous=ambiguous)
    values: dict[str, Any] = {"delivery": Delivery.PENDING, "next_attempt_at": next_attempt_at, "last_error": error}
    if ambiguous:
        values["ambiguous"] = True
    if progress:
        values["progress"] = progress
    _set(session, ours, **values)
    _release(session, and_(ours, _DOUBTLESS))


def mark_dead(session: Session, lead: int, error: str, now: datetime) -> None:
    """It will not be tried again, unless a person asks for it. Given up at `now`."""
    ours = _of(lead)
    _record(session, ours, Delivery.DEAD, error, now)
    _set(session, ours, delivery=Delivery.DEAD, last_error=error)


def mark_worn_out(
    session: Session, lead: int, error: str, now: datetime, *, most: int, next_attempt_at: datetime
) -> None:
    """It was not accepted once more: rows with `most` attempts are given up, younger ones in it are tried again."""
    ours = _of(lead)
    worn_out = and_(ours, outbox.c.attempts >= most)
    _record(session, worn_out, Delivery.DEAD, error, now)
    _set(session, worn_out, delivery=Delivery.DEAD, last_error=error)
    _record(session, ours, Delivery.PENDING, error, now)
    _set(session, ours, delivery=Delivery.PENDING, next_attempt_at=next_attempt_at, last_error=error)
    _release(session, ours)


def take_apart(session: Session, lead: int, error: str, now: datetime) -> None:
    """It was refused for good, and it tells of several alerts: each is tried alone, so that one spoils no other."""
    ours = _of(lead)
    _record(session, ours, Delivery.PENDING, error, now)
    values = {"delivery": Delivery.PENDING, "next_attempt_at": now, "last_error": error, "ambiguous": False}
    _set(session, ours, form=Form.ALONE, batch=None, card=None, **values)


def recover(session: Session, lead: int | None = None) -> int:
    """Put back what was being sent when the process died: it may have been accepted. Returns how many rows.

    Only for the holder of the store's lock, before it sends anything; or for one message, by its sender.
    """
    orphans = outbox.c.delivery == Delivery.SENDING
    if lead is not None:
        orphans = and_(orphans, _of(lead))
    _record(session, orphans, Delivery.PENDING, _INTERRUPTED, None, ambiguous=True)
    return _set(session, orphans, delivery=Delivery.PENDING, ambiguous=True, last_error=_INTERRUPTED)


def _of(lead: int) -> ColumnElement[bool]:
    return and_(or_(outbox.c.id == lead, outbox.c.batch == lead), _UNSENT)


def _release(session: Session, which: ColumnElement[bool]) -> None:
    alone = outbox.c.form == Form.ALONE
    _set(session, and_(which, alone), batch=None, card=None)
    _set(session, and_(which, or_(outbox.c.form.is_(None), ~alone)), batch=None, card=None, form=None)


def _set(session: Session, which: ColumnElement[bool], **values: Any) -> int:
    done = session.execute(update(outbox).where(which).values(**values)).rowcount
    if done:
        changes.note(session, Kind.DELIVERY)
    return done


def _record(
    session: Session,
    which: ColumnElement[bool],
    delivery: Delivery,
    answer: str,
    at: datetime | None,
    *,
    ambiguous: bool = False,
) -> None:
    """Keep the attempt of each row. Its time is when it began, unless it never did."""
    began = func.coalesce(outbox.c.claimed_at, literal(at, outbox.c.claimed_at.type), outbox.c.created_at)
    given = (
        literal(delivery, attempts.c.delivery.type),
        literal(ambiguous, attempts.c.ambiguous.type),
        literal(answer, attempts.c.answer.type),
    )
    tried = select(outbox.c.id, began, *given).where(which)
    names = ["notification_id", "at", "delivery", "ambiguous", "answer"]
    session.execute(insert(attempts).from_select(names, tried))
