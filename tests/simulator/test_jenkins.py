from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jenkins as python_jenkins
import pytest
import requests

from domain.testreport import TestCase, TestStatus
from simulator.jenkins import JenkinsServer
from simulator.jenkins_kinds import MULTIJOB, encode_name
from simulator.jenkins_world import Job
from simulator.world import World
from tests.support.still_clock import StillClock

Ask = Callable[..., Any]


@pytest.fixture
def ask(jenkins: JenkinsServer, http: requests.Session) -> Ask:
    http.auth = ("bot", "jenkins-token")

    def get(path: str, tree: str | None = None, **query: str) -> Any:
        params = query if tree is None else {"tree": tree, **query}
        return http.get(f"{jenkins.url}/{path}", params=params).json()

    return get


def test_jobs_nest_in_folders_of_every_kind(world: World, ask: Ask) -> None:
    world.jenkins.job("team/api").build()
    world.jenkins.organization("org", ["shop"]).children["shop"].branch("main").build()  # type: ignore[attr-defined]
    world.jenkins.matrix("nightly", {"os": ["linux"]})
    found = ask("api/json", "jobs[name,jobs[name,fullName,jobs[fullName]]]")
    assert [job["_class"].rpartition(".")[2] for job in found["jobs"]] == [
        "Folder",
        "OrganizationFolder",
        "MatrixProject",
    ]
    assert found["jobs"][0]["jobs"] == [
        {"_class": "hudson.model.FreeStyleProject", "fullName": "team/api", "name": "api"}
    ]
    assert found["jobs"][1]["jobs"][0]["jobs"][0]["fullName"] == "org/shop/main"
    assert "jobs" not in found["jobs"][2]


def test_the_deepest_level_names_its_class_only(world: World, ask: Ask) -> None:
    world.jenkins.folder("a/b/c")
    deepest = ask("api/json", "jobs[name,jobs]")["jobs"][0]["jobs"]
    assert deepest == [{"_class": "com.cloudbees.hudson.plugins.folder.Folder"}]


def test_a_branch_is_escaped_in_its_name_and_once_more_in_its_url(world: World, ask: Ask) -> None:
    world.jenkins.multibranch("org/web").build(branch="feature/ü x+y")
    job = ask("job/org/job/web/api/json", "jobs[name,fullName,displayName,url]")["jobs"][0]
    assert job["name"] == "feature%2Fü x+y"
    assert job["fullName"] == "org/web/feature%2Fü x+y"
    assert job["displayName"] == "feature/ü x+y"
    assert job["url"].endswith("/ci/job/org/job/web/job/feature%252F%C3%BC%20x+y/")
    assert ask("job/org/job/web/job/feature%252F%C3%BC%20x+y/1/api/json", "number") == {
        "_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun",
        "number": 1,
    }


@pytest.mark.parametrize(
    ("branch", "name"),
    [
        ("", "%00"),
        (".", "%2E"),
        ("..", "%2E."),
        ("a#b%c/d?e[f]g\\h", "a%23b%25c%2Fd%3Fe%5Bf%5Dg%5Ch"),
        ("v1.2", "v1.2"),
    ],
)
def test_names_are_encoded_as_branch_api_does(branch: str, name: str) -> None:
    assert encode_name(branch) == name


def test_urls_start_with_the_configured_root_not_with_the_asked_address(world: World, http: requests.Session) -> None:
    world.jenkins.job("api").build()
    with JenkinsServer(world.jenkins, root_url="https://ci.example.com/jenkins") as server:
        found = http.get(f"{server.url}/job/api/1/api/json?tree=url", auth=("bot", "jenkins-token"))
        assert found.json()["url"] == "https://ci.example.com/jenkins/job/api/1/"


