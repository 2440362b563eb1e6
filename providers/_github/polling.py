"""One poll of one repository: what is new since its cursor.

The list of runs is read without filters, which are served by a search index that lags. A 304 on its first
page does not prove that nothing happened to a run on the third: runs that have not ended are asked for by id.
"""

import logging
import random
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote

from domain.build import Build, Pipeline
from providers._base import Cursor, Page, ProviderError, Refused, Trouble, Unavailable
from providers._github.client import PAGE, Client, Reply
from providers._github.collection import PASSING, Collection, Wanted
from providers._github.reruns import LOOK_EVERY, due, still_allowed
from providers._github.runs import DELETED, created_at, is_over, pipeline_key, run_id
from providers._github.state import CURSOR, RepositoryState, tag_json, tag_of
from providers._http import CALL_SECONDS

POLL_SECONDS: Final = 110.0  # of the 120 that a poll may take
OVERLAP: Final = timedelta(hours=2)  # how far behind the list may lag
DESCRIBE_EVERY: Final = timedelta(days=1)
CONFIRMATIONS: Final = 3  # 404s until a repository or a run counts as gone
_MAX_PAGES: Final = 100
_MAX_OPEN: Final = 100  # runs asked for by id in one poll; the others next time

Found = TypeVar("Found")

_log = logging.getLogger(__name__)


