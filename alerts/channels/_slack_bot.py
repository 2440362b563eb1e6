"""Posting with a bot token: one card per alert, edited on every change, with its transitions in the thread."""

import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.request import Request

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse
from typing_extensions import override

from alerts.channels._base import ChannelError
from alerts.channels._plain import as_mapping, delivery_id, marked_as_repeat, tidy
from alerts.channels._slack_blocks import Form, blocks, fallback, plain_text
from alerts.channels._slack_errors import OUT_OF_REACH, SlackError, failure
from alerts.channels._slack_http import CALL_SECONDS, exchange, silent_logger
from domain.alert import Notification, Reason
from domain.message import Message

EVENT_TYPE = "buildwatch"

_SEND_SECONDS = 18.0  # for all calls of one send: below the time that a stopping daemon waits
_PAGE = 100
_PAGES = 10
_IS_ID = re.compile(r"[CDG][A-Z0-9]{7,}")
_ELSEWHERE = OUT_OF_REACH | {"channel_not_found", "not_in_channel", "is_archived"}


class _Client(WebClient):
    """slack_sdk's client over our exchange, with one deadline for the calls of a send."""

    deadline = 0.0

    @override
    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise ChannelError("Slack was too slow for all the calls that this message needs")
        reply = exchange(req, tls=self.ssl, seconds=min(CALL_SECONDS, left))
        try:
            is_slack = isinstance(json.loads(reply.body), dict)
        except (ValueError, RecursionError):
            is_slack = False
        if not is_slack:
            raise failure(reply.status, reply.headers, "", may_repeat=True)
        return {"status": reply.status, "headers": reply.headers, "body": reply.body}


