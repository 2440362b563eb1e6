"""What a stranger may try: every route without a word of who they are, odd addresses, bodies that fill the memory."""

import asyncio
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.testclient import WebSocketDenialResponse

from store.engine import Database
from tests.support.site import premises, site_over
from web.access.gate import Limits
from web.access.limits import Buckets
from web.access.scopes import SAFE
from web.access.sessions import FRESH
from web.app import make_app
from web.settings import THIS_MACHINE, Access, Scope, Token, User

ADDRESS = "http://127.0.0.1:8080"
TOKEN = Token(name="ci", token=SecretStr("0123456789abcdef"), scope=Scope.INGEST)
WEAK = Token(name="weak", token=SecretStr("1234"), scope=Scope.READ)
ADA = User(name="ada", password=SecretStr("correct horse"))
LOCKED = Access(tokens=(TOKEN, WEAK), users=(ADA,))
PUBLIC = {"GET /login", "POST /login", "GET /health", "GET /api/health", "GET /assets/{path:path}", "GET /favicon.ico"}
SIGNED = "POST /webhooks/github"  # another proof of who sends it
ODD = (
    *("%00", "a%00b", "%ED%A0%80", "%FF%FE", "..%2F..%2Fetc%2Fpasswd", "%E2%80%AE", "%C2%B2", "%0d%0aX-Evil:%201"),
    *("-1", "0", "9" * 40, "1e309", "nan", "%25", "'%22%3E%3Cscript%3E", "%5B", "x" * 3_000),
)


def made(database: Database, folder: Path, limits: Limits | None = None, **settings: Any) -> FastAPI:
    return make_app(site_over(database, premises(folder, **settings)), limits=limits)


def asking(app: FastAPI, address: str = "127.0.0.1") -> TestClient:
    return TestClient(app, base_url=ADDRESS, client=(address, 50_000), follow_redirects=False)


@pytest.fixture
def locked(sqlite_database: Database, tmp_path: Path) -> FastAPI:
    """An application that has users and tokens."""
    return made(sqlite_database, tmp_path, access=LOCKED)


def routes(app: FastAPI) -> Iterator[tuple[str, str, Any]]:
    """Method, path and route of everything that is served; WEBSOCKET for those."""
    for each in iter_route_contexts(app.routes):
        for method in sorted(each.methods or {"WEBSOCKET"}):
            yield method, each.path_format or each.path, each


def filled(path: str, value: str = "1") -> str:
    """A path with this value for every parameter."""
    return "".join(part if index % 2 == 0 else value for index, part in enumerate(_parts(path)))


def _parts(path: str) -> list[str]:
    return [part for half in path.split("{") for part in half.split("}")]


def test_a_stranger_gets_nothing_from_any_route_but_what_is_for_everybody(locked: FastAPI) -> None:
    found = list(routes(locked))
    said: dict[str, int] = {}
    with asking(locked) as client:
        for method, path, _ in found:
            if method == "WEBSOCKET":
                with (
                    pytest.raises(WebSocketDenialResponse) as denied,
                    client.websocket_connect(f"ws{ADDRESS[4:]}{path}"),
                ):
                    pass
                said[f"{method} {path}"] = denied.value.status_code
            else:
                said[f"{method} {path}"] = client.request(method, filled(path)).status_code
    assert {"WEBSOCKET /ws", "GET /metrics", "GET /cc.xml", "GET /docs", "GET /openapi.json", SIGNED} <= said.keys()
    assert len(said) > 60
    public = {each.replace("{path:path}", "{path}") for each in PUBLIC}
    open_ones = {name for name, status in said.items() if status not in {401, 403}}
    assert open_ones == public & said.keys()
    assert said[SIGNED] == 401


def test_a_stranger_is_refused_before_the_body_is_read(locked: FastAPI) -> None:
    asked = 0
    for method, path, _ in routes(locked):
        if method in {*SAFE, "WEBSOCKET"} or f"{method} {path}" in {*PUBLIC, SIGNED}:
            continue
        scope = {
            "type": "http",
            "method": method,
            "path": filled(path),
            "headers": [(b"host", b"127.0.0.1:8080")],
            "query_string": b"",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
            "scheme": "http",
            "http_version": "1.1",
        }
        assert asyncio.run(_status(locked, scope)) == 401
        asked += 1
    assert asked > 10


