"""JUnit's XML in small, as many tools write it."""

import pytest

from domain.testreport import TestCase, TestReport, TestStatus
from parsers.junit import merged, read_report

PASSED, FAILED, ERROR, SKIPPED = TestStatus.PASSED, TestStatus.FAILED, TestStatus.ERROR, TestStatus.SKIPPED


def read(text: str) -> TestReport:
    return read_report(text.encode(), name="report.xml")


def only(text: str) -> TestCase:
    (case,) = read(f'<testsuite name="shop">{text}</testsuite>').cases
    return case


def test_a_report_of_surefire_tells_cases_with_class_duration_and_message() -> None:
    report = read(
        """<?xml version="1.0" encoding="UTF-8"?>
        <testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="https://x.example"
            name="shop.CartTest" time="1.5" tests="9" errors="7" skipped="7" failures="7">
          <properties><property name="os" value="linux"/></properties>
          <testcase name="adds" classname="shop.CartTest" time="0.25"/>
          <testcase name="pays" classname="shop.CartTest" time="1,234.5">
            <failure message="expected: &lt;1&gt; but was: &lt;2&gt;" type="AssertionError"><![CDATA[at <a>]]></failure>
            <rerunFailure message="again"><stackTrace>at</stackTrace></rerunFailure>
          </testcase>
          <testcase name="ships" classname="shop.CartTest"><skipped message="no lorry"/></testcase>
          <testcase name="waits" classname="shop.CartTest" time="0.1">
            <flakyFailure message="slow"><stackTrace>at</stackTrace><system-out>x</system-out></flakyFailure>
          </testcase>
          <system-out><![CDATA[<testcase name="no"/>]]></system-out>
        </testsuite>"""
    )
    assert (report.passed, report.failed, report.skipped, report.total) == (2, 1, 1, 4)
    suite = "shop.CartTest"
    assert report.cases == (
        TestCase(suite=suite, name="adds", status=PASSED, duration=0.25),
        TestCase(suite=suite, name="pays", status=FAILED, duration=1234.5, message="expected: <1> but was: <2>"),
        TestCase(suite=suite, name="ships", status=SKIPPED, message="no lorry"),
        TestCase(suite=suite, name="waits", status=PASSED, duration=0.1, flaky=True),
    )


def test_suites_may_be_nested_at_any_level_beside_cases() -> None:
    report = read(
        """<testsuites><testsuite name="a"><testcase name="1"/>
        <testsuite name="b"><testsuite name="c"><testcase name="2"/></testsuite><testcase name="3"/></testsuite>
        <testcase name="4"/></testsuite><testcase name="5" classname="loose"/></testsuites>"""
    )
    assert [case.test for case in report.cases] == [("a", "1"), ("c", "2"), ("b", "3"), ("a", "4"), ("loose", "5")]


@pytest.mark.parametrize(
    ("inside", "status", "message"),
    [
        ("<failure/>", FAILED, None),
        ("<failure>text</failure>", FAILED, "text"),
        ('<failure message="  ">\n text \n</failure>', FAILED, "text"),
        ('<failure type="TypeError"/>', FAILED, "TypeError"),
        ('<failure message="m" type="t">text</failure>', FAILED, "m"),
        ("<failure>one<br/> two <b>three</b></failure>", FAILED, "one two three"),
        ('<failure message="Failed">cart_test.go:19: no</failure>', FAILED, "cart_test.go:19: no"),
        ('<failure message="failed!"/>', FAILED, "failed!"),
        ("<failure>one</failure><error>two</error>", ERROR, "two"),
        ("<error>two</error><failure>one</failure>", ERROR, "two"),
        ("<failure>one</failure><failure>two</failure>", FAILED, "one"),
        ("<skipped/><failure>x</failure>", FAILED, "x"),
        ("<failure>x</failure><skipped>y</skipped>", FAILED, "x"),
        ("<skipped/>", SKIPPED, None),
        ('<skipped type="pytest.xfail" message=""/>', SKIPPED, "pytest.xfail"),
        ("<skipped><![CDATA[not <today>]]></skipped>", SKIPPED, "not <today>"),
        ("<ignored/>", SKIPPED, None),
        ("<disabled/>", SKIPPED, None),
        ("<system-out>failure</system-out><properties/>", PASSED, None),
        ("<flakyError/><failure>x</failure>", FAILED, "x"),
    ],
)
def test_the_worst_outcome_of_a_case_counts_with_its_message(inside: str, status: TestStatus, message: str) -> None:
    case = only(f'<testcase name="t">{inside}</testcase>')
    assert (case.status, case.message, case.flaky) == (status, message, False)


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ('status="run"', PASSED),
        ('status="run" result="completed"', PASSED),
        ('status="notrun" result="suppressed"', SKIPPED),
        ('status="notrun"', SKIPPED),
        ('status="disabled"', SKIPPED),
        ('status="fail"', FAILED),
        ('status="Failed"', FAILED),
        ('status="error"', ERROR),
        ('status="passed"', PASSED),
        ('status="untested"', SKIPPED),
        ('status="well"', PASSED),
        ('result="failed"', FAILED),
    ],
)
def test_attributes_tell_the_outcome_where_no_element_does(attributes: str, status: TestStatus) -> None:
    assert only(f'<testcase name="t" {attributes}/>').status is status


