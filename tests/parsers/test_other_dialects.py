"""Reports of NUnit, xUnit.net, Visual Studio, TestNG and Jenkins itself, in small."""

import pytest

from domain.testreport import TestReport, TestStatus
from parsers.junit import read_report
from parsers.unreadable import NotAReport

PASSED, FAILED, ERROR, SKIPPED = TestStatus.PASSED, TestStatus.FAILED, TestStatus.ERROR, TestStatus.SKIPPED


def read(text: str) -> TestReport:
    return read_report(text.encode(), name="report.xml")


def told(report: TestReport) -> list[tuple[str, str, TestStatus, str | None]]:
    return [(case.suite, case.name, case.status, case.message) for case in report.cases]


def test_nunit_3() -> None:
    report = read(
        """<test-run id="0" failed="99"><test-suite type="Assembly" name="Shop.dll" result="Failed" site="Child">
        <failure><message><![CDATA[One or more child tests had errors]]></message></failure>
        <test-suite type="TestFixture" name="CartTests" fullname="Shop.CartTests" result="Failed" site="TearDown">
          <failure><message>TearDown : no</message></failure>
          <test-case name="Adds(1.5,2)" fullname="Shop.CartTests.Adds(1.5,2)" classname="Shop.CartTests" result="Passed"
            duration="0.25"/>
          <test-case name="Pays" fullname="Shop.CartTests.Pays" classname="Shop.CartTests" result="Failed">
            <failure><message><![CDATA[ Expected: 1 ]]></message><stack-trace>at</stack-trace></failure>
            <assertions><assertion result="Failed"><message>later</message></assertion></assertions></test-case>
          <test-case name="Breaks" fullname="Shop.CartTests.Breaks" result="Failed" label="Error"/>
          <test-case name="Waits" fullname="Shop.CartTests.Waits" result="Failed" label="Child"/>
          <test-case name="Rests" fullname="Shop.CartTests.Rests" result="Skipped" label="Ignored">
            <reason><message>later</message></reason></test-case>
          <test-case name="Doubts" fullname="Shop.CartTests.Doubts" result="Inconclusive"/>
          <test-case name="Warns" fullname="Shop.CartTests.Warns" result="Warning"><reason><message>x</message></reason>
          </test-case>
          <test-case name="Lost" result="Nonsense"/>
        </test-suite></test-suite></test-run>"""
    )
    suite = "Shop.CartTests"
    assert told(report) == [
        (suite, "Adds(1.5,2)", PASSED, None),
        (suite, "Pays", FAILED, "Expected: 1"),
        (suite, "Breaks", ERROR, None),
        (suite, "Waits", FAILED, None),
        (suite, "Rests", SKIPPED, "later"),
        (suite, "Doubts", SKIPPED, None),
        (suite, "Warns", PASSED, None),
        ("CartTests", "Lost", ERROR, None),
        (suite, "<teardown>", ERROR, "the tear-down of the suite failed"),
    ]
    assert report.cases[0].duration == 0.25


def test_nunit_2() -> None:
    report = read(
        """<test-results name="Shop.dll" total="4"><test-suite name="Shop" success="False"><results>
        <test-case name="Shop.CartTests.Adds" executed="True" success="True" time="0.016" asserts="0"/>
        <test-case name='Shop.CartTests.Pays("a.b")' executed="True" success="False" time="0.01">
          <failure><message>no</message><stack-trace/></failure></test-case>
        <test-case name="Shop.CartTests.Rests" executed="False"><reason><message>later</message></reason></test-case>
        <test-case name="Shop.CartTests.Breaks" executed="True" result="Error"/>
        <test-case name="Shop.CartTests.Cannot" executed="False" result="NotRunnable"/>
        </results></test-suite></test-results>"""
    )
    suite = "Shop.CartTests"
    assert told(report) == [
        (suite, "Adds", PASSED, None),
        (suite, 'Pays("a.b")', FAILED, "no"),
        (suite, "Rests", SKIPPED, "later"),
        (suite, "Breaks", ERROR, None),
        (suite, "Cannot", ERROR, None),
    ]


def test_xunit_net() -> None:
    report = read(
        """<assemblies timestamp="x"><assembly name="Shop.dll" total="4"><errors>
          <error type="assembly-cleanup" name="Shop.dll"><failure><message>no</message></failure></error>
        </errors><collection name="c">
          <test name="Shop.CartTests.Adds(x: 1.5)" type="Shop.CartTests" method="Adds" time="0.5" result="Pass"/>
          <test name="Shop.CartTests.Pays" type="Shop.CartTests" method="Pays" result="Fail">
            <failure><message><![CDATA[Expected]]></message><stack-trace>at</stack-trace></failure></test>
          <test name="pretty name" type="Shop.CartTests" method="Rests" result="Skip"><reason>later</reason></test>
          <test name="Shop.CartTests.Waits" type="Shop.CartTests" method="Waits" result="NotRun"/>
        </collection><message>outside</message></assembly></assemblies>"""
    )
    suite = "Shop.CartTests"
    assert told(report) == [
        ("Shop.dll", "<assembly-cleanup>", ERROR, "no"),
        (suite, "Adds(x: 1.5)", PASSED, None),
        (suite, "Pays", FAILED, "Expected"),
        (suite, "pretty name", SKIPPED, "later"),
        (suite, "Waits", SKIPPED, None),
    ]


