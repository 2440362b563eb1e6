"""What exists on the simulated Jenkins: folders, jobs, builds. Scripted by tests and by the demo's story.

The state of a build is a function of its times and the clock, so nothing needs a thread: a build that starts now and
takes ten seconds is running for ten seconds and has ended afterwards.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from typing_extensions import override

from domain.testreport import TestCase
from simulator.jenkins_details import INTERRUPTIONS, Change, Stage, cause, default_log, default_stages
from simulator.jenkins_kinds import (
    CONFIGURATION,
    FOLDER,
    FREESTYLE,
    MATRIX,
    MULTIBRANCH,
    ORGANIZATION,
    PIPELINE,
    encode_name,
)
from simulator.moments import Now, Span, made_up_sha, span


@dataclass(slots=True, kw_only=True, eq=False)
class Build:
    """One build. `ends_at` None: it runs until `finish()`."""

    job: "Job"
    number: int
    queue_id: int
    queued_at: datetime
    started_at: datetime
    ends_at: datetime | None
    result: str | None
    early_result: str | None = None  # set by a step while the build goes on
    post_production: bool = False  # building is over, the log is still open
    causes: list[dict[str, object]] = field(default_factory=list)
    interruptions: list[dict[str, object]] = field(default_factory=list)
    parameters: dict[str, object] = field(default_factory=dict)
    commit: str | None = None
    branch: str | None = None  # as the git plugin spells it
    other_revisions: list[tuple[str, str, str]] = field(default_factory=list)  # (remote, commit, branch), listed first
    changes: list[Change] = field(default_factory=list)
    other_changes: list[list[Change]] = field(default_factory=list)  # of other checkouts, listed first
    tests: list[TestCase] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    runs: list["Build"] = field(default_factory=list)  # of a matrix; may hold builds with another number
    parts: list["Build"] = field(default_factory=list)  # of a multijob: builds of other jobs
    waited_for: str | None = None  # executor or blocked: told by the metrics plug-in; None: it is not installed
    artifacts: dict[str, bytes] = field(default_factory=dict)
    log: bytes = b""
    chatter: int = 0  # bytes that were written before the log; nobody holds them in memory
    description: str | None = None
    display_name: str | None = None
    built_on: str = ""
    extra: dict[str, object] = field(default_factory=dict)  # properties that replace the exported ones

    def started(self) -> bool:
        """Whether it has left the queue."""
        return self.started_at <= self.job.world.now()

    def finished(self) -> bool:
        """Whether it has ended by now."""
        return self.ends_at is not None and self.ends_at <= self.job.world.now()

    def finish(self, result: str = "SUCCESS", *, at: datetime | None = None, log: str | None = None) -> "Build":
        """End a running build, or correct how it ended."""
        with self.job.world.lock:
            self.result = result
            self.ends_at = at or self.job.world.now()
            self.post_production = False
            if log is not None:
                self.log = log.encode()
            elif not self.log:
                self.print_log()
        return self

    def print_log(self) -> None:
        """Write the console that a build like this one leaves."""
        timed_out = INTERRUPTIONS["timeout"] in self.interruptions
        self.log = default_log(self.result, self.job.full_name, self.commit, self.branch, timed_out=timed_out)

    def visible_log(self) -> bytes:
        """The console so far: with a planned end it grows with the time."""
        if self.ends_at is None or self.finished():
            return self.log
        share = (self.job.world.now() - self.started_at) / (self.ends_at - self.started_at)
        return self.log[: int(len(self.log) * share)]

    def delete(self) -> None:
        """As log rotation does."""
        with self.job.world.lock:
            self.job.builds.pop(self.number, None)


class Item:
    """Something with a name in a folder. `permission`: read, discover (403, not listed) or none (404, not listed)."""

    class_name = FOLDER

    def __init__(self, world: "JenkinsWorld", parent: "Folder | None", name: str) -> None:
        self.world = world
        self.parent = parent
        self.name = name
        self.display_name = name
        self.description: str | None = None
        self.permission = "read"

    @property
    def full_name(self) -> str:
        """The names on the way from the root, joined by `/`."""
        return "/".join(item.name for item in self.path())

    @property
    def full_display_name(self) -> str:
        """For people: `team » api`. Identifies nothing."""
        return " » ".join(item.display_name for item in self.path())

    def path(self) -> list["Item"]:
        """The items from below the root down to this one."""
        above = self.parent.path() if self.parent is not None else []
        return above if self.parent is None else [*above, self]

    def delete(self) -> None:
        """Remove it with all that is in it."""
        with self.world.lock:
            if self.parent is not None:
                self.parent.children.pop(self.name, None)

    def rename(self, name: str) -> None:
        """Give it another name; its history stays."""
        with self.world.lock:
            self.delete()
            if self.parent is not None:
                self.parent.children[name] = self
            self.name = self.display_name = name


class Folder(Item):
    """A folder, an organization folder or the root."""

    def __init__(
        self, world: "JenkinsWorld", parent: "Folder | None", name: str, class_name: str = FOLDER, remote: str = ""
    ) -> None:
        super().__init__(world, parent, name)
        self.class_name = class_name
        self.remote = remote
        self.children: dict[str, Item] = {}

    def jobs(self) -> Iterator["Job"]:
        """All jobs in it, at any depth."""
        for child in self.children.values():
            if isinstance(child, Folder):
                yield from child.jobs()
            elif isinstance(child, Job):
                yield child

    def branch(self, name: str) -> "Job":
        """The job of a branch of this multibranch project; made when there is none."""
        with self.world.lock:
            encoded = encode_name(name)
            job = self.children.get(encoded)
            if job is None:
                job = self.children[encoded] = Job(self.world, self, encoded, PIPELINE, branch=name)
                job.display_name = name
                job.remote = self.remote
            if not isinstance(job, Job):
                raise TypeError(f"{job.full_name} is a folder, not a branch")
            return job

    def build(self, result: str | None = "SUCCESS", *, branch: str = "main", **options: Any) -> Build:
        """Add a build of a branch of this multibranch project; see `Job.build`."""
        return self.branch(branch).build(result, **options)

    def start(self, *, branch: str = "main", **options: Any) -> Build:
        """Start a build of a branch of this multibranch project; see `Job.start`."""
        return self.branch(branch).start(**options)


class Job(Item):
    """A job: freestyle, pipeline, branch of a multibranch project, matrix or configuration of a matrix."""

    def __init__(
        self, world: "JenkinsWorld", parent: "Folder | None", name: str, class_name: str, branch: str | None = None
    ) -> None:
        super().__init__(world, parent, name)
        self.class_name = class_name
        self.owner: Job | None = None  # the matrix of a configuration
        self.branch_name = branch  # of a multibranch project
        self.remote = f"https://git.example.com/{self.full_name}.git"
        self.builds: dict[int, Build] = {}
        self.buildable = True
        self.next_number = 1  # at least; builds push it on
        self._highest = 0  # number given so far, to waiting builds too
        self.configurations: dict[str, Job] = {}  # of a matrix, by `os=linux,jdk=21`

    @override
    def path(self) -> list[Item]:
        """A configuration stands below its matrix."""
        return [*self.owner.path(), self] if self.owner else super().path()

    def newest_first(self) -> Iterator[Build]:
        """The builds that have started, by falling number."""
        for number in sorted(self.builds, reverse=True):
            if self.builds[number].started():
                yield self.builds[number]

    def queued(self) -> list[Build]:
        """The builds that wait."""
        return [build for build in self.builds.values() if not build.started()]

    def following_number(self) -> int:
        """`nextBuildNumber`."""
        newest = next(self.newest_first(), None)
        return max(self.next_number, newest.number + 1 if newest else 1)

    def build(
        self,
        result: str | None = "SUCCESS",
        *,
        number: int | None = None,
        branch: str | None = None,
        started_ago: Span | None = None,
        duration: Span | None = 30.0,
        queued_for: Span = 2.0,
        trigger: str = "scm",
        interrupted_by: str | None = None,
        failing_stage: str | None = None,
        cells: Mapping[str, str] | None = None,
        log: str | bytes | None = None,
        **details: Any,
    ) -> Build:
        """Add a build; by default it has just finished.

        It started `started_ago` (default: `duration`) before now and takes `duration`; what has not ended yet is
        running and ends by itself when the clock gets there; a `duration` of None runs until `finish()`. A negative
        `started_ago` waits in the queue. trigger: scm, user, timer, upstream. interrupted_by: timeout, user,
        superseded. cells: results of single configurations of a matrix, {"os=mac": "FAILURE"}. `details` are fields
        of Build: parameters, tests, stages, commit, changes and so on.
        """
        with self.world.lock:
            number = number or max(self.next_number, self._highest + 1)
            self._highest = max(self._highest, number)
            length = None if duration is None else span(duration)
            ago = span(started_ago) if started_ago is not None else length or timedelta(0)
            started = self.world.now() - ago
            made = Build(
                job=self,
                number=number,
                queue_id=next(self.world.queue_ids),
                queued_at=started - span(queued_for),
                started_at=started,
                ends_at=None if length is None else started + length,
                result=result,
                **details,
            )
            self._complete(made, branch=branch, trigger=trigger, interrupted_by=interrupted_by, details=details)
            if not made.stages and self.class_name == PIPELINE:
                made.stages = default_stages(result, failing_stage)
            made.log = log.encode() if isinstance(log, str) else log or b""
            if length is not None and log is None:
                made.print_log()
            for run in made.runs:
                run.result = (cells or {}).get(run.job.name, run.result)
            self.builds[number] = made
            return made

    def start(self, **options: Any) -> Build:
        """Start a build that runs until its `finish()`."""
        return self.build(None, duration=None, **options)

    def _complete(
        self, made: Build, *, branch: str | None, trigger: str, interrupted_by: str | None, details: Mapping[str, Any]
    ) -> None:
        """Fill in what a real build knows and the script did not say."""
        made.branch = branch or self.branch_name or made.branch or "refs/remotes/origin/main"
        if "commit" not in details:
            made.commit = made_up_sha(self.remote, made.number, made.branch)
        upstream = self.owner.full_name if self.owner else "upstream"
        made.causes = made.causes or [cause(trigger, branch=self.branch_name, upstream=upstream)]
        if interrupted_by:
            made.interruptions = [INTERRUPTIONS[interrupted_by]]
        if "changes" not in details and made.commit:
            author = self.world.people[made.number % len(self.world.people)]
            made.changes = [Change(commit=made.commit, author=author, message=f"Change {made.number} of {self.name}")]
        if self.configurations and not made.runs:
            made.runs = [
                job.build(made.result, number=made.number, started_ago=self.world.now() - made.started_at,
                          duration=None if made.ends_at is None else made.ends_at - made.started_at, trigger="upstream")
                for job in self.configurations.values()
            ]  # fmt: skip

    def recreate(self) -> None:
        """Delete it and make it anew: the numbering starts again."""
        with self.world.lock:
            self.builds.clear()
            self.next_number, self._highest = 1, 0


class JenkinsWorld:
    """The content of one Jenkins."""

    def __init__(self, *, now: Now, lock: AbstractContextManager[Any], seed: int = 0) -> None:
        self.now = now
        self.lock = lock
        self.root = Folder(self, None, "", "hudson.model.Hudson")
        self.queue_ids = itertools.count(1000 + seed % 1000)
        self.people = ("Ada Moreau", "Ravi Nair", "Lena Fischer", "Tom Okafor", "Mei Tanaka")

    def folder(self, full_name: str, class_name: str = FOLDER) -> Folder:
        """The folder with this full name; it and those above are made when there are none."""
        with self.lock:
            here = self.root
            names = full_name.split("/") if full_name else []
            for depth, name in enumerate(names, start=1):
                found = here.children.get(name)
                if found is None:
                    kind = class_name if depth == len(names) else FOLDER
                    found = here.children[name] = Folder(self, here, name, kind)
                if not isinstance(found, Folder):
                    raise TypeError(f"{found.full_name} is a job, not a folder")
                here = found
            return here

    def multibranch(self, full_name: str, branches: Sequence[str] = ()) -> Folder:
        """A multibranch project, with jobs for these branches."""
        made = self.folder(full_name, MULTIBRANCH)
        made.remote = made.remote or f"https://git.example.com/{full_name}.git"
        for branch in branches:
            made.branch(branch)
        return made

    def organization(self, full_name: str, repositories: Sequence[str] = ()) -> Folder:
        """An organization folder, with multibranch projects for these repositories."""
        made = self.folder(full_name, ORGANIZATION)
        for repository in repositories:
            self.multibranch(f"{full_name}/{repository}")
        return made

    def job(self, full_name: str, kind: str | None = None, branch: str | None = None) -> Job:
        """The job with this full name; made (freestyle by default) when there is none, with its folders.

        In a multibranch project name the branch: `job("shop/web", branch="feature/x")`.
        """
        with self.lock:
            if branch is not None:
                return self.multibranch(full_name).branch(branch)
            above, _, name = full_name.rpartition("/")
            folder = self.folder(above)
            found = folder.children.get(name)
            if found is None:
                found = folder.children[name] = Job(self, folder, name, kind or FREESTYLE)
            if not isinstance(found, Job):
                raise TypeError(f"{full_name} is a folder, not a job")
            return found

    def pipeline(self, full_name: str) -> Job:
        """A pipeline job outside of any multibranch project."""
        return self.job(full_name, PIPELINE)

    def matrix(self, full_name: str, axes: Mapping[str, Sequence[str]]) -> Job:
        """A matrix job with one configuration for each combination of the axes' values."""
        with self.lock:
            made = self.job(full_name, MATRIX)
            for values in itertools.product(*axes.values()):
                name = ",".join(f"{axis}={value}" for axis, value in zip(axes, values, strict=True))
                if name not in made.configurations:
                    cell = made.configurations[name] = Job(self, None, name, CONFIGURATION)
                    cell.owner = made
            return made

    def find(self, names: Sequence[str]) -> Item | None:
        """The item at this path of decoded names; None when there is none."""
        here: Item = self.root
        for name in names:
            below = here.children.get(name) if isinstance(here, Folder) else None
            if below is None:
                return None
            here = below
        return here

    def queue(self) -> list[Build]:
        """The builds that wait, newest first."""
        waiting = [build for job in self.root.jobs() for build in job.queued()]
        return sorted(waiting, key=lambda build: -build.queue_id)
