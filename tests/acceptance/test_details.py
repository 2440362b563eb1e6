"""A message explains its failure: from servers through the running daemon to Slack and mail, on both databases."""

from pathlib import Path
from typing import Any

import pytest

from domain.testreport import TestCase, TestStatus
from simulator import faults
from simulator.house import Simulator
from simulator.jenkins_details import Change
from tests.support.daemon import Running, eventually, running
from tests.support.process import DaemonProcess
from tests.support.scene import cards, command, save, scene, subjects

COMPILE = (
    "npm run build\nsrc/cart.ts(41,7): error TS2322: Type 'string' is not assignable to type 'number'.\nnpm ERR!\n"
)
HELM = "helm upgrade web\nError: INSTALLATION FAILED: timed out waiting for the condition\n"
JUNIT = """<testsuite name="web" tests="3" failures="{failures}">
<testcase classname="web.api" name="test_health"/><testcase classname="web.api" name="test_login">{login}</testcase>
<testcase classname="web.api" name="test_logout"/></testsuite>"""
BROKEN_LOGIN = '<failure message="expected 200, got 500">trace</failure>'


def cases(**failing: str) -> list[TestCase]:
    """Three tests, of which these fail with a message."""
    return [
        TestCase(
            suite="web.api",
            name=name,
            status=TestStatus.FAILED if name in failing else TestStatus.PASSED,
            message=failing.get(name),
        )
        for name in ("test_health", "test_login", "test_logout")
    ]


def junit(*, broken: bool) -> str:
    return JUNIT.format(failures=int(broken), login=BROKEN_LOGIN if broken else "")


def words(house: Simulator, name: str) -> str:
    """All that the newest card about a pipeline shows."""
    return next(
        (each.words() for each in reversed(house.slack.messages) if name in each.text and not each.thread_ts), ""
    )


def mail_text(house: Simulator, name: str) -> str:
    return next((" ".join(mail.text().split()) for mail in reversed(house.smtp.mails) if name in mail.subject), "")


@pytest.fixture
def green(house: Simulator) -> Simulator:
    """History that passed: a pipeline job with tests on Jenkins, a workflow that leaves its report on GitHub."""
    for _ in range(2):
        house.world.jenkins.pipeline("team/api").build("SUCCESS", tests=cases())
        run = house.world.github.repo("acme/web").run("success")
        run.artifact("test-results", {"out/junit.xml": junit(broken=False)})
    return house


@pytest.fixture
def config(green: Simulator, store_url: str, tmp_path: Path) -> Path:
    return save(tmp_path / "config.yaml", configuration(green, store_url))


def configuration(house: Simulator, store: str, **changes: Any) -> dict[str, Any]:
    pipelines = [
        {"provider": "ci", "job": "**"},
        {"provider": "gh", "repo": "acme/web", "parsers": [{"junit": "**/*.xml", "artifact": "test-results"}]},
    ]
    return scene(house, store, pipelines=pipelines, **changes)


def settled(daemon: Running) -> None:
    eventually(daemon.daemon.first_round_done)


def test_a_failure_on_jenkins_comes_with_stage_log_cause_tests_changes_and_the_last_good_build(
    green: Simulator, config: Path
) -> None:
    with running(config) as daemon:
        settled(daemon)
        green.world.jenkins.pipeline("team/api").build(
            "FAILURE",
            failing_stage="Deploy",
            log=COMPILE,
            tests=cases(test_login="expected 200, got 500"),
            changes=[Change(commit="c0ffee00" * 5, author="Ada Lovelace", message="Round prices up")],
        )
        eventually(lambda: cards(green, "api") and subjects(green, "api"))
        for text in (words(green, "api"), mail_text(green, "api")):
            for expected in (
                "src/cart.ts(41,7): error TS2322",
                "Deploy",
                "Compile Error",
                "test_login",
                "Ada Lovelace",
                "Round prices up",
                "Last good",
                "#2",
            ):
                assert expected in text, expected
    assert len(cards(green, "api")) == len(subjects(green, "api")) == 1


def test_a_failure_on_github_comes_with_job_log_cause_tests_changes_and_the_last_good_build(
    green: Simulator, config: Path
) -> None:
    with running(config) as daemon:
        settled(daemon)
        github = green.world.github
        repository = github.repo("acme/web")
        jobs = [github.job("build", "success"), github.job("deploy", "failure", log=HELM)]
        run = repository.run("failure", jobs=jobs, commits=[repository.commit("Round prices up", login="ada")])
        run.artifact("test-results", {"out/junit.xml": junit(broken=True)})
        eventually(lambda: cards(green, "acme/web") and subjects(green, "acme/web"))
        for text in (words(green, "acme/web"), mail_text(green, "acme/web")):
            for expected in (
                "INSTALLATION FAILED",
                "deploy",
                "test_login",
                "ada",
                "Round prices up",
                "Last good",
                "#2",
            ):
                assert expected in text, expected
    assert len(cards(green, "acme/web")) == len(subjects(green, "acme/web")) == 1


