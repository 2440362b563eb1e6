"""A real mail server on loopback (aiosmtpd) that answers each recipient as told.

with MailServer(replies={"b@example.com": ["451 greylisted"]}) as server:
    ...
    server.received[0].mail["Subject"]
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from typing_extensions import override

HANG_UP = "hang up"
SILENCE = "silence"


@dataclass(frozen=True)
class Received:
    """One accepted message."""

    sender: str
    recipients: tuple[str, ...]
    mail: EmailMessage
    raw: bytes
    encrypted: bool


class _Controller(Controller):
    @override
    def _trigger_server(self) -> None:
        # Port 0 was asked for: the start-up probe has to know which one it became.
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


class MailServer:
    """Answers with the scripted replies, one for each try, then accepts. A context manager.

    `replies` by recipient; `to_sender` for MAIL FROM; `to_data` after the final dot, where HANG_UP accepts and
    closes, SILENCE accepts and says nothing.
    """

    def __init__(
        self,
        *,
        replies: Mapping[str, list[str]] | None = None,
        to_sender: list[str] | None = None,
        to_data: list[str] | None = None,
        login: tuple[str, str] | None = None,
        starttls: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
        size: int = 10_000_000,
    ) -> None:
        self.replies = {recipient: list(answers) for recipient, answers in (replies or {}).items()}
        self.to_sender = list(to_sender or [])
        self.to_data = list(to_data or [])
        self.received: list[Received] = []
        self.tried: list[str] = []
        self.logins: list[tuple[str, str]] = []
        self._login = login
        self._controller = _Controller(
            self,
            hostname="127.0.0.1",
            port=0,
            ssl_context=tls,
            tls_context=starttls,
            authenticator=self._authenticate,
            auth_require_tls=False,
            data_size_limit=size,
        )

    @property
    def port(self) -> int:
        port: int = self._controller.port
        return port

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    def _authenticate(self, _s: SMTP, _se: Session, _e: Envelope, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=self._login in {None, self.logins[-1]}, handled=False)

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, sender: str, _o: list[str]) -> str:  # noqa: N802
        if self._login and not session.authenticated:
            return "530 authenticate first"
        if self.to_sender:
            return _say(server, self.to_sender.pop(0))
        envelope.mail_from = sender
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, _se: Session, envelope: Envelope, recipient: str, _o: list[str]) -> str:  # noqa: N802
        self.tried.append(recipient)
        if self.replies.get(recipient):
            return _say(server, self.replies[recipient].pop(0))
        envelope.rcpt_tos.append(recipient)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.to_data.pop(0) if self.to_data else "250 accepted"
        if answer[0] == "2" or answer in {HANG_UP, SILENCE}:
            raw = envelope.original_content or b""
            mail = message_from_bytes(raw, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            encrypted = session.ssl is not None or self._controller.ssl_context is not None
            self.received.append(Received(envelope.mail_from or "", tuple(envelope.rcpt_tos), mail, raw, encrypted))
        if answer == SILENCE:
            await asyncio.sleep(30)
        return _say(server, answer)


def _say(server: SMTP, answer: str) -> str:
    if answer == HANG_UP:
        assert isinstance(server.transport, asyncio.Transport)
        server.transport.abort()
    return answer
