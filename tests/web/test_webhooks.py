"""What GitHub and Jenkins send by themselves: believed when signed, applied when newer, and never a second truth."""

import itertools
import json
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr

from domain.build import Build, Outcome, Status
from store import alerts, pushed
from store.engine import Database
from tests.support.builders import NOON
from tests.support.pushes import CONFIG, SECRET, Desk, desk
from web.intake.webhooks import REMEMBERED, TELLING, Memory, is_signed, signature_of
from web.settings import Access, Scope, Token

EXAMPLES = Path(__file__).with_name("data") / "github_webhooks.jsonl"
RECORDED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "github" / "webhooks"


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Callable[..., Desk]:
    return lambda **how: desk(database, tmp_path, **how)


@pytest.fixture
def at(make: Callable[..., Desk]) -> Desk:
    return make()


def run(status: str = "completed", conclusion: str | None = "failure", **changes: Any) -> dict[str, Any]:
    values = {
        "id": 7, "run_number": 3, "run_attempt": 1, "status": status, "conclusion": conclusion, "name": "CI",
        "path": ".github/workflows/ci.yml", "head_branch": "main", "head_sha": "a" * 40, "event": "push",
        "created_at": "2026-11-20T11:30:00Z", "run_started_at": "2026-11-20T11:30:00Z",
        "updated_at": "2026-11-20T11:35:00Z", "html_url": "https://github.com/acme/web/actions/runs/7",
    }  # fmt: skip
    return values | changes


def body(of: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"action": "completed", "workflow_run": of, "repository": {"full_name": "acme/web"}, **more}


_numbers = itertools.count()


def deliver(
    at: Desk,
    given: Any,
    *,
    event: str | None = "workflow_run",
    delivery: str | None = None,
    secret: str | None = SECRET,
    **headers: str,
) -> Any:
    raw = given if isinstance(given, bytes) else json.dumps(given).encode()
    sent = {"Content-Type": "application/json", "X-GitHub-Delivery": delivery or f"d{next(_numbers)}", **headers}
    if event is not None:
        sent["X-GitHub-Event"] = event
    if secret is not None:
        sent.setdefault("X-Hub-Signature-256", signature_of(SecretStr(secret), raw))
    return at.client.post("/webhooks/github", content=raw, headers=sent)


def test_the_signature_is_that_of_github_s_own_example() -> None:
    secret, text = SecretStr("It's a Secret to Everybody"), b"Hello, World!"
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature_of(secret, text) == expected
    assert is_signed(secret, text, expected)
    for wrong in (None, "", "sha256=", expected.upper(), expected[:-1], "sha1=" + expected[7:], "sha256=ü"):
        assert not is_signed(secret, text, wrong)


@pytest.mark.parametrize(
    "how",
    [
        {"secret": None}, {"secret": "wrong"}, {"X-Hub-Signature-256": "sha256=0"},
        {"X-Hub-Signature-256": signature_of(SecretStr(SECRET), b"{}")}, {"secret": None, "event": "ping"},
    ],
)  # fmt: skip
def test_a_forged_delivery_is_refused_and_changes_nothing(how: dict[str, Any], at: Desk) -> None:
    answer = deliver(at, body(run()), **how)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert at.builds() == at.polled == []


def test_without_a_secret_only_who_may_push_may_deliver(make: Callable[..., Desk]) -> None:
    open_to_all = make(github_secret=None)
    assert deliver(open_to_all, body(run()), secret=None).status_code == 200
    locked = Access(tokens=(Token(name="ci", token=SecretStr("token-of-ci"), scope=Scope.INGEST),))
    closed = make(github_secret=None, access=locked)
    assert deliver(closed, body(run()), secret=None).status_code == 401
    assert deliver(closed, body(run()), secret=None, Authorization="Bearer token-of-ci").status_code == 202


def test_a_signed_delivery_needs_no_token(make: Callable[..., Desk]) -> None:
    locked = Access(tokens=(Token(name="ci", token=SecretStr("token-of-ci"), scope=Scope.INGEST),))
    assert deliver(make(access=locked), body(run())).status_code == 200


