"""Slack: by a bot token (a card per alert, edited, with a thread) or by an incoming webhook (new messages only)."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, FilePath, SecretStr, model_validator
from typing_extensions import override

from alerts.channels._base import ChannelPlugin, ChannelSettings
from alerts.channels._network import tls_context
from alerts.channels._template import form_of
from domain.alert import Notification
from domain.text import clean_url

if TYPE_CHECKING:
    from alerts.channels._slack_bot import Bot
    from alerts.channels._slack_template import SlackTemplate
    from alerts.channels._slack_webhook import Webhook


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(clean_url(value) or "")
        complete = parts.hostname and parts.port != 0 and parts.username is None and value.isascii()
    except ValueError:  # a port that is no number
        complete = False
    if not complete:
        raise ValueError("must be a complete URL that begins with https:// (or http://), without a user name in it")
    return value


def _secret_url(value: SecretStr) -> SecretStr:
    _http_url(value.get_secret_value())
    return value


def _secret_word(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    if not (text.isascii() and text.isprintable()) or not text or " " in text:
        raise ValueError("must be a bot token: letters, digits and dashes (xoxb-…)")
    return value


class SlackSettings(ChannelSettings):
    """Either `webhook_url`, or `token` with `channel`."""

    kind: Literal["slack"]
    webhook_url: Annotated[SecretStr, AfterValidator(_secret_url)] | None = None
    token: Annotated[SecretStr, AfterValidator(_secret_word)] | None = None
    channel: str | None = None  # "#name" or an id (C…); reading the history after a crash is surer with the id
    api_url: Annotated[str, AfterValidator(_http_url)] = "https://slack.com/api/"
    ca_file: FilePath | None = None  # trusted besides the system's authorities

    @property
    @override
    def edits(self) -> bool:
        return self.token is not None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.webhook_url is None) == (self.token is None):
            raise ValueError("give either webhook_url, or token and channel")
        if (self.token is None) != (self.channel is None):
            raise ValueError("token and channel belong together; a webhook has its channel built in")
        return self


class Slack:
    """One channel of a Slack workspace."""

    def __init__(self, name: str, settings: SlackSettings, *, template: "SlackTemplate | None" = None) -> None:
        self.name = name
        # Slack takes one post per second and channel, and 50 edits a minute; going beyond them risks the app.
        self.min_interval = 1.0 if settings.token is None else 1.2
        self.edits = settings.edits
        self._settings = settings
        self._template = template

    def send(self, notification: Notification) -> Mapping[str, Any]:
        """Post or edit; the receipt is {channel, ts} with a token, mostly empty with a webhook."""
        return self._way.send(notification)

    def probe(self) -> str:
        """Ask who the token belongs to; for a webhook, only reach its host."""
        return self._way.probe()

    def close(self) -> None:
        """Every call has its own connection: nothing is open."""

    @cached_property
    def _way(self) -> "Bot | Webhook":
        """Made at first use: slack_sdk takes 130 ms to import."""
        from alerts.channels._slack_blocks import blocks  # noqa: PLC0415 - see above
        from alerts.channels._slack_bot import Bot  # noqa: PLC0415 - see above
        from alerts.channels._slack_webhook import Webhook  # noqa: PLC0415 - see above

        settings, form = self._settings, form_of(self._template, instead_of=blocks)
        tls = tls_context(settings.ca_file)
        if settings.webhook_url is not None:
            return Webhook(settings.webhook_url.get_secret_value(), tls, form)
        token = settings.token.get_secret_value() if settings.token is not None else ""
        return Bot(token, settings.channel or "", settings.api_url, tls, form)


def _template(path: Path, text: str) -> "SlackTemplate":
    from alerts.channels._slack_template import SlackTemplate  # noqa: PLC0415 - see above

    return SlackTemplate(path, text)


PLUGIN = ChannelPlugin(settings=SlackSettings, channel=Slack, template=_template)
