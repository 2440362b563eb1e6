"""What a channel may be told now, what it was told a short while ago, and taking rows to be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Exists,
    FromClause,
    Row,
    Select,
    Table,
    TextClause,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from domain.alert import NOTHING, AlertState, Delivery, Reason, Scope
from domain.waiting import FOR_DETAILS, Form, Standing, Told, Waiting
from store import changes
from store.among import among
from store.changes import Kind
from store.database import Session
from store.schema import UNSENT, alerts, outbox

MOST = 20_000  # rows that are looked at for one message

_UNSEEN = (Reason.REFRESH, Reason.THREADED)  # no messages of their own
_UNSENT = (Delivery.PENDING, Delivery.SENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """A message that has been tried and must be tried again exactly as it was."""

    lead: int
    form: Form
    joins: int | None
    rows: tuple[Waiting, ...]


def waiting(session: Session, channel: str, now: datetime, limit: int = MOST) -> list[Waiting]:
    """The rows of a channel that are due and free, oldest first; an alert's only as far as nothing earlier is not."""
    earlier = outbox.alias("earlier")
    blocked = _earlier_unsent(earlier).where(
        or_(
            earlier.c.delivery == Delivery.SENDING,
            _is_pinned(earlier),
            earlier.c.next_attempt_at > now,
            earlier.c.hold_until > now,
        )
    )
    query = _rows().where(*_pending(channel, now), ~_is_pinned(outbox), ~blocked)
    return [_from_row(row) for row in session.execute(query.order_by(outbox.c.id).limit(limit))]


def attempted(session: Session, channel: str, now: datetime) -> Attempted | None:
    """The oldest message that is due again and may have reached somebody."""
    earlier = outbox.alias("earlier")
    ours = and_(outbox.c.batch.is_not(None), earlier.c.batch == outbox.c.batch)
    blocked = _earlier_unsent(earlier).where(or_(~ours, ours.is_(None)))
    leads = or_(outbox.c.batch.is_(None), outbox.c.batch == outbox.c.id)
    query = select(outbox.c.id, outbox.c.form, outbox.c.card).where(
        *_pending(channel, now), _is_pinned(outbox), leads, ~blocked
    )
    lead = session.execute(query.order_by(outbox.c.id).limit(1)).first()
    if lead is None:
        return None
    members = _rows().where(or_(outbox.c.id == lead.id, outbox.c.batch == lead.id)).order_by(outbox.c.id)
    return Attempted(
        lead=lead.id,
        form=_form(lead.form),
        joins=lead.card if lead.card != lead.id else None,
        rows=tuple(_from_row(row) for row in session.execute(members)),
    )


def told(session: Session, channel: str, now: datetime, span: timedelta) -> list[Told]:
    """The messages that a channel took in this span of time, oldest first, without those that disturbed nobody."""
    query = (
        select(
            outbox.c.id,
            outbox.c.alert_id,
            outbox.c.reason,
            outbox.c.form,
            outbox.c.card,
            outbox.c.sent_at,
            outbox.c.about,
            _card().label("known_card"),
        )
        .where(
            outbox.c.channel == channel,
            outbox.c.sent_at.is_not(None),
            outbox.c.sent_at > now - span,
            outbox.c.sent_at <= now,
            or_(outbox.c.batch.is_(None), outbox.c.batch == outbox.c.id),
            outbox.c.reason.not_in(_UNSEEN),
        )
        .order_by(outbox.c.sent_at, outbox.c.id)
    )
    return [
        Told(
            alert_id=row.alert_id,
            reason=row.reason,
            form=_form(row.form),
            card=row.card or row.known_card,
            is_card=row.card == row.id,
            sent_at=row.sent_at,
            about=row.about,
        )
        for row in session.execute(query)
    ]


def take(session: Session, rows: Sequence[Waiting], form: Form, now: datetime, *, joins: int | None = None) -> int:
    """These rows are being sent as one message from now on; returns the leading one, whose id names it.

    The first row of each alert remembers the card that shows it: this message, or the one that it joins.
    """
    lead = rows[0].id
    is_batch = len(rows) > 1
    values: dict[str, Any] = {"batch": lead if is_batch else None}
    if form is not Form.SINGLE:
        values["form"] = form
    _send(session, among(session, outbox.c.id, [row.id for row in rows]), now, **values)
    first = {row.alert_id: row.id for row in reversed(rows) if row.card is None and row.reason not in _UNSEEN}
    opening = among(session, outbox.c.id, list(first.values()))
    if first:
        session.execute(update(outbox).where(opening).values(card=lead if joins is None else joins))
    return lead


def take_again(session: Session, lead: int, now: datetime) -> None:
    """A message that was attempted is being sent again."""
    _send(session, or_(outbox.c.id == lead, outbox.c.batch == lead), now)


