"""Live updates over real sockets: two processes, clients that do not read, servers that end."""

import asyncio
import contextlib
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import orjson
import pytest
from fastapi import FastAPI
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import web.asgi
from alerts.verdict import verdict_of
from domain.build import Build
from providers._base import Page
from store import builds
from store.changes import Delta, Kind
from store.database import Database
from store.errors import StoreUnavailable
from tests.support.builders import NOON, minutes
from tests.support.builders import builds as series
from tests.support.daemon import eventually
from tests.support.process import DaemonProcess
from tests.support.site import Premises, site_over
from web.app import make_app
from web.listening import listen
from web.live import protocol
from web.live import sockets as live
from web.live.broadcast import Broadcast, ChangeListener, News, Pace
from web.server import WebServer
from web.site import Site

STARTING = 30.0  # seconds
LIMIT = 1.0  # second from the commit
QUICK = Pace(looks=0.05, gap=0.05, patience=0.3)
CONFIG = """
store: {{url: '{url}'}}
providers: {{ci: {{kind: push}}}}
pipelines: [{{provider: ci, key: "**"}}]
channels: {{desk: {{kind: console}}}}
routes: [{{to: [desk]}}]
"""


@dataclass
class Served:
    """A server of tests: its sockets with another pace, beside all the rest."""

    site: Site
    pace: Pace = QUICK
    server: WebServer = field(init=False)

    def __enter__(self) -> Self:
        def app_of(site: Site) -> FastAPI:
            return make_app(site, parts=[lambda site: live.router_of(site, self.pace)])

        self.server = WebServer(self.site, listen("127.0.0.1", 0), app_of=app_of)
        self.server.start()
        assert self.server.wait(STARTING)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    @property
    def url(self) -> str:
        return self.server.url.replace("http", "ws", 1)

    def connect(self, path: str = "/api/live") -> ClientConnection:
        return connect(self.url + path, compression=None, max_size=None)


@pytest.fixture(autouse=True)
def _later(given: Premises) -> None:
    given.now = minutes(60)


@pytest.fixture
def served(sqlite_database: Database, given: Premises) -> Iterator[Served]:
    with Served(site_over(sqlite_database, given)) as served:
        yield served


def mute(url: str, path: str) -> socket.socket:
    """A client that asks for a WebSocket and never reads a byte."""
    host, _, port = url.removeprefix("ws://").partition(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, int(port)))
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    return client


def is_cut_off(client: socket.socket) -> bool:
    try:
        client.sendall(b"\x8a\x80\0\0\0\0")  # a pong that nobody asked for
    except ConnectionError:
        return True
    return False


def push(site: Site, *what: Build) -> list[int]:
    return list(site.ingest(Page(builds=what), "ci"))


