"""The ways in which servers misbehave, over real sockets: `server.fault(faults.hang())`."""

import gzip
import socket
import struct
from collections.abc import Mapping

from simulator.server import Answer, Exchange, Fault, html_answer, json_answer

LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form action='/login'></form></body></html>"


def answer(status: int, body: str = "", headers: Mapping[str, str] | None = None) -> Fault:
    """Answer with a status and a text; nothing else happens."""
    wrong = Answer(status=status, headers={"Content-Type": "text/plain", **(headers or {})}, body=body.encode())
    return lambda exchange: _sent(exchange, wrong)


def html(status: int = 200, page: str = LOGIN_PAGE) -> Fault:
    """A page for people where JSON was expected: a login page, a proxy's excuse."""
    return lambda exchange: _sent(exchange, html_answer(page, status=status))


def redirect(location: str, status: int = 302) -> Fault:
    """Send the client elsewhere."""
    return answer(status, headers={"Location": location})


def rate_limited(retry_after: int) -> Fault:
    """429 with Retry-After in seconds."""
    return answer(429, "rate limited", {"Retry-After": str(retry_after)})


def secondary_limit(retry_after: int | None = 60) -> Fault:
    """GitHub's secondary rate limit: 403 although requests remain; sometimes without Retry-After."""
    text = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return lambda exchange: _sent(exchange, json_answer({"message": text}, status=403, headers=headers))


def hang() -> Fault:
    """Read the request and say nothing until the server heals or stops."""
    return _hang


def drop() -> Fault:
    """Close the connection without an answer; the request had no effect."""
    return lambda _: False


def accept_then_close() -> Fault:
    """Do what was asked, then close without an answer: the client cannot know."""
    return _accept_then_close


def accept_then_hang() -> Fault:
    """Do what was asked, then say nothing."""
    return lambda exchange: bool(exchange.answer()) and _hang(exchange)


def reset() -> Fault:
    """Reset the connection (RST)."""
    return _reset


def delay(seconds: float) -> Fault:
    """Answer correctly, late."""

    def late(exchange: Exchange) -> bool:
        exchange.released.wait(seconds)
        return _sent(exchange, exchange.answer())

    return late


def drip(interval: float, size: int = 1) -> Fault:
    """Send the right answer a few bytes at a time, so that no single read ever times out."""

    def dripping(exchange: Exchange) -> bool:
        data = _raw(exchange.answer())
        for start in range(0, len(data), size):
            exchange.write(data[start : start + size])
            if exchange.released.wait(interval):
                break
        return False

    return dripping


def cut(after: int, *, announced: bool = True) -> Fault:
    """Send only the first bytes of the right body; without `announced` no Content-Length tells that more was meant."""

    def cutting(exchange: Exchange) -> bool:
        right = exchange.answer()
        head = _raw(right, announced=announced).partition(b"\r\n\r\n")[0]
        exchange.write(head + b"\r\n\r\n" + right.body[:after])
        return False

    return cutting


def gzip_bomb(size: int = 1 << 30) -> Fault:
    """A small gzip body that unfolds to `size` zeros inside a JSON string."""

    def bomb(exchange: Exchange) -> bool:
        packed = gzip.compress(b"[" + b" " * (1 << 20), 9)
        blank = gzip.compress(b" " * (1 << 20), 9)  # gzip members may be concatenated
        body = packed + blank * max(size // (1 << 20) - 1, 0)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        return _sent(exchange, Answer(headers=headers, body=body))

    return bomb


def replace_body(body: bytes, content_type: str = "application/json") -> Fault:
    """200 with other bytes: broken, hostile or wrong JSON."""
    return lambda exchange: _sent(exchange, Answer(headers={"Content-Type": content_type}, body=body))


def _sent(exchange: Exchange, wrong: Answer) -> bool:
    exchange.send(wrong)
    return True


def _hang(exchange: Exchange) -> bool:
    exchange.released.wait()
    return False


def _accept_then_close(exchange: Exchange) -> bool:
    exchange.answer()
    return False


def _reset(exchange: Exchange) -> bool:
    linger_zero = struct.pack("ii", 1, 0)  # close() then sends RST instead of FIN
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
    exchange.connection.close()
    return False


def _raw(answer_: Answer, *, announced: bool = True) -> bytes:
    lines = [f"HTTP/1.1 {answer_.status} OK", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in answer_.headers.items()]
    if announced:
        lines.append(f"Content-Length: {len(answer_.body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + answer_.body