def test_builds_end_at_a_hundred_and_allbuilds_does_not(world: World, jenkins: JenkinsServer, ask: Ask) -> None:
    job = world.jenkins.job("api")
    for _ in range(130):
        job.build()
    assert len(ask("job/api/api/json", "builds[number]")["builds"]) == 100
    assert len(ask("job/api/api/json", "allBuilds[number]")["allBuilds"]) == 130
    assert "allBuilds" not in ask("job/api/api/json")
    assert jenkins.loads == {"builds": 2, "allBuilds": 1, "records": 330}


def test_a_range_saves_the_server_nothing(world: World, jenkins: JenkinsServer, ask: Ask) -> None:
    for _ in range(30):
        world.jenkins.job("api").build()
    assert [b["number"] for b in ask("job/api/api/json", "allBuilds[number]{0,2}")["allBuilds"]] == [30, 29]
    assert jenkins.loads["records"] == 30


def test_a_build_runs_and_ends_by_the_clock(world: World, ask: Ask, clock: StillClock) -> None:
    world.jenkins.job("api").build("UNSTABLE", started_ago=0, duration=10)
    tree = "result,building,inProgress,duration,timestamp,estimatedDuration"
    running = ask("job/api/1/api/json", tree)
    assert (running["result"], running["building"], running["inProgress"], running["duration"]) == (None, True, True, 0)
    assert running["timestamp"] == 1795255200000
    assert running["estimatedDuration"] == -1
    clock.advance(10)
    done = ask("job/api/1/api/json", tree)
    assert (done["result"], done["building"], done["inProgress"], done["duration"]) == ("UNSTABLE", False, False, 10000)
    assert done["estimatedDuration"] == 10000


def test_a_result_may_be_set_while_the_build_goes_on(world: World, ask: Ask) -> None:
    build = world.jenkins.job("api").start(early_result="UNSTABLE")
    assert ask("job/api/1/api/json", "result,building") | {"_class": ""} == {
        "_class": "",
        "building": True,
        "result": "UNSTABLE",
    }
    build.result, build.post_production = "FAILURE", True
    found = ask("job/api/1/api/json", "result,building,inProgress")
    assert (found["result"], found["building"], found["inProgress"]) == ("FAILURE", False, True)
    build.finish("FAILURE")
    assert ask("job/api/1/api/json", "inProgress")["inProgress"] is False


def test_concurrent_builds_end_in_any_order(world: World, ask: Ask) -> None:
    job = world.jenkins.job("api")
    nine, ten = job.start(), job.start()
    ten.finish("SUCCESS")
    assert ask("job/api/api/json", "lastBuild[number],lastCompletedBuild[number]")["lastCompletedBuild"]["number"] == 2
    nine.finish("FAILURE")
    assert ask("job/api/lastFailedBuild/api/json", "number")["number"] == 1


def test_permalinks_lead_to_builds(world: World, ask: Ask, http: requests.Session, jenkins: JenkinsServer) -> None:
    job = world.jenkins.job("api")
    job.build("SUCCESS")
    job.build("FAILURE")
    assert ask("job/api/lastBuild/api/json", "number")["number"] == 2
    assert ask("job/api/lastCompletedBuild/api/json", "number")["number"] == 2
    assert ask("job/api/lastSuccessfulBuild/api/json", "number")["number"] == 1
    assert http.get(f"{jenkins.url}/job/api/noSuchBuild/api/json").status_code == 404


def test_a_job_without_a_tree_lists_its_builds_by_number_and_url(world: World, ask: Ask) -> None:
    world.jenkins.job("api").build("FAILURE")
    found = ask("job/api/api/json")
    assert found["builds"] == [
        {"_class": "hudson.model.FreeStyleBuild", "number": 1, "url": found["url"] + "1/"},
    ]
    assert (found["color"], found["nextBuildNumber"], found["inQueue"]) == ("red", 2, False)
    assert found["lastSuccessfulBuild"] is None
    assert found["firstBuild"]["number"] == 1


