"""Digests: regular summaries, sent also when nothing has happened, so that silence can be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from domain.window import Window

DAILY: Literal["daily"] = "daily"


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """An entry of `digests:` in config.yaml."""

    name: str
    cron: str  # in the zone of config.yaml
    window: Literal["daily"] | timedelta  # "daily": the last whole reporting day
    to: tuple[str, ...]  # channels

    @property
    def title(self) -> str:
        """How messages call it. A name that was made from its times says nothing that its window does not."""
        made_up = self.name.startswith(self.cron)
        return "Digest" if made_up else f"Digest {self.name}"


@dataclass(frozen=True, slots=True)
class Tally:
    """How finished builds ended."""

    passed: int = 0
    failed: int = 0
    neutral: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(self.passed + other.passed, self.failed + other.failed, self.neutral + other.neutral)

    @property
    def decided(self) -> int:
        """How many passed or failed."""
        return self.passed + self.failed

    @property
    def rate(self) -> float | None:
        """Passed of decided, 0 to 1; None when nothing was decided."""
        return self.passed / self.decided if self.decided else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A pipeline, or a value of a label, day by day; and in the window of the digest."""

    name: str
    url: str | None = None
    days: tuple[Tally, ...]  # oldest first
    now: Tally  # in the window


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Something that is wrong still."""

    name: str  # `web / main`
    url: str | None
    what: str
    since: datetime
    handling: str = ""  # `acknowledged by ada`
    failing: bool = True  # a pipeline fails; otherwise it is a rate, a duration, a provider ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsteady:
    """A pipeline that goes back and forth."""

    name: str
    url: str | None
    reruns: int  # builds that passed after an earlier attempt of theirs had failed
    changes: int  # how often a build ended otherwise than the one before it
    builds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slower:
    """A pipeline whose passed builds take longer than they did: medians."""

    name: str
    url: str | None
    before: timedelta
    now: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Polls:
    """How a provider was watched in the window."""

    provider: str
    made: int
    failed: int
    longest_gap: timedelta | None  # between two good polls of the same target


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that one digest says."""

    digest: Digest
    slot: datetime  # when it was due
    windows: Sequence[Window]  # oldest first; the last is the one that it is about
    tallies: Sequence[Tally]  # of all pipelines, one a window
    days: Sequence[Window]  # of the strips, oldest first
    pipelines: Sequence[Strip] = ()
    labels: Mapping[str, Sequence[Strip]]  # by the name of the label
    open: Sequence[Open] = ()
    unsteady: Sequence[Unsteady] = ()
    slower: Sequence[Slower] = ()
    buckets: Mapping[str, int]
    unclassified: int = 0  # failed builds in no bucket
    polls: Sequence[Polls] = ()
    self_check: str | None = None
    waiting: int = 0  # messages that are not delivered yet
    given_up: int = 0

    @property
    def window(self) -> Window:
        """The one that it is about."""
        return self.windows[-1]

    @property
    def tally(self) -> Tally:
        """Of all pipelines in this window."""
        return self.tallies[-1]

    @property
    def past(self) -> Tally:
        """Of all pipelines in the windows before this one."""
        return sum(self.tallies[:-1], Tally())
