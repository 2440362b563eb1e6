"""Below requests: connections that keep one deadline for a whole answer, and bodies that end at a cap.

requests' own timeout is per read: a server that drips a byte every half second holds a call for ever, in
the headers as well as in the body. Here the socket's timeout shrinks to what is left before every read.
"""

import io
import socket
import time
import zlib
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Any

from requests import Response
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_CHUNK = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class TooLargeError(Exception):
    """The body passed its cap. Holds nothing of it."""


class UndecodableError(Exception):
    """The body is not in the encoding that its headers promise."""


class _DeadlineReader(io.RawIOBase):
    """Reads a socket until a moment of the monotonic clock, and not longer."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any, /) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of the whole call has passed")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    @override
    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(HTTPResponse):
    """An answer whose headers and body together may take what the socket's timeout says when it begins.

    urllib3 sets that timeout to the rest of `Timeout(total=...)` just before.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        timeout = sock.gettimeout()
        if timeout is not None:
            raw: Any = self.fp.detach()
            self.fp = io.BufferedReader(_DeadlineReader(raw, sock, time.monotonic() + timeout), _CHUNK)


class _Connection(HTTPConnection):
    response_class: type[HTTPResponse] = _DeadlineResponse


class _SecureConnection(HTTPSConnection):
    response_class: type[HTTPResponse] = _DeadlineResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection

    @override
    def _validate_conn(self, conn: Any) -> None:
        if conn.is_closed:  # urllib3 would also warn of `verify: false` at every connection; we do at every start
            conn.connect()


_POOLS = {"http": _Pool, "https": _SecurePool}


class BoundedAdapter(HTTPAdapter):
    """For any requests session, also a foreign one: `Timeout(total=...)` then covers the whole answer."""

    @override
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    @override
    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def read_capped(response: Response, cap: int) -> bytes:
    """The decoded body of a streamed answer, at most `cap` bytes of it both before and after decoding.

    Raises TooLargeError as soon as it is known, without reading on; UndecodableError; and what urllib3 raises
    when the connection breaks.
    """
    received = 0
    pieces: list[bytes] = []
    for piece in _decoded(response, cap):
        received += len(piece)
        if received > cap:
            pieces.clear()  # whoever keeps the error keeps its traceback, and this frame
            raise TooLargeError
        pieces.append(piece)
    return b"".join(pieces)


def read_end(response: Response, keep: int, cap: int) -> tuple[bytes, int]:
    """The last `keep` bytes of the decoded body, of which at most `cap` are taken; and how many these were.

    Raises UndecodableError, and what urllib3 raises when the connection breaks.
    """
    end, received = bytearray(), 0
    try:
        for piece in _decoded(response, cap + _CHUNK):  # the piece that passes the cap counts up to it
            taken = piece[: cap - received]
            received += len(taken)
            end += taken
            del end[: max(len(end) - keep, 0)]
            if received >= cap:
                break
    except TooLargeError:
        pass  # it decodes to next to nothing
    return bytes(end), received


def _decoded(response: Response, cap: int) -> Iterator[bytes]:
    raw: Iterator[bytes] = _limited(response.raw.stream(_CHUNK, decode_content=False), cap)
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return raw
    if encoding in {"gzip", "x-gzip"}:
        return _inflated(raw)
    raise UndecodableError(f"Content-Encoding {encoding[:20]!r}, which was not asked for")


def _limited(pieces: Iterator[bytes], cap: int) -> Iterator[bytes]:
    """Stop an endless stream that decodes to nothing."""
    received = 0
    for piece in pieces:
        received += len(piece)
        if received > cap:
            raise TooLargeError
        yield piece


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Gunzip in small steps: 1 MB of a gzip bomb must not become 1 GB in one call.

    Several members after each other are one text (RFC 1952); what follows the first and is none is ignored.
    """
    inflater, members = zlib.decompressobj(_GZIP), 0
    started = False
    try:
        for piece in pieces:
            started, rest = True, piece
            while rest:
                if inflater.eof:
                    inflater, members = zlib.decompressobj(_GZIP), members + 1
                yield inflater.decompress(rest, _CHUNK)
                rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    except zlib.error as error:
        if not members:
            raise UndecodableError("broken gzip data") from error
        return
    if started and not inflater.eof:
        raise UndecodableError("gzip data that ends in the middle")