def test_the_ball_blinks_while_it_builds(world: World, ask: Ask) -> None:
    job = world.jenkins.job("api")
    assert ask("job/api/api/json", "color,firstBuild") | {"_class": 0} == {
        "_class": 0,
        "color": "notbuilt",
        "firstBuild": None,
    }
    job.build("SUCCESS")
    job.start()
    assert ask("job/api/api/json", "color")["color"] == "blue_anime"
    job.buildable = False
    assert ask("job/api/api/json", "color,disabled,buildable")["color"] == "disabled"


def test_actions_hold_causes_parameters_revisions_and_totals(world: World, ask: Ask) -> None:
    world.jenkins.pipeline("api").build(
        "FAILURE",
        trigger="user",
        parameters={"CLOUD": "aws", "DRY": True, "COUNT": 3, "EMPTY": None, "SECRET": ...},
        other_revisions=[("https://git.example.com/library.git", "a" * 40, "main")],
        commit="b" * 40,
        branch="origin/main,origin/test",
        tests=[
            TestCase(suite="s", name="t", status=TestStatus.ERROR),
            TestCase(suite="s", name="u", status=TestStatus.SKIPPED),
        ],
    )
    tree = (
        "actions[_class,causes[*],parameters[name,value],lastBuiltRevision[SHA1,branch[name]],remoteUrls,"
        "failCount,skipCount,totalCount,urlName]"
    )
    found = ask("job/api/1/api/json", tree)["actions"]
    actions = {action.get("_class", "").rpartition(".")[2]: action for action in found}
    assert actions["CauseAction"]["causes"][0]["userId"] == "ada"
    assert {p["name"]: p.get("value", "absent") for p in actions["ParametersAction"]["parameters"]} == {
        "CLOUD": "aws",
        "DRY": True,
        "COUNT": 3,
        "EMPTY": None,
        "SECRET": "absent",
    }
    data = [action for action in found if "lastBuiltRevision" in action]
    assert [a["remoteUrls"] for a in data] == [
        ["https://git.example.com/library.git"],
        ["https://git.example.com/api.git"],
    ]
    assert data[1]["lastBuiltRevision"]["branch"] == [{"name": "origin/main"}, {"name": "origin/test"}]
    totals = {k: v for k, v in actions["TestResultAction"].items() if k != "_class"}
    assert totals == {"failCount": 1, "skipCount": 1, "totalCount": 2, "urlName": "testReport"}
    assert {} in found


def test_an_interruption_stands_beside_the_trigger(world: World, ask: Ask) -> None:
    world.jenkins.multibranch("web").build("ABORTED", interrupted_by="timeout")
    found = ask("job/web/job/main/1/api/json", "actions[causes[*]]")["actions"]
    causes = [cause["_class"].rpartition(".")[2] for action in found for cause in action.get("causes", [])]
    assert causes == ["BranchEventCause", "TimeoutStepExecution$ExceededTimeout"]


@pytest.mark.parametrize(
    ("trigger", "cause"),
    [
        ("timer", "TimerTrigger$TimerTriggerCause"),
        ("scm", "SCMTrigger$SCMTriggerCause"),
        ("upstream", "Cause$UpstreamCause"),
    ],
)
def test_triggers_are_told_in_their_classes(world: World, ask: Ask, trigger: str, cause: str) -> None:
    world.jenkins.job("api").build(trigger=trigger)
    found = ask("job/api/1/api/json", "actions[causes[*]]")["actions"][0]["causes"][0]
    assert found["_class"].rpartition(".")[2] == cause


def test_a_checkout_that_never_happened_leaves_no_revision(world: World, ask: Ask) -> None:
    world.jenkins.pipeline("api").build("FAILURE", commit=None)
    found = ask("job/api/1/api/json", "actions[lastBuiltRevision[SHA1]],changeSets[items[commitId]]")
    assert all("lastBuiltRevision" not in action for action in found["actions"])
    assert found["changeSets"] == []