def test_a_run_is_stored_and_alerts_at_once(at: Desk) -> None:
    answer = deliver(at, body(run()))
    assert answer.status_code == 200
    (build,) = at.builds()
    assert answer.json() == {"applied": True, "reason": "stored", "builds": [build.id]}
    assert (build.pipeline.key, build.external_id) == ("acme/web/.github/workflows/ci.yml", "7")
    assert build.outcome is Outcome.FAILURE
    assert len(at.said()) == 1
    assert at.polled == [("gh", "acme/web")]


def test_a_ping_is_answered(at: Desk) -> None:
    assert deliver(at, {"zen": "Keep it logically awesome."}, event="ping").json()["reason"] == "pong"


def test_the_same_delivery_again_changes_nothing(at: Desk) -> None:
    deliver(at, body(run()), delivery="once")
    again = deliver(at, body(run(conclusion="success", updated_at="2026-11-20T12:00:00Z")), delivery="once")
    assert again.status_code == 202
    assert again.json()["reason"] == "this delivery came before"
    assert at.builds()[0].outcome is Outcome.FAILURE


def test_a_delivery_that_is_replayed_after_a_restart_changes_nothing(make: Callable[..., Desk]) -> None:
    first = make()
    deliver(first, body(run("in_progress", None)), delivery="1")
    deliver(first, body(run()), delivery="2")
    before = first.builds()
    second = make()
    for delivery, given in (("1", run("in_progress", None)), ("2", run()), ("3", run(conclusion="success"))):
        assert deliver(second, body(given), delivery=delivery).status_code == 202
    assert second.builds() == before
    assert len(second.said()) == 1


STORY = [
    run("queued", None, updated_at="2026-11-20T11:30:00Z"),
    run("in_progress", None, updated_at="2026-11-20T11:30:05Z"),
    run("completed", "failure", updated_at="2026-11-20T11:35:00Z"),
    run("queued", None, run_attempt=2, run_started_at="2026-11-20T11:40:00Z", updated_at="2026-11-20T11:40:00Z"),
    run("in_progress", None, run_attempt=2, run_started_at="2026-11-20T11:40:00Z", updated_at="2026-11-20T11:40:05Z"),
    run(conclusion="success", run_attempt=2, run_started_at="2026-11-20T11:40:00Z", updated_at="2026-11-20T11:45:00Z"),
]  # fmt: skip


def attempts(at: Desk, run_id: int, path: str) -> list[Build]:
    """All of a run, also those that do not count any more."""
    ids, key = [str(run_id)], f"acme/web/{path}"
    found = at.database.read(lambda session: pushed.of_external_ids(session, "gh", ids, within=key))
    return [view.build for views in found.values() for view in views]


def test_deliveries_in_any_order_and_more_than_once_come_to_the_same(make: Callable[..., Desk]) -> None:
    at = make()
    for seed in range(20):
        chance = random.Random(seed)  # noqa: S311
        path = f".github/workflows/{seed}.yml"  # a pipeline for each
        shuffled = [{**given, "id": 100 + seed, "path": path} for given in (*STORY, *chance.choices(STORY, k=4))]
        chance.shuffle(shuffled)
        for number, given in enumerate(shuffled):
            assert deliver(at, body(given), delivery=f"{seed}-{number}").status_code in {200, 202}
        ended = {each.attempt: (each.status, each.outcome, each.finished_at) for each in attempts(at, 100 + seed, path)}
        assert ended == {
            1: (Status.FINISHED, Outcome.FAILURE, NOON - timedelta(minutes=25)),
            2: (Status.FINISHED, Outcome.SUCCESS, NOON - timedelta(minutes=15)),
        }
        assert not at.database.read(alerts.firing)


def test_the_object_counts_and_not_the_action(at: Desk) -> None:
    deliver(at, body(run("queued", None)))  # action: completed
    (build,) = at.builds()
    assert build.status is Status.QUEUED
    assert deliver(at, {**body(run()), "action": "requested"}).json()["applied"]


