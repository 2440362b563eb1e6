"""What is new about one job: which builds to ask for, which to tell, and what to remember."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from domain.build import Build, Pipeline, Status
from providers._base import Cursor, ProviderError, Trouble, Unreadable
from providers._jenkins.absence import Absences
from providers._jenkins.build import BuildReader
from providers._jenkins.client import JenkinsClient
from providers._jenkins.history import BACKFILL, with_generation
from providers._jenkins.names import path_of
from providers._jenkins.state import (
    FIRST,
    JobState,
    builds_to_ask,
    cursor_key,
    is_another,
    is_limbo,
    numbered,
)
from providers._jenkins.tree import Job
from providers._jenkins.watch import Rule, Watch

SINGLES_AT_ONCE: Final = 100

_PRIMARY: Final = "PrimaryInstanceMetadataAction"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """The part of a page that is about one job."""

    pipeline: Pipeline
    builds: Sequence[Build] = ()
    unreadable: Sequence[Unreadable] = ()
    cursors: Mapping[str, Cursor | None] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)


class Newsroom:
    """Reads jobs within one poll.

    Args:
        client: The server.
        watch: What is asked for.
        absences: Where a job that is new here may have come from.
        branches: The branches of every multibranch project.
        backfill: The cursor of the history, which has to know of every new generation.
        now: The time.
    """

    def __init__(
        self,
        client: JenkinsClient,
        watch: Watch,
        *,
        absences: Absences,
        branches: Mapping[str, Sequence[str]],
        backfill: Cursor,
        now: datetime,
    ) -> None:
        self._client = client
        self._watch = watch
        self._absences = absences
        self._branches = branches
        self._backfill = backfill
        self._now = now

    def read(self, job: Job, rule: Rule, state: JobState | None) -> News:
        """Ask for a job's newest builds. Raises what `JenkinsClient.get` raises."""
        if not job.last:
            return self.settle(job, rule, {}, FIRST, state)
        asked = FIRST if state is None else builds_to_ask(job, state)
        raw = self.ask(job, asked)
        if state is not None and asked < FIRST and is_another(job, state, numbered(_builds(raw))):
            asked = FIRST
            raw = self.ask(job, asked)
        return self.settle(job, rule, raw, asked, state)

    def ask(self, job: Job, count: int) -> Mapping[str, Any]:
        """The job with its newest `count` builds."""
        actions = "actions[_class]," if job.project else ""
        return self._client.get(path_of(job.full_name), f"{actions}builds[{self._watch.fields}]{{0,{count}}}")

    def read_again(self, job: Job, rule: Rule, state: JobState, count: int) -> News:
        """The finished ones of a job's newest builds; nothing to remember. Raises what `JenkinsClient.get` raises."""
        raw = self.ask(job, count)
        reader = self.reader(job, rule)
        builds, unreadable = reader.read_all(_builds(raw), state.generation)
        finished = [build for build in builds if build.status is Status.FINISHED]
        return News(pipeline=reader.pipeline, builds=finished, unreadable=unreadable)

    def note_primary(self, job: Job, raw: Mapping[str, Any]) -> bool:
        """Whether the answer about a branch job marks it as that of the default branch; remembered when it does."""
        actions = raw.get("actions") if job.project else None
        is_primary = isinstance(actions, list) and any(
            isinstance(action, dict) and _PRIMARY in str(action.get("_class")) for action in actions
        )
        if is_primary:
            self._watch.note_primary(job)
        return is_primary

    def reader(self, job: Job, rule: Rule) -> BuildReader:
        """Reads the builds of this job."""
        branches = self._branches.get(job.project, ()) if job.project else ()
        return self._watch.reader(job, rule, self._watch.pipeline(job, rule, branches))

    def settle(self, job: Job, rule: Rule, raw: Mapping[str, Any], asked: int, state: JobState | None) -> News:
        """From the answer about a job to its news.

        Args:
            job: As the heartbeat showed it.
            rule: The entry that watches it.
            raw: The job with its newest builds.
            asked: How many builds were asked for.
            state: What is remembered; None at first contact.
        """
        is_primary = self.note_primary(job, raw)
        reader = self.reader(job, rule)
        raws = _builds(raw)
        seen = numbered(raws)
        cursors: dict[str, Cursor | None] = {}
        renamed: dict[str, str] = {}
        builds: list[Build] = []
        former = self._absences.formerly(job, seen) if state is None else None
        if former is not None:
            old, state = former
            cursors[cursor_key(old)] = None
            renamed[state.project or old] = reader.pipeline.key
        gap = None
        if state is None:
            state = JobState()
        elif is_another(job, state, seen):
            builds += self._vanished(reader, state, state.open)
            state = state.anew()
            self._backfill = with_generation(self._backfill, job.full_name, state.generation)
            cursors[BACKFILL] = self._backfill
        else:
            further, gap = self._below_the_window(job, state, seen, covers_all=len(raws) < asked)
            seen |= numbered(further)
            builds += self._vanished(reader, state, set(state.open) - set(seen))
            raws = [*further, *(one for one in raws if _is_wanted(one, state))]
        read, unreadable = reader.read_all(raws, state.generation)
        builds += read
        cursors[cursor_key(job.full_name)] = self._remembered(
            job, state, seen=seen, raws=raws, read=read, gap=gap, is_primary=is_primary
        ).cursor()
        return News(pipeline=reader.pipeline, builds=builds, unreadable=unreadable, cursors=cursors, renamed=renamed)

    def _below_the_window(
        self, job: Job, state: JobState, seen: Mapping[int, int], *, covers_all: bool
    ) -> tuple[list[Any], tuple[int, int] | None]:
        """Builds that the list of newest builds does not reach: running ones, and what happened while we were away.

        Returns:
            The builds that are still there, and the numbers that are left for the next polls.
        """
        floor = 0 if covers_all else min(seen, default=0)
        numbers = list(range(state.gap[0], state.gap[1] + 1)) if state.gap else []
        numbers += range(state.read + 1, floor)
        now, later = numbers[:SINGLES_AT_ONCE], numbers[SINGLES_AT_ONCE:]
        asked = sorted({*now, *(number for number in state.open if number not in seen)})
        found = [raw for number in asked if (raw := self._single(job, number)) is not None]
        return found, (later[0], later[-1]) if later else None

    def _single(self, job: Job, number: int) -> Any:
        try:
            return self._client.get(f"{path_of(job.full_name)}{number}/", self._watch.fields)
        except ProviderError as error:
            if error.trouble is Trouble.NOT_FOUND:
                return None  # deleted, or a number that was never used
            raise

    def _vanished(self, reader: BuildReader, state: JobState, numbers: Iterable[int]) -> list[Build]:
        return [reader.vanished(number, state.open[number], state.generation, self._now) for number in sorted(numbers)]

    def _remembered(
        self,
        job: Job,
        state: JobState,
        *,
        seen: Mapping[int, int],
        raws: Iterable[Any],
        read: Iterable[Build],
        gap: tuple[int, int] | None,
        is_primary: bool,
    ) -> JobState:
        newest = max(seen, default=0)
        last, last_at = (newest, seen[newest]) if newest > job.last else (job.last, job.last_at)
        running = {build.number for build in read if build.status is Status.RUNNING}
        for raw in raws if running else ():
            number = raw.get("number") if isinstance(raw, dict) else None
            if number in running and is_limbo(raw, self._now):
                running.discard(number)
        return JobState(
            next_number=max(job.next_number, last + 1),
            last=last,
            last_at=last_at,
            read=max(last, state.read),
            generation=state.generation,
            open={number: seen[number] for number in running},
            gap=gap,
            project=job.project,
            primary=is_primary,
        )


def _builds(raw: Mapping[str, Any]) -> list[Any]:
    builds = raw.get("builds")
    return builds if isinstance(builds, list) else []


def _is_wanted(raw: Any, state: JobState) -> bool:
    """New, or running when last seen; also what has no number, to be told as unreadable."""
    number = raw.get("number") if isinstance(raw, dict) else None
    return type(number) is not int or number > state.read or number in state.open