def test_changes_are_a_list_for_pipelines_and_one_set_for_freestyle(world: World, ask: Ask) -> None:
    world.jenkins.pipeline("p").build()
    world.jenkins.job("f").build(built_on="agent-1")
    tree = "changeSets[items[commitId,author[fullName],msg]],changeSet[items[msg]],builtOn,culprits[fullName]"
    pipeline, freestyle = ask("job/p/1/api/json", tree), ask("job/f/1/api/json", tree)
    assert pipeline["changeSets"][0]["items"][0]["author"] == {"fullName": "Ravi Nair"}
    assert "changeSet" not in pipeline
    assert "builtOn" not in pipeline
    assert freestyle["changeSet"]["items"][0]["msg"] == "Change 1 of f"
    assert freestyle["builtOn"] == "agent-1"
    assert freestyle["culprits"] == [{"fullName": "Ravi Nair"}]


def test_a_matrix_lists_its_configurations_and_runs(world: World, ask: Ask, jenkins: JenkinsServer) -> None:
    job = world.jenkins.matrix("nightly", {"os": ["linux", "mac"], "jdk": ["21"]})
    old = job.build("FAILURE")
    new = job.build("FAILURE")
    new.runs[0] = old.runs[0]  # this configuration was not built again
    found = ask("job/nightly/api/json", "activeConfigurations[name,url]")["activeConfigurations"]
    assert [c["name"] for c in found] == ["os=linux,jdk=21", "os=mac,jdk=21"]
    assert found[0]["url"].endswith("/job/nightly/os=linux,jdk=21/")
    runs = ask("job/nightly/2/api/json", "runs[number,url,result]")["runs"]
    assert [run["number"] for run in runs] == [1, 2]
    assert "_class" not in runs[0]
    path = runs[1]["url"].removeprefix(jenkins.url + "/")
    assert (
        ask(path + "api/json", "number,actions[causes[upstreamProject]]")["actions"][0]["causes"][0]["upstreamProject"]
        == "nightly"
    )


def test_single_configurations_of_a_matrix_may_end_differently(world: World, ask: Ask) -> None:
    world.jenkins.matrix("nightly", {"os": ["linux", "mac"]}).build("FAILURE", cells={"os=linux": "SUCCESS"})
    assert [run["result"] for run in ask("job/nightly/1/api/json", "runs[result]")["runs"]] == ["SUCCESS", "FAILURE"]


def test_a_multijob_builds_in_its_own_class(world: World, ask: Ask) -> None:
    world.jenkins.job("all", MULTIJOB).build()
    assert ask("job/all/api/json", "lastBuild[number]")["lastBuild"]["_class"].endswith("MultiJobBuild")


def test_the_world_may_change_while_it_is_read(world: World, jenkins: JenkinsServer) -> None:
    def poll(_: int) -> int:
        with requests.Session() as session:
            session.trust_env = False
            tree = "jobs[name,jobs[name,builds[number,actions[causes[*]]]]]"
            url = f"{jenkins.url}/api/json?tree={tree}"
            return sum(session.get(url, auth=("bot", "jenkins-token")).status_code == 200 for _ in range(20))

    with ThreadPoolExecutor(4) as pool:
        polls = pool.map(poll, range(4))
        for number in range(200):
            world.jenkins.job(f"team/job{number % 20}").build()
        assert list(polls) == [20] * 4