def test_a_server_that_is_polled_here_tells_itself_what_goes_on(at: Desk) -> None:
    at.polls = True
    first = deliver(at, body(run()))
    assert first.status_code == 202
    assert "not been read yet" in first.json()["reason"]
    at.polls = False
    deliver(at, body(run()))
    at.polls = True
    assert deliver(at, body(run("in_progress", None, id=8, run_number=4))).json()["reason"] == "gh is asked now"
    assert deliver(at, body(run(id=8, run_number=4))).json()["applied"]
    assert [build.external_id for build in at.builds()] == ["7", "8"]


def test_an_attempt_that_goes_on_after_its_end_is_asked_for(at: Desk) -> None:
    deliver(at, body(run(conclusion="action_required")))
    at.polled.clear()
    at.polls = True
    again = run("in_progress", None, updated_at="2026-11-20T11:50:00Z")  # somebody has approved it
    assert deliver(at, body(again)).json()["reason"] == "gh is asked now: this attempt had ended before"
    assert at.polled == [("gh", "acme/web")]
    for known in (run(conclusion="action_required"), run("in_progress", None), run(updated_at="soon")):
        assert deliver(at, body(known)).status_code in {202, 422}
    assert at.polled == [("gh", "acme/web")]
    (build,) = at.builds()
    assert build.outcome is Outcome.SKIPPED


@pytest.mark.parametrize(
    ("event", "given", "reason"),
    [
        ("push", {"repository": {"full_name": "acme/web"}}, "push: says nothing about builds"),
        ("workflow_job", {"repository": {"full_name": "acme/web"}, "workflow_job": {}}, "gh is polled"),
        ("check_run", {"repository": {"full_name": "acme/web"}}, "gh is polled"),
        ("workflow_run", {"repository": {"full_name": "o/r"}, "workflow_run": run()}, "nobody watches o/r"),
    ],
)  # fmt: skip
def test_what_is_of_no_use_is_answered_with_the_reason(event: str, given: Any, reason: str, at: Desk) -> None:
    answer = deliver(at, given, event=event)
    assert answer.status_code == 202
    assert answer.json()["reason"].startswith(reason)
    assert at.builds() == []


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (b"", 400), (b"{", 400), (b"[]", 422), (b"7", 422), (b"{}", 422), (b"\xff", 400),
        ({"repository": 1}, 422), (body(7), 422), (body({}), 422), (body(run(id="x")), 422),  # type: ignore[arg-type]
        (body(run(run_started_at="soon")), 422), (body(run(run_attempt=2**40)), 422),
    ],
)  # fmt: skip
def test_a_body_that_makes_no_sense_is_refused(given: Any, status: int, at: Desk) -> None:
    assert deliver(at, given).status_code == status
    assert at.builds() == []


def test_a_delivery_without_an_event_is_refused(at: Desk) -> None:
    assert deliver(at, body(run()), event=None).status_code == 400


