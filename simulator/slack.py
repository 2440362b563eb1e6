"""A Slack workspace on the loopback interface: incoming webhooks and the Web API, with one store of messages."""

import itertools
import json
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from typing_extensions import override

from simulator.moments import EPOCH
from simulator.server import Answer, Request, Server, json_answer, text_answer
from simulator.slack_blocks import TOTAL_TEXT, problems, text_length
from simulator.slack_messages import Message, Room

if TYPE_CHECKING:
    from datetime import datetime

BOT_TOKEN = "xoxb-simulator-token"  # noqa: S105  (opens nothing but this server)
_LONGEST_TEXT = 40_000
_SCOPES = frozenset({"chat:write", "channels:history", "channels:read"})
_NEEDS = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "conversations.info": "channels:read",
    "conversations.list": "channels:read",
}
_WEBHOOK_ERRORS = {  # what a webhook says where the Web API says ok: false
    "is_archived": (410, "channel_is_archived"),
    "channel_not_found": (404, "channel_not_found"),
    "no_text": (400, "no_text"),
    "invalid_blocks": (400, "invalid_blocks"),
    "msg_blocks_too_long": (400, "msg_blocks_too_long"),
    "msg_too_long": (400, "msg_too_long"),
}


class _Refusal(Exception):
    """`ok: false` with an error name."""

    def __init__(self, error: str, **more: object) -> None:
        super().__init__(error)
        self.error = error
        self.more = more


