"""Posting through an incoming webhook: it can only post, so every message of an alert is a new one."""

import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.request import Request

from slack_sdk.webhook import WebhookClient, WebhookResponse
from typing_extensions import override

from alerts.channels._base import ChannelError
from alerts.channels._plain import as_mapping, marked_as_repeat, tidy
from alerts.channels._slack_blocks import Form, blocks, fallback, plain_text
from alerts.channels._slack_errors import SlackError, failure
from alerts.channels._slack_http import CALL_SECONDS, connect, exchange, silent_logger
from domain.alert import Notification


class _Client(WebhookClient):
    """slack_sdk's client over our exchange."""

    @override
    def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
        reply = exchange(req, tls=self.ssl)
        return WebhookResponse(url=url, status_code=reply.status, body=reply.body, headers=dict(reply.headers))


class Webhook:
    """The way without a token."""

    def __init__(self, url: str, tls: ssl.SSLContext | None, form: Form = blocks) -> None:
        self._client = _Client(url, ssl=tls, logger=silent_logger(), retry_handlers=[])
        self._form = form

    def send(self, notification: Notification) -> Mapping[str, Any]:
        """Post; what nobody can know any more is marked as a possible repeat."""
        message = tidy(notification.message)
        if notification.ambiguous:
            message = marked_as_repeat(message)
        try:
            answer = self._post(text=fallback(message), blocks=self._form(message))
            if (error := _refusal(answer)) and error.about_form:
                error = _refusal(answer := self._post(text=plain_text(message)))
        except ChannelError as unanswered:
            unanswered.ambiguous |= notification.ambiguous
            raise
        if error:
            error.ambiguous |= notification.ambiguous and not error.permanent
            raise error
        return {key: value for key, value in _json(answer).items() if key in {"channel", "ts"}}

    def probe(self) -> str:
        """A webhook has no harmless request: only the way to it can be tried."""
        request = Request(self._client.url, method="POST")  # noqa: S310 - http(s), checked by the settings
        connect(request, tls=self._client.ssl, seconds=CALL_SECONDS).close()
        return f"{request.host} can be reached; whether the webhook works, only `buildwatch test-channel` can tell"

    def _post(self, **body: Any) -> WebhookResponse:
        return self._client.send(unfurl_links=False, unfurl_media=False, **body)


def _refusal(answer: WebhookResponse) -> SlackError | None:
    """None when Slack accepted: status 200 and the body `ok`, or JSON with ok and ts. Nothing else counts."""
    body = answer.body.strip()
    said = _json(answer)
    if answer.status_code == 200 and (body == "ok" or (said.get("ok") is True and said.get("ts"))):  # noqa: PLR2004
        return None
    headers = {**answer.headers}
    if "retry_after" in said:
        headers.setdefault("retry-after", str(said["retry_after"]))
    return failure(answer.status_code, headers, str(said.get("error", body)))


def _json(answer: WebhookResponse) -> dict[str, Any]:
    try:
        return as_mapping(json.loads(answer.body))
    except (ValueError, RecursionError):
        return {}
