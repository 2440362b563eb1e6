"""Real reports from ../shared/data: the counts that their publishers state, and an independent count of all."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from domain.testreport import TestStatus
from parsers.junit import merged, read_report
from parsers.unreadable import Unreadable

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "junit"
JENKINS = "jenkins-junit-plugin"
# passed, failed, skipped: dorny/test-reporter's own pages, and the assertions in the tests of Jenkins' JUnit plugin.
PUBLISHED = {
    "dorny/dotnet-nunit.xml": (3, 5, 1),
    "dorny/external/java/TEST-org.apache.pulsar.AddMissingPatchVersionTest.xml": (0, 1, 1),
    "dorny/external/java/junit4-basic.xml": (5, 1, 0),
    "dorny/external/java/junit4-complete.xml": (5, 2, 1),
    "dorny/external/java/pulsar-test-report.xml": (793, 1, 14),
    "dorny/external/jest/jest-react-component-test-results.xml": (1, 0, 0),
    "dorny/external/jest/jest-test-results.xml": (4207, 2, 30),
    "dorny/external/phpunit/junit-basic.xml": (8, 1, 0),
    "dorny/external/phpunit/phpcheckstyle-phpunit.xml": (28, 2, 0),
    "dorny/jest-junit-eslint.xml": (1, 0, 0),
    "dorny/jest-junit.xml": (1, 4, 1),
    "dorny/junit-with-message.xml": (0, 1, 0),
    "dorny/nette-tester/BootstrapFormRenderer-report.xml": (4, 0, 0),
    "dorny/nette-tester/tester-v1.7-report.xml": (61, 1, 3),
    "dorny/phpunit/phpunit.xml": (10, 2, 0),
    "dorny/python-xunit-pytest.xml": (6, 2, 2),
    "dorny/python-xunit-unittest.xml": (4, 2, 2),
    "dorny/swift-xunit.xml": (2, 1, 0),
    "dorny/test-errors/jest/jest-test-results.xml": (0, 2, 0),
    "dorny/external/nunit-sample.xml": (12, 2, 4),  # the file counts one of the last four as inconclusive
    f"{JENKINS}/eclipse-plugin-test-report.xml": (3366, 0, 0),
    f"{JENKINS}/junitResult.xml": (7, 1, 1),
    f"{JENKINS}/junit-report-6700.xml": (0, 1, 0),
    f"{JENKINS}/junit-report-nested-testsuites.xml": (2, 1, 0),
    f"{JENKINS}/junit-report-huge.xml": (5131, 19, 2430),
    f"{JENKINS}/JENKINS-42438/junit-report-1.xml": (8, 0, 3),
    f"{JENKINS}/gh-237/TEST-io.olamy.FlakyTest.xml": (1, 0, 0),
    f"{JENKINS}/gh-237/TEST-io.olamy.AlwaysFailTest.xml": (0, 1, 0),
}
# Whose counts stand in no <testcase>: other dialects, and errors outside of any case.
NOT_CASES = {name for name in PUBLISHED if "nunit" in name} | {
    f"{JENKINS}/{name}" for name in ("junitResult.xml", "junit-report-6700.xml", "junit-report-nested-testsuites.xml")
}

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="recorded CI data (../shared/data) is not on this machine")


def files() -> list[str]:
    return sorted(str(path.relative_to(DATA)) for path in DATA.glob("**/*.xml") if "hostile" not in path.parts)


def counts(name: str) -> tuple[int, int, int]:
    report = read_report((DATA / name).read_bytes(), name=name)
    return report.passed, report.failed, report.skipped


def by_etree(name: str) -> tuple[int, int, int]:
    def kinds() -> Iterator[str]:
        for case in ET.parse(DATA / name).iter("testcase"):  # noqa: S314  (our own recording)
            tags = {child.tag for child in case}
            yield "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"

    found = list(kinds())
    return found.count("passed"), found.count("failed"), found.count("skipped")


@pytest.mark.parametrize(("name", "expected"), PUBLISHED.items())
def test_counts_are_those_that_the_publisher_states(name: str, expected: tuple[int, int, int]) -> None:
    assert counts(name) == expected


def test_all_counts_are_those_of_an_independent_count() -> None:
    others = [name for name in files() if name not in NOT_CASES]
    assert len(others) > 70
    for name in others:
        assert (name, counts(name)) == (name, by_etree(name))


@pytest.mark.parametrize("name", sorted((DATA / JENKINS / "hostile").glob("*.xml")), ids=lambda path: path.name)
def test_recorded_attacks_are_refused(name: Path) -> None:
    with pytest.raises(Unreadable):
        read_report(name.read_bytes(), name=name.name)


@pytest.mark.parametrize(
    ("names", "total"),
    [
        (("JENKINS-13214/27449.xml", "JENKINS-13214/27540.xml", "JENKINS-13214/29734.xml"), 3),
        (("JENKINS-12457/TestSuite_a1.xml", "JENKINS-12457/TestSuite_a2.xml"), 2),
        (
            tuple(f"JENKINS-12457/TestSuite_{name}.xml" for name in ("b", "b_duplicate", "b_nonduplicate")),
            3,
        ),
        (
            (
                "JENKINS-48583/TEST-com.sample.test.TestMessage.xml",
                "JENKINS-48583/TEST-com.sample.test.TestMessage2.xml",
                "JENKINS-48583/TESTS-TestSuites.xml",
                "JENKINS-48583/TEST-com.sample.test.TestMessage.xml",
            ),
            7,
        ),
    ],
)
def test_several_files_count_as_jenkins_counts_them(names: tuple[str, ...], total: int) -> None:
    report = merged(read_report((DATA / JENKINS / name).read_bytes(), name=name) for name in names)
    assert report.total == total
    assert len({case.test for case in report.cases}) == len(report.cases)


def test_a_merged_failure_wins_over_the_pass_of_the_same_test() -> None:
    names = ("TestSuite_first.xml", "TestSuite_second_dup_first.xml")
    report = merged(read_report((DATA / JENKINS / "JENKINS-41134" / name).read_bytes(), name=name) for name in names)
    assert (report.passed, report.failed) == (1, 1)
    assert [case.status for case in report.cases] == [TestStatus.FAILED]


def test_names_and_messages_are_those_of_the_file() -> None:
    report = read_report((DATA / "dorny/jest-junit.xml").read_bytes(), name="jest-junit.xml")
    failing = report.failing[0]
    assert (failing.suite, failing.name) == ("Test 1 \u203a Test 1.1", "Failing test")
    assert (failing.message or "").startswith("Error: expect(received).toBeTruthy()\n\nReceived: false")
    flaky = read_report((DATA / JENKINS / "gh-237/TEST-io.olamy.FlakyTest.xml").read_bytes(), name="flaky")
    assert [case.flaky for case in flaky.cases] == [True]
    broken = read_report((DATA / JENKINS / "junit-report-empty-testcasename.xml").read_bytes(), name="empty")
    assert broken.cases[0].test == ("test.TestJUnit5FailingInBeforeAll", "(?)")
    old = read_report((DATA / JENKINS / "junit-report-20090516.xml").read_bytes(), name="old")
    assert old.cases[0].test == ("org.twia.vendor.VendorManagerTest", "testGetVendorFirmKeyForVendorRep")
