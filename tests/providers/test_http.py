import gzip
import resource
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
import requests
import trustme

from providers._base import ProviderError, Refused, Trouble, Unavailable
from providers._http import Http, bounded, check_status, fetch, retry_after, shown
from tests.support.fault_server import (
    FaultServer,
    answering,
    cut,
    delayed,
    dripping,
    gzip_bomb,
    html,
    in_turn,
    redirecting,
    resetting,
)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def http() -> Iterator[Http]:
    reader = Http(headers={"Authorization": "Bearer s3cret-token"}, pause=lambda _: None)
    yield reader
    reader.close()


def trouble(http: Http, url: str, **options: float) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        http.get(url, **options).json()  # type: ignore[arg-type]
    return caught.value


def test_an_answer_carries_status_headers_body_and_place(server: FaultServer, http: Http) -> None:
    server.on("/a", answering('{"a": 1}', headers={"ETag": '"x"'}))
    answer = http.get(server.url + "/a", params={"q": "ü"})
    assert (answer.status, answer.headers["etag"], answer.json()) == (200, '"x"', {"a": 1})
    assert answer.url == answer.asked == server.url + "/a?q=%C3%BC"
    assert server.exchanges[0].headers["authorization"] == "Bearer s3cret-token"


def test_connections_are_kept_also_after_304(server: FaultServer, http: Http) -> None:
    server.on("/a", in_turn(answering("{}"), answering(b"", status=304), answering("{}")))
    for _ in range(4):
        http.get(server.url + "/a")
    assert server.connections == 1


