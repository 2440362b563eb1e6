"""What a CI server did: pipelines and their builds.

A workflow run (GitHub), a run, a request and an execution are all a `Build` here. The words follow
OpenTelemetry's CI/CD conventions; docs/glossary.md holds the whole list.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from domain.testreport import TestReport

_TOO_MANY = 2**31  # no database can count so far
_TOO_LARGE = 2**63
_CLASS = re.compile(r"[A-Z]\w*Cause")  # of Jenkins and its plugins
_END = re.compile(r"(?:Trigger)?Cause$")
_NAME = re.compile(r"[A-Z]+|Git(?:Hub|Lab)")
_WORD = re.compile(r"Git(?:Hub|Lab)|[A-Z]+(?![a-z])|[A-Z]?[a-z0-9_]+")
_CAUSES: Mapping[str, str] = MappingProxyType(
    {"UserIdCause": "a person", "RemoteCause": "a call", "UpstreamCause": "another job", "ReplayCause": "a replay"}
)
NO_LABELS: Mapping[str, str] = MappingProxyType({})
NO_MEASUREMENTS: Mapping[str, float] = MappingProxyType({})


def _no_labels() -> Mapping[str, str]:  # Python 3.11 takes the proxies themselves for mutable defaults
    return NO_LABELS


def _no_measurements() -> Mapping[str, float]:
    return NO_MEASUREMENTS


class Status(StrEnum):
    """How far a build has come; never how it ended."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"


class Outcome(StrEnum):
    """How a finished build ended; the provider's own word is kept beside it."""

    SUCCESS = "success"
    UNSTABLE = "unstable"
    FAILURE = "failure"
    ERROR = "error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What a finished build means for alerts and success rates."""

    PASSED = "passed"
    FAILED = "failed"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A thing that is built again and again: a Jenkins job or a GitHub workflow.

    `provider` is the name of the connection in config.yaml, not its kind. Identity = (provider, key).
    """

    provider: str
    key: str  # Jenkins: full name `folder/job`; GitHub: `owner/repo/<workflow path>`
    name: str  # what a person calls it; GitHub's changes, the key does not
    url: str | None = None
    labels: Mapping[str, str] = field(default_factory=_no_labels)
    branched: bool = True  # False: a plain Jenkins job, where all builds are one stream
    default_branch: str | None = None

    def __post_init__(self) -> None:
        """Refuse a pipeline that could not be found again."""
        if not self.provider or not self.key:
            message = f"a pipeline needs a provider and a key, got {self.provider!r}, {self.key!r}"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One attempt of one build. Identity = (pipeline, external_id, attempt). Times are aware UTC."""

    pipeline: Pipeline
    external_id: str  # unique within the pipeline, for ever: survives a reset of the numbering
    number: int
    attempt: int = 1
    generation: int = 0  # grows when the provider starts numbering anew
    status: Status
    outcome: Outcome | None = None  # present exactly when finished
    raw_outcome: str | None = None
    branch: str | None = None
    commit: str | None = None
    title: str | None = None
    trigger: str | None = None  # the provider's own word: push, schedule, BranchEventCause, ...
    actor: str | None = None
    is_fork: bool = False
    is_pull_request: bool = False
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    url: str | None = None
    failing_stage: str | None = None
    bucket: str | None = None
    reason: str | None = None
    log_excerpt: str | None = None
    labels: Mapping[str, str] = field(default_factory=_no_labels)  # the build's own, beside those of its pipeline
    tests: TestReport | None = None
    measurements: Mapping[str, float] = field(default_factory=_no_measurements)
    id: int | None = field(default=None, compare=False)  # the store's number; None before it is stored

    def __post_init__(self) -> None:
        """Refuse a build that contradicts itself."""
        if (self.outcome is not None) is not (self.status is Status.FINISHED):
            message = f"{self.external_id}: outcome {self.outcome} does not go with status {self.status}"
            raise ValueError(message)
        if not (1 <= self.attempt < _TOO_MANY and 0 <= self.number < _TOO_LARGE):
            message = f"{self.external_id}: attempt {self.attempt} or number {self.number} is out of range"
            raise ValueError(message)
        for moment in (self.queued_at, self.started_at, self.finished_at):
            if moment is not None and moment.utcoffset() != timedelta(0):
                message = f"{self.external_id}: {moment} is not an aware UTC time"
                raise ValueError(message)

    @property
    def duration(self) -> timedelta | None:
        """From start to end; None while it runs or when either end is unknown; never negative."""
        if self.status is not Status.FINISHED or self.started_at is None or self.finished_at is None:
            return None
        return max(self.finished_at - self.started_at, timedelta(0))

    @property
    def queue_time(self) -> timedelta | None:
        """From queueing to start; None when either is unknown; never negative (clocks disagree by a second)."""
        if self.queued_at is None or self.started_at is None:
            return None
        return max(self.started_at - self.queued_at, timedelta(0))

    @property
    def occasion(self) -> str | None:
        """What triggered it, in words: Jenkins' `SCMTriggerCause` is "SCM", those of others stand as they are."""
        if self.trigger is None or not _CLASS.fullmatch(self.trigger):
            return self.trigger
        words = _WORD.findall(_END.sub("", self.trigger))
        return _CAUSES.get(self.trigger) or " ".join(word if _NAME.fullmatch(word) else word.lower() for word in words)

    @property
    def stream(self) -> str | None:
        """The name of the ordered line of builds that this one belongs to within its pipeline.

        The branch for a branched pipeline, `""` for a plain job (whose failed checkouts name no branch).
        None for pull requests and forks: they are stored and shown, and never alert.
        """
        if self.is_fork or self.is_pull_request:
            return None
        if not self.pipeline.branched:
            return ""
        return self.branch
