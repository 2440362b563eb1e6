"""What a client of seed 004 reads: the requests as its document prints them."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from domain.build import Outcome
from providers._base import Page
from tests.support.builders import NOON, build, pipeline
from tests.support.builders import builds as series
from tests.support.shapes import checked
from web.site import Site

KEYS = [
    "id",
    "provider",
    "pipeline",
    "repo",
    "branch",
    "status",
    "started_at",
    "completed_at",
    "duration_seconds",
    "url",
    "logs",
    "created_at",
]


def happened(site: Site) -> None:
    """Seven of eight builds of `build-and-test` passed; `deploy-staging` failed long ago."""
    tests, deploy = pipeline("acme/build-and-test"), pipeline("acme/deploy-staging")
    site.ingest(Page(builds=series("FPPPPPPP", pipeline=tests)), "ci")
    ago = NOON - timedelta(days=30)
    site.ingest(Page(builds=[build(1, Outcome.FAILURE, pipeline=deploy, started_at=ago)]), "ci")


def test_the_summary_is_that_of_the_document(client: TestClient, site: Site) -> None:
    happened(site)
    site.ingest(Page(builds=[]), "ci")
    answer = checked(client, "/metrics/summary?window=7d")
    assert answer.json() == {
        "window": "7d",
        "success_rate": 0.0,
        "failure_rate": 0.0,
        "avg_build_time": None,
        "last_status_by_pipeline": {"build-and-test": "success", "deploy-staging": "failure"},
    }


def test_rates_are_percent_of_the_window(client: TestClient, site: Site) -> None:
    some = series("FPPPPPPP", started_at=NOON - timedelta(days=2))
    site.ingest(Page(builds=some), "ci")
    answer = client.get("/metrics/summary?window=7d").json()
    assert (answer["success_rate"], answer["failure_rate"], answer["avg_build_time"]) == (87.5, 12.5, 300.0)
    assert client.get("/metrics/summary?window=24h").json()["success_rate"] == 0.0


def test_pipelines_with_one_name_are_told_apart(client: TestClient, site: Site) -> None:
    site.ingest(Page(builds=[*series("P", pipeline=pipeline("a/x")), *series("F", pipeline=pipeline("b/x"))]), "ci")
    answer = client.get("/metrics/summary?window=7d").json()
    assert answer["last_status_by_pipeline"] == {"a/x": "success", "b/x": "failure"}


def test_a_running_build_is_in_progress(client: TestClient, site: Site) -> None:
    site.ingest(Page(builds=series("PR")), "ci")
    assert client.get("/metrics/summary").json()["last_status_by_pipeline"] == {"deploy": "in_progress"}
    assert client.get("/builds/latest?pipeline=deploy").json()["status"] == "in_progress"


def test_builds_are_a_list_of_the_most_recent(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/builds?limit=50").json()
    assert len(answer) == 9
    assert all(list(each) == KEYS for each in answer)
    assert answer[0]["pipeline"] == "build-and-test"
    assert answer[0]["status"] == "success"
    assert answer[0]["duration_seconds"] == 300.0
    assert answer[0]["completed_at"] == "2026-11-20T13:25:00Z"
    assert answer[-1]["status"] == "failure"
    assert len(client.get("/builds?limit=2").json()) == 2


@pytest.mark.parametrize("name", ["build-and-test", "acme/build-and-test", "ci/acme/build-and-test"])
def test_the_latest_build_of_a_pipeline_is_found_by_its_name(client: TestClient, site: Site, name: str) -> None:
    happened(site)
    answer = checked(client, f"/builds/latest?pipeline={name}").json()
    assert list(answer) == KEYS
    assert answer["pipeline"] == "build-and-test"
    assert answer["branch"] == "main"


def test_a_pipeline_that_nobody_knows_is_a_problem(client: TestClient) -> None:
    answer = checked(client, "/builds/latest?pipeline=%3Cscript%3E", status=404)
    assert "<script>" in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/metrics/summary?window=soon", "query.window"),
        ("/metrics/summary?window=0d", "query.window"),
        ("/metrics/summary?window=9999999d", "query.window"),
        ("/builds?limit=-1", "query.limit"),
        ("/builds/latest", "query.pipeline"),
        ("/builds/latest?pipeline=%00", "query.pipeline"),
    ],
)
def test_a_wrong_parameter_is_named(client: TestClient, path: str, field: str) -> None:
    answer = checked(client, path, status=422).json()
    assert [each["field"] for each in answer["errors"]] == [field]
