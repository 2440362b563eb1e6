"""What exists on the simulated GitHub: owners, repositories, workflows, runs with their attempts and jobs.

As in Jenkins' world, the state of a run is a function of its times and the clock.
"""

import itertools
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from simulator.github_commits import Commit, History
from simulator.github_jobs import RunArtifact, WorkJob, default_log, made_job, stamped, zipped
from simulator.moments import Now, Span, made_up_sha, span


@dataclass(slots=True, kw_only=True, eq=False)
class Attempt:
    """One attempt of a run. `ends_at` None: it goes on until `finish()`."""

    number: int = 1
    requested_at: datetime
    started_at: datetime  # before: queued, or `waiting_status`
    ends_at: datetime | None
    conclusion: str | None
    waiting_status: str = "queued"  # queued, waiting, requested, pending
    actor: str = "ada"
    jobs: list[WorkJob] = field(default_factory=list)
    scripted: bool = False  # the script gave the jobs: leave them alone
    updated_at: datetime | None = None  # moves long after the end now and then

    def status(self, now: datetime) -> str:
        """queued, in_progress or completed at a moment."""
        if self.ends_at is not None and self.ends_at <= now:
            return "completed"
        return "in_progress" if self.started_at <= now else self.waiting_status

    def changed_at(self, now: datetime) -> datetime:
        """`updated_at`."""
        if self.updated_at is not None and self.updated_at <= now:
            return self.updated_at
        if self.ends_at is not None and self.ends_at <= now:
            return self.ends_at
        return min(max(self.started_at, self.requested_at), now) if self.started_at <= now else self.requested_at


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """One workflow run with all its attempts."""

    repository: "Repository"
    workflow: "Workflow"
    id: int
    number: int
    event: str
    branch: str | None
    sha: str
    title: str
    created_at: datetime
    head_repository: str | None  # full name; None: a fork that was deleted
    pull_requests: list[int] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    artifacts: list[RunArtifact] = field(default_factory=list)  # of all attempts
    extra: dict[str, object] = field(default_factory=dict)  # fields that replace the answered ones
    without: set[str] = field(default_factory=set)  # fields that are absent, as in old recordings

    def attempt(self, now: datetime) -> Attempt:
        """The newest attempt at a moment."""
        return [a for a in self.attempts if a.requested_at <= now or a.number == 1][-1]

    def finish(self, conclusion: str = "success", *, at: datetime | None = None) -> "Run":
        """End the newest attempt."""
        github = self.repository.github
        with github.lock:
            attempt = self.attempts[-1]
            attempt.conclusion = conclusion
            attempt.ends_at = at or github.now()
            attempt.started_at = min(attempt.started_at, attempt.ends_at)
            github.fill(attempt)
        return self

    def rerun(
        self,
        conclusion: str | None = "success",
        *,
        duration: Span | None = 30.0,
        queued_for: Span = 0.0,
        started_ago: Span | None = None,
        actor: str = "lena",
        failed_only: bool = False,
    ) -> "Run":
        """Run it again: same id and number, next attempt. Times as in `Repository.run`.

        `failed_only` carries the old successful jobs over with their old times, as "re-run failed jobs" does.
        """
        github = self.repository.github
        with github.lock:
            made = github.attempt(conclusion, duration, queued_for, started_ago)
            made.number, made.actor = len(self.attempts) + 1, actor
            github.fill(made)
            if failed_only:
                before = self.attempts[-1]
                kept = [
                    replace(job, id=next(github.run_ids), started_at=before.started_at, completed_at=before.ends_at)
                    for job in before.jobs
                    if job.conclusion == "success"
                ]
                made.jobs = kept + made.jobs[-1:]
            self.attempts.append(made)
        return self

    def artifact(
        self, name: str, files: Mapping[str, str | bytes] | bytes, *, at: datetime | None = None
    ) -> RunArtifact:
        """Leave a zip archive of files behind, or these bytes in its place; by default when the newest attempt ends."""
        github = self.repository.github
        with github.lock:
            made = RunArtifact(
                id=next(github.ids),
                name=name,
                content=files if isinstance(files, bytes) else zipped(files),
                created_at=at or self.attempts[-1].ends_at or github.now(),
            )
            self.artifacts.append(made)
            return made

    def touch(self, at: datetime) -> None:
        """Move `updated_at` although nothing happened, as GitHub does months later."""
        with self.repository.github.lock:
            self.attempts[-1].updated_at = at

    def delete(self) -> None:
        """Remove it from the list."""
        with self.repository.github.lock:
            self.repository.runs.remove(self)