def test_a_server_that_keeps_its_log_to_itself_holds_a_message_for_the_wait_only(
    green: Simulator, store_url: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "config.yaml", configuration(green, store_url, details={"wait": "2s"}))
    with running(path) as daemon:
        settled(daemon)
        green.jenkins.fault(faults.hang(), path="*/wfapi*")
        green.jenkins.fault(faults.hang(), path="*onsole*")
        green.jenkins.fault(faults.hang(), path="*logText*")
        green.jenkins.fault(faults.hang(), path="*testReport*")
        green.world.jenkins.pipeline("team/api").build("FAILURE", log=COMPILE)
        eventually(lambda: cards(green, "api") and subjects(green, "api"))
        assert "TS2322" not in words(green, "api")
        green.jenkins.heal()
        eventually(lambda: "TS2322" in words(green, "api"))  # the card is edited,
        eventually(lambda: len(subjects(green, "api")) == 2)  # and a mail follows up
    assert "TS2322" in mail_text(green, "api")
    assert len(cards(green, "api")) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_a_log_that_is_gone_is_no_obstacle(green: Simulator, store_url: str, tmp_path: Path, status: int) -> None:
    path = save(tmp_path / "config.yaml", configuration(green, store_url, details={"wait": "2s"}))
    with running(path) as daemon:
        settled(daemon)
        green.github.fault(faults.answer(status, "gone"), path="*/logs")
        green.world.github.repo("acme/web").run("failure")
        eventually(lambda: cards(green, "acme/web") and subjects(green, "acme/web"))
        assert "test" in words(green, "acme/web")


def test_a_log_that_is_there_a_moment_later_is_waited_for(green: Simulator, config: Path) -> None:
    with running(config) as daemon:
        settled(daemon)
        github = green.world.github
        green.github.fault(faults.answer(404, "not yet"), path="*/logs", times=1)
        github.repo("acme/web").run("failure", jobs=[github.job("deploy", "failure", log=HELM)])
        eventually(lambda: cards(green, "acme/web") and subjects(green, "acme/web"))
        assert "INSTALLATION FAILED" in words(green, "acme/web")
        assert "INSTALLATION FAILED" in mail_text(green, "acme/web")
    assert len(cards(green, "acme/web")) == len(subjects(green, "acme/web")) == 1


def test_a_log_that_could_not_be_read_is_read_after_a_restart(green: Simulator, store_url: str, tmp_path: Path) -> None:
    path = save(tmp_path / "config.yaml", configuration(green, store_url, details={"wait": "2s"}))
    with running(path) as daemon:
        settled(daemon)
        github = green.world.github
        green.github.fault(faults.answer(503), path="*/logs")
        github.repo("acme/web").run("failure", jobs=[github.job("deploy", "failure", log=HELM)])
        eventually(lambda: cards(green, "acme/web") and subjects(green, "acme/web"))
    assert "INSTALLATION FAILED" not in words(green, "acme/web")
    green.github.heal()
    with running(path):
        eventually(lambda: "INSTALLATION FAILED" in words(green, "acme/web"))
        eventually(lambda: len(subjects(green, "acme/web")) == 2)
    assert "INSTALLATION FAILED" in mail_text(green, "acme/web")
    assert len(cards(green, "acme/web")) == 1


def test_without_details_nothing_more_is_asked(green: Simulator, store_url: str, tmp_path: Path) -> None:
    path = save(tmp_path / "config.yaml", configuration(green, store_url, details="off"))
    with running(path) as daemon:
        settled(daemon)
        green.world.jenkins.pipeline("team/api").build("FAILURE", log=COMPILE)
        eventually(lambda: cards(green, "api") and subjects(green, "api"))
        assert "TS2322" not in words(green, "api")
    assert not [each for each in green.jenkins.requests if "wfapi" in each.path or "onsole" in each.path]


@pytest.mark.parametrize("where", ["after_details", "after_saving_details"])
def test_what_was_being_read_when_the_daemon_died_is_read_again(
    green: Simulator, store_url: str, tmp_path: Path, where: str
) -> None:
    only = [{"provider": "ci", "job": "**"}]  # of which nothing is read but what fails
    config = save(tmp_path / "config.yaml", {**configuration(green, store_url), "pipelines": only})
    environ = {"BUILDWATCH_FAILPOINTS": f"{where}=kill"}
    with DaemonProcess(config, measured=False) as process:
        assert process.listen("READY=1"), process.log()
        eventually(lambda: "api" in command(config, "builds"))
    with DaemonProcess(config, environ, measured=False) as process:
        assert process.listen("READY=1"), process.log()
        green.world.jenkins.pipeline("team/api").build("FAILURE", log=COMPILE)
        eventually(lambda: process.process.poll() is not None)
    with DaemonProcess(config, measured=False) as process:
        assert process.listen("READY=1"), process.log()
        eventually(lambda: "TS2322" in words(green, "api"))
        eventually(lambda: "TS2322" in mail_text(green, "api"))
    assert len(cards(green, "api")) == 1
    assert len(subjects(green, "api")) == 1


def test_one_round_for_cron_reads_before_it_delivers(green: Simulator, config: Path) -> None:
    command(config, "poll")
    green.world.jenkins.pipeline("team/api").build("FAILURE", log=COMPILE)
    command(config, "poll")
    assert "TS2322" in words(green, "api")
    assert "TS2322" in mail_text(green, "api")
