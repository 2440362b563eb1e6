"""What was read about builds beside their results, and which builds are still to be read.

A row in `details_due` goes when a build has been read, or never will be: the process may die at any moment, and
what was due stays due.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, func, or_, select, update

from domain.build import Outcome
from domain.details import Changes, Commit, Stage
from store import changes, sql
from store.among import among
from store.changes import Kind
from store.columns import from_ms, to_json, to_ms
from store.database import Session
from store.dialect import insert_into
from store.merge import merge_details
from store.rows import NO_DETAILS, Details
from store.schema import build_details, builds, details_due, pipelines

_ENOUGH = 1000  # builds with one cause that are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A build whose details are to be read now."""

    build_id: int
    provider: str
    attempts: int  # that failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was read about a build. What is None was not found, and leaves alone what is stored."""

    failing_stage: str | None = None
    bucket: str | None = None
    bucket_class: str | None = None  # code, test, infra, env; None: no rule named the bucket
    reason: str | None = None
    log_excerpt: str | None = None
    stages: tuple[Stage, ...] = ()
    changes: Changes | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()
    read_at: datetime | None = None


def add_due(session: Session, ids: Iterable[int], now: datetime) -> int:
    """These builds are to be read; what was tried before in vain is forgotten. Returns how many they are."""
    wanted = list(ids)
    rows = [{"build_id": each, "due_at": now, "attempts": 0} for each in wanted]
    if rows:
        statement = insert_into(session, details_due)
        new = {"due_at": statement.excluded.due_at, "attempts": statement.excluded.attempts}
        session.execute(statement.on_conflict_do_update(index_elements=[details_due.c.build_id], set_=new), rows)
        changes.note(session, Kind.BUILD, ids=wanted)
    return len(rows)


def trim(session: Session, most: int) -> int:
    """Give up the oldest beyond so many; how many these are."""
    if session.execute(select(func.count()).select_from(details_due)).scalar_one() <= most:
        return 0
    newest = select(details_due.c.build_id).order_by(details_due.c.due_at.desc(), details_due.c.build_id.desc())
    return session.execute(delete(details_due).where(details_due.c.build_id.not_in(newest.limit(most)))).rowcount


def due(session: Session, providers: Collection[str], now: datetime, limit: int) -> list[Due]:
    """What is due now at these providers: what may alert first, then new before old; at most `limit` of each."""
    found = []
    for provider in providers:
        query = (
            select(details_due.c.build_id, details_due.c.attempts, builds.c.stream_id)
            .join(builds, builds.c.id == details_due.c.build_id)
            .join(pipelines, pipelines.c.id == builds.c.pipeline_id)
            .where(pipelines.c.provider == provider, details_due.c.due_at <= now)
            .order_by(builds.c.stream_id.is_(None), details_due.c.attempts, details_due.c.build_id.desc())
            .limit(limit)
        )
        found += [
            Due(build_id=row.build_id, provider=provider, attempts=row.attempts) for row in session.execute(query)
        ]
    return found


def next_due(session: Session, now: datetime) -> datetime | None:
    """The first moment after `now` at which something becomes due; None when nothing waits."""
    query = select(func.min(details_due.c.due_at).label("at")).where(details_due.c.due_at > now)
    found: datetime | None = session.execute(query).scalar()
    return found


def bring_forward(session: Session, latest: datetime, now: datetime) -> None:
    """What waits for a time beyond `latest` is due now: the clock was set back since that was planned."""
    session.execute(update(details_due).where(details_due.c.due_at > latest).values(due_at=now))


def awaited(session: Session, ids: Collection[int]) -> set[int]:
    """Those of the builds whose details are due and were not tried in vain yet: they may come at any moment."""
    if not ids:
        return set()
    query = select(details_due.c.build_id).where(
        among(session, details_due.c.build_id, ids), details_due.c.attempts == 0
    )
    return set(session.execute(query).scalars())


def attempts(session: Session, build_id: int) -> int | None:
    """How often a build was tried to be read in vain; None when it is not to be read."""
    query = select(details_due.c.attempts).where(details_due.c.build_id == build_id)
    found: int | None = session.execute(query).scalar()
    return found


def put_off(session: Session, build_id: int, until: datetime, *, failed: bool = True) -> None:
    """They could not be read now, and are tried again later. `failed`: it counts as an attempt."""
    more = details_due.c.attempts + (1 if failed else 0)
    session.execute(update(details_due).where(details_due.c.build_id == build_id).values(due_at=until, attempts=more))


def done(session: Session, build_id: int) -> None:
    """A build is not to be read any more."""
    if session.execute(delete(details_due).where(details_due.c.build_id == build_id)).rowcount:
        changes.note(session, Kind.BUILD, ids=[build_id])


