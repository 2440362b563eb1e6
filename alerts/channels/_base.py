"""The port that every channel fills, and the values that cross it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from domain.alert import NOTHING, Notification
from domain.message import Message


class ChannelSettings(BaseModel):
    """An entry under `channels:` in config.yaml; each kind adds its own keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: str

    @property
    def edits(self) -> bool:
        """Whether a message that was sent can be brought up to date without disturbing anybody."""
        return False


class ChannelError(Exception):
    """A message was not accepted. The text says why, without secrets, and is kept in the outbox.

    permanent: trying this again changes nothing.
    retry_after: seconds to wait, when the server said so.
    channel_wide: no message would get through (rate limit, revoked token, host down), not only this one.
    ambiguous: bytes left our machine and no verdict came back, so that it may have been accepted.
    progress: what was achieved all the same; comes back as `notification.progress` with the next attempt.
    """

    def __init__(
        self,
        text: str,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        channel_wide: bool = False,
        ambiguous: bool = False,
        progress: Mapping[str, Any] = NOTHING,
    ) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.retry_after = retry_after
        self.channel_wide = channel_wide
        self.ambiguous = ambiguous
        self.progress = progress


class Channel(Protocol):
    """One way to reach people. Used by one thread at a time."""

    name: str
    min_interval: float  # seconds between two sends that the server tolerates for ever

    def send(self, notification: Notification) -> Mapping[str, Any]:
        """Deliver and return the receipt (JSON values), or raise ChannelError; nothing else.

        `notification.id` is stable over all attempts. `notification.root` is the receipt of the alert's first
        message on this channel: edit or thread there when the channel can.
        """
        ...

    def probe(self) -> str:
        """Reach the server without sending anything and say in a line what was found; raises ChannelError."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...


class TemplateError(Exception):
    """A template of the user's does not give a message its form. The text says `file:line: why`."""

    def __init__(self, path: Path, why: str, line: int | None = None) -> None:
        super().__init__(f"{path}:{line}: {why}" if line else f"{path}: {why}")
        self.path = path
        self.why = why
        self.line = line  # None when it is about the whole


class MessageTemplate(Protocol):
    """A file that gives the messages of a kind of channel their form."""

    path: Path

    def render(self, message: Message) -> Any:
        """What the channel sends for a tidy message; raises TemplateError."""
        ...


class ChannelFactory(Protocol):
    """Makes a channel; reaches nothing."""

    def __call__(self, name: str, settings: Any) -> Channel:
        """`name` is the key under `channels:`. With a template of the user's, it comes as `template=`."""
        ...


class TemplateFactory(Protocol):
    """Makes a template; a broken one raises when it is rendered, not here."""

    def __call__(self, path: Path, text: str) -> MessageTemplate:
        """`path` is for messages about it only: its text has been read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPlugin:
    """What a channel module exports as `PLUGIN`, in its last line."""

    settings: type[ChannelSettings]
    channel: ChannelFactory
    template: TemplateFactory | None = None  # None: messages of this kind have one form only
