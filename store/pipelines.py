"""The pipelines that are or were watched."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from domain.build import Pipeline
from store import changes
from store.among import among
from store.changes import Kind
from store.database import Session
from store.schema import pipelines

Key = tuple[str, str]
"""(provider, pipeline key)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A pipeline as the store knows it."""

    id: int
    pipeline: Pipeline
    watched_since: datetime  # first contact: what finished before is baseline
    is_new: bool  # first contact is now
    missing_since: datetime | None = None  # the provider says that it is gone
    is_back: bool = False  # it was missing until now


def remember(
    session: Session, met: Iterable[Pipeline], now: datetime, *, watched_since: Mapping[Key, datetime] | None = None
) -> dict[Key, Known]:
    """Store pipelines met now: new ones are added, changed ones are updated, missing ones are back.

    New ones count as watched since `now`, or since the time that `watched_since` gives for their key.
    """
    wanted = {(each.provider, each.key): each for each in met}
    stored = find(session, wanted)
    new = [each for key, each in wanted.items() if key not in stored]
    if new:
        session.execute(
            insert(pipelines),
            [
                {**_values(each), "watched_since": (watched_since or {}).get(key, now)}
                for key, each in wanted.items()
                if key not in stored
            ],
        )
    changed = [
        {**_values(each), "missing_since": None, "row_id": known.id}
        for key, each in wanted.items()
        if (known := stored.get(key)) and (known.pipeline != each or known.missing_since)
    ]
    if changed:
        session.execute(update(pipelines).where(pipelines.c.id == bindparam("row_id")), changed)
    if not new and not changed:
        return stored
    added = {(each.provider, each.key) for each in new}
    found = find(session, wanted)
    turned = (each.id for key, each in found.items() if key in added or each != stored[key])
    changes.note(session, Kind.PIPELINE, pipelines=turned)
    back = {key for key, each in stored.items() if each.missing_since}
    return {key: replace(each, is_new=key in added, is_back=key in back) for key, each in found.items()}


def find(session: Session, keys: Iterable[Key]) -> dict[Key, Known]:
    """Those of the pipelines that are stored."""
    found: dict[Key, Known] = {}
    wanted: dict[str, list[str]] = {}
    for provider, key in keys:
        wanted.setdefault(provider, []).append(key)
    for provider, its in wanted.items():
        rows = session.execute(_THOSE, {"provider": provider, "keys": its})
        found |= {(row.provider, row.key): _from_row(row) for row in rows}
    return found


# Asked for every page of builds: put together once, because that costs more than running it.
_THOSE = select(pipelines).where(
    pipelines.c.provider == bindparam("provider"), pipelines.c.key.in_(bindparam("keys", expanding=True))
)


def numbers(session: Session, keys: Iterable[Key]) -> dict[Key, int]:
    """The row numbers of those of the pipelines that are stored."""
    wanted: dict[str, list[str]] = {}
    for provider, key in keys:
        wanted.setdefault(provider, []).append(key)
    found: dict[Key, int] = {}
    for provider, its in wanted.items():
        query = select(pipelines.c.key, pipelines.c.id).where(
            pipelines.c.provider == provider, among(session, pipelines.c.key, its)
        )
        found |= {(provider, key): number for key, number in session.execute(query)}
    return found


def keys(session: Session, ids: Iterable[int]) -> dict[int, Key]:
    """The keys of the pipelines with these row numbers."""
    query = select(pipelines.c.id, pipelines.c.provider, pipelines.c.key).where(
        among(session, pipelines.c.id, list(ids))
    )
    return {number: (provider, key) for number, provider, key in session.execute(query)}


def by_ids(session: Session, ids: Iterable[int]) -> list[Known]:
    """The pipelines with these row numbers."""
    wanted = list(ids)
    if not wanted:
        return []
    return [_from_row(row) for row in session.execute(select(pipelines).where(pipelines.c.id.in_(wanted)))]


def all(session: Session, provider: str | None = None) -> list[Known]:  # noqa: A001  (reads well qualified)
    """All stored pipelines, or those of one provider, by provider and key."""
    query = select(pipelines).order_by(pipelines.c.provider, pipelines.c.key)
    if provider is not None:
        query = query.where(pipelines.c.provider == provider)
    return [_from_row(row) for row in session.execute(query)]


def exist(session: Session) -> bool:
    """Whether there are any."""
    return session.execute(select(pipelines.c.id).limit(1)).first() is not None


def set_missing(session: Session, provider: str, keys: Collection[str], now: datetime) -> None:
    """The provider says that these are gone: since now, unless they were gone already. History stays."""
    session.execute(
        update(pipelines)
        .where(pipelines.c.provider == provider, pipelines.c.key.in_(list(keys)), pipelines.c.missing_since.is_(None))
        .values(missing_since=now)
    )
    changes.note(session, Kind.PIPELINE, pipelines=numbers(session, [(provider, key) for key in keys]).values())


def rename(session: Session, provider: str, old: str, new: str) -> bool:
    """Give a pipeline a new key, with all its builds. False when there is no `old` or `new` is taken already."""
    taken = find(session, [(provider, old), (provider, new)])
    if (provider, old) not in taken or (provider, new) in taken:
        return False
    session.execute(update(pipelines).where(pipelines.c.id == taken[provider, old].id).values(key=new))
    changes.note(session, Kind.PIPELINE, pipelines=[taken[provider, old].id])
    return True


def _values(pipeline: Pipeline) -> Mapping[str, Any]:
    return {
        "provider": pipeline.provider,
        "key": pipeline.key,
        "name": pipeline.name,
        "url": pipeline.url,
        "labels": dict(pipeline.labels),
        "branched": pipeline.branched,
        "default_branch": pipeline.default_branch,
    }


def _from_row(row: Row[Any]) -> Known:
    pipeline = Pipeline(
        provider=row.provider,
        key=row.key,
        name=row.name,
        url=row.url,
        labels=row.labels,
        branched=row.branched,
        default_branch=row.default_branch,
    )
    return Known(
        id=row.id,
        pipeline=pipeline,
        watched_since=row.watched_since,
        is_new=False,
        missing_since=row.missing_since,
    )
