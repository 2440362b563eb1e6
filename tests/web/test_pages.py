"""The pages of the dashboard, as they come from the server."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typing_extensions import override

from domain.build import Outcome
from store import alerts, silences
from tests.support.builders import NOON, build, pipeline
from tests.support.dashboard_scene import STACK, deliver, fill, fill_hostile, ingested, line
from web.site import Site

PAGES = ("/", "/?kiosk=1", "/details", "/pipelines", "/alerts", "/tests", "/analysis")
HTML = {"Accept": "text/html"}
VOID = {"meta", "link", "input", "br", "hr", "img"}


class Read(HTMLParser):
    """What a browser would make of a page: its elements, and what could run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.running: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if (
                name.startswith("on")
                or name == "style"
                or (tag == "script" and name == "src" and "/assets/" not in str(value))
            ):
                self.running.append(f"{tag} {name}={value}")
            if name in {"href", "src", "action"}:
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    @override
    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


def shown(client: TestClient, path: str, status: int = 200) -> Read:
    answer = client.get(path, headers=HTML)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return Read(answer.text)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_of_an_empty_store_says_so_calmly(client: TestClient, path: str) -> None:
    page = shown(client, path)
    assert "main" in page.tags
    assert "None" not in page.text.replace("None yet", "").replace("None are known", "")


