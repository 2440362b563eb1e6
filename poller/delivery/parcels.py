"""From rows of the outbox to the next message of a channel: which rows, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.policies.gathering import STORM_SPAN, Manner, Parcel, Unit, next_parcel, units_of
from alerts.writing.group_message import card_message, folded_message, group_message, with_age, with_place
from domain.alert import Notification, Reason
from domain.message import Message
from domain.waiting import Form, Standing
from store import outbox, waiting
from store.engine import Session

NAMED = 400  # alerts of a card that are read by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A message that is being sent from now on."""

    notification: Notification  # its leading row, saying what all of them say
    alerts: int
    is_silent: bool = False  # there is nothing to send

    @property
    def lead(self) -> int:
        """The row by which the store knows it."""
        if self.notification.id is None:
            raise ValueError("a notification out of the outbox has an id")
        return self.notification.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Rows wait for company."""

    until: datetime
    rows: int


def claim(session: Session, channel: str, manner: Manner, now: datetime) -> Claim | Pause | None:
    """Take the next message of a channel, its rows `sending`; or say until when they wait; None when nothing does."""
    again = waiting.attempted(session, channel, now)
    if again is not None:
        waiting.take_again(session, again.lead, now)
        parcel = Parcel(units=tuple(units_of(again.rows)), form=again.form, joins=again.joins)
        return _claimed(session, parcel, manner, now)
    rows = waiting.waiting(session, channel, now)
    if not rows:
        return None
    if len(rows) == waiting.MOST:
        manner = replace(manner, group_wait=timedelta(0))  # these are company enough
    found = next_parcel(rows, waiting.told(session, channel, now, STORM_SPAN), manner=manner, now=now)
    if not isinstance(found, Parcel):
        return None if found is None else Pause(until=found, rows=len(rows))
    waiting.take(session, found.rows, found.form, now, joins=found.joins)
    return _claimed(session, found, manner, now)


def _claimed(session: Session, parcel: Parcel, manner: Manner, now: datetime) -> Claim:
    lead = _row(session, parcel.rows[0].id)
    if parcel.form is Form.SILENT:
        return Claim(notification=lead, alerts=len(parcel.units), is_silent=True)
    if parcel.joins is not None:
        lead = replace(lead, root=waiting.receipt_of(session, parcel.joins))
    standing = _standing(session, parcel)
    unit = parcel.units[0] if len(parcel.units) == 1 and parcel.joins is None else None
    if unit is not None:
        message = _of_one(session, unit, lead, standing, now)
    else:
        message = group_message(parcel, lead.message, standing, now)
    card = card_message(standing, lead.message, now) if standing is not None and manner.edits else None
    reason = _reason(parcel.units)
    return Claim(notification=replace(lead, message=message, card=card, reason=reason), alerts=len(parcel.units))


def _row(session: Session, identity: int) -> Notification:
    found = outbox.get(session, identity)
    if found is None:
        raise ValueError(f"there is no row {identity} in the outbox")
    return found


def _standing(session: Session, parcel: Parcel) -> Standing | None:
    """How the alerts on the parcel's card are, when it has one card and several alerts are on it."""
    cards = {unit.first.card for unit in parcel.units}
    card = parcel.joins if parcel.joins is not None else cards.pop() if len(cards) == 1 else None
    if card is None:
        return None
    found = waiting.standing(session, card, NAMED)
    return found if found.total > 1 else None


def _of_one(session: Session, unit: Unit, lead: Notification, standing: Standing | None, now: datetime) -> Message:
    message = lead.message
    if len(unit.rows) > 1:
        last = _row(session, unit.last.id)
        message = folded_message(message, last.message, last.reason) if unit.opens else last.message
    if standing is not None and unit.over:
        message = with_place(message, standing)
    return with_age(message, unit.first.created_at, now)


def _reason(units: Sequence[Unit]) -> Reason:
    """What disturbs most decides: a beginning, an ending, news, nothing."""
    if any(unit.opens for unit in units):
        return Reason.FIRST
    reasons = [unit.last.reason for unit in units]
    return min((Reason.UPDATE if each is Reason.FIRST else each for each in reasons), key=_BY_WEIGHT.index)


_BY_WEIGHT = (
    Reason.RESOLVED,
    Reason.CLOSED,
    Reason.UPDATE,
    Reason.REMINDER,
    Reason.THREADED,
    Reason.REFRESH,
)