def standing(session: Session, card: int, limit: int) -> Standing:
    """The alerts on a card as they stand now; at most `limit` of them by name, those that fire first."""
    members = outbox.c.card == card
    joined = outbox.join(alerts, alerts.c.id == outbox.c.alert_id)
    counted = select(alerts.c.state, func.count()).select_from(joined).where(members).group_by(alerts.c.state)
    counts = {row[0]: int(row[1]) for row in session.execute(counted)}
    named = _rows().where(members).order_by(alerts.c.state != AlertState.FIRING, outbox.c.id).limit(limit)
    return Standing(
        total=sum(counts.values()),
        over=sum(count for state, count in counts.items() if state is not AlertState.FIRING),
        members=tuple(_from_row(row) for row in session.execute(named)),
    )


def receipt_of(session: Session, identity: int) -> Mapping[str, Any]:
    """What the channel said when it accepted a row; empty when it did not yet."""
    query = select(outbox.c.receipt).where(outbox.c.id == identity, outbox.c.delivery == Delivery.SENT)
    receipt: Mapping[str, Any] | None = session.execute(query).scalar()
    return NOTHING if receipt is None else receipt


def first_waiting(session: Session, channel: str, limit: int) -> list[Waiting]:
    """The oldest rows that wait for a channel, whatever they wait for."""
    query = _rows().where(outbox.c.channel == channel, outbox.c.delivery == Delivery.PENDING, UNSENT)
    return [_from_row(row) for row in session.execute(query.order_by(outbox.c.id).limit(limit))]


def of_ids(session: Session, ids: Sequence[int]) -> list[Waiting]:
    """These rows, whatever has become of them."""
    return [_from_row(row) for row in session.execute(_rows().where(among(session, outbox.c.id, ids)))]


def next_due(session: Session, channel: str, now: datetime) -> datetime | None:
    """The first moment after `now` at which a row of a channel becomes due; None when nothing waits for its time."""
    earlier = outbox.alias("earlier")
    held = and_(outbox.c.hold_until.is_not(None), outbox.c.hold_until > outbox.c.next_attempt_at)
    due = case((held, outbox.c.hold_until), else_=outbox.c.next_attempt_at)
    query = select(func.min(due)).where(
        outbox.c.channel == channel,
        outbox.c.delivery == Delivery.PENDING,
        UNSENT,
        due > literal(now, outbox.c.next_attempt_at.type),
        ~_earlier_unsent(earlier),
    )
    found: datetime | None = session.execute(query).scalar()
    return found


def _send(session: Session, which: ColumnElement[bool], now: datetime, **values: Any) -> None:
    session.execute(
        update(outbox)
        .where(which)
        .values(delivery=Delivery.SENDING, attempts=outbox.c.attempts + 1, claimed_at=now, **values)
    )
    changes.note(session, Kind.DELIVERY)


def _pending(channel: str, now: datetime) -> Sequence[ColumnElement[bool] | TextClause]:
    return (
        outbox.c.channel == channel,
        outbox.c.delivery == Delivery.PENDING,
        UNSENT,
        outbox.c.next_attempt_at <= now,
        or_(outbox.c.hold_until.is_(None), outbox.c.hold_until <= now),
    )


def _is_pinned(table: FromClause) -> ColumnElement[bool]:
    """Tried, and perhaps accepted, at least by some: it must stay the message that it was."""
    nothing = literal({}, outbox.c.progress.type)
    return or_(table.c.ambiguous, table.c.batch.is_not(None), table.c.progress != nothing)


def _earlier_unsent(earlier: FromClause) -> Exists:
    return exists().where(
        earlier.c.alert_id == outbox.c.alert_id,
        earlier.c.channel == outbox.c.channel,
        earlier.c.id < outbox.c.id,
        earlier.c.delivery.in_(_UNSENT),
    )


def _card() -> ColumnElement[int | None]:
    """The card of the alert: that of its first row on this channel that was sent; of old rows their own id."""
    first = outbox.alias("first")
    card = select(func.coalesce(first.c.card, first.c.id)).where(
        first.c.alert_id == outbox.c.alert_id,
        first.c.channel == outbox.c.channel,
        first.c.delivery == Delivery.SENT,
        first.c.reason.not_in(_UNSEEN),
    )
    return card.order_by(first.c.id).limit(1).scalar_subquery()


def _rows() -> Select[Any]:
    columns = (
        outbox.c.id,
        outbox.c.alert_id,
        outbox.c.reason,
        outbox.c.created_at,
        outbox.c.about,
        outbox.c.hold_until,
        outbox.c.held,
        outbox.c.form,
        alerts.c.kind,
        alerts.c.provider,
        alerts.c.pipeline,
        alerts.c.branch,
        alerts.c.state,
        alerts.c.summary,
        _card().label("known_card"),
    )
    tables: Table = outbox
    return select(*columns).select_from(tables.join(alerts, alerts.c.id == outbox.c.alert_id))


def _form(text: str | None) -> Form:
    return Form.SINGLE if text is None else Form(text)


def _from_row(row: Row[Any]) -> Waiting:
    return Waiting(
        id=row.id,
        alert_id=row.alert_id,
        reason=row.reason,
        created_at=row.created_at,
        kind=row.kind,
        scope=Scope(provider=row.provider, pipeline=row.pipeline, branch=row.branch),
        state=row.state,
        summary=row.summary,
        about=row.about,
        hold_until=row.hold_until if row.held != FOR_DETAILS else None,
        card=row.known_card,
        alone=row.form == Form.ALONE,
    )
