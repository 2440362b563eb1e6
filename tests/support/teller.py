"""A provider that tells details, as a test wrote them, and a desk whose builds it explains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from domain.build import Build
from domain.details import Artifact, Changes, Commit, Details, Log
from poller.details.asking import ask
from poller.details.reading import read
from poller.details.saving import Saved, save
from poller.details.workers import Workers
from poller.running.clock import Clock
from poller.running.failpoint import Failpoints
from poller.running.progress import Progress
from providers._base import ProviderError, Refused, Trouble, Wanted
from store import details
from store.engine import Database
from tests.support.arriving import polling_of
from tests.support.configurations import loaded
from tests.support.desk import Desk

COMPILE = "compiling\nsrc/cart.ts(41,7): error TS2322: Type 'string' is not assignable to type 'number'.\nmake: *** 2\n"
HELM = "deploying\nError: INSTALLATION FAILED: timed out waiting for the condition\n"


@dataclass(slots=True)
class Teller:
    """Tells the same of every build, or what was set for its number; raises what is set."""

    usual: Details = field(default_factory=Details)
    by_number: dict[int, Details] = field(default_factory=dict)
    files: Mapping[str, bytes | ProviderError] = field(default_factory=dict)
    archives: frozenset[str] = frozenset()
    error: Exception | None = None
    asked: list[tuple[int, Wanted]] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def details(self, build: Build, wanted: Wanted) -> Details:
        self.asked.append((build.number, wanted))
        if self.error is not None:
            raise self.error
        return self.by_number.get(build.number, self.usual)

    def artifacts(self, build: Build) -> Sequence[Artifact]:
        del build
        if self.error is not None:
            raise self.error
        return [
            Artifact(
                name=name,
                key=name,
                size=len(data) if isinstance(data, bytes) else None,
                archive=name in self.archives,
            )
            for name, data in self.files.items()
        ]

    def read_artifact(self, build: Build, artifact: Artifact, limit: int) -> bytes:
        del build
        self.fetched.append(artifact.name)
        data = self.files[artifact.key]
        if isinstance(data, ProviderError):
            raise data
        if len(data) > limit:
            raise Refused(Trouble.TOO_LARGE, f"{artifact.name} is larger than {limit} bytes")
        return data


def log(text: str) -> tuple[Log, ...]:
    """The whole log of a build."""
    return (Log(name=None, text=text, whole=True),)


def changes(*authors: str, url: str | None = None) -> Changes:
    """A commit of each of these authors."""
    commits = [Commit(id=f"{n:x}" * 40, title=f"Change {n}", author=name) for n, name in enumerate(authors)]
    return Changes(commits=tuple(commits), total=len(commits), url=url)


class ExplainedDesk(Desk):
    """A desk whose provider tells details."""

    def __init__(self, database: Database, folder: Path, more: str = "") -> None:
        super().__init__(database, folder, more)
        self.tells_details = True
        self.teller = Teller(usual=Details(failing_stage="Build", logs=log(COMPILE)))

    def with_text(self, folder: Path, old: str, new: str) -> None:
        """Change a piece of config.yaml."""
        text = (folder / "config.yaml").read_text()
        assert old in text
        self.configuration = loaded(folder / "config.yaml", text.replace(old, new))

    def due(self) -> list[int]:
        """The builds that are to be read, in the order in which they would be."""
        found = self.database.read(lambda session: details.due(session, ["ci"], self.now, 10_000))
        return [each.build_id for each in found]

    def explains(self, *ids: int, again: datetime | None = None) -> Saved:
        """Read these builds, by default all that are due, and store what was found. Returns the last outcome.

        `again`: when what could not be read is tried again.
        """
        saved = Saved()
        for build_id in ids or self.due():
            asked = self.database.read(lambda session, each=build_id: ask(session, each, self.configuration))
            assert asked is not None
            explanation = read(self.teller, asked)
            saved = self.database.transact(
                lambda session, given=explanation: save(session, given, self.configuration, self.now, again=again)
            )
        return saved

    def workers(self, clock: Clock, **changes: object) -> Workers:
        """The threads that would read them."""
        progress = Progress(clock.monotonic)
        polling = polling_of(self.database, self.configuration, clock, progress=progress, providers={"ci": self.teller})
        given = {"failpoint": Failpoints(), **changes}
        return Workers(database=self.database, clock=clock, progress=progress, polling=polling, **given)  # type: ignore[arg-type]
