"""Mail over SMTP: encrypted unless told otherwise, each recipient's fate told apart, one thread per alert."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from email.message import EmailMessage
from smtplib import SMTP
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    FilePath,
    PositiveFloat,
    SecretStr,
    model_validator,
)

from alerts.channels._base import ChannelError, ChannelPlugin, ChannelSettings, MessageTemplate
from alerts.channels._mail import Extent, Html, Mailbox, address, compose, message_id, recipients_left
from alerts.channels._mail_html import html_of
from alerts.channels._mail_template import MailTemplate
from alerts.channels._network import tls_context
from alerts.channels._smtp_session import FINAL_REPLY_SECONDS, GREYLISTED, Outcome, TooLarge, ping, session, transmit
from alerts.channels._template import form_of
from domain.alert import Notification

_log = logging.getLogger(__name__)


def _several(value: object) -> object:
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


def _ascii(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().isascii():
        raise ValueError("must be ASCII: mail servers do not agree on anything else")
    return value


class SmtpSettings(ChannelSettings):
    """Port 587 with STARTTLS unless said otherwise; 465 means TLS from the first byte."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["smtp"]
    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    username: str | None = None
    password: Annotated[SecretStr, AfterValidator(_ascii)] | None = None
    sender: Mailbox = Field(alias="from")
    to: Annotated[tuple[Mailbox, ...], BeforeValidator(_several)] = Field(min_length=1)
    tls: bool | None = None  # default: only on port 465
    starttls: bool | None = None  # default: unless tls; false must be said, also for localhost
    ca_file: FilePath | None = None  # trusted besides the system's authorities
    verify: bool = True
    timeout: PositiveFloat = 60.0  # seconds for one answer

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.tls and self.starttls:
            raise ValueError("tls and starttls exclude each other: tls on port 465, starttls on 587")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")
        return self

    @property
    def at_once(self) -> bool:
        """TLS from the first byte."""
        return self.tls if self.tls is not None else self.port == 465 and not self.starttls  # noqa: PLR2004 - smtps

    @property
    def encrypted(self) -> bool:
        """Either way."""
        return self.at_once or self.starttls is not False


class Mail:
    """Sends from one address to a fixed list of recipients."""

    min_interval = 0.0
    patience = FINAL_REPLY_SECONDS

    def __init__(self, name: str, settings: SmtpSettings, *, template: MessageTemplate | None = None) -> None:
        self.name = name
        self._html: Html = form_of(template, instead_of=html_of)
        self.send_limit = self.patience + 6 * settings.timeout  # seconds after which a send must be taken for hung
        self._settings = settings
        self._sender = address(settings.sender)
        self._to = tuple(address(each) for each in settings.to)
        if settings.encrypted and not settings.verify:
            _log.warning(
                "mail server is not verified: anybody in between can read channel=%s host=%s", name, settings.host
            )

    def send(self, notification: Notification) -> Mapping[str, Any]:
        """Send to those who do not have it yet; the receipt is {message_id, refused: {address: answer}}."""
        delivered = [*notification.progress.get("delivered", ())]
        refused = {**notification.progress.get("refused", {})}
        later: dict[str, str] = {}
        try:
            if recipients := recipients_left(self._to, notification.progress):
                outcome = self._transmit(notification, recipients)
                delivered += outcome.delivered
                refused |= outcome.refused
                later = outcome.later
        except ChannelError as error:
            error.progress = {"delivered": delivered, "refused": refused}
            error.ambiguous |= notification.ambiguous and not error.permanent
            raise
        progress = {"delivered": delivered, "refused": refused}
        if later:
            waits = GREYLISTED * 2 ** min(max(notification.attempts - 1, 0), 3)
            raise ChannelError(f"not accepted yet: {_listed(later)}", retry_after=waits, progress=progress)
        if not delivered:
            raise ChannelError(f"nobody accepted it: {_listed(refused)}", permanent=True, progress=progress)
        return {"message_id": message_id(notification, self._sender), "refused": refused}

    def probe(self) -> str:
        """Connect, encrypt and log in."""
        with self._session() as server:
            ping(server)
        how = "over TLS" if self._settings.encrypted else "in clear text"
        who = f", logged in as {self._settings.username}" if self._settings.username else ""
        return f"{self._settings.host}:{self._settings.port} answers {how}{who}"

    def close(self) -> None:
        """Every message has its own connection: nothing is open."""

    def _transmit(self, notification: Notification, recipients: Sequence[str]) -> Outcome:
        with self._session() as server:
            for extent in Extent:
                if extent is Extent.NO_PICTURES and not notification.message.charts:
                    continue
                mail = self._compose(notification, extent)
                try:
                    return self._offer(server, mail, recipients)
                except TooLarge:
                    _log.warning("mail is too large for the server channel=%s sent=%s", self.name, extent)
        raise ChannelError("too large for the server, even without HTML", permanent=True)

    def _offer(self, server: SMTP, mail: EmailMessage, recipients: Sequence[str]) -> Outcome:
        return transmit(server, self._sender.addr_spec, recipients, bytes(mail), patience=self.patience)

    def _compose(self, notification: Notification, extent: Extent) -> EmailMessage:
        return compose(
            notification, channel=self.name, sender=self._sender, to=self._to, html=self._html, extent=extent
        )

    def _session(self) -> AbstractContextManager[SMTP]:
        settings = self._settings
        secret = settings.password.get_secret_value() if settings.password is not None else ""
        return session(
            settings.host,
            settings.port,
            context=tls_context(settings.ca_file, verify=settings.verify) if settings.encrypted else None,
            tls=settings.at_once,
            login=(settings.username, secret) if settings.username is not None else None,
            timeout=settings.timeout,
        )


def _listed(answers: Mapping[str, str]) -> str:
    return "; ".join(f"{address}: {answer}" for address, answer in answers.items())


PLUGIN = ChannelPlugin(settings=SmtpSettings, channel=Mail, template=MailTemplate)
