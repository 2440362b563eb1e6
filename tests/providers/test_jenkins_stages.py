"""Where a build failed: stages of pipelines as wfapi tells them, and parts of other builds."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.build import Outcome
from domain.details import Stage
from providers._jenkins.log import read_step_log
from providers._jenkins.stages import (
    Course,
    Step,
    course_of,
    failed_of,
    failed_step,
    names_of,
    parts_of,
    read_course,
    with_step,
)

DATA = Path(__file__).parents[3] / "shared" / "data" / "jenkins"
recorded = pytest.mark.skipif(not DATA.exists(), reason="recorded CI data (../shared/data) is not on this machine")


class Answers:
    """Stands where an Asker stands: one JSON answer."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value
        self.asked: list[str] = []

    def json(self, below: str) -> dict[str, Any]:
        self.asked.append(below)
        return self.value


def course(*stages: tuple[str, str], cancelled: bool = False, **first: Any) -> Course:
    listed = [{"id": str(number), "name": name, "status": status} for number, (name, status) in enumerate(stages, 6)]
    listed[0] |= first
    return read_course(Answers({"stages": listed}), cancelled=cancelled)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stages", "cancelled", "failing"),
    [
        ([("A", "SUCCESS"), ("B", "FAILED"), ("C", "FAILED")], False, "B"),
        ([("A", "UNSTABLE"), ("B", "FAILED")], False, "B"),
        ([("A", "UNSTABLE"), ("B", "IN_PROGRESS")], False, "A"),
        ([("A", "UNSTABLE"), ("B", "IN_PROGRESS")], True, "B"),
        ([("A", "FAILED"), ("B", "ABORTED")], True, "A"),
        ([("A", "SUCCESS"), ("B", "PAUSED_PENDING_INPUT"), ("C", "NOT_EXECUTED")], True, "B"),
        ([("A", "SUCCESS"), ("B", "ABORTED")], False, "B"),
        ([("A", "SUCCESS"), ("B", "SKIPPED"), ("C", "SOMETHING_NEW")], False, None),
    ],
)
def test_the_first_stage_that_failed_is_the_failing_one(
    stages: list[tuple[str, str]], *, cancelled: bool, failing: str | None
) -> None:
    assert course(*stages, cancelled=cancelled).failing_stage == failing


def test_every_word_becomes_an_outcome() -> None:
    words = {
        "SUCCESS": Outcome.SUCCESS,
        "FAILED": Outcome.FAILURE,
        "UNSTABLE": Outcome.UNSTABLE,
        "ABORTED": Outcome.CANCELLED,
        "SKIPPED": Outcome.SKIPPED,
        "NOT_EXECUTED": None,
        "IN_PROGRESS": None,
        "PAUSED_PENDING_INPUT": None,
        "SOMETHING_NEW": None,
    }
    found = course(*((word, word) for word in words))
    assert {stage.name: stage.outcome for stage in found.stages} == words


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"message": "Helm install failed\nmore", "type": "x"}, "Helm install failed"),
        ({"message": "script returned exit code 1"}, None),
        ({"message": "Build marked as a failure, final stage will fail."}, None),
        ({"message": "  "}, None),
        ({"message": None}, None),
        (None, None),
        ("oops", None),
    ],
)
def test_a_reason_is_one_that_says_something(error: object, reason: str | None) -> None:
    assert course(("A", "FAILED"), error=error).reason == reason


@pytest.mark.parametrize(
    ("lasted", "duration"), [(1500, timedelta(seconds=1.5)), (-1, None), (1 << 60, None), ("9", None)]
)
def test_odd_durations_are_left_out(lasted: object, duration: timedelta | None) -> None:
    assert course(("A", "SUCCESS"), durationMillis=lasted).stages[0].duration == duration


def test_names_are_harmless_and_parallel_ones_stay_readable() -> None:
    found = course(("test \u202e(linux)", "SUCCESS"), ("Branch: e2e / chrome", "FAILED"))
    assert [stage.name for stage in found.stages] == ["test \\u202e(linux)", "Branch: e2e / chrome"]


def test_a_node_that_is_no_number_is_not_asked_for() -> None:
    assert course(("A", "FAILED"), id="../7").nodes == ()
    assert course(("A", "FAILED")).nodes == ((0, "6"),)


def test_up_to_three_stages_that_failed_may_hold_the_step() -> None:
    stages = [("A", "SUCCESS"), ("B", "FAILED"), ("C", "UNSTABLE"), ("D", "FAILED"), ("E", "FAILED"), ("F", "FAILED")]
    assert course(*stages).nodes == ((1, "7"), (3, "9"), (4, "10"))


def test_no_stages_are_no_stages() -> None:
    assert read_course(Answers({}), cancelled=False) == Course()  # type: ignore[arg-type]
    assert read_course(Answers({"stages": [7, None]}), cancelled=False) == Course()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("steps", "step"),
    [
        ([], None),
        ([{"id": "7", "name": "Git", "status": "SUCCESS"}], None),
        (
            [{"id": "7", "name": "A", "status": "UNSTABLE"}, {"id": "8", "name": "B", "status": "FAILED"}],
            Step(node="8", name="B"),
        ),
        ([{"id": "7", "name": "A", "status": "UNSTABLE"}], Step(node="7", name="A")),
        ([{"id": "7", "name": "Sleep", "status": "ABORTED"}], Step(node="7", name="Sleep")),
        (
            [{"id": "7", "name": "Shell Script", "status": "FAILED", "parameterDescription": "make test\nmake more"}],
            Step(node="7", name="Shell Script: make test"),
        ),
        ([{"id": "7", "status": "FAILED", "parameterDescription": "make"}], Step(node="7", name="make")),
        (
            [{"id": "7", "name": "A", "status": "FAILED", "execNode": "agent-1", "error": {"message": "no such host"}}],
            Step(node="7", name="A", runner="agent-1", reason="no such host"),
        ),
        ([{"id": "x", "name": "A", "status": "FAILED"}, 7], None),
    ],
)
def test_the_step_that_failed_is_found(steps: list[Any], step: Step | None) -> None:
    answers = Answers({"stageFlowNodes": steps})
    assert failed_step(answers, "6") == step  # type: ignore[arg-type]
    assert answers.asked == ["execution/node/6/wfapi/describe"]


