"""A copy of a store is turned back to an earlier day: what came later is taken out, to arrive once more."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, text, update

from domain.alert import Delivery
from domain.build import Build, Outcome, Verdict
from store.among import among
from store.builds import get
from store.columns import from_ms, to_ms
from store.database import Session
from store.schema import AWAITED, FINISHED, OUTCOMES, SETTLED, VERDICTS, builds, outbox, pipelines

_EMPTIED = ("attempts", "outbox", "cursors", "providers", "notes")
_ENDED = "coalesce(b.finished_at, b.started_at, b.queued_at, 0)"


class Arrival(NamedTuple):
    """When a build is first seen in some state: its end, or before that its start, if it takes long."""

    at: datetime
    provider: str
    pipeline: str  # Pipeline.key
    build_id: int
    finished: bool


class Contact(NamedTuple):
    """From when on a pipeline's builds are news."""

    at: datetime
    provider: str
    pipeline: str  # Pipeline.key


def first_contact(session: Session) -> datetime | None:
    """Since when anything is watched; None when nothing is."""
    found: datetime | None = session.execute(select(func.min(pipelines.c.watched_since))).scalar()
    return found


def arrivals(session: Session, since: datetime, until: datetime, *, long: int) -> list[Arrival]:
    """The order in which the builds of (since, until] would have been seen, each pipeline's from first contact on.

    A build that took longer than `long` seconds, or has not ended, is seen at its start already; one that waited
    so long, when it was queued.
    """
    found = []
    for row in session.execute(_ARRIVALS, {"since": to_ms(since), "until": to_ms(until)}):
        bound = max(to_ms(since), row.watched_since)
        finished = row.status == FINISHED
        ended = row.finished_at if finished and row.finished_at is not None else row.ended
        moments = [(ended, True)] if finished else []
        for begin, end in ((row.queued_at, row.started_at), (row.started_at, row.finished_at)):
            took = (to_ms(until) if end is None else end) - begin if begin is not None else 0
            if begin is not None and took > long * 1000:
                moments.append((max(begin, bound + 1), False))
        found += [
            Arrival(from_ms(at), row.provider, row.key, row.id, whole)
            for at, whole in moments
            if whole or not finished or at < ended
        ]
    return sorted(found)


_ARRIVALS = text(f"""
    SELECT b.id, p.provider, p.key, p.watched_since, b.status, b.queued_at, b.started_at, b.finished_at,
        {_ENDED} AS ended
    FROM builds b JOIN pipelines p ON p.id = b.pipeline_id
    WHERE ({_ENDED} > :since AND {_ENDED} > p.watched_since AND {_ENDED} <= :until)
""")  # noqa: S608  (ours)


def rewind(session: Session, since: datetime, *, unstable: Collection[int] = ()) -> list[Contact]:
    """Take out what came after `since`, of each pipeline what came after first contact. For a SQLite copy only.

    Alerts that ended before stay; those that fired then or later go, and so do all messages, silences of later and
    what the daemon remembers. `unstable` are the ids of pipelines whose unstable builds pass. Returns the first
    contacts of pipelines from `since` on, in order.
    """
    bound = to_ms(since)
    values = {"since": bound}
    session.execute(
        text(f"""
            DELETE FROM builds WHERE id IN (
                SELECT b.id FROM builds b JOIN pipelines p ON p.id = b.pipeline_id
                WHERE {_ENDED} > max(:since, p.watched_since))
        """),  # noqa: S608  (ours)
        values,
    )
    session.execute(_UNSUPERSEDE)
    session.execute(text("UPDATE builds SET flags = flags & :mask"), {"mask": AWAITED - 1})
    _set_verdicts(session, unstable)
    for table in _EMPTIED:
        session.execute(text(f"DELETE FROM {table}"))  # noqa: S608  (ours)
    session.execute(text("DELETE FROM alerts WHERE resolved_at IS NULL OR resolved_at > :since"), values)
    session.execute(text("DELETE FROM silences WHERE created_at > :since"), values)
    session.execute(text("UPDATE silences SET ended_at = NULL, ended_because = NULL WHERE ended_at > :since"), values)
    rows = session.execute(text("SELECT provider, key, watched_since FROM pipelines ORDER BY watched_since, id"))
    return [Contact(max(from_ms(row.watched_since), since), row.provider, row.key) for row in rows]


def newest_of_streams(session: Session, pipeline_ids: Collection[int]) -> list[Build]:
    """Of each stream of these pipelines the settled build that was stored last."""
    query = (
        select(func.max(builds.c.id))
        .where(SETTLED, among(session, builds.c.pipeline_id, pipeline_ids))
        .group_by(builds.c.pipeline_id, builds.c.stream_id)
    )
    return [view.build for view in get(session, session.execute(query).scalars().all()).values()]


def say_all(session: Session, at: datetime) -> None:
    """Take what waits in the outbox as said."""
    session.execute(
        update(outbox).where(outbox.c.delivery == Delivery.PENDING).values(delivery=Delivery.SENT, sent_at=at)
    )


# An attempt whose successor has been taken out counts again.
_UNSUPERSEDE = text("""
    UPDATE builds SET superseded = 0 WHERE superseded = 1 AND NOT EXISTS (
        SELECT 1 FROM builds n WHERE n.pipeline_id = builds.pipeline_id AND n.external_id = builds.external_id
            AND n.id <> builds.id AND n.verdict IS NOT NULL AND n.superseded = 0)
    AND attempt = (
        SELECT coalesce(max(CASE WHEN n.verdict < 2 THEN n.attempt END), max(n.attempt)) FROM builds n
        WHERE n.pipeline_id = builds.pipeline_id AND n.external_id = builds.external_id AND n.verdict IS NOT NULL)
""")


def _set_verdicts(session: Session, unstable: Collection[int]) -> None:
    """What unstable builds mean is for the configuration to say."""
    values = {"unstable": OUTCOMES.index(Outcome.UNSTABLE), "passed": VERDICTS.index(Verdict.PASSED)}
    failed = {"unstable": values["unstable"], "failed": VERDICTS.index(Verdict.FAILED)}
    session.execute(
        text("UPDATE builds SET verdict = :failed WHERE outcome = :unstable AND verdict <> :failed"), failed
    )
    for number in unstable:
        session.execute(
            text("UPDATE builds SET verdict = :passed WHERE outcome = :unstable AND pipeline_id = :number"),
            {**values, "number": number},
        )