@dataclass(slots=True, kw_only=True, eq=False)
class Workflow:
    """A workflow file."""

    id: int
    path: str
    name: str
    state: str = "active"
    last_number: int = 0

    @property
    def file(self) -> str:
        """`ci.yml`."""
        return self.path.rpartition("/")[2]


class Repository:
    """A repository. Renaming keeps the id; the old name answers with a redirect."""

    def __init__(self, github: "GithubWorld", id_: int, full_name: str) -> None:
        self.github = github
        self.id = id_
        self.full_name = full_name
        self.default_branch = "main"
        self.private = False
        self.archived = False
        self.fork = False
        self.created_at = github.now()
        self.history = History()
        self.workflows: list[Workflow] = []
        self.runs: list[Run] = []

    @property
    def owner(self) -> str:
        """The login before the slash."""
        return self.full_name.partition("/")[0]

    @property
    def name(self) -> str:
        """The name after the slash."""
        return self.full_name.partition("/")[2]

    @property
    def pushed_at(self) -> datetime:
        """When its newest run was created."""
        return max((run.created_at for run in self.runs), default=self.created_at)

    def workflow(self, file: str = "ci.yml", name: str | None = None) -> Workflow:
        """The workflow with this file name; made when there is none."""
        with self.github.lock:
            path = file if "/" in file else f".github/workflows/{file}"
            found = next((w for w in self.workflows if w.path == path), None)
            if found is None:
                title = name or {"ci.yml": "CI"}.get(file, file.rpartition(".")[0].replace("-", " ").capitalize())
                found = Workflow(id=next(self.github.ids), path=path, name=title)
                self.workflows.append(found)
            return found

    def run(
        self,
        conclusion: str | None = "success",
        *,
        branch: str | None = "main",
        event: str = "push",
        workflow: str = "ci.yml",
        started_ago: Span | None = None,
        duration: Span | None = 30.0,
        queued_for: Span = 2.0,
        status: str = "queued",
        head_repository: str | None = "",
        actor: str = "ada",
        title: str | None = None,
        number: int | None = None,
        jobs: Sequence[WorkJob] | None = None,
        commits: Sequence[Commit] | None = None,
        **details: Any,
    ) -> Run:
        """Add a run; by default it has just finished.

        Its attempt started `started_ago` (default: `duration`) before now and takes `duration`: what has not ended is
        running and ends by itself; a `duration` of None runs until `finish()`; a negative `started_ago` waits in
        `status`. head_repository: a fork's full name, None for a deleted one, default the repository itself.
        `commits` were pushed, oldest first: the last one is built (default: one by the actor). `details` are fields of
        Run: sha, pull_requests, extra, without.
        """
        github = self.github
        with github.lock:
            flow = self.workflow(workflow)
            attempt = github.attempt(conclusion, duration, queued_for, started_ago)
            attempt.waiting_status, attempt.actor = status, actor
            number = number or flow.last_number + 1
            flow.last_number = max(flow.last_number, number)
            made = Run(
                repository=self,
                workflow=flow,
                id=next(github.run_ids),
                number=number,
                event=event,
                branch=branch,
                sha=commits[-1].sha if commits else details.pop("sha", None) or made_up_sha(self.id, flow.path, number),
                title=title or f"Change {number} of {self.name}",
                created_at=attempt.requested_at,
                head_repository=self.full_name if head_repository == "" else head_repository,
                attempts=[attempt],
                **details,
            )
            github.fill(attempt, jobs)
            self.runs.append(made)
            pushed = commits or [
                Commit(sha=made.sha, message=made.title, author=actor, login=actor, at=made.created_at)
            ]
            self.history.add(branch or self.default_branch, pushed, base=self.default_branch)
            return made

    def commit(self, message: str, *, login: str | None = "ada", author: str | None = None) -> Commit:
        """A new commit, to be pushed with a run."""
        github = self.github
        sha = made_up_sha(self.id, "commit", next(github.ids))
        return Commit(sha=sha, message=message, author=author or login or "Someone", login=login, at=github.now())

    def start(self, **options: Any) -> Run:
        """Start a run that goes on until its `finish()`."""
        return self.run(None, duration=None, **options)

    def rename(self, full_name: str) -> None:
        """Give it another name, or another owner; the old name redirects."""
        with self.github.lock:
            self.github.renamed[self.full_name.lower()] = self
            del self.github.repositories[self.full_name.lower()]
            self.full_name = full_name
            self.github.repositories[full_name.lower()] = self

    def delete(self) -> None:
        """Remove it."""
        with self.github.lock:
            del self.github.repositories[self.full_name.lower()]