class RepositoryPoll:
    """Reads one repository once.

    Args:
        client: The way to GitHub.
        wanted: Which workflows count, and where they live.
        repository: `owner/name` as configured.
        cursors: Of the target.
        now: Aware UTC.
    """

    def __init__(
        self, client: Client, wanted: Wanted, repository: str, cursors: Mapping[str, Cursor], now: datetime
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._configured = repository
        self._now = now
        self._deadline = time.monotonic() + POLL_SECONDS
        self._state = RepositoryState.load(cursors.get(CURSOR))
        self._collection = Collection(client, wanted, repository, self._state)
        self._changed = False
        asked_for = list(wanted.workflows(repository))
        self._unmet: set[str] = set()  # workflows that config.yaml names, to look for now
        if self._state.wanted != asked_for:  # runs of a new workflow stand on an unchanged page
            self._state.wanted, self._state.tag, self._changed = asked_for, None, True
            self._unmet = _literal(asked_for)
        self._met: list[Pipeline] = []  # without a run
        self._is_back = False  # after it was missing, or nearly
        self._old_name: str | None = None  # when it has got another one since

    def pages(self) -> Iterator[Page]:
        """Oldest build first; the last page carries the cursor. Nothing at all when nothing happened."""
        if self._is_due(self._state.described_at, DESCRIBE_EVERY) and not self._describe():
            yield from self._gone()
            return
        first = self._list(1, None, tag=True)
        if not first.found:
            yield from self._gone()
            return
        if first.moved:
            self._describe()
        self._is_back = self._state.misses > 0
        self._state.misses = 0
        if not first.unchanged:
            self._read_list(first)
        try:
            self._read_open()
            self._read_unhappy()
            self._collection.fetch_earlier_attempts(self._deadline)
            if self._collection.look_into_unclear(self._now, self._deadline):
                self._changed = True
            self._meet_workflows()
        except ProviderError:
            self._state.tag = None  # what was read is kept, and read again together with the rest
            yield from self._delivered()
            raise
        yield from self._delivered()

    # ---- the repository itself

    def _describe(self) -> bool:
        """Read its name, id and default branch; False when it is not there.

        A repository that was renamed or transferred is the same one as before: GitHub redirects to its numeric
        id, and the keys of its pipelines stay as configured, so that their history and alerts go on.
        """
        reply = self._get(f"/repos/{self._state.repository or self._configured}", may_be_gone=True)
        if not reply.found:
            return False
        found, state = reply.json(), self._state
        name = found.get("full_name") if isinstance(found, dict) else None
        if not isinstance(name, str) or name.count("/") != 1:
            raise Unavailable(Trouble.SUSPICIOUS, f"GitHub describes {self._configured} without a name")
        before = state.repository or self._configured
        if name.casefold() != before.casefold():
            self._old_name = before
        state.repository, state.repository_id = name, found.get("id")
        branch = found.get("default_branch")
        state.branch = branch if isinstance(branch, str) else None
        state.described_at = self._now.isoformat()
        self._unmet = _literal(state.wanted)
        self._changed = True
        return True

    def _tell_of_new_name(self, old: str) -> None:
        """Once: the page that follows carries the new name to the cursor."""
        name = self._state.repository
        if name.casefold() != self._configured.casefold():
            _log.warning(
                "repository was renamed provider=%s from=%s to=%s: config.yaml should name the new one",
                self._wanted.provider,
                old,
                name,
            )

    def _gone(self) -> Iterator[Page]:
        """404: believed after three in a row, and only while the credentials work."""
        self._get("/rate_limit", may_be_gone=True)  # free; 404 where limits are off, 401 for a bad token
        state = self._state
        state.misses += 1
        name = state.repository or self._configured
        text = f"the repository {name} is not on GitHub, or the token may not see it"
        if state.misses < CONFIRMATIONS:
            yield Page(cursors={CURSOR: state.dump()})
            raise Unavailable(Trouble.NOT_FOUND, text)
        if not state.workflows:
            raise Refused(Trouble.NOT_FOUND, text + ": check `repo` in config.yaml")
        if state.misses == CONFIRMATIONS:
            missing = [pipeline_key(self._configured, path) for path in state.workflows]
            yield Page(missing=missing, cursors={CURSOR: state.dump()})

    # ---- the list

    def _list(self, number: int, query: Mapping[str, str] | None, *, tag: bool = False) -> Reply:
        path = f"/repos/{self._state.repository}/actions/runs"
        asked = query or {"per_page": str(PAGE), "exclude_pull_requests": "true"}
        stored = tag_of(self._state.tag) if tag else None
        return self._get(path, asked, tag=stored, may_be_gone=number == 1)

    def _read_list(self, first: Reply) -> None:
        """All pages until one shows a run that was known, had ended and is older than the overlap."""
        state, reply, number = self._state, first, 1
        seen: list[int] = []
        while True:
            runs = _runs_of(reply)
            seen += [found for found in map(run_id, runs) if found is not None]
            done = self._reaches_known(runs)
            self._collection.take_page(runs)
            if number == 1:
                state.tag, state.floor = tag_json(first.tag), min(seen, default=0)
            if done or reply.next_query is None or state.newest is None:
                break
            if number == _MAX_PAGES or self._is_late():
                _log.warning("too many new runs: `buildwatch backfill` reads the rest repository=%s", state.repository)
                break
            number += 1
            reply = self._list(number, reply.next_query)
        state.newest = max([state.newest or 0, *seen])
        state.read_at = self._now.isoformat()
        state.looked_at = state.looked_at or state.read_at
        self._changed = True

    def _reaches_known(self, runs: list[Any]) -> bool:
        state = self._state
        if state.newest is None or state.read_at is None:
            return True  # first contact: one page is the baseline
        horizon = datetime.fromisoformat(state.read_at) - OVERLAP
        going_on = state.open_ids()
        for run in runs:
            number = run_id(run)
            if number is None or number > state.newest or number in going_on or not is_over(run):
                continue
            created = created_at(run)
            if created is not None and created < horizon:
                return True
        return False

    # ---- single runs

    def _read_open(self) -> None:
        """Ask by id for every run that goes on, unless the list has just shown it."""
        fresh = self._collection.seen
        waiting = [entry for entry in self._state.open if entry["run"]["id"] not in fresh]
        for entry in _some(waiting, _MAX_OPEN):
            if self._is_late():
                break
            reply = self._run(entry["run"]["id"], entry.get("tag"))
            if reply is None or reply.unchanged:
                continue
            self._changed = True
            if reply.found:
                self._collection.take(reply.json(), tag=reply.tag)
            else:
                self._lose(entry)

    def _lose(self, entry: dict[str, Any]) -> None:
        """A run answers 404 while its repository is there: somebody deleted it."""
        entry["misses"] = entry.get("misses", 0) + 1
        if entry["misses"] >= CONFIRMATIONS:
            self._collection.take({**entry["run"], "status": "completed", "conclusion": DELETED})

    def _read_unhappy(self) -> None:
        """Look slowly for re-runs of what did not succeed, as far as page 1 would not show them."""
        state, fresh, now = self._state, self._collection.seen, self._now.isoformat()
        state.unhappy = still_allowed(state.unhappy, self._now)
        for entry in state.unhappy:
            if entry["id"] in fresh:
                entry["seen_at"] = now
        waiting = due(state.unhappy, state.floor, self._now)
        if not waiting or not self._is_due(state.looked_at, LOOK_EVERY):
            return
        state.looked_at, self._changed = now, True
        for entry in waiting:
            if self._is_late():
                break
            reply = self._run(entry["id"], entry.get("tag"))
            entry["seen_at"] = now
            if reply is None or reply.unchanged:
                continue
            if reply.found:
                self._collection.take(reply.json(), tag=reply.tag)
            else:
                state.unwatch(entry["id"])

    def _run(self, number: int, tag: Mapping[str, str] | None) -> Reply | None:
        """One run by its id; None when just this answer is bad: one run must not stop its repository."""
        path = f"/repos/{self._state.repository}/actions/runs/{number}"
        try:
            reply = self._get(path, {"exclude_pull_requests": "true"}, tag=tag_of(tag), may_be_gone=True)
            if reply.found and not reply.unchanged:
                reply.json()
        except Unavailable as error:
            if error.trouble not in PASSING:
                raise
            _log.warning("run not read, asking again next time run=%s problem=%s", number, error)
            return None
        return reply

    # ---- workflows

    def _meet_workflows(self) -> None:
        """Look once a day for those that config.yaml names and no run has shown: one that never runs is late, too."""
        for name in sorted(self._unmet):
            known = any(name in {path, path.rpartition("/")[2]} for path in self._state.workflows)
            if known or self._is_late() or not self._client.has_room():
                continue
            path = f"/repos/{self._state.repository}/actions/workflows/{quote(name.rpartition('/')[2])}"
            try:
                reply = self._get(path, may_be_gone=True)
                found = self._collection.meet(reply.json()) if reply.found else None
            except Unavailable as error:
                if error.trouble not in PASSING:
                    raise
                _log.warning("workflow not read, asking again tomorrow workflow=%s problem=%s", name, error)
                continue
            if found is None:
                text = "no such workflow: check `workflow` in config.yaml repository=%s workflow=%s"
                _log.warning(text, self._state.repository, name)
            else:
                self._met.append(found)

    # ---- the rest

    def _delivered(self) -> Iterator[Page]:
        builds, unreadable = self._collection.builds(), tuple(self._collection.unreadable)
        if self._old_name is not None:
            self._tell_of_new_name(self._old_name)
        if self._is_back or self._old_name is not None:
            yield Page(pipelines=self._collection.known_pipelines())
        if self._met:
            yield Page(pipelines=self._met)
        # first contact in one page, or what failed long ago would be news to whoever sees the second
        cut = 0 if self._collection.first_contact else max(len(builds) - 1, 0) // PAGE * PAGE
        for start in range(0, cut, PAGE):
            yield Page(builds=builds[start : start + PAGE], pipelines=_pipelines(builds[start : start + PAGE]))
        if builds or unreadable or self._changed or self._is_back:
            last = builds[cut:]
            cursors = {CURSOR: self._state.dump()}
            yield Page(builds=last, pipelines=_pipelines(last), unreadable=unreadable, cursors=cursors)

    def _get(self, path: str, query: Mapping[str, str] | None = None, **options: Any) -> Reply:
        return self._client.get(path, query, deadline=self._deadline, **options)

    def _is_late(self) -> bool:
        """Whether a call that begins now could end after the poll has to."""
        return time.monotonic() >= self._deadline - CALL_SECONDS

    def _is_due(self, last: str | None, every: timedelta) -> bool:
        """Also when our clock was set back since."""
        return last is None or abs(self._now - datetime.fromisoformat(last)) >= every


def _runs_of(reply: Reply) -> list[Any]:
    body = reply.json()
    runs = body.get("workflow_runs") if isinstance(body, dict) else None
    if not isinstance(runs, list):
        raise Unavailable(Trouble.NOT_JSON, "GitHub answered a list of runs without `workflow_runs`")
    return runs


def _some(entries: list[Found], most: int) -> list[Found]:
    """All, or a fair choice of so many: over some polls everybody has a turn."""
    return entries if len(entries) <= most else random.sample(entries, most)


def _literal(workflows: list[str]) -> set[str]:
    """Those that are named, not described by a pattern."""
    return {name for name in workflows if not set("*?[") & set(name)}


def _pipelines(builds: list[Build]) -> tuple[Pipeline, ...]:
    return tuple({build.pipeline.key: build.pipeline for build in builds}.values())
