"""`buildwatch alerts`: what is wrong, and who was told."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from alerts.policies.handled import acknowledged
from alerts.policies.silence import labels_of
from domain.alert import Alert, AlertKind, AlertState, Delivery, Notification, Severity
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened_to_read, present
from poller.cli.showing import BAD, DIM, GOOD, WARN, Cell, ago, iso, print_json, print_table, say
from store import alerts as stored_alerts
from store.alerts import AlertView

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

SUMMARIES = frozenset({AlertKind.BASELINE, AlertKind.DIGEST})
"""About no single place: their scope names the channel, or the digest."""

HEADERS = ("ID", "STATE", "SEVERITY", "KIND", "PIPELINE", "SINCE", "ENDED", "SUMMARY", "TOLD")
STYLES = {AlertState.FIRING: BAD, AlertState.RESOLVED: GOOD, AlertState.CLOSED: DIM}


@app.command()
def alerts(
    config: ConfigOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Also the newest that are over.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Alerts that fire, newest first, with every message about them."""
    now = present()
    with opened_to_read(load_configuration(config)) as database:
        found = database.read(lambda session: stored_alerts.listing(session, all=everything))
    if as_json:
        print_json([described(view) for view in found])
    elif found:
        print_table(HEADERS, [_row(view, now) for view in found])
    else:
        say("no alerts" if everything else "nothing is firing")


def described(view: AlertView) -> dict[str, Any]:
    """An alert as `alerts --json` shows it; the keys are a contract."""
    return {**summarized(view.alert), "notifications": [_notification(each) for each in view.notifications]}


def summarized(alert: Alert) -> dict[str, Any]:
    """An alert without its messages."""
    fires = alert.state is AlertState.FIRING
    handling = alert.handling
    return {
        "id": alert.id,
        "kind": alert.kind,
        "provider": alert.scope.provider,
        "pipeline": alert.scope.pipeline,
        "branch": (alert.scope.branch or None) if alert.kind not in SUMMARIES else None,
        "severity": alert.severity,
        "state": alert.state,
        "started_at": iso(alert.started_at),
        "resolved_at": iso(alert.resolved_at),
        "summary": alert.summary,
        "evidence": dict(alert.evidence),
        "channels": list(alert.channels),
        "acknowledged": handling["acknowledged"] if acknowledged(alert) else None,
        "silenced_by": handling.get("silenced_by") if fires else None,
        "hidden_by": handling.get("hidden_by") if fires else None,
        "escalated": list(handling.get("escalated", ())),
        "reminders": handling.get("reminders", 0),
    }


def place(alert: Alert) -> str:
    """`web / main`: where an alert is. That of a label value is the value, that of a channel its name."""
    if labels_of(alert.scope) or (alert.kind is AlertKind.DELIVERY_FAILED and alert.scope.branch):
        return alert.scope.branch or ""
    where = "-" if alert.kind in SUMMARIES else alert.scope.pipeline or alert.scope.provider
    branch = alert.scope.branch if alert.scope.pipeline else None
    return f"{where} / {branch}" if branch else where


def _notification(notification: Notification) -> dict[str, Any]:
    return {
        "id": notification.id,
        "channel": notification.channel,
        "reason": notification.reason,
        "state": notification.delivery,
        "attempts": notification.attempts,
        "created_at": iso(notification.created_at),
        "sent_at": iso(notification.sent_at),
        "last_error": notification.last_error,
    }


def _row(view: AlertView, now: datetime) -> list[Cell]:
    alert = view.alert
    summed_up = f"in the summary at first contact: {', '.join(alert.channels)}" if alert.channels else "nobody"
    return [
        str(alert.id),
        (", ".join([alert.state.value, *_handled(alert)]), STYLES[alert.state]),
        (alert.severity.value, WARN if alert.severity is Severity.CRITICAL else ""),
        alert.kind.value,
        place(alert),
        ago(alert.started_at, now),
        ago(alert.resolved_at, now) if alert.resolved_at else "-",
        alert.summary,
        "; ".join(map(_told, view.notifications)) or summed_up,
    ]


def _handled(alert: Alert) -> Iterator[str]:
    """What was done with an alert that fires, in a word each."""
    if alert.state is not AlertState.FIRING:
        return
    if acknowledged(alert):
        yield "acknowledged"
    if "silenced_by" in alert.handling:
        yield f"silenced by {alert.handling['silenced_by']}"
    if "hidden_by" in alert.handling:
        yield f"hidden by alert {alert.handling['hidden_by']}"


def _told(notification: Notification) -> str:
    if notification.delivery is Delivery.SENT:
        return f"{notification.channel}: {notification.reason}"
    problem = f" ({notification.last_error})" if notification.last_error else ""
    return f"{notification.channel}: {notification.reason} {notification.delivery}{problem}"
