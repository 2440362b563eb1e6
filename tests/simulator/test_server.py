import gzip
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
import requests
import trustme
from typing_extensions import override

from simulator import faults
from simulator.server import Answer, Request, Server, html_answer, json_answer


class _Echo(Server):
    """Answers with what it was asked."""

    calls = 0

    @override
    def answer(self, request: Request) -> Answer:
        self.calls += 1
        if request.path == "/broken":
            raise RuntimeError("a mistake of the simulator")
        return json_answer({"segments": request.segments, "query": request.query, "body": request.body.decode()})


@pytest.fixture
def server() -> Iterator[_Echo]:
    with _Echo() as server:
        yield server


def test_segments_are_decoded_exactly_once(server: _Echo, http: requests.Session) -> None:
    answer = http.post(f"{server.origin}/job/a%252Fb/%C3%BC%20x?tree=a%5Bb%5D&x=", data="hello")
    assert answer.json() == {"segments": ["job", "a%2Fb", "ü x"], "query": {"tree": "a[b]", "x": ""}, "body": "hello"}


def test_one_connection_serves_many_requests(server: _Echo, http: requests.Session) -> None:
    for _ in range(3):
        http.get(server.origin).raise_for_status()
    assert http.get(server.origin).raw.version == 11
    assert len({r.headers.get("connection") for r in server.requests}) == 1


def test_every_request_is_logged_with_its_headers(server: _Echo, http: requests.Session) -> None:
    http.get(f"{server.origin}/a?b=c", headers={"X-Test": "yes"})
    http.head(f"{server.origin}/a")
    first = server.asked("/a", "GET")[0]
    assert (first.method, first.path, first.query, first.headers["x-test"]) == ("GET", "/a", {"b": "c"}, "yes")
    assert len(server.asked("/a")) == 2
    server.forget()
    assert server.requests == []


def test_a_mistake_of_ours_is_kept_and_answered(server: _Echo, http: requests.Session) -> None:
    assert http.get(f"{server.origin}/broken").status_code == 500
    assert "a mistake of the simulator" in server.errors[0]


def test_it_comes_back_on_the_same_port(server: _Echo, http: requests.Session) -> None:
    server.stop()
    with pytest.raises(requests.ConnectionError):
        http.get(server.origin)
    server.start()
    assert http.get(server.origin).ok


def test_stopping_twice_is_harmless(server: _Echo) -> None:
    server.stop()
    server.stop()


def test_a_fault_ends_after_its_times_or_by_healing(server: _Echo, http: requests.Session) -> None:
    server.fault(faults.answer(502, "bad gateway"), times=1)
    assert [http.get(server.origin).status_code for _ in range(2)] == [502, 200]
    server.fault(faults.rate_limited(7))
    assert http.get(server.origin).headers["Retry-After"] == "7"
    server.heal()
    assert http.get(server.origin).ok


@pytest.mark.parametrize(("seconds", "header"), [(60, "60"), (None, None)])
def test_a_secondary_limit_may_hide_how_long_it_lasts(
    server: _Echo, http: requests.Session, seconds: int | None, header: str | None
) -> None:
    server.fault(faults.secondary_limit(seconds))
    answer = http.get(server.origin)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (403, header)
    assert "secondary rate limit" in answer.json()["message"]


def test_a_drip_ends_when_the_server_heals(server: _Echo) -> None:
    server.fault(faults.drip(60))
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(100) == b"H"
        server.heal()
        assert client.recv(100) == b""


def test_a_fault_may_concern_some_paths_and_methods_only(server: _Echo, http: requests.Session) -> None:
    server.fault(faults.html(), path="/a/*", method="GET")
    assert "Sign in" in http.get(f"{server.origin}/a/b").text
    assert http.post(f"{server.origin}/a/b").json()
    assert http.get(f"{server.origin}/b").json()


