"""What changes is pushed: to old clients as a summary, to our pages by number."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from domain.build import Build
from domain.silence import Ends, Silence
from providers._base import Page
from store import changes, pipelines, silences
from store.changes import Kind
from store.database import Database, Session
from store.engine import open_database
from store.errors import StoreError
from tests.support.builders import NOON, minutes
from tests.support.builders import builds as series
from tests.support.site import Premises, premises, site_over
from web.access.gate import Gate
from web.access.scopes import Caller
from web.app import make_app
from web.live import sockets as live
from web.live.broadcast import Pace
from web.settings import Access, Scope, Token
from web.site import Site

HOST = "ws://127.0.0.1:8080"  # who is not called so is not meant
QUICK = Pace(looks=0.01, gap=0.01, refresh=60.0)
MACHINE = Caller(name="", scope=Scope.READ)
SILENCE = Silence(match={"pipeline": "*"}, ends=Ends(fixed=True), reason="x", created_at=NOON)


@pytest.fixture(autouse=True)
def _later(given: Premises) -> None:
    """The builds of tests have ended by now."""
    given.now = minutes(60)


def client_of(site: Site, pace: Pace = QUICK, caller: Caller = MACHINE) -> TestClient:
    """An application that has nothing but the WebSockets, and no gate before them."""
    app = FastAPI()
    app.include_router(live.router_of(site, pace))

    async def admitting(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["caller"] = caller
        await app(scope, receive, send)

    return TestClient(admitting, base_url="http://127.0.0.1:8080")


@pytest.fixture
def quick(site: Site) -> Iterator[TestClient]:
    """Somebody who listens to a site that looks all the time."""
    with client_of(site) as client:
        yield client


def push(site: Site, *builds: Build) -> list[int]:
    return list(site.ingest(Page(builds=builds), "ci"))


def elsewhere(database: Database, unit: Any) -> None:
    """Another process writes: nobody of ours is woken."""
    other = open_database(database.engine.url.render_as_string(hide_password=False), create=False)
    other.transact(unit)
    other.close()


@pytest.mark.parametrize("address", ["/ws", "/ws/metrics"])
def test_the_summary_comes_at_once_and_after_every_change(quick: TestClient, site: Site, address: str) -> None:
    push(site, *series("PF"))
    with quick.websocket_connect(address) as socket:
        first = socket.receive_json()
        assert first["type"] == "metrics_update"
        assert first["payload"]["window_minutes"] == 1440
        assert (first["payload"]["total"], first["payload"]["success"], first["payload"]["failure"]) == (2, 1, 1)
        push(site, *series("PFP"))
        second = socket.receive_json()["payload"]
        assert (second["total"], second["success_rate"]) == (3, 0.6667)
        [theirs] = second["per_pipeline"]
        assert {key: theirs[key] for key in ("total", "success", "failure", "last_status")} == {
            "total": 3,
            "success": 2,
            "failure": 1,
            "last_status": "success",
        }


def test_the_summary_has_the_keys_of_the_endpoint(quick: TestClient) -> None:
    with quick.websocket_connect("/ws") as socket:
        payload = socket.receive_json()["payload"]
    assert set(payload) == {
        "window_minutes",
        "total",
        "success",
        "failure",
        "success_rate",
        "avg_duration_sec",
        "last_status",
        "last_finished_at",
        "per_pipeline",
    }


def test_changes_come_with_their_numbers(quick: TestClient, site: Site, database: Database) -> None:
    with quick.websocket_connect("/api/live") as socket:
        assert socket.receive_json() == {"type": "hello", "seq": 0}
        ids = push(site, *series("F"))
        told = socket.receive_json()
        [pipeline] = database.read(pipelines.all)
        assert told["type"] == "change"
        assert told["seq"] == database.read(changes.newest)
        assert told["builds"] == ids
        assert told["pipelines"] == [pipeline.id]
        assert set(told["kinds"]) >= {"build"}


def test_what_another_process_commits_is_told(quick: TestClient, database: Database) -> None:
    with quick.websocket_connect("/api/live") as socket:
        socket.receive_json()
        elsewhere(database, lambda session: silences.add(session, SILENCE))
        assert socket.receive_json()["kinds"] == ["silence"]


def test_who_comes_back_is_told_what_was_missed(quick: TestClient, site: Site, database: Database) -> None:
    push(site, *series("P"))
    seq = database.read(changes.newest)
    missed = push(site, *series("PF"))
    with quick.websocket_connect(f"/api/live?since={seq}") as socket:
        told = socket.receive_json()
        assert (told["type"], told["builds"]) == ("change", missed)
        later = push(site, *series("PFP"))
        assert socket.receive_json()["builds"] == later
    with quick.websocket_connect(f"/api/live?since={database.read(changes.newest)}") as socket:
        assert socket.receive_json()["kinds"] == []


def test_who_was_away_for_too_long_looks_at_everything(quick: TestClient, database: Database) -> None:
    with quick.websocket_connect("/api/live?since=99") as socket:
        assert socket.receive_json() == {"type": "reset", "seq": database.read(changes.newest)}


@pytest.mark.parametrize("since", ["x", "-1", "1e99", "9" * 30])
def test_a_number_that_is_none_is_refused(quick: TestClient, since: str) -> None:
    with (
        pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)),
        quick.websocket_connect(f"/api/live?since={since}"),
    ):
        pass


def test_changes_close_together_are_one_message(site: Site, database: Database) -> None:
    with client_of(site, Pace(looks=0.01, gap=0.3)) as client, client.websocket_connect("/api/live") as socket:
        socket.receive_json()
        for number in range(1, 4):
            database.transact(lambda session, number=number: changes.note(session, Kind.ALERT, ids=[number]))  # type: ignore[misc]
        told: set[int] = set()
        messages = 0
        while told != {1, 2, 3}:
            told.update(socket.receive_json()["alerts"])
            messages += 1
        assert messages <= 2


def test_the_summary_is_worked_out_once_for_all(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    worked_out: list[int] = []
    original = live.update

    def counted(*given: Any) -> str:
        worked_out.append(1)
        return original(*given)

    monkeypatch.setattr(live, "update", counted)
    with client_of(site) as client, ExitStack() as stack:
        sockets = [stack.enter_context(client.websocket_connect("/ws")) for _ in range(5)]
        first = {socket.receive_text() for socket in sockets}
        push(site, *series("P"))
        second = {socket.receive_text() for socket in sockets}
    assert (len(first), len(second)) == (1, 1)
    assert len(worked_out) == 2


def test_an_unchanged_summary_is_not_sent_again(quick: TestClient, site: Site, database: Database) -> None:
    with quick.websocket_connect("/ws") as socket:
        socket.receive_json()
        database.transact(lambda session: silences.add(session, SILENCE))
        push(site, *series("P"))
        assert socket.receive_json()["payload"]["total"] == 1


def test_a_summary_changes_with_time_alone(site: Site, given: Premises) -> None:
    push(site, *series("P"))
    with client_of(site, replace(QUICK, refresh=0.05)) as client, client.websocket_connect("/ws") as socket:
        assert socket.receive_json()["payload"]["total"] == 1
        given.now = given.now.replace(year=given.now.year + 1)
        assert socket.receive_json()["payload"]["total"] == 0


def test_what_clients_say_is_ignored(quick: TestClient, site: Site) -> None:
    with quick.websocket_connect("/api/live") as socket:
        socket.receive_json()
        socket.send_text("ping")
        socket.send_bytes(b"\xff\x00")
        socket.send_text("{" * 10_000)
        push(site, *series("P"))
        assert socket.receive_json()["type"] == "change"


def test_no_more_than_so_many_may_listen(site: Site) -> None:
    with client_of(site, replace(QUICK, most=2)) as client:
        with client.websocket_connect("/ws") as one, client.websocket_connect("/api/live") as two:
            one.receive_json()
            two.receive_json()
            with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/ws"):
                pass
            assert refused.value.status_code == 503
            assert refused.value.json()["detail"].startswith("too many clients")
        with client.websocket_connect("/ws") as again:
            assert again.receive_json()["type"] == "metrics_update"


def test_without_a_store_nobody_is_let_in(sqlite_database: Database, tmp_path: Path) -> None:
    with client_of(site_over(sqlite_database, premises(tmp_path))) as client:
        assert sqlite_database.path is not None
        sqlite_database.path.rename(tmp_path / "away.db")
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/ws"):
            pass
        assert refused.value.status_code == 503
        (tmp_path / "away.db").rename(sqlite_database.path)
        with client.websocket_connect("/ws") as socket:
            assert socket.receive_json()["type"] == "metrics_update"


def test_hostile_names_are_data(quick: TestClient, site: Site) -> None:
    name = '</script><img src=x onerror=alert(1)>"\\\u2028\u202e'
    [build] = series("P")
    push(site, replace(build, pipeline=replace(build.pipeline, key=name, name=name)))
    with quick.websocket_connect("/ws") as socket:
        [theirs] = json.loads(socket.receive_text())["payload"]["per_pipeline"]
        assert "onerror" in theirs["pipeline"]


def secured(given: Premises) -> Access:
    access = Access(tokens=(Token(name="screen", token=SecretStr("s3cret-token"), scope=Scope.READ),))
    given.settings = replace(given.settings, host="0.0.0.0", access=access)  # noqa: S104
    return access


def test_nobody_listens_without_a_token(client: TestClient, given: Premises) -> None:
    secured(given)
    for address in ("/ws", "/ws/metrics", "/api/live"):
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(HOST + address):
            pass
        assert refused.value.status_code == 401


def test_a_token_comes_as_header_or_as_protocol(client: TestClient, given: Premises) -> None:
    secured(given)
    with client.websocket_connect(HOST + "/api/live", headers={"Authorization": "Bearer s3cret-token"}) as socket:
        assert socket.receive_json()["type"] == "hello"
    with client.websocket_connect(HOST + "/api/live", subprotocols=["buildwatch", "bearer.s3cret-token"]) as socket:
        assert socket.accepted_subprotocol == "buildwatch"
        assert socket.receive_json()["type"] == "hello"
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect(HOST + "/api/live", subprotocols=["buildwatch", "bearer.wrong"]),
    ):
        pass
    assert refused.value.status_code == 401


def test_a_page_of_another_origin_does_not_listen(client: TestClient) -> None:
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect(HOST + "/ws", headers={"Origin": "https://evil.example"}),
    ):
        pass
    assert refused.value.status_code == 403
    with client.websocket_connect(HOST + "/ws", headers={"Origin": "http://127.0.0.1:8080"}) as socket:
        assert socket.receive_json()["type"] == "metrics_update"


def test_who_may_listen_is_asked_again_when_that_changes(site: Site, given: Premises) -> None:
    with client_of(site, replace(QUICK, refresh=0.02)) as client, client.websocket_connect("/api/live") as socket:
        socket.receive_json()
        secured(given)
        with pytest.raises(WebSocketDisconnect) as gone:
            socket.receive_json()
        assert gone.value.code == 1012


def test_the_gate_stands_before_the_websockets(site: Site) -> None:
    assert any(each.cls is Gate for each in make_app(site).user_middleware)


def test_a_page_is_told_what_has_changed_since_it_was_read(client: TestClient, site: Site) -> None:
    push(site, *series("P"))
    found = re.search(r'<body data-seq="(\d+)"', client.get("/").text)
    assert found
    assert int(found[1]) == site.database.read(changes.newest)
    ids = push(site, *series("PF"))
    with client.websocket_connect(f"{HOST}/api/live?since={found[1]}") as socket:
        assert socket.receive_json()["builds"] == ids


def test_a_connection_on_which_nothing_happens_says_that_it_lives(site: Site) -> None:
    with client_of(site, replace(QUICK, beat=0.02)) as client, client.websocket_connect("/api/live") as socket:
        assert socket.receive_json()["type"] == "hello"
        assert [socket.receive_json() for _ in range(2)] == 2 * [{"type": "alive"}]
        ids = push(site, *series("P"))
        while (told := socket.receive_json())["type"] == "alive":
            pass
        assert told["builds"] == ids
    with client_of(site, replace(QUICK, beat=0.02)) as client, client.websocket_connect("/ws") as socket:
        socket.receive_json()
        threading.Timer(0.2, push, [site, *series("PF")]).start()
        assert socket.receive_json()["type"] == "metrics_update"  # old clients know nothing else


def test_who_logged_in_shows_it_again_after_a_while(site: Site) -> None:
    person = Caller(name="ada", scope=Scope.READ, is_person=True, csrf="x")
    pace = replace(QUICK, session=0.05)
    with client_of(site, pace, person) as client, client.websocket_connect("/api/live") as socket:
        socket.receive_json()
        with pytest.raises(WebSocketDisconnect) as gone:
            socket.receive_json()
        assert gone.value.code == 1012
    with client_of(site, replace(pace, beat=0.2)) as client, client.websocket_connect("/api/live") as socket:
        socket.receive_json()
        assert socket.receive_json() == {"type": "alive"}


def test_while_the_store_is_away_it_is_tried_again(sqlite_database: Database, tmp_path: Path) -> None:
    given = premises(tmp_path)
    given.now = minutes(60)
    here = site_over(sqlite_database, given)
    failing = [StoreError("away"), RuntimeError("a mistake"), StoreError("away")]
    original = changes.newest

    def newest(session: Session) -> int:
        if failing and started:
            raise failing.pop()
        return original(session)

    started: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "newest", newest)
        with client_of(here, replace(QUICK, refresh=0.05)) as client, client.websocket_connect("/api/live") as socket:
            socket.receive_json()
            started.append(1)
            push(here, *series("P"))
            assert socket.receive_json()["type"] == "change"
    assert failing == []


def test_nobody_listening_costs_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    with client_of(site) as client:
        with client.websocket_connect("/ws") as socket:
            socket.receive_json()
        monkeypatch.setattr(changes, "newest", lambda _: asked.append(1) or 0)
        push(site, *series("P"))
    assert len(asked) <= 1  # one may have been under way
