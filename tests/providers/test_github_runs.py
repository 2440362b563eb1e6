"""How GitHub's runs become builds: golden cases where they are present, the same shapes by hand everywhere."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain.build import Build, Outcome, Status
from providers._github.runs import (
    attempt_of,
    created_at,
    is_over,
    kept,
    moment,
    pipeline_key,
    pipeline_of,
    run_id,
    to_build,
    unreadable,
    workflow_name,
    workflow_path,
)
from tests.support.github_api import NOON, run

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def built(found: dict[str, Any]) -> Build:
    path = workflow_path(found) or "workflows/7"
    pipeline = pipeline_of(
        workflow_name(found, path),
        key=pipeline_key("acme/web", path),
        provider="gh",
        repository="acme/web",
        path=path,
        web_url="https://github.com",
        branch="main",
    )
    return to_build(found, pipeline)


def case(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    file = DATA / "cases" / f"{name}.json"
    if not file.exists():
        pytest.skip(f"no recordings beside this repository: {file.name}")
    found = json.loads(file.read_text())
    return found["expected"], [each["run"] for each in found["inputs"]]


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        (".github/workflows/ci.yml", "CI", "acme/web CI"),
        (".github/workflows/ci.yml", " Build and test ", "acme/web Build and test"),
        (".github/workflows/nightly-e2e.yaml", ".github/workflows/nightly-e2e.yaml", "acme/web nightly-e2e"),
        (".github/workflows/ci.yml", None, "acme/web ci"),
        (".github/workflows/ci.yml", "", "acme/web ci"),
        (".github/workflows/ci.yml", 7, "acme/web ci"),
        ("dynamic/dependabot/dependabot-updates", "npm in /. - Update #12", "acme/web dependabot-updates"),
        ("workflows/7", None, "acme/web 7"),
    ],
)
def test_a_pipeline_is_called_by_its_repository_and_its_workflow(path: str, name: object, expected: str) -> None:
    assert built(run(path=path, name=name)).pipeline.name == expected


@pytest.mark.parametrize(
    ("conclusion", "outcome"),
    [
        ("success", Outcome.SUCCESS),
        ("failure", Outcome.FAILURE),
        ("startup_failure", Outcome.FAILURE),
        ("timed_out", Outcome.TIMEOUT),
        ("cancelled", Outcome.CANCELLED),
        ("stale", Outcome.CANCELLED),
        ("skipped", Outcome.SKIPPED),
        ("neutral", Outcome.SKIPPED),
        ("action_required", Outcome.SKIPPED),
        ("brand_new_value", Outcome.UNKNOWN),
        ("SUCCESS", Outcome.SUCCESS),
        (None, Outcome.UNKNOWN),
    ],
)
def test_every_conclusion_has_an_outcome_and_is_kept_raw(conclusion: str | None, outcome: Outcome) -> None:
    """G10, G13, G14: waiting for approval and skipped are no failures and no successes."""
    build = built(run(status="completed") | {"conclusion": conclusion})
    assert (build.status, build.outcome, build.raw_outcome) == (Status.FINISHED, outcome, conclusion)


@pytest.mark.parametrize(
    ("status", "conclusion", "expected"),
    [
        ("queued", None, Status.QUEUED),
        ("waiting", None, Status.QUEUED),
        ("requested", None, Status.QUEUED),
        ("pending", None, Status.QUEUED),
        ("in_progress", None, Status.RUNNING),
        ("in_progress", "failure", Status.RUNNING),  # the conclusion of an attempt before
        ("queued", "failure", Status.QUEUED),
        ("completed", "failure", Status.FINISHED),
        ("COMPLETED", "failure", Status.FINISHED),
        ("brand_new_value", None, Status.RUNNING),
        ("brand_new_value", "success", Status.FINISHED),
        (None, None, Status.QUEUED),
        (None, "success", Status.FINISHED),
    ],
)
def test_the_status_decides_how_far_a_run_is(status: str | None, conclusion: str | None, expected: Status) -> None:
    """G10: status and conclusion are two things."""
    found = run() | {"status": status, "conclusion": conclusion}
    assert built(found).status is expected
    assert is_over(found) is (expected is Status.FINISHED)


def test_a_run_with_every_nullable_field_null_is_still_a_build() -> None:
    """G9."""
    needed = {"id", "run_number", "status", "conclusion", "created_at", "updated_at", "event", "path"}
    bare = {name: value if name in needed else None for name, value in run().items()}
    build = built(bare)
    assert (build.branch, build.commit, build.title, build.actor, build.url) == (None,) * 5
    assert (build.attempt, build.is_fork, build.pipeline.name) == (1, False, "acme/web ci")
    assert build.started_at == build.queued_at == NOON + timedelta(minutes=1)


def test_a_deleted_fork_leaves_its_pull_request_a_fork() -> None:
    """G9, G12."""
    build = built(run(event="pull_request", head_repository=None))
    assert (build.is_fork, build.is_pull_request, build.stream) == (True, True, None)


@pytest.mark.parametrize(
    ("changes", "stream"),
    [
        ({}, "main"),
        ({"event": "schedule"}, "main"),
        ({"event": "pull_request"}, None),
        ({"event": "pull_request_target"}, None),
        ({"head_repository": {"id": 2}}, None),
        ({"event": "dynamic", "head_branch": "refs/pull/7/merge"}, None),
        ({"event": "merge_group", "head_branch": "gh-readonly-queue/main/pr-12-0a1b2c"}, "gh-readonly-queue/main"),
        ({"head_branch": "gh-readonly-queue/release/2.x/pr-1-ff"}, "gh-readonly-queue/release/2.x"),
        ({"head_branch": "gh-readonly-queue/odd"}, "gh-readonly-queue/odd"),
        ({"head_branch": "v1.2.3"}, "v1.2.3"),
    ],
)
def test_the_stream_of_a_run_is_its_branch_unless_it_is_a_pull_request_or_a_fork(
    changes: dict[str, Any], stream: str | None
) -> None:
    """G12: a fork's pull request from its `main` is no build of our main."""
    assert built(run(**changes)).stream == stream


