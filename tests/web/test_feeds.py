"""Feeds: what programs read of how builds stand. Whatever things are called, every document stays one."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest
from defusedxml import ElementTree
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from domain.alert import AlertState
from domain.build import Build, Outcome, Status
from domain.text import clean
from providers._base import Page
from store import alerts, details, notes, outbox, pipelines, providers, standings
from store.database import Database
from store.providers import ProviderHealth
from tests.support.builders import NOON, minutes, notification
from tests.support.builders import alert as an_alert
from tests.support.builders import builds as series
from tests.support.hostile import HOSTILE
from tests.support.site import Premises
from web.feeds.atom import identity
from web.feeds.badges import badge, width
from web.feeds.markup import attribute, element, escaped
from web.settings import Access, Scope, Token
from web.site import Site

ATOM = "{http://www.w3.org/2005/Atom}"
SVG = "{http://www.w3.org/2000/svg}"
SAFE_IN_SVG = {f"{SVG}{name}" for name in ("svg", "title", "clipPath", "rect", "g", "text")}


@pytest.fixture(autouse=True)
def _later(given: Premises) -> None:
    """The builds of tests have ended by now."""
    given.now = minutes(60)


def push(site: Site, *builds: Build) -> None:
    site.ingest(Page(builds=builds), "ci")


def named(name: str, outcomes: str = "P", **changes: object) -> list[Build]:
    return [
        replace(build, pipeline=replace(build.pipeline, key=name, name=name), **changes)  # type: ignore[arg-type]
        for build in series(outcomes)
    ]


def samples(client: TestClient) -> dict[tuple[str, ...], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_prometheus_can_read_the_figures(client: TestClient, site: Site) -> None:
    push(site, *series("PFPP"))
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    found = samples(client)
    job = ("ci", "web/deploy")
    assert found["buildwatch_builds_24h", *job, "passed"] == 3
    assert found["buildwatch_builds_24h", *job, "failed"] == 1
    assert found["buildwatch_outcomes_24h", "success"] == 3
    assert found["buildwatch_outcomes_24h", "failure"] == 1
    assert found["buildwatch_outcomes_24h", "timeout"] == 0
    assert found["buildwatch_success_ratio_24h", *job] == 0.75
    assert found["buildwatch_last_build_passed", *job] == 1
    assert found["buildwatch_build_duration_24h_seconds", *job] > 0
    assert found["buildwatch_builds_stored_total",] == 4
    assert found["buildwatch_daemon_up",] == 0
    assert found["buildwatch_store_bytes",] > 0
    assert any(name[0] == "buildwatch_info" for name in found)


def test_the_figures_follow_the_builds_and_the_clock(client: TestClient, site: Site, given: Premises) -> None:
    push(site, *series("PF"))
    assert samples(client)["buildwatch_builds_24h", "ci", "web/deploy", "failed"] == 1
    [running] = named(
        "web/deploy", "P", status=Status.RUNNING, outcome=None, finished_at=None, number=9, external_id="9"
    )
    push(site, *series("PFF"), running)
    found = samples(client)
    assert found["buildwatch_builds_24h", "ci", "web/deploy", "failed"] == 2
    assert found["buildwatch_outcomes_24h", "failure"] == 2
    assert found["buildwatch_last_build_passed", "ci", "web/deploy"] == 0
    assert found["buildwatch_builds_running", "ci", "web/deploy"] == 1
    given.now += timedelta(days=2)
    found = samples(client)
    assert found["buildwatch_builds_24h", "ci", "web/deploy", "failed"] == 0
    assert found["buildwatch_outcomes_24h", "failure"] == 0
    assert ("buildwatch_success_ratio_24h", "ci", "web/deploy") not in found
    assert found["buildwatch_last_build_passed", "ci", "web/deploy"] == 0


LINE = re.compile(
    r'([a-z][a-z0-9_]*)(?:\{([a-z]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z]+="(?:[^"\\\n]|\\[\\"n])*")*)\})? (-?[0-9.e+-]+)'
)


def test_the_text_keeps_to_the_format(client: TestClient, site: Site, database: Database) -> None:
    for number, name in enumerate(HOSTILE):
        push(site, *named(f"{number} {clean(name)}"[:255], "PF"))
    database.transact(lambda session: providers.save(session, ProviderHealth(name='x"\\\n} 1\n# HELP')))
    text = client.get("/metrics").text
    assert text.endswith("\n")
    described: list[str] = []
    seen: set[str] = set()
    family = kind = ""
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            assert line.split(" ", 3)[3]
            described.append(family)
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == family
            kind = line.split(" ")[3]
            assert kind in {"gauge", "counter"}
            assert family.endswith("_total") is (kind == "counter")
        else:
            found = LINE.fullmatch(line)
            assert found, line
            assert found[1] == family
            float(found[3])
            series = line.rpartition(" ")[0]
            assert series not in seen
            seen.add(series)
    assert len(described) == len(set(described)) > 20
    assert all(name.startswith("buildwatch_") for name in described)


def test_an_empty_store_has_figures_too(client: TestClient) -> None:
    found = samples(client)
    assert found["buildwatch_alerts_firing", "failure"] == 0
    assert found["buildwatch_pipelines",] == 0
    assert found["buildwatch_details_due",] == 0


def test_the_figures_tell_of_providers_targets_channels_and_alerts(client: TestClient, database: Database) -> None:
    def fill(session: object) -> None:
        providers.save(session, ProviderHealth(name="ci", failing_since=NOON, failures=3))  # type: ignore[arg-type]
        providers.save(session, ProviderHealth(name="gh", last_ok_at=NOON))  # type: ignore[arg-type]
        saved = alerts.save(session, an_alert(id=None))  # type: ignore[arg-type]
        pending = notification(alert_id=saved.id, channel="desk", created_at=minutes(30))
        outbox.add(session, [pending])  # type: ignore[arg-type]
        notes.put(session, notes.POLLS, {"ci:web: all": minutes(50).isoformat()}, NOON)  # type: ignore[arg-type]
        notes.put(session, notes.QUOTAS, {"gh": {"limit": 5000, "remaining": 4321}}, NOON)  # type: ignore[arg-type]
        channels = {"desk": {"state": "ok"}, "mail": {"state": "broken", "error": "x"}}
        notes.put(session, notes.CHANNELS, channels, NOON)  # type: ignore[arg-type]

    database.transact(fill)
    found = samples(client)
    assert (found["buildwatch_provider_up", "ci"], found["buildwatch_provider_up", "gh"]) == (0, 1)
    assert found["buildwatch_provider_failed_polls", "ci"] == 3
    assert found["buildwatch_poll_age_seconds", "ci", "web: all"] == 600
    assert found["buildwatch_provider_quota_remaining", "gh"] == 4321
    assert found["buildwatch_provider_quota_limit", "gh"] == 5000
    assert found["buildwatch_alerts_firing", "failure"] == 1
    assert found["buildwatch_outbox_pending", "desk"] == 1
    assert found["buildwatch_outbox_oldest_seconds", "desk"] == 1800
    assert found["buildwatch_outbox_pending", "mail"] == 0
    assert (found["buildwatch_channel_up", "desk"], found["buildwatch_channel_up", "mail"]) == (1, 0)


def test_the_figures_tell_what_is_to_be_read_and_what_was_given_up(client: TestClient, site: Site) -> None:
    push(site, *series("F"))

    def fill(session: object) -> None:
        details.add_due(session, [1], NOON)  # type: ignore[arg-type]
        saved = alerts.save(session, an_alert(id=None, summary="other", started_at=NOON))  # type: ignore[arg-type]
        outbox.add(session, [notification(alert_id=saved.id, channel="gone")])  # type: ignore[arg-type]
        outbox.drop_channels(session, ["desk"], NOON)  # type: ignore[arg-type]

    [firing] = site.database.read(alerts.firing)
    site.database.transact(lambda session: alerts.save(session, replace(firing, state=AlertState.CLOSED)))
    site.database.transact(fill)
    found = samples(client)
    assert found["buildwatch_details_due",] == 1
    assert found["buildwatch_outbox_dead", "gone"] == 1
    assert found["buildwatch_outbox_oldest_seconds", "gone"] == 0


def test_pipelines_have_figures_up_to_a_bound(client: TestClient, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.feeds.exposition.MOST", 2)
    for name in ("a", "b", "c"):
        push(site, *named(name))
    found = samples(client)
    assert found["buildwatch_pipelines_left_out",] == 1
    assert {name[2] for name in found if name[0] == "buildwatch_success_ratio_24h"} == {"a", "b"}


def test_build_lamps_see_how_pipelines_stand(client: TestClient, site: Site, database: Database) -> None:
    push(site, *named("good", "FP"), *named("bad", "PF"), *named("broken", "P"))
    [error] = named("broken", "F", outcome=Outcome.ERROR, number=7, external_id="7")
    [running] = named("good", "P", status=Status.RUNNING, outcome=None, finished_at=None, number=9, external_id="9")
    push(site, error, running)
    push(site, *named("gone"))
    database.transact(lambda session: pipelines.set_missing(session, "ci", ["gone"], NOON))
    answer = client.get("/cc.xml")
    assert answer.headers["content-type"].startswith("application/xml")
    tree = ElementTree.fromstring(answer.content)
    assert tree.tag == "Projects"
    found = {each.get("name"): each for each in tree}
    stand = {name: (each.get("activity"), each.get("lastBuildStatus")) for name, each in found.items()}
    assert stand == {
        "good": ("Building", "Success"),
        "bad": ("Sleeping", "Failure"),
        "broken": ("Sleeping", "Exception"),
    }
    assert found["broken"].get("lastBuildLabel") == "7"
    assert datetime.fromisoformat(found["bad"].get("lastBuildTime") or "").tzinfo is not None
    assert all((each.get("webUrl") or "").startswith("http") for each in found.values())


def test_a_pipeline_without_a_result_is_unknown(client: TestClient, site: Site) -> None:
    push(site, *named("new", "P", status=Status.QUEUED, outcome=None, started_at=None, finished_at=None))
    [project] = ElementTree.fromstring(client.get("/cc.xml").content)
    assert (project.get("lastBuildStatus"), project.get("lastBuildLabel")) == ("Unknown", None)
    assert project.get("lastBuildTime") == "2026-11-20T11:59:00Z"
    assert set(project.attrib) >= {"name", "activity", "lastBuildStatus", "lastBuildTime", "webUrl"}


def test_the_default_branch_speaks_for_a_pipeline(site: Site, client: TestClient, database: Database) -> None:
    [main] = series("P", branch="main")
    pipeline = replace(main.pipeline, branched=True, default_branch="main")
    [other] = series("F", branch="feature", first=2)
    push(site, *(replace(each, pipeline=pipeline) for each in (main, other)))
    [last] = database.read(standings.last_settled).values()
    assert last.number == 1
    assert "passing" in client.get("/badge/web/deploy.svg").text
    assert "failing" in client.get("/badge/web/deploy.svg?branch=feature").text
    assert "no builds" in client.get("/badge/web/deploy.svg?branch=nowhere").text


def test_a_pipeline_that_is_never_built_there_is_spoken_for_by_any_branch(site: Site, client: TestClient) -> None:
    [build] = series("F", branch="feature")
    push(site, replace(build, pipeline=replace(build.pipeline, branched=True, default_branch="main")))
    assert "failing" in client.get("/badge/web/deploy.svg").text


def test_a_badge_is_found_by_full_name_and_by_name(client: TestClient, site: Site) -> None:
    [build] = series("P")
    push(site, replace(build, pipeline=replace(build.pipeline, key="org/repo/.github/ci.yml", name="CI")))
    for name in ("org/repo/.github/ci.yml", "ci/org/repo/.github/ci.yml", "CI", "org%2Frepo%2F.github%2Fci.yml"):
        answer = client.get(f"/badge/{name}.svg")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
        assert "CI: passing" in answer.text
    assert "CI: failing" not in client.get("/badge/CI.svg?label=mine").text
    assert "mine: passing" in client.get("/badge/CI.svg?label=mine").text


def test_several_of_one_name_pass_only_together(client: TestClient, site: Site) -> None:
    good, bad = named("a/x", "P")[0], named("b/x", "F")[0]
    push(site, *(replace(each, pipeline=replace(each.pipeline, name="x")) for each in (good, bad)))
    assert "x: failing" in client.get("/badge/x.svg").text


def test_an_unknown_pipeline_has_a_badge_that_says_so(client: TestClient) -> None:
    answer = client.get("/badge/no/such.svg")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "image/svg+xml")
    assert "no/such: unknown" in answer.text


def test_pages_elsewhere_show_badges(client: TestClient, site: Site) -> None:
    push(site, *series("P"))
    first = client.get("/badge/web/deploy.svg")
    again = client.get("/badge/web/deploy.svg", headers={"If-None-Match": first.headers["etag"]})
    unknown = client.get("/badge/no/such.svg")
    assert [each.status_code for each in (first, again, unknown)] == [200, 304, 404]
    assert {each.headers["cross-origin-resource-policy"] for each in (first, again, unknown)} == {"cross-origin"}
    assert client.get("/cc.xml").headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("address", ["/cc.xml", "/feed.atom", "/badge/web/deploy.svg"])
def test_what_is_known_already_is_not_sent_again(client: TestClient, site: Site, address: str) -> None:
    push(site, *series("F"))
    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    push(site, *series("FP"))
    assert client.get(address, headers={"If-None-Match": first.headers["etag"]}).status_code == 200


def test_alerts_are_entries_that_keep_their_names(client: TestClient, site: Site) -> None:
    push(site, *series("F"))
    first = ElementTree.fromstring(client.get("/feed.atom").content)
    push(site, *series("FP"))
    second = ElementTree.fromstring(client.get("/feed.atom").content)
    for feed in (first, second):
        for where in (feed, *feed.findall(f"{ATOM}entry")):
            assert [len(where.findall(f"{ATOM}{name}")) for name in ("id", "title", "updated")] == [1, 1, 1]
        assert feed.find(f"{ATOM}author/{ATOM}name") is not None
        assert {each.get("rel") for each in feed.findall(f"{ATOM}link")} == {"self", "alternate"}
    [before], [after] = (feed.findall(f"{ATOM}entry") for feed in (first, second))
    assert before.findtext(f"{ATOM}id") == after.findtext(f"{ATOM}id")
    assert (before.findtext(f"{ATOM}title") or "").startswith("firing: ")
    assert (after.findtext(f"{ATOM}title") or "").startswith("resolved: ")
    assert (after.findtext(f"{ATOM}updated") or "") >= (before.findtext(f"{ATOM}updated") or "")
    for entry in (before, after):
        assert datetime.fromisoformat(entry.findtext(f"{ATOM}updated") or "").tzinfo is not None
    link = before.find(f"{ATOM}link")
    assert link is not None
    assert (link.get("href") or "").startswith("http://127.0.0.1:8080/alerts#alert-")


def test_a_feed_without_alerts_is_one(client: TestClient, given: Premises) -> None:
    given.settings = replace(given.settings, url="https://builds.example.com/ci")
    feed = ElementTree.fromstring(client.get("/feed.atom").content)
    assert feed.findall(f"{ATOM}entry") == []
    link = feed.find(f"{ATOM}link[@rel='self']")
    assert link is not None
    assert link.get("href") == "https://builds.example.com/ci/feed.atom"


def test_an_entry_keeps_its_name_when_its_pipeline_gets_another() -> None:
    one = an_alert(id=7)
    renamed = replace(one, scope=replace(one.scope, pipeline="other"), summary="other")
    assert identity(one) == identity(renamed)
    assert identity(one) != identity(replace(one, id=8))


def test_hostile_names_are_text_in_every_feed(client: TestClient, site: Site, database: Database) -> None:
    names = list(dict.fromkeys(name for text in HOSTILE if (name := clean(text)).strip()))
    for number, name in enumerate(names):
        [build] = series("F")
        push(
            site, replace(build, pipeline=replace(build.pipeline, key=f"{number} {name}"[:255], name=name), title=name)
        )
    database.transact(lambda session: providers.save(session, ProviderHealth(name='x"\\\n} 1\n# EOF')))
    projects = ElementTree.fromstring(client.get("/cc.xml").content)
    assert len(projects) == len(names)
    feed = ElementTree.fromstring(client.get("/feed.atom").content)
    assert len(feed.findall(f"{ATOM}entry")) == len(names)
    assert all(len(list(entry.iter())) <= 9 for entry in feed.findall(f"{ATOM}entry"))
    found = samples(client)
    keys = {each.pipeline.key for each in database.read(pipelines.all)}
    assert {name[2] for name in found if name[0] == "buildwatch_success_ratio_24h"} == keys
    for each in database.read(pipelines.all):
        answer = client.get("/badge/" + quote(each.pipeline.key, safe="") + ".svg")
        assert answer.status_code == 200, each.pipeline.key
        harmless(answer.text)


def harmless(text: str) -> None:
    tree = ElementTree.fromstring(text)
    for node in tree.iter():
        assert node.tag in SAFE_IN_SVG
        assert not any(name.lower().startswith("on") or name.endswith("href") for name in node.attrib)


@pytest.mark.parametrize("text", [*HOSTILE, "\ufffe\uffff\x00\x1b", "\ud800"])
def test_a_badge_is_a_harmless_picture_whatever_it_says(text: str) -> None:
    picture = badge(text, text, "#666").encode().decode()
    harmless(picture)
    assert len(picture) < 8_000


def test_markup_keeps_what_it_is_given() -> None:
    text = "a<b>&\"'\t\n\r\U0001f600\x00\ufffe"
    tree = ElementTree.fromstring(element("x", escaped(text), y=text, z=None))
    assert tree.get("y") == "a<b>&\"'\t\n\r\U0001f600\ufffd\ufffd"
    assert (tree.text or "").startswith("a<b>&\"'\t\n")
    assert tree.get("z") is None
    assert attribute("\n") == "&#10;"


def test_wide_letters_take_more_room() -> None:
    assert width("iii") < width("aaa") < width("WWW")
    assert width("日本") > width("ab")


@pytest.mark.parametrize("address", ["/metrics", "/cc.xml", "/feed.atom", "/badge/x.svg"])
def test_feeds_are_for_readers(client: TestClient, given: Premises, address: str) -> None:
    access = Access(tokens=(Token(name="prometheus", token=SecretStr("t0ken"), scope=Scope.READ),))
    given.settings = replace(given.settings, access=access)
    refused = client.get(address)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="buildwatch", Basic realm="buildwatch"'
    assert client.get(address, headers={"Authorization": "Bearer t0ken"}).status_code in {200, 404}
    assert client.get(address, auth=("lamp", "t0ken")).status_code in {200, 404}
    assert client.get(address, auth=("lamp", "other")).status_code == 401
    assert client.get(f"{address}?token=t0ken").status_code == 401
