"""A mail server on the loopback interface: keeps what it accepts, answers each recipient as told."""

import socket
import ssl
import threading
from asyncio import AbstractServer, Transport
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from typing_extensions import override

from simulator.server import Now, wall_clock

_OK = "250 OK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail that was accepted. `recipients` are those that were, not those in its header."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    message: EmailMessage
    at: datetime
    tls: bool
    user: str | None

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return str(self.message["Subject"])

    def text(self, kind: str = "plain") -> str:
        """The body for people (`plain` or `html`), decoded."""
        body = self.message.get_body(preferencelist=(kind,))
        return str(body.get_content()).replace("\r\n", "\n") if body is not None else ""


class SmtpServer:
    """One mail server. Change its attributes at any time.

    replies: what RCPT says to an address, e.g. {"a@example.com": "550 5.1.1 no such user"}.
    data_reply: what it says after the mail; with a code that is not 2xx the mail is not kept.
    accept_then_silent: takes the mail, then closes the connection without a word.
    users: names with passwords; with any, AUTH is required. tls: offers STARTTLS; implicit_tls: speaks TLS at once.
    """

    def __init__(
        self,
        *,
        now: Now = wall_clock,
        port: int = 0,
        users: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        size_limit: int | None = None,
    ) -> None:
        self.now = now
        self.host = "127.0.0.1"
        self.port = port
        self.replies: dict[str, str] = {}
        self.data_reply = _OK
        self.accept_then_silent = False
        self._users = dict(users or {})
        self._tls = tls
        self.implicit_tls = implicit_tls
        self._size_limit = size_limit
        self._mails: list[Mail] = []
        self._arrived = threading.Condition()
        self._controller: _Controller | None = None

    @property
    def mails(self) -> list[Mail]:
        """What was accepted, oldest first."""
        with self._arrived:
            return list(self._mails)

    def wait(self, count: int, timeout: float = 10.0) -> list[Mail]:
        """The mails, as soon as there are so many; raises TimeoutError when they do not come."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._mails) >= count, timeout):
                raise TimeoutError(f"{len(self._mails)} of {count} mails came")
            return list(self._mails)

    def clear(self) -> None:
        """Forget the mails."""
        with self._arrived:
            self._mails.clear()

    def start(self) -> Self:
        """Listen, in a thread."""
        options: dict[str, Any] = {"data_size_limit": self._size_limit, "enable_SMTPUTF8": True}
        if self._users:
            options |= {"authenticator": self._authenticate, "auth_required": True,
                        "auth_require_tls": self._tls is not None and not self.implicit_tls}  # fmt: skip
        if self._tls is not None:
            options["ssl_context" if self.implicit_tls else "tls_context"] = self._tls
        listening = socket.create_server((self.host, self.port))
        self.port = listening.getsockname()[1]
        self._controller = _Controller(_Handler(self), listening, hostname=self.host, port=self.port, **options)
        self._controller.start()
        return self

    def stop(self) -> None:
        """Close it. `start()` brings it back on the same port."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def keep(self, mail: Mail) -> None:
        """Remember an accepted mail and wake whoever waits for it."""
        with self._arrived:
            self._mails.append(mail)
            self._arrived.notify_all()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        del server, envelope, mechanism
        if not isinstance(data, LoginPassword) or self._users.get(data.login.decode()) != data.password.decode():
            return AuthResult(success=False, handled=False)
        session.login_name = data.login.decode()  # type: ignore[attr-defined]  # ours, read in DATA
        return AuthResult(success=True)


class _Controller(Controller):
    """aiosmtpd's controller over a socket that listens already: its own way neither takes port 0 nor fails at once."""

    def __init__(self, handler: "_Handler", listening: socket.socket, **options: Any) -> None:
        super().__init__(handler, **options)
        self._listening = listening

    @override
    def _create_server(self) -> Awaitable[AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listening, ssl=self.ssl_context)


class _Handler:
    """What happens to a mail. The method names are aiosmtpd's."""

    def __init__(self, owner: SmtpServer) -> None:
        self._owner = owner

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session
        reply = self._owner.replies.get(address, _OK)
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        if self._owner.data_reply.startswith("2"):
            mail = Mail(
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                raw=raw,
                message=message_from_bytes(raw, policy=policy.default),
                at=self._owner.now(),
                tls=session.ssl is not None or self._owner.implicit_tls,
                user=getattr(session, "login_name", None),
            )
            self._owner.keep(mail)
        if self._owner.accept_then_silent and isinstance(server.transport, Transport):
            server.transport.abort()
        return self._owner.data_reply
