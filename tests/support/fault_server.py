"""A loopback server with real sockets that misbehaves as told: for everything that mocks cannot show.

    with FaultServer() as server:
        server.on("/slow", dripping(b'{"a": 1}', every=0.1))
        requests.get(server.url + "/slow")

A behaviour is a function of one accepted `Exchange`; the ready-made ones below cover the fault matrix of
reliability.md. Paths without a behaviour answer 404.
"""

import contextlib
import gzip
import io
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self


@dataclass(frozen=True)
class Exchange:
    """One request as it came in, and the socket to answer on. `hurry` is set when the server stops."""

    method: str
    target: str  # path with query, as sent
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    sock: socket.socket = field(repr=False)
    hurry: threading.Event = field(repr=False)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


Behaviour = Callable[[Exchange], bool | None]
"""Answers an exchange; True keeps the connection open for the next request."""


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """A status line and headers."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answering(
    body: bytes | str = b"{}",
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    length: bool = True,
) -> Behaviour:
    """A correct answer; without `length` its end is the end of the connection."""
    data = body.encode() if isinstance(body, str) else body
    fields = {"Content-Type": content_type, **(headers or {})}
    if length:
        fields["Content-Length"] = str(len(data))
    else:
        fields["Connection"] = "close"

    def behave(exchange: Exchange) -> bool:
        exchange.sock.sendall(head(status, fields) + data)
        return length

    return behave


def html(status: int = 200) -> Behaviour:
    """A login page where JSON was expected."""
    return answering("<!DOCTYPE html><html><body>Please sign in</body></html>", status=status, content_type="text/html")


def redirecting(location: str, status: int = 302) -> Behaviour:
    """A redirect."""
    return answering(b"", status=status, headers={"Location": location})


def delayed(seconds: float, then: Behaviour) -> Behaviour:
    """Silence first."""

    def behave(exchange: Exchange) -> bool | None:
        exchange.hurry.wait(seconds)
        return then(exchange)

    return behave


def dripping(body: bytes = b"[]", *, every: float, headers_too: bool = False) -> Behaviour:
    """One byte at a time: each read succeeds, the whole never ends."""

    def behave(exchange: Exchange) -> None:
        start = head(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        if not headers_too:
            exchange.sock.sendall(start)
            start = b""
        for byte in start + body:
            if exchange.hurry.wait(every):
                return
            exchange.sock.sendall(bytes([byte]))

    return behave


def cut(body: bytes, after: int, *, framing: str = "length") -> Behaviour:
    """Close after `after` bytes of the body, framed by `length`, `chunked`, or nothing (`close`)."""

    def behave(exchange: Exchange) -> None:
        fields = {"Content-Type": "application/json"}
        sent = body[:after]
        if framing == "length":
            fields["Content-Length"] = str(len(body))
        elif framing == "chunked":
            fields["Transfer-Encoding"] = "chunked"
            sent = f"{len(body):x}\r\n".encode() + sent
        exchange.sock.sendall(head(200, fields) + sent)

    return behave


def resetting(after: bytes = b"") -> Behaviour:
    """A TCP reset instead of an answer (or after some bytes of one)."""

    def behave(exchange: Exchange) -> None:
        if after:
            exchange.sock.sendall(after)
            time.sleep(0.01)  # let the bytes arrive: a reset may overtake them
        exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return behave


def gzip_bomb(size: int) -> Behaviour:
    """`size` decoded zero bytes in about a thousandth of that."""
    packed = io.BytesIO()
    block = bytes(1 << 20)
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as stream:
        for _ in range(size >> 20):
            stream.write(block)
    return answering(packed.getvalue(), headers={"Content-Encoding": "gzip"})


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """The first one first, the last one for ever."""
    left = list(behaviours)
    lock = threading.Lock()

    def behave(exchange: Exchange) -> bool | None:
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        return chosen(exchange)

    return behave


class FaultServer:
    """Listens on 127.0.0.1 at a free port; speaks TLS when given a context. A context manager."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)  # closing a listener does not wake accept()
        self._behaviours: dict[str, Behaviour] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.exchanges: list[Exchange] = []
        self.connections = 0

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def on(self, path: str, behaviour: Behaviour) -> None:
        """What to do with requests for this path; `*` for all without their own."""
        self._behaviours[path] = behaviour

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._threads[0].join()
        self._listener.close()
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            _hang_up(sock)
        for thread in self._threads:
            thread.join(timeout=5)

    def _spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connections += 1
            self._spawn(lambda sock=sock: self._serve(sock))  # type: ignore[misc]

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(None)
        sock = plain
        try:
            if self._tls:
                sock = self._tls.wrap_socket(plain, server_side=True)
            with self._lock:
                self._sockets.add(sock)
            with sock.makefile("rb") as stream:
                while self._answer_one(sock, stream):
                    pass
        except (OSError, ValueError):
            pass  # the client went away: that is its right
        finally:
            with self._lock:
                self._sockets.discard(sock)
            sock.close()

    def _answer_one(self, sock: socket.socket, stream: io.BufferedReader) -> bool:
        if stream.peek(1)[:1] == b"\x16":  # a TLS greeting on a plain port
            sock.sendall(head(400, {"Content-Length": "0", "Connection": "close"}))
            return False
        line = stream.readline().split()
        if len(line) < 2:
            return False
        headers: dict[str, str] = {}
        while field_line := stream.readline().decode("latin-1").strip():
            name, _, value = field_line.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        exchange = Exchange(line[0].decode(), line[1].decode("latin-1"), headers, body, sock, self._stop)
        self.exchanges.append(exchange)
        missing = answering('{"message": "Not Found"}', status=404)
        behave = self._behaviours.get(exchange.path) or self._behaviours.get("*", missing)
        return bool(behave(exchange))


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # already gone
        sock.shutdown(socket.SHUT_RDWR)
