"""The messages of the simulated Slack workspace: what people see in its channels."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class Message:
    """A message as it stands now. `ts` identifies it within its channel."""

    channel: str  # the id
    ts: str
    text: str
    blocks: list[Any] = field(default_factory=list)
    attachments: list[Any] = field(default_factory=list)
    thread_ts: str | None = None
    broadcast: bool = False
    by: str  # webhook or bot
    metadata: dict[str, Any] | None = None
    edits: int = 0
    delivery: int = 0  # counts all accepted posts, so that an order over channels is known

    def words(self) -> str:
        """Everything that can be read in it, in order, one part a line."""
        return "\n".join(_words([self.text, *self.blocks, *self.attachments]))

    def as_json(self, *, with_metadata: bool, replies: "list[Message]") -> dict[str, Any]:
        """As conversations.history writes it."""
        out: dict[str, Any] = {
            "type": "message",
            "subtype": "bot_message",
            "ts": self.ts,
            "text": self.text,
            "bot_id": "B0000SIM",
            "blocks": self.blocks,
            "attachments": self.attachments,
        }
        if with_metadata and self.metadata:
            out["metadata"] = self.metadata
        if self.thread_ts or replies:
            out["thread_ts"] = self.thread_ts or self.ts
        if replies:
            out |= {"reply_count": len(replies), "latest_reply": replies[-1].ts}
        if self.edits:
            out["edited"] = {"user": "U0000SIM", "ts": self.ts}
        return out


@dataclass(slots=True, kw_only=True)
class Room:
    """A Slack channel."""

    id: str
    name: str
    archived: bool = False
    member: bool = True  # whether the bot is in it
    messages: list[Message] = field(default_factory=list)  # oldest first

    def find(self, ts: str) -> Message | None:
        """The message with this ts."""
        return next((message for message in self.messages if message.ts == ts), None)

    def top(self) -> list[Message]:
        """What the channel shows without opening a thread, oldest first."""
        return [message for message in self.messages if message.thread_ts is None or message.broadcast]

    def replies(self, ts: str) -> list[Message]:
        """What stands in the thread under a message, oldest first."""
        return [message for message in self.messages if message.thread_ts == ts]


def _words(parts: Any) -> list[str]:
    if isinstance(parts, str):
        return [parts] if parts else []
    if isinstance(parts, list):
        return [word for part in parts for word in _words(part)]
    if isinstance(parts, dict):
        read = ("fallback", "pretext", "title", "text", "fields", "elements", "accessory", "blocks", "url", "footer")
        return [word for name in read for word in _words(parts.get(name))]
    return []
