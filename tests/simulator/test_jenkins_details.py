"""What the simulated Jenkins tells about one build: steps, consoles of any length, parts, files."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from domain.testreport import TestCase, TestStatus
from simulator.jenkins import JenkinsServer
from simulator.jenkins_details import Change, Stage
from simulator.jenkins_kinds import MULTIJOB
from simulator.world import World

Ask = Callable[..., Any]


@pytest.fixture
def ask(jenkins: JenkinsServer, http: requests.Session) -> Ask:
    http.auth = ("bot", "jenkins-token")

    def get(path: str, tree: str | None = None) -> Any:
        return http.get(f"{jenkins.url}/{path}", params={} if tree is None else {"tree": tree}).json()

    return get


@pytest.fixture
def status(ask: Ask, jenkins: JenkinsServer, http: requests.Session) -> Callable[[str], int]:
    del ask
    return lambda path: http.get(f"{jenkins.url}/{path}", allow_redirects=False).status_code


def test_a_stage_tells_its_steps_and_a_step_its_log(world: World, ask: Ask, status: Callable[[str], int]) -> None:
    stages = [
        Stage(name="Build", lasts=2),
        Stage(name="Test", status="FAILED", script="make test", log="a < b\n", runner="a1", error="boom"),
        Stage(name="Deploy", status="NOT_EXECUTED"),
    ]
    world.jenkins.pipeline("p").build("FAILURE", stages=stages, duration=30)
    told = ask("job/p/1/wfapi/describe")["stages"]
    assert [(each["id"], each["durationMillis"]) for each in told] == [("6", 2000), ("11", 10000), ("16", 10000)]
    assert told[1]["startTimeMillis"] - told[0]["startTimeMillis"] == 2000
    stage = ask("job/p/1/execution/node/11/wfapi/describe")
    (step,) = stage["stageFlowNodes"]
    assert (stage["name"], step["name"], step["parameterDescription"]) == ("Test", "Shell Script", "make test")
    assert (step["id"], step["execNode"], step["error"]["message"], step["parentNodes"]) == ("13", "a1", "boom", ["12"])
    assert step["_links"]["log"]["href"] == "/ci/job/p/1/execution/node/13/wfapi/log"
    assert ask("job/p/1/execution/node/13/wfapi/describe") == step
    log = ask("job/p/1/execution/node/13/wfapi/log")
    assert (log["text"], log["hasMore"], log["nodeStatus"]) == ("a &lt; b\n", False, "FAILED")
    assert log["consoleUrl"] == "/ci/job/p/1/execution/node/13/log"
    assert "text" not in ask("job/p/1/execution/node/11/wfapi/log")
    assert ask("job/p/1/execution/node/16/wfapi/describe")["stageFlowNodes"] == []
    for path in ("execution/node/99/wfapi/describe", "execution/node/99/wfapi/log", "execution/wfapi/describe"):
        assert status(f"job/p/1/{path}") == 404


def test_of_a_long_log_a_step_shows_the_last_ten_kilobytes(world: World, ask: Ask) -> None:
    world.jenkins.pipeline("p").build("FAILURE", stages=[Stage(name="T", status="FAILED", log="x" * 20_000 + "end")])
    log = ask("job/p/1/execution/node/8/wfapi/log")
    assert (log["length"], log["hasMore"], log["text"][-4:]) == (10240, True, "xend")


def test_chatter_before_a_log_is_never_held(world: World, jenkins: JenkinsServer, http: requests.Session) -> None:
    world.jenkins.job("api").build("FAILURE", log="end\n", chatter=1 << 40)
    http.auth = ("bot", "jenkins-token")
    url = f"{jenkins.url}/job/api/1/logText/progressiveText"
    with http.get(url, params={"start": "0"}, stream=True) as answer:
        assert answer.headers["X-Text-Size"] == str((1 << 40) + 4)
        assert next(answer.iter_content(6)) == b"[INFO]"
    assert http.head(url).headers["X-Text-Size"] == str((1 << 40) + 4)
    tail = http.get(url, params={"start": str((1 << 40) - 10)})
    assert (tail.content[-5:], len(tail.content) in {15, 16}) == (b"end\r\n", True)
    assert http.get(url, params={"start": str((1 << 40) + 2)}).content == b"d\r\n"


def test_a_console_text_is_streamed_too(world: World, jenkins: JenkinsServer, http: requests.Session) -> None:
    world.jenkins.job("api").build("FAILURE", log="end\n", chatter=1000)
    http.auth = ("bot", "jenkins-token")
    found = http.get(f"{jenkins.url}/job/api/1/consoleText")
    assert (len(found.content), found.content[-4:]) == (1004, b"end\n")


def test_the_page_of_a_console_tells_what_it_skips(
    world: World, jenkins: JenkinsServer, http: requests.Session
) -> None:
    http.auth = ("bot", "jenkins-token")
    built = world.jenkins.job("api").build("FAILURE", log="a < b\n")
    assert "a &lt; b" in http.get(f"{jenkins.url}/job/api/1/console").text
    built.chatter = 2 << 30
    assert 'Skipping 2,097,002 KB.. <a href="consoleFull">' in http.get(f"{jenkins.url}/job/api/1/console").text


def test_a_multijob_lists_its_parts_and_puts_their_tests_together(world: World, ask: Ask) -> None:
    cases = [TestCase(suite="s", name="t", status=TestStatus.FAILED, message="boom")]
    part = world.jenkins.job("team/unit").build("FAILURE", tests=cases)
    world.jenkins.job("all", MULTIJOB).build("FAILURE", parts=[part])
    (told,) = ask("job/all/1/api/json", "subBuilds[buildNumber,jobName,result,url]")["subBuilds"]
    assert told == {"buildNumber": 1, "jobName": "unit", "result": "FAILURE", "url": "job/team/job/unit/1/"}
    report = ask(
        "job/all/1/testReport/api/json", "failCount,passCount,totalCount,childReports[child[url],result[failCount]]"
    )
    assert (report["failCount"], report["totalCount"], "passCount" in report) == (1, 1, False)
    assert report["childReports"][0]["result"]["failCount"] == 1
    actions = ask("job/all/1/api/json", "actions[failCount,urlName]")["actions"]
    assert {"_class", "failCount", "urlName"} in [set(action) for action in actions]


def test_changes_of_a_shared_library_are_a_set_of_their_own(world: World, ask: Ask) -> None:
    own, other = (
        Change(commit="b", author="Ada Moreau", message="own"),
        Change(commit="a", author="Lena Fischer", message="lib"),
    )
    world.jenkins.pipeline("p").build("FAILURE", changes=[own], other_changes=[[other]])
    world.jenkins.job("f").build("FAILURE", changes=[own], other_changes=[[other]])
    tree = "changeSets[items[msg,author[id]]],changeSet[items[msg]]"
    sets = ask("job/p/1/api/json", tree)["changeSets"]
    assert [[item["msg"] for item in each["items"]] for each in sets] == [["lib"], ["own"]]
    assert sets[1]["items"][0]["author"]["id"] == "ada"
    assert [item["msg"] for item in ask("job/f/1/api/json", tree)["changeSet"]["items"]] == ["lib", "own"]


def test_artifacts_may_be_kept_elsewhere(
    world: World, jenkins: JenkinsServer, ask: Ask, http: requests.Session, status: Callable[[str], int]
) -> None:
    world.jenkins.job("api").build("SUCCESS", artifacts={"a/b.xml": b"<x/>"})
    assert ask("job/api/1/api/json", "artifacts[relativePath]")["artifacts"] == [{"relativePath": "a/b.xml"}]
    assert http.get(f"{jenkins.url}/job/api/1/artifact/a/b.xml").content == b"<x/>"
    jenkins.artifact_storage = "https://bucket.example.com"
    assert status("job/api/1/artifact/a/b.xml") == 302
    assert status("job/api/1/artifact/none") == 404


def test_the_queue_is_told_by_the_metrics_plugin_where_it_is_installed(world: World, ask: Ask) -> None:
    world.jenkins.job("api").build("SUCCESS", queued_for=90, waited_for="executor")
    actions = ask("job/api/1/api/json", "actions[queuingDurationMillis,buildableDurationMillis]")["actions"]
    spent = {"buildableDurationMillis": 90000, "queuingDurationMillis": 90000}
    assert {"_class": "jenkins.metrics.impl.TimeInQueueAction", **spent} in actions


def test_older_plugins_compare_with_the_build_before(world: World, jenkins: JenkinsServer, ask: Ask) -> None:
    job = world.jenkins.job("api")
    words = {"was": TestStatus.FAILED, "new": TestStatus.PASSED, "still": TestStatus.FAILED}
    job.build("UNSTABLE", tests=[TestCase(suite="s", name=name, status=status) for name, status in words.items()])
    now = {"was": TestStatus.PASSED, "new": TestStatus.ERROR, "still": TestStatus.FAILED, "left": TestStatus.SKIPPED}
    job.build("UNSTABLE", tests=[TestCase(suite="s", name=name, status=status) for name, status in now.items()])
    tree = "suites[cases[status]]"

    def told() -> list[str]:
        (suite,) = ask("job/api/2/testReport/api/json", tree)["suites"]
        return [case["status"] for case in suite["cases"]]

    assert told() == ["PASSED", "FAILED", "FAILED", "SKIPPED"]
    jenkins.compares_tests = True
    assert told() == ["FIXED", "REGRESSION", "FAILED", "SKIPPED"]