def test_durations_are_our_own_arithmetic_from_the_begin_of_the_attempt() -> None:
    """G3, G21: never updated - created, never the timing endpoint."""
    second = built(run(run_attempt=2, run_started_at="2026-11-25T09:00:00Z", updated_at="2026-11-25T09:01:42Z"))
    assert second.duration == timedelta(seconds=102)
    assert second.queue_time == timedelta(0)


def test_queue_times_are_never_negative() -> None:
    """G5: clocks inside GitHub disagree by a second."""
    build = built(run(created_at="2026-11-20T10:47:43Z", run_started_at="2026-11-20T10:47:42Z"))
    assert build.queue_time == timedelta(0)


def test_an_end_before_the_begin_is_the_begin() -> None:
    assert built(run(updated_at="2026-11-20T00:00:00Z")).duration == timedelta(0)


def test_an_updated_at_beyond_what_a_run_can_last_is_not_its_end() -> None:
    """G4: at first contact nobody knows the true end; 401 days are certainly wrong."""
    build = built(run(updated_at="2027-12-26T00:00:00Z"))
    assert build.finished_at == build.started_at


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-01-20T09:42:40.000-08:00", datetime(2020, 1, 20, 17, 42, 40, tzinfo=UTC)),
        ("2020-01-20T17:42:40Z", datetime(2020, 1, 20, 17, 42, 40, tzinfo=UTC)),
        ("2020-01-20T17:42:40", datetime(2020, 1, 20, 17, 42, 40, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        (None, None),
    ],
)
def test_times_are_read_in_every_form_that_the_documentation_shows(text: str | None, expected: datetime | None) -> None:
    """G23."""
    assert moment(text) == expected


def test_the_workflow_is_known_by_its_path_without_a_ref() -> None:
    found = run(path=".github/workflows/ci.yml@refs/heads/main")
    assert built(found).pipeline.key == "acme/web/.github/workflows/ci.yml"
    dynamic = built(run(path="dynamic/github-code-scanning/codeql", name="CodeQL")).pipeline
    assert dynamic.key == "acme/web/dynamic/github-code-scanning/codeql"
    assert dynamic.url == "https://github.com/acme/web/actions/dynamic/github-code-scanning/codeql"
    assert workflow_path({"path": 7}) is workflow_path({}) is workflow_path({"path": "@x"}) is None


def test_what_the_cursor_keeps_of_a_run_builds_the_same_build() -> None:
    found = run(1, None)
    assert built(kept(found)) == built(found)
    assert len(orjson.dumps(kept(found | {"head_commit": {"message": "x" * 9999}}))) < 1000
    assert kept({"id": 1, "actor": None, "repository": "x"}) == {"id": 1}


def test_hostile_text_is_made_harmless_once() -> None:
    build = built(
        run(
            head_branch="main\u202egnp\x00\n",
            display_title="a\x1b]0;pwned\x07" + "x" * 999,
            triggering_actor={"login": "<!channel>\u2066"},
            html_url="javascript:alert(1)",
            event="push\r\nSet-Cookie: x",
            name="\ud800",
        )
    )
    text = f"{build.branch}{build.title}{build.actor}{build.trigger}{build.pipeline.name}"
    assert text.isprintable()
    assert build.url is None
    assert len(build.title or "") == 300
    text.encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "7"},
        {"run_number": None},
        {"run_number": -1},
        {"run_number": True},
        {"created_at": "soon"},
        {"updated_at": 7},
        {"actor": "ada", "triggering_actor": None},
    ],
)
def test_a_run_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)):
        built(run(**changes))


