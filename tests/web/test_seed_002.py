"""What a client of seed 002 reads: the requests as its document prints them."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.build import Outcome
from providers._base import Page
from tests.support.builders import NOON, build, pipeline
from tests.support.shapes import checked
from web.site import Site

PRINTED = {
    "window_minutes": 1440,
    "total": 22,
    "success": 17,
    "failure": 5,
    "success_rate": 0.7727,
    "avg_duration_sec": 95.3,
    "last_status": "failure",
    "last_finished_at": "2025-08-25T20:28:10Z",
    "per_pipeline": [
        {
            "pipeline": "web",
            "total": 10,
            "success": 8,
            "failure": 2,
            "success_rate": 0.8,
            "avg_duration_sec": 81.2,
            "last_status": "success",
            "last_finished_at": "2025-08-25T20:20:00Z",
        }
    ],
}
RUN = {
    "id": 123,
    "pipeline": "web",
    "status": "success",
    "started_at": "2025-08-25T20:28:03Z",
    "finished_at": "2025-08-25T20:28:10Z",
    "duration_sec": 7.0,
    "branch": "main",
    "commit": "5184f9",
    "triggered_by": "octocat",
}


def happened(site: Site) -> None:
    """Ten builds of `web` of which two failed, twelve of `api` of which three failed; the last one of all failed."""
    web, api = pipeline("web"), pipeline("api")
    some = []
    for number in range(1, 11):
        ended = Outcome.FAILURE if number in {3, 4} else Outcome.SUCCESS
        some.append(built(number, ended, web, 81.2))
    for number in range(1, 13):
        ended = Outcome.FAILURE if number in {1, 2, 12} else Outcome.SUCCESS
        some.append(built(number, ended, api, 107.05))
    site.ingest(Page(builds=some), "ci")


def built(number: int, ended: Outcome, its: Any, seconds: float) -> Any:
    began = NOON - timedelta(hours=12) + number * timedelta(minutes=10)
    return build(number, ended, pipeline=its, started_at=began, finished_at=began + timedelta(seconds=seconds))


def same_types(given: Any, printed: Any) -> None:
    """The same keys, and values of the same types."""
    if isinstance(printed, dict):
        assert given.keys() == printed.keys()
        for key, value in printed.items():
            same_types(given[key], value)
    elif isinstance(printed, list):
        for each in given:
            same_types(each, printed[0])
    else:
        assert isinstance(given, type(printed)), (given, printed)


def test_health_says_that_it_works_and_the_time(client: TestClient) -> None:
    answer = checked(client, "/health").json()
    assert answer["ok"] is True
    assert answer["time"] == "2026-11-20T12:00:00.000Z"
    assert (answer["providers"], answer["outbox"]["dead"], answer["last_poll"]) == ([], 0, None)


def test_the_summary_is_that_of_the_document(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/metrics/summary?minutes=1440").json()
    same_types(answer, PRINTED)
    last = answer["last_finished_at"]
    assert last == "2026-11-20T02:01:47.050Z"
    assert answer == {
        **PRINTED,
        "avg_duration_sec": pytest.approx(95.3, abs=0.05),
        "last_finished_at": last,
        "per_pipeline": answer["per_pipeline"],
    }
    api, web = answer["per_pipeline"]
    assert api["pipeline"] == "api"
    assert (api["total"], api["success"], api["failure"], api["success_rate"]) == (12, 9, 3, 0.75)
    assert api["last_status"] == "failure"
    assert web == {**PRINTED["per_pipeline"][0], "last_finished_at": "2026-11-20T01:41:21.200Z"}  # type: ignore[index]


def test_only_the_asked_for_minutes_count(client: TestClient, site: Site) -> None:
    happened(site)
    answer = client.get("/api/metrics/summary?minutes=600").json()
    assert (answer["window_minutes"], answer["total"]) == (600, 1)


def test_without_runs_there_is_a_summary_too(client: TestClient) -> None:
    answer = checked(client, "/api/metrics/summary?minutes=1440").json()
    assert (answer["total"], answer["success_rate"], answer["avg_duration_sec"]) == (0, 0.0, None)
    assert (answer["last_status"], answer["per_pipeline"]) == (None, [])


def test_recent_runs_are_a_list_of_the_most_recent(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/runs?limit=20").json()
    assert len(answer) == 20
    same_types(answer, [RUN])
    assert answer[0]["pipeline"] == "api"
    assert answer[0]["status"] == "failure"
    assert answer[0]["duration_sec"] == 107.05
    ends = [each["finished_at"] for each in answer]
    assert ends == sorted(ends, reverse=True)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/runs?limit=0", "query.limit"),
        ("/api/runs?limit=1001", "query.limit"),
        ("/api/runs?limit=ten", "query.limit"),
        ("/api/metrics/summary?minutes=0", "query.minutes"),
        ("/api/metrics/summary?minutes=99999999999", "query.minutes"),
    ],
)
def test_a_wrong_parameter_is_named(client: TestClient, path: str, field: str) -> None:
    answer = checked(client, path, status=422).json()
    assert [each["field"] for each in answer["errors"]] == [field]
