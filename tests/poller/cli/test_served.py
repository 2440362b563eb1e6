"""What `check`, `doctor` and `status` say of the web."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from poller.record import record_web
from store.engine import Database
from store.lock import hold
from tests.support.commands import Commands, Ran
from web.listening import listen

AUTH = "auth: {tokens: [{name: ci, token: 0123456789abcdef}], users: [{name: ada, password: correct horse}]}"
Serve = Callable[[bytes], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A function that starts a server which says this to everybody; its port."""
    started = []

    def start(body: bytes) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        started.append(server)
        return int(server.server_address[1])

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    with listen("127.0.0.1", 0) as found:
        return int(found.getsockname()[1])


def with_web(config: Path, web: str) -> None:
    config.write_text(f"{config.read_text()}web: {{{web}}}\n")


def web_of(ran: Ran) -> tuple[str, str]:
    return next((each["state"], each["text"]) for each in ran.json["findings"] if each["check"] == "web")


def test_check_says_where_the_web_will_be_and_for_whom(buildwatch: Commands, config: Path) -> None:
    assert buildwatch("check", "--json").json["web"] is None
    with_web(config, "listen: 8123")
    told = "web: http://127.0.0.1:8123; no auth: everybody on this machine may do everything\n"
    assert buildwatch("check").out.endswith(told)
    config.write_text(config.read_text().replace("8123", f"'0.0.0.0:0', {AUTH}"))
    assert buildwatch("check", "--json").json["web"] == {"url": None, "auth": "auth: 1 token, 1 user"}


@pytest.mark.usefixtures("store")
def test_without_the_key_there_is_a_note(buildwatch: Commands) -> None:
    assert web_of(buildwatch("doctor", "--json")) == ("note", "not served: config.yaml has no `web:`")
    assert buildwatch("status", "--json").json["web"] is None


def test_what_answers_is_ok(buildwatch: Commands, config: Path, serve: Serve, store: Database) -> None:
    port = serve(b'{"ok": true, "time": ""}')
    with_web(config, f"listen: {port}, {AUTH}")
    with hold(store, owner="test"):
        state, text = web_of(buildwatch("doctor", "--json"))
    assert (state, text) == ("ok", f"http://127.0.0.1:{port} answers; auth: 1 token, 1 user")
    assert f"web: http://127.0.0.1:{port}: answers; auth: 1 token, 1 user\n" in buildwatch("status").out
    assert buildwatch("status", "--json").json["web"]["answers"] is True


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[1]"])
def test_another_program_is_told_from_ours(
    buildwatch: Commands, config: Path, serve: Serve, store: Database, body: bytes
) -> None:
    with_web(config, f"listen: {serve(body)}")
    with hold(store, owner="test"):
        ran = buildwatch("doctor", "--json")
    assert ran.status == 1
    assert "another program answers there" in web_of(ran)[1]


def test_no_answer_is_wrong_only_while_a_daemon_runs(
    buildwatch: Commands, config: Path, store: Database, now: datetime
) -> None:
    with_web(config, f"listen: {free_port()}")
    state, text = web_of(buildwatch("doctor", "--json"))
    assert state == "note"
    assert "no answer: Connection refused; no daemon is running" in text
    with hold(store, owner="test"):
        assert web_of(buildwatch("doctor", "--json"))[0] == "wrong"
        trouble = "stumbled (MemoryError: the log says more), and starts again"
        store.transact(lambda session: record_web(session, {"url": None, "trouble": trouble}, now))
        assert trouble in web_of(buildwatch("doctor", "--json"))[1]
        assert trouble in buildwatch("status").out


def test_a_port_that_the_system_chose_is_known_from_the_daemon(
    buildwatch: Commands, config: Path, serve: Serve, store: Database, now: datetime
) -> None:
    url = f"http://127.0.0.1:{serve(b'ok')}"
    with_web(config, "listen: '127.0.0.1:0'")
    assert "it is not known where it listens" in web_of(buildwatch("doctor", "--json"))[1]
    store.transact(lambda session: record_web(session, {"url": url, "trouble": None}, now))
    with hold(store, owner="test"):
        assert buildwatch("status", "--json").json["web"]["url"] == url
