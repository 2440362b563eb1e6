"""From an alert to the message about it, before any channel has given it a form.

All text is plain. Whatever came from a CI server stays text: each channel escapes it for its own format.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

from alerts.background import NOTHING_KNOWN, Background
from alerts.case import Case
from alerts.excerpt import excerpt
from alerts.facts import facts
from alerts.headline import headline
from alerts.links import links
from alerts.sections import sections
from alerts.wording import plural
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity
from domain.build import Build, Outcome, Pipeline, Status
from domain.message import SIGNS, Fact, Message, Tone

_BROKEN = frozenset({AlertKind.FAILURE, AlertKind.PROVIDER_UNREACHABLE})
_LISTED = 30  # pipelines that a summary names


def compose(
    alert: Alert,
    reason: Reason,
    *,
    pipeline: Pipeline | None = None,
    builds: Mapping[int, Build],
    now: datetime,
    zone: tzinfo,
    background: Background = NOTHING_KNOWN,
) -> Message:
    """The message about one transition of an alert.

    Args:
        alert: as it is now.
        reason: why it is spoken of.
        pipeline: the one in the alert's scope; None for an alert about a provider.
        builds: those named by `Decision.build_ids`, by their id; a missing one costs its facts only.
        now: aware UTC.
        zone: in which times are shown.
        background: what else is known.
    """
    case = Case(alert=alert, reason=reason, pipeline=pipeline, builds=builds, now=now, zone=zone, background=background)
    tone, told = _tone(alert), case.told
    return Message(
        tone=tone,
        headline=f"{SIGNS[tone]} {case.where} {headline(case)}",
        facts=facts(case),
        details=excerpt(told.log_excerpt or "") if told is not None and tone is Tone.BROKEN else None,
        tables=sections(case),
        links=links(case),
        thread=thread_of(alert),
        at=now,
    )


def thread_of(alert: Alert) -> str:
    """The same for all messages of one alert: what it is about and when it began. Short, without spaces."""
    about = hashlib.blake2s(alert.fingerprint.encode(errors="replace"), digest_size=8).hexdigest()
    return f"{alert.kind}-{about}-{round(alert.started_at.timestamp() * 1000)}"


def _tone(alert: Alert) -> Tone:
    if alert.state is AlertState.RESOLVED:
        return Tone.FIXED
    if alert.state is AlertState.CLOSED:
        return Tone.NOTE
    return Tone.BROKEN if alert.kind in _BROKEN else Tone.WORSE


def baseline_message(alerts: Sequence[Alert], pipelines: Mapping[str, Pipeline], now: datetime) -> Message:
    """The one summary of what was already wrong when we first looked; `pipelines` by key.

    Each of these alerts is told here for the first time, and gets its own message when it is over.
    """
    count = len({(alert.scope.provider, alert.scope.pipeline) for alert in alerts})
    ordered = sorted(alerts, key=lambda alert: (alert.scope.pipeline or "", alert.scope.branch or ""))
    listed = [_listed(alert, pipelines.get(alert.scope.pipeline or "")) for alert in ordered[:_LISTED]]
    if len(ordered) > _LISTED:
        listed.append(Fact(name="and", value=f"{len(ordered) - _LISTED} more"))
    what = "pipeline already needs" if count == 1 else "pipelines already need"
    return Message(
        tone=Tone.NOTE,
        headline=f"{SIGNS[Tone.NOTE]} {count} {what} attention at first contact; from now on only changes are told",
        facts=tuple(listed),
        thread=f"{AlertKind.BASELINE}-{round(now.timestamp() * 1000)}",
        at=now,
    )


def _listed(alert: Alert, pipeline: Pipeline | None) -> Fact:
    name = pipeline.name if pipeline is not None else alert.scope.pipeline or alert.scope.provider
    branch = f" / {alert.scope.branch}" if alert.scope.branch else ""
    return Fact(name=f"{name}{branch}", value=alert.summary, url=pipeline.url if pipeline is not None else None)


def sample_messages(now: datetime, zone: tzinfo = UTC) -> tuple[Message, Message]:
    """A firing and its resolved message in one thread, marked as a test: what `test-channel` sends."""
    failed, passed = _sample_build(2, Outcome.FAILURE, now), _sample_build(3, Outcome.SUCCESS, now)
    evidence = {
        "after": 1,
        "in_a_row": 2,
        "failures": 2,
        "first_failed": {"id": 1, "number": 811, "generation": 0},
        "last_failed": {"id": 2, "number": 812, "generation": 0},
        "last_passed": {"id": 0, "number": 810, "generation": 0},
    }
    firing = Alert(
        kind=AlertKind.FAILURE,
        scope=Scope(provider="sample", pipeline="sample/web", branch="main"),
        severity=Severity.CRITICAL,
        state=AlertState.FIRING,
        started_at=now - timedelta(hours=2, minutes=10),
        summary=f"{plural(2, 'failure')} in a row since #811",
        evidence=evidence,
    )
    fixed_by = {"id": 3, "number": 813, "generation": 0}
    resolved = replace(
        firing, state=AlertState.RESOLVED, resolved_at=now, transition=2, evidence=evidence | {"fixed_by": fixed_by}
    )
    builds = {2: failed, 3: passed}
    pipeline = failed.pipeline
    return (
        _marked(compose(firing, Reason.FIRST, pipeline=pipeline, builds=builds, now=now, zone=zone)),
        _marked(compose(resolved, Reason.RESOLVED, pipeline=pipeline, builds=builds, now=now, zone=zone)),
    )


def _sample_build(identity: int, outcome: Outcome, now: datetime) -> Build:
    failed = outcome is Outcome.FAILURE
    return Build(
        pipeline=Pipeline(provider="sample", key="sample/web", name="web", url="https://ci.example.com/web/"),
        external_id=str(identity),
        number=810 + identity,
        status=Status.FINISHED,
        outcome=outcome,
        branch="main",
        commit="0123456789abcdef0123456789abcdef01234567",
        title="Raise the memory limit",
        trigger="push",
        actor="ada",
        started_at=now - timedelta(minutes=6),
        finished_at=now - timedelta(minutes=1),
        url=f"https://ci.example.com/web/{810 + identity}/",
        failing_stage="Deploy" if failed else None,
        reason="Helm install failed" if failed else None,
        log_excerpt="Error: INSTALLATION FAILED: timed out waiting for the condition" if failed else None,
        id=identity,
    )


def _marked(message: Message) -> Message:
    """So that nobody takes it for real."""
    return replace(message, headline=f"{message.headline} (a test of this channel; nothing is wrong)")
