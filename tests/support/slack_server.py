"""A small Slack on loopback: one workspace, one channel, webhooks and the Web API, with scripted failures.

with SlackServer() as slack:
    slack.next("/api/chat.postMessage", answering('{"ok": false, "error": "is_archived"}'))
"""

import itertools
import json
from typing import Any
from urllib.parse import parse_qsl

from tests.support.fault_server import Behaviour, Exchange, FaultServer, answering, in_turn

HOOK = "/services/T000/B000/canary-hook"
TOKEN = "xoxb-canary-token"
CHANNEL_ID = "C0000000001"
METHODS = (
    "chat.postMessage",
    "chat.update",
    "conversations.history",
    "conversations.replies",
    "conversations.list",
    "auth.test",
)


class SlackServer(FaultServer):
    """What people would see is in `messages`, in order of posting; every request is in `exchanges`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._clock = itertools.count(1)
        self._defaults: dict[str, Behaviour] = {HOOK: self._hook}
        for method in METHODS:
            self._defaults[f"/api/{method}"] = self._api
        self.reset()

    def reset(self) -> None:
        """As new: no messages, no scripted answers."""
        self.messages: list[dict[str, Any]] = []
        self.scopes = "chat:write,channels:history,channels:read"
        self.exchanges.clear()
        for path, behaviour in self._defaults.items():
            self.on(path, behaviour)

    @property
    def hook_url(self) -> str:
        return self.url + HOOK

    @property
    def api_url(self) -> str:
        return self.url + "/api/"

    def next(self, path: str, *behaviours: Behaviour) -> None:
        """The next requests for this path get these answers, then it works again."""
        self.on(path, in_turn(*behaviours, self._defaults[path]))

    def accepting_but(self, then: Behaviour) -> Behaviour:
        """Do what was asked, and answer something else."""

        def behave(exchange: Exchange) -> bool | None:
            self._do(exchange)
            return then(exchange)

        return behave

    def asked(self, method: str) -> list[dict[str, Any]]:
        """The parameters of every call of this method."""
        return [_parameters(each) for each in self.exchanges if each.path == f"/api/{method}"]

    def _hook(self, exchange: Exchange) -> bool | None:
        self._do(exchange)
        return answering("ok", content_type="text/html")(exchange)

    def _api(self, exchange: Exchange) -> bool | None:
        if exchange.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusing("invalid_auth")(exchange)
        headers = {"X-OAuth-Scopes": self.scopes}
        return answering(json.dumps(self._do(exchange)), headers=headers)(exchange)

    def _do(self, exchange: Exchange) -> dict[str, Any]:
        wanted = _parameters(exchange)
        if exchange.path == HOOK:
            return self._post(wanted)
        method = exchange.path.removeprefix("/api/").replace(".", "_")
        done: dict[str, Any] = getattr(self, f"_{method}")(wanted)
        return {"ok": True} | done

    def _post(self, wanted: dict[str, Any]) -> dict[str, Any]:
        message = wanted | {"ts": f"1795176000.{next(self._clock):06d}", "channel": CHANNEL_ID}
        self.messages.append(message)
        return message

    def _chat_postMessage(self, wanted: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's name
        posted = self._post(wanted)
        return {"channel": CHANNEL_ID, "ts": posted["ts"]}

    def _chat_update(self, wanted: dict[str, Any]) -> dict[str, Any]:
        for message in self.messages:
            if message["ts"] == wanted["ts"]:
                message |= {"text": wanted["text"], "blocks": wanted["blocks"]}
                return {"channel": CHANNEL_ID, "ts": message["ts"]}
        return {"ok": False, "error": "message_not_found"}

    def _conversations_history(self, wanted: dict[str, Any]) -> dict[str, Any]:
        newest_first = [each for each in reversed(self.messages) if "thread_ts" not in each]
        start = int(wanted.get("cursor", 0))
        end = start + int(wanted["limit"])
        cursor = str(end) if end < len(newest_first) else ""
        return {"messages": newest_first[start:end], "response_metadata": {"next_cursor": cursor}}

    def _conversations_replies(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return {"messages": [each for each in self.messages if wanted["ts"] in {each["ts"], each.get("thread_ts")}]}

    def _conversations_list(self, wanted: dict[str, Any]) -> dict[str, Any]:
        first = wanted.get("cursor") != "2"
        channels = [{"name": "random", "id": "C0000000009"}] if first else [{"name": "ci", "id": CHANNEL_ID}]
        return {"channels": channels, "response_metadata": {"next_cursor": "2" if first else ""}}

    def _auth_test(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"user": "buildwatch", "team": "Acme"}


def refusing(word: str, status: int = 200, **more: Any) -> Behaviour:
    """The Web API's way to say no."""
    return answering(json.dumps({"ok": False, "error": word, **more}), status=status)


def _parameters(exchange: Exchange) -> dict[str, Any]:
    if exchange.headers.get("content-type", "").startswith("application/json"):
        parsed: dict[str, Any] = json.loads(exchange.body or "{}")
        return parsed
    return dict(parse_qsl(exchange.body.decode()))
