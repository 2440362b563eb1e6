"""Files that GitHub redirects to: another host, no credentials, and never more than was asked for."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from domain.build import Build
from domain.details import Artifact
from providers._base import ProviderError, Refused, Trouble, Unavailable, Wanted
from providers._github.auth import FixedToken
from providers._github.client import Client
from providers._github.quota import Quota
from providers._github.storage import Missing, Storage
from providers._http import BYTE_CAP, Http
from simulator import faults
from simulator.server import Exchange
from tests.support.github_scene import Scene

API = "https://api.github.com"
BLOB = "https://results.blob.core.windows.net/logs.txt?sig=s3cret"
STORED = "/actions-results/*"


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as found:
        yield found


def storage(api: str = API, public: Http | None = None) -> Storage:
    http = Http(pause=lambda _: None)
    client = Client(http, api, FixedToken("ghp_s3cret"), Quota(limited=True))
    return Storage(client, http, public, time.monotonic() + 30)


def moved(mock: responses.RequestsMock, to: str, *, at: str = f"{API}/log", status: int = 302) -> None:
    mock.get(at, status=status, headers={"Location": to})


def troubled(storage: Storage) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        storage.tail("/log", 100)
    assert "s3cret" not in str(caught.value)
    return caught.value


def test_the_link_is_followed_without_credentials(mock: responses.RequestsMock) -> None:
    moved(mock, BLOB)
    mock.get(BLOB, body=b"failed\n")
    assert storage().tail("/log", 100).body == b"failed\n"
    api, blob = (call.request for call in mock.calls)
    assert api.headers["Authorization"] == "Bearer ghp_s3cret"
    assert "Authorization" not in blob.headers
    assert (blob.headers["Range"], blob.headers["Accept-Encoding"]) == ("bytes=-100", "identity")


def test_a_storage_may_redirect_again(mock: responses.RequestsMock) -> None:
    moved(mock, "https://pipelines.actions.githubusercontent.com/signed/4")
    moved(mock, BLOB, at="https://pipelines.actions.githubusercontent.com/signed/4")
    mock.get(BLOB, body=b"failed\n")
    assert storage().tail("/log", 100).body == b"failed\n"
    assert all("Authorization" not in call.request.headers for call in list(mock.calls)[1:])


def test_a_storage_on_the_server_itself_gets_no_credentials_either(mock: responses.RequestsMock) -> None:
    api = "https://github.example.com/api/v3"
    moved(mock, "/_services/pipelines/signedlogcontent/4", at=f"{api}/log")
    mock.get("https://github.example.com/_services/pipelines/signedlogcontent/4", body=b"failed\n")
    assert storage(api).tail("/log", 100).body == b"failed\n"
    assert "Authorization" not in mock.calls[1].request.headers


def test_a_renamed_repository_is_followed_with_credentials(mock: responses.RequestsMock) -> None:
    moved(mock, f"{API}/repositories/1/log", status=301)
    moved(mock, BLOB, at=f"{API}/repositories/1/log")
    mock.get(BLOB, body=b"failed\n")
    assert storage().tail("/log", 100).body == b"failed\n"
    assert mock.calls[1].request.headers["Authorization"] == "Bearer ghp_s3cret"


@pytest.mark.parametrize("status", [301, 303, 307, 308])
def test_any_redirect_that_leaves_the_server_leads_to_the_storage(mock: responses.RequestsMock, status: int) -> None:
    moved(mock, BLOB, status=status)
    mock.get(BLOB, body=b"failed\n")
    assert storage().tail("/log", 100).body == b"failed\n"
    assert "Authorization" not in mock.calls[1].request.headers


def test_a_server_that_answers_itself_is_taken_at_its_word(mock: responses.RequestsMock) -> None:
    mock.get(f"{API}/log", body=b"one\ntwo\n")
    assert storage().tail("/log", 4).body == b"two\n"
    assert not storage().tail("/log", 4).whole
    assert storage().tail("/log", 8).whole


@pytest.mark.parametrize(
    "target",
    [
        "http://results.blob.core.windows.net/logs.txt",
        "ftp://results.blob.core.windows.net/logs.txt",
        "file:///etc/passwd",
        "http://127.0.0.1/logs.txt",
        "https://ada:s3cret@results.example/logs.txt",
        "https://[",
        "",
        "http://api.github.com/logs.txt",
    ],
)
def test_a_redirect_that_is_no_https_url_is_not_followed(mock: responses.RequestsMock, target: str) -> None:
    moved(mock, target)
    error = troubled(storage())
    assert error.trouble is Trouble.REDIRECT
    assert len(mock.calls) == 1


def test_a_server_without_https_may_keep_its_files_on_its_own_host(mock: responses.RequestsMock) -> None:
    moved(mock, "http://github.example.com:9000/logs.txt", at="http://github.example.com/log")
    mock.get("http://github.example.com:9000/logs.txt", body=b"failed\n")
    assert storage("http://github.example.com").tail("/log", 100).body == b"failed\n"
    moved(mock, "http://elsewhere.example.com/logs.txt", at="http://git.example.com/log")
    assert troubled(storage("http://git.example.com")).trouble is Trouble.REDIRECT


def test_a_storage_that_redirects_for_ever_is_left(mock: responses.RequestsMock) -> None:
    moved(mock, BLOB)
    moved(mock, BLOB, at=BLOB)
    assert troubled(storage()).trouble is Trouble.REDIRECT


def test_a_link_that_is_too_old_is_asked_for_once_more(mock: responses.RequestsMock) -> None:
    moved(mock, BLOB)
    mock.get(BLOB, status=403)
    mock.get(BLOB, body=b"failed\n")
    assert storage().tail("/log", 100).body == b"failed\n"
    assert len(mock.calls) == 4


@pytest.mark.parametrize(("status", "trouble"), [(403, Trouble.AUTH), (500, Trouble.SERVER_ERROR)])
def test_a_storage_that_stays_in_trouble_is_asked_twice(
    mock: responses.RequestsMock, status: int, trouble: Trouble
) -> None:
    moved(mock, BLOB)
    mock.get(BLOB, status=status)
    assert troubled(storage()).trouble is trouble
    assert len(mock.calls) == 4


def test_a_busy_storage_says_nothing_about_the_limits_of_github(mock: responses.RequestsMock) -> None:
    moved(mock, BLOB)
    mock.get(BLOB, status=429, headers={"Retry-After": "7"})
    error = troubled(storage())
    assert isinstance(error, Unavailable)
    assert (str(error), error.retry_after, error.provider_wide) == ("its storage is busy (429)", 7.0, False)


@pytest.mark.parametrize(("status", "kind"), [(404, Missing), (410, Refused)])
def test_a_file_that_is_gone_is_gone(mock: responses.RequestsMock, status: int, kind: type[Refused]) -> None:
    moved(mock, BLOB)
    mock.get(BLOB, status=status)
    error = troubled(storage())
    assert (type(error), error.trouble, str(error)) == (kind, Trouble.NOT_FOUND, f"gone ({status})")
    assert len(mock.calls) == 2


def test_a_public_storage_of_a_server_with_an_authority_of_its_own_is_trusted_too(
    mock: responses.RequestsMock, tmp_path: Path
) -> None:
    bundle = tmp_path / "own.pem"
    bundle.touch()
    seen: list[Any] = []

    def answer(sent: Any) -> tuple[int, dict[str, str], bytes]:
        seen.append(sent.req_kwargs["verify"])
        if sent.req_kwargs["verify"] is not True:
            raise requests.exceptions.SSLError(_unverified())
        return 200, {}, b"failed\n"

    http = Http(ca_file=bundle, pause=lambda _: None)
    client = Client(http, API, FixedToken(None), Quota(limited=True))
    moved(mock, BLOB)
    mock.add_callback("GET", BLOB, callback=answer)
    found = Storage(client, http, Http(), time.monotonic() + 30).tail("/log", 100)
    assert found.body == b"failed\n"
    assert seen == [str(bundle), True]
    with pytest.raises(Refused) as caught:
        Storage(client, http, None, time.monotonic() + 30).tail("/log", 100)
    assert caught.value.trouble is Trouble.TLS


def _unverified() -> Exception:
    import ssl  # noqa: PLC0415

    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_message = "unable to get local issuer certificate"
    return error


# ---- over real sockets


def built(scene: Scene, log: bytes = b"failed\n") -> Build:
    return scene.build(scene.run("failure", scene.job(log=log)))


def stored(scene: Scene, fault: Callable[[Exchange], bool]) -> tuple[str, ...]:
    """The notes when the storage behaves like this."""
    build = built(scene)
    scene.server.storage.fault(fault, path=STORED)
    return scene.github.details(build, Wanted(log_bytes=1000)).notes


def test_azure_is_asked_for_a_part_when_it_tells_the_size(scene: Scene) -> None:
    scene.server.storage.ranges = "azure"
    build = built(scene, b"0123456789" * 1000)
    scene.github.details(build, Wanted(log_bytes=100))
    assert [each.headers["range"] for each in scene.server.storage.requests] == ["bytes=-100", "bytes=9900-9999"]


def test_a_file_that_is_not_much_too_long_is_read_through(scene: Scene) -> None:
    build = built(scene, b"0123456789" * 40)
    (log,) = scene.github.details(build, Wanted(log_bytes=100)).logs
    assert log.text == "0123456789" * 10
    assert len(scene.server.storage.requests) == 1


def test_an_endless_log_is_read_to_a_bound_and_said_to_be_cut(scene: Scene) -> None:
    sent = 0

    def endless(exchange: Exchange) -> bool:
        nonlocal sent
        exchange.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        piece = b"line after line\n" * 4096
        while not exchange.released.is_set():
            try:
                exchange.write(piece)
            except OSError:
                break
            sent += len(piece)
        return False

    build = built(scene)
    scene.server.storage.fault(endless, path=STORED)
    found = scene.github.details(build, Wanted(log_bytes=1000))
    assert [log.whole for log in found.logs] == [False]
    assert found.notes == ("log of test: very long, and its storage gives no parts: the end is missing",)
    assert sent < BYTE_CAP + (16 << 20)


def test_a_storage_that_breaks_off_is_asked_again_and_then_noted(scene: Scene) -> None:
    (note,) = stored(scene, faults.reset())
    assert re.match(r"log of test: http://127\.0\.0\.1:\d+/actions-results/\w+/logs\.txt: connection reset", note)
    assert len(scene.server.storage.requests) == 2


def test_a_storage_that_is_full_of_html_is_noted_by_its_status(scene: Scene) -> None:
    (note,) = stored(scene, faults.html(503))
    assert note.endswith("answered 503")


def test_broken_compression_is_noted(scene: Scene) -> None:
    (note,) = stored(scene, faults.answer(200, "no gzip", {"Content-Encoding": "gzip"}))
    assert note.endswith("answered with broken gzip data")


def test_a_part_that_is_longer_than_asked_for_is_cut(scene: Scene) -> None:
    build = built(scene)
    scene.server.storage.fault(faults.answer(206, "x" * 5000, {"Content-Range": "bytes 5000-9999/10000"}), path=STORED)
    (log,) = scene.github.details(build, Wanted(log_bytes=1000)).logs
    assert (len(log.text), log.whole) == (1000, False)


def test_nothing_to_cut_is_an_empty_file(scene: Scene) -> None:
    assert stored(scene, faults.answer(416)) == ()


def test_an_archive_is_refused_by_its_size_before_it_is_read(scene: Scene) -> None:
    run = scene.run()
    run.artifact("junit", b"x" * 5000)
    build = scene.build(run)
    (artifact,) = scene.github.artifacts(build)
    assert scene.github.read_artifact(build, artifact, 5000) == b"x" * 5000
    with pytest.raises(Refused, match="larger than 4999 bytes") as caught:
        scene.github.read_artifact(build, artifact, 4999)
    assert caught.value.trouble is Trouble.TOO_LARGE


def test_an_archive_of_unknown_size_is_refused_while_it_is_read(scene: Scene) -> None:
    run = scene.run()
    run.artifact("junit", b"x")
    build = scene.build(run)
    (artifact,) = scene.github.artifacts(build)
    scene.server.storage.fault(faults.gzip_bomb(1 << 30), path=STORED)
    with pytest.raises(Refused) as caught:
        scene.github.read_artifact(build, artifact, 4 << 20)
    assert caught.value.trouble is Trouble.TOO_LARGE


def test_an_archive_that_the_server_answers_itself_is_bounded(mock: responses.RequestsMock) -> None:
    mock.get(f"{API}/zip", body=b"x" * 100)
    assert storage().whole("/zip", 100) == b"x" * 100
    with pytest.raises(Refused, match="larger than 99 bytes"):
        storage().whole("/zip", 99)


def test_an_archive_that_breaks_off_may_come_later(scene: Scene) -> None:
    run = scene.run()
    run.artifact("junit", b"x" * 5000)
    build = scene.build(run)
    (artifact,) = scene.github.artifacts(build)
    scene.server.storage.fault(faults.cut(1000), path=STORED)
    with pytest.raises(Unavailable):
        scene.github.read_artifact(build, artifact, 5000)


def test_an_artifact_of_somebody_else_is_not_found(scene: Scene) -> None:
    build = built(scene)
    for key in ("target/junit.xml", "../../../user", "7"):
        with pytest.raises(Refused) as caught:
            scene.github.read_artifact(build, Artifact(name="junit", key=key), 100)
        assert caught.value.trouble is Trouble.NOT_FOUND


def test_the_simulated_storage_gives_parts_like_azure(scene: Scene) -> None:
    link = scene.server.storage.link(b"0123456789")

    def part(wanted: str) -> tuple[int, bytes]:
        found = requests.get(link, headers={"Range": wanted}, timeout=5)
        return found.status_code, found.content

    assert part("bytes=2-4") == (206, b"234")
    assert part("bytes=8-") == (206, b"89")
    assert part("bytes=8-99") == (206, b"89")
    assert part("bytes=-3") == (200, b"0123456789")
    assert part("bytes=10-")[0] == 416
    scene.server.storage.ranges = "full"
    assert part("bytes=-3") == (206, b"789")
    assert part("bytes=-") == (200, b"0123456789")
    assert requests.get(link.partition("?")[0], timeout=5).status_code == 403
