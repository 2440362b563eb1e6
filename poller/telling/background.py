"""What a message says beside its builds: how long they usually take, what was seen before, who changed what."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median

from alerts.decision import Decision
from alerts.wording import shortened
from alerts.writing.background import Background
from domain.alert import Alert, AlertKind, AlertState, Scope
from domain.build import Build
from domain.details import Changes
from domain.testreport import TestReport
from parsers.signatures import signature
from poller.config import Configuration
from poller.telling.commonalities import what_failures_share
from poller.telling.subject import wrong_number
from store import builds, details, streams, tests
from store.details import Findings
from store.engine import Session

_STORM = 20  # failures told at once of which nobody wants to know more: they are gathered, and listed by name
_USUAL, _ENOUGH = 30, 5  # builds that passed of which the median is taken, at most and at least
_ABOUT_BUILDS = frozenset({AlertKind.FAILURE, AlertKind.TEST_REGRESSION})
_WEEK = timedelta(days=7)
_LINE = 500  # characters of what a test fails with


def backgrounds(
    session: Session, told: Sequence[Decision], configuration: Configuration, now: datetime
) -> Mapping[str, Background]:
    """By the fingerprints of failures that go on. Not asked in a storm, where nobody would see it."""
    failing = [one.alert for one in told if _shows_a_failure(one)]
    if not failing or len(failing) > _STORM:
        return {}
    usual = _usual_durations(session, [alert.scope for alert in failing])
    named = {number for alert in failing for number in (wrong_number(alert), _first(alert)) if number is not None}
    found = details.get(session, named)
    buckets = {each.bucket for each in found.values() if each.bucket is not None}
    seen = details.seen(session, buckets, now - _WEEK) if buckets else {}
    wrong = [number for alert in failing if (number := wrong_number(alert)) is not None]
    before = tests.failing_before_each(session, wrong)
    looked_at = {number: view.build for number, view in builds.get(session, wrong).items()}
    reports = {number: build.tests for number, build in looked_at.items()}
    hints = {number: _hints(session, build, now) for number, build in looked_at.items()}
    return {
        alert.fingerprint: replace(
            _background(alert, found, seen, configuration),
            usual_duration=usual.get(alert.scope),
            failing_before=before.get(wrong_number(alert) or 0),
            errors=_errors(reports.get(wrong_number(alert) or 0)),
            hints=hints.get(wrong_number(alert) or 0, ()),
        )
        for alert in failing
    }


def _shows_a_failure(one: Decision) -> bool:
    alert = one.alert
    return one.reason is not None and alert.kind in _ABOUT_BUILDS and alert.state is AlertState.FIRING


def _background(
    alert: Alert,
    found: Mapping[int, Findings],
    seen: Mapping[str, int],
    configuration: Configuration,
) -> Background:
    wrong = found.get(wrong_number(alert) or 0, Findings())
    suspects = configuration.suspects
    return Background(
        bucket_class=wrong.bucket_class,
        seen_in_7_days=seen.get(wrong.bucket) if wrong.bucket is not None else None,
        changes=None if suspects.show == "off" else _changes(alert, found),
        mentions=suspects.people if suspects.show == "mention" else {},
        log_url=_log_url(wrong),
    )


def _changes(alert: Alert, found: Mapping[int, Findings]) -> Changes | None:
    """Those that came in before the first failure in a row: what came later did not break it."""
    first = found.get(_first(alert) or 0, Findings())
    return first.changes or found.get(wrong_number(alert) or 0, Findings()).changes


def _first(alert: Alert) -> int | None:
    named = alert.evidence.get("first_failed")
    return named["id"] if named else None


def _log_url(found: Findings) -> str | None:
    """The page of the stage or job that failed."""
    return next((each.url for each in found.stages if each.url and each.name == found.failing_stage), None)


def _errors(report: TestReport | None) -> tuple[tuple[str, int], ...]:
    """What the tests of a build fail with, folded to what they share."""
    failing = report.failing if report is not None else ()
    texts = (signature(first) for each in failing if (first := shortened(each.message, _LINE)))
    return tuple(Counter(text for text in texts if text is not None).most_common())


def _hints(session: Session, build: Build, now: datetime) -> tuple[str, ...]:
    """What the failures of late have in common with this one."""
    shared = what_failures_share(session, build, now)
    return (shared.text,) if shared is not None else ()


def _usual_durations(session: Session, scopes: Collection[Scope]) -> Mapping[Scope, timedelta]:
    """How long the builds usually take of which one has failed now: the median of those that passed before."""
    places = {(scope.provider, scope.pipeline or "", scope.branch or ""): scope for scope in scopes}
    found: dict[Scope, timedelta] = {}
    for place, past in streams.pasts(session, places, limit=2 * _USUAL).items():
        took = [each.execution for each in past.passed(_USUAL) if each.execution is not None]
        if len(took) >= _ENOUGH:
            found[places[place]] = timedelta(seconds=median(took))
    return found
