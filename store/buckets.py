"""Why builds failed, read and set again: for rules that were edited, and for `buildwatch buckets`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, update

from store.changes import note_builds
from store.columns import to_ms
from store.database import Session
from store.schema import FAILED, PASSED, build_details, builds, pipelines


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A finished build, and what is stored about why it ended so."""

    build_id: int
    provider: str
    job: str
    number: int
    failed: bool
    stage: str | None
    bucket: str | None
    kind: str | None  # code, test, infra, env; None: no rule said so
    reason: str | None
    log_excerpt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """Another bucket for a build."""

    build_id: int
    bucket: str | None
    kind: str | None
    reason: str | None


def explained(
    session: Session,
    since: datetime,
    *,
    failed: bool = True,
    only_read: bool = False,
    after: int = 0,
    limit: int = 200,
) -> list[Explained]:
    """Builds that failed (or passed) since then and of which something is stored, in the order of their ids.

    `only_read`: those whose details were read by us, not those that came with a reason of their own. `after` is the
    id of the last one that was seen: a page at a time.
    """
    query = (
        select(
            builds.c.id,
            pipelines.c.provider,
            pipelines.c.key,
            builds.c.number,
            builds.c.verdict,
            build_details.c.failing_stage,
            build_details.c.bucket,
            build_details.c.bucket_class,
            build_details.c.reason,
            build_details.c.log_excerpt,
        )
        .join(build_details, build_details.c.build_id == builds.c.id)
        .join(pipelines, pipelines.c.id == builds.c.pipeline_id)
        .where(
            builds.c.id > after,
            builds.c.verdict == (FAILED if failed else PASSED),
            builds.c.finished_at >= to_ms(since),
            or_(build_details.c.log_excerpt.is_not(None), build_details.c.reason.is_not(None)),
        )
        .order_by(builds.c.id)
        .limit(limit)
    )
    if only_read:
        query = query.where(build_details.c.read_at.is_not(None))
    return [_explained(row) for row in session.execute(query)]


def assign(session: Session, changes: Iterable[Assigned]) -> int:
    """Set the buckets of builds; how many there were to set. What is gone by now is left alone."""
    set_ = 0
    some = list(changes)
    note_builds(session, [one.build_id for one in some])
    for one in some:
        values: Mapping[str, Any] = {"bucket": one.bucket, "bucket_class": one.kind, "reason": one.reason}
        set_ += session.execute(
            update(build_details).where(build_details.c.build_id == one.build_id).values(**values)
        ).rowcount
    return set_


def _explained(row: Sequence[Any]) -> Explained:
    identity, provider, key, number, verdict, stage, bucket, kind, reason, excerpt = row
    return Explained(
        build_id=identity,
        provider=provider,
        job=key,
        number=number,
        failed=verdict == FAILED,
        stage=stage,
        bucket=bucket,
        kind=kind,
        reason=reason,
        log_excerpt=excerpt,
    )
