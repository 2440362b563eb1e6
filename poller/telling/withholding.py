"""What is saved and not told: what a silence covers, and failures on a stream that is flapping.

`Alert.handling` remembers what withholds an alert: `silenced_by` (the id of the silence) and `silenced_at`, or
`hidden_by` (the id of the flapping alert) and `hidden_at`; and `woken`, once it was told after all.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from alerts.policies.routing import Subject
from alerts.policies.silence import broken_by, covers, holds
from alerts.rules import FlappingRule
from domain.alert import Alert, AlertKind, AlertState, Scope
from domain.silence import Silence
from poller.telling.subject import subjects
from store import alerts, silences
from store.engine import Session

_KEYS = frozenset({"silenced_by", "silenced_at", "hidden_by", "hidden_at"})


def is_withheld(alert: Alert) -> bool:
    """Whether something keeps the alert, or what is new about it, from being told."""
    return not _KEYS.isdisjoint(alert.handling)


class Hush:
    """What keeps alerts from being told. Read when it is first asked for, and kept up to date."""

    def __init__(self, session: Session) -> None:
        """`session` has an open transaction, and nobody else tells anything in it."""
        self.session = session
        self._silences: list[Silence] | None = None
        self._flapping: dict[Scope, Alert] | None = None

    def withheld(
        self, alert: Alert, subject: Subject, now: datetime, *, flapping: FlappingRule | None, update: bool = False
    ) -> Alert | None:
        """The alert as it is when it must not be told, with the reason in its handling; None when it is told.

        `flapping` is the rule in force; None when that kind is switched off. `update` says that the alert has found
        something new since it fired: that ends some silences.
        """
        silence = self.silencing(subject, now, update=update)
        if silence is not None:
            return silenced(alert, silence, now)
        if flapping is None or alert.evidence.get("in_a_row", 1) >= flapping.break_through:
            return None
        hider = self.flapping_of(alert)
        if hider is None or not hider.channels:  # nobody knows of it: it would hide the failure from everybody
            return None
        return _because(alert, "hidden", hider.id, now)

    def silencing(self, subject: Subject, now: datetime, *, update: bool = False) -> Silence | None:
        """The silence that keeps a subject from being told. One that it breaks through is over."""
        for silence in self._unended():
            if not holds(silence, now) or not covers(silence, subject):
                continue
            because = broken_by(silence, subject, update=update)
            if because is None:
                return silence
            self._end(silence, because, now)
        return None

    def end_fixed(self, ended: Sequence[tuple[Subject, AlertState]], now: datetime) -> None:
        """Alerts have ended, and in which way: so do the silences until it is fixed that cover them, and no other."""
        waiting = [each for each in self._unended() if each.ends.fixed]
        over = [(silence, how) for silence in waiting if (how := _covered(silence, ended)) is not None]
        others = subjects(self.session, alerts.firing(self.session)) if over else []
        for silence, how in over:
            if not any(covers(silence, other) for other in others):
                self._end(silence, "fixed" if how is AlertState.RESOLVED else "what it covered was closed", now)

    def flapping_of(self, alert: Alert) -> Alert | None:
        """The flapping alert that fires on the stream of a failure."""
        if alert.kind is not AlertKind.FAILURE:
            return None
        if self._flapping is None:
            self._flapping = {each.scope: each for each in alerts.firing_of(self.session, [AlertKind.FLAPPING])}
        return self._flapping.get(alert.scope)

    def saved(self, alert: Alert) -> None:
        """An alert is stored as it is now."""
        if alert.kind is AlertKind.FLAPPING and self._flapping is not None:
            self._flapping.pop(alert.scope, None)
            if alert.state is AlertState.FIRING:
                self._flapping[alert.scope] = alert

    def _unended(self) -> list[Silence]:
        if self._silences is None:
            self._silences = silences.unended(self.session)
        return self._silences

    def _end(self, silence: Silence, because: str, now: datetime) -> None:
        silences.end(self.session, silence.id or 0, because, now)
        self._silences = None


def released(alert: Alert, now: datetime) -> Alert:
    """The alert as it is when nothing withholds it any more. It remembers what did."""
    handling = {key: value for key, value in alert.handling.items() if key not in _KEYS}
    for how, what in (("silenced", "silence"), ("hidden", "alert")):
        if f"{how}_by" in alert.handling:
            handling["woken"] = {what: alert.handling[f"{how}_by"], "at": now.isoformat()}
    return replace(alert, handling=handling)


def silenced(alert: Alert, silence: Silence, now: datetime) -> Alert:
    """The alert, withheld by a silence."""
    return _because(alert, "silenced", silence.id, now)


def _covered(silence: Silence, ended: Sequence[tuple[Subject, AlertState]]) -> AlertState | None:
    """How the last alert that a silence covers has ended; None when it covers none of them."""
    return next((state for subject, state in reversed(ended) if covers(silence, subject)), None)


def _because(alert: Alert, how: str, by: int | None, now: datetime) -> Alert:
    same = alert.handling.get(f"{how}_by") == by
    since: Any = alert.handling.get(f"{how}_at") if same else now.isoformat()
    handling = {key: value for key, value in alert.handling.items() if key not in _KEYS}
    return replace(alert, handling={**handling, f"{how}_by": by, f"{how}_at": since})
