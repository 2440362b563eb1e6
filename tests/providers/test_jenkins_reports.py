"""Test reports of Jenkins: of one job, of a matrix, of a multijob; small, odd and huge."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain.testreport import TestCase, TestStatus
from providers._jenkins import tests as _jenkins_tests
from providers._jenkins.stages import failed_of, parts_of
from providers._jenkins.tests import report_of
from simulator import faults
from tests.support.jenkins_scene import Scene, a_scene

DATA = Path(__file__).parents[3] / "shared" / "data" / "jenkins"
recorded = pytest.mark.skipif(not DATA.exists(), reason="recorded CI data (../shared/data) is not on this machine")

CASES = [
    TestCase(suite="shop.CartTest", name="adds", status=TestStatus.PASSED, duration=0.5),
    TestCase(suite="shop.CartTest", name="totals", status=TestStatus.FAILED, message="expected 42, got 41"),
    TestCase(suite="shop.MailTest", name="sends", status=TestStatus.SKIPPED, message="no mail here"),
    TestCase(suite="shop.MailTest", name="speaks", status=TestStatus.ERROR, message="NullPointerException"),
]


@pytest.fixture
def scene() -> Iterator[Scene]:
    with a_scene() as made:
        yield made


def case(status: str = "PASSED", **more: Any) -> dict[str, Any]:
    return {"className": "s", "name": "t", "status": status, **more}


def test_a_report_tells_its_cases_and_why_they_failed(scene: Scene) -> None:
    scene.world.pipeline("web").build("UNSTABLE", tests=CASES)
    found = scene.details("web").tests
    assert found is not None
    assert (found.passed, found.failed, found.skipped, found.notes) == (1, 2, 1, ())
    assert [(c.suite, c.name, c.status, c.duration, c.message) for c in found.cases] == [
        ("shop.CartTest", "adds", TestStatus.PASSED, 0.5, None),
        ("shop.CartTest", "totals", TestStatus.FAILED, 0.0, "expected 42, got 41"),
        ("shop.MailTest", "sends", TestStatus.SKIPPED, 0.0, None),
        ("shop.MailTest", "speaks", TestStatus.FAILED, 0.0, "NullPointerException"),
    ]


def test_a_matrix_tells_the_tests_of_its_configurations(scene: Scene) -> None:
    job = scene.world.matrix("nightly", {"os": ["linux", "mac"]})
    old = job.build("SUCCESS", started_ago=600)
    built = job.build("UNSTABLE")
    built.runs[0].tests, built.runs[1].tests = CASES, CASES[:1]
    old.runs[0].tests = CASES
    found = scene.details("nightly").tests
    assert found is not None
    assert (found.passed, found.failed, found.skipped) == (2, 2, 1)
    assert [c.suite for c in found.cases] == [
        *["os=linux / shop.CartTest"] * 2, *["os=linux / shop.MailTest"] * 2, "os=mac / shop.CartTest",
    ]  # fmt: skip


def test_older_plugins_say_regression_and_fixed(scene: Scene) -> None:
    job = scene.world.job("api")
    turned = [
        TestCase(suite="shop.CartTest", name="adds", status=TestStatus.FAILED, message="boom"),
        TestCase(suite="shop.CartTest", name="totals", status=TestStatus.PASSED),
    ]
    job.build("UNSTABLE", tests=CASES, started_ago=600)
    job.build("UNSTABLE", tests=turned)
    scene.server.compares_tests = True
    found = scene.details("api").tests
    assert found is not None
    assert (found.passed, found.failed) == (1, 1)
    assert [(c.name, c.status) for c in found.cases] == [("adds", TestStatus.FAILED), ("totals", TestStatus.PASSED)]


def test_without_a_report_nothing_is_said(scene: Scene) -> None:
    scene.world.job("api").build("FAILURE")
    found = scene.details("api")
    assert (found.tests, found.notes) == (None, ())


def test_of_too_large_a_report_the_texts_go_first_and_then_the_cases(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [TestCase(suite="s", name=f"t{n}", status=TestStatus.FAILED, message="x" * 300) for n in range(20)]
    scene.world.job("api").build("UNSTABLE", tests=many)
    monkeypatch.setattr(_jenkins_tests, "REPORT_CAP", 6000)
    found = scene.details("api")
    assert found.tests is not None
    assert (len(found.tests.cases), found.tests.cases[0].message) == (20, None)
    assert found.notes == ("tests: the report is too large: the texts of failures are left out",)
    monkeypatch.setattr(_jenkins_tests, "REPORT_CAP", 600)
    found = scene.details("api")
    assert found.tests is not None
    assert (found.tests.failed, found.tests.cases) == (20, ())
    assert found.notes == ("tests: the report is too large: only its totals were read",)
    monkeypatch.setattr(_jenkins_tests, "REPORT_CAP", 6)
    assert scene.details("api").notes == ("tests: too large",)


def test_of_too_many_cases_the_failed_ones_are_kept(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jenkins_tests, "MOST_CASES", 2)
    scene.world.job("api").build("UNSTABLE", tests=[*CASES[:1], *CASES[2:3], CASES[1]])
    found = scene.details("api")
    assert found.tests is not None
    assert ([c.name for c in found.tests.cases], found.tests.total) == (["totals", "adds"], 3)
    assert found.notes == ("tests: only 2 of its 3 cases are kept",)


def test_a_report_that_cannot_be_read_is_a_note(scene: Scene) -> None:
    scene.world.job("api").build("UNSTABLE", tests=CASES)
    scene.build("api")
    scene.server.fault(faults.answer(500), path="*/testReport/*")
    assert scene.details("api").notes == ("tests: HTTP 500",)


def test_stdout_and_stderr_are_never_asked_for(scene: Scene) -> None:
    scene.world.job("api").build("UNSTABLE", tests=CASES)
    scene.details("api")
    (asked,) = scene.server.asked("*/testReport/*")
    assert "stdout" not in asked.query["tree"]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (case("FIXED"), TestStatus.PASSED),
        (case("REGRESSION"), TestStatus.FAILED),
        (case("SKIPPED"), TestStatus.SKIPPED),
        (case("BROKEN", errorDetails="boom"), TestStatus.FAILED),
        (case("PENDING"), TestStatus.SKIPPED),
        ({"name": "t"}, TestStatus.SKIPPED),
    ],
)
def test_every_word_becomes_a_status(raw: dict[str, Any], status: TestStatus) -> None:
    (found,) = report_of({"suites": [{"name": "suite", "cases": [raw]}]}, 1).cases
    assert found.status is status


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (case("FAILED", errorDetails="  expected 42\n", errorStackTrace="at x"), "expected 42"),
        (case("FAILED", errorDetails=None, errorStackTrace="Traceback\n  at x"), "Traceback\n  at x"),
        (case("FAILED", errorDetails="", errorStackTrace=None), None),
        (case("PASSED", errorDetails="left over"), None),
        (case("FAILED", errorDetails=7), None),
        (case("FAILED", errorDetails="x" * 5000), "x" * 1999 + "…"),
    ],
)
def test_only_failures_have_messages(raw: dict[str, Any], message: str | None) -> None:
    (found,) = report_of({"suites": [{"cases": [raw]}]}, 1).cases
    assert found.message == message


def test_messages_of_very_many_failures_are_short() -> None:
    raw = {"failCount": 1001, "suites": [{"cases": [case("FAILED", errorDetails="x" * 5000)]}]}
    assert len(report_of(raw, 1).cases[0].message or "") == 200


def test_a_suite_has_the_name_of_the_class_or_its_own() -> None:
    raw = {"suites": [{"name": "own", "cases": [case(), case(className=None), {"status": "PASSED"}]}]}
    assert [(c.suite, c.name) for c in report_of(raw, 1).cases] == [("s", "t"), ("own", "t"), ("own", "")]


@pytest.mark.parametrize(("duration", "seconds"), [(1.5, 1.5), (0, 0.0), (-1, None), ("1", None), (None, None)])
def test_odd_durations_are_left_out(duration: object, seconds: float | None) -> None:
    (found,) = report_of({"suites": [{"cases": [case(duration=duration)]}]}, 1).cases
    assert found.duration == seconds


@pytest.mark.parametrize(
    ("counts", "totals"),
    [
        ({}, (1, 1, 0)),
        ({"failCount": 3, "skipCount": 2, "passCount": 7}, (7, 3, 2)),
        ({"failCount": 3, "skipCount": 2, "totalCount": 9}, (4, 3, 2)),
        ({"failCount": 3, "skipCount": 2, "totalCount": 1}, (0, 3, 2)),
        ({"failCount": -3, "skipCount": "2", "passCount": True}, (1, 1, 0)),
    ],
)
def test_the_totals_are_those_that_jenkins_counted(counts: dict[str, Any], totals: tuple[int, int, int]) -> None:
    found = report_of({**counts, "suites": [{"cases": [case(), case("FAILED")]}]}, 1)
    assert (found.passed, found.failed, found.skipped) == totals


def test_reports_of_older_builds_of_a_matrix_count_nothing() -> None:
    def child(url: str, **more: Any) -> dict[str, Any]:
        return {"_class": "hudson.matrix.MatrixRun", "url": url, **more}

    result = {"suites": [{"cases": [case("FAILED")]}]}
    raw = {
        "failCount": 3,
        "skipCount": 0,
        "totalCount": 3,
        "childReports": [
            {"child": child("https://ci/job/m/os=mac/7/"), "result": result},
            {"child": child("https://ci/job/m/os=linux/6/"), "result": result},
            {"child": child("https://ci/job/m/os=win/7/", number=5), "result": result},
            {"child": {"_class": "hudson.model.FreeStyleBuild", "url": "https://ci/job/unit/99/"}, "result": result},
            {"child": child("nowhere"), "result": result},
        ],
    }
    found = report_of(raw, 7)
    assert [c.suite for c in found.cases] == ["os=mac / s", "unit / s", "s"]
    assert (found.passed, found.failed) == (0, 3)


@recorded
@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("citgm/citgm-smoker-2400", 2400),
        ("citgm-nobuild/citgm-smoker-nobuild-866", 866),
        ("citgm-compare/citgm-smoker-2390", 2390),
        ("citgm-compare/citgm-smoker-2392", 2392),
        ("citgm-compare-nobuild/citgm-smoker-2433", 2433),
        ("citgm-compare-nobuild/citgm-smoker-nobuild-880", 880),
    ],
)
def test_recorded_matrix_reports_add_up(name: str, number: int) -> None:
    raw = orjson.loads((DATA / "nodejs" / f"{name}-testReport.json").read_bytes())
    found = report_of(raw, number)
    assert (found.failed, found.skipped, found.total) == (raw["failCount"], raw["skipCount"], raw["totalCount"])
    counted = [sum(c.status is status for c in found.cases) for status in (TestStatus.FAILED, TestStatus.SKIPPED)]
    assert (counted, len(found.cases)) == ([found.failed, found.skipped], found.total)
    assert all(c.suite.startswith("nodes=") for c in found.cases)


@recorded
@pytest.mark.parametrize("folder", ["citgm", "citgm-nobuild"])
def test_a_recorded_matrix_report_says_what_its_publishers_say(folder: str) -> None:
    expected = orjson.loads((DATA / "nodejs" / folder / "expected.json").read_bytes())
    (path,) = (DATA / "nodejs" / folder).glob("*-testReport.json")
    number = int(expected["upstream"].rstrip("/").rpartition("/")[2])
    found = report_of(orjson.loads(path.read_bytes()), number)
    assert (found.passed, found.failed, found.skipped, found.total) == tuple(
        expected[name] for name in ("passed", "failed", "skipped", "total")
    )
    failing = {(c.suite, c.name) for c in found.failing}
    assert failing == {
        (f"nodes={node}", module["name"])
        for node, told in expected.items()
        if isinstance(told, dict)
        for module in told["modules"]
    }


@recorded
def test_the_runs_of_a_recorded_matrix_are_those_with_its_number() -> None:
    folder = DATA / "nodejs" / "git-failure-1"
    raw = orjson.loads((folder / "node-test-commit-linuxone-2220.json").read_bytes())
    assert [(part.name, part.place, part.result) for part in parts_of(raw, 2220)] == [
        ("label=rhel72-s390x", "job/node-test-commit-linuxone/label=rhel72-s390x/2220/", "FAILURE")
    ]


@recorded
def test_the_parts_of_a_recorded_multijob_lead_to_what_failed() -> None:
    raw = orjson.loads((DATA / "nodejs" / "git-failure-1" / "node-test-commit-19225.json").read_bytes())
    parts = parts_of(raw, 19225)
    assert len(parts) == len(raw["subBuilds"])
    assert [part.name for part in failed_of(parts)] == ["node-test-commit-linuxone"]
    assert parts[0].place == "job/node-test-commit-arm-fanned/1921/"
