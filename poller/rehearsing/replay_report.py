"""What a replay comes to: the messages of then and of now side by side, and how many of each kind."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.alert import Alert, AlertKind, Delivery, Notification, Reason

NOT_IN_HISTORY = frozenset(
    {
        AlertKind.PROVIDER_UNREACHABLE,
        AlertKind.PIPELINE_MISSING,
        AlertKind.CONFIGURATION_BROKEN,
        AlertKind.BASELINE,
        AlertKind.DELIVERY_FAILED,
        AlertKind.DIGEST,
        AlertKind.STARTED,
        AlertKind.TEST_REGRESSION,
    }
)
"""What builds alone do not tell: polls that failed, files that broke, reports of tests, and summaries."""

_UNSEEN = frozenset({Reason.REFRESH, Reason.THREADED})  # no messages of their own
_ANCHORS = ("first_failed", "fired_by", "build", "onset")


class Mark(StrEnum):
    """Whether something was said then, would be said now, or both."""

    SAME = "same"
    ONLY_THEN = "only_then"
    ONLY_NOW = "only_now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One alert told to one channel: a message, or a part of one."""

    at: datetime
    channel: str
    kind: AlertKind
    reason: Reason
    headline: str
    key: tuple[str, ...]  # what it is, whatever the time: the same then and now
    message: int  # tellings with the same number went out as one message
    delivered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much was, or would be, said."""

    tellings: int
    messages: int
    per_day: float  # messages
    kinds: Mapping[str, int]  # tellings
    channels: Mapping[str, int]  # messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A telling that was, or would be; of one that was and would be, as it would be."""

    mark: Mark
    telling: Telling
    then_at: datetime | None = None  # when it was said, where it was


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Then and now."""

    lines: Sequence[Line]  # by time
    then: Counts
    now: Counts

    def marked(self, mark: Mark) -> int:
        """How many tellings have this mark."""
        return sum(each.mark is mark for each in self.lines)


def tellings(rows: Iterable[tuple[Alert, Notification]], wanted: Callable[[Alert], bool]) -> list[Telling]:
    """The rows of an outbox as far as a replay can tell of them, by time."""
    found = [
        _telling(alert, each)
        for alert, each in rows
        if alert.kind not in NOT_IN_HISTORY
        and each.reason not in _UNSEEN
        and "left_out" not in each.receipt
        and wanted(alert)
    ]
    return sorted(found, key=lambda each: (each.at, each.message))


def _telling(alert: Alert, each: Notification) -> Telling:
    return Telling(
        at=each.sent_at or each.created_at,
        channel=each.channel,
        kind=alert.kind,
        reason=each.reason,
        headline=each.message.headline,
        key=(each.channel, alert.fingerprint, _anchor(alert), each.reason),
        message=each.batch or each.id or 0,
        delivered=each.delivery is Delivery.SENT,
    )


def _anchor(alert: Alert) -> str:
    """Which of the episodes in one place it is: by the build where it began, or else by the hour."""
    named = next((alert.evidence[role] for role in _ANCHORS if isinstance(alert.evidence.get(role), dict)), None)
    if named is not None and "number" in named:
        return f"{named.get('generation', 0)}/{named['number']}"
    return f"{alert.started_at:%Y-%m-%dT%H}"


def compare(then: Sequence[Telling], now: Sequence[Telling], length: timedelta) -> Comparison:
    """Match what was said with what would be said: equal keys, in order."""
    left: dict[tuple[str, ...], deque[Telling]] = {}
    for each in then:
        left.setdefault(each.key, deque()).append(each)
    lines: list[Line] = []
    for each in now:
        known = left.get(each.key)
        if known:
            lines.append(Line(mark=Mark.SAME, telling=each, then_at=known.popleft().at))
        else:
            lines.append(Line(mark=Mark.ONLY_NOW, telling=each))
    lost = (each for its in left.values() for each in its)
    lines += [Line(mark=Mark.ONLY_THEN, telling=each, then_at=each.at) for each in lost]
    lines.sort(key=lambda line: (line.telling.at, line.telling.channel, line.telling.message))
    return Comparison(lines=lines, then=_counts(then, length), now=_counts(now, length))


def _counts(said: Sequence[Telling], length: timedelta) -> Counts:
    messages = {(each.channel, each.message) for each in said}
    return Counts(
        tellings=len(said),
        messages=len(messages),
        per_day=round(len(messages) / max(length / timedelta(days=1), 1.0), 2),
        kinds=dict(sorted(Counter(str(each.kind) for each in said).items())),
        channels=dict(sorted(Counter(channel for channel, _ in messages).items())),
    )
