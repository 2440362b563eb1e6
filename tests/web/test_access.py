"""Who may do what, and what nobody may."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from httpx import Response
from pydantic import BaseModel, SecretStr
from starlette.testclient import WebSocketDenialResponse

from store.engine import Database
from store.errors import StoreUnavailable
from tests.support.site import premises, site_over
from web.access.gate import Limits
from web.access.scopes import Admin, Anybody, Ingester, Reader, anybody, scope_of
from web.app import PARTS, make_app
from web.settings import THIS_MACHINE, Access, Scope, Settings, Token, User

ADDRESS = "http://127.0.0.1:8080"
EVERYWHERE = "0.0.0.0"  # noqa: S104
HERE = {"Origin": ADDRESS}
TOKENS = tuple(Token(name=str(scope), token=SecretStr(f"token-{scope}"), scope=scope) for scope in Scope)
ADA = User(name="ada", password=SecretStr("correct horse"), scope=Scope.ADMIN)
RON = User(name="ron", password=SecretStr("battery staple"), scope=Scope.READ)
LOCKED = Access(tokens=TOKENS, users=(ADA, RON))


class Hand:
    """A monotonic clock that stands still."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Body(BaseModel):
    count: int


def with_routes(app: FastAPI) -> FastAPI:
    """Routes of each kind beside those that there are."""

    @app.get("/try/read")
    def read(caller: Reader) -> str:
        return caller.name

    @app.post("/try/ingest")
    def ingest(caller: Ingester, body: Body) -> str:
        return f"{caller.name} {body.count}"

    @app.post("/try/admin")
    def admin(caller: Admin) -> str:
        return caller.name

    @app.get("/try/anybody")
    def anybody(caller: Anybody) -> str:
        return caller.name if caller is not None else "nobody"

    @app.get("/try/away")
    def away(_: Reader) -> str:
        raise StoreUnavailable("the file is locked")

    @app.get("/try/broken")
    def broken(_: Reader) -> str:
        raise RuntimeError("canary")

    return app


Open = Callable[..., TestClient]


