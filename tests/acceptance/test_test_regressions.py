"""New failing tests and missing reports: from servers through the running daemon to Slack and mail."""

import json
import time
from pathlib import Path
from typing import Any

from domain.testreport import TestCase, TestStatus
from simulator.house import Simulator
from tests.support.daemon import Running, eventually, running
from tests.support.scene import cards, command, replies, save, scene, subjects

OFF = {"failure": "off", "success_rate_drop": "off"}
REPORT = '<testsuite name="web"><testcase classname="web.api" name="test_health"/></testsuite>'


def cases(*failing: str) -> list[TestCase]:
    """Three tests, of which these fail."""
    return [
        TestCase(suite="web.api", name=name, status=TestStatus.FAILED if name in failing else TestStatus.PASSED)
        for name in ("test_health", "test_login", "test_logout")
    ]


def configuration(house: Simulator, store: str, folder: Path, **changes: Any) -> Path:
    return save(folder / "config.yaml", scene(house, store, **changes))


def settled(daemon: Running) -> None:
    """Wait until everything has been polled once, and for the next second: GitHub tells whole ones."""
    eventually(daemon.daemon.first_round_done)
    second = int(time.time())
    eventually(lambda: int(time.time()) > second)


def test_a_regression_has_one_card_that_grows_and_ends(house: Simulator, store_url: str, tmp_path: Path) -> None:
    job = house.world.jenkins.pipeline("team/api")
    job.build("SUCCESS", tests=cases())
    config = configuration(house, store_url, tmp_path, alerts=OFF)
    with running(config) as daemon:
        settled(daemon)
        job.build("UNSTABLE", tests=cases("test_login"))
        eventually(lambda: subjects(house, "1 new failing test: web.api: test_login"))
        job.build("UNSTABLE", tests=cases("test_login"))
        job.build("UNSTABLE", tests=cases("test_login", "test_logout"))
        eventually(lambda: subjects(house, "1 more failing test: web.api: test_logout"))
        (told,) = json.loads(command(config, "tests", "--json"))
        assert [(each["name"], each["builds"]) for each in told["failing"]] == [("test_login", 3), ("test_logout", 1)]
        job.build("SUCCESS", tests=cases())
        eventually(lambda: subjects(house, "is well again: 2 tests fixed"))
        eventually(lambda: replies(house, "is well again"))
    assert len(cards(house, "api")) == 1
    assert len(subjects(house, "api")) == 3


def test_a_build_that_fails_before_its_tests_says_nothing_of_them(
    house: Simulator, store_url: str, tmp_path: Path
) -> None:
    job = house.world.jenkins.pipeline("team/api")
    job.build("SUCCESS", tests=cases())
    with running(configuration(house, store_url, tmp_path, alerts=OFF)) as daemon:
        settled(daemon)
        job.build("UNSTABLE", tests=cases("test_login"))
        eventually(lambda: subjects(house, "test_login"))
        job.build("FAILURE", log="error: no compiler")
        job.build("UNSTABLE", tests=cases("test_login"))
        job.build("UNSTABLE", tests=cases("test_health"))
        eventually(lambda: subjects(house, "test_health"))
    assert len(subjects(house, "api")) == 2


def test_what_is_unstable_may_pass_and_its_new_failing_tests_are_told(
    house: Simulator, store_url: str, tmp_path: Path
) -> None:
    job = house.world.jenkins.pipeline("team/api")
    job.build("SUCCESS", tests=cases())
    with running(configuration(house, store_url, tmp_path, defaults={"unstable": "passed"})) as daemon:
        settled(daemon)
        job.build("UNSTABLE", tests=cases("test_login"))
        eventually(lambda: cards(house, "has 1 new failing test"))
        eventually(lambda: subjects(house, "has 1 new failing test"))
    assert len(cards(house, "api")) == len(subjects(house, "api")) == 1


def test_a_missing_report_is_a_failure_of_its_own(house: Simulator, store_url: str, tmp_path: Path) -> None:
    repository = house.world.github.repo("acme/web")
    repository.run("success").artifact("test-results", {"out/junit.xml": REPORT})
    entry = {
        "provider": "gh",
        "repo": "acme/web",
        "parsers": {"junit": "**/*.xml"},
        "require": [{"artifact": "test-results"}, {"artifact": "out/*.xml"}],
    }
    with running(configuration(house, store_url, tmp_path, pipelines=[entry])) as daemon:
        settled(daemon)
        repository.run("success")
        eventually(lambda: subjects(house, "its artifact test-results is missing"))
        repository.run("success").artifact("test-results", {"out/junit.xml": REPORT})
        eventually(lambda: subjects(house, "has its artifacts again"))
        repository.run("success").artifact("test-results", {"out/junit.xml": "<testsuite><testcase"})
        eventually(lambda: subjects(house, "cannot be read"))
    assert len(subjects(house, "web")) == 3
