"""What one poll of a repository has found so far: builds, and what became of the runs that are followed."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from domain.build import Build, Pipeline, Status
from providers._base import ProviderError, Trouble, Unavailable, Unreadable
from providers._github.client import Client, Tag
from providers._github.inquiry import Inquiry, is_unclear
from providers._github.reruns import worth_watching
from providers._github.runs import (
    Run,
    attempt_of,
    created_at,
    is_over,
    kept,
    moment,
    pipeline_key,
    pipeline_of,
    run_id,
    to_build,
    unreadable,
    workflow_name,
    workflow_path,
)
from providers._github.state import RepositoryState
from providers._http import CALL_SECONDS

PASSING: Final = frozenset(Trouble) - {Trouble.AUTH, Trouble.RATE_LIMIT, Trouble.PACED}
"""Troubles of one answer that need not be those of the others: a single run must not stop its repository."""

_ATTEMPTS_EACH: Final = 10
_ATTEMPTS_PER_POLL: Final = 50
_ATTEMPTS_AT_FIRST: Final = 10
_LOOKED_INTO_PER_POLL: Final = 10
_PATIENCE: Final = 5.0  # seconds with one of them: the whole page waits, failures to be told among it
_WORTH_ASKING: Final = timedelta(days=1)  # after the end of a run
_ASKED_AGAIN: Final = timedelta(minutes=5)  # when it could not be told
_BROKEN: Final = (AttributeError, KeyError, TypeError, ValueError, OverflowError)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What config.yaml asks for: `matches` takes a pipeline key with the configured name of the repository."""

    provider: str
    web_url: str
    matches: Callable[[str], bool]
    workflows: Callable[[str], Sequence[str]]  # of a repository, in the words of config.yaml
    dressed: Callable[[Pipeline], Pipeline]  # with the labels and the name that config.yaml gives it
    labelled: Callable[[Build], Build]  # with the labels that are read off it


