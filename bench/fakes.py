"""A Jenkins and a GitHub on loopback, each in a process of its own, so that only the client's work is measured.

Their answers look like the real ones in shape and size, and are made once. Nothing here checks anything: the faithful
servers are in simulator/. `GET /_/count` tells what was asked since the last time; `/_/...` changes the world.
"""

import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import requests
from typing_extensions import override

from bench.fake_github import GitHub
from bench.fake_jenkins import Jenkins


class World(Protocol):
    """What a fake serves. `path` has no leading slash."""

    counted: Counter[str]

    def answer(self, path: str, query: dict[str, str], tag: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a GET; `tag` is its If-None-Match."""
        ...

    def change(self, count: int) -> None:
        """So many jobs or repositories get one more finished build."""
        ...


class Fake:
    """The client's side: where the fake is, and how to talk to it without being counted."""

    def __init__(self, url: str) -> None:
        self.url = url

    def change(self, count: int) -> None:
        """Let so many jobs or repositories finish one more build each."""
        requests.get(f"{self.url}/_/change?count={count}", timeout=60).raise_for_status()

    def latency(self, seconds: float) -> None:
        """How long each answer takes from now on."""
        requests.get(f"{self.url}/_/latency?seconds={seconds}", timeout=60).raise_for_status()

    def count(self) -> Counter[str]:
        """What was asked since the last call: requests, bytes, and what the world counts by itself."""
        return Counter(requests.get(f"{self.url}/_/count", timeout=60).json())


@contextmanager
def running(kind: str, size: int, builds: int) -> Iterator[Fake]:
    """A fake `jenkins` or `github` with `size` jobs or repositories of so many builds."""
    command = [sys.executable, "-m", "bench.fakes", kind, str(size), str(builds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        try:
            yield Fake(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with one write per answer: two would wait for each other (Nagle, delayed ACK)."""

    protocol_version = "HTTP/1.1"
    world: World
    delay = 0.0
    lock = threading.Lock()

    def do_GET(self) -> None:
        """Answer."""
        parts = urlsplit(self.path)
        path, query = parts.path.strip("/"), {name: values[0] for name, values in parse_qs(parts.query).items()}
        if path.startswith("_/"):
            self._send(200, {"Content-Type": "application/json"}, self._control(path[2:], query))
            return
        if Handler.delay:
            time.sleep(Handler.delay)
        with Handler.lock:
            status, headers, body = self.world.answer(path, query, self.headers.get("If-None-Match"))
            self.world.counted["requests"] += 1
            self.world.counted["bytes"] += len(body)
            self.world.counted[f"answers {status}"] += 1
        self._send(status, headers, body)

    def _control(self, what: str, query: dict[str, str]) -> bytes:
        with Handler.lock:
            if what == "change":
                self.world.change(int(query["count"]))
            elif what == "latency":
                Handler.delay = float(query["seconds"])
            elif what == "count":
                counted = json.dumps(self.world.counted).encode()
                self.world.counted.clear()
                return counted
        return b"{}"

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status} Fake", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """Answers without delay."""

    daemon_threads = True
    request_queue_size = 128

    @override
    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept."""
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address


def main() -> None:
    """`python -m bench.fakes KIND SIZE BUILDS`: prints the port and serves until it is ended."""
    kind, size, builds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    Handler.world = Jenkins(size, builds) if kind == "jenkins" else GitHub(size, builds)
    server = Server(("127.0.0.1", 0), Handler)
    GitHub.base = f"http://127.0.0.1:{server.server_address[1]}"
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
