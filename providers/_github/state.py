"""What buildwatch remembers of one repository between two polls: the cursor, as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Self

from providers._github.client import Tag
from providers._github.reruns import Unhappy
from providers._github.runs import Run

CURSOR: Final = "repository"
_REMEMBERED_ATTEMPTS: Final = 200
_REMEMBERED_UNCLEAR: Final = 50
_REMEMBERED_CLEAR: Final = 300


@dataclass(slots=True, kw_only=True)
class RepositoryState:
    """Times are ISO 8601 texts in UTC, ids are texts where they are keys: JSON knows nothing else."""

    repository: str = ""  # owner/name as GitHub spells it today
    repository_id: int | None = None
    branch: str | None = None  # the default branch
    described_at: str | None = None  # when those three were read
    tag: dict[str, str] | None = None  # of page 1
    wanted: list[str] = field(default_factory=list)  # the workflows that were asked for when it was read
    newest: int | None = None  # every run up to this id was seen; None: never read
    floor: int = 0  # the lowest run id on page 1: what happens above it changes the page's ETag
    read_at: str | None = None  # when the list was last read (not answered by 304)
    open: list[dict[str, Any]] = field(default_factory=list)  # {run, tag?, misses?}
    unhappy: list[Unhappy] = field(default_factory=list)  # what somebody may run again
    looked_at: str | None = None  # when some of those were last asked for
    attempts: dict[str, int] = field(default_factory=dict)  # run id → attempts up to this one were seen
    unclear: list[dict[str, Any]] = field(default_factory=list)  # {run, asked_at?}: ended, and nobody knows why
    clear: list[str] = field(default_factory=list)  # `run.attempt` of those that were looked into
    workflows: dict[str, str] = field(default_factory=dict)  # path → name; "" as long as no run told it
    paths: dict[str, str] = field(default_factory=dict)  # workflow id → path, where runs do not say (old servers)
    misses: int = 0  # 404s in a row

    @classmethod
    def load(cls, cursor: Mapping[str, Any] | None) -> Self:
        """From a cursor; what a later or earlier version wrote into it besides is dropped."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in (cursor or {}).items() if name in known})

    def dump(self) -> dict[str, Any]:
        """As a cursor."""
        newest = sorted(self.attempts, key=int)[-_REMEMBERED_ATTEMPTS:]
        self.attempts = {run: self.attempts[run] for run in newest}
        self.unclear = self.unclear[-_REMEMBERED_UNCLEAR:]
        self.clear = self.clear[-_REMEMBERED_CLEAR:]
        return asdict(self)

    def open_ids(self) -> set[int]:
        """The runs that had not ended when they were last seen."""
        return {entry["run"]["id"] for entry in self.open}

    def settle(self, run: int) -> None:
        """This run has ended, or is gone."""
        self.open = [entry for entry in self.open if entry["run"]["id"] != run]

    def follow(self, run: Run, tag: Tag | None) -> None:
        """This run goes on: ask for it by its id at every poll."""
        self.settle(run["id"])
        self.open.append({"run": dict(run), "tag": tag_json(tag)})

    def wonder(self, run: Run) -> None:
        """This attempt has ended, and its conclusion does not tell why."""
        same = {name: run.get(name) for name in ("id", "run_attempt")}
        if not any(same == {name: entry["run"].get(name) for name in same} for entry in self.unclear):
            self.unclear.append({"run": dict(run)})

    def watch_for_rerun(self, run: Unhappy, tag: Tag | None) -> None:
        """This run did not succeed. An ETag known before stays good until there is another."""
        known = next((each for each in self.unhappy if each["id"] == run["id"]), None)
        if known is None:
            known = {}
            self.unhappy.append(known)
        known |= run
        if tag is not None:
            known["tag"] = tag_json(tag)

    def unwatch(self, run: int) -> None:
        """Nobody has to look at this run again."""
        self.unhappy = [each for each in self.unhappy if each["id"] != run]


def tag_json(tag: Tag | None) -> dict[str, str] | None:
    """An ETag for the cursor."""
    return {"value": tag.value, "of": tag.of} if tag else None


def tag_of(stored: Mapping[str, str] | None) -> Tag | None:
    """An ETag from the cursor."""
    return Tag(value=stored["value"], of=stored["of"]) if stored else None