def test_a_step_completes_the_course() -> None:
    failed = course(("A", "SUCCESS"), ("B", "FAILED"))
    found = with_step(failed, 1, Step(node="9", name="make", reason="boom", runner="a1"))
    assert (found.stages[1].step, found.reason, found.runner) == ("make", "boom", "a1")
    assert with_step(failed, 1, Step(node="9", name="")) == failed


def test_parts_of_a_multijob_count_as_their_last_try() -> None:
    jobs = [
        {"jobName": "unit", "phaseName": "Tests", "buildNumber": 4, "result": "FAILURE", "url": "job/unit/4/"},
        {"jobName": "unit", "phaseName": "Tests", "buildNumber": 5, "result": "SUCCESS", "url": "job/unit/5/"},
        {"jobName": "web", "jobAlias": "Web", "buildNumber": 7, "result": "UNSTABLE", "url": None},
        {"jobName": "never", "buildNumber": 0, "result": "NOT_BUILT"},
        7,
    ]
    parts = parts_of({"subBuilds": jobs}, 1)
    assert [(part.name, part.number, part.result, part.place) for part in parts] == [
        ("unit", 5, "SUCCESS", "job/unit/5/"),
        ("Web", 7, "UNSTABLE", None),
    ]
    found = course_of(parts, "https://ci/")
    assert found.stages == (
        Stage(name="Tests: unit", outcome=Outcome.SUCCESS, url="https://ci/job/unit/5/"),
        Stage(name="Web", outcome=Outcome.UNSTABLE),
    )
    assert (found.failing_stage, names_of(parts)) == ("Web", "Web")


def test_what_became_unstable_is_not_named_where_something_failed() -> None:
    runs = [
        {"number": 3, "url": f"https://ci/job/m/os={number}/3/", "result": result, "builtOn": f"agent-{number}"}
        for number, result in enumerate(["SUCCESS", "UNSTABLE", "FAILURE", "ABORTED", None, "NOT_BUILT", "ODD"])
    ]
    parts = parts_of({"runs": runs}, 3)
    assert [part.name for part in failed_of(parts)] == ["os=2", "os=6"]
    assert (course_of(parts, "https://ci/").runner, names_of(parts)) == ("agent-2", "os=2, os=6")
    assert names_of(parts[:1]) is None
    assert course_of(parts[:1], "https://ci/").failing is None


def test_a_run_without_a_url_is_told_without_a_name() -> None:
    assert [(part.name, part.place) for part in parts_of({"runs": [{"number": 3, "result": "FAILURE"}]}, 3)] == [
        ("?", None)
    ]


def recordings() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every run that was recorded with stages."""
    for path in sorted((DATA / "wfapi").glob("*.json")):
        value = json.loads(path.read_text("utf-8"))
        for run in value if isinstance(value, list) else [value]:
            if "stages" in run:
                yield path.name, run


@recorded
def test_recorded_runs_are_read_whole() -> None:
    runs = list(recordings())
    assert len(runs) > 10
    for name, run in runs:
        found = read_course(Answers(run), cancelled=False)  # type: ignore[arg-type]
        assert [stage.name for stage in found.stages] == [stage["name"] for stage in run["stages"]], name
        if run["status"] in {"SUCCESS", "NOT_EXECUTED"}:
            assert found.failing is None, name


@recorded
@pytest.mark.parametrize(
    ("name", "stage"), [("04_rest_api_runs_failed.json", "Staging"), ("08_rest_api_unstable_run.json", "Staging")]
)
def test_a_recorded_run_failed_in_its_failed_stage(name: str, stage: str) -> None:
    run = next(run for file, run in recordings() if file == name)
    assert read_course(Answers(run), cancelled=False).failing_stage == stage  # type: ignore[arg-type]


@recorded
def test_recorded_stages_of_devlake_have_their_outcomes() -> None:
    lines = (DATA / "devlake_wfapi_stages_multibranch.jsonl").read_text("utf-8").splitlines()
    stages = [json.loads(line)["data"] for line in lines]
    found = read_course(Answers({"stages": stages}), cancelled=False)  # type: ignore[arg-type]
    assert len(found.stages) == len(stages)
    told = {(stage["status"], each.outcome) for stage, each in zip(stages, found.stages, strict=True)}
    assert told <= {
        ("SUCCESS", Outcome.SUCCESS),
        ("FAILED", Outcome.FAILURE),
        ("ABORTED", Outcome.CANCELLED),
        ("UNSTABLE", Outcome.UNSTABLE),
        ("NOT_EXECUTED", None),
        ("IN_PROGRESS", None),
    }


@recorded
def test_the_recorded_log_of_a_node_is_its_end() -> None:
    raw = json.loads((DATA.parent / "logs" / "jenkins-rest" / "pipelineNodeLog.json").read_text("utf-8"))

    class Here(Answers):
        url = "https://ci/job/x/14/"

    found = read_step_log(Here(raw), "6", "Build", 1 << 20)  # type: ignore[arg-type]
    assert found is not None
    assert (found.text, found.whole, found.url) == (raw["text"], True, "https://ci/job/x/14/execution/node/6/log/")
