"""Builds and figures as files."""

import csv
import io

import pytest
from fastapi.testclient import TestClient

from domain.build import Outcome
from providers._base import Page
from tests.support.builders import build, pipeline
from tests.support.builders import builds as series
from tests.support.shapes import checked
from web.api import export
from web.api.export import BUILD_COLUMNS, METRIC_COLUMNS, harmless
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
