import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.build import Build, Outcome, Pipeline, Status
from domain.testreport import TestReport
from providers._jenkins.build import BuildReader, fields_for
from providers._jenkins.scm import Remotes
from providers._labels import LabelSource, label_source
from tests.support.jenkins_api import START, run

DATA = Path(__file__).parents[2].parent / "shared" / "data"
CASES = DATA / "cases"
recorded = pytest.mark.skipif(not CASES.is_dir(), reason="the recorded data is not beside this clone")


def reader(
    *sources: LabelSource,
    key: str = "folder/job",
    branch: str | None = None,
    remotes: Remotes | None = None,
    is_pull_request: bool = False,
) -> BuildReader:
    return BuildReader(
        pipeline=Pipeline(provider="ci", key=key, name=key, branched=branch is not None),
        url="https://jenkins.example.com/ci/job/folder/job/job/",
        branch=branch,
        is_pull_request=is_pull_request,
        labels=sources,
        job_labels={},
        remotes=remotes or Remotes(),
    )


def read(*actions: dict[str, Any], result: str | None = "SUCCESS", **more: Any) -> Build:
    return reader().read(run(4, result, actions=list(actions), **more), 0)


def git(sha: str, *branches: str, remotes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "_class": "hudson.plugins.git.util.BuildData",
        "lastBuiltRevision": {"SHA1": sha, "branch": [{"name": name} for name in branches]},
        "remoteUrls": list(remotes),
    }


def cause(java_class: str, **more: Any) -> dict[str, Any]:
    return {"_class": "hudson.model.CauseAction", "causes": [{"_class": java_class, **more}]}


def interrupted(java_class: str, text: str) -> dict[str, Any]:
    causes = [{"_class": java_class, "shortDescription": text}]
    return {"_class": "jenkins.model.InterruptedBuildAction", "causes": causes}


def test_milliseconds_become_utc_times_j12() -> None:
    build = reader().read(run(4, timestamp=1711277551963, duration=30415), 0)
    assert build.started_at == datetime(2024, 3, 24, 10, 52, 31, 963000, tzinfo=UTC)
    assert build.finished_at == datetime(2024, 3, 24, 10, 53, 2, 378000, tzinfo=UTC)
    assert build.external_id == "4@1711277551963"
    assert build.url == "https://jenkins.example.com/ci/job/folder/job/job/4/"


def test_a_running_build_has_neither_end_nor_outcome_j13() -> None:
    build = read(result=None, estimatedDuration=-1)
    assert (build.status, build.outcome, build.finished_at, build.duration) == (Status.RUNNING, None, None, None)


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("SUCCESS", Outcome.SUCCESS),
        ("UNSTABLE", Outcome.UNSTABLE),
        ("FAILURE", Outcome.FAILURE),
        ("ABORTED", Outcome.CANCELLED),
        ("NOT_BUILT", Outcome.SKIPPED),
        ("NOT_BUILD", Outcome.SKIPPED),
        ("BRAND_NEW", Outcome.UNKNOWN),
    ],
)
def test_every_result_has_an_outcome_and_is_kept_raw_j14(word: str, outcome: Outcome) -> None:
    build = read(result=word)
    assert (build.outcome, build.raw_outcome) == (outcome, word)


def test_an_interruption_by_timeout_is_no_trigger_but_the_reason_j15() -> None:
    build = read(
        interrupted("org.jenkinsci.plugins.workflow.steps.TimeoutStepExecution$ExceededTimeout", "Timeout exceeded"),
        cause("jenkins.branch.BranchEventCause", shortDescription="Push event to branch main"),
        result="ABORTED",
    )
    assert (build.trigger, build.outcome, build.reason) == ("BranchEventCause", Outcome.TIMEOUT, "timeout")