TRX = """<?xml version="1.0" encoding="UTF-8"?>
<TestRun id="1" xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010"><Results>{results}</Results>
<TestDefinitions>
  <UnitTest name="Adds" id="1"><TestMethod className="Shop.CartTests, Shop, Version=1.0" name="Adds"/></UnitTest>
  <UnitTest name="Pays" id="2"><TestMethod className="Shop.CartTests" name="Pays"/></UnitTest>
</TestDefinitions><ResultSummary outcome="Failed"><Counters total="1"/>
  <RunInfos><RunInfo outcome="{outcome}"><Text>{text}</Text></RunInfo></RunInfos></ResultSummary></TestRun>"""


def test_trx_has_its_classes_at_its_end() -> None:
    report = read(
        TRX.format(
            outcome="Error",
            text="[xUnit.net 00:00:01.23] Shop.CartTests.Pays [FAIL]",
            results="""
        <UnitTestResult testId="1" testName="Adds" duration="00:00:01.5000000" outcome="Passed"><Output>
          <StdOut>x</StdOut></Output></UnitTestResult>
        <UnitTestResult testId="2" testName="Shop.CartTests.Pays" outcome="Failed"><Output><ErrorInfo>
          <Message>Expected</Message><StackTrace>at</StackTrace></ErrorInfo></Output><InnerResults>
            <UnitTestResult testId="2" testName="Pays (Row 0)" outcome="Passed"/>
            <UnitTestResult testId="2" testName="Pays (Row 1)" outcome="Failed"><Output><ErrorInfo>
            <Message>inner</Message></ErrorInfo></Output></UnitTestResult></InnerResults></UnitTestResult>
        <UnitTestResult testId="3" testName="a.b.Rests" outcome="NotExecuted"/>
        <UnitTestResult testId="4" testName="Hangs" outcome="Timeout"/>
        <UnitTestResult testId="5" testName="Doubts" outcome="Inconclusive"/>
        <UnitTestResult testId="6" testName="Nameless"/>""",
        )
    )
    assert told(report) == [
        ("Shop.CartTests", "Adds", PASSED, None),
        ("Shop.CartTests", "Pays", FAILED, "Expected"),
        ("a.b", "Rests", SKIPPED, None),
        ("", "Hangs", ERROR, None),
        ("", "Doubts", SKIPPED, None),
        ("", "Nameless", ERROR, None),
    ]
    assert report.cases[0].duration == 1.5


def test_trx_of_a_test_host_that_crashed_is_not_one_without_failures() -> None:
    passed = '<UnitTestResult testId="1" testName="Adds" outcome="Passed"/>'
    report = read(TRX.format(outcome="Error", text="The active test run was aborted.", results=passed))
    assert told(report)[1:] == [("", "<run>", ERROR, "The active test run was aborted.")]
    assert read(TRX.format(outcome="Warning", text="no coverage", results=passed)).failed == 0


def test_testng() -> None:
    report = read(
        """<testng-results ignored="0" total="4"><reporter-output/><suite name="s"><groups/><test name="t">
        <class name="shop.CartTest">
          <test-method is-config="true" name="setUp" status="PASS" duration-ms="1"/>
          <test-method is-config="true" name="tearDown" status="FAIL"><exception class="x.Boom"/></test-method>
          <test-method is-config="true" name="after" status="SKIP"/>
          <test-method name="adds" status="PASS" duration-ms="1500"><params><param index="0"><value>1</value></param>
          </params></test-method>
          <test-method name="pays" status="SKIP" retried="true"/>
          <test-method name="pays" status="FAIL" duration-ms="x"><exception class="java.lang.AssertionError">
            <message><![CDATA[expected [1]]]></message><full-stacktrace>at</full-stacktrace></exception></test-method>
          <test-method name="ships" status="SKIP"/>
          <test-method name="odd" status="SUCCESS_PERCENTAGE_FAILURE"/>
        </class></test></suite></testng-results>"""
    )
    suite = "shop.CartTest"
    assert told(report) == [
        (suite, "tearDown", ERROR, "x.Boom"),
        (suite, "adds", PASSED, None),
        (suite, "pays", FAILED, "expected [1]"),
        (suite, "ships", SKIPPED, None),
        (suite, "odd", ERROR, None),
    ]
    assert [case.duration for case in report.cases[1:3]] == [1.5, None]


def test_what_jenkins_keeps() -> None:
    report = read(
        """<result plugin="junit@1"><suites><suite><file>a.xml</file><name>s</name><duration>1.5</duration><cases>
        <case><duration>0.5</duration><className>a.B</className><testName>t</testName><skipped>false</skipped></case>
        <case><className>a.B</className><testName>u</testName><skipped>true</skipped><skippedMessage>later</skippedMessage>
        </case><case><className>a.B</className><testName>v</testName><skipped>false</skipped>
          <errorStackTrace>at</errorStackTrace><errorDetails>no</errorDetails></case>
        </cases></suite></suites></result>"""
    )
    assert told(report) == [("a.B", "t", PASSED, None), ("a.B", "u", SKIPPED, "later"), ("a.B", "v", FAILED, "no")]
    assert report.cases[0].duration == 0.5


@pytest.mark.parametrize(
    "text",
    [
        "<checkstyle/>",
        "<result><value>1</value></result>",
        "<!DOCTYPE html><html/>",
        "<failsafe-summary/>",
        "<coverage/>",
    ],
)
def test_other_files_are_told_from_reports(text: str) -> None:
    with pytest.raises(NotAReport, match=r"report\.xml: <[a-z-]+> is not a test report"):
        read(text)