def test_redirects_lead_where_they_are_told(server: _Echo, http: requests.Session) -> None:
    server.fault(faults.redirect("http://elsewhere.example/"))
    answer = http.get(server.origin, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://elsewhere.example/")


@pytest.mark.parametrize("fault", [faults.drop(), faults.reset()])
def test_connections_end_without_an_answer(server: _Echo, http: requests.Session, fault: faults.Fault) -> None:
    server.fault(fault)
    with pytest.raises(requests.ConnectionError):
        http.get(server.origin)
    assert server.calls == 0


def test_accepting_and_closing_has_its_effect(server: _Echo, http: requests.Session) -> None:
    server.fault(faults.accept_then_close())
    with pytest.raises(requests.ConnectionError):
        http.get(server.origin)
    assert server.calls == 1


@pytest.mark.parametrize(("fault", "calls"), [(faults.hang(), 0), (faults.accept_then_hang(), 1)])
def test_hanging_ends_with_the_patience_of_the_client(
    server: _Echo, http: requests.Session, fault: faults.Fault, calls: int
) -> None:
    server.fault(fault)
    with pytest.raises(requests.ReadTimeout):
        http.get(server.origin, timeout=0.2)
    assert server.calls == calls


def test_a_drip_outlives_any_timeout_of_a_single_read(server: _Echo, http: requests.Session) -> None:
    server.fault(faults.drip(0.01, size=20))
    began = time.monotonic()
    assert http.get(f"{server.origin}/x", timeout=0.5).json()["segments"] == ["x"]
    assert time.monotonic() - began > 0.05


def test_a_delay_answers_rightly_but_late(server: _Echo, http: requests.Session) -> None:
    server.fault(faults.delay(0.05))
    assert http.get(server.origin).json()


def test_a_cut_body_breaks_its_promise_when_it_was_announced(server: _Echo, http: requests.Session) -> None:
    server.fault(faults.cut(5))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        http.get(server.origin)


def test_a_cut_body_looks_whole_when_nothing_was_announced(server: _Echo, http: requests.Session) -> None:
    server.fault(faults.cut(5, announced=False))
    answer = http.get(server.origin)
    assert (answer.status_code, answer.text) == (200, '{"seg')


def test_a_gzip_bomb_is_small_on_the_wire(server: _Echo, http: requests.Session) -> None:
    server.fault(faults.gzip_bomb(3 << 20))
    answer = http.get(server.origin, stream=True)
    packed = answer.raw.read(decode_content=False)
    assert len(packed) < 1 << 16
    assert len(gzip.decompress(packed)) >= 3 << 20


def test_a_body_may_be_replaced(server: _Echo, http: requests.Session) -> None:
    server.fault(faults.replace_body(b'{"a": NaN'))
    assert http.get(server.origin).text == '{"a": NaN'


def test_stopping_lets_go_of_who_hangs(server: _Echo) -> None:
    server.fault(faults.hang())
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while not server.requests:
            time.sleep(0.005)
        server.stop()
        assert client.recv(10) == b""


def test_it_speaks_tls_when_asked_to(http: requests.Session, tmp_path: str) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with _Echo(tls=context) as server, authority.cert_pem.tempfile(dir=str(tmp_path)) as trusted:
        assert http.get(server.origin, verify=trusted).ok
        with pytest.raises(requests.exceptions.SSLError):
            http.get(server.origin)


def test_the_date_header_follows_the_clock_of_the_world(http: requests.Session, clock: object) -> None:
    with _Echo(now=clock) as server:  # type: ignore[arg-type]
        assert http.get(server.origin).headers["Date"] == "Sat, 21 Nov 2026 10:00:00 GMT"


def test_a_base_server_answers_nothing(http: requests.Session) -> None:
    with Server() as server:
        assert http.get(server.origin).status_code == 500


def test_pages_for_people_carry_their_type() -> None:
    assert html_answer("x", status=503).headers["Content-Type"].startswith("text/html")
