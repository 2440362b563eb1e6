"""From an alert to the message about it, before any channel has given it a form.

All text is plain. Whatever came from a CI server stays text: each channel escapes it for its own format.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

from alerts.writing.background import NOTHING_KNOWN, Background
from alerts.writing.case import Case
from alerts.writing.excerpt import excerpt
from alerts.writing.facts import facts
from alerts.writing.headline import headline
from alerts.writing.links import links
from alerts.writing.sections import sections
from domain.alert import Alert, AlertKind, AlertState, Reason
from domain.build import Build, Pipeline
from domain.message import SIGNS, Cell, Message, Table, Tone

_BROKEN = frozenset({AlertKind.FAILURE, AlertKind.PROVIDER_UNREACHABLE, AlertKind.TEST_REGRESSION})
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
    tone = _tone(alert)
    return Message(
        tone=tone,
        headline=f"{SIGNS[tone]} {case.where} {headline(case)}",
        facts=facts(case),
        details=_details(case, tone),
        tables=sections(case) if tone is Tone.BROKEN else (),
        links=links(case),
        thread=thread_of(alert),
        at=now,
    )


def _details(case: Case, tone: Tone) -> str | None:
    """The log of what broke; what is wrong with config.yaml."""
    if case.alert.kind is AlertKind.CONFIGURATION_BROKEN and not case.over:
        problems: str | None = case.evidence.get("problems")
        return problems
    told = case.told
    return excerpt(told.log_excerpt or "") if told is not None and tone is Tone.BROKEN else None


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
    what = "pipeline already needs" if count == 1 else "pipelines already need"
    return Message(
        tone=Tone.NOTE,
        headline=f"{SIGNS[Tone.NOTE]} {count} {what} attention at first contact; from now on only changes are told",
        tables=(
            Table(
                title="As it is now",
                rows=tuple(_listed(alert, pipelines.get(alert.scope.pipeline or "")) for alert in ordered[:_LISTED]),
                more=max(len(ordered) - _LISTED, 0),
            ),
        ),
        thread=f"{AlertKind.BASELINE}-{round(now.timestamp() * 1000)}",
        at=now,
    )


def _listed(alert: Alert, pipeline: Pipeline | None) -> tuple[Cell, ...]:
    name = pipeline.name if pipeline is not None else alert.scope.pipeline or alert.scope.provider
    branch = f" / {alert.scope.branch}" if alert.scope.branch else ""
    url = pipeline.url if pipeline is not None else None
    return Cell(text=f"{name}{branch}", tone=_tone(alert), url=url), Cell(text=alert.summary)
