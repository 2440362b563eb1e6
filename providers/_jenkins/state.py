"""What is remembered of one job between two polls, and what follows from it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from providers._base import Cursor
from providers._jenkins.build import moment
from providers._jenkins.tree import Job

WINDOW: Final = 100  # the newest builds that Jenkins lists: further ones only one by one
FIRST: Final = 50  # builds read at first contact
SLACK: Final = 5  # builds that may start between the heartbeat and the request
LIMBO: Final = timedelta(days=1)

_PREFIX: Final = "job:"  # tells the cursors of jobs from others: a job may well be called `backfill`


def cursor_key(full_name: str) -> str:
    """The key of a job's cursor."""
    return _PREFIX + full_name


def job_of(cursor_key: str) -> str | None:
    """The full name of the job that a cursor belongs to; None for cursors of something else."""
    return cursor_key.removeprefix(_PREFIX) if cursor_key.startswith(_PREFIX) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """How far one job has been read."""

    next_number: int = 1
    last: int = 0  # the newest build that the server showed
    last_at: int = 0  # milliseconds: with `last` it proves that this is still the same job
    read: int = 0  # all builds up to this number have been read; above `last` after the newest was deleted
    generation: int = 0  # grows when the numbering starts anew
    open: Mapping[int, int] = field(default_factory=dict)  # running builds: number → timestamp
    gap: tuple[int, int] | None = None  # numbers, both included, that lie below the window and are read bit by bit
    absent: int = 0  # polls in a row that did not show the job
    gone: bool = False  # not watched any more, but its generation counts when it comes back
    project: str | None = None
    primary: bool = False  # the branch job of the default branch
    ended: bool = False  # a branch job that is kept although its branch is gone, and this was told

    @classmethod
    def of(cls, cursor: Cursor) -> "JobState":
        """What `cursor` wrote."""
        gap = cursor.get("gap")
        return cls(
            next_number=cursor.get("next", 1),
            last=cursor.get("last", 0),
            last_at=cursor.get("at", 0),
            read=cursor.get("read", cursor.get("last", 0)),
            generation=cursor.get("gen", 0),
            open=dict(cursor.get("open", ())),
            gap=(gap[0], gap[1]) if gap else None,
            absent=cursor.get("absent", 0),
            gone=cursor.get("gone", False),
            project=cursor.get("in"),
            primary=cursor.get("primary", False),
            ended=cursor.get("ended", False),
        )

    def cursor(self) -> dict[str, Any]:
        """As JSON, without what says nothing."""
        optional = {
            "read": self.read if self.read != self.last else 0,
            "gen": self.generation,
            "open": [[number, at] for number, at in sorted(self.open.items())],
            "gap": list(self.gap or ()),
            "absent": self.absent,
            "gone": self.gone,
            "in": self.project,
            "primary": self.primary,
            "ended": self.ended,
        }
        always = {"next": self.next_number, "last": self.last, "at": self.last_at}
        return always | {key: value for key, value in optional.items() if value}

    def anew(self) -> "JobState":
        """The same job at the start of its next generation."""
        return replace(self, last=0, last_at=0, read=0, open={}, gap=None, generation=self.generation + 1)


def has_moved(job: Job, cursor: Cursor) -> bool:
    """Whether the job has to be read: something happened, or may have happened to a running build."""
    if cursor.get("next") != job.next_number or cursor.get("last") != job.last or cursor.get("at") != job.last_at:
        return True
    if "open" in cursor and any(_may_have_ended(number, job) for number, _ in cursor["open"]):
        return True
    return "gap" in cursor or "absent" in cursor or "gone" in cursor


def _may_have_ended(number: int, job: Job) -> bool:
    if number == job.last:
        return not job.last_runs
    return job.completed is None or number <= job.completed


def builds_to_ask(job: Job, state: JobState) -> int:
    """How many of the newest builds reach down to the oldest that matters."""
    lowest = min([state.read, *state.open])
    newest = max(job.next_number - 1, job.last)
    return min(WINDOW, max(newest - lowest, 0) + 1 + SLACK)


def is_another(job: Job, state: JobState, seen: Mapping[int, int]) -> bool:
    """Whether the numbering has started anew since: recreated, or reset. `seen`: number → timestamp."""
    if job.last == state.last and job.last_at and state.last_at and job.last_at != state.last_at:
        return True
    if job.next_number < state.next_number and job.last != state.last:
        return True
    known = {state.last: state.last_at, **state.open}
    return any(seen.get(number, at) != at for number, at in known.items() if number and at)


def is_limbo(raw: Mapping[str, Any], now: datetime) -> bool:
    """A build that a crash of Jenkins cut off: it neither runs nor has a result, and never will."""
    if raw.get("building") or raw.get("inProgress") or raw.get("result") is not None:
        return False
    return now - moment(raw["timestamp"]) > LIMBO


def numbered(raws: Sequence[Any]) -> dict[int, int]:
    """Number → timestamp of all builds that have both."""
    return {
        raw["number"]: raw["timestamp"]
        for raw in raws
        if isinstance(raw, dict) and type(raw.get("number")) is int and type(raw.get("timestamp")) is int
    }
