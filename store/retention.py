"""Forget what is older than config.yaml wants, a little at a time, so that nobody waits for it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, Table, delete, func, select

from domain.alert import AlertState, Delivery
from store.columns import from_ms, to_ms
from store.database import Database, Session
from store.errors import StoreFull
from store.maintenance import drop_ballast, keep_ballast
from store.schema import FINISHED, alerts, build_details, builds, outbox, quarantine

_CHUNK = 500  # log excerpts of 16 KiB: what one transaction writes has to fit in the ballast
_QUARANTINE_KEPT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long things are kept: `store.keep` in config.yaml."""

    builds: timedelta = timedelta(days=400)  # ended alerts and their messages too
    logs: timedelta = timedelta(days=30)  # log excerpts and test reports


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows went."""

    builds: int = 0
    logs: int = 0
    alerts: int = 0
    quarantined: int = 0


def prune(database: Database, keep: Keep, now: datetime) -> Pruned:
    """Delete what is too old, in transactions of a few thousand rows.

    Firing alerts stay whatever their age, and unsent messages. On a full disk the ballast is given up first and
    restored afterwards: a deletion needs room in the write-ahead log.
    """
    try:
        return _prune(database, keep, now)
    except StoreFull:
        drop_ballast(database)
        return _prune(database, keep, now)
    finally:
        keep_ballast(database)


def newest(session: Session) -> datetime | None:
    """When the last build of all finished; None without builds."""
    found: int | None = session.execute(select(func.max(builds.c.finished_at))).scalar()
    return None if found is None else from_ms(found)


def _prune(database: Database, keep: Keep, now: datetime) -> Pruned:
    oldest_build, oldest_log = to_ms(now - keep.builds), to_ms(now - keep.logs)
    return Pruned(
        logs=_repeat(database, lambda session: _forget_logs(session, oldest_log)),
        builds=_repeat(database, lambda session: _forget(session, builds, _old_builds(oldest_build))),
        alerts=_repeat(database, lambda session: _forget_alerts(session, now - keep.builds)),
        quarantined=_repeat(database, lambda session: _forget(session, quarantine, _old_quarantine())),
    )


def _repeat(database: Database, some: Callable[[Session], int]) -> int:
    total = 0
    while count := database.transact(some):
        total += count
    return total


def _forget(session: Session, table: Table, old: Select[*tuple[Any, ...]]) -> int:
    found = session.execute(old.limit(_CHUNK)).scalars().all()
    if found:
        session.execute(delete(table).where(table.c.id.in_(found)))
    return len(found)


def _old_builds(before: int) -> Select[*tuple[Any, ...]]:
    ended = func.coalesce(builds.c.finished_at, builds.c.started_at, builds.c.queued_at, 0)
    return select(builds.c.id).where(ended < before, builds.c.status == FINISHED).order_by(builds.c.id)


def _old_quarantine() -> Select[*tuple[Any, ...]]:
    newest_first = quarantine.c.last_seen_at.desc(), quarantine.c.id.desc()
    kept = select(quarantine.c.id).order_by(*newest_first).limit(_QUARANTINE_KEPT)
    return select(quarantine.c.id).where(quarantine.c.id.not_in(kept))


def _forget_logs(session: Session, before: int) -> int:
    old = (
        select(build_details.c.build_id)
        .join(builds, builds.c.id == build_details.c.build_id)
        .where(
            builds.c.finished_at < before, build_details.c.log_excerpt.is_not(None) | build_details.c.tests.is_not(None)
        )
    )
    found = session.execute(old.limit(_CHUNK)).scalars().all()
    if found:
        gone = build_details.update().where(build_details.c.build_id.in_(found))
        session.execute(gone.values(log_excerpt=None, tests=None))
    return len(found)


def _forget_alerts(session: Session, before: datetime) -> int:
    unsent = select(outbox.c.alert_id).where(outbox.c.delivery.in_([Delivery.PENDING, Delivery.SENDING]))
    old = select(alerts.c.id).where(
        alerts.c.state != AlertState.FIRING, alerts.c.resolved_at < before, alerts.c.id.not_in(unsent)
    )
    found = session.execute(old.limit(_CHUNK)).scalars().all()
    if found:
        session.execute(delete(outbox).where(outbox.c.alert_id.in_(found)))
        session.execute(delete(alerts).where(alerts.c.id.in_(found)))
    return len(found)
