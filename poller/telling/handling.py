"""What people do with alerts: acknowledge and silence them. The same functions for the command line and the web."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alerts.decision import decision
from alerts.policies.handled import acknowledged
from alerts.policies.silence import about, covers
from domain.alert import Alert, AlertState, Reason
from domain.globs import matches
from domain.silence import Ends, Silence
from domain.text import clean
from poller.config import Configuration
from poller.telling.lasting import look_after, settled_stream
from poller.telling.subject import pipeline_of, subjects
from poller.telling.tell import tell
from store import alerts, silences
from store.engine import Session

__all__ = [
    "CannotHandleError",
    "Silenced",
    "acknowledge",
    "look_after",
    "silence",
    "silence_alert",
    "unacknowledge",
    "unsilence",
]

_NAME_LIMIT = 100  # characters
_REASON_LIMIT = 500


class CannotHandleError(Exception):
    """Nothing was changed. The text names the thing and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silenced:
    """A new silence, and what it covers at this moment."""

    silence: Silence
    firing: tuple[Alert, ...]


def acknowledge(
    session: Session, alert_id: int, configuration: Configuration, now: datetime, *, by: str, reason: str | None = None
) -> Alert:
    """Somebody knows: no reminders and no escalations, until something else is wrong or the alert ends.

    Messages that can be edited show it. Raises CannotHandleError when there is no such alert, or it is over.
    """
    alert = _firing(session, alert_id)
    known = {"by": _line(by, _NAME_LIMIT), "at": now.isoformat(), "reason": _line(reason or "", _REASON_LIMIT) or None}
    return _refreshed(session, replace(alert, handling={**alert.handling, "acknowledged": known}), configuration, now)


def unacknowledge(session: Session, alert_id: int, configuration: Configuration, now: datetime) -> Alert:
    """Take an acknowledgement back. Raises CannotHandleError when there is none."""
    alert = _firing(session, alert_id)
    if not acknowledged(alert):
        raise CannotHandleError(f"alert {alert_id} is not acknowledged")
    handling = {key: value for key, value in alert.handling.items() if key != "acknowledged"}
    return _refreshed(session, replace(alert, handling=handling), configuration, now)


def silence(
    session: Session,
    match: Mapping[str, Any],
    ends: Ends,
    now: datetime,
    *,
    reason: str,
    author: str | None = None,
) -> Silenced:
    """Keep quiet about what meets these conditions (as under `match:` of a route).

    What was told already stays told, and so its end will be told; nothing else about it is. Raises
    CannotHandleError without conditions or reason, and for an end that has come already.
    """
    why = _line(reason, _REASON_LIMIT)
    if not match:
        raise CannotHandleError("a silence needs to know what it is about: a pipeline, or an alert")
    if not why:
        raise CannotHandleError("a silence needs a reason, for those who wonder")
    for pattern in (match.get("pipeline"), match.get("branch"), *match.get("labels", {}).values()):
        try:
            matches(pattern or "", "")
        except re.error as error:  # kept, it would be in the way of every alert
            raise CannotHandleError(f'"{_line(pattern, _NAME_LIMIT)}" is not a pattern: {error}') from error
    if ends.at is not None and ends.at <= now:
        raise CannotHandleError("the silence would be over already")
    new = Silence(match=match, ends=ends, reason=why, author=_line(author or "", _NAME_LIMIT) or None, created_at=now)
    if (stream := settled_stream(session, new)) is not None:
        raise CannotHandleError(f"build {ends.build} of {stream}, or a later one, has passed or failed already")
    fires = alerts.firing(session)
    covered = [(each, its) for each, its in zip(fires, subjects(session, fires), strict=True) if covers(new, its)]
    if ends.new_bucket:
        known = {subject.bucket for _, subject in covered} - {None}
        new = replace(new, ends=replace(ends, buckets=tuple(sorted(map(str, known)))))
    return Silenced(silence=silences.add(session, new), firing=tuple(alert for alert, _ in covered))


def silence_alert(
    session: Session, alert_id: int, ends: Ends, now: datetime, *, reason: str, author: str | None = None
) -> Silenced:
    """Keep quiet about what one alert is about: alerts of its kind in its place. Raises CannotHandleError."""
    return silence(session, about(_known(session, alert_id)), ends, now, reason=reason, author=author)


def unsilence(session: Session, silence_id: int, now: datetime, *, by: str) -> Silence:
    """End a silence; what fires is told with the next look of the daemon. Raises CannotHandleError."""
    found = silences.get(session, [silence_id]).get(silence_id)
    if found is None:
        raise CannotHandleError(f"there is no silence {silence_id}: `buildwatch silence --list` lists them")
    if not silences.end(session, silence_id, f"ended by {_line(by, _NAME_LIMIT)}", now):
        raise CannotHandleError(f"silence {silence_id} is over already: {found.ended_because}")
    return silences.get(session, [silence_id])[silence_id]


def _known(session: Session, alert_id: int) -> Alert:
    found = alerts.get(session, [alert_id]).get(alert_id)
    if found is None:
        raise CannotHandleError(f"there is no alert {alert_id}: `buildwatch alerts --all` lists them")
    return found


def _firing(session: Session, alert_id: int) -> Alert:
    found = _known(session, alert_id)
    if found.state is not AlertState.FIRING:
        raise CannotHandleError(f"alert {alert_id} is over: it was {found.state}")
    return found


def _refreshed(session: Session, alert: Alert, configuration: Configuration, now: datetime) -> Alert:
    """Save an alert, and have the messages that can be edited say so."""
    if not _editing(alert.channels, configuration):
        return alerts.save(session, alert)
    changed = replace(alert, transition=alert.transition + 1)
    tell(session, decision(changed, Reason.REFRESH), pipeline_of(session, alert), configuration, now)
    return changed


def _editing(channels: Sequence[str], configuration: Configuration) -> bool:
    return any(name in configuration.channels and configuration.channels[name].edits for name in channels)


def _line(text: str, limit: int) -> str:
    return clean(text.strip(), limit)