def test_a_freestyle_test_report_lists_suites_and_cases(world: World, ask: Ask) -> None:
    cases = [
        TestCase(suite="cart", name="adds", status=TestStatus.PASSED, duration=1.5),
        TestCase(suite="cart", name="totals", status=TestStatus.FAILED, message="expected 42"),
        TestCase(suite="mail", name="sends", status=TestStatus.SKIPPED),
    ]
    world.jenkins.job("api").build("UNSTABLE", tests=cases)
    report = ask("job/api/1/testReport/api/json")
    assert (report["passCount"], report["failCount"], report["skipCount"], report["duration"]) == (1, 1, 1, 1.5)
    assert [suite["name"] for suite in report["suites"]] == ["cart", "mail"]
    failed = report["suites"][0]["cases"][1]
    assert (failed["status"], failed["className"], failed["errorDetails"]) == ("FAILED", "cart", "expected 42")
    pruned = ask("job/api/1/testReport/api/json", "suites[cases[name,status]{0,1}]")
    assert pruned["suites"][1]["cases"] == [{"name": "sends", "status": "SKIPPED"}]


def test_a_matrix_test_report_has_children_and_no_pass_count(world: World, ask: Ask) -> None:
    job = world.jenkins.matrix("nightly", {"os": ["linux", "mac"]})
    build = job.build("UNSTABLE")
    build.runs[0].tests = [TestCase(suite="s", name="t", status=TestStatus.FAILED)]
    report = ask("job/nightly/1/testReport/api/json")
    assert report["_class"] == "hudson.tasks.test.MatrixTestResult"
    assert (report["totalCount"], report["failCount"]) == (1, 1)
    assert "passCount" not in report
    assert report["childReports"][0]["child"]["url"].endswith("os=linux/1/")
    assert report["childReports"][0]["result"]["suites"][0]["cases"][0]["status"] == "FAILED"


def test_wfapi_tells_stages_and_the_one_that_failed(world: World, ask: Ask) -> None:
    world.jenkins.pipeline("api").build("FAILURE", failing_stage="Deploy", duration=40)
    found = ask("job/api/1/wfapi/describe")
    assert (found["status"], found["durationMillis"], found["queueDurationMillis"]) == ("FAILED", 40000, 2000)
    assert [(stage["name"], stage["status"]) for stage in found["stages"]] == [
        ("Checkout", "SUCCESS"),
        ("Build", "SUCCESS"),
        ("Test", "SUCCESS"),
        ("Deploy", "FAILED"),
    ]
    assert found["stages"][3]["error"]["message"] == "script returned exit code 1"
    assert found["stages"][3]["_links"]["self"]["href"] == "/ci/job/api/1/execution/node/21/wfapi/describe"


def test_wfapi_knows_running_unstable_and_custom_stages(world: World, ask: Ask) -> None:
    job = world.jenkins.pipeline("api")
    job.start()
    assert ask("job/api/1/wfapi/describe")["status"] == "IN_PROGRESS"
    job.build("UNSTABLE")
    assert [s["status"] for s in ask("job/api/2/wfapi/describe")["stages"]] == [
        "SUCCESS",
        "SUCCESS",
        "UNSTABLE",
        "SUCCESS",
    ]
    job.build("ABORTED", failing_stage="Smoke test")
    assert ask("job/api/3/wfapi/describe")["stages"][-1]["name"] == "Smoke test"
    job.build("NOT_BUILT")
    assert ask("job/api/4/wfapi/describe")["status"] == "NOT_EXECUTED"


def test_wfapi_is_absent_without_its_plugin_and_for_other_jobs(
    world: World, jenkins: JenkinsServer, ask: Ask, http: requests.Session
) -> None:
    del ask
    world.jenkins.pipeline("p").build()
    world.jenkins.job("f").build()
    assert http.get(f"{jenkins.url}/job/f/1/wfapi/describe").status_code == 404
    jenkins.pipeline_rest_api = False
    assert http.get(f"{jenkins.url}/job/p/1/wfapi/describe").status_code == 404


def _log(http: requests.Session, jenkins: JenkinsServer, start: int) -> requests.Response:
    return http.get(
        f"{jenkins.url}/job/api/1/logText/progressiveText", params={"start": start}, auth=("bot", "jenkins-token")
    )


