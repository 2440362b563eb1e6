"""Alerts and silences, with what pages show beside them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from alerts.policies.handled import acknowledged, acknowledgement, notes
from alerts.policies.silence import conditions, holds, labels_of, until
from domain.alert import Alert, AlertKind, AlertState
from domain.build import Build
from domain.silence import Silence
from store import alert_pages, alerts, builds, pipelines, silences
from store.builds import BuildView
from store.changes import Kind
from store.engine import Session
from store.pipelines import Known
from web.dashboard.messages import Line, of_notifications
from web.reading.remembered import Remembered

WORDS = {
    AlertKind.FAILURE: "failing",
    AlertKind.SUCCESS_RATE_DROP: "success rate dropped",
    AlertKind.SUCCESS_RATE_BELOW: "success rate too low",
    AlertKind.PROVIDER_UNREACHABLE: "unreachable",
    AlertKind.PIPELINE_MISSING: "missing",
    AlertKind.CONFIGURATION_BROKEN: "configuration broken",
    AlertKind.BASELINE: "summary at first contact",
    AlertKind.WINDOW_REGRESSION: "worse than usual",
    AlertKind.DURATION: "slower",
    AlertKind.STALE: "no builds",
    AlertKind.STUCK: "stuck",
    AlertKind.FLAPPING: "flapping",
    AlertKind.NO_VERDICT: "no verdicts",
    AlertKind.DELIVERY_FAILED: "messages not delivered",
    AlertKind.DIGEST: "digest",
    AlertKind.TEST_REGRESSION: "tests failing",
    AlertKind.STARTED: "buildwatch was away",
}
_RED = frozenset(
    {AlertKind.FAILURE, AlertKind.PROVIDER_UNREACHABLE, AlertKind.PIPELINE_MISSING, AlertKind.TEST_REGRESSION}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An alert, ready to be shown."""

    alert: Alert
    known: Known | None
    build: Build | None  # the newest that it fires for
    acknowledged_by: str | None
    silence: Silence | None  # that keeps it from being told
    said: Sequence[Line] = ()

    @property
    def where(self) -> str:
        """What it is about, in the words of people."""
        scope = self.alert.scope
        if labels_of(scope):
            return scope.branch or scope.provider
        if self.known is not None:
            return self.known.pipeline.name
        return scope.pipeline or scope.branch or scope.provider

    @property
    def branch(self) -> str | None:
        """The branch, where it is about one."""
        scope = self.alert.scope
        return None if scope.pipeline is None or not scope.branch else scope.branch

    @property
    def word(self) -> str:
        """What is wrong, in a word or two."""
        return WORDS[self.alert.kind]

    @property
    def tone(self) -> str:
        """How it is coloured."""
        if self.alert.state is not AlertState.FIRING:
            return "good" if self.alert.state is AlertState.RESOLVED else "neutral"
        if self.acknowledged_by or self.silence:
            return "muted"
        return "bad" if self.alert.kind in _RED else "warn"

    @property
    def notes(self) -> list[str]:
        """What people and policies did with it."""
        return list(notes(self.alert))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSilence:
    """A silence, in words."""

    silence: Silence
    about: str
    until: str
    holds: bool


def firing(session: Session, remembered: Remembered, now: datetime) -> list[Shown]:
    """What is wrong now, the worst first: what nobody has acknowledged, then by kind, the newest first."""
    some = remembered.firing(session)
    views = remembered.builds(session, _builds(some))
    hushed = remembered.value(
        session, "hushed", {Kind.ALERT, Kind.SILENCE}, lambda session: silences.get(session, _silences(some))
    )
    shown = _put_together(some, remembered.pipelines_by_key(session), views, hushed, now)
    order = {"bad": 0, "warn": 1, "muted": 2}
    return sorted(shown, key=lambda each: (order.get(each.tone, 3), -each.alert.started_at.timestamp()))


def ended(session: Session, now: datetime, limit: int) -> list[Shown]:
    """The newest that are over, newest first."""
    views = [each for each in alerts.listing(session, all=True, limit=limit * 2) if _is_over(each.alert)]
    return _shown(session, [each.alert for each in views][:limit], now)


def one(session: Session, identity: int, now: datetime) -> Shown | None:
    """An alert by its number, with what was said about it."""
    found = alert_pages.views(session, [identity])
    if not found:
        return None
    [shown] = _shown(session, [found[0].alert], now)
    return replace(shown, said=of_notifications(found[0].notifications))


def all_silences(session: Session, now: datetime, zone: tzinfo, limit: int) -> list[ShownSilence]:
    """Those that hold first, then those that are over."""
    found = [
        ShownSilence(silence=each, about=conditions(each), until=until(each, zone), holds=holds(each, now))
        for each in silences.listing(session, limit=limit)
    ]
    return sorted(found, key=lambda each: not each.holds)


def _is_over(alert: Alert) -> bool:
    said_once = {AlertKind.DIGEST, AlertKind.STARTED, AlertKind.BASELINE}
    return alert.state is not AlertState.FIRING and alert.kind not in said_once


def _shown(session: Session, some: Sequence[Alert], now: datetime) -> list[Shown]:
    known = pipelines.find(session, [(each.scope.provider, each.scope.pipeline or "") for each in some])
    views, hushed = builds.get(session, _builds(some)), silences.get(session, _silences(some))
    return _put_together(some, known, views, hushed, now)


def _put_together(
    some: Sequence[Alert],
    known: Mapping[pipelines.Key, Known],
    views: Mapping[int, BuildView],
    hushed: Mapping[int, Silence],
    now: datetime,
) -> list[Shown]:
    return [
        _one(each, known.get((each.scope.provider, each.scope.pipeline or "")), views, hushed, now) for each in some
    ]


def _one(
    alert: Alert, known: Known | None, views: Mapping[int, BuildView], hushed: Mapping[int, Silence], now: datetime
) -> Shown:
    view = views.get(_build(alert) or 0)
    silence = hushed.get(alert.handling.get("silenced_by", 0))
    return Shown(
        alert=alert,
        known=known,
        build=view.build if view is not None else None,
        acknowledged_by=acknowledgement(alert) if acknowledged(alert) else None,
        silence=silence if silence is not None and holds(silence, now) else None,
    )


def _builds(some: Iterable[Alert]) -> list[int]:
    return [number for each in some if (number := _build(each)) is not None]


def _silences(some: Iterable[Alert]) -> list[int]:
    return [each.handling["silenced_by"] for each in some if "silenced_by" in each.handling]


def _build(alert: Alert) -> int | None:
    named = alert.evidence.get("last_failed") or alert.evidence.get("fired_by")
    return named["id"] if named else None
