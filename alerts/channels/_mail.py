"""A message as mail: text and HTML, headers that keep an alert together and keep robots from answering."""

import re
from collections.abc import Callable, Mapping, Sequence
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Any

from pydantic import AfterValidator
from typing_extensions import override

from alerts.channels._chart import draw
from alerts.channels._mail_html import html_of, moment
from alerts.channels._plain import delivery_id, plain, tidy
from domain.alert import Notification
from domain.message import Message
from domain.text import clean


class _Policy(EmailPolicy):
    """The email package's own folding loses or doubles spaces between encoded words; its older Header does not."""

    @override
    def fold_binary(self, name: str, value: Any) -> bytes:
        if name != "Subject":
            return super().fold_binary(name, value)
        folded = Header(str(value), "utf-8", header_name=name).encode(linesep=self.linesep)
        return f"{name}: {folded}{self.linesep}".encode("ascii")


_POLICY = _Policy(linesep="\r\n", cte_type="7bit")  # any server takes it, whether it knows 8BITMIME or not
_SUBJECT_LIMIT = 200
_DOMAIN_LIMIT = 45  # the email package breaks up a Message-ID that does not fit on a line


def address(text: str) -> Address:
    """`CI <ci@example.com>` or a bare address; raises ValueError when it is neither."""
    name, spec = parseaddr(text)
    local, at, domain = spec.rpartition("@")
    if not (at and local and domain) or not text.isprintable() or re.search(r"[\s<>,;]", spec):
        raise ValueError("must be an address like ci@example.com or CI <ci@example.com>")
    try:
        return Address(display_name=name, addr_spec=f"{local}@{domain.encode('idna').decode()}")
    except (ValueError, LookupError, IndexError) as error:
        raise ValueError("is not an address that mail servers understand: only the domain may be non-ASCII") from error


def _checked(text: str) -> str:
    address(text)
    return text


Mailbox = Annotated[str, AfterValidator(_checked)]


Html = Callable[[Message, Sequence[str | None]], str]
"""Makes the HTML of a mail; given are the content ids of the message's charts, None where one is not drawn."""


class Extent(StrEnum):
    """How much of a mail is sent: what is too large for a server is sent with less."""

    ALL = "with pictures"
    NO_PICTURES = "without pictures"
    TEXT = "without HTML"


def compose(
    notification: Notification,
    *,
    channel: str,
    sender: Address,
    to: Sequence[Address],
    html: Html = html_of,
    extent: Extent = Extent.ALL,
) -> EmailMessage:
    """The mail for a notification; every attempt makes the same one."""
    message = tidy(notification.message)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender
    mail["To"] = tuple(to)
    mail["Subject"] = clean(message.headline, _SUBJECT_LIMIT)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = message_id(notification, sender)
    first = str(notification.root.get("message_id") or "")
    thread = f"<{_digest(message.thread)}.thread@{_domain(sender)}>"
    mail["References"] = f"{thread} {first}".rstrip()
    if first:
        mail["In-Reply-To"] = first
    mail["List-Id"] = (
        f"<{re.sub(r'[^a-z0-9]+', '-', channel.lower()).strip('-') or 'alerts'}.buildwatch.{_domain(sender)}>"
    )
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"  # Exchange's word for the same
    mail.set_content(f"{plain(message)}\n-- \n{moment(message)} · sent by buildwatch\n")
    if extent is not Extent.TEXT:
        drawn = [draw(chart) if extent is Extent.ALL else None for chart in message.charts]
        _add_html(mail, message, html, drawn, f"{delivery_id(notification)}@{_domain(sender)}")
    return mail


def _add_html(mail: EmailMessage, message: Message, html: Html, drawn: Sequence[bytes | None], identity: str) -> None:
    ids = [f"chart{number}.{identity}" if png else None for number, png in enumerate(drawn, 1)]
    mail.add_alternative(html(message, ids), subtype="html")
    page = mail.get_body(("html",))
    for cid, png in zip(ids, drawn, strict=True):
        if page is not None and cid is not None and png is not None:
            page.add_related(png, "image", "png", cid=f"<{cid}>", disposition="inline")


def message_id(notification: Notification, sender: Address) -> str:
    """The same for every attempt of a notification, so that a repeated mail is shown once."""
    return f"<{delivery_id(notification)}@{_domain(sender)}>"


def _domain(sender: Address) -> str:
    return sender.domain if len(sender.domain) <= _DOMAIN_LIMIT else f"{_digest(sender.domain)}.invalid"


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def recipients_left(to: Sequence[Address], progress: Mapping[str, Any]) -> list[str]:
    """Whom earlier attempts neither reached nor were refused by for good."""
    done = {*progress.get("delivered", ()), *progress.get("refused", ())}
    return [each for each in dict.fromkeys(each.addr_spec for each in to) if each not in done]