class SlackServer(Server):
    """A workspace with one bot token and one webhook for each channel.

    Break it with `refuse("channel_not_found")` (ok: false; a status and a word on webhooks), `throttle()` (one message
    a second and channel, as Slack tolerates) or any fault of `simulator.faults`.
    """

    def __init__(self, *, token: str | None = None, scopes: frozenset[str] = _SCOPES, **options: Any) -> None:
        super().__init__(lock=threading.RLock(), **options)
        self.token = token or BOT_TOKEN
        self.scopes = scopes
        self.rooms: dict[str, Room] = {}
        self.revoked = False
        self._webhooks: dict[str, Room] = {}
        self._counter = itertools.count(1)
        self._refusals: list[tuple[str, int | None]] = []
        self._spacing: float | None = None
        self._last: dict[str, datetime] = {}
        self.room("ci")

    @property
    def api_url(self) -> str:
        """The base of the Web API, with a slash at the end, as slack_sdk wants it."""
        return f"{self.origin}/api/"

    def webhook_url(self, channel: str = "ci") -> str:
        """The webhook of a channel."""
        room = self.room(channel)
        path = f"/services/T0000SIM/B{room.id}/{room.name}-secret"
        self._webhooks[path] = room
        return self.origin + path

    def room(self, channel: str) -> Room:
        """The channel with this name (with or without `#`) or id; made when there is none."""
        found = self._find(channel)
        if found is None:
            name = channel.removeprefix("#")
            found = Room(id=f"C{len(self.rooms) + 1:08d}", name=name)
            self.rooms[found.id] = found
        return found

    @property
    def messages(self) -> list[Message]:
        """All messages as they stand now, in the order of their posting."""
        with self._lock:
            return sorted((m for room in self.rooms.values() for m in room.messages), key=lambda m: m.delivery)

    def refuse(self, error: str, times: int | None = None) -> None:
        """Answer the next posts with this error, `times` times or until `accept()`."""
        self._refusals.append((error, times))

    def accept(self) -> None:
        """Take posts again."""
        self._refusals.clear()
        self._spacing = None
        self.heal()

    def throttle(self, spacing: float = 1.0) -> None:
        """Answer 429 when a channel gets messages closer than this many seconds."""
        self._spacing = spacing

    @override
    def answer(self, request: Request) -> Answer:
        """A webhook or a method of the Web API."""
        if request.path.startswith("/services/"):
            return self._webhook(request)
        if request.path.startswith("/api/"):
            return self._api(request, request.path.removeprefix("/api/"))
        return text_answer("not found", status=404)

    def _webhook(self, request: Request) -> Answer:
        room = self._webhooks.get(request.path)
        if room is None:
            return text_answer("no_service", status=404)
        if request.method != "POST":
            return text_answer("invalid_payload", status=400)
        payload = _payload(request)
        if payload is None:
            return text_answer("invalid_payload", status=400)
        try:
            self._post(room, payload, by="webhook")
        except _Throttled as late:
            return text_answer("rate_limited", status=429, headers={"Retry-After": str(late.seconds)})
        except _Refusal as refusal:
            status, word = _WEBHOOK_ERRORS.get(refusal.error, (403, refusal.error))
            return text_answer(word, status=status)
        return text_answer("ok")

    def _api(self, request: Request, method: str) -> Answer:
        asked = _arguments(request)
        headers = {"X-OAuth-Scopes": ",".join(sorted(self.scopes)), "X-Slack-Req-Id": f"sim{next(self._counter)}"}
        methods: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._chat_post,
            "chat.update": self._chat_update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "conversations.info": lambda a: {"channel": _room_json(self._room(a))},
            "conversations.list": lambda _: {"channels": [_room_json(r) for r in self.rooms.values()]},
        }
        try:
            self._authorize(request, asked, method)
            done = methods.get(method, _unknown_method)(asked)
            return json_answer({"ok": True, **done}, headers=headers)
        except _Throttled as late:
            headers["Retry-After"] = str(late.seconds)
            return json_answer({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        except _Refusal as refusal:
            return json_answer({"ok": False, "error": refusal.error, **refusal.more}, headers=headers)

    def _authorize(self, request: Request, asked: Mapping[str, Any], method: str) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or asked.get("token", "")
        if not token:
            raise _Refusal("not_authed")
        if self.revoked:
            raise _Refusal("token_revoked")
        if token != self.token:
            raise _Refusal("invalid_auth")
        needed = _NEEDS.get(method)
        if needed is not None and needed not in self.scopes:
            raise _Refusal("missing_scope", needed=needed, provided=",".join(sorted(self.scopes)))

    def _auth_test(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"url": f"{self.origin}/", "team": "Simulated", "user": "buildwatch", "team_id": "T0000SIM",
                "user_id": "U0000SIM", "bot_id": "B0000SIM", "is_enterprise_install": False}  # fmt: skip

    def _chat_post(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        room = self._room(asked, by_name=True)
        if not room.member:
            raise _Refusal("not_in_channel")
        message = self._post(room, asked, by="bot")
        return {"channel": room.id, "ts": message.ts, "message": message.as_json(with_metadata=True, replies=[])}

    def _chat_update(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        room = self._room(asked)
        self._admit(room, asked)
        message = room.find(str(asked.get("ts", "")))
        if message is None:
            raise _Refusal("message_not_found")
        if message.by != "bot":
            raise _Refusal("cant_update_message")
        message.text = str(asked.get("text", ""))
        message.blocks = _listed(asked, "blocks")
        message.attachments = _listed(asked, "attachments")
        message.metadata = _decoded(asked.get("metadata")) or message.metadata
        message.edits += 1
        return {"channel": room.id, "ts": message.ts, "text": message.text}

    def _history(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        room = self._room(asked)
        if not room.member:
            raise _Refusal("not_in_channel")
        return self._page(room, list(reversed(room.top())), asked)

    def _replies(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        room = self._room(asked)
        root = room.find(str(asked.get("ts", "")))
        if root is None:
            raise _Refusal("thread_not_found")
        return self._page(room, [root, *room.replies(root.ts)], asked)

    def _page(self, room: Room, messages: list[Message], asked: Mapping[str, Any]) -> dict[str, Any]:
        oldest, latest = float(asked.get("oldest") or 0), float(asked.get("latest") or "inf")
        ends = str(asked.get("inclusive", "")).lower() in ("1", "true")
        inside = [m for m in messages if oldest < float(m.ts) < latest or (ends and float(m.ts) in (oldest, latest))]
        start, limit = int(asked.get("cursor") or 0), int(asked.get("limit") or 100)
        part = inside[start : start + limit]
        more = len(inside) > start + limit
        with_metadata = str(asked.get("include_all_metadata", "")).lower() in ("1", "true")
        return {"messages": [m.as_json(with_metadata=with_metadata, replies=room.replies(m.ts)) for m in part],
                "has_more": more, "pin_count": 0,
                "response_metadata": {"next_cursor": str(start + limit) if more else ""}}  # fmt: skip

    def _post(self, room: Room, payload: Mapping[str, Any], *, by: str) -> Message:
        self._pace(room)
        self._admit(room, payload)
        number = next(self._counter)
        seconds = (self.now() - EPOCH).total_seconds()
        thread = str(payload["thread_ts"]) if payload.get("thread_ts") else None
        if thread is not None and room.find(thread) is None:
            raise _Refusal("thread_not_found")
        message = Message(
            channel=room.id,
            ts=f"{int(seconds)}.{number % 1_000_000:06d}",
            text=str(payload.get("text") or ""),
            blocks=_listed(payload, "blocks"),
            attachments=_listed(payload, "attachments"),
            thread_ts=thread,
            broadcast=bool(payload.get("reply_broadcast")),
            by=by,
            metadata=_decoded(payload.get("metadata")),
            delivery=number,
        )
        room.messages.append(message)
        return message

    def _admit(self, room: Room, payload: Mapping[str, Any]) -> None:
        """Refuse what Slack refuses."""
        self._refuse_on_demand()
        if room.archived:
            raise _Refusal("is_archived")
        blocks, attachments = _listed(payload, "blocks"), _listed(payload, "attachments")
        if not (payload.get("text") or blocks or attachments):
            raise _Refusal("no_text")
        if len(str(payload.get("text") or "")) > _LONGEST_TEXT:
            raise _Refusal("msg_too_long")
        nested = [a["blocks"] for a in attachments if isinstance(a, Mapping) and "blocks" in a]
        wrong = [problem for found in ([blocks] if blocks else []) + nested for problem in problems(found)]
        if wrong:
            raise _Refusal("invalid_blocks", errors=wrong, response_metadata={"messages": wrong})
        if text_length([blocks, nested]) > TOTAL_TEXT:
            raise _Refusal("msg_blocks_too_long")

    def _refuse_on_demand(self) -> None:
        if not self._refusals:
            return
        error, left = self._refusals[0]
        if left is not None:
            self._refusals[:1] = [(error, left - 1)] if left > 1 else []
        raise _Refusal(error)

    def _pace(self, room: Room) -> None:
        now = self.now()
        last = self._last.get(room.id)
        if self._spacing is not None and last is not None and (now - last).total_seconds() < self._spacing:
            raise _Throttled(1)
        self._last[room.id] = now

    def _room(self, asked: Mapping[str, Any], *, by_name: bool = False) -> Room:
        wanted = str(asked.get("channel", ""))
        found = self._find(wanted)
        if found is None or (not by_name and found.id != wanted):
            raise _Refusal("channel_not_found")
        return found

    def _find(self, channel: str) -> Room | None:
        name = channel.removeprefix("#")
        return self.rooms.get(channel) or next((r for r in self.rooms.values() if r.name == name), None)


def _unknown_method(_: Mapping[str, Any]) -> dict[str, Any]:
    raise _Refusal("unknown_method")


class _Throttled(Exception):
    """429."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def _room_json(room: Room) -> dict[str, Any]:
    return {
        "id": room.id,
        "name": room.name,
        "is_channel": True,
        "is_archived": room.archived,
        "is_member": room.member,
    }


def _payload(request: Request) -> dict[str, Any] | None:
    """The JSON object of a webhook call, given as the body or as `payload=`."""
    try:
        body = request.body.decode()
        if body.startswith("payload="):
            body = dict(parse_qsl(body))["payload"]
        value = json.loads(body)
    except (ValueError, KeyError):
        return None
    return value if isinstance(value, dict) else None


def _arguments(request: Request) -> dict[str, Any]:
    """The arguments of a method, wherever they stand: query, form or JSON."""
    asked: dict[str, Any] = dict(request.query)
    if "json" in request.headers.get("content-type", ""):
        asked |= _payload(request) or {}
    elif request.body:
        asked |= dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    return asked


def _decoded(value: Any) -> Any:
    """A JSON value, which a form sends as text."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None


def _listed(payload: Mapping[str, Any], name: str) -> list[Any]:
    value = _decoded(payload.get(name)) or []
    return value if isinstance(value, list) else [value]
