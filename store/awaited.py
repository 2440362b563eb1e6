"""Failed builds that a re-run may still turn around: kept out of their streams until they have settled.

A flag on the row says so, therefore it outlives the process, and an index holds just these rows.
"""

from collections.abc import Iterable

from sqlalchemy import text, update

from domain.build import Status
from domain.stream import Awaited
from store.among import among
from store.changes import note_builds
from store.columns import from_ms
from store.database import Session
from store.schema import AWAITED, builds

# CROSS JOIN: SQLite begins with the few rows that are marked, whatever its statistics say.
_ROWS = text("""
    SELECT b.id, p.provider, p.key, n.text, coalesce(b.finished_at, b.started_at, b.queued_at, 0)
    FROM builds b CROSS JOIN pipelines p CROSS JOIN names n
    WHERE b.flags >= 8 AND p.id = b.pipeline_id AND n.id = b.stream_id ORDER BY b.id
""")
_ANY = text("SELECT 1 FROM builds WHERE flags >= 8 LIMIT 1")
# A re-run is another attempt, or a newer build of the same commit where the server counts no attempts (with the same
# labels: to build it for another cloud is no re-run). A neutral attempt has ended like any other; a newer build that
# was cancelled proves nothing.
_RERUNS = (
    text("""
        SELECT b.id, r.status, r.verdict FROM builds b CROSS JOIN builds r
        WHERE b.flags >= 8 AND r.pipeline_id = b.pipeline_id AND r.external_id = b.external_id AND r.attempt > b.attempt
    """),
    *(
        text(f"""
            SELECT b.id, r.status, r.verdict FROM builds b CROSS JOIN builds r
            WHERE b.flags >= 8 AND r.pipeline_id = b.pipeline_id AND r.stream_id = b.stream_id
                AND r.generation = b.generation AND r.number > b.number
                AND r."commit" = b."commit" AND coalesce(r.labels_id, 0) = coalesce(b.labels_id, 0) AND {state}
        """)  # noqa: S608  (one of the two below)
        for state in ("r.status < 2", "r.verdict < 2 AND r.superseded = 0 AND r.stream_id IS NOT NULL")
    ),
)
_STATUS_FINISHED, _VERDICT_PASSED = 2, 1


def mark(session: Session, ids: Iterable[int]) -> None:
    """These builds are awaited from now on."""
    wanted = list(ids)
    those = among(session, builds.c.id, wanted), builds.c.flags < AWAITED
    session.execute(update(builds).where(*those).values(flags=builds.c.flags + AWAITED))
    note_builds(session, wanted)


def release(session: Session, ids: Iterable[int]) -> None:
    """These builds have settled: their streams show them."""
    wanted = list(ids)
    those = among(session, builds.c.id, wanted), builds.c.flags >= AWAITED
    session.execute(update(builds).where(*those).values(flags=builds.c.flags - AWAITED))
    note_builds(session, wanted)


def all(session: Session) -> list[Awaited]:  # noqa: A001  (reads well qualified)
    """All builds that are awaited, by id. Costs nothing to speak of when there are none."""
    if not any(session):
        return []
    rows = session.execute(_ROWS).all()
    reruns = _reruns(session)
    return [
        Awaited(identity, provider, key, stream, from_ms(ended), *reruns.get(identity, (None, False)))
        for identity, provider, key, stream, ended in rows
    ]


def any(session: Session) -> bool:  # noqa: A001  (reads well qualified)
    """Whether any build is awaited."""
    return session.execute(_ANY).first() is not None


def _reruns(session: Session) -> dict[int, tuple[Status, bool]]:
    """For each build that has been run again: how far that has come, and whether it passed."""
    found: dict[int, tuple[Status, bool]] = {}
    for query in _RERUNS:
        for identity, status, verdict in session.execute(query):
            ended = status == _STATUS_FINISHED or found.get(identity, (None, False))[0] is Status.FINISHED
            passed = verdict == _VERDICT_PASSED or found.get(identity, (None, False))[1]
            found[identity] = (Status.FINISHED if ended else Status.RUNNING, passed)
    return found