@pytest.mark.parametrize(
    "path",
    [
        "/builds/999",
        "/builds/0",
        f"/builds/{10**30}",
        "/pipelines/999",
        f"/pipelines/{10**30}",
        "/alerts/999",
        f"/alerts/{10**30}",
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(client: TestClient, path: str) -> None:
    page = shown(client, path, 404)
    assert "there is no" in page.text.casefold()


@pytest.mark.parametrize(
    "path",
    [
        "/?window=soon",
        "/?window=2999-01-01",
        "/?window=1969-01-01",
        "/details?status=sad",
        "/details?outcome=sad",
        "/details?after=x",
        f"/details?after={'9' * 40}.1",
        "/pipelines?state=sad",
        "/pipelines?page=0",
        "/analysis?method=guess",
        "/analysis?days=0",
        "/builds/x",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_in_words(client: TestClient, path: str) -> None:
    shown(client, path, 422)


def test_the_front_page_tells_what_is_broken_first(client: TestClient, site: Site) -> None:
    fill(site)
    text = client.get("/", headers=HTML).text
    order = [
        text.index(f'id="{each}"') for each in ("broken", "changed", "tiles", "statuses", "causes", "values", "recent")
    ]
    assert order == sorted(order)
    assert "core" in text[order[0] : order[1]]
    assert STACK in text[order[0] : order[1]]


def test_nothing_broken_is_said_too(client: TestClient, site: Site) -> None:
    ingested(site, line(pipeline(), "PPP"))
    assert "Nothing is broken" in shown(client, "/").text


def test_the_figures_of_a_window_are_those_of_its_builds(client: TestClient, site: Site) -> None:
    ingested(site, line(pipeline(), "PFPP", every=20))
    text = " ".join(shown(client, "/").text.split())
    assert "Builds 4 ended Success rate 75.0 %" in text
    assert "Passed 3" in text
    assert "Failed 1" in text


def test_the_window_before_can_be_chosen(client: TestClient, site: Site) -> None:
    ingested(site, line(pipeline(), "F", end=24 * 60))
    ingested(site, line(pipeline("other"), "P"))
    today, before = shown(client, "/").text, shown(client, "/?window=2026-11-19").text
    assert "Failed 1" in " ".join(before.split())
    assert "Failed 0" in " ".join(today.split())
    assert shown(client, "/?window=1").text == before


def test_a_window_long_ago_can_be_named(client: TestClient, site: Site) -> None:
    ingested(site, line(pipeline(), "F", end=40 * 24 * 60))
    assert "Failed 1" in " ".join(shown(client, "/?window=2026-10-11").text.split())


def test_each_of_the_last_seven_windows_is_a_link(client: TestClient) -> None:
    links = shown(client, "/").links
    assert [each for each in links if each.startswith("?window=")] == [
        f"?window=2026-11-{day}" for day in range(14, 20)
    ]
    assert "?" in links


def test_what_changed_is_told_by_branch(client: TestClient, site: Site) -> None:
    ingested(site, [*line(pipeline("a"), "P", end=24 * 60), *line(pipeline("b"), "F", end=24 * 60)])
    today = {"started_at": NOON, "finished_at": NOON}
    later = [build(2, Outcome.FAILURE, pipeline=pipeline("a"), **today)]
    later.append(build(2, Outcome.SUCCESS, pipeline=pipeline("b"), **today))
    ingested(site, later)
    text = " ".join(shown(client, "/").text.split())
    assert "Newly failing 1 a main" in text
    assert "Fixed 1 b main" in text
    assert f"gone {STACK}" in text


def test_a_bucket_leads_to_its_builds_and_they_to_themselves(client: TestClient, site: Site) -> None:
    ids = fill(site)
    link = next(each for each in shown(client, "/").links if each.startswith("/details") and "reason=Stack" in each)
    found = shown(client, link)
    assert f"/builds/{ids[-1]}" in found.links
    assert f"/builds/{ids[-3]}" not in found.links
    one = shown(client, f"/builds/{ids[-1]}")
    for word in (
        "Stack Creation Failed",
        "Helm install failed",
        "Error: deadline",
        "infra",
        "Ada",
        "expected 1, got 2",
    ):
        assert word in one.text


def test_failures_without_a_cause_have_a_bucket_of_their_own(client: TestClient, site: Site) -> None:
    fill(site)
    page = shown(client, "/details?reason=")
    assert "edge" in page.text
    assert "core" not in page.text


def test_labels_filter_everything_of_a_window(client: TestClient, site: Site) -> None:
    fill(site)
    text = shown(client, "/?label.cloud=blr-cloud5").text
    recent = text[text.index("Recent builds") :]
    assert "edge" in recent
    assert "docs" not in recent


def test_builds_come_in_pages(client: TestClient, site: Site) -> None:
    ids = ingested(site, line(pipeline(), "P" * 120, every=5))
    seen: list[str] = []
    path: str | None = "/details"
    while path:
        page = shown(client, path)
        seen += [each for each in page.links if re.fullmatch(r"/builds/\d+", each)]
        following = [each for each in page.links if "after=" in each]
        path = f"/details{following[-1]}" if following else None
    assert sorted(seen) == sorted(f"/builds/{each}" for each in ids)


@pytest.mark.parametrize(
    "query", ["q=docs", "pipeline=tools/docs", "pipeline=docs", "status=running", "outcome=cancelled"]
)
def test_builds_are_filtered_in_the_address(client: TestClient, site: Site, query: str) -> None:
    fill(site)
    page = shown(client, f"/details?{query}")
    assert "docs" in page.text
    assert "core" not in page.text


def test_a_pipeline_that_is_asked_for_by_number_is_named(client: TestClient, site: Site) -> None:
    fill(site)
    page = shown(client, "/details?pipeline=3&q=core")
    assert "core \N{MULTIPLICATION SIGN}" in " ".join(page.text.split())
    assert "?q=core" in page.links
    assert "edge" not in page.text


def test_columns_that_no_build_has_are_left_out(client: TestClient, site: Site) -> None:
    nothing: dict[str, Any] = {"branch": None, "commit": None, "actor": None, "trigger": None}
    ingested(site, line(pipeline("pushed"), "PP", **nothing))
    head = shown(client, "/details").text
    assert "Finished" in head
    assert not [each for each in ("Commit", "Triggered by") if each in head]
    ingested(site, line(pipeline("polled"), "P"))
    assert "Commit" in shown(client, "/details").text


def test_what_is_older_than_a_day_has_a_date(client: TestClient, site: Site) -> None:
    ingested(site, line(pipeline(), "P", end=24 * 60 + 10))
    text = shown(client, "/details").text
    assert "19 Nov, 17:20" in text
    assert "1d ago" not in text


def test_the_zone_of_all_times_is_named(client: TestClient, site: Site) -> None:
    fill(site)
    text = " ".join(shown(client, "/").text.split())
    assert "Fri 20 Nov, 10:00 → Sat 21 Nov, 10:00 Asia/Kolkata" in text
    assert "As of Fri 20 Nov, 17:30 (Asia/Kolkata)" in text


def test_labels_that_few_builds_have_are_not_what_the_page_begins_with(client: TestClient, site: Site) -> None:
    ingested(site, line(pipeline("a", labels={"team": "web"}), "P" * 60, every=10))
    ingested(site, line(pipeline("b"), "FF", labels={"runner": "one"}))
    ingested(site, line(pipeline("c"), "F", labels={"runner": "two"}))
    assert "By team" in " ".join(shown(client, "/").text.split())


def test_pipelines_that_fail_come_first(client: TestClient, site: Site) -> None:
    fill(site)
    text = shown(client, "/pipelines").text
    assert text.index("nsp/core") < text.index("tools/docs")
    assert "docs" not in shown(client, "/pipelines?state=failing").text
    assert "nsp/core" not in shown(client, "/pipelines?q=docs").text


def test_a_thousand_pipelines_come_in_pages(client: TestClient, site: Site) -> None:
    ingested(site, [build(1, Outcome.SUCCESS, pipeline=pipeline(f"p{number:03}")) for number in range(120)])
    first, last = shown(client, "/pipelines"), shown(client, "/pipelines?page=3")
    assert "p000" in first.text
    assert "p119" not in first.text
    assert "p119" in last.text
    assert "p119" in shown(client, "/pipelines?page=999").text


def test_a_pipeline_has_its_builds_trends_alerts_and_tests(client: TestClient, site: Site) -> None:
    fill(site)
    page = shown(client, next(each for each in shown(client, "/").links if each.startswith("/pipelines/")))
    for word in ("core", "Last 32 builds", "Success rate", "Duration", "Failing tests", "failing", "blr-cloud4"):
        assert word in page.text
    assert shown(client, "/pipelines/1?branch=nowhere").tags


def test_an_analysis_shows_any_measurement(client: TestClient, site: Site) -> None:
    fill(site)
    assert "Outliers" in shown(client, "/analysis?pipeline=nsp/core").text
    assert "coverage" in shown(client, "/analysis?pipeline=nsp/core&measurement=coverage&method=iqr&days=7").text
    assert "No figures" in shown(client, "/analysis?pipeline=tools/docs&measurement=tests_failed").text
    shown(client, "/analysis?pipeline=nothing", 404)


def test_tests_that_fail_are_listed_with_where(client: TestClient, site: Site) -> None:
    fill(site)
    text = shown(client, "/tests").text
    assert "core" in text
    assert "1 failing" in text
    assert "No test reports yet" in shown(client, "/tests?q=docs").text


def test_an_alert_has_a_page_with_all_that_was_said_about_it(client: TestClient, site: Site) -> None:
    fill(site)
    refused = deliver(site)[-1]
    page = shown(client, f"/alerts/{refused}")
    text = " ".join(page.text.split())
    assert "core main" in text
    assert "failing firing 2 failed in a row since #31" in text
    assert "Began 1h ago 16:20" in text
    assert "desk first message sent now 17:30" in text
    assert "mail first message 550 5.1.1 no such mailbox not delivered" in text
    assert [each for each in page.links if each.startswith("/builds/")]
    assert f"/alerts/{refused}/acknowledge" in page.links
    assert f"/alerts/{refused}" in shown(client, "/").links


def test_the_page_of_a_build_says_who_was_told(client: TestClient, site: Site) -> None:
    build_id = fill(site)[-1]
    assert "desk first message waits for desk since" in " ".join(shown(client, f"/builds/{build_id}").text.split())
    alert = deliver(site)[-1]
    page = shown(client, f"/builds/{build_id}")
    text = " ".join(page.text.split())
    assert f"Sent to desk at 2026-11-20 17:30 IST (alert {alert})" in text
    assert "desk first message sent now 17:30" in text
    assert "mail first message given up for mail after 1 try: 550 5.1.1 no such mailbox not delivered" in text
    assert f"/alerts/{alert}" in page.links


def test_many_alerts_come_in_pages(client: TestClient, site: Site) -> None:
    ingested(site, [build(1, Outcome.FAILURE, pipeline=pipeline(f"p{number:02}")) for number in range(60)])
    first, last = shown(client, "/alerts"), shown(client, "/alerts?page=2")
    assert "Firing 60" in " ".join(first.text.split())
    found = [{each for each in page.links if re.fullmatch(r"/alerts/\d+", each)} for page in (first, last)]
    assert [len(each) for each in found] == [40, 20]
    assert not found[0] & found[1]
    assert shown(client, "/alerts?page=999").links == last.links


def test_an_alert_that_is_over_asks_for_nothing(client: TestClient, site: Site) -> None:
    ingested(site, line(pipeline(), "PF", end=120))
    ingested(site, [build(9, Outcome.SUCCESS, pipeline=pipeline(), started_at=NOON, finished_at=NOON)])
    [link] = {each for each in shown(client, "/alerts").links if re.fullmatch(r"/alerts/\d+", each)}
    page = shown(client, link)
    assert "Lasted 2h" in " ".join(page.text.split())
    assert "form" not in page.tags


def test_an_alert_is_acknowledged_by_a_form_and_back(client: TestClient, site: Site) -> None:
    fill(site)
    (alert, *_) = site.database.read(alerts.firing)
    done = client.post(f"/alerts/{alert.id}/acknowledge", data={"by": "ada", "reason": "on it", "back": "/?kiosk=1"})
    assert (done.status_code, done.headers["location"]) == (303, "/?kiosk=1")
    assert "acknowledged by ada: on it" in shown(client, "/alerts").text
    assert client.post(f"/alerts/{alert.id}/unacknowledge").status_code == 303
    assert "acknowledged by" not in shown(client, "/alerts").text


def test_nobody_is_sent_elsewhere_after_a_form(client: TestClient, site: Site) -> None:
    fill(site)
    (alert, *_) = site.database.read(alerts.firing)
    done = client.post(f"/alerts/{alert.id}/acknowledge", data={"back": "//evil.example"})
    assert done.headers["location"] == "/"


@pytest.mark.parametrize("lasting", ["4h", "fixed"])
def test_an_alert_is_silenced_by_a_form(client: TestClient, site: Site, lasting: str) -> None:
    fill(site)
    (alert, *_) = site.database.read(alerts.firing)
    done = client.post(f"/alerts/{alert.id}/silence", data={"lasting": lasting, "reason": "known", "by": "ada"})
    assert done.status_code == 303
    assert "known" in shown(client, "/alerts").text
    (silence,) = site.database.read(silences.listing)
    assert silence.author == "ada"
    assert client.post(f"/silences/{silence.id}/end").status_code == 303
    assert "ended by" in shown(client, "/alerts").text


def test_a_pipeline_is_silenced_by_a_form(client: TestClient) -> None:
    done = client.post("/silences", data={"pipeline": "nsp/*", "branch": "main", "lasting": "1d", "reason": "moving"})
    assert done.status_code == 303
    assert "nsp/*" in shown(client, "/alerts").text


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/alerts/999/acknowledge", {}),
        ("/alerts/999/unacknowledge", {}),
        ("/alerts/999/silence", {"reason": "x"}),
        ("/silences", {"pipeline": "x", "lasting": "soon", "reason": "x"}),
        ("/silences", {"pipeline": "x", "reason": ""}),
        ("/silences", {"reason": "x"}),
        ("/silences/999/end", {}),
    ],
)
def test_what_cannot_be_done_is_said_on_the_page(client: TestClient, path: str, data: dict[str, str]) -> None:
    answer = client.post(path, data=data, headers=HTML)
    assert answer.status_code == 409
    assert 'role="alert"' in answer.text


def test_a_number_that_no_row_can_have_is_not_found(client: TestClient) -> None:
    assert client.post(f"/alerts/{10**20}/acknowledge").status_code == 404


def test_a_page_that_is_the_same_is_not_sent_again(client: TestClient, site: Site) -> None:
    fill(site)
    first = client.get("/", headers=HTML)
    again = client.get("/", headers={**HTML, "If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_script_gets_the_middle_of_a_page_alone(client: TestClient, site: Site) -> None:
    fill(site)
    part = Read(client.get("/", headers={**HTML, "X-Fragment": "1"}).text)
    assert "header" not in part.tags
    assert {"broken", "tiles", "recent"} <= set(part.ids)


def test_what_is_remembered_of_a_window_is_never_old(client: TestClient, site: Site) -> None:
    fill(site)
    assert ["late" in shown(client, "/").text, failed(client, "/?window=2026-11-19")] == [False, 6]
    ingested(site, [build(77, Outcome.FAILURE, pipeline=pipeline("late"), started_at=NOON, finished_at=NOON)])
    assert ["late" in shown(client, "/").text, failed(client, "/?window=2026-11-19")] == [True, 6]
    ingested(site, line(pipeline("earlier"), "F", end=26 * 60))
    assert failed(client, "/?window=2026-11-19") == 7


def failed(client: TestClient, path: str) -> int:
    """How many builds have failed, says the tile."""
    found = re.search(r"Failed (\d+)", " ".join(shown(client, path).text.split()))
    assert found is not None
    return int(found[1])


def test_the_theme_is_there_before_the_first_paint(client: TestClient) -> None:
    client.cookies.set("theme", "dark")
    assert ' data-theme="dark"' in client.get("/", headers=HTML).text
    client.cookies.set("theme", '"><script>')
    assert "<script>" not in client.get("/", headers=HTML).text


@pytest.mark.parametrize("path", [*PAGES, "/details?window=0", "/pipelines?q=alert"])
def test_no_name_is_ever_markup(client: TestClient, site: Site, path: str) -> None:
    fill_hostile(site)
    _is_harmless(shown(client, path))


def test_no_name_on_the_page_of_a_build_or_pipeline_is_markup(client: TestClient, site: Site) -> None:
    for build_id in fill_hostile(site):
        page = shown(client, f"/builds/{build_id}")
        _is_harmless(page)
        owner = next(each for each in page.links if each.startswith("/pipelines/"))
        _is_harmless(shown(client, owner))


def test_hostile_words_in_an_address_are_text(client: TestClient, site: Site) -> None:
    fill_hostile(site, ["<script>alert(1)</script>"])
    for path in (
        "/details?reason=%3Cscript%3Ealert(1)%3C/script%3E",
        "/?label.%3Cb%3E=%22%3E%3Cscript%3E",
        "/details?q=%22%3E%3Cb%3E",
    ):
        _is_harmless(shown(client, path))


def _is_harmless(page: Read) -> None:
    assert page.running == []
    assert not {"b", "svg onload", "iframe", "object", "style"} & set(page.tags)
    assert page.tags.count("script") <= 1
    assert page.tags.count("img") == 0
    for link in page.links:
        assert re.match(r"(/(?!/)|\?|#|https?://)", link), link