@pytest.mark.parametrize(
    ("attributes", "test"),
    [
        ('name="t"', ("shop", "t")),
        ('name="t" classname=""', ("shop", "t")),
        ('name="t" classname="a.B"', ("a.B", "t")),
        ('name="t" class="A\\B"', ("A\\B", "t")),
        ('classname="a.B"', ("a.B", "(?)")),
        ('name="" classname="a.B"', ("a.B", "(?)")),
        ('name="a &#10; b" classname="c"', ("c", r"a \x0a b")),
        ('name="x.y" classname="c"', ("c", "x.y")),
    ],
)
def test_a_case_is_known_by_its_class_or_else_its_suite(attributes: str, test: tuple[str, str]) -> None:
    assert only(f"<testcase {attributes}/>").test == test


def test_a_case_without_class_in_a_suite_without_name_is_split_at_its_last_dot() -> None:
    report = read('<testsuite><testcase name="a.b.CTest.works"/><testcase name="alone"/></testsuite>')
    assert [case.test for case in report.cases] == [("a.b.CTest", "works"), ("", "alone")]


def test_an_error_of_a_suite_is_a_case_of_its_own_and_comes_once() -> None:
    report = read(
        """<testsuites><testsuite name="a" errors="2"><error message="no such class">at</error><error/>
        <testcase name="t"/><failure>said of the suite</failure></testsuite>
        <testsuite name="b"><testcase name="t"/><error type="Boom"/></testsuite></testsuites>"""
    )
    assert [(case.test, case.status, case.message) for case in report.cases] == [
        (("a", "<init>"), ERROR, "no such class"),
        (("a", "t"), PASSED, None),
        (("b", "t"), PASSED, None),
        (("b", "<init>"), ERROR, "Boom"),
    ]


def test_a_report_that_claims_failures_and_lists_no_case_is_not_one_without_failures() -> None:
    report = read(
        '<testsuites><testsuite name="a" tests="3" failures="1"/><testsuite name="b" tests="1"/></testsuites>'
    )
    assert [(case.test, case.status) for case in report.cases] == [(("a", "<init>"), ERROR)]
    assert report.failed == 1
    odd = read('<testsuite tests="-" failures="many" errors="0"/>')
    assert odd.total == 0


def test_wrong_counts_in_attributes_change_nothing() -> None:
    report = read(
        '<testsuites tests="99"><testsuite failures="5" tests="NaN"><testcase name="t"/></testsuite></testsuites>'
    )
    assert (report.passed, report.failed, report.total) == (1, 0, 1)


def test_a_case_within_a_case_counts_beside_it() -> None:
    report = read(
        '<testsuite name="s"><testcase name="a"><testcase name="b"><failure/></testcase></testcase></testsuite>'
    )
    assert [(case.name, case.status) for case in report.cases] == [("a", PASSED), ("b", FAILED)]


def test_namespaces_do_not_matter() -> None:
    report = read(
        """<j:testsuites xmlns:j="urn:j" xmlns="urn:other"><j:testsuite name="s"><j:testcase name="t"><j:failure>x
        </j:failure></j:testcase></j:testsuite><testsuite name="d"><testcase name="u"/></testsuite></j:testsuites>"""
    )
    assert [(case.test, case.status) for case in report.cases] == [(("s", "t"), FAILED), (("d", "u"), PASSED)]


@pytest.mark.parametrize("text", ["<testsuites/>", "<testsuite/>", '<testsuites tests="0"><testsuite/></testsuites>'])
def test_a_report_without_cases_is_empty_not_broken(text: str) -> None:
    assert read(text) == TestReport(passed=0, failed=0, skipped=0)


def test_merged_reports_add_up_and_hold_each_test_once_as_its_worst() -> None:
    first = read('<testsuite name="s"><testcase name="a"/><testcase name="b"/></testsuite>')
    second = read(
        '<testsuite name="s"><testcase name="b"><failure>x</failure></testcase><testcase name="c"/></testsuite>'
    )
    report = merged([first, second, first])
    assert (report.passed, report.failed) == (5, 1)
    assert [(case.name, case.status) for case in report.cases] == [("a", PASSED), ("b", FAILED), ("c", PASSED)]
    assert merged([]) == TestReport(passed=0, failed=0, skipped=0)


def test_a_test_that_fails_in_two_files_is_one_failing_test() -> None:
    linux = read('<testsuite name="s"><testcase name="a"><failure/></testcase><testcase name="b"/></testsuite>')
    macos = read(
        '<testsuite name="s"><testcase name="a"><failure/></testcase><testcase name="c"><error/></testcase></testsuite>'
    )
    report = merged([linux, macos])
    assert (report.failed, report.failing_tests) == (3, 2)
    assert merged([report, linux]).failing_tests == 2


def test_of_too_many_merged_tests_the_failing_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parsers.junit._MOST_TESTS", 2)
    first = read('<testsuite name="s"><testcase name="a"/><testcase name="b"/></testsuite>')
    second = read('<testsuite name="s"><testcase name="c"><failure/></testcase><testcase name="d"/></testsuite>')
    report = merged([first, second])
    assert [case.name for case in report.cases] == ["c", "a"]
    assert (report.total, report.notes) == (4, ("only 2 of 4 tests are kept",))
