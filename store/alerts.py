"""Alerts as they stand, and those that ended."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, insert, select, update

from domain.alert import Alert, AlertKind, AlertState, Notification, Scope
from store import changes, outbox
from store.among import among, each
from store.changes import Kind
from store.database import Session
from store.schema import alerts

_ENDED_KEPT_IN_SIGHT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """An alert and what was said about it, oldest message first."""

    alert: Alert
    notifications: tuple[Notification, ...]


def of_scope(session: Session, scope: Scope) -> list[Alert]:
    """What a decision about exactly this scope has to know: all firing alerts and the newest ended ones, by id."""
    place = {"provider": scope.provider, "pipeline": scope.pipeline, "branch": scope.branch}
    rows = [*session.execute(_FIRING_THERE, place), *session.execute(_ENDED_THERE, place)]
    return [_from_row(row) for row in sorted(rows, key=lambda row: int(row.id))]


def of_streams(session: Session, scopes: Iterable[Scope]) -> dict[Scope, list[Alert]]:
    """What `of_scope` says, for many streams at once: their scopes have a pipeline and a branch."""
    found: dict[Scope, list[Alert]] = {scope: [] for scope in scopes}
    if not found:
        return found
    given, values = each(session, [(one.provider, one.pipeline, one.branch) for one in found], *3 * ["text"])
    ids = [row[0] for row in session.exec_driver_sql(_OF_STREAMS.format(given=given), values)]
    for alert in get(session, ids).values() if ids else ():
        found[alert.scope].append(alert)
    return found


# Asked for every build that is judged: put together once, because that costs more than running them.
_THERE = and_(
    alerts.c.provider == bindparam("provider"),
    alerts.c.pipeline.is_not_distinct_from(bindparam("pipeline")),
    alerts.c.branch.is_not_distinct_from(bindparam("branch")),
)
_FIRING_THERE = select(alerts).where(_THERE, alerts.c.state == AlertState.FIRING)
_ENDED_THERE = (
    select(alerts)
    .where(_THERE, alerts.c.state != AlertState.FIRING)
    .order_by(alerts.c.id.desc())
    .limit(_ENDED_KEPT_IN_SIGHT)
)
_OF_STREAMS = f"""SELECT id FROM (
    SELECT a.id, a.state, row_number() OVER (
        PARTITION BY a.provider, a.pipeline, a.branch, a.state = 0 ORDER BY a.id DESC) AS place
    FROM {{given}} CROSS JOIN alerts a WHERE a.provider = k.a AND a.pipeline = k.b AND a.branch = k.c
    ) theirs WHERE state = 0 OR place <= {_ENDED_KEPT_IN_SIGHT}"""  # noqa: S608  (no values)


def save(session: Session, alert: Alert, *, untold: bool = False) -> Alert:
    """Insert an alert without id, update one with; return it with its id.

    `untold` marks what was found already broken at first contact: `untold_baseline` lists it until
    `mark_baseline_told`. A second firing alert with the same fingerprint is an IntegrityError: the caller
    decides on what `of_scope` returned in the same transaction.
    """
    values = _values(alert)
    if alert.id is not None:
        session.execute(_UPDATE, {**values, "alert_id": alert.id})
        changes.note(session, Kind.ALERT, ids=[alert.id])
        return alert
    identity: int = session.execute(_INSERT, {**values, "untold": untold}).scalar_one()
    changes.note(session, Kind.ALERT, ids=[identity])
    return replace(alert, id=identity)


_INSERT = insert(alerts).returning(alerts.c.id)
_UPDATE = update(alerts).where(alerts.c.id == bindparam("alert_id"))


def rename(session: Session, provider: str, old: str, new: str) -> None:
    """The pipeline with the key `old` is called `new` now: its alerts go on under that name."""
    for row in _all(session, and_(alerts.c.provider == provider, alerts.c.pipeline == old)):
        alert = _from_row(row)
        save(session, replace(alert, scope=replace(alert.scope, pipeline=new)))


def get(session: Session, ids: Iterable[int]) -> dict[int, Alert]:
    """The alerts with these ids, those that exist."""
    return {row.id: _from_row(row) for row in _all(session, among(session, alerts.c.id, list(ids)))}


def firing(session: Session) -> list[Alert]:
    """All firing alerts, by id."""
    return [_from_row(row) for row in _all(session, alerts.c.state == AlertState.FIRING)]


def firing_of(session: Session, kinds: Collection[AlertKind]) -> list[Alert]:
    """The firing alerts of these kinds, by id."""
    return [
        _from_row(row) for row in _all(session, and_(alerts.c.state == AlertState.FIRING, alerts.c.kind.in_(kinds)))
    ]


def listing(session: Session, *, all: bool = False, limit: int = 200) -> list[AlertView]:  # noqa: A002  (the CLI's word)
    """Firing alerts with their messages; with `all` also the newest ended ones. Newest first."""
    query = select(alerts).order_by(alerts.c.id.desc()).limit(limit)
    if not all:
        query = query.where(alerts.c.state == AlertState.FIRING)
    found = [_from_row(row) for row in session.execute(query)]
    told = outbox.of_alerts(session, [one.id for one in found if one.id is not None])
    return [AlertView(alert=one, notifications=tuple(told.get(one.id or 0, ()))) for one in found]


def untold_baseline(session: Session) -> list[Alert]:
    """Firing alerts saved with `untold` that no baseline message has named yet, by id."""
    return [_from_row(row) for row in _all(session, and_(alerts.c.untold, alerts.c.state == AlertState.FIRING))]


def mark_baseline_told(session: Session, ids: Sequence[int]) -> None:
    """A baseline message names these."""
    session.execute(update(alerts).where(alerts.c.id.in_(ids)).values(untold=False))


def _all(session: Session, condition: ColumnElement[bool]) -> Sequence[Row[*tuple[Any, ...]]]:
    return session.execute(select(alerts).where(condition).order_by(alerts.c.id)).all()


def _values(alert: Alert) -> Mapping[str, Any]:
    return {
        "fingerprint": alert.fingerprint,
        "kind": alert.kind,
        "provider": alert.scope.provider,
        "pipeline": alert.scope.pipeline,
        "branch": alert.scope.branch,
        "severity": alert.severity,
        "state": alert.state,
        "started_at": alert.started_at,
        "resolved_at": alert.resolved_at,
        "transition": alert.transition,
        "summary": alert.summary,
        "evidence": alert.evidence,
        "channels": list(alert.channels),
        "handling": alert.handling,
    }


def _from_row(row: Row[*tuple[Any, ...]]) -> Alert:
    return Alert(
        kind=row.kind,
        scope=Scope(provider=row.provider, pipeline=row.pipeline, branch=row.branch),
        severity=row.severity,
        state=row.state,
        started_at=row.started_at,
        resolved_at=row.resolved_at,
        transition=row.transition,
        summary=row.summary,
        evidence=row.evidence,
        channels=tuple(row.channels),
        handling=row.handling,
        id=row.id,
    )
