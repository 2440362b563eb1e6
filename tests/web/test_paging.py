"""Every list has pages, whatever comes in meanwhile; every answer to GET has a tag, and is there for HEAD."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.alert import Scope
from domain.build import Outcome
from providers._base import Page
from store import alerts, builds, tests
from store.engine import Session
from tests.support.builders import NOON, alert, build, pipeline
from tests.support.reports import report
from tests.support.shapes import checked
from web.site import Silencing, Site

HOUR = timedelta(hours=1)
NAMES = "abcde"


def happened(site: Site) -> None:
    """Five pipelines, each of a release, module and cloud of its own, each with an alert, a silence and tests."""
    some = []
    for place, name in enumerate(NAMES):
        its = pipeline(f"x/{name}", labels={"release": name, "module": name, "cloud": name})
        ended = Outcome.FAILURE if place % 2 else Outcome.SUCCESS
        some.append(build(place + 1, ended, pipeline=its, started_at=NOON - (9 - place) * HOUR, bucket=f"cause {name}"))
    site.ingest(Page(builds=some), "ci")

    def more(session: Session) -> None:
        for identity in builds.get(session, range(1, 6)):
            tests.record(session, identity, report("PF"))
        for name in NAMES[::2]:  # the others have failed
            alerts.save(session, alert(scope=Scope(provider="ci", pipeline=f"x/{name}", branch="other")))

    site.database.transact(more)
    for name in NAMES:
        site.silence(Silencing(reason=name, by="ada", pipeline=name, until_fixed=True))


LISTS = {
    "/api/runs": "pipeline",
    "/builds": "pipeline",
    "/api/executions": "script_path",
    "/api/scripts": "path",
    "/api/releases": "release",
    "/api/modules": "module",
    "/api/jobs": "job",
    "/api/labels/cloud?window=24h": "value",
    "/api/pipelines": "pipeline",
    "/api/builds": "pipeline",
    "/api/alerts?kind=failure": "pipeline",
    "/api/silences": "reason",
    "/api/tests": "pipeline",
}


def items(answer: Any) -> list[dict[str, Any]]:
    """The array, or the one that the object has."""
    found: list[dict[str, Any]] = (
        answer if isinstance(answer, list) else next(each for each in answer.values() if isinstance(each, list))
    )
    return found


def walk(client: TestClient, path: str, key: str, between: Any = lambda: None) -> list[list[str]]:
    """Page by page, as the header `Link` says."""
    pages = []
    following: str | None = path + ("&" if "?" in path else "?") + "limit=2"
    while following is not None:
        answer = checked(client, following)
        pages.append([each[key].rpartition("/")[2] for each in items(answer.json())])
        following = answer.links["next"]["url"] if "next" in answer.links else None
        if following is not None and isinstance(answer.json(), dict):
            assert f"cursor={answer.json()['next']}" in following
        between()
    return pages


def test_every_list_has_pages(client: TestClient, site: Site) -> None:
    happened(site)
    for path, key in LISTS.items():
        pages = walk(client, path, key)
        assert [len(each) for each in pages] == [2, 2, 1], path
        assert sorted(name for page in pages for name in page) == list(NAMES), path
        whole = items(checked(client, path).json())
        assert [each[key].rpartition("/")[2] for each in whole] == [name for page in pages for name in page], path


def test_what_comes_in_meanwhile_moves_no_page(client: TestClient, site: Site) -> None:
    happened(site)
    numbers = iter(range(100, 1000))

    def comes_in() -> None:
        its = pipeline("x/a", labels={"release": "a", "module": "a", "cloud": "a"})
        site.ingest(Page(builds=[build(next(numbers), pipeline=its, started_at=NOON - HOUR)]), "ci")

    for path, key in LISTS.items():
        before = walk(client, path, key)
        assert walk(client, path, key, comes_in) == before, path


def test_a_cursor_or_a_limit_that_is_none_is_named(client: TestClient) -> None:
    wrong = [("cursor", each) for each in ("!", "x" * 9000, "AAAA", "", "W10", "7e3", "-1", "%00")]
    wrong += [("limit", each) for each in ("0", "1001", "-1", "ten", "1.5", "")]
    for path in LISTS:
        for name, value in wrong:
            answer = checked(client, f"{path}{'&' if '?' in path else '?'}{name}={value}", status=422).json()
            assert [each["field"] for each in answer["errors"]] == [f"query.{name}"], (path, value)


def test_causes_are_cut_and_counted(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/buckets?limit=1").json()
    assert (len(answer["buckets"]), answer["more"]) == (1, 1)


def readable(client: TestClient) -> list[str]:
    """An address for each operation that is asked with GET and answers with more than a page."""
    document = client.get("/openapi.json").json()
    given = {"{identity}": "1", "{name}": "duration_seconds", "{label}": "cloud", "{release}": "a", "{pipeline}": "a"}
    query = {
        "/builds/latest": "?pipeline=a",
        "/api/tests/history": "?test=*",
        "/api/analysis/trend": "?script_path=a",
        "/api/analysis/baseline": "?script_path=a",
    }
    found = []
    for path, methods in document["paths"].items():
        tags = methods.get("get", {}).get("tags", ["dashboard"])
        if not {"dashboard", "access"} & set(tags):
            told = path
            for name, value in given.items():
                told = told.replace(name, value)
            found.append(told + query.get(path, ""))
    return [*found, "/openapi.json", "/docs"]


def test_every_answer_to_get_can_be_revalidated_and_asked_for_with_head(client: TestClient, site: Site) -> None:
    happened(site)
    paths = readable(client)
    assert len(paths) > 40
    for path in paths:
        whole, head = client.get(path), client.head(path)
        assert whole.status_code == 200, (path, whole.text)
        assert (head.status_code, head.content) == (200, b""), path
        assert head.headers["content-type"] == whole.headers["content-type"], path
        if path.startswith("/api/export/") or path == "/metrics":
            assert whole.headers["cache-control"] == "no-store", path
            continue
        again = client.get(path, headers={"If-None-Match": whole.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", whole.headers["etag"]), path
        assert client.head(path, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304, path


def test_who_accepts_nothing_that_we_have_is_told_so(client: TestClient) -> None:
    for path in ("/api/runs", "/api/builds", "/health", "/api/alerts", "/api/jobs", "/api/export/builds.json"):
        answer = checked(client, path, status=406, headers={"Accept": "application/xml, text/csv;q=0.5"}).json()
        assert [each["field"] for each in answer["errors"]] == ["header.accept"]
    for accepted in ("*/*", "application/*", "text/html, application/json;q=0.1", "", "nonsense;;, */*;q=0.1"):
        assert client.get("/api/runs", headers={"Accept": accepted}).status_code == 200, accepted
    assert client.get("/api/runs", headers={"Accept": "application/json;q=0"}).status_code == 406


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/runs"), ("DELETE", "/api/jobs"), ("PUT", "/health")])
def test_a_method_that_an_address_does_not_take_is_a_problem(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", None])
def test_a_body_that_is_not_sent_as_json_is_a_problem(client: TestClient, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    for path in ("/api/events/run", "/ingest/github", "/ingest/json", "/api/silences"):
        answer = checked(client, path, method="POST", content=b'{"pipeline": "x"}', headers=headers, status=415).json()
        assert [each["field"] for each in answer["errors"]] == ["header.content-type"]
