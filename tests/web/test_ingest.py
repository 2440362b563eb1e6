"""Builds that are pushed: what the clients of the seed documents send, as it stands there, and what it becomes."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from domain.build import Outcome, Status
from providers._base import Page, ReadsPosts
from store.engine import Database
from store.errors import StoreError
from tests.support.builders import NOON
from tests.support.hostile import HOSTILE
from tests.support.pushes import CONFIG, Desk, desk
from web.intake.bodies import RegressionRun

RUN = """
  {
    "pipeline": "web",
    "status": "success",
    "started_at": "2025-08-25T20:28:03Z",
    "finished_at": "2025-08-25T20:28:10Z",
    "duration_sec": 7,
    "branch": "main",
    "commit": "5184f9...",
    "triggered_by": "octocat"
  }
"""
GITHUB = """{
    "pipeline": "build-and-test",
    "repo": "org/repository",
    "branch": "main",
    "status": "success",
    "started_at": "2025-08-24T10:30:00Z",
    "completed_at": "2025-08-24T10:35:30Z",
    "duration_seconds": 330,
    "url": "https://github.com/org/repo/actions/runs/12345",
    "logs": "Build completed successfully"
  }"""
REGRESSIONS = """[
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
MINUTE = timedelta(minutes=1)


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Callable[..., Desk]:
    return lambda **how: desk(database, tmp_path, **how)


@pytest.fixture
def at(make: Callable[..., Desk]) -> Desk:
    return make()


def event(**changes: Any) -> dict[str, Any]:
    given = {"pipeline": "web", "status": "success", "branch": "main", "commit": "5184f9", **changes}
    return {name: value for name, value in given.items() if value is not ...}


def send(at: Desk, path: str, text: str, **headers: str) -> Any:
    """The text as it stands."""
    return at.client.post(path, content=text, headers={"Content-Type": "application/json", **headers})


# ---- seed 002: POST /api/events/run


def test_the_run_of_seed_002_is_answered_as_the_document_prints_it(at: Desk) -> None:
    answer = send(at, "/api/events/run", RUN)
    assert answer.status_code == 200
    found = answer.json()
    (build,) = at.builds()
    assert found == {**json.loads(RUN), "id": build.id, "duration_sec": 7.0}
    assert next(iter(found)) == "id"
    assert (build.pipeline.provider, build.pipeline.key, build.pipeline.branched) == ("push", "web", True)


def test_the_same_run_again_changes_nothing(at: Desk) -> None:
    first = send(at, "/api/events/run", RUN).json()
    at.now += timedelta(hours=1)
    assert send(at, "/api/events/run", RUN).json() == first
    assert len(at.builds()) == 1


def test_a_failure_that_is_pushed_alerts_at_once_and_its_repair_too(at: Desk) -> None:
    at.post("/api/events/run", event(status="success", started_at="2026-11-20T11:00:00Z", duration_sec=60))
    at.post("/api/events/run", event(status="failure", started_at="2026-11-20T11:30:00Z", duration_sec=60))
    assert len(at.said()) == 1
    at.post("/api/events/run", event(status="success", started_at="2026-11-20T11:50:00Z", duration_sec=60))
    first, second = at.said()
    assert "web" in first
    assert "fixed" in second.lower() or "passes" in second.lower() or "recovered" in second.lower()


def test_the_very_first_run_of_a_pipeline_alerts_when_it_failed_just_now(at: Desk) -> None:
    at.post("/api/events/run", event(status="failure"))
    assert len(at.said()) == 1


def test_what_is_left_out_is_computed(at: Desk) -> None:
    def posted(**body: Any) -> dict[str, Any]:
        found = at.post("/api/events/run", event(commit=..., **body)).json()
        return {name: found[name] for name in ("started_at", "finished_at", "duration_sec")}

    noon = "2026-11-20T12:00:00Z"
    assert posted(pipeline="a") == {"started_at": noon, "finished_at": noon, "duration_sec": 0.0}
    assert posted(pipeline="b", duration_sec=90) == {
        "started_at": "2026-11-20T11:58:30Z", "finished_at": noon, "duration_sec": 90.0,
    }  # fmt: skip
    assert posted(pipeline="c", started_at="2026-11-20T11:50:00Z")["duration_sec"] == 600.0
    assert posted(pipeline="d", started_at="2026-11-20T11:50:00Z", duration_sec=1.5)["finished_at"] == (
        "2026-11-20T11:50:01.500Z"
    )
    assert posted(pipeline="e", finished_at="2026-11-20T11:50:00Z", duration_sec=60)["started_at"] == (
        "2026-11-20T11:49:00Z"
    )
    assert posted(pipeline="f", started_at="2026-01-01T00:00:00Z")["duration_sec"] == 0.0  # nobody knows
    assert posted(pipeline="g", status="running") == {"started_at": noon, "finished_at": None, "duration_sec": None}
    assert posted(pipeline="h", status="queued", finished_at="2026-11-20T11:50:00Z")["finished_at"] is None


def test_a_running_build_is_ended_by_what_tells_how_it_ended(at: Desk) -> None:
    for number, ending in enumerate(
        [
            {"started_at": "2026-11-20T11:00:00Z"},
            {"started_at": "2026-11-20T11:00:00Z", "commit": ...},
            {"started_at": "2026-11-20T11:00:00Z", "branch": ..., "commit": "5184f9c0"},
            {},
            {"commit": ...},
        ]
    ):
        name = f"p{number}"
        begun = at.post(
            "/api/events/run", event(pipeline=name, status="running", started_at="2026-11-20T11:00:00Z")
        ).json()
        ended = at.post("/api/events/run", event(pipeline=name, status="failure", **ending)).json()
        assert ended["id"] == begun["id"]
        assert (ended["status"], ended["started_at"]) == ("failure", "2026-11-20T11:00:00Z")
        assert (ended["branch"], ended["duration_sec"]) == ("main", 3600.0)
        again = at.post("/api/events/run", event(pipeline=name, status="running", started_at="2026-11-20T11:00:00Z"))
        assert again.json() == ended  # it was overtaken


def test_a_commit_that_is_known_only_at_the_end_makes_no_second_build_when_it_is_told_twice(at: Desk) -> None:
    begun = event(status="running", started_at="2026-11-20T11:00:00Z", commit=...)
    ended = event(status="success", started_at="2026-11-20T11:00:00Z", finished_at="2026-11-20T11:05:00Z")
    for body in (begun, ended, ended):
        at.post("/api/events/run", body)
    assert [build.commit for build in at.builds()] == ["5184f9"]


def test_two_runs_that_go_on_at_once_are_two(at: Desk) -> None:
    for commit in ("aaaa", "bbbb"):
        at.post("/api/events/run", event(status="running", commit=commit))
    at.post("/api/events/run", event(status="failure", commit="bbbb"))
    assert {build.commit: build.status for build in at.builds()} == {
        "aaaa": Status.RUNNING,
        "bbbb": Status.FINISHED,
    }


def test_an_own_id_says_what_is_one_build_and_what_is_another(at: Desk) -> None:
    for body in (
        event(run_id=7, status="running", started_at="2026-11-20T11:00:00Z"),
        event(run_id="7", status="failure", commit=..., branch=...),
        event(run_id=7, attempt=2, status="running", started_at="2026-11-20T11:20:00Z"),
        event(run_id=7, attempt=2, status="success"),
        event(run_id=8, started_at="2026-11-20T11:00:00Z"),
    ):
        at.post("/api/events/run", body)
    found = {(build.external_id, build.attempt): build.outcome for build in at.builds()}
    assert found[("7", 2)] == found[("8", 1)] == Outcome.SUCCESS
    assert {build.number for build in at.builds() if build.external_id == "7"} == {
        int(datetime(2026, 11, 20, 11, tzinfo=UTC).timestamp())
    }


def test_runs_that_arrive_in_any_order_are_in_the_order_in_which_they_began(at: Desk) -> None:
    for minute in (30, 10, 20):
        outcome = "success" if minute == 30 else "failure"
        at.post("/api/events/run", event(status=outcome, started_at=f"2026-11-20T11:{minute}:00Z", duration_sec=60))
    numbers = {build.started_at: build.number for build in at.builds()}
    assert [numbers[each] for each in sorted(numbers, key=str)] == sorted(numbers.values())
    assert at.builds()[0].outcome is Outcome.SUCCESS
    assert not [line for line in at.said() if "failed" in line and "recovered" not in line and "fixed" not in line]


def test_a_pipeline_whose_builds_name_no_branch_is_one_line_until_one_does(at: Desk) -> None:
    at.post("/api/events/run", event(branch=..., status="failure"))
    assert not at.builds()[0].pipeline.branched
    assert len(at.said()) == 1
    at.now += MINUTE
    at.post("/api/events/run", event(status="failure"))
    assert at.builds()[1].pipeline.branched
    at.now += MINUTE
    at.post("/api/events/run", event(status="failure", branch=...))
    assert all(build.pipeline.branched for build in at.builds())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "success"}, "body.pipeline"),
        (event(pipeline=""), "body.pipeline"),
        (event(pipeline=" \t\n"), "body.pipeline"),
        (event(pipeline="x" * 256), "body.pipeline"),
        (event(pipeline=7), "body.pipeline"),
        (event(status=...), "body.status"),
        (event(status="splendid"), "body.status"),
        (event(status=None), "body.status"),
        (event(started_at="yesterday"), "body.started_at"),
        (event(started_at="9999-12-31T23:59:59Z"), "body.started_at"),
        (event(started_at="2026-11-22T12:00:01Z"), "body.started_at"),
        (event(started_at="1969-12-31T00:00:00Z"), "body.started_at"),
        (event(started_at="0001-01-01T00:00:00+14:00"), "body.started_at"),
        (event(started_at=7), "body.started_at"),
        (event(duration_sec=-1), "body.duration_sec"),
        (event(duration_sec=1e12), "body.duration_sec"),
        (event(attempt=0), "body.attempt"),
        (event(labels={"a": 1}), "body.labels.a"),
        (event(started_at="2026-11-20T12:00:00Z", finished_at="2026-11-20T11:00:00Z"), "body"),
        (event(started_at="2026-01-20T12:00:00Z", finished_at="2026-11-20T11:00:00Z"), "body"),
        ([], "body"),
        (None, "body"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_be_used_is_refused_and_the_field_named(body: Any, field: str, at: Desk) -> None:
    answer = at.post("/api/events/run", body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in [each["field"] for each in answer.json()["errors"]]
    assert at.builds() == []


def test_what_is_no_json_is_refused(at: Desk) -> None:
    assert send(at, "/api/events/run", "{").status_code == 422
    assert send(at, "/api/events/run", '{"pipeline": "a", "duration_sec": NaN}').status_code == 422


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_stored_harmless(text: str, at: Desk) -> None:
    body = event(branch=text, commit=text, triggered_by=text, title=text, url=text, logs=text, labels={"x": text})
    answer = send(at, "/api/events/run", json.dumps(body))
    assert answer.status_code in {200, 422}
    for build in at.builds():
        assert build.url is None or build.url.startswith("http")
        assert "\0" not in str(build)


def test_every_word_for_a_status_is_understood(at: Desk) -> None:
    words = {
        "PASSED": "success", "Success": "success", "FAILED": "failure", "KILLED": "cancelled", "aborted": "cancelled",
        "timed-out": "failure", "ERROR": "failure", "skipped": "skipped",
        "in progress": "running", "PENDING": "running",
        "unknown": "unknown", "UNSTABLE": "failure",
    }  # fmt: skip
    for word, shown in words.items():
        assert at.post("/api/events/run", event(pipeline=word, status=word)).json()["status"] == shown


def test_figures_labels_and_causes_of_a_run_are_kept(at: Desk) -> None:
    at.post(
        "/api/events/run",
        event(
            status="failure", labels={"cloud": "c4"}, measurements={"pods": 3}, reason="Stack", subreason="Helm",
            logs="line\npassword=hunter2hunter2\n", url="https://ci.example.com/7", title="Nightly",
        ),
    )  # fmt: skip
    (build,) = at.builds()
    assert (build.bucket, build.reason, build.title) == ("Stack", "Helm", "Nightly")
    assert (build.labels, build.measurements) == ({"cloud": "c4"}, {"pods": 3.0})
    assert build.url == "https://ci.example.com/7"
    assert build.log_excerpt is not None
    assert "hunter2" not in build.log_excerpt


def test_pipelines_that_no_entry_takes_are_refused(make: Callable[..., Desk]) -> None:
    own = CONFIG.replace(
        "pipelines:", "  mine: {kind: push}\npipelines:\n  - {provider: mine, key: known, name: Known}"
    )
    at = make(config=own.replace("\n  mine", "\n  mine", 1))
    assert at.post("/api/events/run", event(pipeline="known")).json()["pipeline"] == "Known"
    assert at.builds()[0].pipeline.provider == "mine"
    answer = at.post("/api/events/run", event(pipeline="other"))
    assert answer.status_code == 422
    assert "other" in answer.json()["detail"]


# ---- seed 004: POST /ingest/github and /ingest/jenkins


def test_the_build_of_seed_004_is_answered_with_what_its_table_holds(at: Desk) -> None:
    answer = send(at, "/ingest/github", GITHUB)
    assert answer.status_code == 200
    found = answer.json()
    sent = {**json.loads(GITHUB), "provider": "github", "created_at": "2025-08-24T10:30:00Z"}
    assert found == {**sent, "id": at.builds()[0].id}
    assert at.builds()[0].pipeline.key == "org/repository/build-and-test"
    assert send(at, "/ingest/github", GITHUB).json() == found
    assert len(at.builds()) == 1


def test_a_run_of_github_that_nobody_polls_is_known_by_its_page_and_its_attempts(at: Desk) -> None:
    page = "https://github.com/org/repository/actions/runs/12345"
    body = {"pipeline": "ci", "repo": "org/repository", "branch": "main", "status": "failure", "url": page}
    first = at.post("/ingest/github", body).json()["id"]
    assert at.post("/ingest/github", body).json()["id"] == first  # sent again, as the answer was lost
    again = {**body, "status": "success"}
    second = at.post("/ingest/github", {**again, "attempt": 2}).json()["id"]
    assert second != first
    assert at.post("/ingest/github", {**again, "url": f"{page}/attempts/2"}).json()["id"] == second
    (build,) = at.builds()  # of several attempts the last one counts
    assert (build.id, build.attempt, build.outcome) == (second, 2, Outcome.SUCCESS)


def test_a_jenkins_build_that_nobody_polls_is_stored(at: Desk) -> None:
    body = {"pipeline": "nightly", "status": "in_progress", "url": "https://elsewhere.example.com/job/nightly/7/"}
    assert at.post("/ingest/jenkins", body).json()["status"] == "in_progress"
    found = at.post("/ingest/jenkins", {**body, "status": "FAILURE"}).json()
    assert (found["provider"], found["status"], found["repo"]) == ("jenkins", "failure", None)
    assert len(at.builds()) == len(at.said()) == 1


def test_a_jenkins_build_that_is_polled_wakes_the_poll_and_is_not_stored(at: Desk) -> None:
    at.polls = True
    body = {"pipeline": "web", "status": "failure", "url": "https://ci.example.com/ci/job/team/job/web/7/"}
    answer = at.post("/ingest/jenkins", body)
    assert answer.status_code == 202
    assert answer.json()["stored"] is False
    assert at.polled == [("nsp", "jobs")]
    at.polls = False  # another process polls
    assert at.post("/ingest/jenkins", body).status_code == 202
    assert at.builds() == []


RUN_7 = {
    "pipeline": "CI", "repo": "acme/web", "branch": "main", "status": "failure",
    "started_at": "2026-11-20T11:30:00Z", "completed_at": "2026-11-20T11:35:00Z",
    "url": "https://github.com/acme/web/actions/runs/7",
}  # fmt: skip


def polled(at: Desk, **changes: Any) -> None:
    """What a poll of acme/web brought."""
    run = {
        "id": 6, "run_number": 3, "run_attempt": 1, "status": "completed", "conclusion": "success", "name": "CI",
        "path": ".github/workflows/ci.yml", "head_branch": "main", "head_sha": "a" * 40, "event": "push",
        "created_at": "2026-11-20T11:00:00Z", "run_started_at": "2026-11-20T11:00:00Z",
        "updated_at": "2026-11-20T11:05:00Z", "html_url": "https://github.com/acme/web/actions/runs/6", **changes,
    }  # fmt: skip
    provider = at.site.providers()["gh"]
    assert isinstance(provider, ReadsPosts)
    repository = {"full_name": "acme/web", "default_branch": "main"}
    posted = provider.posted({"workflow_run": run, "repository": repository})
    assert posted is not None
    assert posted.build is not None
    at.site.ingest(Page(pipelines=[posted.build.pipeline], builds=[posted.build]), "gh")


def test_a_run_of_a_polled_repository_becomes_the_very_build_that_polling_sees(at: Desk) -> None:
    polled(at)
    answer = at.post("/ingest/github", RUN_7)
    assert answer.status_code == 200
    pushed = at.builds()[-1]
    assert pushed.pipeline == at.builds()[0].pipeline
    assert (pushed.external_id, pushed.number, pushed.attempt) == ("7", 4, 1)
    assert len(at.said()) == 1
    polled(at, id=7, run_number=9, conclusion="failure", created_at="2026-11-20T11:30:00Z",
           run_started_at="2026-11-20T11:30:00Z", updated_at="2026-11-20T11:35:00Z")  # fmt: skip
    assert len(at.builds()) == 2
    assert at.builds()[-1].number == 9
    assert len(at.said()) == 1
    at.post("/ingest/github", {**RUN_7, "status": "running"})
    assert at.builds()[-1].outcome is Outcome.FAILURE


def test_a_known_run_is_found_by_its_number_and_its_attempts_are_told_apart(at: Desk) -> None:
    polled(at)
    polled(at, id=7, run_number=4, status="in_progress", conclusion=None, run_started_at="2026-11-20T11:30:00Z")
    at.post("/ingest/github", {**RUN_7, "pipeline": "whatever"})
    at.post("/ingest/github", {**RUN_7, "url": RUN_7["url"] + "/attempts/2", "status": "success", "run_number": 4})
    assert [(build.number, build.attempt, build.outcome) for build in at.builds()][-2:] != []
    found = {(build.external_id, build.attempt) for build in at.builds()}
    assert found <= {("6", 1), ("7", 1), ("7", 2)}


def test_a_run_of_a_workflow_that_was_never_polled_waits_for_the_poll(at: Desk) -> None:
    answer = at.post("/ingest/github", RUN_7)
    assert answer.status_code == 202
    assert "next poll" in answer.json()["reason"]
    assert at.polled == [("gh", "acme/web")]
    at.polls = True
    polled(at)
    assert at.post("/ingest/github", RUN_7).status_code == 202
    assert len(at.builds()) == 1


# ---- seed 000: POST /ingest/json


def test_the_array_of_seed_000_is_stored_with_the_times_of_the_zone(at: Desk) -> None:
    answer = send(at, "/ingest/json", REGRESSIONS)
    assert answer.status_code == 200
    (build,) = at.builds()
    assert answer.json() == {
        "stored": 1, "changed": 1, "ids": [build.id], "runs": json.loads(REGRESSIONS), "errors": [],
    }  # fmt: skip
    assert build.started_at == datetime(2025, 10, 24, 4, 35, 1, tzinfo=UTC)  # 10:05:01 in Kolkata
    assert build.outcome is Outcome.FAILURE
    assert (build.external_id, build.bucket, build.reason) == (
        "1761291703",
        "Stack Creation Failed",
        "Helm install failed",
    )
    assert build.labels == {"cloud": "blr-cloud4", "scheduler": "BLR-NSP-SCHEDULER1"}
    assert build.pipeline.key == "regression/blr-cloud4"


def test_a_request_is_updated_by_its_id_also_when_its_cloud_is_put_right(at: Desk) -> None:
    (first,) = json.loads(REGRESSIONS)
    at.post("/ingest/json", [{**first, "status": "RUNNING", "ended_at": None}])
    again = at.post("/ingest/json", [{**first, "status": "PASSED", "cloud": "blr-cloud5"}]).json()
    assert (again["stored"], again["changed"]) == (1, 1)
    (build,) = at.builds()
    assert (build.outcome, build.labels["cloud"]) == (Outcome.SUCCESS, "blr-cloud5")
    assert at.post("/ingest/json", [{**first, "status": "PASSED", "cloud": "blr-cloud5"}]).json()["changed"] == 0


def test_a_browser_is_sent_to_the_details(at: Desk) -> None:
    answer = send(at, "/ingest/json", REGRESSIONS, Accept="text/html,*/*;q=0.8")
    assert (answer.status_code, answer.headers["location"]) == (303, "/details")
    assert len(at.builds()) == 1


def test_one_bad_item_is_reported_by_its_index_and_the_others_are_stored(at: Desk) -> None:
    (good,) = json.loads(REGRESSIONS)
    bad = [{**good, "status": "HAPPY"}, 7, {**good, "request_id": ""}, {**good, "started_at": "soon"}, None]
    answer = at.post("/ingest/json", [bad[0], good, *bad[1:]])
    assert answer.status_code == 200
    found = answer.json()
    assert (found["stored"], len(at.builds())) == (1, 1)
    assert [each["index"] for each in found["errors"]] == [0, 2, 3, 4, 5]
    assert found["errors"][0]["field"] == "body.0.status"
    assert "HAPPY" in found["errors"][0]["problem"]
    none = at.post("/ingest/json", bad)
    assert none.status_code == 422
    assert none.json()["errors"][0]["field"] == "body.0.status"


def test_an_array_may_be_empty_and_must_not_be_endless(at: Desk) -> None:
    assert at.post("/ingest/json", []).json()["stored"] == 0
    assert at.post("/ingest/json", {"request_id": "1"}).status_code == 422
    assert at.post("/ingest/json", [0] * 10_001).status_code == 422


def test_an_array_of_ten_thousand_is_stored_at_once(at: Desk) -> None:
    (good,) = json.loads(REGRESSIONS)
    items = [{**good, "request_id": number} for number in range(10_000)]
    items[17]["status"] = "HAPPY"
    found = at.post("/ingest/json", items).json()
    assert (found["stored"], len(set(found["ids"]))) == (9999, 9999)
    assert [each["index"] for each in found["errors"]] == [17]


@pytest.mark.parametrize("own", [{"run_id": "7"}, {"started_at": "2026-11-20T11:00:00Z"}])
def test_the_same_body_of_many_at_once_is_one_build_and_one_message(own: dict[str, str], at: Desk) -> None:
    barrier, answers = Barrier(8), []

    def push() -> None:
        barrier.wait(10)
        answers.append(at.post("/api/events/run", event(status="failure", **own)).json()["id"])

    threads = [Thread(target=push) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [at.builds()[0].id] * 8
    assert len(at.builds()) == len(at.said()) == 1


def test_nothing_is_answered_before_it_is_stored(at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    body = event(run_id="7", status="failure")

    def dies(_: object) -> object:
        raise StoreError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "transact", lambda _, unit: dies(unit))
        answer = at.client.post("/api/events/run", json=body)
    assert (answer.status_code, at.builds(), at.said()) == (503, [], [])
    at.post("/api/events/run", body)
    at.post("/api/events/run", body)  # the first answer was lost
    assert len(at.builds()) == len(at.said()) == 1


NONSENSE: tuple[Any, ...] = (
    "\0", "\ud800x", "x" * 300_000, "\u202eabc", 1e400, float("nan"), -1, 10**30, -(10**30), True, [], {}, [[[]]],
    None, "", " ", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59", "2030-01-01", "2025-W01-1", "1e3", 2**63, 2**31, 0, 1.5, "=1+1",
)  # fmt: skip


def nonsense(names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Each of these fields with each value that nobody means."""
    for name, value in itertools.product(names, NONSENSE):
        yield name, value
        if name in {"labels", "measurements"}:
            yield name, {"key": value}
            yield name, {str(value): 1.0}


def test_nonsense_in_any_field_is_stored_harmless_or_reported_by_its_name(at: Desk) -> None:
    given = list(nonsense(RegressionRun.model_fields))
    items = [{"request_id": f"r{place}", "status": "failure", name: value} for place, (name, value) in enumerate(given)]
    texts = [json.dumps(each) for each in items if len(str(each)) < 100_000]  # all together stay below the limit
    answer = send(at, "/ingest/json", f"[{','.join(texts)}]")
    assert answer.status_code == 200
    found = answer.json()
    bad = {each["index"] for each in found["errors"]}
    assert found["stored"] == len(texts) - len(bad) > 100
    assert len(bad) > 100


@pytest.mark.parametrize("name", ["pipeline", "started_at", "duration_sec", "commit", "run_id", "labels", "logs"])
def test_nonsense_in_a_field_of_one_run_is_stored_harmless_or_refused_by_its_name(name: str, at: Desk) -> None:
    for _, value in nonsense([name]):
        answer = send(at, "/api/events/run", json.dumps({"pipeline": "p", "status": "failure", name: value}))
        assert answer.status_code in {200, 422}, (value, answer.text)
        if answer.status_code != 200:
            assert any(f".{name}" in each["field"] for each in answer.json()["errors"]), answer.text


@pytest.mark.parametrize(
    "raw",
    ['{"status": ' + "9" * 5000 + "}", "[" * 100_000, '{"a":' * 50_000, "[1e999", "null", "", '"\\ud800"', "\udcff"],
)
def test_a_body_that_is_no_object_is_refused(raw: str, at: Desk) -> None:
    for path in ("/api/events/run", "/ingest/github", "/ingest/jenkins", "/ingest/json"):
        answer = at.client.post(
            path, content=raw.encode(errors="surrogateescape"), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in {400, 422}
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_same_request_twice_in_an_array_is_one_build(at: Desk) -> None:
    (good,) = json.loads(REGRESSIONS)
    found = at.post("/ingest/json", [{**good, "status": "RUNNING"}, good, {**good, "status": "RUNNING"}]).json()
    assert len(set(found["ids"])) == len(at.builds()) == 1
    assert at.builds()[0].outcome is Outcome.FAILURE


def test_a_request_without_an_end_ended_when_it_began_and_its_log_has_an_address(make: Callable[..., Desk]) -> None:
    at = make(log_url="https://logs.example.com/request/{id}")
    at.post("/ingest/json", [{"request_id": "a b/7", "status": "KILLED", "started_at": "2026-11-20T17:00:00"}])
    (build,) = at.builds()
    assert build.finished_at == build.started_at == NOON - timedelta(minutes=30)
    assert build.outcome is Outcome.CANCELLED
    assert build.url == "https://logs.example.com/request/a%20b%2F7"
    assert build.pipeline.key == "regression"
