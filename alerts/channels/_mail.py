"""A message as mail: text and HTML, headers that keep an alert together and keep robots from answering."""

import re
from collections.abc import Mapping, Sequence
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator
from typing_extensions import override

from alerts.channels._plain import delivery_id, plain, tidy
from domain.alert import Notification
from domain.message import Message, Tone
from domain.text import clean

if TYPE_CHECKING:
    from jinja2 import Template

COLOURS: Mapping[Tone, str] = {
    Tone.BROKEN: "#c62828",
    Tone.WORSE: "#c77700",
    Tone.FIXED: "#1e7d34",
    Tone.NOTE: "#1a66c2",
}


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


def compose(
    notification: Notification, *, channel: str, sender: Address, to: Sequence[Address], html: bool = True
) -> EmailMessage:
    """The mail for a notification; every attempt makes the same one. Without `html` only the text."""
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
    at = f"{message.at:%Y-%m-%d %H:%M %Z}"
    mail.set_content(f"{plain(message)}\n-- \n{at} · sent by buildwatch\n")
    if html:
        mail.add_alternative(_html(message, at), subtype="html")
    return mail


def message_id(notification: Notification, sender: Address) -> str:
    """The same for every attempt of a notification, so that a repeated mail is shown once."""
    return f"<{delivery_id(notification)}@{_domain(sender)}>"


def _html(message: Message, at: str) -> str:
    return _template().render(message=message, at=at, colour=COLOURS[message.tone])


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - 70 ms, only who mails pays

    loader = PackageLoader("alerts.channels", "templates")
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("message.html")


def _domain(sender: Address) -> str:
    return sender.domain if len(sender.domain) <= _DOMAIN_LIMIT else f"{_digest(sender.domain)}.invalid"


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def recipients_left(to: Sequence[Address], progress: Mapping[str, Any]) -> list[str]:
    """Whom earlier attempts neither reached nor were refused by for good."""
    done = {*progress.get("delivered", ()), *progress.get("refused", ())}
    return [each for each in dict.fromkeys(each.addr_spec for each in to) if each not in done]
