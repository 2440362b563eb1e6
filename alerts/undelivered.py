"""The kind `delivery_failed`: a channel that takes no messages, told on another one.

It is never told on the channel that it is about: an error about the alert channel that goes to the alert channel
feeds itself (home-assistant/core#30665).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.decision import closed, firing, resolved
from alerts.policies.routing import Route
from alerts.rules import DeliveryFailedRule
from alerts.wording import duration, plural
from alerts.writing.message import thread_of
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity
from domain.message import SIGNS, Cell, Message, Table, Tone

KIND = AlertKind.DELIVERY_FAILED
OURSELVES = "buildwatch"

_LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A message that did not come through: what it is about, what it says or why it was given up, where it leads."""

    name: str
    what: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How a channel is."""

    channel: str
    failing_since: datetime | None = None  # nothing was accepted since; None while all is well
    error: str | None = None
    given_up: tuple[Line, ...] = ()  # since this was asked last


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The alert as it is from now on, and why it is told; None: saved silently."""

    alert: Alert
    reason: Reason | None


def scope_of(channel: str) -> Scope:
    """What an alert about a channel is about."""
    return Scope(provider=OURSELVES, branch=channel)


def fallbacks(
    channel: str, routes: Sequence[Route], channels: Sequence[str], failing: Collection[str]
) -> tuple[str, ...]:
    """Who hears about a channel: those of the last route that work, else any other that does."""
    usual = routes[-1].to if routes else ()
    works = [each for each in channels if each != channel and each not in failing]
    return tuple(each for each in usual if each in works) or tuple(works[:1])


def decide_undelivered(
    *,
    facts: Facts,
    stored: Sequence[Alert],
    rule: DeliveryFailedRule | None,
    others: tuple[str, ...],
    now: datetime,
) -> Verdict | None:
    """What becomes of the alert about a channel.

    It fires when nothing was accepted for `rule.after`, and ends with the first message that is. `others` are the
    channels that can hear of it. When there is none it fires untold, until there is one. A message that was given
    up while the channel works is told once, as an alert that is over already.
    """
    current = firing(stored, KIND)
    if rule is None:
        return _ended(current, "it is switched off", now)
    if facts.failing_since is None:
        if current is not None:
            over = resolved(current, at=now, summary="takes messages again", evidence=current.evidence)
            return Verdict(alert=over.alert, reason=over.reason)
        return _fires(facts, others, now, over=True) if facts.given_up and others else None
    if current is None:
        is_due = now - facts.failing_since >= rule.after or facts.given_up
        return _fires(facts, others, now) if is_due else None
    return _goes_on(current, facts, others)


def _goes_on(current: Alert, facts: Facts, others: tuple[str, ...]) -> Verdict | None:
    if not current.channels and others:
        return Verdict(alert=replace(current, channels=others), reason=Reason.FIRST)
    if facts.given_up and current.channels:
        evidence = {**current.evidence, "given_up": current.evidence.get("given_up", 0) + len(facts.given_up)}
        grown = replace(current, transition=current.transition + 1, evidence=evidence)
        return Verdict(alert=grown, reason=Reason.UPDATE)
    return None


def _ended(current: Alert | None, because: str, now: datetime) -> Verdict | None:
    if current is None:
        return None
    over = closed(current, because=because, at=now)
    return Verdict(alert=over.alert, reason=over.reason)


def _fires(facts: Facts, others: tuple[str, ...], now: datetime, *, over: bool = False) -> Verdict:
    evidence = {"channel": facts.channel, "error": facts.error or "", "given_up": len(facts.given_up)}
    alert = Alert(
        kind=KIND,
        scope=scope_of(facts.channel),
        severity=Severity.WARNING,
        state=AlertState.RESOLVED if over else AlertState.FIRING,
        started_at=now if over or facts.failing_since is None else facts.failing_since,
        resolved_at=now if over else None,
        summary=_given_up(len(facts.given_up)) if over else "takes no messages",
        evidence=evidence,
        channels=others,
    )
    return Verdict(alert=alert, reason=Reason.FIRST if others else None)


def message_of(verdict: Verdict, facts: Facts, waiting: Sequence[Line], count: int, now: datetime) -> Message:
    """What the other channels are told; `waiting` are some of the `count` messages that wait for this one."""
    alert = verdict.alert
    is_over = alert.state is not AlertState.FIRING and verdict.reason is not Reason.FIRST
    tone = Tone.FIXED if is_over else Tone.WORSE
    what = alert.summary
    if alert.state is AlertState.FIRING and verdict.reason is Reason.UPDATE:
        what = _given_up(len(facts.given_up))
    elif alert.state is AlertState.FIRING and facts.failing_since is not None:
        what = f"has taken no messages for {duration(now - facts.failing_since)}"
    why = f": {facts.error}" if facts.error and not is_over else ""
    tables = [_table("Given up", facts.given_up, len(facts.given_up))]
    if not is_over:
        tables.append(_table("Waiting for it", waiting, count))
    return Message(
        tone=tone,
        headline=f"{SIGNS[tone]} buildwatch: the channel {facts.channel} {what}{why}",
        tables=tuple(table for table in tables if table.rows),
        notes=() if is_over else ("`buildwatch doctor` says more.",),
        thread=thread_of(alert),
        at=now,
    )


def _given_up(count: int) -> str:
    return f"did not take {plural(count, 'message')}, given up for good"


def _table(title: str, lines: Sequence[Line], count: int) -> Table:
    listed = lines[:_LISTED]
    rows = tuple((Cell(text=line.name, url=line.url), Cell(text=line.what)) for line in listed)
    return Table(title=title, rows=rows, more=max(count - len(listed), 0))
