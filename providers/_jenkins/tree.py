"""The heartbeat: one small request that tells of every job whether anything moved.

Only fields that cost the server next to nothing: no `builds` (it loads a hundred build records, whatever the range),
no `color`, no `healthReport`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from providers._base import ProviderError, Trouble, Unavailable
from providers._jenkins.client import JenkinsClient
from providers._jenkins.names import path_of

PAGE_OF_JOBS: Final = 2000  # jobs of one folder in one request
MAX_DEPTH: Final = 8  # levels in one request; what lies deeper costs a request per folder
MAX_FOLDER_REQUESTS: Final = 200

_JOB_FIELDS: Final = (
    "_class,name,fullName,buildable,nextBuildNumber,"
    "lastBuild[number,building,inProgress,timestamp],lastCompletedBuild[number]"
)


class Job(NamedTuple):
    """A job as the heartbeat shows it. A branch job has the full name of its multibranch project."""

    full_name: str
    project: str | None
    next_number: int
    last: int  # number of the newest build; 0: none
    last_at: int  # its timestamp in milliseconds; 0: none
    last_runs: bool
    completed: int | None  # number of the newest build that is not running; 0: none, None: not told
    buildable: bool = True  # False: disabled; a branch job whose branch is gone and that is kept for a while


@dataclass(slots=True)
class Folder:
    """A folder, an organization, or a multibranch project, with what it holds in the server's order."""

    full_name: str  # "" for the server itself
    is_project: bool = False
    items: "list[Job | Folder]" = field(default_factory=list)

    def jobs(self) -> Iterator[Job]:
        """All jobs in here, at any depth."""
        for item in self.items:
            if isinstance(item, Job):
                yield item
            else:
                yield from item.jobs()

    def projects(self) -> Iterator[str]:
        """Full names of all multibranch projects in here, also of those without branches."""
        for item in self.items:
            if isinstance(item, Folder):
                if item.is_project:
                    yield item.full_name
                yield from item.projects()


def nested(fields: str, depth: int, stop: int = PAGE_OF_JOBS, start: int = 0) -> str:
    """A tree of jobs with these fields, `depth` levels deep, whose top level is cut to {start,stop}."""
    inner = f",{nested(fields, depth - 1)}" if depth > 1 else ""
    return f"jobs[{fields}{inner}]{{{start},{stop}}}"


def read_jobs(client: JenkinsClient, *, depth: int, reaches_into: Callable[[str], bool]) -> Folder:
    """Everything below the server's URL, in one request down to `depth` levels.

    Deeper folders, and folders of more than 2,000 jobs, cost one more request each, and only when
    `reaches_into(full name)` says that something inside matters.

    Raises:
        Unavailable, Refused: as `JenkinsClient.get` does.
    """
    return _Walk(client, min(max(depth, 1), MAX_DEPTH), reaches_into).server()


class _Walk:
    def __init__(self, client: JenkinsClient, depth: int, reaches_into: Callable[[str], bool]) -> None:
        self._client = client
        self._depth = depth
        self._reaches_into = reaches_into
        self._left = MAX_FOLDER_REQUESTS

    def server(self) -> Folder:
        root = Folder("")
        answer = self._client.get("", nested(_JOB_FIELDS, self._depth))
        if not isinstance(answer.get("jobs"), list):
            raise Unavailable(Trouble.NOT_JSON, f"{self._client.url} answered without a list of jobs; is it a Jenkins?")
        self._fill(root, answer["jobs"])
        return root

    def _fill(self, folder: Folder, listing: list[Any]) -> None:
        for raw in listing:
            item = self._item(raw, folder)
            if item is not None:
                folder.items.append(item)
        start = PAGE_OF_JOBS
        while len(listing) == PAGE_OF_JOBS:
            listing = self._asked(folder.full_name, start)
            folder.items.extend(item for raw in listing if (item := self._item(raw, folder)) is not None)
            start += PAGE_OF_JOBS

    def _item(self, raw: Any, parent: Folder) -> Job | Folder | None:
        name = raw.get("name") if isinstance(raw, dict) else None
        if not isinstance(name, str) or not name:
            return None
        full_name = raw.get("fullName")
        if not isinstance(full_name, str) or not full_name:
            full_name = f"{parent.full_name}/{name}" if parent.full_name else name
        if not _is_writable(full_name):
            return None
        if "jobs" not in raw and ("nextBuildNumber" in raw or "lastBuild" in raw):
            return _job(raw, full_name, parent.full_name if parent.is_project else None)
        folder = Folder(full_name, "multibranchproject" in str(raw.get("_class")).lower())
        listing = raw.get("jobs")
        if isinstance(listing, list):
            self._fill(folder, listing)
        elif self._reaches_into(full_name):
            self._fill(folder, self._asked(full_name, 0))
        return folder

    def _asked(self, folder: str, start: int) -> list[Any]:
        """The jobs of a folder that the heartbeat did not reach. One that has gone meanwhile is empty."""
        self._left -= 1
        if self._left < 0:
            raise Unavailable(
                Trouble.TOO_LARGE,
                f"{self._client.url} has more than {MAX_FOLDER_REQUESTS} folders that are nested too deep for one "
                "request; name the folders in config.yaml instead of **",
            )
        fields = nested(_JOB_FIELDS, self._depth, start + PAGE_OF_JOBS, start)
        try:
            listing = self._client.get(path_of(folder) if folder else "", fields).get("jobs")
        except ProviderError as error:
            if error.trouble is Trouble.NOT_FOUND:
                return []
            raise
        return listing if isinstance(listing, list) else []


def _job(raw: dict[str, Any], full_name: str, project: str | None) -> Job:
    last = _object(raw.get("lastBuild"))
    number = _whole(last.get("number"))
    return Job(
        full_name,
        project,
        _whole(raw.get("nextBuildNumber")) or number + 1,
        number,
        _whole(last.get("timestamp")),
        bool(last.get("building") or last.get("inProgress")),
        _whole(_object(raw["lastCompletedBuild"]).get("number")) if "lastCompletedBuild" in raw else None,
        raw.get("buildable") is not False,
    )


def _is_writable(name: str) -> bool:
    """No job is called by NUL or a lone surrogate, which reads as U+FFFD; nothing could store or ask for it."""
    return "\ufffd" not in name and "\0" not in name


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int:
    return value if type(value) is int and value > 0 else 0
