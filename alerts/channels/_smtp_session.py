"""A conversation with a mail server, step by step, and what its answers mean.

`smtplib.sendmail` raises nothing when only some recipients are refused, and raises the same class for 450 and 550;
so each step is our own, and is classified by the code. RFC 5321 §4.5.3.2.6 asks to wait ten minutes after the final
dot: the server may have accepted already, and giving up earlier means a second copy.
"""

import contextlib
import re
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from alerts.channels._base import ChannelError
from alerts.channels._network import cut_after, reason_of, untrusted
from domain.text import clean

GREYLISTED = 300.0
FINAL_REPLY_SECONDS = 600.0

_STEP_FACTOR = 2  # connecting with login, or offering to all recipients, takes this many timeouts at most
_GOODBYE_SECONDS = 5.0
_OK = frozenset((250, 251))
_GO_AHEAD = 354
_TOO_LARGE = 552
_CLOSING = 421


class TooLarge(Exception):
    """The server takes no message of this size."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """Who has the message now, who never will, and who may later. Values are the server's words."""

    delivered: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    later: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def session(
    host: str, port: int, *, context: ssl.SSLContext | None, tls: bool, login: tuple[str, str] | None, timeout: float
) -> Iterator[smtplib.SMTP]:
    """A connection that is ready for mail: encrypted when there is a context, logged in when there is a login.

    Raises ChannelError. Never goes on in clear text when encryption was asked for.
    """
    with _step(f"connecting to {host}:{port}"):
        server = (
            smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
            if tls
            else smtplib.SMTP(host, port, timeout=timeout)
        )
    try:
        # The timeout holds for each read; a server that drips is cut as a whole.
        with cut_after(_STEP_FACTOR * timeout, lambda: server.sock):
            with _step(f"greeting {host}"):
                server.ehlo_or_helo_if_needed()
            if context is not None and not tls:
                with _step(f"STARTTLS with {host}"):
                    server.starttls(context=context)
                    server.ehlo_or_helo_if_needed()
            if login is not None:
                with _step(f"the login at {host}", quote=False):
                    server.login(*login)
        yield server
    finally:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            if server.sock is not None:
                server.sock.settimeout(min(_GOODBYE_SECONDS, timeout))
            server.quit()
        server.close()


def ping(server: smtplib.SMTP) -> None:
    """One command that changes nothing."""
    with _step("saying hello"):
        server.noop()


def transmit(server: smtplib.SMTP, sender: str, recipients: Sequence[str], data: bytes, *, patience: float) -> Outcome:
    """One mail transaction for several recipients; raises ChannelError or TooLarge when nobody got the message."""
    outcome = Outcome()
    timeout = server.timeout
    with cut_after(_STEP_FACTOR * timeout, lambda: server.sock):
        with _step(f"the sender {sender}"):
            size = [f"size={len(data)}"] if server.has_extn("size") else []
            _expect(server, *server.mail(sender, size))
            _offer(server, recipients, outcome)
        if not outcome.delivered:
            return outcome
        with _step("the message", channel_wide=False):
            _expect(server, *server.docmd("DATA"), wanted=_GO_AHEAD)
            server.send(re.sub(rb"(?m)^\.", b"..", data).removesuffix(b"\r\n") + b"\r\n.\r\n")
    code, text = _final_reply(server, patience)
    with _step("the message", channel_wide=False):
        _expect(server, code, text)
    return outcome


def _offer(server: smtplib.SMTP, recipients: Sequence[str], outcome: Outcome) -> None:
    for recipient in recipients:
        code, text = server.rcpt(recipient)
        if code == _CLOSING:
            raise smtplib.SMTPResponseException(code, text)
        if code in _OK:
            outcome.delivered.append(recipient)
        # 552 means a full mailbox or too many recipients here: RFC 5321 §4.5.3.1.10 has it treated as 452.
        elif _is_permanent(code) and code != _TOO_LARGE:
            outcome.refused[recipient] = quoted(code, text)
        else:
            outcome.later[recipient] = quoted(code, text)


def _final_reply(server: smtplib.SMTP, patience: float) -> tuple[int, bytes]:
    try:
        if server.sock is not None:
            server.sock.settimeout(patience)
        with cut_after(patience, lambda: server.sock):
            return server.getreply()
    except (OSError, smtplib.SMTPException):
        text = "the server got the whole message and did not answer: it may have been accepted"
        raise ChannelError(text, ambiguous=True) from None


def _expect(server: smtplib.SMTP, code: int, text: bytes, wanted: int = 250) -> None:
    if code == wanted:
        return
    if code == _CLOSING:
        server.close()
    else:
        with contextlib.suppress(smtplib.SMTPServerDisconnected):
            server.rset()
    if code == _TOO_LARGE:
        raise TooLarge
    raise smtplib.SMTPResponseException(code, text)


def quoted(code: int, text: bytes | str) -> str:
    """A reply as people may see it."""
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return clean(f"{code} {' '.join(words.split())}", 200)


def _is_permanent(code: int) -> bool:
    return 500 <= code <= 599  # noqa: PLR2004 - the hundreds of RFC 5321


@contextlib.contextmanager
def _step(doing: str, *, channel_wide: bool = True, quote: bool = True) -> Iterator[None]:
    """Turn what smtplib raises into a ChannelError that names the step; `quote` shows the server's words too."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        said = quoted(error.smtp_code, error.smtp_error) if quote else str(error.smtp_code)
        permanent = _is_permanent(error.smtp_code)
        wait = None if permanent or channel_wide else GREYLISTED
        raise ChannelError(
            f"{doing}: the server says {said}", permanent=permanent, retry_after=wait, channel_wide=channel_wide
        ) from None
    except smtplib.SMTPServerDisconnected:
        raise ChannelError(
            f"{doing}: the connection ended, or no answer came in time", channel_wide=channel_wide
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise ChannelError(f"{doing}: {untrusted(error)}", permanent=True, channel_wide=channel_wide) from None
    except ssl.SSLError as error:
        # A server without TLS answers in clear text, which OpenSSL takes for a wrong version.
        permanent = error.reason in {"WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE"}
        text = f"{doing}: no TLS ({error.reason}); port 465 wants tls: true, 587 starttls: true"
        raise ChannelError(text, permanent=permanent, channel_wide=channel_wide) from None
    except smtplib.SMTPNotSupportedError:
        text = f"{doing}: the server does not offer it, and clear text is not an option unless starttls: false says so"
        raise ChannelError(text, permanent=True, channel_wide=channel_wide) from None
    except OSError as error:
        # Also what is left of SMTPException, which is an OSError without a number: no login mechanism in common.
        permanent = isinstance(error, smtplib.SMTPException)
        reason = "the server offers no way that we know" if permanent else reason_of(error)
        raise ChannelError(f"{doing}: {reason}", permanent=permanent, channel_wide=channel_wide) from None
