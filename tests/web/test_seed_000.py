"""What a user of seed 000 does: runs are posted as its document prints them, the dashboard shows windows of them."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

from store.engine import Database
from tests.support.builders import NOON
from tests.support.pushes import Desk, desk

PRINTED = """[
  {
    "request_id": "1761291703",
    "scheduler": "BLR-NSP-SCHEDULER1",
    "cloud": "blr-cloud4",
    "started_at": "2025-10-24T10:05:01",
    "ended_at": "2025-10-24T11:20:13",
    "status": "FAILED",
    "reason": "Stack Creation Failed",
    "subreason": "Helm install failed",
    "notes": "optional notes"
  }
]"""
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
DAYS = 7


@pytest.fixture
def at(database: Database, tmp_path: Path) -> Desk:
    return desk(database, tmp_path)


def send(at: Desk, text: str, **headers: str) -> Response:
    answer: Response = at.client.post(
        "/ingest/json", content=text, headers={"Content-Type": "application/json", **headers}
    )
    return answer


def shown(at: Desk, path: str) -> str:
    """A page as people read it."""
    answer = at.client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def run(number: int, back: int, status: str, cloud: str) -> dict[str, Any]:
    """A run of so many days ago, an hour after 10:00 in Kolkata."""
    (printed,) = json.loads(PRINTED)
    began = NOON.replace(hour=5, minute=30) - timedelta(days=back)  # 11:00 there
    wall = (began + timedelta(hours=5, minutes=30)).replace(tzinfo=None).isoformat()
    failed = {} if status == "FAILED" else {"reason": None, "subreason": None}
    changed = {"request_id": str(number), "cloud": cloud, "started_at": wall, "ended_at": None, "status": status}
    return {**printed, **changed, **failed}


def week(at: Desk) -> None:
    """Seven windows of two clouds: cloud4 fails once a day, cloud5 once in all."""
    runs = []
    for back in range(DAYS):
        runs += [run(10 * back + 1, back, "FAILED", "blr-cloud4"), run(10 * back + 2, back, "PASSED", "blr-cloud4")]
        runs.append(run(10 * back + 3, back, "KILLED" if back == 0 else "PASSED", "blr-cloud5"))
    assert send(at, json.dumps(runs)).json()["stored"] == len(runs)


def test_the_printed_array_is_stored_and_answered_with_the_same_words(at: Desk) -> None:
    answer = send(at, PRINTED)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["runs"] == json.loads(PRINTED)


def test_on_success_a_browser_is_redirected_to_the_details(at: Desk) -> None:
    answer = send(at, PRINTED, **BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/details")
    page = shown(at, answer.headers["location"])
    assert "Stack Creation Failed" in page


def test_records_are_updated(at: Desk) -> None:
    send(at, PRINTED)
    again = send(at, PRINTED.replace("FAILED", "PASSED").replace("optional notes", "rerun by hand")).json()
    assert (again["stored"], again["changed"], again["errors"]) == (1, 1, [])
    assert [(each["status"], each["notes"]) for each in again["runs"]] == [("PASSED", "rerun by hand")]
    assert len(at.builds()) == 1


def test_the_dashboard_has_tiles_doughnut_and_bars_of_the_window(at: Desk) -> None:
    week(at)
    page = shown(at, "/")
    assert re.search(r'aria-label="3 builds: [^"]*1 failure[^"]*"', page)
    for tile, value in (("Passed", "1"), ("Failed", "1"), ("Builds", "3")):
        assert re.search(rf">{tile}</span><span class=\"tile-value[^>]*>{value}<", page), tile
    assert "Stack Creation Failed" in page


@pytest.mark.parametrize("back", range(DAYS))
def test_any_of_the_last_seven_windows_can_be_picked(at: Desk, back: int) -> None:
    week(at)
    day = (NOON - timedelta(days=back)).date().isoformat()
    page = shown(at, f"/?window={day}")
    assert re.search(r'aria-label="3 builds: ', page)
    figures = at.client.get(f"/api/windows?window={day}").json()
    assert (figures["start"], len(figures["windows"])) == (f"{day}T04:30:00.000Z", DAYS)  # 10:00 in Kolkata
    assert [(each["bucket"], each["count"]) for each in figures["buckets"]] == [("Stack Creation Failed", 1)]


def test_each_cloud_has_its_waffle_and_its_trend_of_seven_days(at: Desk) -> None:
    week(at)
    page = shown(at, "/?by=cloud")
    trends = dict(re.findall(r'aria-label="(blr-cloud\d), success rate of seven days: ([^"]*)"', page))
    assert trends["blr-cloud4"] == ", ".join(["50.0 %"] * DAYS)
    assert trends["blr-cloud5"] == ", ".join(
        ["100 %"] * (DAYS - 1) + ["no builds"]
    )  # killed: neither passed nor failed
    assert page.count('class="waffle"') == 2 * DAYS


def test_a_failure_bucket_leads_to_the_runs_behind_it(at: Desk) -> None:
    week(at)
    links = re.findall(r'href="(/details\?[^"]*reason=[^"]*)"', shown(at, "/"))
    assert any("Stack%20Creation%20Failed" in link or "Stack+Creation+Failed" in link for link in links)
    page = shown(at, "/details?reason=Stack+Creation+Failed")
    assert len(set(re.findall(r'href="(/builds/\d+)"', page))) == DAYS
    assert "blr-cloud5" not in page
    assert "No builds here" in shown(at, "/details?reason=Nothing+of+the+kind")


def test_a_run_links_to_its_log_by_its_id(at: Desk) -> None:
    at.settings = replace(at.settings, log_url="https://logs.example.com/request/{id}")
    send(at, PRINTED)
    assert at.builds()[0].url == "https://logs.example.com/request/1761291703"
    [build] = re.findall(r'href="(/builds/\d+)"', shown(at, "/details?reason=Stack+Creation+Failed"))
    assert 'href="https://logs.example.com/request/1761291703"' in shown(at, build)


@pytest.mark.parametrize(
    ("sent", "media_type", "status", "field"),
    [
        (PRINTED.strip("[]\n "), "application/json", 422, "body"),
        (PRINTED[:-1], "application/json", 422, "body"),
        (PRINTED.replace('"FAILED"', '"SAD"'), "application/json", 422, "body.0.status"),
        (PRINTED.replace("2025-10-24T10:05:01", "yesterday"), "application/json", 422, "body.0.started_at"),
        (PRINTED.replace("1761291703", ""), "application/json", 422, "body.0.request_id"),
        (PRINTED, "application/x-www-form-urlencoded", 415, "header.content-type"),
        (PRINTED, "text/plain", 415, "header.content-type"),
    ],
)
def test_what_cannot_be_used_is_named(at: Desk, sent: str, media_type: str, status: int, field: str) -> None:
    answer = at.client.post("/ingest/json", content=sent, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert at.builds() == []


@pytest.mark.parametrize("path", ["/?window=2036-01-01", "/details?window=soon"])
def test_a_window_that_is_none_is_a_page_of_its_own(at: Desk, path: str) -> None:
    answer = at.client.get(path, headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert "no such window" in answer.text