def test_a_missing_number_is_refused() -> None:
    found = run()
    del found["run_number"]
    with pytest.raises(KeyError):
        built(found)


def test_an_unreadable_run_is_kept_raw_and_short() -> None:
    found = unreadable(run(display_title="x" * 99999), "acme/web", ValueError("bad\x00thing"))
    assert (found.pipeline, found.external_id) == ("acme/web/.github/workflows/ci.yml", "1001")
    assert found.problem == "ValueError: bad\ufffdthing"
    assert len(found.raw) == 16 * 1024
    assert unreadable([1], "acme/web", TypeError()).pipeline == "acme/web/?"


def test_odd_fields_have_harmless_readings() -> None:
    assert attempt_of({"run_attempt": 0}) == attempt_of({"run_attempt": "2"}) == attempt_of({}) == 1
    assert run_id({"id": True}) is run_id("x") is run_id({}) is None
    assert created_at({"created_at": "soon"}) is created_at({"created_at": 7}) is None
    assert built(run(display_title=None, head_commit={"message": "First line\nrest"})).title == "First line"
    assert built(run(display_title="", head_commit={"message": None})).title is None


# ---- recordings


def test_golden_action_required_then_approved() -> None:
    expected, runs = case("gh_action_required_then_approved")
    first, second = (next(built(each) for each in runs if attempt_of(each) == attempt) for attempt in (1, 2))
    assert (first.outcome, first.raw_outcome) == (Outcome.SKIPPED, "action_required")
    assert second.outcome is Outcome.SUCCESS
    assert second.duration == timedelta(seconds=expected["attempt2_duration_s"])
    assert first.queued_at == moment(expected["created_at"])
    assert first.external_id == second.external_id


def test_golden_fork_main_branch() -> None:
    _, runs = case("gh_fork_main_branch")
    for build in map(built, runs):
        assert (build.branch, build.is_fork, build.is_pull_request, build.stream) == ("main", True, True, None)


def test_golden_rerun_attempt_created_after_started() -> None:
    expected, runs = case("gh_rerun_attempt_created_after_started")
    for build in map(built, runs):
        assert build.attempt == expected["attempt"]
        assert build.duration == timedelta(seconds=expected["duration_s"])
        assert build.queue_time == timedelta(seconds=expected["queue_s_min"])


def test_golden_rerun_same_id_no_attempt_field() -> None:
    expected, runs = case("gh_rerun_same_id_no_attempt_field")
    builds = [built(each) for each in runs]
    assert len({(build.external_id, build.attempt) for build in builds}) == expected["ids"]
    assert sum(build.status is Status.FINISHED for build in builds) >= expected["terminal_transitions"]
    assert builds[-1].raw_outcome == expected["final_status"]


def test_golden_started_before_created() -> None:
    expected, runs = case("gh_started_before_created")
    for build in map(built, runs):
        assert build.queue_time == timedelta(seconds=expected["queue_s"])


def test_golden_startup_failure() -> None:
    expected, runs = case("gh_startup_failure")
    for build in map(built, runs):
        assert (build.outcome, build.bucket) == (expected["normalized"], expected["bucket"])


def test_golden_updated_at_drifts_after_completion() -> None:
    expected, runs = case("gh_updated_at_drifts_after_completion")
    first, later = map(built, runs)
    assert (first.outcome, first.attempt) == (expected["status"], expected["attempt"])
    assert first.finished_at == moment(expected["finished_at"])
    assert first.duration == timedelta(seconds=expected["duration_s"])
    assert (later.external_id, later.attempt, later.outcome) == (first.external_id, first.attempt, first.outcome)


def test_every_recorded_run_is_a_build() -> None:
    if not DATA.exists():
        pytest.skip("no recordings beside this repository")
    lines = (DATA / "github" / "devlake_runs.jsonl").read_text().splitlines()
    files = (DATA / "github" / "tenstorrent").glob("*_workflow.json")
    builds = [built(json.loads(line)["data"]) for line in lines]
    builds += [built(json.loads(file.read_text())) for file in files]
    assert len(builds) > 40
    assert {build.outcome for build in builds} <= {*Outcome, None}
    assert all((build.duration or timedelta(0)) >= timedelta(0) for build in builds)