def test_a_plugin_may_say_in_words_that_it_took_too_long_but_a_name_says_nothing() -> None:
    words = "Build timed out (after 30 minutes). Marking the build as aborted."
    assert read(interrupted("jenkins.model.CauseOfInterruption", words), result="ABORTED").outcome is Outcome.TIMEOUT
    someone = interrupted("jenkins.model.CauseOfInterruption$UserInterruption", "Aborted by Timeout Watcher")
    assert read(someone, result="ABORTED").outcome is Outcome.CANCELLED


def test_who_aborted_a_build_is_the_reason() -> None:
    build = read(interrupted("jenkins.model.CauseOfInterruption$UserInterruption", "Aborted by Ann"), result="ABORTED")
    assert (build.trigger, build.outcome, build.reason) == (None, Outcome.CANCELLED, "Aborted by Ann")


def test_a_timeout_within_a_build_that_failed_leaves_it_a_failure() -> None:
    assert read(interrupted("x.ExceededTimeout", "Timeout"), result="FAILURE").outcome is Outcome.FAILURE


@pytest.mark.parametrize(
    ("action", "trigger", "actor"),
    [
        (cause("hudson.model.Cause$UserIdCause", userId="ann", userName="Ann Lee"), "UserIdCause", "Ann Lee"),
        (cause("hudson.model.Cause$UserIdCause", userId="ann", userName=None), "UserIdCause", "ann"),
        (cause("hudson.triggers.TimerTrigger$TimerTriggerCause"), "TimerTriggerCause", None),
        ({"causes": [{"userId": None, "userName": "anonymous"}]}, "UserIdCause", "anonymous"),
        ({"causes": [{"shortDescription": "Started by an SCM change"}]}, "Started by an SCM change", None),
        ({"causes": [{}, None]}, None, None),
        ({"causes": [{"note": "of a plug-in"}]}, "unknown", None),
    ],
)
def test_the_first_cause_is_the_trigger(action: dict[str, Any], trigger: str | None, actor: str | None) -> None:
    build = read(action, cause("com.sonyericsson.rebuild.RebuildCause") if trigger else {})
    assert (build.trigger, build.actor) == (trigger, actor)


@pytest.mark.parametrize(
    ("names", "branch"),
    [
        (["main"], "main"),
        (["origin/main"], "main"),
        (["remotes/origin/main"], "main"),
        (["refs/remotes/origin/main"], "main"),
        (["refs/remotes/upstream/feature/x"], "feature/x"),
        (["refs/heads/main"], "main"),
        (["detached"], None),
        (["detached", "origin/main"], "main"),
        (["origin/master", "origin/test"], "master"),
        ([], None),
    ],
)
def test_one_branch_has_many_spellings(names: list[str], branch: str | None) -> None:
    assert read(git("abc", *names)).branch == branch


def test_a_build_without_checkout_has_no_commit_j17() -> None:
    build = reader(branch="feature/2").read(run(4, "FAILURE", actions=[{}, None, {"lastBuiltRevision": None}]), 0)
    assert (build.commit, build.branch, build.external_id) == (None, "feature/2", f"feature/2#4@{START + 240_000}")


def test_the_branch_of_a_branch_job_is_its_name_whatever_was_checked_out() -> None:
    build = reader(branch="PR-7", is_pull_request=True).read(run(4, actions=[git("abc", "main")]), 0)
    assert (build.branch, build.commit, build.stream) == ("PR-7", "abc", None)


def test_the_checkout_named_like_the_job_is_the_one_j16() -> None:
    library, own = git("1", "main", remotes=("git@h:org/lib.git",)), git("2", "main", remotes=("git@h:org/Web.git",))
    for actions in ([library, own], [own, library]):
        assert reader(key="org/web").read(run(4, actions=actions), 0).commit == "2"


def test_a_repository_that_pipelines_share_is_not_theirs_j16() -> None:
    remotes = Remotes()
    library = git("1", "main", remotes=("git@h:org/lib.git",))
    mine, other = (git(sha, "main", remotes=(f"git@h:org/{sha}.git",)) for sha in ("2", "3"))
    reader(key="one", remotes=remotes).read(run(4, actions=[mine, library]), 0)
    assert reader(key="two", remotes=remotes).read(run(4, actions=[other, library]), 0).commit == "3"
    assert reader(key="one", remotes=remotes).read(run(4, actions=[mine, library]), 0).commit == "2"


