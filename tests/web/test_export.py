"""Builds and figures as files."""

import asyncio
import csv
import io
import tracemalloc
from collections.abc import Callable, Coroutine, MutableMapping
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from domain.build import Outcome
from providers._base import Page
from store import browsing
from store.browsing import Place, Wanted
from store.engine import Database, Session
from tests.support.builders import NOON, build, pipeline
from tests.support.builders import builds as series
from tests.support.shapes import checked
from tests.support.site import Premises, site_over
from web.api import export
from web.api.export import BUILD_COLUMNS, METRIC_COLUMNS, harmless
from web.app import make_app
from web.site import Site


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def happened(site: Site) -> None:
    odd = pipeline("=cmd|'/c calc'!A0", labels={"cloud": "-1+1"})
    some = [
        build(1, Outcome.FAILURE, pipeline=odd, branch="+main", title="@sum\nnext", bucket="\ttab", actor="-ada"),
        build(2, pipeline=odd, measurements={"=x": -1.5}),
    ]
    site.ingest(Page(builds=some), "ci")


def test_builds_are_a_table(client: TestClient, site: Site) -> None:
    site.ingest(Page(builds=series("PFR")), "ci")
    response = checked(client, "/api/export/builds.csv")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="builds.csv"'
    found = rows(response.text)
    assert tuple(found[0]) == BUILD_COLUMNS
    assert [(each["number"], each["status"], each["verdict"]) for each in found] == [
        ("3", "running", ""),
        ("2", "finished", "failed"),
        ("1", "finished", "passed"),
    ]
    assert found[1]["duration_seconds"] == "300.0"
    assert found[1]["is_fork"] == "false"


def test_no_cell_is_a_formula(client: TestClient, site: Site) -> None:
    happened(site)
    for path in ("builds.csv", "metrics.csv"):
        table = list(csv.reader(io.StringIO(client.get(f"/api/export/{path}").text)))
        for row in table[1:]:
            for cell in row:
                assert not cell or cell[0] not in export.FORMULA or float(cell) <= 0
    passed, failed = rows(client.get("/api/export/builds.csv").text)
    assert passed["pipeline"] == "'=cmd|'/c calc'!A0"
    assert failed["branch"] == "'+main"
    assert failed["labels"] == "cloud=-1+1"


@pytest.mark.parametrize("sign", sorted(export.FORMULA))
def test_text_that_begins_like_a_formula_is_shown(sign: str) -> None:
    assert harmless(f"{sign}1") == f"'{sign}1"
    assert harmless(f"1{sign}") == f"1{sign}"


def test_numbers_stay_numbers() -> None:
    assert [harmless(each) for each in (-1, -0.5, 0, None, "", True, False)] == [-1, -0.5, 0, None, "", "true", "false"]


def test_builds_are_json_like_those_of_the_api(client: TestClient, site: Site) -> None:
    happened(site)
    assert checked(client, "/api/export/builds.json").json() == client.get("/api/builds").json()["builds"]
    assert client.get("/api/export/builds.json?verdict=neutral").json() == []


def test_figures_are_a_table(client: TestClient, site: Site) -> None:
    happened(site)
    found = rows(checked(client, "/api/export/metrics.csv").text)
    assert tuple(found[0]) == METRIC_COLUMNS
    assert [(each["number"], each["metric"], each["value"]) for each in found] == [
        ("2", "duration_seconds", "300.0"),
        ("2", "'=x", "-1.5"),
        ("1", "duration_seconds", "300.0"),
    ]
    only = rows(client.get("/api/export/metrics.csv?metric_name=%3Dx").text)
    assert [each["value"] for each in only] == ["-1.5"]


