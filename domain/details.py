"""What is known about a finished build beside its result: its stages, its logs, who changed what, the files it left."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from domain.build import Outcome
from domain.testreport import TestReport

RUNNER = "runner"
"""The label that says on what a build ran. Where only details tell, only builds whose details were read have it."""


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of a Jenkins pipeline, or a job of a GitHub run with the step that failed in it."""

    name: str
    outcome: Outcome | None = None  # None: it did not run, or nobody knows how it ended
    step: str | None = None  # the first step that failed
    duration: timedelta | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Text that a build wrote, decoded, with its escapes. Of a long one only the end, so that a build is bounded."""

    name: str | None  # of the stage or job; None: of the whole build
    text: str
    whole: bool  # False: what came earlier is left out
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A change that came in."""

    id: str
    title: str
    author: str | None = None  # a name
    login: str | None = None  # on the server, where it is known
    is_bot: bool = False
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What came in between two builds, newest first. `commits` may be fewer than `total`."""

    commits: tuple[Commit, ...]
    total: int
    url: str | None = None  # to compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a build left behind. GitHub's are zip archives of files."""

    name: str  # Jenkins: the path below the build's artifacts; GitHub: the name of the archive
    key: str  # how its provider finds it
    size: int | None = None  # bytes
    archive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What a provider found. What could not be read is in `notes`, with the reason, and left out."""

    stages: tuple[Stage, ...] = ()  # in their order
    failing_stage: str | None = None  # in words: `Deploy`, or `test (3.12): Run tests`
    outcome: Outcome | None = None  # when the details tell it better than the result: a cancelled build that timed out
    reason: str | None = None  # the provider's own words for why it failed: an annotation, an interruption
    logs: tuple[Log, ...] = ()  # of what failed first, first
    tests: TestReport | None = None
    changes: Changes | None = None  # None: not asked for, or not known
    labels: Mapping[str, str] = field(default_factory=_nothing)  # `runner`, and what `labels_from` reads off
    notes: tuple[str, ...] = ()
    later: bool = False  # some of what could not be read may be read in a while
