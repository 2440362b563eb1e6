"""Everything a Jenkins tells about one finished build: bounded in requests, bytes and time, each part for itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

from domain.build import Build, Outcome
from domain.details import RUNNER, Changes, Details, Log, Stage
from domain.duration import format_duration
from domain.testreport import TestReport
from domain.text import clean
from providers._base import Wanted
from providers._jenkins.asking import Asker, Unread, place_of
from providers._jenkins.build import CONTROLLER, NOT_A_BUILD, facts_of
from providers._jenkins.changes import CHANGE_FIELDS, read_changes
from providers._jenkins.client import JenkinsClient
from providers._jenkins.log import read_log, read_runner, read_step_log, runner_in, timeout_in, why_queued
from providers._jenkins.stages import (
    Course,
    Part,
    course_of,
    failed_of,
    failed_step,
    names_of,
    parts_of,
    read_course,
    with_step,
)
from providers._jenkins.tests import read_tests

SECONDS: Final = 60.0  # for all requests of one build
_PARTS_READ: Final = 2  # logs of failed parts of a matrix or multijob
_DEEPEST: Final = 3  # multijobs in multijobs
_LONG_WAIT: Final = timedelta(minutes=1)

_ACTIONS: Final = (
    "actions[_class,causes[_class,shortDescription,userName],lastBuiltRevision[SHA1],remoteUrls,"
    "queuingDurationMillis,buildableDurationMillis,blockedDurationMillis]"
)
_PARTS: Final = "runs[number,url,result,builtOn,duration],subBuilds[buildNumber,jobName,jobAlias,phaseName,result,url]"
_PIPELINE: Final = "WorkflowRun"

_Value = TypeVar("_Value")


@dataclass(slots=True)
class _Found:
    """What was read so far, and what was not."""

    stages: tuple[Stage, ...] = ()
    failing_stage: str | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    logs: list[Log] = field(default_factory=list)
    tests: TestReport | None = None
    changes: Changes | None = None
    runner: str | None = None
    notes: list[str] = field(default_factory=list)
    anything: bool = False
    later: Unread | None = None  # the first that a later try may read

    def part(self, name: str, read: Callable[[], _Value], *, absent: bool = False) -> _Value | None:
        """What `read` returns; None, and a note, when it cannot be read. `absent`: that it is not there says nothing.

        Raises Unread when two in a row could not be read and nothing else was: the server is down.
        """
        try:
            value = read()
        except Unread as unread:
            if not (absent and unread.absent):
                self.notes.append(f"{name}: {unread}")
            if unread.may_pass:
                if self.later is not None and not self.anything:
                    raise self.later from unread
                self.later = self.later or unread
            return None
        except NOT_A_BUILD as problem:
            self.notes.append(clean(f"{name}: not understood ({type(problem).__name__}: {problem})"))
            return None
        self.anything = True
        return value

    def details(self) -> Details:
        return Details(
            stages=self.stages,
            failing_stage=self.failing_stage,
            outcome=self.outcome,
            reason=self.reason,
            logs=tuple(self.logs),
            tests=self.tests,
            changes=self.changes,
            labels={RUNNER: self.runner} if self.runner else {},
            notes=tuple(self.notes),
            later=self.later is not None,
        )


def read_details(client: JenkinsClient, build: Build, wanted: Wanted, *, seconds: float = SECONDS) -> Details:
    """What is wanted about a build. A part that cannot be read is a note.

    Raises Unavailable or Refused when nothing could be read and a later try may help.
    """
    place = place_of(client.url, build)
    if place is None:
        return Details(notes=("build: its place on the server is not known",))
    found = _Found()
    telling = _Telling(Asker(client, place, seconds=seconds), client.url, build, wanted, found)
    try:
        telling.tell()
    except Unread as unread:
        raise unread.error from unread
    if not found.anything and found.later is not None:
        raise found.later.error
    return found.details()


class _Telling:
    """The parts in the order of their worth, so that a server that answers slowly tells the most."""

    def __init__(self, ask: Asker, url: str, build: Build, wanted: Wanted, found: _Found) -> None:
        self._ask = ask
        self._url = url
        self._build = build
        self._wanted = wanted
        self._found = found
        self._parts: tuple[Part, ...] = ()
        self._step: tuple[str, str] | None = None  # its number, and the stage that it failed in
        self._names_agent = wanted.stages and wanted.log_bytes <= 0  # perhaps a part of the console not read yet
        self._interrupted = False  # and the server says why

    def tell(self) -> None:
        """Read all that is wanted into `found`."""
        found, build = self._found, self._build
        raw = found.part("build", self._facts)
        if raw is None and found.later is None:
            return  # it is gone, or we may not see it: so is everything below it
        if raw is not None and not self._is_ours(raw):
            found.notes.append("build: its number belongs to another build now")
            return
        if raw is not None:
            self._note(raw)
        if self._wanted.stages:
            self._tell_course(raw or {})
        if self._wanted.log_bytes > 0:
            self._tell_logs()
        if self._names_agent and found.runner is None:
            found.runner = found.part("agent", lambda: read_runner(self._ask, found.failing_stage), absent=True)
        if self._wanted.tests:
            found.tests = found.part("tests", lambda: read_tests(self._ask, build.number), absent=True)
            found.notes += [f"tests: {note}" for note in found.tests.notes] if found.tests else []
        if raw is not None:
            self._tell_changes(raw)

    def _facts(self) -> dict[str, Any]:
        return self._ask.tree(f"number,timestamp,result,builtOn,{_ACTIONS},{_PARTS},{CHANGE_FIELDS}")

    def _is_ours(self, raw: Mapping[str, Any]) -> bool:
        """Not when the job was made anew since, and counts from one again."""
        known, timestamp = self._build.external_id.rpartition("@")[2], raw.get("timestamp")
        return not known.isdigit() or type(timestamp) is not int or int(known) == timestamp

    def _note(self, raw: Mapping[str, Any]) -> None:
        """How it was stopped, where it ran, what it waited for."""
        found = self._found
        facts = found.part("build", lambda: facts_of(raw.get("actions") or ()))
        if facts is not None:
            found.reason = facts.interruption
            self._interrupted = facts.interruption is not None
            if facts.timed_out:
                self._timed_out(facts.interruption)
        if isinstance(raw.get("builtOn"), str):
            found.runner = clean(raw["builtOn"]) or CONTROLLER
        self._parts = found.part("build", lambda: parts_of(dict(raw), self._build.number)) or ()
        found.notes += found.part("queue", lambda: _waited(raw)) or []

    def _timed_out(self, words: str | None) -> None:
        if self._build.outcome in {Outcome.CANCELLED, Outcome.TIMEOUT}:
            self._found.outcome = Outcome.TIMEOUT
        self._found.reason = words or "timeout"

    def _tell_course(self, raw: Mapping[str, Any]) -> None:
        found = self._found
        cancelled = self._build.outcome in {Outcome.CANCELLED, Outcome.TIMEOUT}
        course: Course | None = None
        if self._parts:
            course = course_of(self._parts, self._url)
            found.failing_stage = names_of(self._parts)
        elif _PIPELINE in str(raw.get("_class") or _PIPELINE):
            course = found.part("stages", lambda: read_course(self._ask, cancelled=cancelled), absent=True)
            if course is not None and self._build.outcome is Outcome.SUCCESS:
                course = Course(stages=course.stages)  # what failed in it did not matter
            found.failing_stage = course.failing_stage if course else None
        if course is not None:
            course = self._with_step(course)
            found.stages = course.stages
            found.reason = found.reason or course.reason
            found.runner = course.runner or found.runner

    def _with_step(self, course: Course) -> Course:
        """With the first step that failed: one stage around others has none."""
        for place, node in course.nodes:
            step = self._found.part("steps", partial(failed_step, self._ask, node), absent=True)
            if step is not None:
                self._step = (step.node, course.stages[place].name)
                return with_step(course, place, step)
        return course

    def _tell_logs(self) -> None:
        """What the failed step wrote, or the failed parts; then the console of the build itself."""
        found, left = self._found, self._wanted.log_bytes
        if self._step is not None:
            log = found.part("log of the step", partial(read_step_log, self._ask, *self._step, left), absent=True)
            left -= self._keep(log)
        for part in self._failed_parts():
            left -= self._tell_log_of(part, left // 2)
        own = self._read("log", self._ask, left)
        self._keep(own)
        if own is not None:
            self._names_agent = self._wanted.stages and not own.whole
            found.runner = found.runner or runner_in(own.text, found.failing_stage)
            found.notes += why_queued(own.text)
            if not self._interrupted:
                self._look_for_timeout(own)

    def _read(self, name: str, ask: Asker, limit: int) -> Log | None:
        read = self._found.part(name, lambda: read_log(ask, limit)) if limit > 0 else None
        if read is None:
            return None
        log, note = read
        self._found.notes += [f"{name}: {note}"] if note else []
        return log

    def _keep(self, log: Log | None, name: str | None = None) -> int:
        if log is None:
            return 0
        self._found.logs.append(Log(name=name or log.name, text=log.text, whole=log.whole, url=log.url))
        return len(log.text.encode())

    def _look_for_timeout(self, log: Log) -> None:
        """The build-timeout plug-in tells of itself in the console only, whatever result it is told to set."""
        cancelled = self._build.outcome is Outcome.CANCELLED
        words = timeout_in(log.text, cancelled=cancelled)
        if words is not None and self._found.outcome is None:
            self._found.outcome, self._found.reason = Outcome.TIMEOUT, words

    def _failed_parts(self) -> list[Part]:
        return [part for part in failed_of(self._parts) if part.place][:_PARTS_READ]

    def _tell_log_of(self, part: Part, limit: int) -> int:
        """The console of a failed part, or of what failed within it: a multijob writes little itself."""
        name, ask = part.name, self._ask.at(part.place or "")
        for _ in range(_DEEPEST):
            inner = self._found.part(f"parts of {name}", partial(_failed_within, ask, part)) if part.is_job else None
            if inner is None:
                break
            part, name, ask = inner, f"{name} / {inner.name}", self._ask.at(inner.place or "")
            self._found.runner = part.runner or self._found.runner
        return self._keep(self._read(f"log of {name}", ask, limit), name)

    def _tell_changes(self, raw: Mapping[str, Any]) -> None:
        place = self._ask.place.rstrip("/").rpartition("/")[0] + "/"
        job = self._ask.at(place)
        read = self._found.part("changes", lambda: read_changes(job, self._build, self._wanted.since, raw))
        if read is not None:
            self._found.changes, note = read
            self._found.notes += [f"changes: {note}"] if note else []


def _failed_within(ask: Asker, part: Part) -> Part | None:
    parts = parts_of(ask.tree(f"number,{_PARTS}"), part.number)
    return next((each for each in failed_of(parts) if each.place), None)


def _waited(raw: Mapping[str, Any]) -> list[str]:
    """What a build waited for before it began, when it waited long and the metrics plug-in tells."""
    for action in raw.get("actions") or ():
        spent = [action.get(f"{name}DurationMillis") for name in ("queuing", "buildable", "blocked")] if action else []
        if spent and all(type(each) is int and each >= 0 for each in spent):
            whole, executor, blocked = (timedelta(milliseconds=each) for each in spent)
            if whole >= _LONG_WAIT:
                return [f"queue: it waited {format_duration(whole)}{_what_for(executor, blocked)}"]
    return []


def _what_for(executor: timedelta, blocked: timedelta) -> str:
    if max(executor, blocked) < _LONG_WAIT:
        return ""
    return ", mostly for an executor" if executor >= blocked else ", mostly blocked by other builds"
