"""What a client of seed 003 reads: the requests as its document prints them."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from domain.build import Build, Outcome
from providers._base import Page
from tests.support.builders import NOON, build, pipeline
from tests.support.shapes import checked
from web.site import Site


def happened(site: Site, *, first: int = 1) -> None:
    """Twenty nights of `job/nightly`: each takes a minute longer than the one before, and the last one failed."""
    site.ingest(Page(builds=[night(number) for number in range(first, 21)]), "ci")


def night(number: int) -> Build:
    began = NOON - timedelta(days=21 - number)
    return build(
        number,
        Outcome.FAILURE if number == 20 else Outcome.SUCCESS,
        pipeline=pipeline("job/nightly"),
        started_at=began,
        finished_at=began + timedelta(minutes=number),
        measurements={"coverage": 50.0 + number},
    )


def test_scripts_are_pipelines(client: TestClient, site: Site) -> None:
    happened(site)
    assert checked(client, "/api/scripts").json() == [
        {
            "path": "job/nightly",
            "script_path": "job/nightly",
            "name": "nightly",
            "provider": "ci",
            "execution_count": 20,
            "successful_runs": 19,
            "failed_runs": 1,
            "success_rate": 95.0,
            "last_execution": "2026-11-19T12:20:00.000Z",
        }
    ]


def test_executions_are_builds_newest_first(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/executions").json()
    assert len(answer) == 20
    assert (answer[0]["exit_code"], answer[0]["success"], answer[0]["status"]) == (1, False, "failure")
    assert (answer[1]["exit_code"], answer[1]["success"], answer[1]["execution_time_seconds"]) == (0, True, 1140.0)
    page = client.get("/api/executions?script_path=job/nightly&limit=2&offset=1").json()
    assert page == answer[1:3]
    assert [each["id"] for each in client.get("/api/executions?exit_code=1").json()] == [answer[0]["id"]]


def test_an_execution_has_its_metrics(client: TestClient, site: Site) -> None:
    happened(site, first=20)
    [listed] = client.get("/api/executions").json()
    answer = checked(client, f"/api/execution/{listed['id']}").json()
    assert listed.items() <= answer.items()
    assert answer["metrics"] == {"execution_time_seconds": 1200.0, "duration_seconds": 1200.0, "coverage": 70.0}
    checked(client, "/api/execution/999", status=404)
    checked(client, "/api/execution/0", status=422)


def test_the_latest_metrics_come_newest_first(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/metrics/latest?limit=10").json()
    assert len(answer) == 10
    assert answer[0]["timestamp"] == "2026-11-19T12:20:00.000Z"
    assert {each["metric_name"] for each in answer} == {"execution_time_seconds", "duration_seconds", "coverage"}
    assert client.get("/api/metrics/latest?script_path=nightly&limit=10").json() == answer


@pytest.mark.parametrize("script", ["job/nightly", "nightly", "ci/job/nightly"])
def test_a_metric_has_a_history(client: TestClient, site: Site, script: str) -> None:
    happened(site)
    path = f"/api/metrics/history?script_path={script}&metric_name=execution_time_seconds&days=7"
    answer = checked(client, path).json()
    assert (answer["metric_name"], answer["script_path"], answer["days"]) == ("execution_time_seconds", script, 7)
    assert [each["value"] for each in answer["data"]] == [60.0 * number for number in range(14, 21)]
    assert answer["data_points"] == 7
    assert answer["data"][-1] == {"timestamp": "2026-11-19T12:20:00.000Z", "value": 1200.0}
    assert len(client.get(f"{path}&limit=2").json()["data"]) == 2


def test_without_a_script_the_history_is_that_of_all(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/metrics/history?metric_name=coverage&days=30").json()
    assert answer["script_path"] == "all"
    assert [each["value"] for each in answer["data"]] == [50.0 + number for number in range(1, 21)]


def test_metrics_are_aggregated(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/metrics/aggregated?script_path=job/nightly&days=7").json()
    assert answer["execution_time_seconds"] == answer["duration_seconds"]
    its = answer["duration_seconds"]
    assert (its["count"], its["min"], its["max"], its["avg"], its["median"]) == (7, 840.0, 1200.0, 1020.0, 1020.0)
    assert {"p50", "p95", "p99", "std"} <= its.keys()
    everything = checked(client, "/api/metrics/aggregated?days=7").json()
    assert everything["coverage"]["count"] == 7
    one = client.get("/api/metrics/aggregated?days=7&metric_name=coverage").json()
    assert list(one) == ["coverage"]


def test_a_trend_is_found(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/analysis/trend?script_path=job/nightly&metric_name=duration_seconds").json()
    assert answer["trend"]["direction"] == "worsening"
    assert answer["trend"]["slope_per_day"] == pytest.approx(60.0, abs=1)
    assert answer["trend"]["significant"] is True


def test_a_baseline_is_found(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/analysis/baseline?script_path=job/nightly&method=intelligent").json()
    assert (answer["script_path"], answer["metric_name"]) == ("job/nightly", "execution_time_seconds")
    assert answer["method"] == "intelligent"
    assert answer["baseline"]["value"] == 600.0
    assert answer["baseline"]["low"] < 600 < answer["baseline"]["high"]


def test_too_few_builds_have_no_baseline(client: TestClient, site: Site) -> None:
    happened(site, first=19)
    assert client.get("/api/analysis/baseline?script_path=nightly").json()["baseline"] is None
    site.ingest(Page(builds=[build(1, None, pipeline=pipeline("young"))]), "ci")
    assert checked(client, "/api/analysis/trend?script_path=young").json()["trend"] is None


def test_health_says_that_it_works(client: TestClient) -> None:
    answer = checked(client, "/api/health").json()
    assert answer["status"] == "ok"
    assert answer["timestamp"] == "2026-11-20T12:00:00.000Z"


def test_the_database_is_measured(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/stats/database").json()
    assert (answer["total_scripts"], answer["total_executions"]) == (1, 20)
    assert answer["total_metrics"] == 20
    assert answer["database_size_mb"] > 0
    assert answer["newest_execution"] == "2026-11-19T12:20:00.000Z"


def test_an_empty_store_answers_everything(client: TestClient) -> None:
    for path in ("scripts", "executions", "metrics/latest", "metrics/history", "metrics/aggregated", "stats/database"):
        checked(client, f"/api/{path}")


@pytest.mark.parametrize(
    "path",
    [
        "/api/metrics/history?script_path=nobody",
        "/api/metrics/aggregated?script_path=nobody",
        "/api/analysis/trend?script_path=nobody",
        "/api/analysis/baseline?script_path=nobody",
        "/api/executions?script_path=nobody",
        "/api/metrics/latest?script_path=nobody",
    ],
)
def test_a_script_that_nobody_knows_is_a_problem(client: TestClient, path: str) -> None:
    checked(client, path, status=404)


def test_a_figure_that_nobody_told_is_a_problem(client: TestClient, site: Site) -> None:
    happened(site)
    checked(client, "/api/analysis/trend?script_path=nightly&metric_name=nonsense", status=404)


def test_a_name_that_two_pipelines_have_is_a_problem(client: TestClient, site: Site) -> None:
    site.ingest(Page(builds=[build(pipeline=pipeline("a/x")), build(pipeline=pipeline("b/x"))]), "ci")
    answer = checked(client, "/api/metrics/history?script_path=x", status=422).json()
    assert answer["errors"][0] == {
        "field": "query.script_path",
        "problem": "2 pipelines are called so: ci/a/x, ci/b/x",
    }


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/metrics/history?days=0", "query.days"),
        ("/api/metrics/latest?limit=1001", "query.limit"),
        ("/api/analysis/baseline?script_path=x&method=magic", "query.method"),
        ("/api/analysis/trend", "query.script_path"),
        ("/api/executions?offset=-1", "query.offset"),
        ("/api/execution/one", "path.identity"),
    ],
)
def test_a_wrong_parameter_is_named(client: TestClient, path: str, field: str) -> None:
    answer = checked(client, path, status=422).json()
    assert [each["field"] for each in answer["errors"]] == [field]
