"""What buildwatch has to say (alerts), and to whom it said it (notifications)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from domain.message import Message

NOTHING: Mapping[str, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:  # Python 3.11 takes the proxy itself for a mutable default
    return NOTHING


class AlertKind(StrEnum):
    """What a rule looks for. The value is the rule's key under `alerts:` in config.yaml."""

    FAILURE = "failure"
    SUCCESS_RATE_DROP = "success_rate_drop"
    SUCCESS_RATE_BELOW = "success_rate_below"
    PROVIDER_UNREACHABLE = "provider_unreachable"
    PIPELINE_MISSING = "pipeline_missing"  # a watched job, workflow or repository is gone
    CONFIGURATION_BROKEN = "configuration_broken"  # config.yaml on disk is not the one in use
    BASELINE = "baseline"  # the one summary of what was already failing at first contact
    WINDOW_REGRESSION = "window_regression"  # a daily window is worse than the fourteen before it
    DURATION = "duration"  # builds take longer than they did
    STALE = "stale"  # no build although one was due
    STUCK = "stuck"  # a build runs or waits for too long
    FLAPPING = "flapping"  # a stream goes back and forth
    NO_VERDICT = "no_verdict"  # builds end, and none of them passes or fails
    DELIVERY_FAILED = "delivery_failed"  # a channel refuses our messages
    DIGEST = "digest"  # a regular summary
    TEST_REGRESSION = "test_regression"  # tests fail that passed before, or a report is not there
    STARTED = "started"  # the daemon was away for a while, and what it missed meanwhile


class Severity(StrEnum):
    """How much it matters that somebody looks."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class AlertState(StrEnum):
    """Firing until resolved by the facts, or closed without them (removed from config.yaml, rebased)."""

    FIRING = "firing"
    RESOLVED = "resolved"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an alert is about: a provider, a pipeline, or one stream of a pipeline."""

    provider: str
    pipeline: str | None = None  # Pipeline.key
    branch: str | None = None  # Build.stream; "" for a plain job


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One episode of something being wrong.

    At most one alert per fingerprint is firing. `transition` counts its changes of state worth telling,
    from 1 (it fired); it is part of the outbox key, so the same change can never be told twice.

    `evidence` is made anew by the rule at each evaluation. `handling` is not: it remembers acknowledgements, the
    silence or the flapping that kept it from being told, reminders and escalations.
    """

    kind: AlertKind
    scope: Scope
    severity: Severity
    state: AlertState
    started_at: datetime
    resolved_at: datetime | None = None
    transition: int = 1
    summary: str
    evidence: Mapping[str, Any] = field(default_factory=_nothing)  # JSON values only
    channels: tuple[str, ...] = ()  # who was told that it fires, and so must be told how it ends
    handling: Mapping[str, Any] = field(default_factory=_nothing)  # JSON; what people and policies did with it
    id: int | None = field(default=None, compare=False)

    @property
    def fingerprint(self) -> str:
        """Kind and scope, never a hash of the configuration: thresholds may change in mid-alert."""
        where = (self.scope.provider, self.scope.pipeline, self.scope.branch)
        return "|".join([self.kind, *(part if part is not None else "*" for part in where)])


class Reason(StrEnum):
    """Why a message is sent."""

    FIRST = "first"
    UPDATE = "update"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REFRESH = "refresh"  # no news: a message that can be edited is kept true, nobody is disturbed
    THREADED = "threaded"  # for the alert's thread only: channels without threads leave it out


class Delivery(StrEnum):
    """How far a notification has come: pending → sending → sent, or dead after 72 hours or a refusal."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A row of the outbox: one transition of one alert, for one channel. Key = (alert, transition, channel)."""

    alert_id: int
    transition: int
    channel: str
    reason: Reason
    message: Message
    created_at: datetime
    delivery: Delivery = Delivery.PENDING
    attempts: int = 0
    next_attempt_at: datetime
    sent_at: datetime | None = None
    last_error: str | None = None
    ambiguous: bool = False  # an earlier attempt may have been accepted: nobody knows
    progress: Mapping[str, Any] = field(
        default_factory=_nothing
    )  # what earlier attempts achieved (mail: recipients that have it)
    receipt: Mapping[str, Any] = field(
        default_factory=_nothing
    )  # what the channel said on acceptance (Slack: channel, ts)
    root: Mapping[str, Any] = field(
        default_factory=_nothing
    )  # the receipt of the alert's first message on this channel
    about: Mapping[str, Any] = field(
        default_factory=_nothing
    )  # JSON, what it may share with others: poller.telling.tell
    hold_until: datetime | None = None  # not before this time, whatever else is due (quiet hours)
    held: str | None = None  # why it is held, in words
    batch: int | None = None  # the id of the notification that it was sent together with
    card: Message | None = None  # what the alert's first message must show from now on; None: `message`
    id: int | None = field(default=None, compare=False)
