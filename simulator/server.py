"""A threaded HTTP/1.1 server on the loopback interface: keep-alive, a log of requests, faults on demand."""

import json
import socket
import ssl
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, cast
from urllib.parse import parse_qsl, unquote

from typing_extensions import override

Now = Callable[[], datetime]

_LOGGED = 100_000  # requests kept; a demo runs until somebody stops it


def wall_clock() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asked. `path` is as it was sent, still percent-encoded, without the query."""

    method: str
    path: str
    query: Mapping[str, str]  # decoded; the last of several values
    headers: Mapping[str, str]  # names in lower case
    body: bytes = b""
    at: datetime

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the path, each decoded once: `/job/a%252Fb/` → `("job", "a%2Fb")`."""
        return tuple(unquote(part) for part in self.path.split("/") if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server says."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: Iterable[bytes] | None = None  # instead of a body: sent as they come, however many


def json_answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Compact JSON in UTF-8."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return Answer(
        status=status, headers={"Content-Type": "application/json;charset=utf-8", **(headers or {})}, body=body
    )


def html_answer(text: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """A page for people."""
    return Answer(
        status=status, headers={"Content-Type": "text/html;charset=utf-8", **(headers or {})}, body=text.encode()
    )


def text_answer(text: str | bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Plain text."""
    body = text if isinstance(text, bytes) else text.encode()
    return Answer(status=status, headers={"Content-Type": "text/plain;charset=utf-8", **(headers or {})}, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request in the hands of a fault, which may answer it in any wrong way it likes."""

    request: Request
    connection: socket.socket
    released: threading.Event  # set when the server stops or heals: nothing may wait longer
    answer: Callable[[], Answer]  # does what the healthy server does, effects included
    send: Callable[[Answer], None]
    write: Callable[[bytes], None]  # raw bytes, at once


Fault = Callable[[Exchange], bool]
"""Returns whether the connection may be kept; False closes it."""


@dataclass(slots=True, kw_only=True)
class _Rule:
    fault: Fault
    path: str
    method: str | None
    left: int | None
    released: threading.Event = field(default_factory=threading.Event)


class Server:
    """The base of the simulated servers: subclasses say what they `answer`. Restarts on the same port."""

    def __init__(
        self,
        *,
        now: Now = wall_clock,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        self.now = now
        self.port = port
        self.before: Callable[[], None] | None = None  # called at each request: a story catches up with the clock
        self.errors: list[str] = []  # tracebacks of our own mistakes: tests expect none
        self.bytes_sent = 0
        self._tls = tls
        self._lock = lock or nullcontext()
        self._log: deque[Request] = deque(maxlen=_LOGGED)
        self._rules: list[_Rule] = []
        self._rules_lock = threading.Lock()
        self._listener: _Listener | None = None

    def answer(self, request: Request) -> Answer:
        """What the healthy server says to this request. Called under the lock of the world."""
        raise NotImplementedError

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[Request]:
        """What was asked since the start or the last `forget()`, oldest first."""
        return list(self._log)

    def forget(self) -> None:
        """Empty the log of requests."""
        self._log.clear()

    def asked(self, path: str, method: str | None = None) -> list[Request]:
        """The logged requests whose path matches a glob."""
        return [r for r in self._log if fnmatchcase(r.path, path) and method in (None, r.method)]

    def fault(self, fault: Fault, *, path: str = "*", method: str | None = None, times: int | None = None) -> None:
        """Misbehave on matching requests, `times` times or until `heal()`. The newest rule goes first."""
        with self._rules_lock:
            self._rules.insert(0, _Rule(fault=fault, path=path, method=method, left=times))

    def heal(self) -> None:
        """Forget all faults and let go whoever hangs."""
        with self._rules_lock:
            for rule in self._rules:
                rule.released.set()
            self._rules.clear()

    def start(self) -> Self:
        """Listen, in a thread."""
        self._listener = _Listener(self, self.port, self._tls)
        self.port = self._listener.server_address[1]
        self._listener.begin()
        return self

    def stop(self) -> None:
        """Close the socket and all connections. `start()` brings it back on the same port."""
        self.heal()
        if self._listener is not None:
            self._listener.end()
            self._listener = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def take(self, request: Request) -> _Rule | None:
        """Log a request and find the fault that it meets, using it up."""
        if self.before is not None:
            with self._lock:
                self.before()
        self._log.append(request)
        with self._rules_lock:
            for rule in self._rules:
                if rule.left != 0 and rule.method in (None, request.method) and fnmatchcase(request.path, rule.path):
                    rule.left = None if rule.left is None else rule.left - 1
                    return rule
        return None

    def safely(self, request: Request) -> Answer:
        """`answer()`; a mistake of ours is kept in `errors` and answered with 500."""
        try:
            with self._lock:
                return self.answer(request)
        except Exception:  # noqa: BLE001  (whatever it is, the client must get an answer and the test must see it)
            self.errors.append(f"{request.method} {request.path}\n{traceback.format_exc()}")
            return text_answer("the simulator failed; see errors", status=500)


class _Handler(BaseHTTPRequestHandler):
    """One connection: parses requests, lets the server or a fault answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one write per answer
    server: "_Listener"

    def _serve(self) -> None:
        owner = self.server.owner
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            method=self.command,
            path=path,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length) if length else b"",
            at=owner.now(),
        )
        rule = owner.take(request)
        if rule is None:
            self._send(owner.safely(request))
            return
        exchange = Exchange(
            request=request,
            connection=self.connection,
            released=rule.released,
            answer=lambda: owner.safely(request),
            send=self._send,
            write=self._write,
        )
        if not rule.fault(exchange):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815  (http.server's names)

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        if not any(name.lower() == "date" for name in answer.headers):
            self.send_header("Date", format_datetime(self.server.owner.now().astimezone(UTC), usegmt=True))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunks is not None:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.chunks is not None and self.command != "HEAD":
            self._send_chunks(answer.chunks)
            return
        if self.command != "HEAD" and answer.status not in (204, 304):
            self.wfile.write(answer.body)
        self.wfile.flush()
        self.server.owner.bytes_sent += len(answer.body)

    def _send_chunks(self, chunks: Iterable[bytes]) -> None:
        """Until the client has heard enough and closes the connection."""
        for chunk in chunks:
            if chunk:
                self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                self.server.owner.bytes_sent += len(chunk)
        self._write(b"0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the log of requests is an object."""


class _Listener(ThreadingHTTPServer):
    """The listening socket, and the connections to close when it ends."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, owner: Server, port: int, tls: ssl.SSLContext | None) -> None:
        self.owner = owner
        self._tls = tls
        self._open: dict[socket.socket, threading.Thread] = {}
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        self._loop = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True, name=f"simulator:{port}")

    def begin(self) -> None:
        """Accept connections from now on."""
        self._loop.start()

    def end(self) -> None:
        """Accept none any more, close the open ones, wait for their threads."""
        self.shutdown()
        self._loop.join()
        self.server_close()
        with self._open_lock:
            still_open = dict(self._open)
        for connection in still_open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in still_open.values():
            thread.join(5)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self._converse, args=(request, client_address), daemon=True)
        with self._open_lock:
            self._open[cast("socket.socket", request)] = thread
        thread.start()

    def _converse(self, request: socket.socket, client_address: Any) -> None:
        connection = request
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(request, server_side=True)  # takes the socket over
                with self._open_lock:
                    self._open[connection] = self._open.pop(request)
            self.finish_request(connection, client_address)
        except OSError:
            pass  # the client went away, or a fault closed the connection
        finally:
            self.shutdown_request(connection)
            with self._open_lock:
                self._open.pop(request, None)
                self._open.pop(connection, None)
