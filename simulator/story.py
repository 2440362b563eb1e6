"""What happens in the demo: pipelines that build every few seconds, break, are repaired, and an outage.

All of it follows from the seed and the clock: `tell()` makes up for the time since it was last called. The servers
call it before they answer, so the story needs no thread.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simulator import faults, github_story
from simulator.jenkins_story import UNLUCKY, matrix, pipeline
from simulator.server import Server
from simulator.world import World

CYCLE = 75.0  # seconds after which the troubles come again
_HISTORY = 60  # builds that every pipeline has before the story begins
_HISTORY_GAP = 900.0  # seconds between two of them
_OUTAGE = (44.0, 56.0)  # of GitHub, within a cycle
_OUTAGE_PAGE = "<html><body><h1>503</h1>No server is currently available to service your request.</body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something worth telling while the story goes on."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A time within each cycle in which a pipeline fails, and why."""

    begins: float
    ends: float
    cause: str


@dataclass(slots=True, kw_only=True)
class Strand:
    """One pipeline's part in the story. `add` puts a build into the world: (seconds ago, length, trouble or None)."""

    name: str
    every: float
    takes: float
    add: Callable[[float, float, str | None], object]
    troubles: Sequence[Trouble] = ()
    flaky: float = 0.0  # the share of builds that fail for no reason
    random: random.Random
    next_at: datetime
    broken: str | None = field(default=None)


class Story:
    """The demo's story over a world and its GitHub server."""

    def __init__(self, world: World, github: Server) -> None:
        self.world = world
        self.happenings: list[Happening] = []
        self._github = github
        self._began = world.now()
        self._out = False
        self._strands = self._cast()
        for strand in self._strands:
            self._history(strand)

    def tell(self) -> None:
        """Let happen what is due by now. Called under the world's lock."""
        now = self.world.now()
        for strand in self._strands:
            while strand.next_at <= now:
                self._build(strand, now)
        self._outage(now)

    def _cast(self) -> list[Strand]:
        """Who takes part. The troubles overlap little, so that each is told by itself."""
        jenkins, github = self.world.jenkins, self.world.github
        api, worker, e2e = (jenkins.pipeline(f"team/{name}") for name in ("api", "worker", "e2e"))
        checkout = jenkins.multibranch("shop/checkout", ("main", "release/2.4", "feature/faster-cart"))
        platforms = jenkins.matrix("nightly/platforms", {"os": ("linux", "mac"), "jdk": ("17", "21")})
        web, infra, site = (github.repo(f"acme/{name}") for name in ("web", "infra", "site"))
        site.archived = True

        return [
            self._strand("jenkins team/api", 6, 2, pipeline(api),
                         Trouble(begins=8, ends=24, cause="compile error on main")),
            self._strand("jenkins team/worker", 9, 3, pipeline(worker)),
            self._strand("jenkins team/e2e", 7, 3, pipeline(e2e), flaky=0.12),
            self._strand("jenkins shop/checkout main", 8, 3, pipeline(checkout.branch("main")),
                         Trouble(begins=26, ends=40, cause="a test of the cart fails")),
            self._strand("jenkins shop/checkout release/2.4", 15, 3, pipeline(checkout.branch("release/2.4"))),
            self._strand("jenkins shop/checkout feature/faster-cart", 11, 3,
                         pipeline(checkout.branch("feature/faster-cart")), flaky=0.5),
            self._strand("jenkins nightly/platforms", 13, 5, matrix(platforms)),
            self._strand("github acme/web", 7, 3, github_story.web(web).add,
                         Trouble(begins=15, ends=32, cause=github_story.WRONG_TYPE)),
            self._strand("github acme/web (fork)", 17, 3, github_story.fork(web).add, flaky=0.8),
            self._strand("github acme/infra", 12, 4, github_story.nightly(infra).add),
        ]  # fmt: skip

    def _strand(
        self,
        name: str,
        every: float,
        takes: float,
        add: Callable[[float, float, str | None], object],
        *troubles: Trouble,
        flaky: float = 0.0,
    ) -> Strand:
        own = random.Random(f"{self.world.seed}/{name}")  # noqa: S311  (a story, not a secret)
        first = self._began + timedelta(seconds=own.uniform(0.5, every / 2))
        return Strand(
            name=name, every=every, takes=takes, add=add, troubles=troubles, flaky=flaky, random=own, next_at=first
        )

    def _history(self, strand: Strand) -> None:
        """What was built before the story begins: nearly all of it passed, the last one surely."""
        for index in range(_HISTORY, 0, -1):
            unlucky = index > 1 and strand.random.random() < max(0.03, strand.flaky)
            ago = index * _HISTORY_GAP + strand.random.uniform(0, 60)
            strand.add(ago, strand.takes * 20 * strand.random.uniform(0.9, 1.1), UNLUCKY if unlucky else None)

    def _build(self, strand: Strand, now: datetime) -> None:
        """The next build of a pipeline, which started when it was due."""
        second = (strand.next_at - self._began).total_seconds() % CYCLE
        trouble = next((t.cause for t in strand.troubles if t.begins <= second < t.ends), None)
        unlucky = strand.random.random() < strand.flaky
        if trouble != strand.broken:
            word = f"breaks: {trouble}" if trouble else "is repaired"
            self.happenings.append(Happening(at=strand.next_at, text=f"{strand.name} {word}"))
            strand.broken = trouble
        length = strand.takes * strand.random.uniform(0.9, 1.1)
        strand.add((now - strand.next_at).total_seconds(), length, trouble or (UNLUCKY if unlucky else None))
        strand.next_at += timedelta(seconds=strand.every * strand.random.uniform(0.85, 1.15))

    def _outage(self, now: datetime) -> None:
        out = _OUTAGE[0] <= (now - self._began).total_seconds() % CYCLE < _OUTAGE[1]
        if out == self._out:
            return
        self._out = out
        self.happenings.append(Happening(at=now, text=f"github {'goes down' if out else 'is back'}"))
        if out:
            self._github.fault(faults.html(503, _OUTAGE_PAGE))
        else:
            self._github.heal()