@pytest.fixture
def visit(sqlite_database: Database, tmp_path: Path) -> Iterator[Open]:
    """A function that opens a client of an application with these settings."""
    opened = []

    def open_client(
        limits: Limits | None = None,
        hand: Hand | None = None,
        address: str = ADDRESS,
        parts: Sequence[Any] = (),
        **settings: Any,
    ) -> TestClient:
        client_host = settings.pop("client", "127.0.0.1")
        site = site_over(sqlite_database, premises(tmp_path, **settings))
        app = with_routes(make_app(site, parts=parts, limits=limits, monotonic=hand or Hand()))
        client = TestClient(
            app,
            base_url=address,
            client=(client_host, 50000),
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        opened.append(client.__enter__())
        return client

    yield open_client
    for client in opened:
        client.__exit__()


def bearer(scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer token-{scope}"}


def log_in(client: TestClient, who: User = ADA, after: str = "/") -> Response:
    form = {"name": who.name, "password": who.password.get_secret_value(), "next": after}
    return client.post("/login", data=form, headers=HERE)


ASKED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("GET", "/try/read", {}),
    ("POST", "/try/ingest", {"json": {"count": 1}}),
    ("POST", "/try/admin", {}),
)


@pytest.mark.parametrize(
    ("scope", "statuses"),
    [("read", (200, 403, 403)), ("ingest", (200, 200, 403)), ("admin", (200, 200, 200)), ("wrong", (401, 401, 401))],
)
def test_a_token_may_do_what_its_scope_says(visit: Open, scope: str, statuses: tuple[int, ...]) -> None:
    client = visit(access=LOCKED)
    answers = [client.request(method, path, headers=bearer(scope), **how) for method, path, how in ASKED]
    assert tuple(answer.status_code for answer in answers) == statuses


def test_without_a_token_nothing_is_answered_but_what_everybody_may_ask(visit: Open) -> None:
    client = visit(access=LOCKED)
    answers = [client.request(method, path, **how) for method, path, how in ASKED]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert answers[0].headers["www-authenticate"].startswith("Bearer")
    assert client.get("/try/anybody").json() == "nobody"


def test_without_auth_everybody_on_this_machine_may_do_everything(visit: Open) -> None:
    client = visit()
    assert [client.request(method, path, **how).status_code for method, path, how in ASKED] == [200, 200, 200]


def test_every_route_says_who_may_ask(visit: Open) -> None:
    """A route that forgot its dependency would be open to everybody."""

    def asks(dependant: Any) -> bool:
        return dependant.call is anybody or any(map(asks, dependant.dependencies))

    app: Any = visit(access=LOCKED, parts=PARTS).app
    routes = list(iter_route_contexts(app.routes))
    forgotten = [each.path for each in routes if scope_of(each.dependant) is None and not asks(each.dependant)]
    assert len(routes) > 60
    assert forgotten == []


def test_a_feed_reader_shows_a_name_and_password(visit: Open) -> None:
    client = visit(access=LOCKED)
    assert client.get("/try/read", auth=("ron", "battery staple")).json() == "ron"
    assert client.get("/try/read", auth=("anything", "token-read")).json() == "read"
    assert client.get("/try/read", auth=("ada", "battery staple")).status_code == 401
    assert client.get("/try/read", headers={"Authorization": "Basic !"}).status_code == 401
    assert client.get("/try/read", headers={"Authorization": "Digest x"}).status_code == 401


def test_wrong_tokens_make_the_next_tries_wait(visit: Open) -> None:
    hand = Hand()
    client = visit(access=LOCKED, hand=hand)
    statuses = [client.get("/try/read", headers=bearer("wrong")).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    right = client.get("/try/read", headers=bearer("read"))
    assert (right.status_code, right.headers["retry-after"]) == (429, "10")
    hand.seconds += 10
    assert client.get("/try/read", headers=bearer("read")).status_code == 200


def test_a_browser_is_led_to_the_login_and_back(visit: Open) -> None:
    client = visit(access=LOCKED)
    led = client.get("/try/read?a=b", headers={"Accept": "text/html"})
    assert (led.status_code, led.headers["location"]) == (303, "/login?next=%2Ftry%2Fread%3Fa%3Db")
    form = client.get(led.headers["location"])
    assert 'name="next" value="/try/read?a=b"' in form.text
    answer = log_in(client, after="/try/read?a=b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/try/read?a=b")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert client.get("/try/read").json() == "ada"
    assert client.get("/login?next=/x").headers["location"] == "/x"


def test_a_wrong_password_is_told_and_too_many_have_to_wait(visit: Open) -> None:
    client = visit(access=LOCKED)
    answers = [client.post("/login", data={"name": "ada", "password": "guess"}, headers=HERE) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert "do not belong together" in answers[0].text
    assert "wait a moment" in answers[-1].text
    assert log_in(client).status_code == 429
    assert log_in(client, RON).status_code == 429  # it is the address that has to wait


@pytest.mark.parametrize(
    "after",
    ["//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "/\t/evil.example", ""],
)
def test_after_the_login_nobody_is_led_elsewhere(visit: Open, after: str) -> None:
    assert log_in(visit(access=LOCKED), after=after).headers["location"] == "/"


def test_a_token_logs_in_too(visit: Open) -> None:
    client = visit(access=Access(tokens=TOKENS))
    answer = client.post("/login", data={"name": "read", "password": "token-read"}, headers=HERE)
    assert answer.status_code == 303
    assert client.get("/try/read").json() == "read"


def csrf_of(client: TestClient) -> str:
    """As a page of ours shows it."""
    app: Any = client.app
    shown: list[str] = []

    @app.get("/try/page")
    def page(caller: Reader) -> str:
        shown.append(caller.csrf or "")
        return ""

    client.get("/try/page")
    return shown[-1]


def test_a_session_shows_its_csrf_token_with_everything_that_changes_something(visit: Open) -> None:
    client = visit(access=LOCKED)
    log_in(client)
    token = csrf_of(client)
    assert client.post("/try/admin", headers=HERE).status_code == 403
    assert client.post("/try/admin", headers=HERE | {"X-CSRF-Token": "f" * 64}).status_code == 403
    assert client.post("/try/admin", headers=HERE | {"X-CSRF-Token": token}).status_code == 200
    assert client.post("/try/admin", headers=HERE, data={"csrf_token": token}).status_code == 200
    refused = client.post("/try/admin", headers=HERE, data={"csrf_token": "é"}).json()
    assert refused["errors"] == [{"field": "csrf_token", "problem": "missing or wrong"}]


def test_a_session_ends_at_logout_even_for_who_copied_the_cookie(visit: Open) -> None:
    client = visit(access=LOCKED)
    log_in(client)
    copied, token = dict(client.cookies), csrf_of(client)
    assert client.post("/logout", headers=HERE | {"X-CSRF-Token": token}).status_code == 303
    assert client.get("/try/read").status_code == 401
    client.cookies.update(copied)
    assert client.get("/try/read").status_code == 401


@pytest.mark.parametrize("access", [Access(users=(RON,)), Access(users=(User(name="ada", password=SecretStr("new")),))])
def test_a_session_ends_with_its_person_or_password(visit: Open, access: Access) -> None:
    first, second = visit(access=LOCKED), visit(access=access)
    log_in(first)
    second.cookies.update(first.cookies)
    assert second.get("/try/read").status_code == 401


def test_a_session_outlives_a_restart_but_not_two_weeks(visit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = visit(access=LOCKED), visit(access=LOCKED)
    log_in(first)
    second.cookies.update(first.cookies)
    assert second.get("/try/read").status_code == 200
    monkeypatch.setattr("web.access.sessions.LASTING", timedelta(seconds=-1))
    assert second.get("/try/read").status_code == 401


@pytest.mark.parametrize("cookie", ["x", "a.b.c.d", "YWRh.1.x.y", "." * 3, "A" * 5000, "YWRh.²." + "0" * 32 + ".x"])
def test_a_forged_cookie_is_nobody(visit: Open, cookie: str) -> None:
    client = visit(access=LOCKED)
    answer = client.get("/try/read", headers={"Cookie": f"buildwatch_session={cookie}".encode()})
    assert answer.status_code == 401


def test_the_cookie_is_secure_where_people_come_over_tls(visit: Open) -> None:
    client = visit(access=LOCKED, url="https://ci.example.com", address="http://ci.example.com")
    answer = client.post("/login", data={"name": "ada", "password": "correct horse"})
    assert "Secure" in answer.headers["set-cookie"]


PROXIED = Access(proxy_header="X-Remote-User", proxy_scope=Scope.READ, proxies=THIS_MACHINE)


def test_a_proxy_is_believed_where_it_is_trusted(visit: Open) -> None:
    named = {"X-Remote-User": "grace"}
    assert visit(access=PROXIED).get("/try/read", headers=named).json() == "grace"
    assert visit(access=PROXIED).get("/try/read").status_code == 401
    assert visit(access=PROXIED, client="192.0.2.7", host=EVERYWHERE).get("/try/read", headers=named).status_code == 401
    assert visit(access=LOCKED).get("/try/read", headers=named).status_code == 401
    assert visit(access=PROXIED).post("/try/admin", headers=named).status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost:8080", 200),
        ("[::1]:8080", 200),
        ("192.0.2.1", 200),
        ("ci.example.com", 200),
        ("evil.example", 421),
        ("evil.example:8080", 421),
        ("127.0.0.1.evil.example", 421),
        ("[", 421),
        ("", 421),
    ],
)
def test_a_name_that_was_turned_to_this_machine_is_refused(visit: Open, host: str, status: int) -> None:
    client = visit(url="https://ci.example.com")
    assert client.get("/try/read", headers={"Host": host}).status_code == status


def test_a_public_address_with_tokens_has_any_name(visit: Open) -> None:
    client = visit(host=EVERYWHERE, access=LOCKED)
    assert client.get("/try/read", headers=bearer("read") | {"Host": "ci.example.com"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # a program
        (HERE, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "http://[", "Host": "127.0.0.1:8080"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://board.example.com"}, 200),
        ({"Origin": "https://ci.example.com"}, 200),
    ],
)
def test_only_our_own_pages_may_change_something(visit: Open, headers: dict[str, str], status: int) -> None:
    client = visit(cors=("https://board.example.com",), url="https://ci.example.com")
    assert client.post("/try/admin", headers=headers).status_code == status


def test_behind_a_proxy_the_origin_is_the_name_that_people_see(visit: Open) -> None:
    client = visit(access=PROXIED)
    seen = {"X-Remote-User": "grace", "Origin": "https://ci.example.com", "X-Forwarded-Host": "ci.example.com"}
    assert client.post("/try/admin", headers=seen).json()["detail"].startswith("grace may read")


def test_cors_is_closed_unless_an_origin_is_named(visit: Open) -> None:
    asked = {"Origin": "https://board.example.com", "Access-Control-Request-Method": "GET"}
    closed = visit(access=LOCKED).get("/try/read", headers=bearer("read") | asked)
    assert "access-control-allow-origin" not in closed.headers
    client = visit(access=LOCKED, cors=("https://board.example.com",))
    answer = client.get("/try/read", headers=bearer("read") | asked)
    assert answer.headers["access-control-allow-origin"] == "https://board.example.com"
    assert client.options("/try/read", headers=asked).status_code == 200
    other = client.get("/try/read", headers=bearer("read") | {"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def test_every_answer_forbids_what_a_browser_might_do_with_it(visit: Open) -> None:
    client = visit(access=LOCKED)
    for path in ("/try/read", "/nowhere", "/login", "/docs", "/try/broken"):
        headers = client.get(path, headers=bearer("read")).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


def test_a_caller_who_asks_too_often_waits(visit: Open) -> None:
    hand = Hand()
    client = visit(access=LOCKED, requests_per_second=0.2, hand=hand)
    answers = [client.get("/try/read", headers=bearer("read")) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["retry-after"] == "5"
    assert client.get("/try/read", headers=bearer("admin")).status_code == 200
    hand.seconds += 5
    assert client.get("/try/read", headers=bearer("read")).status_code == 200


def test_a_body_may_be_so_large_and_no_larger(visit: Open) -> None:
    client = visit(limits=Limits(body=100))

    def send(content: Any, headers: dict[str, str] | None = None) -> int:
        given = {"Content-Type": "application/json"} | (headers or {})
        return client.post("/try/ingest", content=content, headers=given).status_code

    assert send(b'{"count": 1}' + b" " * 88) == 200
    assert send(b'{"count": 1}' + b" " * 89) == 413
    assert send(iter([b'{"count": 1}', b" " * 50, b" " * 50])) == 413
    assert send(b"", {"Content-Length": "-1"}) == 413
    assert send(b"", {"Content-Length": "99999999999999999999"}) == 413


def test_what_cannot_be_used_is_named(visit: Open) -> None:
    client = visit()
    answer = client.post("/try/ingest", json={"count": "many"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "cannot be used: body.count",
        "errors": [
            {
                "field": "body.count",
                "problem": "Input should be a valid integer, unable to parse string as an integer",
            }
        ],
    }
    broken = client.post("/try/ingest", content=b"{", headers={"Content-Type": "application/json"})
    assert broken.json()["errors"][0]["field"] == "body"


def test_what_is_not_there_is_told_in_the_form_that_was_asked_for(visit: Open) -> None:
    client = visit()
    assert client.get("/nowhere").json()["detail"] == "there is nothing here under this address"
    page = client.get("/nowhere", headers={"Accept": "text/html,*/*"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert client.delete("/try/read").json()["status"] == 405


def test_a_store_that_is_away_is_told_with_when_to_try_again(visit: Open) -> None:
    answer = visit().get("/try/away")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_a_mistake_of_ours_shows_nothing_of_us(visit: Open) -> None:
    answer = visit().get("/try/broken")
    assert answer.status_code == 500
    assert "canary" not in answer.text


def test_settings_of_the_moment_hold(sqlite_database: Database, tmp_path: Path) -> None:
    given = premises(tmp_path)
    app = with_routes(make_app(site_over(sqlite_database, given), parts=()))
    with TestClient(app, base_url=ADDRESS) as client:
        assert client.get("/try/read").status_code == 200
        values = {name: getattr(given.settings, name) for name in ("host", "port", "zone", "day_starts_at")}
        given.settings = Settings(**values, access=LOCKED)
        assert client.get("/try/read").status_code == 401


def test_a_websocket_is_under_the_same_rules(visit: Open) -> None:
    client = visit(access=LOCKED)
    app: Any = client.app

    @app.websocket("/try/live")
    async def live(socket: WebSocket, caller: Reader) -> None:
        await socket.accept()
        await socket.send_text(caller.name)
        await socket.close()

    with client.websocket_connect("ws://127.0.0.1:8080/try/live", headers=bearer("read")) as socket:
        assert socket.receive_text() == "read"
    for headers, status in (({}, 401), (bearer("read") | {"Origin": "http://evil.example"}, 403)):
        with (
            pytest.raises(WebSocketDenialResponse) as denied,
            client.websocket_connect("ws://127.0.0.1:8080/try/live", headers=headers),
        ):
            pass
        assert denied.value.status_code == status


def test_sessions_wait_for_a_store_that_is_away(visit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    client = visit(access=LOCKED)

    def away(*_: Any) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr("web.access.sessions.Sessions.open", away)
    assert client.get("/try/read", headers=bearer("read")).status_code == 503