async def _status(app: FastAPI, scope: dict[str, Any]) -> int:
    """The answer to a request whose body must not be asked for."""
    seen: list[int] = []

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            seen.append(message["status"])

    await app(scope, receive, send)
    return seen[0]


def test_strangers_send_less_than_who_is_known(sqlite_database: Database, tmp_path: Path) -> None:
    limits = Limits(body=400, body_of_strangers=100)
    app = made(sqlite_database, tmp_path, limits, access=LOCKED)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    known = {"Authorization": "Bearer 0123456789abcdef", "Content-Type": "application/json"}
    with asking(app) as client:
        assert client.post("/login", content=b"x" * 101).status_code == 413
        assert client.post("/login", content=iter([b"name=x&y="[:9] * 7] * 2), headers=form).status_code == 413
        assert client.post("/ingest/json", content=b" " * 300 + b"[]", headers=known).status_code != 413


def test_all_bodies_together_are_bounded_and_give_their_room_back(sqlite_database: Database, tmp_path: Path) -> None:
    app = made(sqlite_database, tmp_path, Limits(bodies=1_000))
    with asking(app) as client:
        for _ in range(3):
            answer = client.post("/ingest/json", content=b" " * 1_001, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            fits = client.post("/ingest/json", content=b" " * 900, headers={"Content-Type": "application/json"})
            assert fits.status_code == 422


def test_an_odd_address_is_never_a_mistake_of_ours(database: Database, tmp_path: Path) -> None:
    app = made(database, tmp_path, simulate=True)
    asked, values = 0, cycle(ODD)  # 17 values, four of them a time: each parameter gets others
    with asking(app) as client:
        for method, path, route in routes(app):
            if method != "GET":
                continue
            names = [each.alias for each in route.dependant.query_params] or ["x"]
            addresses = [f"{filled(path)}?{name}={odd}" for name in (*names, "label.a") for odd in islice(values, 4)]
            addresses += [filled(path, odd) for odd in ODD] if "{" in path else []
            for address in addresses:
                answer = client.get(address)
                asked += 1
                assert answer.status_code < 500, (address[:200], answer.text[:500])
                assert "x-evil" not in answer.headers
    assert asked > 500


def test_odd_bodies_and_headers_are_never_a_mistake_of_ours(sqlite_database: Database, tmp_path: Path) -> None:
    app = made(sqlite_database, tmp_path, simulate=True)
    bodies = (
        b"",
        b"\0",
        b"\xff\xfe",
        b"[" * 20_000,
        b'{"a":' * 5_000,
        b'"\\ud800"',
        b"1e999",
        b'{"\\u0000": "\\u0000"}',
    )
    types = (
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "\u00ff;;=",
    )
    with asking(app) as client:
        for method, path, _ in routes(app):
            if method in {*SAFE, "WEBSOCKET"}:
                continue
            for body, kind in [*((each, types[0]) for each in bodies), *((bodies[3], each) for each in types)]:
                headers = {"Content-Type": kind.encode("latin-1")}
                answer = client.request(method, filled(path), content=body, headers=headers)
                assert answer.status_code < 500, (method, path, body[:20], kind, answer.text[:300])


def test_a_neighbour_with_a_wrong_token_stops_nobody_who_has_a_long_one(locked: FastAPI) -> None:
    with asking(locked) as client:
        for _ in range(11):
            last = client.get("/builds", headers={"Authorization": "Bearer wrong"})
        assert last.status_code == 429
        assert client.get("/builds", headers={"Authorization": "Bearer 0123456789abcdef"}).status_code == 200
        # What can be found by trying is not told while somebody tries.
        assert client.get("/builds", headers={"Authorization": "Bearer 1234"}).status_code == 429
        assert client.get("/builds", auth=("ada", "correct horse")).status_code == 429


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP"])
def test_a_header_makes_nobody_somebody_else(locked: FastAPI, header: str) -> None:
    with asking(locked, "192.0.2.1") as client:
        tries = [
            client.get("/builds", headers={"Authorization": "Bearer no", header: f"198.51.100.{n}"}).status_code
            for n in range(12)
        ]
    assert tries == [401] * 10 + [429] * 2


def test_a_network_of_ipv6_is_one_neighbour(locked: FastAPI) -> None:
    def try_from(address: str) -> int:
        with asking(locked, address) as client:
            return client.get("/builds", headers={"Authorization": "Bearer no"}).status_code

    assert [try_from(f"2001:db8::{n:x}") for n in range(1, 13)] == [401] * 10 + [429] * 2
    assert try_from("2001:db8:0:1::1") == 401


def test_guesses_of_one_password_count_from_wherever_they_come(locked: FastAPI) -> None:
    tries = []
    for n in range(12):
        with asking(locked, f"192.0.2.{n}") as client:
            tries.append(client.get("/builds", auth=("ada", "no")).status_code)
    assert tries == [401] * 10 + [429] * 2


def test_behind_a_proxy_each_client_counts_alone_when_the_proxy_is_named(
    sqlite_database: Database, tmp_path: Path
) -> None:
    app = made(
        sqlite_database, tmp_path, access=Access(users=(ADA,), proxies=THIS_MACHINE), url="https://ci.example.com"
    )
    with asking(app) as client:
        for _ in range(11):
            wrong = client.get("/builds", auth=("eve", "no"), headers={"X-Forwarded-For": "6.6.6.6, 198.51.100.1"})
        assert wrong.status_code == 429
        other = {"X-Forwarded-For": "198.51.100.1, 198.51.100.2"}  # only the last was seen by the proxy
        assert client.get("/builds", auth=("ada", "correct horse"), headers=other).status_code == 200
        named = {"X-Forwarded-User": "root", "X-Forwarded-For": "198.51.100.3"}
        assert client.get("/builds", headers=named).status_code == 401


def test_a_name_that_comes_twice_is_nobody(sqlite_database: Database, tmp_path: Path) -> None:
    app = made(sqlite_database, tmp_path, access=Access(proxy_header="X-User", proxies=THIS_MACHINE))
    with asking(app) as client:
        assert client.get("/builds", headers=[("X-User", "eve"), ("X-User", "ada")]).status_code == 400
        assert client.get("/builds", headers={"X-User": "  "}).status_code == 401
        assert client.get("/builds", headers={"X-User": "ada"}).status_code == 200


def test_whoever_only_waits_is_not_remembered() -> None:
    buckets = Buckets(1, 1, lambda: 0.0)
    for number in range(1_000):
        assert buckets.wait(str(number)) == 0.0
    assert len(buckets._buckets) == 0


def test_a_log_out_holds_in_another_process_and_after_a_restart(sqlite_database: Database, tmp_path: Path) -> None:
    given = premises(tmp_path, access=LOCKED)
    apps = [make_app(site_over(sqlite_database, given)) for _ in range(2)]
    with asking(apps[0]) as first, asking(apps[1]) as second:
        first.post("/login", data={"name": "ada", "password": "correct horse"}, headers={"Origin": ADDRESS})
        second.cookies.update(first.cookies)
        assert second.get("/builds").status_code == 200
        page = first.get("/", headers={"Accept": "text/html"}).text
        csrf = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        out = first.post("/logout", data={"csrf_token": csrf}, headers={"Origin": ADDRESS})
        assert out.status_code == 303
        given.now += 2 * FRESH
        assert second.get("/builds").status_code == 401
    with asking(make_app(site_over(sqlite_database, given))) as third:
        third.cookies.update(second.cookies)
        assert third.get("/builds").status_code == 401


def test_a_form_that_a_browser_sends_is_refused_with_a_page(locked: FastAPI) -> None:
    with asking(locked) as client:
        answer = client.post("/alerts/1/acknowledge", headers={"Accept": "text/html", "Origin": ADDRESS})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
