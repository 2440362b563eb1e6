"""History of one repository, window by window, resumable after each page."""

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from domain.build import Status
from providers._base import Cursor, Page, Trouble, Unavailable
from providers._github.client import Client, Reply
from providers._github.collection import Collection, Wanted
from providers._github.runs import workflow_name
from providers._github.state import RepositoryState
from providers._github.survey import workflows_of

BACKFILL: Final = "backfill"
_SHOWN_AT_MOST: Final = 1000  # GitHub shows no more of a filtered list, whatever its total_count
_AIM: Final = 700  # runs a window should hold
_SECOND: Final = timedelta(seconds=1)
_DEADLINE: Final = float("inf")  # each call has its own 30 seconds; a backfill takes as long as it takes

_log = logging.getLogger(__name__)


class RepositoryBackfill:
    """Reads the runs created since a moment, oldest window first, by the `created` filter.

    A window that holds 1,000 runs or more is made smaller until GitHub shows it whole.
    """

    def __init__(self, client: Client, wanted: Wanted, repository: str, cursor: Cursor, now: datetime) -> None:
        self._client = client
        self._wanted = wanted
        self._repository = repository
        self._cursor = cursor
        self._until = now
        self._names: dict[str, str] = {}  # of workflows today: an old run must not bring back an old name

    def pages(self, since: datetime) -> Iterator[Page]:
        """From `since`, or from where an earlier backfill with the same or an earlier beginning stopped."""
        begin, position = self._resume(since)
        name, branch = self._described()
        self._names = self._names_today(name)
        width = self._until - position
        while position <= self._until:
            end = min(position + width, self._until)
            first = self._window(name, position, end, None)
            total = _total(first)
            if total >= _SHOWN_AT_MOST and end - position > _SECOND:
                width = max((end - position) * (_AIM / total), _SECOND)
                continue
            if total >= _SHOWN_AT_MOST:
                _log.warning("more than 1,000 runs in a second: the rest is not read at=%s", position)
            runs = self._whole(name, position, end, first)
            width = max((end - position) * min(_AIM / max(total, 1), 8.0), _SECOND)
            position = end + _SECOND  # both ends count, in whole seconds
            yield self._page(name, branch, runs, begin, position)
        yield Page(cursors={BACKFILL: None}, progress=1.0)

    def _resume(self, since: datetime) -> tuple[datetime, datetime]:
        since = since.replace(microsecond=0)
        try:
            begin, position = (datetime.fromisoformat(self._cursor[name]) for name in ("since", "position"))
        except (KeyError, TypeError, ValueError):
            return since, since
        return (begin, max(position, since)) if begin <= since else (since, since)

    def _described(self) -> tuple[str, str | None]:
        """The repository's name as GitHub spells it today, and its default branch."""
        found = self._client.get(f"/repos/{self._repository}").json()
        try:
            return str(found["full_name"]), found.get("default_branch")
        except (KeyError, TypeError):
            raise Unavailable(Trouble.SUSPICIOUS, f"GitHub describes {self._repository} without a name") from None

    def _names_today(self, name: str) -> dict[str, str]:
        found = {str(each["path"]): each for each in workflows_of(self._client, name)}
        return {path: workflow_name(each, path) or "" for path, each in found.items()}

    def _window(self, name: str, start: datetime, end: datetime, following: Mapping[str, str] | None) -> Reply:
        created = f"{_github_time(start)}..{_github_time(end)}"
        query = following or {"per_page": "100", "exclude_pull_requests": "true", "created": created}
        return self._client.get(f"/repos/{name}/actions/runs", query)

    def _whole(self, name: str, start: datetime, end: datetime, first: Reply) -> Iterator[Any]:
        reply = first
        while True:
            yield from _runs(reply)
            if reply.next_query is None:
                return
            reply = self._window(name, start, end, reply.next_query)

    def _page(self, name: str, branch: str | None, runs: Iterator[Any], begin: datetime, done: datetime) -> Page:
        # what goes on still is left to polling, which follows it to its end; nobody would follow it here
        state = RepositoryState(repository=name, branch=branch, newest=0, workflows=self._names)
        collection = Collection(self._client, self._wanted, self._repository, state)
        for run in runs:
            collection.take(run)
        collection.fetch_earlier_attempts(_DEADLINE)
        builds = [build for build in collection.builds() if build.status is Status.FINISHED]
        return Page(
            builds=builds,
            pipelines=tuple({build.pipeline.key: build.pipeline for build in builds}.values()),
            unreadable=tuple(collection.unreadable),
            cursors={BACKFILL: {"since": begin.isoformat(), "position": done.isoformat()}},
            progress=min((done - begin) / max(self._until - begin, _SECOND), 1.0),
        )


def _github_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _total(reply: Reply) -> int:
    body = reply.json()
    total = body.get("total_count") if isinstance(body, dict) else None
    if not isinstance(total, int):
        raise Unavailable(Trouble.NOT_JSON, "GitHub answered a list of runs without `total_count`")
    return total


def _runs(reply: Reply) -> list[Any]:
    found = reply.json().get("workflow_runs")
    return found if isinstance(found, list) else []
