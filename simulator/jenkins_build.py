"""One build of the simulated Jenkins: what a script says about it, and what follows from the clock."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from domain.testreport import TestCase
from simulator.jenkins_details import INTERRUPTIONS, Change, Stage, default_log

if TYPE_CHECKING:
    from simulator.jenkins_world import Job


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