class Bot:
    """The way with a token."""

    def __init__(self, token: str, channel: str, api_url: str, tls: ssl.SSLContext | None, form: Form = blocks) -> None:
        self._client = _Client(token, base_url=api_url, ssl=tls, logger=silent_logger(), retry_handlers=[])
        self._form = form
        self._channel = channel
        self._channel_id = channel if _IS_ID.fullmatch(channel) else None

    def send(self, notification: Notification) -> Mapping[str, Any]:
        """Post the card, or edit it and tell the change in its thread; the receipt is {channel, ts}.

        A refresh only edits: it is no news, it keeps the card true. So does a first message with a card: other
        alerts are on it already, and now it shows this one, too.
        """
        self._client.deadline = time.monotonic() + _SEND_SECONDS
        root, reason = notification.root, notification.reason
        only_here = reason in {Reason.REFRESH, Reason.THREADED}  # it makes no sense but on or under its card
        if not (root.get("channel") and root.get("ts")):
            return {} if only_here else self._post_once(notification)
        try:
            if reason is not Reason.THREADED:
                self._edit_once(notification)
            if reason in {Reason.REFRESH, Reason.FIRST}:
                return dict(root)
            return self._post_once(notification, thread=root)
        except SlackError as error:
            if error.word not in _ELSEWHERE:
                raise
            # The card was deleted, or belongs to a channel of an earlier configuration.
            return {} if only_here else self._post_once(notification)

    def probe(self) -> str:
        """Who the token belongs to, and which scopes it lacks."""
        self._client.deadline = time.monotonic() + _SEND_SECONDS
        answer = self._ask(self._client.auth_test)
        scopes = set(re.split(r"[,\s]+", answer.headers.get("x-oauth-scopes", "")))
        found = f"{answer.get('user', 'somebody')} in the workspace {answer.get('team', '?')}"
        if scopes != {""} and not scopes & {"chat:write", "chat:write:bot"}:
            return f"{found}, but without the scope chat:write: it cannot post"
        if scopes != {""} and not scopes & {"channels:history", "groups:history"}:
            return f"{found}; without the scope channels:history a message may be repeated after a crash"
        return found

    def _edit_once(self, notification: Notification) -> None:
        """Bring the card up to date. Doing so again changes nothing, so an unanswered edit is not a possible repeat."""
        if notification.progress.get("edited"):
            return
        card = {"channel": notification.root["channel"], "ts": notification.root["ts"]}
        try:
            self._render(tidy(notification.card or notification.message), self._client.chat_update, **card)
        except ChannelError as error:
            error.ambiguous = notification.ambiguous and not error.permanent
            raise

    def _post_once(self, notification: Notification, thread: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Post, unless an earlier attempt did: after one that nobody answered, Slack is asked first."""
        try:
            found, known = self._look_up(notification, thread) if notification.ambiguous else (None, True)
            return found or self._post(notification, thread, is_repeat=not known)
        except ChannelError as error:
            error.progress = {"edited": True} if thread else {}
            raise

    def _look_up(
        self, notification: Notification, thread: Mapping[str, Any] | None
    ) -> tuple[dict[str, Any] | None, bool]:
        """The receipt of an earlier attempt if there is one, and whether Slack was able to say so."""
        try:
            return self._find(delivery_id(notification), thread), True
        except ChannelError as error:
            if not error.permanent:
                error.ambiguous = True  # still
                raise
            return None, False  # a missing scope, say: nobody can know

    def _post(self, notification: Notification, thread: Mapping[str, Any] | None, *, is_repeat: bool) -> dict[str, Any]:
        message = tidy(notification.message)
        channel = thread["channel"] if thread else self._channel_id or self._channel
        answer = self._render(
            marked_as_repeat(message) if is_repeat else message,
            self._client.chat_postMessage,
            channel=channel,
            thread_ts=thread["ts"] if thread else None,
            metadata={"event_type": EVENT_TYPE, "event_payload": {"delivery": delivery_id(notification)}},
            unfurl_links=False,
            unfurl_media=False,
        )
        if not answer.get("ts"):
            raise failure(answer.status_code, {}, "", may_repeat=True)
        self._channel_id = self._channel_id or (None if thread else answer.get("channel"))
        return {"channel": answer.get("channel") or channel, "ts": answer["ts"]}

    def _render(self, message: Message, call: Callable[..., SlackResponse], **where: Any) -> SlackResponse:
        """Call with blocks; once more as plain text when Slack does not like them."""
        try:
            return self._ask(call, text=fallback(message), blocks=self._form(message), **where)
        except SlackError as error:
            if not error.about_form:
                raise
        return self._ask(call, text=plain_text(message), blocks=[], **where)

    def _find(self, name: str, thread: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The receipt of the message that carries this delivery, among the newest thousand or in the thread."""
        channel = thread["channel"] if thread else self._known_channel_id()
        call = self._client.conversations_replies if thread else self._client.conversations_history
        where = {"ts": thread["ts"]} if thread else {}
        for page in self._pages(call, channel=channel, include_all_metadata=True, limit=_PAGE, **where):
            for each in page.get("messages") or ():
                metadata = as_mapping(as_mapping(each).get("metadata"))
                if as_mapping(metadata.get("event_payload")).get("delivery") == name:
                    return {"channel": channel, "ts": each["ts"]}
        return None

    def _known_channel_id(self) -> str:
        """Posting takes a name, reading wants the id: the one that an earlier post returned, or from the list."""
        for kind in ("public_channel", "private_channel"):  # apart: each needs a scope of its own
            if self._channel_id is None:
                self._channel_id = self._listed(self._channel.removeprefix("#"), kind)
        return self._channel_id or self._channel

    def _listed(self, name: str, kind: str) -> str | None:
        try:
            for page in self._pages(self._client.conversations_list, types=kind, exclude_archived=True, limit=999):
                for each in map(as_mapping, page.get("channels") or ()):
                    if each.get("name") == name:
                        return str(each["id"])
        except SlackError as error:
            if not error.permanent:
                raise
        return None

    def _pages(self, call: Callable[..., SlackResponse], **parameters: Any) -> Iterator[SlackResponse]:
        cursor = None
        for _ in range(_PAGES):
            page = self._ask(call, cursor=cursor, **parameters)
            yield page
            cursor = as_mapping(page.get("response_metadata")).get("next_cursor")
            if not cursor:
                return

    def _ask(self, call: Callable[..., SlackResponse], **parameters: Any) -> SlackResponse:
        try:
            return call(**parameters)
        except SlackApiError as error:
            answer = error.response
            headers = dict(answer.headers)
            if "retry_after" in answer.data:
                headers.setdefault("retry-after", str(answer.data["retry_after"]))
            word = str(answer.data.get("error", ""))
        raise failure(answer.status_code, headers, word, may_repeat=True)
