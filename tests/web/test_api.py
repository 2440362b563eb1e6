"""Our own API: pipelines, builds, windows, causes, labels, alerts and silences."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from alerts.policies.handled import acknowledged, acknowledgement
from domain.build import Outcome
from poller.cli.silence import described
from providers._base import Page
from store import alerts, silences
from tests.support.builders import NOON, alert, build, pipeline
from tests.support.builders import builds as series
from tests.support.hostile import HOSTILE
from tests.support.shapes import checked
from tests.support.site import Premises
from web.app import make_app
from web.settings import Access, Scope, Token
from web.site import Site

HOUR = timedelta(hours=1)


def happened(site: Site) -> None:
    one, two = pipeline("web/deploy", labels={"cloud": "blr"}), pipeline("api", labels={"cloud": "ams"})
    some = [
        build(number, outcome, pipeline=one, started_at=NOON - (9 - number) * HOUR, bucket=bucket)
        for number, outcome, bucket in (
            (1, Outcome.SUCCESS, None),
            (2, Outcome.FAILURE, "network"),
            (3, Outcome.FAILURE, None),
            (4, Outcome.SUCCESS, None),
        )
    ]
    site.ingest(Page(builds=[*some, build(9, None, pipeline=two, started_at=NOON - HOUR)]), "ci")


def fires(site: Site) -> int:
    saved = site.database.transact(lambda session: alerts.save(session, alert()))
    return saved.id or 0


def test_pipelines_say_how_they_stand(client: TestClient, site: Site) -> None:
    happened(site)
    fires(site)
    api, web = checked(client, "/api/pipelines").json()["pipelines"]
    assert (api["pipeline"], api["unfinished"], api["last"], api["firing"]) == ("api", 1, None, 0)
    assert (web["summary"]["total"], web["summary"]["success_rate"]) == (4, 0.5)
    assert (web["last"]["outcome"], web["firing"]) == ("success", 1)
    [found] = client.get("/api/pipelines?pipeline=*deploy&provider=ci").json()["pipelines"]
    assert found == web


def test_pipelines_are_paged(client: TestClient, site: Site) -> None:
    site.ingest(Page(builds=[build(pipeline=pipeline(name)) for name in "abcde"]), "ci")
    path, found = "/api/pipelines?limit=2", []
    while path:
        response = checked(client, path)
        found += [each["pipeline"] for each in response.json()["pipelines"]]
        path = response.links["next"]["url"] if "next" in response.links else ""
    assert found == list("abcde")
    checked(client, "/api/pipelines?cursor=77", status=422)


def test_a_pipeline_has_its_strip_and_its_days(client: TestClient, site: Site) -> None:
    happened(site)
    fires(site)
    [row] = client.get("/api/pipelines?pipeline=deploy").json()["pipelines"]
    its = checked(client, f"/api/pipelines/{row['id']}?days=3").json()
    assert [each["number"] for each in its["strip"]] == [4, 3, 2, 1]
    assert [each["day"] for each in its["days"]] == ["2026-11-18", "2026-11-19", "2026-11-20"]
    assert [each["summary"]["total"] for each in its["days"]] == [0, 1, 3]
    assert [each["kind"] for each in its["alerts"]] == ["failure"]
    assert "duration_seconds" in its["metrics"]
    checked(client, "/api/pipelines/999", status=404)


def test_a_pipeline_has_bands_when_there_is_enough(client: TestClient, site: Site) -> None:
    some = [
        build(number, Outcome.SUCCESS if number % 4 else Outcome.FAILURE, started_at=NOON - number * 6 * HOUR)
        for number in range(1, 50)
    ]
    site.ingest(Page(builds=some), "ci")
    its = checked(client, "/api/pipelines/1").json()
    assert its["duration_band"]["value"] == 300.0
    assert its["rate_band"]["value"] == 0.75
    assert 0 <= its["rate_band"]["low"] <= its["rate_band"]["high"] <= 1


def test_builds_are_filtered_and_paged(client: TestClient, site: Site) -> None:
    happened(site)
    answer = checked(client, "/api/builds?limit=2")
    assert [each["number"] for each in answer.json()["builds"]] == [9, 4]
    rest = checked(client, answer.links["next"]["url"]).json()
    assert [each["number"] for each in rest["builds"]] == [3, 2]
    for query, numbers in {
        "verdict=failed": [3, 2],
        "outcome=failure&outcome=success&limit=3": [4, 3, 2],
        "status=running": [9],
        "pipeline=*deploy&bucket=network": [2],
        "bucket=": [3],
        "label.cloud=ams": [9],
        "label.cloud=blr&limit=5": [4, 3, 2, 1],
        "provider=nobody": [],
        "branch=main&since=390m&status=finished": [4, 3],
        "since=2026-11-20T05:00:00Z&until=2026-11-20T07:00:00Z": [3, 2],
        "q=NETWORK": [2],
        "pipeline_id=1&q=%232": [2],
    }.items():
        found = checked(client, f"/api/builds?{query}").json()["builds"]
        assert [each["number"] for each in found] == numbers, query


def test_a_page_keeps_its_filters(client: TestClient, site: Site) -> None:
    happened(site)
    answer = client.get("/api/builds?limit=1&verdict=failed&label.cloud=blr")
    rest = client.get(answer.links["next"]["url"]).json()
    assert [each["number"] for each in rest["builds"]] == [2]
    assert rest["next"] is None


def test_a_build_has_everything(client: TestClient, site: Site) -> None:
    happened(site)
    [listed] = client.get("/api/builds?bucket=network").json()["builds"]
    its = checked(client, f"/api/builds/{listed['id']}").json()
    assert listed.items() <= its.items()
    assert (its["stages"], its["changes"], its["report"], its["notes"]) == ([], None, None, [])
    assert [each["attempt"] for each in its["attempts"]] == [1]
    checked(client, "/api/builds/999", status=404)
    checked(client, "/api/builds/999/explain", status=404)


def test_what_did_not_change_is_not_sent_again(client: TestClient, site: Site) -> None:
    happened(site)
    for path in ("/api/builds", "/api/metrics/summary", "/api/pipelines/1", "/builds"):
        first = client.get(path)
        tag = first.headers["etag"]
        assert tag.startswith('W/"')
        assert checked(client, path, status=304, headers={"If-None-Match": f'"x", {tag}'}).headers["etag"] == tag
    site.ingest(Page(builds=series("P", first=50)), "ci")
    assert client.get("/builds", headers={"If-None-Match": tag}).status_code == 200


def test_a_window_is_shown_whole(client: TestClient, site: Site) -> None:
    happened(site)
    today = checked(client, "/api/windows?by=cloud").json()
    assert (today["day"], today["current"], len(today["windows"])) == ("2026-11-20", True, 7)
    tiles = today["tiles"]
    assert (tiles["passed"], tiles["failed"], tiles["running"], tiles["success_rate_before"]) == (1, 2, 1, 1.0)
    assert {each["bucket"]: each["count"] for each in today["buckets"]} == {"network": 1, None: 1}
    assert today["by"] == "cloud"
    [blr] = today["values"]
    assert [each["total"] for each in blr["days"]] == [0, 0, 0, 0, 0, 1, 3]
    assert [each["pipeline"] for each in today["changed"]["broken"]] == ["web/deploy"]
    yesterday = checked(client, "/api/windows?window=1").json()
    assert (yesterday["day"], yesterday["tiles"]["passed"]) == ("2026-11-19", 1)
    assert client.get("/api/windows?window=2026-11-19").json()["tiles"] == yesterday["tiles"]
    checked(client, "/api/windows?window=2036-01-01", status=422)


def test_causes_and_labels_are_listed(client: TestClient, site: Site) -> None:
    happened(site)
    assert checked(client, "/api/buckets?window=24h").json()["buckets"] == [
        {"bucket": None, "count": 1},
        {"bucket": "network", "count": 1},
    ]
    labels = {each["name"]: each["values"] for each in checked(client, "/api/labels").json()["labels"]}
    assert labels["cloud"] == ["ams", "blr"]
    values = checked(client, "/api/labels/cloud").json()["values"]
    assert {each["value"]: each["summary"]["total"] for each in values} == {"ams": 1, "blr": 4}


def test_a_figure_of_a_pipeline_is_analysed(client: TestClient, site: Site) -> None:
    happened(site)
    its = checked(client, "/api/metrics/1/duration_seconds?days=2&branch=main").json()
    assert (its["count"], its["aggregated"]["p50"], its["baseline"]) == (4, 300.0, None)
    checked(client, "/api/metrics/1/nonsense", status=404)
    checked(client, "/api/metrics/9/duration_seconds", status=404)


def test_status_is_told(client: TestClient) -> None:
    checked(client, "/api/status")


def test_alerts_are_acknowledged_and_not(client: TestClient, site: Site) -> None:
    happened(site)
    identity = fires(site)
    [listed] = checked(client, "/api/alerts").json()["alerts"]
    assert (listed["id"], listed["pipeline"], listed["acknowledged"]) == (identity, "web/deploy", None)
    said = {"reason": "on it", "by": "ada"}
    its = checked(client, f"/api/alerts/{identity}/ack", method="POST", json=said).json()
    assert (its["acknowledged"]["by"], its["acknowledged"]["reason"]) == ("ada", "on it")
    assert checked(client, f"/api/alerts/{identity}").json() == its
    its = checked(client, f"/api/alerts/{identity}/ack", method="DELETE").json()
    assert its["acknowledged"] is None
    checked(client, "/api/alerts/999/ack", method="POST", status=404)
    checked(client, "/api/alerts/999", status=404)


def test_alerts_are_filtered_and_paged(client: TestClient, site: Site) -> None:
    happened(site)
    first = fires(site)
    assert client.get("/api/alerts?state=resolved").json()["alerts"] == []
    for query in ("kind=failure&severity=critical", "pipeline=*deploy", "provider=ci&state=firing", "limit=1"):
        assert [each["id"] for each in checked(client, f"/api/alerts?{query}").json()["alerts"]] == [first]
    assert client.get(f"/api/alerts?cursor={first}").json()["alerts"] == []
    assert client.get("/api/alerts?pipeline=nobody").json()["alerts"] == []


def test_a_silence_is_made_and_ended(client: TestClient, site: Site) -> None:
    happened(site)
    wanted = {"pipeline": "web/*", "for": "4h", "reason": "moving", "by": "ada"}
    response = checked(client, "/api/silences", method="POST", json=wanted, status=201)
    its = response.json()
    assert (its["reason"], its["by"], its["until"]["at"]) == ("moving", "ada", "2026-11-20T16:00:00.000Z")
    assert checked(client, response.headers["location"]).json() == its
    assert checked(client, "/api/silences").json()["silences"] == [its]
    ended = checked(client, response.headers["location"], method="DELETE").json()
    assert ended["ended_at"] is not None
    assert client.get("/api/silences").json()["silences"] == []
    assert client.get("/api/silences?all=true").json()["silences"] == [ended]
    checked(client, response.headers["location"], method="DELETE", status=409)
    checked(client, "/api/silences/999", method="DELETE", status=404)


@pytest.mark.parametrize(
    ("until", "ends"),
    [
        ({"for": "2d"}, {"at": "2026-11-22T12:00:00.000Z", "fixed": False, "build": None, "new_bucket": False}),
        ({"until_fixed": True}, {"at": None, "fixed": True, "build": None, "new_bucket": False}),
        ({"until_build": 77}, {"at": None, "fixed": False, "build": 77, "new_bucket": False}),
        ({"until_new_bucket": True}, {"at": None, "fixed": False, "build": None, "new_bucket": True}),
        (
            {"for": "1h", "until_fixed": True, "until_build": 77, "until_new_bucket": True},
            {"at": "2026-11-20T13:00:00.000Z", "fixed": True, "build": 77, "new_bucket": True},
        ),
    ],
)
def test_a_silence_ends_as_those_of_the_command_line_do(
    client: TestClient, site: Site, until: dict[str, object], ends: dict[str, object]
) -> None:
    happened(site)
    its = checked(
        client, "/api/silences", method="POST", json={"pipeline": "web/*", "reason": "x", **until}, status=201
    ).json()
    assert its["until"] == ends
    kept = site.database.read(lambda session: silences.get(session, [its["id"]]))[its["id"]]
    printed = described(kept)
    assert its.keys() == printed.keys()
    assert its["match"] == printed["match"]


def test_a_silence_covers_what_the_command_line_can_say(client: TestClient, site: Site) -> None:
    happened(site)
    match = {"pipeline": "web/**", "branch": "re*", "labels": {"cloud": "b*"}, "kind": "flapping", "provider": "ci"}
    its = checked(
        client, "/api/silences", method="POST", json={**match, "reason": "x", "until_fixed": True}, status=201
    ).json()
    assert its["match"] == match
    unknown = {"provider": "nobody", "reason": "x", "until_fixed": True}
    answer = checked(client, "/api/silences", method="POST", json=unknown, status=409).json()
    assert 'there is no provider "nobody"' in answer["detail"]


def test_an_alert_is_silenced_for_what_it_is_about(client: TestClient, site: Site) -> None:
    happened(site)
    body = {"alert": fires(site), "reason": "known", "until_fixed": True}
    its = checked(client, "/api/silences", method="POST", json=body, status=201).json()
    assert its["match"] == {"provider": "ci", "pipeline": "web/deploy", "branch": "main", "kind": "failure"}
    checked(client, "/api/silences", method="POST", json={**body, "alert": 999}, status=404)


def test_what_has_come_already_ends_no_silence(client: TestClient, site: Site) -> None:
    happened(site)
    body = {"pipeline": "web/deploy", "branch": "main", "reason": "x", "until_build": 1}
    answer = checked(client, "/api/silences", method="POST", json=body, status=409).json()
    assert [each["field"] for each in answer["errors"]] == ["body"]
    assert "has passed or failed already" in answer["detail"]


def test_who_acts_is_recorded(site: Site, given: Premises) -> None:
    happened(site)
    identity = fires(site)
    token = Token(name="chatops", scope=Scope.ADMIN, token=SecretStr("s" * 40))
    given.settings = replace(given.settings, access=Access(tokens=(token,)))
    with TestClient(make_app(site), base_url="http://127.0.0.1:8080", headers=bearer("s" * 40)) as client:
        its = client.post(f"/api/alerts/{identity}/ack", json={"reason": "on it", "by": "ada"}).json()
        assert its["acknowledged"]["by"] == "ada (chatops)"
        its = client.post(f"/api/alerts/{identity}/ack").json()
        assert (its["acknowledged"]["by"], its["acknowledged"]["reason"]) == ("chatops", None)
        quiet = client.post("/api/silences", json={"pipeline": "**", "reason": "x", "for": "1h"}).json()
        assert quiet["by"] == "chatops"
        ended = client.delete(f"/api/silences/{quiet['id']}").json()
        assert ended["ended_because"] == "ended by chatops"


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


def test_an_acknowledgement_tells_in_the_words_of_the_command_line(client: TestClient, site: Site) -> None:
    happened(site)
    identity = fires(site)
    checked(client, f"/api/alerts/{identity}/ack", method="POST", json={"reason": " on\tit ", "by": "ada"})
    kept = site.database.read(lambda session: alerts.get(session, [identity]))[identity]
    assert acknowledgement(kept).startswith("ada")
    assert acknowledged(kept)
    answer = checked(client, f"/api/alerts/{identity}/ack", method="DELETE")
    assert answer.json()["acknowledged"] is None
    answer = checked(client, f"/api/alerts/{identity}/ack", method="DELETE", status=409)
    assert answer.json()["detail"] == f"alert {identity} is not acknowledged"
    assert [each["field"] for each in answer.json()["errors"]] == ["path.identity"]


def test_a_build_says_who_was_told(client: TestClient, site: Site) -> None:
    happened(site)
    [listed] = client.get("/api/builds?bucket=network").json()["builds"]
    its = checked(client, f"/api/builds/{listed['id']}").json()
    assert its["explain"] == checked(client, f"/api/builds/{listed['id']}/explain").json()
    assert its["explain"]["build"]["number"] == listed["number"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "x", "for": "4h", "pipeline": "[z-a]"}, "body.pipeline"),
        ({"reason": "x", "for": "4h", "branch": "[z-a]"}, "body.branch"),
        ({"reason": "x", "for": "4h", "labels": {"cloud": "[z-a]"}}, "body.labels.cloud"),
        ({"reason": "x", "for": "4h", "kind": "sadness"}, "body.kind"),
        ({"reason": "x", "for": "4h", "alert": 1, "labels": {"a": "b"}}, "body.alert"),
        ({"reason": "x", "for": "4h"}, "body.alert"),
        ({"reason": "x", "for": "4h", "alert": 1, "pipeline": "a"}, "body.alert"),
        ({"reason": "x", "pipeline": "a"}, "body.for"),
        ({"reason": "x", "pipeline": "a", "for": "soon"}, "body.for"),
        ({"reason": "", "pipeline": "a", "for": "4h"}, "body.reason"),
        ({"reason": "x\0", "pipeline": "a", "for": "4h"}, "body.reason"),
        ({"reason": "x", "pipeline": "a", "until_build": 0}, "body.until_build"),
        ({"reason": "x", "pipeline": "a", "for": "4h", "whatever": 1}, "body.whatever"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(client: TestClient, body: dict[str, object], field: str) -> None:
    answer = checked(client, "/api/silences", method="POST", json=body, status=422).json()
    assert [each["field"] for each in answer["errors"]] == [field]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/builds?limit=1001", "query.limit"),
        ("/api/builds?cursor=1", "query.cursor"),
        ("/api/builds?cursor=x1-1x", "query.cursor"),
        ("/api/builds?since=1", "query.since"),
        ("/api/builds?since=2026-11-20&until=2026-11-19", "query.until"),
        ("/api/builds?outcome=magic", "query.outcome.0"),
        ("/api/builds?q=%00", "query.q"),
        ("/api/builds?label.=x", "query.label."),
        ("/api/builds?label.a=%00", "query.label.a"),
        ("/api/builds?" + "&".join(f"label.l{number}=x" for number in range(11)), "query.label"),
        ("/api/builds/0", "path.identity"),
        ("/api/builds/99999999999999999999", "path.identity"),
        ("/api/pipelines?window=-1d", "query.window"),
        ("/api/alerts?state=burning", "query.state.0"),
    ],
)
def test_a_wrong_parameter_is_named(client: TestClient, path: str, field: str) -> None:
    answer = checked(client, path, status=422).json()
    assert [each["field"] for each in answer["errors"]] == [field]


def test_hostile_names_change_no_answer(client: TestClient, site: Site) -> None:
    happened(site)
    for name in HOSTILE:
        text = quote(name.encode(errors="replace").decode()[:400], safe="")
        for path in (
            f"/api/builds?q={text}&pipeline={text}&branch={text}&bucket={text}&label.x={text}&provider={text}",
            f"/api/builds?label.{text}=x&since={text[:30]}",
            f"/builds/latest?pipeline={text}",
            f"/api/metrics/history?script_path={text}&metric_name={text}",
            f"/api/alerts?pipeline={text}",
        ):
            response = client.get(path)
            assert response.status_code in {200, 404, 422}, (path, response.text)
            assert response.headers["content-type"] in {"application/json", "application/problem+json"}
