"""The server: it begins, it ends, it starts again, and nobody holds it up."""

import contextlib
import json
import logging
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

import web.asgi
import web.server
from poller.listening import Listening
from poller.serving import Serving
from store.engine import Database
from tests.support.daemon import eventually
from tests.support.site import Premises, premises, site_over
from web.access.gate import Limits
from web.app import make_app
from web.listening import CannotListenError, listen, url_of
from web.server import WebServer
from web.site import Site

Serve = Callable[..., WebServer]


def small(site: Site) -> FastAPI:
    return make_app(site, parts=())


@pytest.fixture
def given(tmp_path: Path) -> Premises:
    return premises(tmp_path)


@pytest.fixture
def serve(sqlite_database: Database, given: Premises) -> Iterator[Serve]:
    """A function that starts a server on a free port; all are stopped at the end."""
    started = []

    def start(app_of: Callable[[Site], FastAPI] = small) -> WebServer:
        server = WebServer(site_over(sqlite_database, given), listen("127.0.0.1", 0), app_of=app_of)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def test_it_answers_and_ends_within_two_seconds_whoever_is_connected(serve: Serve) -> None:
    server = serve()
    assert server.wait(20)
    assert get(f"{server.url}/openapi.json")["info"]["title"] == "buildwatch"
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))):
        began = time.monotonic()
        assert server.stop()
        assert time.monotonic() - began < 2.5
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, int(port)))


def test_a_server_that_stumbles_starts_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(web.server, "FIRST_PAUSE", 0.01)
    tries = []

    def stumbling(site: Site) -> FastAPI:
        tries.append(site)
        if len(tries) < 3:
            raise RuntimeError("out of luck")
        return small(site)

    with caplog.at_level(logging.ERROR):
        server = serve(stumbling)
        eventually(lambda: len(tries) == 3)
        assert server.wait(20)
    assert get(f"{server.url}/openapi.json")
    assert [record.message for record in caplog.records] == [
        "web server stumbled, starts again seconds=0.01",
        "web server stumbled, starts again seconds=0.02",
    ]


def test_an_address_that_is_taken_is_told_with_the_cure() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListenError, match=f"127.0.0.1:{port}: another program listens there already"):
            listen("127.0.0.1", port)
    with pytest.raises(CannotListenError, match=r"192\.0\.2\.1:8080: .*must be an address of this machine"):
        listen("192.0.2.1", 8080)
    with pytest.raises(CannotListenError, match=r"no\.such\.host\.invalid:80: "):
        listen("no.such.host.invalid", 80)


def test_the_address_is_shown_as_a_browser_takes_it() -> None:
    with listen("0.0.0.0", 0) as everywhere:  # noqa: S104
        assert url_of(everywhere) == f"http://127.0.0.1:{everywhere.getsockname()[1]}"
    with listen("::1", 0) as six:
        assert url_of(six) == f"http://[::1]:{six.getsockname()[1]}"


def test_who_connects_and_says_nothing_is_left_alone(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.asgi, "HEAD_SECONDS", 0.2)
    server = serve()
    assert server.wait(20)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as silent:
        silent.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        silent.settimeout(5)
        assert silent.recv(100) == b""


def test_a_body_that_does_not_come_is_not_waited_for(serve: Serve) -> None:
    server = serve(lambda site: make_app(site, parts=(), limits=Limits(body_seconds=0.2)))
    assert server.wait(20)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(
            f"POST /login HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            "Content-Length: 100\r\n\r\nname=".encode()
        )
        slow.settimeout(5)
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")


def test_a_reload_moves_the_server_only_when_its_place_changes(sqlite_database: Database, given: Premises) -> None:
    serving = Serving(database=sqlite_database, clock=given.clock(), configuration=lambda: given.configuration)
    listening = Listening(serving)
    try:
        listening.use(None)
        assert listening.url is None
        listening.answer()
        here = replace(given.settings, port=0)
        listening.use(here)
        first = listening.url
        listening.use(replace(here, simulate=True))
        assert listening.url == first
        with listen("127.0.0.1", 0) as taken:
            with pytest.raises(CannotListenError):
                listening.use(replace(here, port=taken.getsockname()[1]))
            assert listening.url == first
        listening.use(replace(here, cors=("https://board.example.com",)))
        assert listening.wait(20)
        assert listening.url
        listening.use(None)
        assert listening.url is None
    finally:
        listening.stop()


