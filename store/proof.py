"""What explains a build: its attempts, every alert around it, and the messages that went out together."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import and_, or_, select

from domain.alert import Alert, AlertKind, Notification, Scope
from domain.build import Build
from store import alerts as stored_alerts
from store import outbox as stored_outbox
from store import pipelines as registry
from store.among import among
from store.builds import BuildView, get
from store.columns import to_ms
from store.database import Session
from store.schema import FAILED, SETTLED, UNFINISHED, alerts, builds, outbox


def attempts_of_build(session: Session, build: Build) -> list[BuildView]:
    """All attempts of the build that this is one of, oldest first."""
    key = build.pipeline.provider, build.pipeline.key
    owner = registry.find(session, [key]).get(key)
    if owner is None:
        return []
    query = select(builds.c.id).where(builds.c.pipeline_id == owner.id, builds.c.external_id == build.external_id)
    views = get(session, session.execute(query).scalars().all()).values()
    return sorted(views, key=lambda view: view.build.attempt)


def of_number(session: Session, pipeline_ids: Collection[int], numbers: Iterable[int]) -> list[BuildView]:
    """The builds with one of these numbers in these pipelines, by id."""
    query = select(builds.c.id).where(builds.c.pipeline_id.in_(list(pipeline_ids)), builds.c.number.in_(list(numbers)))
    return list(get(session, session.execute(query).scalars().all()).values())


def of_external_id(session: Session, pipeline_ids: Collection[int], external_ids: Iterable[str]) -> list[BuildView]:
    """The builds which their provider calls so, in these pipelines, by id."""
    query = select(builds.c.id).where(
        builds.c.pipeline_id.in_(list(pipeline_ids)), builds.c.external_id.in_(list(external_ids))
    )
    return list(get(session, session.execute(query).scalars().all()).values())


def alerts_of_scope(session: Session, scope: Scope) -> list[Alert]:
    """Every alert of exactly this scope that is kept, by id."""
    ours = and_(
        alerts.c.provider == scope.provider,
        alerts.c.pipeline.is_not_distinct_from(scope.pipeline),
        alerts.c.branch.is_not_distinct_from(scope.branch),
    )
    ids = session.execute(select(alerts.c.id).where(ours)).scalars().all()
    return [each for _, each in sorted(stored_alerts.get(session, ids).items())]


def summaries(session: Session) -> list[Alert]:
    """The summaries at first contact, by id; their evidence names the alerts that they tell of."""
    ids = session.execute(select(alerts.c.id).where(alerts.c.kind == AlertKind.BASELINE)).scalars().all()
    return [each for _, each in sorted(stored_alerts.get(session, ids).items())]


def sent_together(session: Session, batches: Collection[int]) -> dict[int, set[int]]:
    """By the id of the leading row: the alerts of the rows that went out as one message."""
    found: dict[int, set[int]] = {}
    query = select(outbox.c.batch, outbox.c.alert_id).where(among(session, outbox.c.batch, batches))
    for batch, alert_id in session.execute(query):
        found.setdefault(batch, set()).add(alert_id)
    return found


def failures_since(session: Session, *, after_id: int, ids: Sequence[int], since: datetime) -> list[int]:
    """Ids of failed builds that count, on any stream: newer than `after_id`, among `ids`, or ended `since` then."""
    failed = and_(SETTLED, builds.c.verdict == FAILED)
    recent = and_(
        builds.c.pipeline_id.in_([each.id for each in registry.all(session)]), builds.c.finished_at >= to_ms(since)
    )
    found: set[int] = set()
    for condition in (builds.c.id > after_id, among(session, builds.c.id, ids), recent):
        found.update(session.execute(select(builds.c.id).where(failed, condition)).scalars())
    return sorted(found)


def unfinished(session: Session) -> list[int]:
    """Ids of the builds that have not ended."""
    return list(session.execute(select(builds.c.id).where(UNFINISHED).order_by(builds.c.id)).scalars())


def newest_build(session: Session) -> int:
    """The highest id of all builds, 0 without any."""
    return session.execute(select(builds.c.id).order_by(builds.c.id.desc()).limit(1)).scalar() or 0


def written_since(session: Session, start: datetime) -> list[tuple[Alert, Notification]]:
    """The messages written at `start` or later with their alerts, oldest first."""
    query = select(outbox.c.alert_id).where(outbox.c.created_at >= start).distinct()
    ids = session.execute(query).scalars().all()
    owners = stored_alerts.get(session, ids)
    rows = [
        (owners[alert_id], notification)
        for alert_id, its in stored_outbox.of_alerts(session, ids).items()
        for notification in its
        if notification.created_at >= start
    ]
    return sorted(rows, key=lambda row: row[1].id or 0)


def acknowledged_alerts(session: Session, since: datetime) -> list[Alert]:
    """Alerts that fired at `since` or later and carry an acknowledgement, by id."""
    lasting = or_(alerts.c.resolved_at.is_(None), alerts.c.resolved_at >= since)
    ids = session.execute(select(alerts.c.id).where(lasting)).scalars().all()
    found = sorted(stored_alerts.get(session, ids).items())
    return [each for _, each in found if each.handling.get("acknowledged")]


def firing_at(session: Session, moment: datetime) -> list[Alert]:
    """Alerts that fired then, whatever became of them, by id."""
    lasting = or_(alerts.c.resolved_at.is_(None), alerts.c.resolved_at > moment)
    ids = session.execute(select(alerts.c.id).where(alerts.c.started_at <= moment, lasting)).scalars().all()
    return [each for _, each in sorted(stored_alerts.get(session, ids).items())]
