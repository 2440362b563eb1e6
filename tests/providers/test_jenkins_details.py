"""What the provider tells about builds of the simulated Jenkins, over real sockets."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.build import Outcome
from domain.details import Artifact, Details
from domain.testreport import TestCase, TestStatus
from providers._base import Refused, TellsDetails, Trouble, Unavailable, Wanted
from providers._jenkins.asking import place_in, place_of
from providers._jenkins.details import read_details
from simulator import faults
from simulator.jenkins_details import Change, Stage
from simulator.jenkins_kinds import MULTIJOB
from simulator.server import Fault
from tests.support.builders import build as a_build
from tests.support.builders import pipeline as a_pipeline
from tests.support.jenkins_provider import provider
from tests.support.jenkins_scene import Scene, a_scene

OUTPUT = "+ make test\nAssertionError: expected <42> & got 41\n"
CONSOLE = (
    "Started by an SCM change\nRunning on agent-7 in /var/jenkins/workspace/web\n" + OUTPUT + "Finished: FAILURE\n"
)
FAILED = [
    Stage(name="Build", lasts=4.5),
    Stage(name="Test", status="FAILED", error="3 tests failed", step="Shell Script", script="make test", log=OUTPUT),
    Stage(name="Deploy", status="FAILED"),  # so Declarative shows what it skips after a failure
]


@pytest.fixture
def scene() -> Iterator[Scene]:
    with a_scene() as made:
        yield made


def test_the_provider_fills_the_port() -> None:
    assert isinstance(provider("a"), TellsDetails)


def test_a_failed_pipeline_tells_its_stages_its_step_its_logs_and_its_agent(scene: Scene) -> None:
    scene.world.pipeline("team/web").build("FAILURE", stages=FAILED, log=CONSOLE)
    found = scene.details("team/web")
    assert [(stage.name, stage.outcome) for stage in found.stages] == [
        ("Build", Outcome.SUCCESS),
        ("Test", Outcome.FAILURE),
        ("Deploy", Outcome.FAILURE),
    ]
    assert found.stages[0].duration == timedelta(seconds=4.5)
    assert (found.failing_stage, found.stages[1].step) == ("Test", "Shell Script: make test")
    assert (found.outcome, found.reason) == (None, "3 tests failed")
    assert [(log.name, log.text, log.whole) for log in found.logs] == [
        ("Test", OUTPUT, True),
        (None, CONSOLE, True),
    ]
    assert found.logs[1].url == f"{scene.server.url}/job/team/job/web/1/console"
    assert (found.labels, found.notes, found.tests) == ({"runner": "agent-7"}, (), None)


def test_it_costs_seven_requests_and_no_list_of_builds(scene: Scene) -> None:
    scene.world.pipeline("web").build("FAILURE", stages=FAILED, log=CONSOLE)
    scene.server.loads.clear()
    scene.details("web")
    assert scene.asked() == [
        "job/web/1/",
        "job/web/1/wfapi/describe",
        "job/web/1/execution/node/11/wfapi/describe",
        "job/web/1/execution/node/13/wfapi/log",
        "job/web/1/logText/progressiveText",
        "job/web/1/testReport/",
    ]
    assert scene.server.loads["builds"] + scene.server.loads["allBuilds"] <= 1  # that of the poll


def test_what_is_not_wanted_is_not_asked_for(scene: Scene) -> None:
    scene.world.pipeline("web").build("FAILURE", stages=FAILED, log=CONSOLE)
    found = scene.details("web", stages=False, log_bytes=0, tests=False)
    assert scene.asked() == ["job/web/1/"]
    assert (found.stages, found.logs, found.tests, found.labels) == ((), (), None, {})


def test_a_build_that_passed_tells_its_agent_from_the_beginning_of_its_console(scene: Scene) -> None:
    stages = [Stage(name="Flaky", status="FAILED"), Stage(name="Build")]
    scene.world.pipeline("web").build("SUCCESS", stages=stages, log=CONSOLE)
    found = scene.details("web", log_bytes=0, tests=False)
    assert scene.asked() == ["job/web/1/", "job/web/1/wfapi/describe", "job/web/1/consoleText"]
    assert (found.labels, found.failing_stage) == ({"runner": "agent-7"}, None)
    assert [stage.outcome for stage in found.stages] == [Outcome.FAILURE, Outcome.SUCCESS]


def test_without_the_plugin_there_are_no_stages_and_nothing_is_said_of_it(scene: Scene) -> None:
    scene.server.pipeline_rest_api = False
    scene.world.pipeline("web").build("FAILURE", stages=FAILED, log=CONSOLE)
    found = scene.details("web")
    assert (found.stages, found.failing_stage, found.notes) == ((), None, ())
    assert [log.name for log in found.logs] == [None]
    assert found.labels == {"runner": "agent-7"}


def test_a_stage_around_others_leads_to_the_one_whose_step_failed(scene: Scene) -> None:
    around = Stage(name="Tests", status="FAILED", step="", script=None)
    inner = Stage(name="e2e", status="FAILED", script="npx playwright test", log="1 failed\n")
    scene.world.pipeline("web").build("FAILURE", stages=[around, Stage(name="unit"), inner], log="console\n")
    scene.build("web")
    scene.server.fault(faults.replace_body(b'{"stageFlowNodes": []}'), path="*/node/6/wfapi/describe")
    found = scene.details("web")
    assert (found.failing_stage, found.stages[2].step) == ("Tests", "Shell Script: npx playwright test")
    assert (found.logs[0].name, found.logs[0].text) == ("e2e", "1 failed\n")


def test_an_unstable_build_failed_where_it_became_unstable(scene: Scene) -> None:
    scene.world.pipeline("web").build("UNSTABLE")
    assert scene.details("web").failing_stage == "Test"


@pytest.mark.parametrize("status", ["IN_PROGRESS", "ABORTED", "PAUSED_PENDING_INPUT"])
def test_an_aborted_build_failed_where_it_was_stopped(scene: Scene, status: str) -> None:
    stages = [
        Stage(name="Lint", status="UNSTABLE"),
        Stage(name="Soak", status=status),
        Stage(name="Never", status="NOT_EXECUTED"),
    ]
    scene.world.pipeline("web").build("ABORTED", stages=stages, interrupted_by="user")
    found = scene.details("web")
    assert (found.failing_stage, found.outcome, found.reason) == ("Soak", None, "Aborted by Ada Moreau")
    assert found.stages[2].outcome is None


def test_a_timeout_is_told_as_one(scene: Scene) -> None:
    scene.world.pipeline("web").build("ABORTED", interrupted_by="timeout")
    found = scene.details("web")
    assert (found.outcome, found.reason) == (Outcome.TIMEOUT, "Timeout has been exceeded")


@pytest.mark.parametrize(
    ("result", "line", "outcome"),
    [
        ("ABORTED", "Build timed out (after 3 minutes). Marking the build as aborted.", Outcome.TIMEOUT),
        (
            "FAILURE",
            "[2026-11-20T12:00:00.000Z] Build timed out (after 3 minutes). Marking the build as failed.",
            Outcome.TIMEOUT,
        ),
        ("ABORTED", "Cancelling nested steps due to timeout", Outcome.TIMEOUT),
        ("FAILURE", "Cancelling nested steps due to timeout", None),  # it went on, and failed for another reason
        ("ABORTED", "curl: Build timed out (after", None),
    ],
)
def test_a_timeout_of_a_plugin_is_read_off_the_console(
    scene: Scene, result: str, line: str, outcome: Outcome | None
) -> None:
    scene.world.job("web").build(result, log=f"+ sleep 1000\n{line}\nFinished: {result}\n")
    found = scene.details("web")
    assert (found.outcome, found.reason is None) == (outcome, outcome is None)


def test_a_stage_that_only_says_that_it_ended_gives_no_reason(scene: Scene) -> None:
    scene.world.pipeline("web").build("FAILURE", failing_stage="Build")
    assert scene.details("web").reason is None


def test_a_reason_may_stand_at_the_step_alone(scene: Scene) -> None:
    scene.world.pipeline("web").build(
        "FAILURE", stages=[Stage(name="Deploy", status="FAILED", error="no such host\nat x")]
    )
    assert scene.details("web").reason == "no such host"


def test_a_freestyle_build_tells_its_node_and_its_console(scene: Scene) -> None:
    scene.world.job("api").build("FAILURE", built_on="linux-3", log="boom\n")
    scene.world.job("own").build("FAILURE", built_on="")
    found = scene.details("api")
    assert (found.labels, [log.text for log in found.logs], found.stages) == ({"runner": "linux-3"}, ["boom\n"], ())
    assert "job/api/1/wfapi/describe" not in scene.asked()
    assert scene.details("own").labels == {"runner": "built-in"}


def test_what_a_pipeline_waited_for_is_noted(scene: Scene) -> None:
    waiting = "Still waiting to schedule task\n\u2018agent-7\u2019 is offline\n"
    scene.world.pipeline("web").build("FAILURE", log=f"{waiting}Finished: FAILURE\n")
    scene.world.job("slow").build("FAILURE", queued_for=900, waited_for="executor")
    scene.world.job("behind").build("FAILURE", queued_for=900, waited_for="blocked")
    scene.world.job("quick").build("FAILURE", queued_for=9, waited_for="executor")
    assert scene.details("web").notes == ("queue: \u2018agent-7\u2019 is offline",)
    assert scene.details("slow").notes == ("queue: it waited 15m, mostly for an executor",)
    assert scene.details("behind").notes == ("queue: it waited 15m, mostly blocked by other builds",)
    assert scene.details("quick").notes == ()


def test_a_matrix_tells_which_configurations_failed_and_shows_their_consoles(scene: Scene) -> None:
    job = scene.world.matrix("nightly", {"os": ["linux", "mac", "win"]})
    built = job.build("FAILURE", cells={"os=linux": "SUCCESS", "os=mac": "FAILURE", "os=win": "FAILURE"})
    for run in built.runs:
        run.built_on, run.log = f"{run.job.name[3:]}-1", f"on {run.job.name}\n".encode()
    found = scene.details("nightly")
    assert found.failing_stage == "os=mac, os=win"
    assert [(stage.name, stage.outcome) for stage in found.stages] == [
        ("os=linux", Outcome.SUCCESS),
        ("os=mac", Outcome.FAILURE),
        ("os=win", Outcome.FAILURE),
    ]
    assert found.stages[1].url == f"{scene.server.url}/job/nightly/os=mac/1/"
    assert [(log.name, log.text) for log in found.logs[:2]] == [("os=mac", "on os=mac\n"), ("os=win", "on os=win\n")]
    assert found.logs[2].name is None
    assert found.labels == {"runner": "mac-1"}


def test_configurations_that_were_not_built_again_are_not_looked_at(scene: Scene) -> None:
    job = scene.world.matrix("nightly", {"os": ["linux", "mac"]})
    old = job.build("FAILURE", started_ago=600)
    new = job.build("FAILURE", cells={"os=mac": "FAILURE", "os=linux": "SUCCESS"})
    new.runs[0] = old.runs[0]
    found = scene.details("nightly")
    assert [stage.name for stage in found.stages] == ["os=mac"]
    assert not any("os=linux" in path for path in scene.asked())


def test_many_failed_configurations_are_counted(scene: Scene) -> None:
    scene.world.matrix("nightly", {"n": list("12345")}).build("FAILURE")
    found = scene.details("nightly")
    assert found.failing_stage == "n=1, n=2, n=3 and 2 more"
    assert [log.name for log in found.logs] == ["n=1", "n=2", None]


def test_a_multijob_is_followed_down_to_what_failed(scene: Scene) -> None:
    matrix = scene.world.matrix("linux", {"node": ["debian", "rhel"]})
    run = matrix.build("FAILURE", cells={"node=debian": "SUCCESS"})
    run.runs[1].log, run.runs[1].built_on = b"not ok 1\n", "rhel-2"
    lint = scene.world.job("lint").build("SUCCESS")
    inner = scene.world.job("commit", MULTIJOB).build("FAILURE", parts=[lint, run])
    scene.world.job("request", MULTIJOB).build("FAILURE", parts=[inner])
    found = scene.details("request")
    assert (found.failing_stage, [stage.name for stage in found.stages]) == ("commit", ["Tests: commit"])
    assert (found.logs[0].name, found.logs[0].text) == ("commit / linux / node=rhel", "not ok 1\n")
    assert found.labels == {"runner": "rhel-2"}


def test_the_tests_of_a_multijob_are_those_of_its_parts(scene: Scene) -> None:
    cases = [
        TestCase(suite="cart", name="adds", status=TestStatus.PASSED),
        TestCase(suite="cart", name="totals", status=TestStatus.FAILED, message="expected 42"),
    ]
    part = scene.world.job("unit").build("UNSTABLE", tests=cases)
    scene.world.job("all", MULTIJOB).build("UNSTABLE", parts=[part])
    found = scene.details("all").tests
    assert found is not None
    assert (found.passed, found.failed, found.skipped) == (1, 1, 0)
    assert [(case.suite, case.name, case.message) for case in found.cases] == [
        ("unit / cart", "adds", None),
        ("unit / cart", "totals", "expected 42"),
    ]


@pytest.mark.parametrize("branch", ["feature/x+y", "a b/ü", "50%", "what?", "x[1]#2", "it's"])
def test_branches_with_strange_names_are_found(scene: Scene, branch: str) -> None:
    scene.world.multibranch("org/web shop").build("FAILURE", branch=branch, stages=FAILED, log=CONSOLE)
    found = scene.details("org/web shop")
    assert (found.failing_stage, found.notes, len(found.logs)) == ("Test", (), 2)
    lost = dataclasses.replace(scene.build("org/web shop"), url=None)
    assert scene.watcher.jenkins.details(lost, Wanted()) == found
    moved = dataclasses.replace(lost, url="https://old.example.com/jenkins/job/x/1/")
    assert scene.watcher.jenkins.details(moved, Wanted()) == found


def test_a_build_without_a_place_is_not_asked_about(scene: Scene) -> None:
    lost = a_build(pipeline=a_pipeline("org/web"), branch=None, url=None)
    jenkins = scene.watcher.jenkins
    assert jenkins.details(lost, Wanted()) == Details(notes=("build: its place on the server is not known",))
    assert jenkins.artifacts(lost) == ()
    assert scene.server.requests == []


def test_places_are_taken_from_urls_of_any_server() -> None:
    assert place_in("https://elsewhere/ci/view/all/job/a/job/b%252Fc/7/") == "job/a/job/b%252Fc/7/"
    assert place_in("job/a/os=linux,jdk=21/7") == "job/a/os=linux,jdk=21/7/"
    assert place_in("https://elsewhere/job/a/../../credentials/7/") is None
    assert place_in("https://elsewhere/computer/7/") is None
    assert place_in(None) is None
    plain = a_build(3, pipeline=a_pipeline("team/api", branched=False), url=None)
    assert place_of("https://ci.example.com/", plain) == "job/team/job/api/3/"


def test_a_number_that_was_given_to_another_build_tells_nothing(scene: Scene) -> None:
    job = scene.world.job("api")
    job.build("FAILURE", started_ago=600)
    old = scene.build("api")
    job.recreate()
    job.build("FAILURE", log="of another build\n")
    assert scene.watcher.jenkins.details(old, Wanted()) == Details(
        notes=("build: its number belongs to another build now",)
    )


def test_a_build_that_is_gone_costs_one_request(scene: Scene) -> None:
    scene.world.job("api").build("FAILURE")
    old = scene.build("api")
    scene.world.job("api").builds[1].delete()
    scene.server.forget()
    assert scene.watcher.jenkins.details(old, Wanted()) == Details(notes=("build: HTTP 404",))
    assert len(scene.server.requests) == 1


def test_a_permission_that_is_missing_is_a_note(scene: Scene) -> None:
    scene.world.job("api").build("FAILURE")
    old = scene.build("api")
    scene.server.users = {}
    assert scene.watcher.jenkins.details(old, Wanted()).notes == ("build: HTTP 401",)
    scene.server.users = {"bot": "jenkins-token"}
    scene.world.job("api").permission = "discover"
    assert scene.watcher.jenkins.details(old, Wanted()).notes == ("build: HTTP 403",)


def test_each_part_that_cannot_be_read_is_a_note_and_the_others_are_told(scene: Scene) -> None:
    scene.world.pipeline("web").build("FAILURE", stages=FAILED, log=CONSOLE)
    scene.build("web")
    for path, fault in {
        "*/wfapi/describe": faults.answer(500),
        "*/progressiveText": faults.answer(403),
        "*/testReport/*": faults.html(),
    }.items():
        scene.server.fault(fault, path=path)
    found = scene.details("web")
    assert found.notes == ("stages: HTTP 500", "log: HTTP 403", "tests: not JSON")
    assert found.later
    scene.server.heal()
    scene.server.fault(faults.answer(403), path="*/progressiveText")
    assert not scene.details("web").later
    assert found.changes is not None


def test_a_broken_answer_is_a_note(scene: Scene) -> None:
    scene.world.pipeline("web").build("FAILURE", stages=FAILED, log=CONSOLE)
    scene.build("web")
    scene.server.fault(faults.replace_body(b'{"stages": 7}'), path="*/wfapi/describe")
    scene.server.fault(faults.replace_body(b'{"suites": [{"cases": [7]}]}'), path="*/testReport/*")
    found = scene.details("web")
    assert found.notes == (
        "stages: not understood (TypeError: 'int' object is not iterable)",
        "tests: not understood (AttributeError: 'int' object has no attribute 'get')",
    )
    assert found.logs


def test_odd_actions_and_parts_spoil_nothing_else(scene: Scene) -> None:
    built = scene.world.job("web").build("FAILURE", log="boom\n")
    build = scene.build("web")
    built.extra = {"actions": [7]}
    found = scene.watcher.jenkins.details(build, Wanted())
    assert found.notes == (
        "build: not understood (TypeError: argument of type 'int' is not iterable)",
        "queue: not understood (AttributeError: 'int' object has no attribute 'get')",
        "changes: not understood (AttributeError: 'int' object has no attribute 'get')",
    )
    assert [log.text for log in found.logs] == ["boom\n"]


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        (faults.answer(503), Trouble.SERVER_ERROR),
        (faults.drop(), Trouble.CONNECTION),
        (faults.html(), Trouble.NOT_JSON),
        (faults.rate_limited(30), Trouble.RATE_LIMIT),
    ],
)
def test_a_server_that_says_nothing_just_now_is_asked_again_later(scene: Scene, fault: Fault, trouble: Trouble) -> None:
    scene.world.pipeline("web").build("FAILURE", stages=FAILED, log=CONSOLE)
    scene.build("web")
    scene.server.fault(fault)
    build = scene.watcher.of("web")[1]
    with pytest.raises(Unavailable) as raised:
        scene.watcher.jenkins.details(build, Wanted())
    assert raised.value.trouble is trouble


def test_a_server_that_fails_is_asked_twice_for_a_part(scene: Scene) -> None:
    scene.world.pipeline("web").build("FAILURE", stages=FAILED, log=CONSOLE)
    scene.build("web")
    scene.server.fault(faults.answer(500), path="*/testReport/*")
    scene.details("web")
    assert len(scene.server.asked("*/testReport/*")) == 2
    scene.server.heal()
    scene.server.fault(faults.answer(500), path="*/testReport/*", times=1)
    assert scene.details("web").notes == ()


def test_a_limit_of_the_rate_ends_all_asking(scene: Scene) -> None:
    scene.world.pipeline("web").build("FAILURE", stages=FAILED, log=CONSOLE)
    scene.build("web")
    scene.server.fault(faults.rate_limited(30), path="*/wfapi/describe")
    found = scene.details("web")
    assert [r.path for r in scene.server.requests if "wfapi" in r.path] == ["/ci/job/web/1/wfapi/describe"]
    assert found.notes == ("stages: HTTP 429", "log: HTTP 429", "tests: HTTP 429")


def test_what_there_is_no_time_for_is_noted(scene: Scene) -> None:
    scene.world.pipeline("web").build("FAILURE", stages=FAILED, log=CONSOLE)
    build = scene.build("web")
    client = scene.watcher.jenkins._client
    with pytest.raises(Unavailable) as raised:
        read_details(client, build, Wanted(), seconds=0)
    assert raised.value.trouble is Trouble.TIMEOUT
    scene.server.fault(faults.hang(), path="*/progressiveText")
    found = read_details(client, build, Wanted(), seconds=0.5)
    assert found.notes == ("log: no answer in time", "tests: no time was left")
    assert found.failing_stage == "Test"


def test_urls_of_other_hosts_are_never_asked(scene: Scene) -> None:
    job = scene.world.matrix("nightly", {"os": ["mac"]})
    job.build("FAILURE")
    found = scene.details("nightly")  # every `url` of this server names https://ci.example.com/jenkins/
    assert found.notes == ()
    assert found.stages[0].url == f"{scene.server.url}/job/nightly/os=mac/1/"


def test_the_changes_since_the_last_pass_come_in_one_request(scene: Scene) -> None:
    job = scene.world.pipeline("web")
    for number, result in enumerate(("SUCCESS", "FAILURE", "FAILURE", "FAILURE"), start=1):
        job.build(result, started_ago=1000 - number * 100)
    found = scene.details("web", since=1, stages=False, log_bytes=0, tests=False)
    assert scene.asked() == ["job/web/4/", "job/web/"]
    assert found.changes is not None
    assert [commit.title for commit in found.changes.commits] == [
        "Change 4 of web",
        "Change 3 of web",
        "Change 2 of web",
    ]
    assert found.changes.commits[0].login == "mei"


def test_artifacts_are_listed_and_read(scene: Scene) -> None:
    files = {"reports/a b.xml": b"<testsuite/>", "ü.json": b"{}"}
    scene.world.job("api").build("SUCCESS", artifacts=files)
    build, jenkins = scene.build("api"), scene.watcher.jenkins
    listed = jenkins.artifacts(build)
    assert [(each.name, each.archive) for each in listed] == [("reports/a b.xml", False), ("ü.json", False)]
    assert [jenkins.read_artifact(build, each, 100) for each in listed] == list(files.values())
    with pytest.raises(Refused) as raised:
        jenkins.read_artifact(build, listed[0], 5)
    assert raised.value.trouble is Trouble.TOO_LARGE
    scene.world.job("api").builds[1].artifacts.clear()
    with pytest.raises(Refused) as raised:
        jenkins.read_artifact(build, listed[0], 100)
    assert raised.value.trouble is Trouble.NOT_FOUND
    assert jenkins.artifacts(build) == ()


def test_a_path_that_leaves_the_artifacts_is_not_asked_for(scene: Scene) -> None:
    scene.world.job("api").build("SUCCESS", artifacts={"../../secret": b"", "ok": b""})
    build, jenkins = scene.build("api"), scene.watcher.jenkins
    listed = jenkins.artifacts(build)
    assert [each.name for each in listed] == ["ok"]
    scene.server.forget()
    for key in (
        "../../secret",
        "job/api/1/artifact/../../secret",
        "job/api/1/artifact/%2e%2e/x",
        "job/api/1/artifact/x?y",
    ):
        with pytest.raises(Refused):
            jenkins.read_artifact(build, dataclasses.replace(listed[0], key=key), 100)
    assert scene.server.requests == []


def test_the_artifacts_of_a_matrix_are_those_of_its_configurations(scene: Scene) -> None:
    job = scene.world.matrix("nightly", {"os": ["linux", "mac"]})
    old = job.build("SUCCESS", started_ago=600)
    built = job.build("SUCCESS")
    built.runs[0].artifacts = {"junit/a b.xml": b"<a/>"}
    old.runs[1].artifacts = {"old.xml": b""}
    built.runs[1] = old.runs[1]
    build, jenkins = scene.build("nightly"), scene.watcher.jenkins
    (found,) = jenkins.artifacts(build)
    assert (found.name, jenkins.read_artifact(build, found, 100)) == ("os=linux/junit/a b.xml", b"<a/>")


def test_artifacts_in_a_storage_elsewhere_are_read_without_credentials(scene: Scene) -> None:
    scene.world.job("api").build("SUCCESS", artifacts={"a.xml": b"<a/>"})
    build, jenkins = scene.build("api"), scene.watcher.jenkins
    with a_scene() as other:
        storage = other.server
        scene.server.artifact_storage = storage.origin
        storage.fault(faults.answer(200, "<a/>"))
        assert jenkins.read_artifact(build, jenkins.artifacts(build)[0], 100) == b"<a/>"
        assert ["authorization" in request.headers for request in storage.requests] == [False]
    scene.server.artifact_storage = scene.server.url + "/loop"
    scene.server.fault(faults.redirect(f"{scene.server.url}/again"), path="*/loop/*")
    scene.server.fault(faults.redirect(f"{scene.server.url}/again"), path="*/again")
    with pytest.raises(Unavailable) as raised:
        jenkins.read_artifact(build, jenkins.artifacts(build)[0], 100)
    assert raised.value.trouble is Trouble.REDIRECT


def test_a_list_of_artifacts_that_cannot_be_read_is_an_error(scene: Scene) -> None:
    scene.world.job("api").build("SUCCESS")
    build = scene.build("api")
    scene.server.fault(faults.answer(503))
    with pytest.raises(Unavailable):
        scene.watcher.jenkins.artifacts(build)
    with pytest.raises(Unavailable):
        scene.watcher.jenkins.read_artifact(build, a_file(), 100)


def a_file() -> Artifact:
    return Artifact(name="a.xml", key="job/api/1/artifact/a.xml")


def test_a_commit_by_a_bot_is_told_as_one(scene: Scene) -> None:
    changes = [
        Change(commit="a" * 40, author="renovate[bot]", message="Update x\n\nlong"),
        Change(commit="b" * 40, author="Abbot", message=""),
    ]
    scene.world.job("api").build("FAILURE", changes=changes)
    found = scene.details("api").changes
    assert found is not None
    assert [(commit.title, commit.is_bot) for commit in found.commits] == [("Update x", True), ("", False)]
