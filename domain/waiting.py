"""The outbox of one channel as gathering sees it: what waits, and what was sent a short while ago."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.alert import NOTHING, AlertKind, AlertState, Reason, Scope

FOR_DETAILS = "the details of the build"
"""What a first message waits for, a moment at most (`Notification.held`)."""


class Form(StrEnum):
    """How rows of the outbox become one message."""

    SINGLE = "single"  # a row says what it says
    FOLD = "fold"  # rows of one alert, none of them sent: told by the newest
    GROUP = "group"  # several alerts begin
    JOIN = "join"  # several alerts begin, and a card that was sent a moment ago takes them in
    STORM = "storm"  # so many that only a summary can be read
    NEWS = "news"  # several alerts end, or go on
    QUIET = "quiet"  # what quiet hours held back
    AWAY = "away"  # what waited for hours, because the channel took nothing
    SILENT = "silent"  # nothing that this channel can show
    ALONE = "alone"  # refused in company


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A row that may be sent now, and the alert that it tells of as it stands now."""

    id: int
    alert_id: int
    reason: Reason
    created_at: datetime
    kind: AlertKind
    scope: Scope
    state: AlertState
    summary: str
    about: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    hold_until: datetime | None = None  # of quiet hours; over, or it would not be here
    card: int | None = None  # the row that posted the alert's first message on this channel, once it was sent
    alone: bool = False  # it was refused in company


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message that was sent a short while ago; of several rows in it, the leading one."""

    alert_id: int
    reason: Reason
    form: Form
    card: int | None  # the card that shows it: its own, or the one that it was joined to
    is_card: bool  # it is that card
    sent_at: datetime
    about: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The alerts on one card as they stand now."""

    total: int
    over: int
    members: tuple[Waiting, ...]  # those that fire first, at most `limit` of them; their first rows