class Collection:
    """Takes runs, keeps builds, and moves the state of the repository along.

    Args:
        client: The way to GitHub.
        wanted: Which workflows count, and where they live.
        repository: `owner/name` as the target has it: what the keys of its pipelines begin with.
        state: Of the repository, which may have another name by now.
    """

    def __init__(self, client: Client, wanted: Wanted, repository: str, state: RepositoryState) -> None:
        self._client = client
        self._wanted = wanted
        self._configured = repository
        self._state = state
        self.first_contact = state.newest is None
        self._known = tuple(state.workflows)
        self._builds: dict[tuple[int, int], Build] = {}
        self._pipelines: dict[str, Pipeline] = {}
        self._named: set[str] = set()  # workflows whose newest run has told its name
        self._reruns: dict[int, int] = {}  # run → its attempt, where earlier ones may be unknown
        self.seen: set[int] = set()
        self.unreadable: list[Unreadable] = []

    def builds(self) -> list[Build]:
        """Everything found, oldest first, earlier attempts before later ones."""
        return [self._builds[key] for key in sorted(self._builds)]

    def known_pipelines(self) -> tuple[Pipeline, ...]:
        """All workflows that this repository was seen to have by earlier polls.

        Not those that are new: the page with their first builds has to be the first that shows them.
        """
        return tuple(self._pipeline(path) for path in self._known)

    def take_page(self, runs: Sequence[object]) -> None:
        """Note a page of the list, newest run first: where runs of a workflow disagree on its name, the newest wins."""
        for run in runs:
            if isinstance(run, Mapping):
                self._learn_name(run)
        for run in runs:
            self.take(run)

    def _learn_name(self, run: Run) -> None:
        path = workflow_path(run) or self._state.paths.get(str(run.get("workflow_id")))
        name = workflow_name(run, path) if path else None
        if path and name and path not in self._named and self._is_wanted(path):
            self._named.add(path)
            self._state.workflows[path] = name

    def take(self, run: object, *, tag: Tag | None = None) -> None:
        """Note a run as the list or its own URL shows it.

        Args:
            run: Anything; what is not a run becomes an Unreadable.
            tag: Of its own URL, to ask again for nothing.
        """
        number = run_id(run)
        build = self._note(run)
        if number is None or not isinstance(run, Mapping):
            return
        self.seen.add(number)
        if build is None:
            if is_over(run):
                self._state.settle(number)
            return
        if self._is_stale(run, number):
            return
        self._follow(run, build, number, tag)
        if build.attempt > max(self._state.attempts.get(str(number), 1), 1):
            self._reruns[number] = build.attempt

    def fetch_earlier_attempts(self, deadline: float) -> None:
        """The attempts before those that were met: a re-run replaces the run that failed in every list."""
        budget = _ATTEMPTS_AT_FIRST if self.first_contact else _ATTEMPTS_PER_POLL
        for number, attempt in sorted(self._reruns.items(), reverse=True):
            unknown = list(range(max(self._state.attempts.get(str(number), 1), 1), attempt))[-_ATTEMPTS_EACH:]
            budget -= len(unknown)
            if budget < 0:
                return
            for earlier in unknown:
                self._fetch_attempt(number, earlier, deadline)
            self._state.attempts[str(number)] = attempt

    def _fetch_attempt(self, number: int, attempt: int, deadline: float) -> None:
        path = f"/repos/{self._state.repository}/actions/runs/{number}/attempts/{attempt}"
        try:
            reply = self._client.get(path, {"exclude_pull_requests": "true"}, may_be_gone=True, deadline=deadline)
            if reply.found:
                self._note(reply.json())
        except Unavailable as error:
            if error.trouble not in PASSING:
                raise
            _log.warning("earlier attempt not read run=%s attempt=%s problem=%s", number, attempt, error)

    def look_into_unclear(self, now: datetime, deadline: float) -> bool:
        """Ask why runs were cancelled or failed, the cancelled ones first. Returns whether anything was asked.

        This costs requests, and so some runs wait for a later poll: meanwhile they are what their conclusion says.
        No trouble here ever keeps a build from being told.
        """
        state = self._state
        state.unclear = [entry for entry in state.unclear if _is_recent(entry["run"], now)]
        waiting = [entry for entry in state.unclear if _is_due(entry, now)]
        waiting.sort(key=lambda entry: (entry["run"].get("conclusion") != "cancelled", -entry["run"]["id"]))
        for asked, entry in enumerate(waiting[:_LOOKED_INTO_PER_POLL]):
            if not self._client.has_room() or time.monotonic() >= deadline - CALL_SECONDS:
                return asked > 0
            until = min(deadline, time.monotonic() + _PATIENCE)
            try:
                self._look_into(entry, Inquiry(self._client, state.repository, until))
            except ProviderError as error:
                entry["asked_at"] = now.isoformat()
                _log.warning("cause not read, asking again later run=%s problem=%s", entry["run"]["id"], error)
                return True
        return bool(waiting)

    def _look_into(self, entry: dict[str, Any], inquiry: Inquiry) -> None:
        state, run = self._state, entry["run"]
        path = workflow_path(run) or self._path_by_id(run)
        build = self._wanted.labelled(to_build(run, self._pipeline(path)))
        cause = inquiry.cause(build)
        state.unclear.remove(entry)
        state.clear.append(_name_of(build))
        if cause is None:
            return
        build = replace(build, outcome=cause.outcome, reason=cause.reason)
        self._builds[int(build.external_id), build.attempt] = build
        unhappy = worth_watching(build, created_at(run))
        if unhappy is not None and any(each["id"] == unhappy["id"] for each in state.unhappy):
            state.watch_for_rerun(unhappy, None)

    def _is_wanted(self, path: str) -> bool:
        return self._wanted.matches(f"{self._configured}/{path}")

    def _note(self, run: object) -> Build | None:
        """The run as a build, if it is wanted and makes sense."""
        try:
            if not isinstance(run, Mapping):
                message = f"a run is an object, not {type(run).__name__}"
                raise TypeError(message)
            path = workflow_path(run) or self._path_by_id(run)
            if not self._is_wanted(path):
                return None
            if not self._state.workflows.get(path):
                self._state.workflows[path] = workflow_name(run, path) or ""
            build = self._wanted.labelled(to_build(run, self._pipeline(path)))
        except _BROKEN as error:
            self.unreadable.append(unreadable(run, self._configured, error))
            return None
        self._builds[int(build.external_id), build.attempt] = build
        if is_unclear(build) and _name_of(build) not in self._state.clear:
            self._state.wonder(kept(run))
        return build

    def meet(self, workflow: object) -> Pipeline | None:
        """The pipeline of a workflow that has not run yet, from GitHub's JSON; None when it is not wanted."""
        path = workflow_path(workflow) if isinstance(workflow, Mapping) else None
        if path is None or not isinstance(workflow, Mapping) or not self._is_wanted(path):
            return None
        self._state.workflows.setdefault(path, workflow_name(workflow, path) or "")
        return self._pipeline(path)

    def _pipeline(self, path: str) -> Pipeline:
        state = self._state
        if path not in self._pipelines:
            found = pipeline_of(
                state.workflows[path],
                key=pipeline_key(self._configured, path),
                provider=self._wanted.provider,
                repository=state.repository,
                path=path,
                web_url=self._wanted.web_url,
                branch=state.branch,
            )
            self._pipelines[path] = self._wanted.dressed(found)
        return self._pipelines[path]

    def _path_by_id(self, run: Run) -> str:
        """Servers before 2022 do not say the path of a run's workflow: asked for once."""
        workflow = str(run["workflow_id"])
        if workflow not in self._state.paths:
            reply = self._client.get(f"/repos/{self._state.repository}/actions/workflows/{workflow}", may_be_gone=True)
            found = workflow_path(reply.json()) if reply.found else None
            self._state.paths[workflow] = found or f"workflows/{workflow}"
        return self._state.paths[workflow]

    def _is_stale(self, run: Run, number: int) -> bool:
        """Whether a later attempt of the run is followed already: lists lag behind."""
        return any(
            entry["run"]["id"] == number and attempt_of(entry["run"]) > attempt_of(run) for entry in self._state.open
        )

    def _follow(self, run: Run, build: Build, number: int, tag: Tag | None) -> None:
        state = self._state
        if build.status is not Status.FINISHED:
            state.unwatch(number)
            state.follow(kept(run), tag)
            return
        state.settle(number)
        unhappy = worth_watching(build, created_at(run))
        if unhappy is None:
            state.unwatch(number)
        else:
            state.watch_for_rerun(unhappy, tag)


def _name_of(build: Build) -> str:
    return f"{build.external_id}.{build.attempt}"


def _is_recent(run: Run, now: datetime) -> bool:
    ended = moment(run.get("updated_at"))
    return ended is not None and abs(now - ended) < _WORTH_ASKING


def _is_due(entry: Mapping[str, Any], now: datetime) -> bool:
    """Also when our clock was set back since."""
    asked = entry.get("asked_at")
    return asked is None or abs(now - datetime.fromisoformat(asked)) >= _ASKED_AGAIN