def test_all_pages_are_in_the_file(client: TestClient, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE", 2)
    site.ingest(Page(builds=series("PFPFPFRA")), "ci")
    numbers = ["7", "8", "6", "5", "4", "3", "2", "1"]
    assert [each["number"] for each in rows(client.get("/api/export/builds.csv").text)] == numbers
    assert [str(each["number"]) for each in client.get("/api/export/builds.json").json()] == numbers
    failed = rows(client.get("/api/export/builds.csv?verdict=failed&branch=main").text)
    assert [each["number"] for each in failed] == ["6", "4", "2"]


def test_a_wrong_filter_is_a_problem_and_no_file(client: TestClient) -> None:
    answer = checked(client, "/api/export/builds.csv?since=nonsense", status=422).json()
    assert [each["field"] for each in answer["errors"]] == ["query.since"]


class Caller:
    """Who reads a file chunk by chunk over ASGI, and leaves after so many."""

    def __init__(self, app: FastAPI, *, leaves_after: int | None = None) -> None:
        self._app = app
        self._leaves_after = leaves_after
        self._left = asyncio.Event()
        self.sizes: list[int] = []
        self.rows = 0

    def read(self, path: str) -> None:
        """The whole file, or a part of it."""
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "headers": [(b"host", b"127.0.0.1:8080")], "client": ("127.0.0.1", 9), "server": ("127.0.0.1", 8080),
        }  # fmt: skip
        asyncio.run(self._app(scope, self._receive(), self._send))

    def _receive(self) -> Callable[[], Coroutine[Any, Any, dict[str, Any]]]:
        first = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> dict[str, Any]:
            for message in first:
                return message
            await self._left.wait()
            return {"type": "http.disconnect"}

        return receive

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] != "http.response.body":
            assert message["status"] == 200
            return
        if message["body"]:
            self.sizes.append(len(message["body"]))
            self.rows += message["body"].count(b"\n")
        if not message.get("more_body") or len(self.sizes) == self._leaves_after:
            self._left.set()
            await asyncio.sleep(0.05)  # who has left is seen with the next turn


def endless(monkeypatch: pytest.MonkeyPatch, pages: int) -> list[int]:
    """The builds of the first page come again and again, so many times; what is returned counts the pages."""
    asked: list[int] = []
    first: list[browsing.Page] = []
    real = browsing.page

    def page(session: Session, wanted: Wanted, *, limit: int, after: Place | None = None) -> browsing.Page:
        del after
        if not asked:
            first.append(real(session, wanted, limit=limit))
        asked.append(limit)
        return first[0]._replace(next=Place(1, 1) if len(asked) < pages else None)

    monkeypatch.setattr(browsing, "page", page)
    return asked


@pytest.mark.parametrize("name", ["builds.csv", "builds.json", "metrics.csv"])
def test_fifty_thousand_rows_need_no_more_memory_than_some(
    sqlite_database: Database, given: Premises, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    site = site_over(sqlite_database, given)
    site.ingest(Page(builds=[build(number) for number in range(1, 1001)]), "ci")
    app = make_app(site)
    Caller(app).read(f"/api/export/{name}")  # what is loaded once
    peaks = []
    for pages in (2, 50):
        with monkeypatch.context() as patch:
            asked = endless(patch, pages)
            caller = Caller(app)
            tracemalloc.start()
            caller.read(f"/api/export/{name}")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert len(asked) == pages
            assert caller.rows >= pages * 1000
            assert max(caller.sizes) < 2_000_000
    assert peaks[1] < 1.25 * peaks[0], peaks


def test_who_goes_away_is_not_read_for_any_longer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.ingest(Page(builds=series("PF")), "ci")
    asked = endless(monkeypatch, 10_000)
    caller = Caller(make_app(site), leaves_after=3)
    caller.read("/api/export/builds.csv")
    assert len(caller.sizes) <= 5
    assert len(asked) <= 6


def test_only_the_headers_of_a_file_are_asked_for(client: TestClient, site: Site) -> None:
    site.ingest(Page(builds=series("PF")), "ci")
    answer = client.head("/api/export/builds.csv")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-disposition"] == 'attachment; filename="builds.csv"'


def test_a_file_has_what_was_stored_when_it_began_each_build_once(
    client: TestClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PAGE", 2)
    site.ingest(Page(builds=series("PFPFPPR")), "ci")
    lines = export.pages(site, Wanted())
    first = [each["number"] for each in next(lines)]
    # #7 ends, and #8 comes in: it ended before all that is still to be read.
    site.ingest(Page(builds=[build(7, finished_at=NOON), build(8, started_at=NOON - timedelta(days=2))]), "ci")
    rest = [each["number"] for page in lines for each in page]
    assert first == [7, 6]
    assert rest == [5, 4, 3, 2, 1]
    assert {each["number"] for each in client.get("/api/builds").json()["builds"]} == set(range(1, 9))


def test_names_of_all_languages_are_utf_8(client: TestClient, site: Site) -> None:
    site.ingest(Page(builds=[build(1, branch="日本語", title="Ünïcode 🔴")]), "ci")
    answer = client.get("/api/export/builds.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    [found] = rows(answer.content.decode())
    assert (found["branch"], found["title"]) == ("日本語", "Ünïcode 🔴")


def test_who_wants_another_format_is_told(client: TestClient) -> None:
    answer = checked(client, "/api/export/builds.csv", status=406, headers={"Accept": "application/json"}).json()
    assert [each["field"] for each in answer["errors"]] == ["header.accept"]
