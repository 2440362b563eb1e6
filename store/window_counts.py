"""How many builds of each pipeline ended in a window and how, how long they took, and the last of them.

What counts is the same as in store/windows.py; without percentiles it is several times faster.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from domain.build import Outcome, Verdict
from domain.window import Window
from store.among import owners
from store.columns import from_ms, to_ms
from store.database import Session
from store.schema import OUTCOMES, VERDICTS
from store.windows import COUNTS

# One short range of the index `builds_finished` for each pipeline, as in store/windows.py. The end of the last build
# with its outcome and verdict in one number: so its maximum needs no second look.
_COLUMNS = """count(*) AS builds, coalesce(sum(CASE WHEN b.verdict = 1 THEN 1 ELSE 0 END), 0),
    coalesce(sum(CASE WHEN b.verdict = 0 THEN 1 ELSE 0 END), 0),
    coalesce(sum(CASE WHEN b.verdict < 2 THEN b.duration END), 0),
    count(CASE WHEN b.verdict < 2 THEN b.duration END), max(b.finished_at * 64 + b.outcome * 4 + b.verdict)"""
_ENDED = {
    "sqlite": f"""SELECT p.id, {_COLUMNS} FROM {{owners}} p CROSS JOIN builds b INDEXED BY builds_finished
    ON b.pipeline_id = p.id AND b.finished_at >= ? AND b.finished_at < ? AND {COUNTS} GROUP BY p.id""",  # noqa: S608
    "postgresql": f"""SELECT p.id, t.* FROM {{owners}} p CROSS JOIN LATERAL (SELECT {_COLUMNS} FROM builds b
    WHERE b.pipeline_id = p.id AND b.finished_at >= %s AND b.finished_at < %s AND {COUNTS}) t WHERE t.builds > 0""",  # noqa: S608
}
_UNFINISHED = """SELECT b.pipeline_id, sum(CASE WHEN b.status = 1 THEN 1 ELSE 0 END), count(*) FROM builds b
WHERE b.status < 2 AND b.stream_id IS NOT NULL GROUP BY b.pipeline_id"""
_LAST = f"""SELECT p.id, (SELECT b.finished_at * 64 + b.outcome * 4 + b.verdict FROM builds b
    WHERE b.pipeline_id = p.id AND b.finished_at > 0 AND {COUNTS} ORDER BY b.finished_at DESC LIMIT 1)