def told(client: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = orjson.loads(client.recv(timeout=10))
    return message


def test_a_commit_of_one_process_reaches_the_clients_of_another_within_a_second(
    database: Database, tmp_path: Path
) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    config = tmp_path / "web.yaml"
    config.write_text(CONFIG.format(url=url))
    config.chmod(0o600)
    with DaemonProcess(config, None, "--listen", "127.0.0.1:0", command="web") as process:
        assert process.listen("READY"), process.log()
        heard = next(message for message in process.heard if "READY" in message)
        address = heard.partition("serving http")[2].split()[0]
        with connect(f"ws{address}/api/live") as client, connect(f"ws{address}/ws/metrics") as summaries:
            assert told(client)["type"] == "hello"
            assert told(summaries)["type"] == "metrics_update"
            took = []
            for number in range(1, 6):
                [build] = series("P", first=number)
                database.transact(lambda session, build=build: builds.upsert(session, [build], verdict_of, NOON))  # type: ignore[misc]
                committed = time.monotonic()
                message = told(client)
                took.append(time.monotonic() - committed)
                assert message["builds"] == [number]
                time.sleep(0.1 * number)
    assert statistics.median(took) < LIMIT


def test_who_never_reads_holds_nobody_up_and_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LEAVING", 0.1)
    count = iter(range(1000))
    monkeypatch.setattr(live, "update", lambda *_: f"{next(count)}" + "x" * 8_000_000)
    silent = mute(served.url, "/ws")
    with contextlib.closing(silent), served.connect("/ws") as client, served.connect() as other:
        client.recv(timeout=10)
        told(other)
        for number in range(1, 4):
            began = time.monotonic()
            push(served.site, *series("P", first=number))
            assert told(other)["type"] == "change"
            assert client.recv(timeout=10)
            assert time.monotonic() - began < LIMIT + 1  # 16 MB on a busy machine
        eventually(lambda: is_cut_off(silent))
        push(served.site, *series("P", first=9))
        assert told(other)["type"] == "change"


def test_who_answers_no_ping_is_gone(
    sqlite_database: Database, given: Premises, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.asgi, "PING_SECONDS", 0.1)
    with Served(site_over(sqlite_database, given)) as served, contextlib.closing(mute(served.url, "/api/live")) as dead:
        dead.settimeout(10)
        received = b""
        while chunk := dead.recv(4096):
            received += chunk
        assert b'"hello"' in received
        assert b"keepalive ping timeout" in received


def test_whoever_listens_when_the_server_ends_is_told_to_come_back(served: Served) -> None:
    with served.connect() as client, served.connect("/ws") as other:
        told(client)
        told(other)
        began = time.monotonic()
        assert served.server.stop()
        assert time.monotonic() - began < 2.5
        for each in (client, other):
            with pytest.raises(ConnectionClosed) as closed:
                each.recv(timeout=5)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012


def test_who_comes_back_after_a_restart_is_told_what_was_missed(sqlite_database: Database, given: Premises) -> None:
    site = site_over(sqlite_database, given)
    with Served(site) as first, first.connect() as client:
        seq = told(client)["seq"]
    missed = push(site, *series("P"))
    with Served(site) as second, second.connect(f"/api/live?since={seq}") as client:
        assert told(client)["builds"] == missed


def test_a_store_that_was_away_for_a_while_is_followed_again(served: Served, tmp_path: Path) -> None:
    path = served.site.database.path
    assert path is not None
    with served.connect() as client:
        told(client)
        path.rename(tmp_path / "away.db")
        time.sleep(0.3)
        (tmp_path / "away.db").rename(path)
        ids = push(served.site, *series("P"))
        assert told(client)["builds"] == ids


def test_a_crowd_that_comes_while_the_store_is_away_asks_it_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def away(unit: Callable[..., Any], *, deadline: float) -> Any:
        del unit, deadline
        asked.append(1)
        time.sleep(0.05)
        raise StoreUnavailable("away")

    async def crowd() -> list[Any]:
        broadcast = Broadcast(site, lambda _: "", QUICK)
        listeners = [ChangeListener() for _ in range(100)]
        for each in listeners:
            broadcast.join(each)
        outcomes = await asyncio.gather(*(broadcast.greet() for _ in listeners), return_exceptions=True)
        await broadcast.close()
        return outcomes

    monkeypatch.setattr(site.database, "read", away)
    assert {type(each) for each in asyncio.run(crowd())} == {StoreUnavailable}
    assert len(asked) == 1


class Stuck:
    """A WebSocket whose client takes nothing any more."""

    closed: int | None = None

    async def receive(self) -> dict[str, str]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send_text(self, text: str) -> None:
        del text
        await asyncio.Event().wait()

    async def close(self, code: int) -> None:
        self.closed = code


def test_a_client_that_takes_nothing_is_dropped(site: Site) -> None:
    stuck = Stuck()

    async def talk() -> None:
        broadcast = Broadcast(site, lambda _: "", replace(QUICK, patience=0.02))
        await live.talk(stuck, broadcast, ChangeListener(), "hello", site)  # type: ignore[arg-type]

    asyncio.run(talk())
    assert stuck.closed == 1013


def test_what_a_slow_client_was_not_sent_is_joined() -> None:
    async def slow() -> tuple[str, str]:
        listener = ChangeListener()
        for seq, alert in ((3, 1), (4, 2), (5, 3)):
            delta = Delta(seq=seq, kinds=frozenset({Kind.ALERT}), alerts=frozenset({alert}))
            listener.put(News(seq=seq, delta=delta))
        first = await listener.take()
        listener.put(News(seq=6, delta=None))
        listener.put(News(seq=7, delta=Delta(seq=7, kinds=frozenset({Kind.BUILD}), builds=frozenset({1}))))
        return first, await listener.take()

    first, second = map(orjson.loads, asyncio.run(slow()))
    assert (first["seq"], first["alerts"]) == (5, [1, 2, 3])
    assert second == {"type": "reset", "seq": 7}


def test_a_client_that_talks_all_the_time_is_not_listened_to_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BETWEEN", 0.05)
    heard: list[int] = []

    class Talking:
        async def receive(self) -> dict[str, str]:
            heard.append(1)
            return {"type": "websocket.receive", "text": "x"}

    async def listen_for_a_while() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await live.hear(Talking())  # type: ignore[arg-type]

    asyncio.run(listen_for_a_while())
    assert 1 <= len(heard) <= 7