def test_progressive_text_counts_raw_bytes_and_hides_notes(
    world: World, jenkins: JenkinsServer, http: requests.Session
) -> None:
    note = b"\x1b[8mha:////abc\x1b[0m"
    build = world.jenkins.job("api").start(log=note + b"one\ntwo\nthr")
    first = _log(http, jenkins, 0)
    assert first.content == b"one\r\ntwo\r\n"
    assert (first.headers["X-Text-Size"], first.headers["X-More-Data"]) == (str(len(note) + 8), "true")
    build.log += b"ee\n"
    build.finish("SUCCESS")
    rest = _log(http, jenkins, len(note) + 8)
    assert (rest.content, rest.headers["X-Text-Size"]) == (b"three\r\n", str(len(note) + 14))
    assert "X-More-Data" not in rest.headers


def test_progressive_text_restarts_when_asked_beyond_its_end(
    world: World, jenkins: JenkinsServer, http: requests.Session
) -> None:
    world.jenkins.job("api").build(log="short\n")
    found = _log(http, jenkins, 1000)
    assert (found.content, found.headers["X-Text-Size"]) == (b"short\r\n", "6")


def test_there_is_no_log_yet(world: World, jenkins: JenkinsServer, http: requests.Session) -> None:
    world.jenkins.job("api").start()
    found = _log(http, jenkins, 0)
    assert (found.content, found.headers["X-Text-Size"], found.headers["X-More-Data"]) == (b"", "0", "true")


def test_a_console_grows_while_the_build_runs(
    world: World, jenkins: JenkinsServer, http: requests.Session, clock: StillClock
) -> None:
    world.jenkins.job("api").build("FAILURE", started_ago=0, duration=10)
    assert _log(http, jenkins, 0).headers["X-Text-Size"] == "0"
    clock.advance(9)
    part = _log(http, jenkins, 0).text
    clock.advance(1)
    whole = _log(http, jenkins, 0).text
    assert whole.startswith(part)
    assert 0 < len(part) < len(whole)
    assert whole.endswith("Finished: FAILURE\r\n")


def test_the_whole_console_is_plain_text(world: World, jenkins: JenkinsServer, http: requests.Session) -> None:
    world.jenkins.job("api").build("ABORTED", interrupted_by="timeout")
    found = http.get(f"{jenkins.url}/job/api/1/consoleText", auth=("bot", "jenkins-token"))
    assert "Cancelling nested steps due to timeout\nFinished: ABORTED\n" in found.text
    assert "ha:" not in found.text
    assert found.headers["Content-Type"].startswith("text/plain")


def test_artifacts_are_listed_and_served(
    world: World, jenkins: JenkinsServer, ask: Ask, http: requests.Session
) -> None:
    world.jenkins.job("api").build(artifacts={"out/report.xml": b"<x/>"})
    assert ask("job/api/1/api/json", "artifacts[relativePath,fileName]")["artifacts"] == [
        {"fileName": "report.xml", "relativePath": "out/report.xml"}
    ]
    assert http.get(f"{jenkins.url}/job/api/1/artifact/out/report.xml").content == b"<x/>"


def test_a_queued_build_waits_then_leaves_then_is_forgotten(
    world: World, jenkins: JenkinsServer, ask: Ask, http: requests.Session, clock: StillClock
) -> None:
    build = world.jenkins.job("api").build(started_ago=-60, duration=5, queued_for=90)
    tree = "items[id,inQueueSince,why,stuck,task[name,url]]"
    item = ask("queue/api/json", tree)["items"][0]
    assert (item["id"], item["task"]["name"]) == (build.queue_id, "api")
    assert item["inQueueSince"] == 1795255200000 - 30_000
    waiting = ask("job/api/api/json", "nextBuildNumber,inQueue,lastBuild,queueItem[id]")
    assert (waiting["nextBuildNumber"], waiting["inQueue"], waiting["lastBuild"]) == (1, True, None)
    assert http.get(f"{jenkins.url}/job/api/1/api/json").status_code == 404
    clock.advance(61)
    left = ask(f"queue/item/{build.queue_id}/api/json")
    assert left["executable"]["number"] == 1
    assert ask("queue/api/json")["items"] == []
    assert ask("job/api/1/api/json", "queueId")["queueId"] == build.queue_id
    clock.advance(300)
    assert http.get(f"{jenkins.url}/queue/item/{build.queue_id}/api/json").status_code == 404


