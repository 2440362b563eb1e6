"""The daemon is back after a gap: since when it was away, and what it has made up for."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo

from alerts.wording import duration, plural
from alerts.writing.case import Case
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity
from domain.message import SIGNS, Fact, Message, Tone
from domain.window import Window
from poller.config import Configuration
from poller.telling.subject import pipeline_of
from poller.telling.tell import say
from store import absence, alerts, notes
from store.engine import Session

ALIVE = "alive"  # the note that is written again and again while the daemon runs
ABSENCE = "absence"  # the note of a gap that was not told yet
GAP = timedelta(minutes=10)  # a shorter one is a restart
LONG = timedelta(hours=1)  # told even when nothing happened meanwhile
_WEEK = timedelta(days=6)
_LISTED = 10
_TO = "\N{EN DASH}"


def record_alive(session: Session, now: datetime) -> None:
    """The daemon works."""
    notes.put(session, ALIVE, now.isoformat(), now)


def record_return(session: Session, now: datetime) -> None:
    """The daemon starts: when it was away for long, that is remembered until it is told. Not at the very first start.

    A gap that an earlier, short run has not told of goes on.
    """
    alive, untold = notes.get(session, ALIVE), notes.get(session, ABSENCE)
    since = untold.value["from"] if untold is not None else alive.value if alive is not None else None
    if since is not None and now - datetime.fromisoformat(since) > GAP:
        notes.put(session, ABSENCE, {"from": since, "to": now.isoformat()}, now)
    record_alive(session, now)


def tell_return(session: Session, configuration: Configuration, now: datetime) -> frozenset[str]:
    """Say what the gap was and what was made up for, when it is of interest: to the channels of the last route.

    To be asked when every target has been polled since the start. Returns the channels that have something new.
    """
    note = notes.get(session, ABSENCE)
    if note is None:
        return frozenset()
    notes.remove(session, [ABSENCE])
    gap = Window(start=datetime.fromisoformat(note.value["from"]), end=datetime.fromisoformat(note.value["to"]))
    filled, late = absence.builds_ended(session, gap), absence.alerts_begun(session, gap)
    if gap.end - gap.start <= LONG and not filled and not late:
        return frozenset()
    message = Message(
        tone=Tone.NOTE,
        headline=f"{SIGNS[Tone.NOTE]} {_headline(gap, filled, len(late), configuration.timezone)}",
        facts=tuple(_late(session, late, configuration.timezone, now)),
        thread=f"{AlertKind.STARTED}-{round(gap.end.timestamp() * 1000)}",
        at=now,
    )
    alert = Alert(
        kind=AlertKind.STARTED,
        scope=Scope(provider="buildwatch"),
        severity=Severity.INFO,
        state=AlertState.RESOLVED,
        started_at=gap.start,
        resolved_at=gap.end,
        summary=message.headline,
        channels=configuration.routes[-1].to if configuration.routes else (),
    )
    return say(session, alerts.save(session, alert), message, configuration, reason=Reason.FIRST, now=now)


def _headline(gap: Window, filled: int, late: int, zone: tzinfo) -> str:
    """`buildwatch was down 02:10-06:40 (4 h 30 m): 37 builds filled in, 2 alerts late`."""
    start, end = gap.start.astimezone(zone), gap.end.astimezone(zone)
    if start.date() == end.date():
        times = f"{start:%H:%M}{_TO}{end:%H:%M}"
    elif end - start < _WEEK:
        times = f"{start:%a %H:%M}{_TO}{end:%a %H:%M}"
    else:
        times = f"{start.day} {start:%b %H:%M}{_TO}{end.day} {end:%b %H:%M}"
    done = [f"{plural(filled, 'build')} filled in"] * bool(filled) + [f"{plural(late, 'alert')} late"] * bool(late)
    return f"buildwatch was down {times} ({duration(end - start)}): {', '.join(done) or 'nothing was missed'}"


def _late(session: Session, late: Sequence[Alert], zone: tzinfo, now: datetime) -> Iterator[Fact]:
    for alert in late[:_LISTED]:
        case = Case(
            alert=alert, reason=Reason.FIRST, pipeline=pipeline_of(session, alert), builds={}, now=now, zone=zone
        )
        began = alert.started_at.astimezone(zone)
        yield Fact(name=case.where, value=f"{alert.summary}, since {began:%a %H:%M}")
    if len(late) > _LISTED:
        yield Fact(name="and", value=f"{len(late) - _LISTED} more")