def answer_from(connection: socket.socket) -> bytes:
    """One answer whose body is a problem."""
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(10_000)
    return answer


def test_a_later_request_is_not_waited_for_longer_than_the_first(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.asgi, "HEAD_SECONDS", 0.3)
    server = serve()
    assert server.wait(20)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as slow:
        slow.sendall(f"GET /nowhere HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        assert answer_from(slow).startswith(b"HTTP/1.1 404 ")
        began = time.monotonic()
        slow.sendall(b"GET /nowhere HTTP/1.1\r\nX-Slow: ")
        while slow.recv(10_000):
            pass
        assert time.monotonic() - began < web.asgi.IDLE_SECONDS / 2


def test_a_connection_that_is_kept_is_not_cut_before_its_time(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.asgi, "HEAD_SECONDS", 0.1)
    server = serve()
    assert server.wait(20)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as kept:
        for _ in range(3):
            kept.sendall(f"GET /nowhere HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            assert answer_from(kept).startswith(b"HTTP/1.1 404 ")
            time.sleep(0.3)


def test_more_connections_than_there_is_room_for_are_cut_and_the_others_go_on(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.asgi, "CONNECTIONS", 5)
    server = serve()
    assert server.wait(20)
    host, port = server.url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port)), timeout=10) for _ in range(5)]
    try:
        sixth = socket.create_connection((host, int(port)), timeout=10)
        with sixth, contextlib.suppress(ConnectionError):
            assert sixth.recv(100) == b""
        idle.pop().close()
        idle.pop().close()
        eventually(lambda: get(f"{server.url}/openapi.json"))
    finally:
        for each in idle:
            each.close()


def test_open_files_are_left_for_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(1024, 1024)]
    monkeypatch.setattr(web.asgi.resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(web.asgi.resource, "setrlimit", lambda _, wanted: limits.append(wanted))
    assert web.asgi.room() == 512
    limits[:] = [(1024, 524_288)]
    assert web.asgi.room() == 1_000
    assert limits[-1] == (4_096, 524_288)
    limits[:] = [(-1, -1)]
    assert web.asgi.room() == 1_000


def test_what_is_under_way_for_too_long_at_the_end_is_told(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    entered, leave = threading.Event(), threading.Event()

    def with_slow(site: Site) -> FastAPI:
        app = small(site)

        @app.get("/slow")
        def slow() -> None:
            entered.set()
            leave.wait(20)

        return app

    server = serve(with_slow)
    assert server.wait(20)
    said: list[int] = []

    def ask() -> None:
        try:
            get(f"{server.url}/slow")
        except urllib.error.HTTPError as error:
            said.append(error.code)

    asking = threading.Thread(target=ask)
    asking.start()
    assert entered.wait(10)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 4
    asking.join(10)
    leave.set()
    assert said == [503]
    assert "Traceback" not in caplog.text
    assert "request method=GET" not in caplog.text


def test_while_it_stumbles_the_trouble_is_told(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.server, "FIRST_PAUSE", 0.3)
    broken = [True]

    def stumbling(site: Site) -> FastAPI:
        if broken:
            raise MemoryError
        return small(site)

    server = serve(stumbling)
    eventually(lambda: server.trouble)
    assert server.trouble == "stumbled (MemoryError: the log says more), and starts again"
    broken.clear()
    assert server.wait(20)
    assert server.trouble is None


def test_the_same_port_may_be_opened_to_others_and_closed_again(sqlite_database: Database, given: Premises) -> None:
    with listen("127.0.0.1", 0) as found:
        port = found.getsockname()[1]
    serving = Serving(database=sqlite_database, clock=given.clock(), configuration=lambda: given.configuration)
    listening = Listening(serving)
    here = replace(given.settings, port=port)
    try:
        listening.use(here)
        listening.use(replace(here, host="0.0.0.0"))  # noqa: S104  (127.0.0.1 is in its way: it is ours)
        assert listening.url == f"http://127.0.0.1:{port}"
        with pytest.raises(CannotListenError):
            listening.use(replace(here, host="192.0.2.1"))
        assert listening.url == f"http://127.0.0.1:{port}"  # as before
        socket.create_connection(("127.0.0.1", port)).close()
        listening.use(here)
    finally:
        listening.stop()


def test_what_serves_is_not_loaded_before_its_thread_needs_it() -> None:
    code = "import sys, poller.listening, web.server; print('fastapi' in sys.modules or 'uvicorn' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