def test_of_several_checkouts_the_last_one_counts_when_nothing_tells_j16() -> None:
    assert read(git("1", "a", remotes=("x/a",)), git("2", "b", remotes=("x/b",))).commit == "2"


def test_test_totals_come_without_another_request() -> None:
    totals = {"failCount": 2, "skipCount": 1, "totalCount": 10, "urlName": "testReport"}
    warnings = {"totalCount": 99, "urlName": "warnings"}
    assert read(warnings, totals, totals | {"totalCount": 5}).tests == TestReport(passed=7, failed=2, skipped=1)
    assert read({"failCount": None, "totalCount": None, "urlName": "testReport"}).tests == TestReport(
        passed=0, failed=0, skipped=0
    )


def test_the_metrics_plugin_tells_the_time_in_the_queue() -> None:
    assert read().queue_time is None
    assert read({"_class": "x.TimeInQueueAction", "queuingDurationMillis": 5911}).queue_time == timedelta(seconds=5.911)


def test_a_display_name_that_somebody_chose_is_the_title() -> None:
    assert read().title is None
    assert read(displayName="1.2.3 to staging").title == "1.2.3 to staging"


def test_foreign_text_is_made_harmless() -> None:
    build = read(cause("x.Y", userName="a\x1b[31m\ud800"), git("abc", "origin/\u202egnp"), displayName="a\0b")
    assert (build.title, build.actor, build.branch) == ("a\ufffdb", "a\\x1b[31m\ufffd", "\\u202egnp")


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "build",
        {},
        {"number": True, "timestamp": 1},
        {"number": 2**31, "timestamp": 1},
        {"number": 1, "timestamp": -1},
        {"number": 1, "timestamp": 10**18},
        {"number": 1, "timestamp": 1.5},
        {"number": 1, "timestamp": 1, "result": "SUCCESS", "duration": "long"},
        {"number": 1, "timestamp": 1, "actions": [1]},
        {"number": 1, "timestamp": 1, "actions": [{"causes": [{"userName": 5}]}]},
        {"number": 1, "timestamp": 1, "actions": [{"lastBuiltRevision": {"SHA1": ["x"]}}]},
        {"number": 1, "timestamp": 1, "displayName": "\ud800", "duration": 1, "result": 5},
        {"number": 1, "timestamp": 10**4000},
    ],
)
def test_what_is_no_build_is_kept_raw_and_the_rest_is_read(broken: Any) -> None:
    builds, unreadable = reader().read_all([broken, run(5)], 0)
    assert [build.number for build in builds] == [5]
    (kept,) = unreadable
    assert kept.pipeline == "folder/job"
    assert len(kept.raw) <= 16 * 1024
    kept.raw.encode()


def test_only_fields_that_labels_need_are_asked_for() -> None:
    assert "parameters" not in fields_for([])
    assert "description" not in fields_for([])
    sources = [label_source(name, name) for name in ("description", "built_on", "displayName", "job_name")]
    fields = fields_for([*sources, label_source("cloud", "parameters.CLOUD")])
    assert ",parameters[name,value]]" in fields
    assert "displayName,builtOn,description,actions[" in fields


