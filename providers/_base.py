"""The port that every provider fills, and the values that cross it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Protocol, runtime_checkable

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from typing_extensions import override

from domain.build import Build, Pipeline
from domain.details import Artifact, Details
from domain.duration import parse_duration
from providers._labels import ARTIFACT, Given, LabelSource, checked_label, label_source

Cursor = Mapping[str, Any]
"""What a provider wants to find again for one key (a job, a repository). JSON values only."""

EMPTY: Mapping[str, Any] = MappingProxyType({})


def _as_duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_as_duration), Field(gt=timedelta(0))]


class ProviderSettings(BaseModel):
    """An entry under `providers:` in config.yaml; each kind adds its own keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: str
    poll_every: Duration = timedelta(seconds=60)

    polled: ClassVar[bool] = True  # False: there is no server to ask, its builds come by themselves


class PipelineEntry(BaseModel):
    """An entry under `pipelines:`; each kind of provider adds the keys that choose pipelines on it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    provider: str
    name: str | None = None
    branches: tuple[str, ...] = ()  # globs; empty: the default branch
    labels: Mapping[str, str] = Field(default_factory=dict)
    labels_from: Mapping[str, Annotated[Given, AfterValidator(checked_label)]] = Field(default_factory=dict)
    poll_every: Duration | None = None  # default: that of the provider
    enabled: bool = True

    cannot_tell: ClassVar[Mapping[str, str]] = EMPTY
    """The sources of labels (`LabelSource.kind`) that this kind of server does not know, and what to do instead."""

    late: ClassVar[frozenset[str]] = frozenset({ARTIFACT})
    """The sources of labels that no poll tells, only the details of a build."""

    @cached_property
    def sources(self) -> tuple[LabelSource, ...]:
        """`labels_from`, ready to read."""
        return tuple(label_source(name, given) for name, given in self.labels_from.items())

    @property
    def told_late(self) -> tuple[LabelSource, ...]:
        """Those of `sources` for which the details of every build have to be read."""
        return tuple(source for source in self.sources if source.kind in self.late)

    def matches(self, key: str) -> bool:
        """Whether this entry watches the pipeline with this key. Pure: needs no server."""
        raise NotImplementedError


class Trouble(StrEnum):
    """Why a provider could not be read, in a word that a message can show."""

    AUTH = "auth"
    RATE_LIMIT = "rate limit"
    NOT_FOUND = "not found"
    TLS = "tls"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    SERVER_ERROR = "server error"
    NOT_JSON = "not json"
    TOO_LARGE = "too large"
    REDIRECT = "redirect"
    SUSPICIOUS = "suspicious"  # an answer that would mean that everything is gone
    PACED = "paced"  # we hold back by ourselves; nothing is wrong


class ProviderError(Exception):
    """A provider could not be read. `trouble` classifies it, the text names what was asked and the cure.

    The text never holds a secret, a response body or a URL with credentials. It is `partial` when only some
    pipelines could not be read, and the pages before it hold all that is new about the others; `parts` says which,
    by key, and why.
    """

    partial: bool = False
    parts: "Mapping[str, ProviderError]" = EMPTY

    def __init__(self, trouble: Trouble, text: str) -> None:
        super().__init__(text)
        self.trouble = trouble


class Unavailable(ProviderError):
    """Try again later. `retry_after` (seconds) holds for the whole provider when `provider_wide`."""

    def __init__(
        self, trouble: Trouble, text: str, *, retry_after: float | None = None, provider_wide: bool = False
    ) -> None:
        super().__init__(trouble, text)
        self.retry_after = retry_after
        self.provider_wide = provider_wide


class Refused(ProviderError):
    """Permanent until a person changes something: a bad token, a missing permission, a repository that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What one scheduled job polls: a Jenkins server (or a folder of it), a GitHub repository."""

    provider: str
    key: str
    every: timedelta

    @override
    def __str__(self) -> str:
        """As it appears in logs."""
        return f"{self.provider}:{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A build that could not be understood: kept raw, counted, shown; the rest of its page is stored."""

    pipeline: str  # Pipeline.key, as far as it is known
    external_id: str
    problem: str
    raw: str  # at most 16 KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one transaction stores: some builds, and the cursors that cover exactly these builds.

    A cursor of None is forgotten. `missing` and `renamed` speak of pipelines by key. `pipelines` are all those
    met on this page, with or without builds, so that a pipeline is known before its first build. A stream has
    `ended` when its branch is gone and no build of it can come.
    """

    pipelines: Sequence[Pipeline] = ()
    builds: Sequence[Build] = ()
    cursors: Mapping[str, Cursor | None] = field(default_factory=dict)
    unreadable: Sequence[Unreadable] = ()
    missing: Sequence[str] = ()  # confirmed gone: several 404s while the credentials work
    renamed: Mapping[str, str] = field(default_factory=dict)  # old key → new key
    ended: Sequence[tuple[str, str]] = ()  # (pipeline key, Build.stream)
    progress: float | None = None  # backfill: the share done so far, 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pipeline that could be watched, as `discover` shows it, with the entry to paste into config.yaml."""

    pipeline: Pipeline
    entry: Mapping[str, Any]
    watched: bool
    last_build_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What `check --online` and `doctor` learn from a provider."""

    version: str | None = None
    identity: str | None = None  # who the credentials belong to; None: anonymous
    scopes: str | None = None
    token_expires_at: datetime | None = None
    clock_skew: timedelta | None = None  # their Date header minus our clock
    quota_limit: int | None = None
    quota_remaining: int | None = None
    quota_resets_at: datetime | None = None
    warnings: tuple[str, ...] = ()


class Provider(Protocol):
    """One connection. Every method may be called from several threads; each thread gets its own HTTP session.

    All methods that reach the server raise `Unavailable` or `Refused` and nothing else, within 30 seconds a
    call and 120 seconds a poll.
    """

    name: str

    def targets(self) -> Sequence[Target]:
        """What to poll, and how often. Reaches the server when a glob has to be resolved (an organisation)."""
        ...

    def poll(self, target: Target, cursors: Mapping[str, Cursor], now: datetime) -> Iterator[Page]:
        """What is new since the cursors of this target, oldest knowledge first. Idempotent.

        `cursors` is what earlier pages returned and the store committed, by cursor key; empty at first contact.
        The caller may stop between two pages at any time and come again.
        """
        ...

    def backfill(
        self, target: Target, keys: Sequence[str], since: datetime, cursor: Cursor, now: datetime
    ) -> Iterator[Page]:
        """History back to `since` of the pipelines with these keys (empty: all). Resumes from the cursor `backfill`."""
        ...

    def discover(self) -> Iterator[Candidate]:
        """Everything the credentials can see."""
        ...

    def probe(self) -> Probe:
        """Reach the server and tell about the connection."""
        ...

    def close(self) -> None:
        """Close all sessions."""
        ...


@runtime_checkable
class TellsWhyIdle(Protocol):
    """A provider that can say why no build comes on a pipeline; not every kind of server can."""

    def why_idle(self, key: str, now: datetime) -> str | None:
        """The reason in a few words, like `the workflow is disabled`; None when nothing stands in the way.

        Raises like every method of a provider.
        """
        ...


@runtime_checkable
class TellsGone(Protocol):
    """A provider whose polls do not show that a branch is gone (`Page.ended`), and that can be asked."""

    def is_gone(self, key: str, stream: str) -> bool:
        """Whether the branch of this stream of a pipeline is gone for certain. Raises like every method."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A build that waits in a queue and has no number yet."""

    number: int  # of the place in the queue, unique on the server
    places: tuple[tuple[str, str], ...]  # (pipeline key, stream): the first pipeline that is known is meant
    since: datetime
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left of a rate limit, by the last answer that told."""

    limit: int
    remaining: int


@runtime_checkable
class TellsQuota(Protocol):
    """A provider whose server lets only so many requests through."""

    def quota(self) -> Allowance | None:
        """What is left; None while nothing is known, or without a limit. Asks nobody, raises nothing."""
        ...


@runtime_checkable
class TellsQueue(Protocol):
    """A provider whose builds show up only when they run, and that can say what waits."""

    def queue(self) -> Sequence[Waiting]:
        """Everything that waits on the server now. Raises like every method of a provider."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is wanted of the details of a build; each costs a request or more."""

    stages: bool = True  # and the reason
    log_bytes: int = 1 << 20  # of all logs together, at most; 0: none
    tests: bool = True  # a report that the server keeps itself (Jenkins' testReport)
    since: Build | None = None  # the newest build before that passed: the changes since then are wanted