FROM {{owners}} p"""  # noqa: S608  (no values)
_FIRST = f"""SELECT b.finished_at FROM builds b WHERE b.pipeline_id = p.id AND b.finished_at >= {{mark}} AND {COUNTS}
    ORDER BY b.finished_at LIMIT 1"""  # noqa: S608  (no values)
_TURNING = "SELECT p.id, ({first}), ({first}) FROM {owners} p"

_REACH = f"""SELECT
    min((SELECT b.finished_at FROM builds b WHERE b.pipeline_id = p.id AND b.finished_at > 0 AND {COUNTS}
        ORDER BY b.finished_at LIMIT 1)),
    max((SELECT b.finished_at FROM builds b WHERE b.pipeline_id = p.id AND b.finished_at > 0 AND {COUNTS}
        ORDER BY b.finished_at DESC LIMIT 1)) FROM pipelines p"""  # noqa: S608  (no values)


class Ended(NamedTuple):
    """How and when a build ended."""

    finished_at: datetime
    outcome: Outcome
    verdict: Verdict


class Turning(NamedTuple):
    """The ends of two builds, in milliseconds; None: there is no such build."""

    leaving: int | None  # the first one in the window
    entering: int | None  # the first one behind it


class Counts(NamedTuple):
    """The builds of one pipeline in a window, or of several together."""

    total: int = 0  # finished builds of every verdict, plus those running now
    passed: int = 0
    failed: int = 0
    running: int = 0
    took: int = 0  # milliseconds: of those that passed or failed and whose duration is known
    timed: int = 0  # how many these are
    last: Ended | None = None

    @property
    def neutral(self) -> int:
        """Builds that ended and neither passed nor failed."""
        return self.total - self.passed - self.failed - self.running

    @property
    def success_rate(self) -> float | None:
        """Passed / (passed + failed); None without data."""
        decided = self.passed + self.failed
        return self.passed / decided if decided else None

    @property
    def duration_mean(self) -> float | None:
        """Seconds."""
        return self.took / self.timed / 1000 if self.timed else None


def together(some: Iterable[Counts]) -> Counts:
    """The counts of several pipelines in one."""
    counts = list(some)
    ends = [each.last for each in counts if each.last is not None]
    return Counts(
        total=sum(each.total for each in counts),
        passed=sum(each.passed for each in counts),
        failed=sum(each.failed for each in counts),
        running=sum(each.running for each in counts),
        took=sum(each.took for each in counts),
        timed=sum(each.timed for each in counts),
        last=max(ends, key=lambda each: each.finished_at, default=None),
    )


def ended(session: Session, window: Window, only: Collection[int] | None = None) -> dict[int, Counts]:
    """Of each pipeline (`store.pipelines.Known.id`) of which builds ended in the window; of all, or `only` of these."""
    source, those = owners(session, only)
    values = *those, to_ms(window.start), to_ms(window.end)
    rows = session.exec_driver_sql(_ENDED[session.dialect.name].format(owners=source), values).all()
    return {
        pipeline: Counts(count, int(passed), int(failed), 0, int(took), timed, unpacked(last))
        for pipeline, count, passed, failed, took, timed, last in rows
    }


def by_pipeline(session: Session, window: Window) -> dict[int, Counts]:
    """Of each pipeline that has builds in the window, or running."""
    return with_running(ended(session, window), unfinished(session))


def with_running(ended: Mapping[int, Counts], unfinished: Mapping[int, tuple[int, int]]) -> dict[int, Counts]:
    """What ended, and what runs now, together."""
    found = dict(ended)
    for pipeline, (count, _) in unfinished.items():
        if count:
            before = found.get(pipeline, Counts())
            found[pipeline] = before._replace(total=before.total + count, running=count)
    return found


def unfinished(session: Session) -> dict[int, tuple[int, int]]:
    """Of each pipeline that has any, how many of its builds run now, and how many run or wait."""
    return {row[0]: (int(row[1]), row[2]) for row in session.exec_driver_sql(_UNFINISHED)}


def last_ended(session: Session, only: Collection[int] | None = None) -> dict[int, Ended]:
    """How and when the last build of each pipeline ended, whenever that was; of all, or `only` of these."""
    source, values = owners(session, only)
    rows = session.exec_driver_sql(_LAST.format(owners=source), values).all()
    return {pipeline: unpacked(last) for pipeline, last in rows if last is not None}


def turning(session: Session, window: Window, only: Collection[int] | None = None) -> dict[int, Turning]:
    """When the window of each pipeline will hold other builds, as it moves on; of all, or `only` of these."""
    source, those = owners(session, only)
    first = _FIRST.format(mark="?" if session.dialect.name == "sqlite" else "%s")
    values = to_ms(window.start), to_ms(window.end), *those
    rows = session.exec_driver_sql(_TURNING.format(first=first, owners=source), values).all()
    return {
        pipeline: Turning(None if leaving is None or leaving == entering else leaving, entering)
        for pipeline, leaving, entering in rows
    }


def reach(session: Session) -> tuple[datetime | None, datetime | None]:
    """When the oldest and the newest build that count had ended."""
    oldest, newest = session.exec_driver_sql(_REACH).one()
    return None if oldest is None else from_ms(oldest), None if newest is None else from_ms(newest)


def stored(session: Session) -> int:
    """How many builds are stored, all their attempts."""
    return int(session.exec_driver_sql("SELECT count(*) FROM builds").scalar_one())


def unpacked(packed: int) -> Ended:
    """An end that was packed into one number: end * 64 + outcome * 4 + verdict."""
    return Ended(from_ms(packed >> 6), OUTCOMES[packed >> 2 & 15], VERDICTS[packed & 3])