def test_a_delivery_may_come_as_a_form(at: Desk) -> None:
    raw = urlencode({"payload": json.dumps(body(run()))}).encode()
    answer = deliver(at, raw, **{"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.json()["applied"]
    assert deliver(at, b"other=1", **{"Content-Type": "application/x-www-form-urlencoded"}).status_code == 400


def test_memory_is_bounded() -> None:
    memory = Memory()
    for number in range(REMEMBERED + 10):
        memory.note(number)
    assert memory.get(9) is None
    assert memory.get(10)


def examples() -> Iterator[tuple[str, Any]]:
    """(event, payload): GitHub's published examples, and what was recorded where that lies beside the project."""
    for line in EXAMPLES.read_text().splitlines():
        event, payload = json.loads(line)
        yield event, payload
    for path in sorted(RECORDED.glob("*.json")):
        found = json.loads(path.read_text())
        for each in found if isinstance(found, list) else [found]:
            payload = each.get("payload", each)
            yield next((name for name in sorted(TELLING) if name in payload), "push"), payload


def test_the_examples_that_github_publishes_are_taken_or_left_for_a_stated_reason(make: Callable[..., Desk]) -> None:
    payloads = list(examples())
    names = {payload["repository"]["full_name"] for _, payload in payloads if payload.get("repository")}
    entries = "\n".join(f"  - {{provider: gh, repo: {name}, branches: ['**']}}" for name in sorted(names))
    at = make(config=CONFIG.replace("  - {provider: gh, repo: acme/web}", entries))
    assert len({event for event, _ in payloads}) >= 58
    answers = [(event, deliver(at, payload, event=event)) for event, payload in payloads]
    for event, answer in answers:
        assert answer.status_code in {200, 202}, (event, answer.text)
        reason = answer.json()["reason"]
        if event == "ping":
            assert reason == "pong"
        elif event not in TELLING:
            assert reason == f"{event}: says nothing about builds"
        elif event != "workflow_run":
            assert reason == "gh is polled: it will tell"
        else:
            assert reason in {"stored", "nothing new: as much or more is known of this attempt"}
    stored = at.builds()
    assert {("289782451", Outcome.SUCCESS), ("1589141559", None)} <= {
        (each.external_id, each.outcome) for each in stored
    }
    random.Random(1).shuffle(payloads)  # noqa: S311
    for event, payload in payloads:
        assert deliver(at, payload, event=event).status_code == (200 if event == "ping" else 202)
    assert at.builds() == stored


NOTIFICATION = {
    "name": "web", "display_name": "web", "url": "job/team/job/web/",
    "build": {
        "full_url": "http://internal:8080/job/team/job/web/7/", "number": 7, "phase": "COMPLETED",
        "status": "FAILURE", "url": "job/team/job/web/7/",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        NOTIFICATION, {"job": "team/web", "number": 7}, {"job": "/team/web/"}, {"build": NOTIFICATION["build"]},
        {"build_url": "https://ci.example.com/ci/job/team/job/web/7/"},
        {"url": "https://ci.example.com/ci/job/team/job/web/"},
    ],
)  # fmt: skip
def test_jenkins_wakes_its_poll_and_nothing_is_stored(given: dict[str, Any], at: Desk) -> None:
    at.polls = True
    answer = at.client.post("/webhooks/jenkins", json=given)
    assert answer.status_code == 202
    assert answer.json() == {"applied": False, "reason": "nsp is asked now", "builds": []}
    assert at.polled == [("nsp", "jobs")]
    assert at.builds() == []


@pytest.mark.parametrize("phase", ["QUEUED", "STARTED", "COMPLETED", "FINALIZED"])
@pytest.mark.parametrize("address", ["job/team/job/web/", "job/team/job/web/job/feature%252Fx/"])
def test_every_phase_of_the_notification_plugin_wakes_the_poll(phase: str, address: str, at: Desk) -> None:
    at.polls = True
    build = {
        "full_url": f"https://ci.example.com/ci/{address}7/", "number": 7, "queue_id": 12, "timestamp": 1795178400000,
        "phase": phase, "url": f"{address}7/", "log": "Started\r\n", "notes": "", "test_summary": None,
        "scm": {"url": "git@git.example.com:team/web.git", "branch": "origin/main", "commit": "a" * 40, "culprits": []},
        "parameters": {"branch": "main"}, "artifacts": {"a.jar": {"archive": f"https://ci.example.com/ci/{address}7/a"}},
    } | ({} if phase in {"QUEUED", "STARTED"} else {"status": "SUCCESS", "duration": 1234})  # fmt: skip
    answer = at.client.post(
        "/webhooks/jenkins", json={"name": "web", "display_name": "web", "url": address, "build": build}
    )
    assert (answer.status_code, answer.json()["reason"]) == (202, "nsp is asked now")
    assert at.polled == [("nsp", "jobs")]
    assert at.builds() == []


def test_jenkins_jobs_that_nobody_watches_are_left_alone(at: Desk) -> None:
    assert at.client.post("/webhooks/jenkins", json={"job": "other/web"}).json()["reason"] == "nobody watches this job"
    assert "another process" in at.client.post("/webhooks/jenkins", json={"job": "team/web"}).json()["reason"]


@pytest.mark.parametrize(
    "given", [{}, {"job": 7}, {"job": "/"}, {"url": "https://ci.example.com/view/x"}, {"build": 7}, [], {"url": 7}]
)
def test_a_body_of_jenkins_that_names_no_job_is_refused(given: Any, at: Desk) -> None:
    answer = at.client.post("/webhooks/jenkins", json=given)
    assert answer.status_code == 422
    assert at.polled == []
