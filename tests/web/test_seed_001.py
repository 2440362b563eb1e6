"""What seed 001 asks for: live status of releases and modules, pass-rate trends, test-level history."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from domain.build import Outcome
from providers._base import Page
from store import builds, tests
from tests.support.builders import NOON, build, pipeline
from tests.support.reports import report
from tests.support.shapes import checked
from web.site import Site

HOUR = timedelta(hours=1)


def happened(site: Site) -> None:
    """Release 1.0 with two modules: core fails now, ui passes again. Release 2.0 has passed. Both have tests."""
    core = pipeline("core", labels={"release": "1.0", "module": "core"})
    ui = pipeline("ui", labels={"release": "1.0", "module": "ui"})
    some = [
        build(1, pipeline=core, started_at=NOON - 30 * HOUR),
        build(2, Outcome.FAILURE, pipeline=core, started_at=NOON - 2 * HOUR, bucket="network"),
        build(3, Outcome.CANCELLED, pipeline=core, started_at=NOON - HOUR),
        build(1, Outcome.FAILURE, pipeline=ui, started_at=NOON - 3 * HOUR),
        build(2, pipeline=ui, started_at=NOON - 2 * HOUR),
        build(3, pipeline=ui, started_at=NOON - HOUR, labels={"release": "2.0"}),
    ]
    site.ingest(Page(builds=some), "ci")

    def with_tests(session: object) -> None:
        numbers = {
            (view.build.pipeline.key, view.build.number): key
            for key, view in builds.get(session, range(1, 10)).items()  # type: ignore[arg-type]
        }
        for place, letters in ((("core", 1), "PPP"), (("core", 2), "PFP"), (("ui", 2), "PP")):
            tests.record(session, numbers[place], report(letters))  # type: ignore[arg-type]

    site.database.transact(with_tests)


def test_releases_have_a_live_status(client: TestClient, site: Site) -> None:
    happened(site)
    one, two = checked(client, "/api/releases").json()
    assert (one["release"], one["status"], one["modules"]) == ("1.0", "failing", ["core", "ui"])
    assert (one["total"], one["passed"], one["failed"], one["neutral"]) == (5, 2, 2, 1)
    assert (one["pass_rate"], one["jobs"], one["failing_jobs"]) == (0.5, 2, 1)
    assert (one["tests_passed"], one["tests_failed"], one["test_pass_rate"]) == (7, 1, 0.875)
    assert (two["release"], two["status"], two["last_outcome"]) == ("2.0", "passing", "success")


def test_modules_have_a_live_status(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/modules").json()
    assert [(each["module"], each["status"], each["releases"]) for each in answer] == [
        ("core", "failing", ["1.0"]),
        ("ui", "passing", ["1.0", "2.0"]),
    ]
    assert client.get("/api/modules?release=2.0").json() == checked(client, "/api/releases/2.0/modules").json()
    checked(client, "/api/releases/3.0/modules", status=404)


def test_jobs_are_the_pipelines_of_a_release_and_module(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/jobs").json()
    assert [(each["release"], each["module"], each["job"]) for each in answer] == [
        ("1.0", "core", "core"),
        ("1.0", "ui", "ui"),
        ("2.0", "ui", "ui"),
    ]
    assert [each["job"] for each in client.get("/api/jobs?module=core&release=1.0").json()] == ["core"]


def test_pass_rates_have_a_trend(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/trends/pass-rate?release=1.0&module=core&days=3").json()
    assert [each["day"] for each in answer["days"]] == ["2026-11-18", "2026-11-19", "2026-11-20"]
    assert [each["pass_rate"] for each in answer["days"]] == [None, 1.0, 0.0]
    assert [each["test_pass_rate"] for each in answer["days"]] == [None, 1.0, pytest.approx(2 / 3)]
    assert len(client.get("/api/trends/pass-rate").json()["days"]) == 7


def test_failures_have_patterns(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/trends/failures?days=2").json()
    assert answer["days"] == ["2026-11-19", "2026-11-20"]
    assert {each["bucket"]: each["days"] for each in answer["patterns"]} == {"network": [0, 1], None: [0, 1]}
    assert client.get("/api/trends/failures?module=core").json()["patterns"][0]["bucket"] == "network"


def test_tests_say_which_fail_and_which_are_new(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/tests").json()
    assert {each["pipeline"] for each in answer["streams"]} == {"core", "ui"}
    [core] = client.get("/api/tests?pipeline=core&branch=main").json()["streams"]
    assert [each["name"] for each in core["failing"]] == ["b"]
    assert core["newly_failing"] == [{"suite": "s", "name": "b"}]
    assert (core["passed"], core["failed"]) == (2, 1)
    assert client.get("/api/tests?flaky=true").json()["streams"] == []
    assert client.get("/api/tests?limit=1").json()["more"] == 1


def test_a_pipeline_says_of_which_branches_tests_were_read(client: TestClient, site: Site) -> None:
    happened(site)
    assert client.get("/api/pipelines/1").json()["streams_with_tests"] == ["main"]
    assert client.get("/api/pipelines/1?days=1").json()["streams_with_tests"] == ["main"]


@pytest.mark.parametrize("name", ["b", "s::b", "s::[b]"])
def test_a_test_has_a_history(client: TestClient, site: Site, name: str) -> None:
    happened(site)
    answer = checked(client, f"/api/tests/history?test={name}&pipeline=core").json()
    [its] = answer["tests"]
    assert (its["suite"], its["name"], its["branch"], its["pass_rate"]) == ("s", "b", "main", 0.5)
    assert [each["status"] for each in its["runs"]] == ["passed", "failed"]
    assert answer["more"] == 0
    assert client.get(f"/api/tests/history?test={name}&pipeline=core&days=1").json()["tests"][0]["pass_rate"] == 0.0


def test_too_many_tests_are_counted(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/tests/history?test=*&limit=2").json()
    assert (len(answer["tests"]), answer["more"]) == (2, 3)


def test_a_wrong_parameter_is_named(client: TestClient) -> None:
    for path, field in (
        ("/api/tests/history", "query.test"),
        ("/api/releases?window=x", "query.window"),
        ("/api/trends/pass-rate?days=61", "query.days"),
    ):
        answer = checked(client, path, status=422).json()
        assert [each["field"] for each in answer["errors"]] == [field]
