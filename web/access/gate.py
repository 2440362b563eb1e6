"""Before any route: was it meant for us, who calls, how much and how often; and what every answer carries."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.text import clean
from store.errors import StoreError
from web.access.limits import Buckets
from web.access.origins import client_of, is_own_host, is_same_origin, neighbourhood
from web.access.recognition import Recognition
from web.access.scopes import SAFE, Caller, caller_of, unknown
from web.access.sessions import COOKIE
from web.plain_pages import answer
from web.problems import ProblemError, problem
from web.settings import Settings
from web.site import Site

log = logging.getLogger(__name__)

_DIGITS = 15  # of a length: more are no length
BURST_SECONDS = 10  # what a caller may ask at once, in seconds of the lasting rate
CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "private, no-cache",
}
"""What an answer carries that does not say otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may take."""

    body: int = 5 * 1024 * 1024  # bytes
    body_of_strangers: int = 1024 * 1024  # where callers have to say who they are, and do not
    bodies: int = 32 * 1024 * 1024  # of all requests under way
    body_seconds: float = 30.0  # until all of it has come


@dataclass(slots=True, kw_only=True)
class Turn:
    """One request on its way, for its line in the log."""

    began: float
    client: str = ""
    status: int = 0
    read: int = 0  # bytes of its body


@dataclass(slots=True)
class Gate:
    """The middleware around all routes. `open_paths`: who sends something there need not say who they are."""

    app: ASGIApp
    site: Site
    recognition: Recognition
    open_paths: Callable[[], Container[str]]
    limits: Limits = field(default_factory=Limits)
    monotonic: Callable[[], float] = time.monotonic
    _buckets: tuple[float, Buckets] | None = None
    _held: int = 0  # bytes of bodies of requests under way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or WebSocket; anything else is passed on."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        settings, turn = self.site.settings(), Turn(began=self.monotonic())
        connection = HTTPConnection(scope)
        turn.client = client_of(connection, settings)
        sending = self._dressed(send, turn)
        try:
            try:
                await self._admit(connection, settings, turn.client)
                receiving = self._bounded(connection, receive, turn, settings)
            except ProblemError as error:
                refusal = answer(connection, error.status_code, error.detail, headers=error.headers)
                await refusal(scope, receive, sending)
            except StoreError:
                await away()(scope, receive, sending)
            else:
                await self.app(scope, receiving, sending)
        except asyncio.CancelledError:  # the server ends, and this took too long
            if turn.status == 0 and scope["type"] == "http":
                await leaving()(scope, receive, sending)
        finally:
            self._held -= turn.read
            self._note(connection, turn)

    async def _admit(self, connection: HTTPConnection, settings: Settings, client: str) -> None:
        """Raises ProblemError or StoreError when this goes no further."""
        if not is_own_host(connection, settings):
            raise ProblemError(421, "this address is not known here under that name: set `web.url` in config.yaml")
        if _is_unsafe(connection) and not is_same_origin(connection, settings):
            raise ProblemError(403, "this was sent by a page of another origin: `web.cors` in config.yaml allows some")
        if settings.access is not None:
            await self._open_sessions(connection)
        caller = self.recognition.caller(connection, settings)
        connection.scope.setdefault("state", {})["caller"] = caller
        self._pace(caller, settings, client)
        if caller is None and _changes_something(connection) and connection.scope["path"] not in self.open_paths():
            raise unknown("a token")  # before the body is read: the routes would say it, too, but after it

    async def _open_sessions(self, connection: HTTPConnection) -> None:
        sessions = self.recognition.sessions
        if not (sessions.is_fresh if COOKIE in connection.cookies else sessions.is_open):
            await run_in_threadpool(sessions.open)

    def _pace(self, caller: Caller | None, settings: Settings, client: str) -> None:
        rate = settings.requests_per_second
        if rate is None:
            return
        if self._buckets is None or self._buckets[0] != rate:
            self._buckets = rate, Buckets(rate, rate * BURST_SECONDS, self.monotonic)
        key = f"caller {caller.name}" if caller is not None and caller.name else f"address {neighbourhood(client)}"
        if wait := self._buckets[1].take(key):
            detail = f"more than {rate:g} requests a second: wait a moment (`web.requests_per_second`)"
            raise ProblemError(429, detail, headers={"Retry-After": str(math.ceil(wait))})

    def _bounded(self, connection: HTTPConnection, receive: Receive, turn: Turn, settings: Settings) -> Receive:
        """A body that is too large or too slow ends the request, wherever it is read."""
        if connection.scope["type"] != "http":
            return receive
        limits, monotonic = self.limits, self.monotonic
        is_stranger = settings.access is not None and caller_of(connection) is None
        most = min(limits.body, limits.body_of_strangers) if is_stranger else limits.body
        announced = connection.headers.get("content-length", "0")
        if not announced.isdecimal() or len(announced) > _DIGITS or int(announced) > most:
            raise ProblemError(413, f"the body is larger than {most} bytes")
        complete, until = False, monotonic() + limits.body_seconds

        async def receiving() -> Message:
            nonlocal complete
            if complete:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(until - monotonic(), 0.0))
            except TimeoutError:
                raise ProblemError(408, f"the body did not come within {limits.body_seconds:g} seconds") from None
            size = len(message.get("body", b""))
            turn.read += size
            self._held += size
            complete = not message.get("more_body", False)
            if turn.read > most:
                raise ProblemError(413, f"the body is larger than {most} bytes")
            if self._held > limits.bodies:
                detail = "too many large bodies are on their way: try again in a moment"
                raise ProblemError(503, detail, headers={"Retry-After": "1"})
            return message

        return receiving

    @staticmethod
    def _dressed(send: Send, turn: Turn) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                turn.status = message["status"]
                dress(MutableHeaders(scope=message))
            elif message["type"] == "websocket.accept":
                turn.status = 101
            await send(message)

        return sending

    def _note(self, connection: HTTPConnection, turn: Turn) -> None:
        """A line in the log: what changes something at INFO, what only looks at DEBUG. Never what may be a secret."""
        method = connection.scope.get("method", "WEBSOCKET")
        caller = caller_of(connection)
        log.log(
            logging.DEBUG if method in SAFE or method == "WEBSOCKET" else logging.INFO,
            "request method=%s path=%s status=%s milliseconds=%d client=%s caller=%s",
            method,
            clean(connection.scope["path"]),
            turn.status or "-",
            (self.monotonic() - turn.began) * 1000,
            turn.client or "-",
            (caller.name if caller is not None else None) or "-",
        )


def dress(headers: MutableHeaders) -> None:
    """Add what every answer carries."""
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


def away() -> Response:
    """The answer while the store cannot be reached."""
    return problem(503, "the store cannot be reached at the moment: try again", headers={"Retry-After": "5"})


def leaving() -> Response:
    """The answer to what was under way when the server had to end: whether it was done is not known."""
    return problem(503, "buildwatch stops or restarts at this moment: try again", headers={"Retry-After": "5"})


def _changes_something(connection: HTTPConnection) -> bool:
    return connection.scope["type"] == "http" and connection.scope["method"] not in SAFE


def _is_unsafe(connection: HTTPConnection) -> bool:
    """A WebSocket is not under the browser's same-origin policy; whoever may open one reads everything."""
    return connection.scope["type"] == "websocket" or _changes_something(connection)