def test_gzip_is_decoded(server: FaultServer, http: Http) -> None:
    server.on("/a", answering(gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip"}))
    assert http.get(server.url + "/a").json() == {"a": 1}


@pytest.mark.parametrize("headers_too", [False, True])
def test_a_drip_feed_is_cut_at_the_deadline_of_the_call(server: FaultServer, http: Http, *, headers_too: bool) -> None:
    server.on("/a", dripping(b"[" + b" " * 200 + b"]", every=0.05, headers_too=headers_too))
    begun = time.monotonic()
    error = trouble(http, server.url + "/a", seconds=0.4)
    assert time.monotonic() - begun < 1.5
    assert error.trouble is Trouble.TIMEOUT


def test_silence_is_cut_at_the_deadline_of_the_call(server: FaultServer, http: Http) -> None:
    server.on("/a", delayed(20, answering("{}")))
    begun = time.monotonic()
    assert trouble(http, server.url + "/a", seconds=0.3).trouble is Trouble.TIMEOUT
    assert time.monotonic() - begun < 1.5


def test_a_drip_feed_over_tls_is_cut_too(tmp_path: Path) -> None:
    context, ca_file = certified("127.0.0.1", tmp_path)
    with FaultServer(tls=context) as server:
        server.on("/a", dripping(b"[" + b" " * 200 + b"]", every=0.05))
        http = Http(ca_file=ca_file)
        assert trouble(http, server.url + "/a", seconds=0.5).trouble is Trouble.TIMEOUT
        http.close()


def test_a_call_after_its_deadline_asks_nothing(server: FaultServer, http: Http) -> None:
    assert trouble(http, server.url + "/a", seconds=0).trouble is Trouble.TIMEOUT
    assert server.exchanges == []


@pytest.mark.parametrize(
    "odd",
    [b'"\\ud800x"', b'"\xed\xa0\x80x"', b"NaN", b"1e999", b"1" * 5000],
    ids=["escape", "bytes", "nan", "inf", "digits"],
)
def test_one_odd_value_does_not_spoil_an_answer(odd: bytes, server: FaultServer, http: Http) -> None:
    server.on("/a", answering(b'{"odd": ' + odd + b', "number": 7}'))
    found = http.get(server.url + "/a").json()
    assert found["number"] == 7
    assert orjson.loads(orjson.dumps(found)) == found  # it can be written down


def test_an_answer_nested_beyond_reason_is_not_json(server: FaultServer, http: Http) -> None:
    server.on("/a", answering(b"[" * 100_000 + b"]" * 100_000))
    with pytest.raises(Unavailable) as caught:
        http.get(server.url + "/a").json()
    assert caught.value.trouble is Trouble.NOT_JSON


def test_gzip_in_several_members_is_one_text_and_padding_after_it_is_ignored(server: FaultServer, http: Http) -> None:
    body = gzip.compress(b'{"a":') + gzip.compress(b" 1}")
    for padding in (b"", b"\0" * 9):
        server.on("/a", answering(body + padding, headers={"Content-Encoding": "gzip"}))
        assert http.get(server.url + "/a").json() == {"a": 1}


def test_a_gzip_bomb_is_stopped_early_in_little_memory(server: FaultServer, http: Http) -> None:
    server.on("/a", gzip_bomb(256 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    assert trouble(http, server.url + "/a").trouble is Trouble.TOO_LARGE
    assert time.monotonic() - begun < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


@pytest.mark.parametrize("redirects", [False, True])
def test_a_huge_body_is_stopped_at_the_cap_also_under_a_redirect(
    server: FaultServer, http: Http, *, redirects: bool
) -> None:
    server.on("/a", answering(b"x" * 5000, status=302 if redirects else 200, headers={"Location": "/b"}))
    assert trouble(http, server.url + "/a", cap=4999).trouble is Trouble.TOO_LARGE


def test_a_gzip_stream_that_decodes_to_nothing_is_stopped_too(server: FaultServer, http: Http) -> None:
    empty_blocks = gzip.compress(b"")[:10] + b"\x00\x00\x00\xff\xff" * 2000
    server.on("/a", answering(empty_blocks, headers={"Content-Encoding": "gzip"}))
    assert trouble(http, server.url + "/a", cap=5000).trouble is Trouble.TOO_LARGE


@pytest.mark.parametrize(
    ("body", "encoding"), [(b"not gzip", "gzip"), (gzip.compress(b"x" * 99, mtime=0)[:20], "gzip"), (b"{}", "br")]
)
def test_undecodable_bodies_are_not_json(server: FaultServer, http: Http, body: bytes, encoding: str) -> None:
    server.on("/a", answering(body, headers={"Content-Encoding": encoding}))
    assert trouble(http, server.url + "/a").trouble is Trouble.NOT_JSON


@pytest.mark.parametrize(
    ("framing", "expected"),
    [("length", Trouble.CONNECTION), ("chunked", Trouble.CONNECTION), ("close", Trouble.NOT_JSON)],
)
def test_a_truncated_body_is_a_failed_call(server: FaultServer, http: Http, framing: str, expected: Trouble) -> None:
    server.on("/a", cut(b'{"jobs": [1, 2, 3]}', 9, framing=framing))
    assert trouble(http, server.url + "/a").trouble is expected


def test_html_with_200_is_not_json_and_its_text_stays_out_of_the_error(server: FaultServer, http: Http) -> None:
    server.on("/a", html())
    error = trouble(http, server.url + "/a")
    assert error.trouble is Trouble.NOT_JSON
    assert "HTML" in str(error)
    assert "sign in" not in str(error)


@pytest.mark.parametrize("body", ["[" * 100_000, "NaN", '"\\ud800"', "", '{"a":'])
def test_hostile_json_is_an_error_of_our_port_or_a_value(server: FaultServer, http: Http, body: str) -> None:
    server.on("/a", answering(body))
    assert trouble(http, server.url + "/a").trouble is Trouble.NOT_JSON


@pytest.mark.parametrize("fault", [resetting(), resetting(b"HTTP/1.1 200 OK\r\n"), answering("{}", status=503)])
def test_a_passing_fault_is_retried_within_the_call(server: FaultServer, http: Http, fault: object) -> None:
    server.on("/a", in_turn(fault, fault, answering('{"ok": true}')))  # type: ignore[arg-type]
    assert http.get(server.url + "/a").json() == {"ok": True}
    assert len(server.exchanges) == 3


def test_a_lasting_5xx_is_a_server_error_after_three_tries_and_retry_after_is_not_slept_on(
    server: FaultServer,
) -> None:
    pauses: list[float] = []
    http = Http(pause=pauses.append)
    server.on("/a", answering("oops", status=503, headers={"Retry-After": "3600"}))
    with pytest.raises(Unavailable) as caught:
        http.get(server.url + "/a")
    assert (caught.value.trouble, caught.value.retry_after) == (Trouble.SERVER_ERROR, 3600)
    assert len(server.exchanges) == 3
    assert len(pauses) == 2
    assert max(pauses) <= 1
    http.close()


def test_no_retry_begins_that_the_deadline_would_cut(server: FaultServer, http: Http) -> None:
    server.on("/a", answering("oops", status=502))
    assert trouble(http, server.url + "/a", seconds=0.05).trouble in {Trouble.SERVER_ERROR, Trouble.TIMEOUT}
    assert len(server.exchanges) <= 2


def test_a_post_is_sent_once(server: FaultServer, http: Http) -> None:
    server.on("/a", resetting())
    with pytest.raises(Unavailable):
        http.post(server.url + "/a", json={"a": 1})
    assert [(each.method, each.body) for each in server.exchanges] == [("POST", b'{"a": 1}')]


def test_redirects_within_the_origin_are_followed_with_credentials(server: FaultServer, http: Http) -> None:
    server.on("/old", redirecting("/new?x=1", 301))
    server.on("/new", answering('{"new": true}'))
    answer = http.get(server.url + "/old")
    assert answer.json() == {"new": True}
    assert (answer.asked, answer.url) == (server.url + "/old", server.url + "/new?x=1")
    assert all(each.headers["authorization"] == "Bearer s3cret-token" for each in server.exchanges)


def test_a_redirect_loop_ends_after_three(server: FaultServer, http: Http) -> None:
    server.on("*", redirecting("/again"))
    assert trouble(http, server.url + "/a").trouble is Trouble.REDIRECT
    assert len(server.exchanges) == 4


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_is_sent_to_another_origin(server: FaultServer, http: Http, scheme: str) -> None:
    with FaultServer() as other:
        port = other.port if scheme == "http" else server.port
        server.on("/a", redirecting(f"{scheme}://127.0.0.1:{port}/a?token=x"))
        error = trouble(http, server.url + "/a")
        assert other.exchanges == []
    assert error.trouble is Trouble.REDIRECT
    assert f":{port}/a" in str(error)
    assert "token" not in str(error)


@pytest.mark.parametrize("location", ["http://[broken", "//", "ftp://127.0.0.1/x", "http://127.0.0.1:99999/"])
def test_a_redirect_to_nonsense_is_an_error_of_our_port(server: FaultServer, http: Http, location: str) -> None:
    server.on("/a", redirecting(location))
    assert trouble(http, server.url + "/a").trouble is Trouble.REDIRECT


def test_a_post_is_never_redirected(server: FaultServer, http: Http) -> None:
    server.on("/a", redirecting("/b", 307))
    with pytest.raises(Unavailable, match="only GET"):
        http.post(server.url + "/a")


def test_a_closed_port_is_named_with_its_cause(http: Http) -> None:
    with FaultServer() as gone:
        url = gone.url
    error = trouble(http, f"{url.replace('//', '//bot:pw@')}/a?token=x")
    assert error.trouble is Trouble.CONNECTION
    assert str(error) == f"{url}/a: connection refused"


def test_an_unknown_host_is_named(http: Http) -> None:
    error = trouble(http, "http://no-such-host.invalid/a")
    assert error.trouble is Trouble.CONNECTION
    assert "name of the host" in str(error)


def test_an_impossible_url_is_an_error_of_our_port(http: Http) -> None:
    for url in ("http://", "mailto:x", "http://[x", "http://127.0.0.1:99999/"):
        assert isinstance(trouble(http, url), Unavailable)


def certified(name: str, folder: Path) -> tuple[object, Path]:
    import ssl  # noqa: PLC0415

    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return context, ca_file


def test_a_ca_file_makes_an_own_authority_trusted(tmp_path: Path) -> None:
    context, ca_file = certified("127.0.0.1", tmp_path)
    with FaultServer(tls=context) as server:  # type: ignore[arg-type]
        server.on("/a", answering('{"a": 1}'))
        http = Http(ca_file=ca_file)
        assert http.get(server.url + "/a").json() == {"a": 1}
        http.close()


def test_verify_false_reads_without_a_certificate_that_fits(tmp_path: Path) -> None:
    context, _ = certified("elsewhere.example", tmp_path)
    with FaultServer(tls=context) as server:  # type: ignore[arg-type]
        server.on("/a", answering('{"a": 1}'))
        http = Http(verify=False)
        assert http.get(server.url + "/a").json() == {"a": 1}
        http.close()


@pytest.mark.parametrize(("name", "given"), [("127.0.0.1", False), ("elsewhere.example", True)])
def test_a_certificate_that_does_not_verify_is_refused_naming_cause_and_key(
    tmp_path: Path, name: str, *, given: bool
) -> None:
    context, ca_file = certified(name, tmp_path)
    with FaultServer(tls=context) as server:  # type: ignore[arg-type]
        http = Http(ca_file=ca_file if given else None, pause=lambda _: None)
        error = trouble(http, server.url + "/a")
        http.close()
        assert server.exchanges == []
    assert isinstance(error, Refused)
    assert error.trouble is Trouble.TLS
    assert "ca_file" in str(error)
    assert ("mismatch" if given else "issuer") in str(error)


def test_https_spoken_to_a_plain_port_is_a_tls_trouble(server: FaultServer, http: Http) -> None:
    error = trouble(http, server.url.replace("http:", "https:") + "/a")
    assert error.trouble in {Trouble.TLS, Trouble.CONNECTION}


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_unusable_ca_file_is_named(tmp_path: Path, server: FaultServer, content: str | None) -> None:
    ca_file = tmp_path / "own-ca.pem"
    if content:
        ca_file.write_text(content)
    http = Http(ca_file=ca_file)
    error = trouble(http, server.url.replace("http:", "https:") + "/a")
    http.close()
    assert error.trouble is Trouble.TLS
    assert "ca_file" in str(error)


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (401, Refused, Trouble.AUTH),
        (403, Refused, Trouble.AUTH),
        (404, Unavailable, Trouble.NOT_FOUND),
        (410, Unavailable, Trouble.NOT_FOUND),
        (422, Unavailable, Trouble.SERVER_ERROR),
        (429, Unavailable, Trouble.RATE_LIMIT),
        (500, Unavailable, Trouble.SERVER_ERROR),
    ],
)
def test_a_status_becomes_an_error_of_our_port(
    server: FaultServer, http: Http, status: int, kind: type[ProviderError], expected: Trouble
) -> None:
    server.on("/a", answering("{}", status=status))
    error = trouble(http, server.url + "/a")
    assert (type(error), error.trouble) == (kind, expected)
    assert str(status) in str(error)
    assert "s3cret" not in str(error)


def test_429_holds_for_the_whole_provider_as_long_as_the_server_says(server: FaultServer, http: Http) -> None:
    server.on("/a", answering("{}", status=429, headers={"Retry-After": "30"}))
    error = trouble(http, server.url + "/a")
    assert isinstance(error, Unavailable)
    assert (error.retry_after, error.provider_wide) == (30, True)
    assert len(server.exchanges) == 1


def test_retry_after_reads_seconds_and_nothing_else() -> None:
    forms = {"30": 30, "9" * 400: 86400, "Wed, 21 Oct 2026 07:28:00 GMT": None, "-1": None, "²": None, "": None}
    assert {text: retry_after({"Retry-After": text}) for text in forms} == forms


def test_a_foreign_session_is_bounded_too(server: FaultServer) -> None:
    session = bounded(requests.Session())
    server.on("/a", dripping(b"[" + b" " * 200 + b"]", every=0.05))
    request = session.prepare_request(requests.Request("GET", server.url + "/a"))
    with pytest.raises(Unavailable) as caught:
        fetch(session, request, seconds=0.3)
    assert caught.value.trouble is Trouble.TIMEOUT
    server.on("/b", answering("no", status=404))
    request = session.prepare_request(requests.Request("GET", server.url + "/b"))
    answer = fetch(session, request)
    assert check_status(answer, (404,)).body == b"no"
    session.close()


def test_cookies_are_kept_as_a_load_balancer_wants(server: FaultServer, http: Http) -> None:
    server.on("/a", answering("{}", headers={"Set-Cookie": "node=7; Path=/"}))
    http.get(server.url + "/a")
    http.get(server.url + "/a")
    assert [each.headers.get("cookie") for each in server.exchanges] == [None, "node=7"]


def test_the_environment_counts_only_when_asked(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login alice password wonder\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.on("/a", answering("{}"))
    alone, asked = Http(), Http(trust_env=True, pause=lambda _: None)
    alone.get(server.url + "/a")
    assert "authorization" not in server.exchanges[0].headers
    assert trouble(asked, server.url + "/a").trouble is Trouble.CONNECTION
    alone.close()
    asked.close()


def test_a_proxy_carries_everything_and_its_answers_are_bounded(server: FaultServer) -> None:
    http = Http(proxy=server.url)
    server.on("http://ci.example/a", dripping(b"[" + b" " * 200 + b"]", every=0.05))
    assert trouble(http, "http://ci.example/a", seconds=0.3).trouble is Trouble.TIMEOUT
    assert server.exchanges[0].target == "http://ci.example/a"
    http.close()


def test_every_thread_has_its_own_session_and_close_closes_all(server: FaultServer, http: Http) -> None:
    server.on("/a", answering("{}"))
    for _ in range(2):
        http.get(server.url + "/a")
        thread = threading.Thread(target=http.get, args=(server.url + "/a",))
        thread.start()
        thread.join()
    assert server.connections == 3
    http.close()
    http.get(server.url + "/a")
    assert server.connections == 4


def test_shown_urls_have_no_credentials_query_or_fragment() -> None:
    assert shown("https://u:p@h:8443/ci/?token=x#y") == "https://h:8443/ci/"


def test_pauses_grow(server: FaultServer) -> None:
    pauses: list[float] = []
    http = Http(pause=pauses.append)
    server.on("/a", answering("oops", status=500))
    for _ in range(20):
        trouble(http, server.url + "/a")
    assert all(first > 0 for first, _ in pairwise(pauses))
    http.close()
