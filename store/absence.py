"""What happened while nobody watched."""

from collections.abc import Sequence

from sqlalchemy import select

from domain.alert import Alert, AlertKind
from domain.window import Window
from store import alerts as stored
from store import windows
from store.database import Session
from store.schema import alerts

_OURS = (AlertKind.BASELINE, AlertKind.DIGEST, AlertKind.STARTED, AlertKind.CONFIGURATION_BROKEN)


def builds_ended(session: Session, window: Window) -> int:
    """How many builds that count ended in a window."""
    return sum(each.total - each.running for each in windows.by_pipeline(session, window).values())


def alerts_begun(session: Session, window: Window) -> Sequence[Alert]:
    """The alerts on pipelines and providers that began in a window and were told, oldest first."""
    query = select(alerts.c.id).where(
        alerts.c.started_at >= window.start, alerts.c.started_at < window.end, alerts.c.kind.not_in(_OURS)
    )
    found = stored.get(session, session.execute(query).scalars().all()).values()
    return sorted((alert for alert in found if alert.channels), key=lambda alert: (alert.started_at, alert.id or 0))