def test_labels_are_read_off_parameters_and_texts() -> None:
    parameters = [
        {"name": "CLOUD", "value": "aws"},
        {"name": "DEBUG", "value": True},
        {"name": "COUNT", "value": 3},
        {"name": "SECRET"},
        {"name": "EMPTY", "value": ""},
        {"name": "LIST", "value": [1]},
        {},
    ]
    names = ("CLOUD", "DEBUG", "COUNT", "SECRET", "EMPTY", "LIST", "ABSENT")
    sources = [label_source(name.lower(), f"parameters.{name}") for name in names]
    sources += [
        label_source("node", "built_on"),
        label_source("release", {"description": r"release (?P<value>[\d.]+)"}),
        label_source("first", {"description": r"(\w+) "}),
        label_source("whole", {"description": r"re\w+"}),
        label_source("no", {"description": r"absent"}),
        label_source("scheduler", {"parameters.CLOUD": "a(?P<value>.*)"}),
    ]
    raw = run(1, actions=[{"parameters": parameters}], builtOn="node-7", description="release 25.3 of core")
    assert reader(*sources).read(raw, 0).labels == {
        "cloud": "aws",
        "debug": "true",
        "count": "3",
        "node": "node-7",
        "release": "25.3",
        "first": "release",
        "whole": "release",
        "scheduler": "ws",
    }


def test_builds_tell_branch_trigger_actor_and_the_node_of_the_server_itself() -> None:
    cause = {"_class": "hudson.model.Cause$UserIdCause", "userName": "Ada"}
    sources = [label_source(name, name) for name in ("branch", "trigger", "actor", "built_on", "title")]
    raw = run(1, actions=[{"causes": [cause]}], builtOn="", displayName="25.3 on blr-cloud4")
    assert reader(*sources, branch="main").read(raw, 0).labels == {
        "branch": "main",
        "trigger": "UserIdCause",
        "actor": "Ada",
        "built_on": "built-in",
        "title": "25.3 on blr-cloud4",
    }
    raw = run(2, displayName=None)
    del raw["builtOn"]  # builds of a Pipeline have none
    assert reader(*sources, branch="main").read(raw, 0).labels == {"branch": "main"}


def test_a_matrix_parent_counts_by_its_own_result_j22() -> None:
    stale = [{"number": 3, "result": "FAILURE", "url": "https://x/1/"}]
    assert read(result="SUCCESS", runs=stale, _class="hudson.matrix.MatrixBuild").outcome is Outcome.SUCCESS


def case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text())


@recorded
@pytest.mark.parametrize(
    ("name", "branch"),
    [
        ("jenkins_failure_without_revision", "feature-2"),
        ("jenkins_interruption_cause_in_causes", "PR-2"),
        ("jenkins_display_name_is_not_identity", "main"),
    ],
)
def test_golden_cases_of_a_multibranch_project(name: str, branch: str) -> None:
    golden = case(name)
    for given in golden["inputs"]:
        build = reader(branch=branch).read(given["data"], 0)
        expected = golden["expected"]
        if "status" in expected:
            assert build.raw_outcome == expected["status"].upper()
        if "commit" in expected:
            assert build.commit is expected["commit"] is None
        assert build.trigger == expected.get("trigger", "BranchEventCause")
        assert build.reason == expected.get("reason")
        if expected.get("reason") == "timeout":
            assert build.outcome is Outcome.TIMEOUT


@recorded
def test_the_golden_running_build_is_running() -> None:
    for given in case("jenkins_running_build")["inputs"]:
        raw = given.get("data", given)
        build = reader().read(raw, 0)
        assert (build.status, build.finished_at, build.duration) == (Status.RUNNING, None, None)
        assert build.actor == "mary marchini"


@recorded
def test_the_golden_branch_names_are_understood() -> None:
    for given in case("jenkins_branch_name_forms")["inputs"]:
        expected = "main" if "devlake" in given["file"] else "master"
        assert read(git("abc", *given["names"])).branch == expected, given


@recorded
def test_every_recorded_build_is_readable() -> None:
    lines = [
        json.loads(line)["data"]
        for file in sorted((DATA / "jenkins").glob("devlake_builds_*.jsonl"))
        for line in file.read_text().splitlines()
    ]
    builds, unreadable = reader().read_all(lines, 0)
    assert builds
    assert not unreadable
    assert Outcome.UNKNOWN not in {build.outcome for build in builds}
