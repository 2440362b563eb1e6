"""Alerts as people look through them: newest first, a page at a time, or those of one pipeline."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import or_, select

from domain.alert import Alert, AlertKind, AlertState, Severity
from store import alerts as stored
from store import outbox
from store.alerts import AlertView
from store.among import among
from store.database import Session
from store.schema import alerts


def page(
    session: Session,
    *,
    limit: int,
    before: int | None = None,
    states: Collection[AlertState] = (),
    kinds: Collection[AlertKind] = (),
    severities: Collection[Severity] = (),
    provider: str | None = None,
    pipelines: Sequence[str] | None = None,
) -> list[AlertView]:
    """Alerts with their messages, newest first; those with an id below `before`. Empty collections: any.

    `pipelines` are keys; None: any, and those of no pipeline.
    """
    query = select(alerts.c.id).order_by(alerts.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(alerts.c.id < before)
    for column, some in ((alerts.c.state, states), (alerts.c.kind, kinds), (alerts.c.severity, severities)):
        if some:
            query = query.where(column.in_(list(some)))
    if provider is not None:
        query = query.where(alerts.c.provider == provider)
    if pipelines is not None:
        query = query.where(among(session, alerts.c.pipeline, pipelines))
    return views(session, list(session.execute(query).scalars()))


def views(session: Session, ids: Sequence[int]) -> list[AlertView]:
    """These alerts with their messages, in this order."""
    found = stored.get(session, ids)
    told = outbox.of_alerts(session, [each for each in ids if each in found])
    return [AlertView(alert=found[each], notifications=tuple(told.get(each, ()))) for each in ids if each in found]


def of_pipeline(session: Session, provider: str, key: str, since: datetime, *, limit: int = 200) -> list[Alert]:
    """The alerts of a pipeline that fire, or have ended since then: the newest, oldest first."""
    query = (
        select(alerts.c.id)
        .where(alerts.c.provider == provider, alerts.c.pipeline == key)
        .where(or_(alerts.c.state == AlertState.FIRING, alerts.c.resolved_at >= since))
        .order_by(alerts.c.id.desc())
        .limit(limit)
    )
    return list(stored.get(session, session.execute(query).scalars()).values())
