"""Forget what is older than config.yaml wants, a little at a time, so that nobody waits for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import Select, Table, bindparam, delete, func, select, update

from domain.alert import AlertState, Delivery
from store import measurements, test_names
from store.changes import Kind, note, note_builds
from store.columns import from_ms, to_ms
from store.database import Database, Session
from store.errors import StoreFull
from store.maintenance import drop_ballast, keep_ballast
from store.schema import FINISHED, alerts, build_details, builds, outbox, quarantine
from store.schema import test_names as test_names_table
from store.test_reports import NO_CASES, totals_of

_CHUNK = 500  # log excerpts of 16 KiB: what one transaction writes has to fit in the ballast
_FOUND_AT_ONCE = 20_000
_QUARANTINE_KEPT = 1_000

Ids: TypeAlias = Select[int]
"""A query for row numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long things are kept: `store.keep` in config.yaml."""

    builds: timedelta = timedelta(days=400)  # ended alerts and their messages too
    logs: timedelta = timedelta(days=30)  # log excerpts and the cases of test reports


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows went."""

    builds: int = 0
    logs: int = 0
    alerts: int = 0
    quarantined: int = 0
    tests: int = 0  # names of tests that no build has any more


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
    build_horizon, log_horizon = to_ms(now - keep.builds), to_ms(now - keep.logs)
    logs = _forget(database, _old_logs(log_horizon), _empty_details)  # first: that makes the most room
    gone = _forget(database, _old_builds(build_horizon), _delete_builds)
    if gone:
        database.transact(measurements.forget_names)
    return Pruned(
        logs=logs,
        builds=gone,
        tests=_forget(database, test_names.unused(build_horizon), _delete_from(test_names_table)),
        alerts=_forget(database, _old_alerts(now - keep.builds), _delete_alerts),
        quarantined=_forget(database, _old_quarantine(), _delete_from(quarantine)),
    )


def _forget(database: Database, old: Ids, remove: Callable[[Session, Sequence[int]], None]) -> int:
    """Look for old rows without holding up writers, then remove them a few at a time."""
    total = 0
    while found := database.read(lambda session: session.execute(old.limit(_FOUND_AT_ONCE)).scalars().all()):
        for start in range(0, len(found), _CHUNK):
            chunk = found[start : start + _CHUNK]
            database.transact(lambda session, chunk=chunk: remove(session, chunk))  # type: ignore[misc]
        total += len(found)
    return total


def _old_builds(before: int) -> Ids:
    ended = func.coalesce(builds.c.finished_at, builds.c.started_at, builds.c.queued_at, 0)
    return select(builds.c.id).where(ended < before, builds.c.status == FINISHED).order_by(builds.c.id)


def _old_logs(before: int) -> Ids:
    tests = build_details.c.tests
    filled = build_details.c.log_excerpt.is_not(None) | tests.is_not(None) & ~tests.startswith(
        NO_CASES, autoescape=True
    )
    owners = builds.c.id == build_details.c.build_id
    return select(build_details.c.build_id).join(builds, owners).where(filled, builds.c.finished_at < before)


def _old_alerts(before: datetime) -> Ids:
    unsent = select(outbox.c.alert_id).where(outbox.c.delivery.in_([Delivery.PENDING, Delivery.SENDING]))
    ended = alerts.c.state != AlertState.FIRING
    return select(alerts.c.id).where(ended, alerts.c.resolved_at < before, alerts.c.id.not_in(unsent))


def _old_quarantine() -> Ids:
    newest_first = quarantine.c.last_seen_at.desc(), quarantine.c.id.desc()
    return select(quarantine.c.id).order_by(*newest_first).offset(_QUARANTINE_KEPT)


def _delete_from(table: Table) -> Callable[[Session, Sequence[int]], None]:
    def remove(session: Session, ids: Sequence[int]) -> None:
        session.execute(delete(table).where(table.c.id.in_(ids)))

    return remove


def _delete_builds(session: Session, ids: Sequence[int]) -> None:
    note_builds(session, ids)
    _delete_from(builds)(session, ids)


def _delete_alerts(session: Session, ids: Sequence[int]) -> None:
    session.execute(delete(outbox).where(outbox.c.alert_id.in_(ids)))
    session.execute(delete(alerts).where(alerts.c.id.in_(ids)))
    note(session, Kind.ALERT, ids=ids)


def _empty_details(session: Session, ids: Sequence[int]) -> None:
    """The totals of tests stay: they are figures, and have a history as long as that of the builds."""
    note_builds(session, ids)
    stored = select(build_details.c.build_id, build_details.c.tests).where(build_details.c.build_id.in_(ids))
    totals = [
        {"which": row.build_id, "totals": None if row.tests is None else totals_of(row.tests)}
        for row in session.execute(stored)
    ]
    rows = update(build_details).where(build_details.c.build_id == bindparam("which"))
    session.execute(rows.values(log_excerpt=None, tests=bindparam("totals")), totals)
    note_builds(session, ids)