def test_every_answer_names_version_and_api_answers_the_session(jenkins: JenkinsServer, http: requests.Session) -> None:
    first = http.get(f"{jenkins.url}/api/json")
    assert first.headers["X-Jenkins"] == jenkins.version
    jenkins.restart()
    assert http.get(f"{jenkins.url}/api/json").headers["X-Jenkins-Session"] != first.headers["X-Jenkins-Session"]
    assert "X-Jenkins-Session" not in http.get(f"{jenkins.url}/login").headers


def test_a_wrong_token_is_refused_with_a_page(jenkins: JenkinsServer, http: requests.Session) -> None:
    found = http.get(f"{jenkins.url}/api/json", auth=("bot", "wrong"))
    assert (found.status_code, found.headers["Content-Type"]) == (401, "text/html;charset=utf-8")


@pytest.mark.parametrize(("mode", "status"), [("read", 200), ("empty", 200), ("denied", 403)])
def test_strangers_see_what_the_administrator_lets_them(
    world: World, jenkins: JenkinsServer, http: requests.Session, mode: str, status: int
) -> None:
    world.jenkins.job("api").build()
    jenkins.anonymous = mode
    found = http.get(f"{jenkins.url}/api/json?tree=jobs[name]")
    assert found.status_code == status
    if status == 200:
        assert len(found.json()["jobs"]) == (mode == "read")
        assert http.get(f"{jenkins.url}/job/api/api/json").status_code == (200 if mode == "read" else 404)


def test_who_am_i_tells_who_is_asking(jenkins: JenkinsServer, http: requests.Session) -> None:
    assert http.get(f"{jenkins.url}/whoAmI/api/json").json()["name"] == "anonymous"
    assert http.get(f"{jenkins.url}/me/api/json").status_code == 403
    http.auth = ("bot", "jenkins-token")
    assert http.get(f"{jenkins.url}/whoAmI/api/json").json()["authorities"] == ["authenticated"]
    assert http.get(f"{jenkins.url}/me/api/json").json()["id"] == "bot"


@pytest.mark.parametrize(("permission", "status"), [("none", 404), ("discover", 403)])
def test_items_hide_by_permission(
    world: World, jenkins: JenkinsServer, http: requests.Session, permission: str, status: int
) -> None:
    http.auth = ("bot", "jenkins-token")
    world.jenkins.job("team/api").permission = permission
    assert http.get(f"{jenkins.url}/job/team/api/json?tree=jobs[name]").json()["jobs"] == []
    assert http.get(f"{jenkins.url}/job/team/job/api/api/json").status_code == status


@pytest.mark.parametrize(("mode", "status"), [("starting", 503), ("login", 200), ("login_redirect", 302)])
def test_pages_for_people_come_where_json_was_asked(
    jenkins: JenkinsServer, http: requests.Session, mode: str, status: int
) -> None:
    jenkins.mode = mode
    found = http.get(f"{jenkins.url}/api/json", allow_redirects=False)
    assert (found.status_code, found.headers["Content-Type"]) == (status, "text/html;charset=utf-8")


@pytest.mark.parametrize(
    "path", ["job/none/api/json", "crumbIssuer/api/json", "job/api/99/api/json", "job/api/1/testReport/api/json", "x"]
)
def test_what_is_not_there_is_a_404_page(
    world: World, jenkins: JenkinsServer, http: requests.Session, path: str
) -> None:
    world.jenkins.job("api").build()
    http.auth = ("bot", "jenkins-token")
    assert http.get(f"{jenkins.url}/{path}").status_code == 404
    assert http.get(f"{jenkins.origin}/api/json").status_code == 404