def counts(session: Session) -> tuple[int, int]:
    """How many builds are to be read, and how many of them were tried in vain."""
    tried = func.coalesce(func.sum(func.min(details_due.c.attempts, 1)), 0)
    if session.dialect.name == "postgresql":
        tried = func.coalesce(func.sum(func.least(details_due.c.attempts, 1)), 0)
    row = session.execute(select(func.count(), tried).select_from(details_due)).one()
    return int(row[0]), int(row[1])


def save(session: Session, build_id: int, found: Findings) -> None:
    """Store what was read about a build, over what is known of it."""
    stored = sql.select_details(session, [build_id]).get(build_id, NO_DETAILS)
    merged = merge_details(stored, _row(found), rerun=False)
    if found.read_at is not None and not found.notes:
        merged = merged._replace(notes=None)  # what could not be read before was read now
    if merged != stored:
        sql.write_details(session, [(build_id, merged)])
        changes.note_builds(session, [build_id])


def get(session: Session, ids: Collection[int]) -> dict[int, Findings]:
    """What was read about these builds, those of them that have anything."""
    return {identity: _findings(row) for identity, row in sql.select_details(session, ids).items()}


def annotate(session: Session, build_id: int, note: str, now: datetime) -> None:
    """Say why something about a build could not be read."""
    known = get(session, [build_id]).get(build_id, Findings())
    notes = tuple(dict.fromkeys((*known.notes, note)))
    save(session, build_id, replace(Findings(), notes=notes, read_at=known.read_at or now))


def seen(session: Session, buckets: Collection[str], since: datetime) -> dict[str, int]:
    """How many builds of any pipeline failed with each of these causes since then; at most `_ENOUGH` are counted."""
    found = {}
    for bucket in buckets:
        found[bucket] = session.execute(_SEEN, {"bucket": bucket, "since": to_ms(since)}).scalar_one()
    return found


_NEWEST = (
    select(build_details.c.build_id)
    .where(build_details.c.bucket == bindparam("bucket"))
    .order_by(build_details.c.build_id.desc())
    .limit(_ENOUGH)
    .subquery()
)
_SEEN = (
    select(func.count())
    .select_from(_NEWEST.join(builds, builds.c.id == _NEWEST.c.build_id))
    .where(or_(builds.c.finished_at >= bindparam("since"), builds.c.finished_at.is_(None)), builds.c.superseded == 0)
)


def _row(found: Findings) -> Details:
    return NO_DETAILS._replace(
        failing_stage=found.failing_stage,
        bucket=found.bucket,
        bucket_class=found.bucket_class,
        reason=found.reason,
        log_excerpt=found.log_excerpt,
        stages=to_json([_stage(each) for each in found.stages]) if found.stages else None,
        changes=None if found.changes is None else to_json(_changes(found.changes)),
        found_labels=to_json(found.labels) if found.labels else None,
        notes=to_json(found.notes) if found.notes else None,
        read_at=None if found.read_at is None else to_ms(found.read_at),
    )


def _findings(row: Details) -> Findings:
    return Findings(
        failing_stage=row.failing_stage,
        bucket=row.bucket,
        bucket_class=row.bucket_class,
        reason=row.reason,
        log_excerpt=row.log_excerpt,
        stages=tuple(_stage_of(each) for each in orjson.loads(row.stages)) if row.stages else (),
        changes=_changes_of(orjson.loads(row.changes)) if row.changes else None,
        labels=orjson.loads(row.found_labels) if row.found_labels else {},
        notes=tuple(orjson.loads(row.notes)) if row.notes else (),
        read_at=None if row.read_at is None else from_ms(row.read_at),
    )


def _stage(stage: Stage) -> Mapping[str, Any]:
    """JSON; what is not known is left out."""
    values = {
        "name": stage.name,
        "outcome": stage.outcome,
        "step": stage.step,
        "seconds": None if stage.duration is None else stage.duration.total_seconds(),
        "url": stage.url,
    }
    return {key: value for key, value in values.items() if value is not None}


def _stage_of(value: Mapping[str, Any]) -> Stage:
    outcome, seconds = value.get("outcome"), value.get("seconds")
    return Stage(
        name=value["name"],
        outcome=None if outcome is None else Outcome(outcome),
        step=value.get("step"),
        duration=None if seconds is None else timedelta(seconds=seconds),
        url=value.get("url"),
    )


def _changes(changes: Changes) -> Mapping[str, Any]:
    return {
        "commits": [_known(each) for each in changes.commits],
        "total": changes.total,
        "url": changes.url,
    }


def _known(commit: Commit) -> Mapping[str, Any]:
    values = {
        "id": commit.id,
        "title": commit.title,
        "author": commit.author,
        "login": commit.login,
        "is_bot": commit.is_bot or None,
        "url": commit.url,
    }
    return {key: value for key, value in values.items() if value is not None}


def _changes_of(value: Mapping[str, Any]) -> Changes:
    commits: Sequence[Mapping[str, Any]] = value["commits"]
    return Changes(commits=tuple(Commit(**each) for each in commits), total=value["total"], url=value.get("url"))