@runtime_checkable
class TellsDetails(Protocol):
    """A provider that can tell more about a finished build than its result. All methods raise like every other."""

    def details(self, build: Build, wanted: Wanted) -> Details:
        """Stages, logs, tests and changes. A part that cannot be read is a note, and `later`, never an error.

        Raises only when nothing at all could be read and a later try may help.
        """
        ...

    def artifacts(self, build: Build) -> Sequence[Artifact]:
        """The files that the build left behind and that have not expired."""
        ...

    def read_artifact(self, build: Build, artifact: Artifact, limit: int) -> bytes:
        """The content. Raises `Refused` with `Trouble.TOO_LARGE` beyond `limit` bytes, `NOT_FOUND` when it is gone."""
        ...


@runtime_checkable
class TakesPushed(Protocol):
    """A provider whose builds nobody fetches: whoever makes them tells of them."""

    def received(self, build: Build) -> Build | None:
        """With what config.yaml says of its pipeline (name, labels); None when no entry takes it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a build is found that a page of the server shows."""

    targets: tuple[str, ...]  # Target.key of what polls it
    within: str  # the key of its pipeline, or with a slash at the end what that begins with
    external_id: str | None = None  # where the page tells it
    attempt: int | None = None


@runtime_checkable
class KnowsItsPages(Protocol):
    """A provider that recognizes the pages of its server's builds."""

    def place_of(self, url: str) -> Place | None:
        """Where that build is found; None when it is none of this server's, or nobody watches it. Reaches nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What a server told of by itself."""

    targets: tuple[str, ...]  # Target.key of what polls it
    within: str  # what the keys of its pipelines begin with
    build: Build | None = None  # as the next poll will see it; None: only that something happened


@runtime_checkable
class ReadsPosts(Protocol):
    """A provider whose server can post what happens, beside being polled."""

    system: ClassVar[str]  # whose words it reads: the last part of the address of its webhooks

    def posted(self, body: Mapping[str, Any]) -> Posted | None:
        """What a body tells; None when nobody watches that. Reaches nothing. Raises ValueError: it makes no sense."""
        ...


class ProviderFactory(Protocol):
    """Makes a provider; reaches nothing."""

    def __call__(self, name: str, settings: Any, entries: Sequence[Any]) -> Provider:
        """`entries` are the enabled entries of `pipelines:` that name this provider, in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPlugin:
    """What a provider module exports as `PLUGIN`, in its last line."""

    settings: type[ProviderSettings]
    entry: type[PipelineEntry]
    provider: ProviderFactory
