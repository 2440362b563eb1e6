"""Digests at their times: each slot at most once, also across restarts, a clock that is set, and a long absence."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.policies.digest import Digest
from alerts.writing.digest_message import compose
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity
from domain.message import Message
from poller.config import Configuration
from poller.config.cron import previous_before
from poller.digests.digest_report import read_report
from poller.record import DAEMON
from poller.telling.tell import say
from poller.watching.polling import POLLS
from store import alerts, notes
from store.engine import Session

log = logging.getLogger(__name__)

PREFIX = "digest:"  # of the notes that tell which slot was sent last
TOO_LATE = timedelta(hours=12)  # what was due longer ago is left out
FRESH = timedelta(minutes=1)  # a slot that came so shortly before its digest did is not missed
CATCHING_UP = timedelta(minutes=3)  # it waits so long, at most, for the polls that see what ended before its slot
_INSTANT = timedelta(microseconds=1)


def send_due(session: Session, configuration: Configuration, now: datetime) -> frozenset[str]:
    """Put every digest whose time has come in the outbox. Returns the channels that have something new.

    The slot is noted in the same transaction. A slot that was missed is sent once, when it is not too long ago; of
    several the last. Costs one small read when nothing is due.
    """
    if not configuration.digests:
        return frozenset()
    told: frozenset[str] = frozenset()
    noted = {key: note.value for key, note in notes.read(session, PREFIX).items()}
    for digest in configuration.digests:
        known = noted.get(PREFIX + digest.name)
        slot = previous_before(digest.cron, configuration.timezone, now + _INSTANT)
        last = _last(digest, known, configuration, now)
        if last is None:  # new to us: from now on
            last = previous_before(digest.cron, configuration.timezone, now - FRESH)
            _note(session, digest, last or now - FRESH, configuration, now)
        if slot is None or (last is not None and slot <= last):
            continue
        if now - slot > TOO_LATE:
            log.warning("digest left out, it was due long ago digest=%s slot=%s", digest.name, slot.isoformat())
            _note(session, digest, slot, configuration, now)
        elif _caught_up(session, slot, now):
            _note(session, digest, slot, configuration, now)
            told |= _send(session, digest, slot, configuration, now)
    return told


def preview(session: Session, digest: Digest, configuration: Configuration, now: datetime) -> Message:
    """The digest as it would be if it were due now."""
    return compose(read_report(session, digest, now, configuration), now=now, zone=configuration.timezone)


def _last(
    digest: Digest, known: Mapping[str, Any] | None, configuration: Configuration, now: datetime
) -> datetime | None:
    """The slot that was dealt with last; None when nothing is known of these times, or the clock ran far ahead."""
    if known is None or (known["cron"], known["zone"]) != (digest.cron, str(configuration.timezone)):
        return None
    last = datetime.fromisoformat(known["slot"])
    return last if last <= now + TOO_LATE else None


def _note(session: Session, digest: Digest, slot: datetime, configuration: Configuration, now: datetime) -> None:
    value = {"slot": slot.isoformat(), "cron": digest.cron, "zone": str(configuration.timezone)}
    notes.put(session, PREFIX + digest.name, value, now)


def _caught_up(session: Session, slot: datetime, now: datetime) -> bool:
    """Whether every target was polled since the slot: a build that ended just before it belongs in the digest."""
    daemon = notes.get(session, DAEMON)
    since = datetime.fromisoformat(daemon.value["since"]) if daemon is not None else slot
    if now - max(slot, since) >= CATCHING_UP:
        return True
    polls = notes.get(session, POLLS)
    return polls is None or all(datetime.fromisoformat(at) >= slot for at in polls.value.values())


def _send(
    session: Session, digest: Digest, slot: datetime, configuration: Configuration, now: datetime
) -> frozenset[str]:
    report = read_report(session, digest, slot, configuration)
    message = compose(report, now=now, zone=configuration.timezone)
    alert = Alert(
        kind=AlertKind.DIGEST,
        scope=Scope(provider="*", branch=digest.name),
        severity=Severity.INFO,
        state=AlertState.RESOLVED,
        started_at=slot,
        resolved_at=now,
        summary=message.headline,
        channels=digest.to,
    )
    log.info("digest sent digest=%s slot=%s", digest.name, slot.astimezone(UTC).isoformat())
    return say(session, alerts.save(session, alert), message, configuration, reason=Reason.FIRST, now=now)