def test_a_malformed_tree_is_an_error(jenkins: JenkinsServer, http: requests.Session) -> None:
    assert http.get(f"{jenkins.url}/api/json?tree=jobs[").status_code == 500


def test_views_stand_in_the_path_without_meaning(world: World, ask: Ask) -> None:
    world.jenkins.job("api").build()
    assert ask("view/all/job/api/1/api/json", "number")["number"] == 1


def test_jobs_are_renamed_recreated_and_deleted(world: World, ask: Ask) -> None:
    job = world.jenkins.job("team/api")
    job.build()
    job.rename("backend")
    assert ask("job/team/job/backend/api/json", "fullName,builds[number]")["fullName"] == "team/backend"
    job.recreate()
    assert ask("job/team/job/backend/api/json", "nextBuildNumber,builds[number]")["nextBuildNumber"] == 1
    job.build().delete()
    job.delete()
    assert ask("job/team/api/json", "jobs[name]")["jobs"] == []


def test_a_build_gets_the_number_it_is_told(world: World, ask: Ask) -> None:
    world.jenkins.job("api").build(number=812)
    assert ask("job/api/api/json", "nextBuildNumber")["nextBuildNumber"] == 813


def test_a_property_can_be_replaced_or_unknown(world: World, jenkins: JenkinsServer, ask: Ask) -> None:
    world.jenkins.job("api").build(extra={"result": "NOT_BUILD"}, display_name="v1.2", description="x")
    assert ask("job/api/1/api/json", "result,fullDisplayName")["result"] == "NOT_BUILD"
    jenkins.without = {"inProgress"}
    assert "inProgress" not in ask("job/api/1/api/json")


def test_scripts_do_not_confuse_folders_with_jobs(world: World) -> None:
    world.jenkins.folder("team")
    world.jenkins.job("solo")
    world.jenkins.multibranch("web").branch("main")
    with pytest.raises(TypeError, match="is a folder"):
        world.jenkins.job("team")
    with pytest.raises(TypeError, match="is a job"):
        world.jenkins.folder("solo")
    world.jenkins.folder("web/nested")
    with pytest.raises(TypeError, match="not a branch"):
        world.jenkins.multibranch("web").branch("nested")


def test_branches_are_reached_through_the_job_too(world: World) -> None:
    job = world.jenkins.job("shop/web", branch="feature/x")
    assert isinstance(world.jenkins.find(["shop", "web", "feature%2Fx"]), Job)
    assert world.jenkins.find(["shop", "nothing"]) is None
    assert world.jenkins.multibranch("shop/web").start(branch="feature/x").job is job
    assert list(world.jenkins.root.jobs()) == [job]


def test_finishing_may_say_when_and_what_was_printed(world: World, clock: StillClock) -> None:
    build = world.jenkins.job("api").start()
    build.finish("FAILURE", at=clock(), log="boom\n")
    assert build.log == b"boom\n"
    assert build.finish("SUCCESS").result == "SUCCESS"


def test_python_jenkins_can_read_it(world: World, jenkins: JenkinsServer) -> None:
    world.jenkins.multibranch("org/repo").build("FAILURE", branch="feature/foo")
    client = python_jenkins.Jenkins(jenkins.url, "bot", "jenkins-token", timeout=5)
    client.crumb = False
    assert client.get_whoami()["id"] == "bot"
    assert client.get_version() == jenkins.version
    assert client.get_build_info("org/repo/feature%2Ffoo", 1)["result"] == "FAILURE"
    assert [job["fullname"] for job in client.get_all_jobs()] == ["org", "org/repo", "org/repo/feature%2Ffoo"]
    assert client.get_queue_info() == []
    client._session.close()
