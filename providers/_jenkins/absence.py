"""Jobs that the heartbeat does not show any more: renamed, deleted, or only hidden from us.

A missing permission looks exactly like a deletion (404, or an empty list), so nothing counts as deleted before it
was absent several times in a row while the credentials provably worked, and never when most of it is gone at once.

A branch job that is absent while its project is there has lost its branch: its stream has ended. Some servers keep
such jobs for a while and only disable them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from providers._base import Cursor, Page, ProviderError, Trouble, Unavailable
from providers._jenkins.client import JenkinsClient
from providers._jenkins.names import path_of
from providers._jenkins.state import JobState, cursor_key, has_moved, job_of
from providers._jenkins.tree import Folder, Job
from providers._jenkins.watch import Watch, branch_of, key_of

POLLS: Final = 3  # absent so often: ask for the job itself, and believe a 404
POLLS_FOR_MANY: Final = 30
MANY: Final = 3  # more pipelines than this, and more than half of all, at once: suspicious
CONFIRMED_AT_ONCE: Final = 20

Attempt = Callable[[Callable[[], bool | None]], bool | None]


class Absences:
    """What the cursors know and this heartbeat does not show."""

    def __init__(self, client: JenkinsClient, watch: Watch, cursors: Mapping[str, Cursor]) -> None:
        self._client = client
        self._watch = watch
        self._cursors = cursors
        self._lost: dict[str, JobState] = {}
        self._by_build: dict[tuple[int, int], list[str]] = {}
        self._known = 0
        self._present: set[str] = set()
        self._kept: list[Job] = []  # branch jobs without a branch, of which this has not been told

    def look(self, root: Folder, jobs: Sequence[Job]) -> None:
        """Find what is absent. Raises Unavailable (suspicious) when the server shows nothing at all any more."""
        shown = {job.full_name for job in jobs}
        self._kept = [job for job in jobs if job.project is not None and not job.buildable and self._is_untold(job)]
        known: set[str] = set()
        self._present = {job.project or job.full_name for job in jobs} | set(root.projects())
        for key in self._cursors:
            name = job_of(key)
            if name is None:
                continue
            state = JobState.of(self._cursors[key]) if name not in shown else None
            project = state.project if state else self._cursors[key].get("in")
            if self._watch.rule_of(Job(name, project, 1, 0, 0, False, None)) is None:  # noqa: FBT003
                continue
            if state is None or not state.gone:
                known.add(project or name)
            if state is not None:
                self._lost[name] = state
        for name, state in self._lost.items():
            self._by_build.setdefault((state.last, state.last_at), []).append(name)
        self._known = len(known)
        if known and not root.items:
            raise Unavailable(
                Trouble.SUSPICIOUS,
                f"{self._client.url} shows no jobs any more, {len(known)} are known: the permission to see them is "
                "missing, or a restart is not over",
            )

    def formerly(self, job: Job, seen: Mapping[int, int]) -> tuple[str, JobState] | None:
        """The job that a new one was called before: one that is absent and had the same build at the same time."""
        for build in seen.items() if self._by_build else ():
            former = [name for name in self._by_build.get(build, ()) if self._may_be_called_now(name, job)]
            if len(former) > 1:  # several jobs had the same build number in the same millisecond
                former = [name for name in former if name.rpartition("/")[2] == job.full_name.rpartition("/")[2]]
            if len(former) == 1:
                return former[0], self._lost.pop(former[0])
        return None

    def _may_be_called_now(self, name: str, job: Job) -> bool:
        """A branch job stays the same branch when its project is renamed; a renamed branch is another branch."""
        state = self._lost.get(name)
        if state is None or (state.project or name) == (job.project or job.full_name):
            return False
        return _branch_name(name, state.project) == _branch_name(job.full_name, job.project)

    def pages(self, attempt: Attempt) -> Iterator[Page]:
        """Count the absences that are left, and tell those that are confirmed.

        Args:
            attempt: Makes a request, notes a failure, and returns None then.
        """
        lost = {name: state for name, state in self._lost.items() if not state.gone}
        branches = {name: state for name, state in lost.items() if state.project in self._present}
        cursors: dict[str, Cursor | None] = {}
        ended = [*self._kept_without_branch(cursors), *self._without_branch(branches, cursors, attempt)]
        jobs = {name: state for name, state in lost.items() if name not in branches}
        gone = self._judged(jobs, cursors, attempt) if jobs else []
        if cursors:
            yield Page(cursors=cursors, missing=gone, ended=ended)

    def _is_untold(self, job: Job) -> bool:
        cursor = self._cursors.get(cursor_key(job.full_name))
        return cursor is not None and "ended" not in cursor and not has_moved(job, cursor)

    def _kept_without_branch(self, cursors: dict[str, Cursor | None]) -> Iterator[tuple[str, str]]:
        """Streams of branch jobs that are still there, and disabled."""
        for job in self._kept:
            key = cursor_key(job.full_name)
            cursors[key] = replace(JobState.of(self._cursors[key]), ended=True).cursor()
            yield from _stream(job)

    def _without_branch(
        self, branches: Mapping[str, JobState], cursors: dict[str, Cursor | None], attempt: Attempt
    ) -> Iterator[tuple[str, str]]:
        """Streams of branch jobs that are gone for certain."""
        asked = 0
        for name, state in sorted(branches.items()):
            absent, is_gone = state.absent + 1, None
            if absent >= POLLS and asked < CONFIRMED_AT_ONCE:
                asked += 1
                is_gone = attempt(partial(self._is_not_there, name))
            if is_gone:
                cursors[cursor_key(name)] = replace(state, gone=True, absent=0, open={}, gap=None).cursor()
                if not state.ended:
                    yield from _stream(Job(name, state.project, 1, 0, 0, False, None))  # noqa: FBT003
            else:
                cursors[cursor_key(name)] = replace(state, absent=0 if is_gone is False else absent).cursor()

    def _judged(self, jobs: dict[str, JobState], cursors: dict[str, Cursor | None], attempt: Attempt) -> list[str]:
        """Writes the cursors of absent jobs; returns the keys of the pipelines that are gone for certain."""
        pipelines = {state.project or name for name, state in jobs.items()}
        many = len(pipelines) > MANY and len(pipelines) * 2 > self._known
        if not attempt(self._are_credentials_fine):
            return []
        if many:
            attempt(lambda: self._complain(len(pipelines)))
        confirmed: dict[str, bool | None] = {}
        for name, state in sorted(jobs.items()):
            key, absent = state.project or name, state.absent + 1
            if absent >= (POLLS_FOR_MANY if many else POLLS):
                if key not in confirmed and len(confirmed) < CONFIRMED_AT_ONCE:
                    confirmed[key] = attempt(partial(self._is_not_there, key))
                state = replace(state, gone=confirmed.get(key) is True)  # noqa: PLW2901
                absent = 0 if confirmed.get(key) is False else absent
            cursors[cursor_key(name)] = replace(state, absent=absent, open={} if state.gone else state.open).cursor()
        return sorted(key for key, is_gone in confirmed.items() if is_gone)

    def _are_credentials_fine(self) -> bool:
        if self._client.anonymous or self._client.identity().known:
            return True
        raise Unavailable(
            Trouble.SUSPICIOUS,
            f"{self._client.url} does not show some jobs any more and does not say who we are: "
            "the credentials may have lost their permissions",
        )

    def _complain(self, count: int) -> None:
        raise Unavailable(
            Trouble.SUSPICIOUS,
            f"{self._client.url} does not show {count} of {self._known} known pipelines any more: a permission may be "
            "missing; remove them from config.yaml if they are really gone",
        )

    def _is_not_there(self, full_name: str) -> bool:
        try:
            self._client.get(path_of(full_name), "name")
        except ProviderError as error:
            if error.trouble is Trouble.NOT_FOUND:
                return True
            raise
        return False


def _stream(job: Job) -> Iterator[tuple[str, str]]:
    """Of a branch job: (pipeline key, stream)."""
    branch = branch_of(job)
    if branch is not None:
        yield key_of(job), branch


def _branch_name(full_name: str, project: str | None) -> str | None:
    return full_name.removeprefix(project + "/") if project else None