class GithubWorld:
    """The content of one GitHub."""

    def __init__(self, *, now: Now, lock: AbstractContextManager[Any], seed: int = 0) -> None:
        self.now = now
        self.lock = lock
        self.ids = itertools.count(100_000 + seed % 1000)
        self.run_ids = itertools.count(9_000_000_000 + seed % 1000, 7)
        self.repositories: dict[str, Repository] = {}  # by full name in lower case
        self.renamed: dict[str, Repository] = {}
        self.users: set[str] = set()  # owners that are people, not organizations

    def repo(self, full_name: str) -> Repository:
        """The repository with this full name; made when there is none."""
        with self.lock:
            found = self.repositories.get(full_name.lower())
            if found is None:
                found = self.repositories[full_name.lower()] = Repository(self, next(self.ids), full_name)
            return found

    def owned(self, owner: str) -> list[Repository]:
        """The repositories of an owner."""
        return [r for r in self.repositories.values() if r.owner.lower() == owner.lower()]

    def by_id(self, id_: int) -> Repository | None:
        """The repository with this id."""
        return next((r for r in self.repositories.values() if r.id == id_), None)

    def attempt(
        self, conclusion: str | None, duration: Span | None, queued_for: Span, started_ago: Span | None
    ) -> Attempt:
        """An attempt at the right times, without jobs."""
        length = None if duration is None else span(duration)
        ago = span(started_ago) if started_ago is not None else length or timedelta(0)
        started = self.now() - ago
        return Attempt(
            requested_at=started - span(queued_for),
            started_at=started,
            ends_at=None if length is None else started + length,
            conclusion=conclusion,
        )

    def fill(self, attempt: Attempt, jobs: Sequence[WorkJob] | None = None) -> None:
        """Give an attempt the jobs that its conclusion asks for: build and test; none for a file that is broken."""
        if jobs is not None:
            attempt.jobs, attempt.scripted = list(jobs), True
            for job in jobs:
                job.log = job.log or default_log(job, attempt.started_at)
        if attempt.scripted:
            return
        if attempt.conclusion in ("startup_failure", "action_required"):
            attempt.jobs = []
            return
        known = {job.name: job.id for job in attempt.jobs}
        conclusion = attempt.conclusion or "success"
        attempt.jobs = [
            self.job("build", "skipped" if conclusion == "skipped" else "success", id_=known.get("build")),
            self.job("test", conclusion, id_=known.get("test")),
        ]
        for job in attempt.jobs:
            job.log = default_log(job, attempt.started_at)

    def job(self, name: str, conclusion: str, *, id_: int | None = None, **details: Any) -> WorkJob:
        """A job that ended so; `details` are arguments of `made_job`, with `log` as lines of text as well."""
        text = details.get("log")
        if isinstance(text, str):
            details["log"] = stamped(text.splitlines(), self.now())
        return made_job(id_ or next(self.run_ids), name, conclusion, **details)
