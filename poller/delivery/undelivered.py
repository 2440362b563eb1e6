"""Watches the channels: one that takes no messages is told on another one, and so is a message that was given up."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from alerts.undelivered import Facts, Line, Verdict, decide_undelivered, fallbacks, message_of, scope_of
from alerts.writing.group_message import name_of, what_of
from domain.waiting import Waiting
from poller.config import Configuration
from poller.delivery.courier import ChannelStatus
from poller.telling.tell import say
from store import alerts, notes, undelivered
from store.engine import Session

NOTE = "undelivered"
LISTED = 10


def judge_channels(
    session: Session, statuses: Mapping[str, ChannelStatus], configuration: Configuration, now: datetime
) -> frozenset[str]:
    """Whether a channel that takes no messages is worth one elsewhere by now. Returns the channels that are told.

    Since when a channel fails is written down: a restart begins no new time.
    """
    note = notes.get(session, NOTE)
    before: Mapping[str, Any] = note.value if note is not None else {"since": {}, "seen": None}
    since = _since(before["since"], statuses)
    seen = before["seen"] if before["seen"] is not None else undelivered.last_given_up(session)
    given_up = undelivered.given_up(session, seen)
    told: frozenset[str] = frozenset()
    for name, status in statuses.items():
        lost = tuple(_line(each.row, each.error) for each in given_up if each.channel == name)
        facts = Facts(channel=name, failing_since=since.get(name), error=status.error, given_up=lost)
        others = fallbacks(name, configuration.routes, list(configuration.channels), since.keys())
        told |= _judge(session, facts, others, configuration, now)
    seen = max([seen, *(each.attempt for each in given_up)])
    after = {"since": {name: moment.isoformat() for name, moment in since.items()}, "seen": seen}
    if after != before:
        notes.put(session, NOTE, after, now)
    return told


def _since(before: Mapping[str, str], statuses: Mapping[str, ChannelStatus]) -> dict[str, datetime]:
    """Since when channels take nothing. One that has not been tried since the start is as it was before."""
    found: dict[str, datetime] = {}
    for name, status in statuses.items():
        known = datetime.fromisoformat(before[name]) if name in before else None
        moments = [moment for moment in (known, status.failing_since) if moment is not None]
        if moments and not (status.failing_since is None and status.delivered_at is not None):
            found[name] = min(moments)
    return found


def _judge(
    session: Session, facts: Facts, others: tuple[str, ...], configuration: Configuration, now: datetime
) -> frozenset[str]:
    stored = alerts.of_scope(session, scope_of(facts.channel))
    rule = configuration.rules.delivery_failed
    verdict = decide_undelivered(facts=facts, stored=stored, rule=rule, others=others, now=now)
    if verdict is None:
        return frozenset()
    saved = alerts.save(session, verdict.alert)
    if verdict.reason is None:
        return frozenset()
    count, rows = undelivered.waiting_for(session, facts.channel, LISTED)
    waiting = [_line(row, what_of(row)) for row in rows]
    message = message_of(Verdict(alert=saved, reason=verdict.reason), facts, waiting, count, now)
    here = replace(saved, channels=tuple(each for each in saved.channels if each != facts.channel))
    return say(session, here, message, configuration, reason=verdict.reason, now=now)


def _line(row: Waiting, what: str) -> Line:
    url = row.about.get("url")
    return Line(name=name_of(row), what=what, url=str(url) if url else None)
