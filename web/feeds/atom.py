"""Alerts as an Atom feed (RFC 4287)."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from domain.alert import Alert, AlertState
from domain.text import clean
from store.alerts import AlertView
from web.feeds.markup import element, escaped

MEDIA_TYPE = "application/atom+xml"
TITLE_LIMIT = 300
_NAMESPACE = uuid.UUID("8a0c6f1e-5d0b-4d53-9b0f-6c1f0b9a7e41")  # of these feeds, in every installation


def atom_feed(alerts: Sequence[AlertView], base: str, now: datetime) -> str:
    """The feed; `base` is our address with a slash at its end, `now` when it is empty the time of the feed."""
    entries = [_entry(view, base) for view in alerts]
    newest = max((updated(view) for view in alerts), default=now)
    head = (
        element("title", "buildwatch alerts")
        + element("id", escaped(f"urn:uuid:{uuid.uuid5(_NAMESPACE, base)}"))
        + element("updated", _time(newest))
        + element("link", rel="self", type="application/atom+xml", href=f"{base}feed.atom")
        + element("link", rel="alternate", type="text/html", href=f"{base}alerts")
        + element("author", element("name", "buildwatch"))
        + element("generator", "buildwatch")
    )
    body = element("feed", head + "".join(entries), xmlns="http://www.w3.org/2005/Atom")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def updated(view: AlertView) -> datetime:
    """When something was said about an alert last."""
    alert = view.alert
    said = [each.created_at for each in view.notifications]
    return max(alert.started_at, alert.resolved_at or alert.started_at, *said)


def _entry(view: AlertView, base: str) -> str:
    alert = view.alert
    scope = " ".join(part for part in (alert.scope.provider, alert.scope.pipeline, alert.scope.branch) if part)
    title = clean(f"{_STATES[alert.state]}: {alert.summary}", TITLE_LIMIT)
    return element(
        "entry",
        element("id", f"urn:uuid:{identity(alert)}")
        + element("title", escaped(title))
        + element("published", _time(alert.started_at))
        + element("updated", _time(updated(view)))
        + element("link", rel="alternate", type="text/html", href=f"{base}alerts#alert-{alert.id}")
        + element("category", term=alert.kind.value)
        + element("category", term=alert.severity.value)
        + element("content", escaped(f"{alert.summary}\n{scope}"), type="text"),
    )


def identity(alert: Alert) -> uuid.UUID:
    """Of its entry: stays the same as long as there is the alert, also when its pipeline is called something else."""
    return uuid.uuid5(_NAMESPACE, f"{alert.id} {alert.kind} {alert.started_at.isoformat()}")


_STATES = {AlertState.FIRING: "firing", AlertState.RESOLVED: "resolved", AlertState.CLOSED: "closed"}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
