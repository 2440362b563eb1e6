"""Reports in JSON, in small: go, Dart, jest, mocha, RSpec."""

import io
import json
import tracemalloc
from typing import Any

import pytest

from domain.testreport import TestReport, TestStatus
from parsers.junit import ReportLimits, read_report
from parsers.unreadable import NotAReport, Unreadable

PASSED, FAILED, ERROR, SKIPPED = TestStatus.PASSED, TestStatus.FAILED, TestStatus.ERROR, TestStatus.SKIPPED


def read(*values: Any) -> TestReport:
    return read_report("\n".join(json.dumps(value) for value in values).encode(), name="report.json")


def told(report: TestReport) -> list[tuple[str, str, TestStatus, str | None]]:
    return [(case.suite, case.name, case.status, case.message) for case in report.cases]


def go(action: str, test: str | None = None, package: str = "shop/cart", **more: object) -> dict[str, object]:
    return {"Time": "x", "Action": action, "Package": package, **({"Test": test} if test else {}), **more}


def test_go_counts_tests_and_their_subtests() -> None:
    report = read(
        go("start"),
        go("run", "TestAdd"),
        go("output", "TestAdd", Output="=== RUN   TestAdd\n"),
        go("output", "TestAdd", Output="    cart_test.go:19: expected 3\n"),
        go("output", "TestAdd", Output="--- FAIL: TestAdd (0.76s)\n"),
        go("run", "TestAdd/one"),
        go("pass", "TestAdd/one", Elapsed=0.25),
        go("fail", "TestAdd", Elapsed=0.76),
        go("skip", "TestPay", Elapsed=0),
        go("bench", "BenchmarkAdd"),
        go("fail", Elapsed=2.5),
        go("pass", "TestNothing", package="shop/empty"),
        go("pass", package="shop/empty"),
    )
    assert told(report) == [
        ("shop/cart", "TestAdd/one", PASSED, None),
        ("shop/cart", "TestAdd", FAILED, "cart_test.go:19: expected 3"),
        ("shop/cart", "TestPay", SKIPPED, None),
        ("shop/empty", "TestNothing", PASSED, None),
    ]
    assert [case.duration for case in report.cases] == [0.25, 0.76, 0, None]


def test_go_tells_what_did_not_compile_and_what_did_not_end() -> None:
    report = read(
        {"ImportPath": "shop/broken", "Action": "build-output", "Output": "x"},
        go("start", package="shop/broken"),
        go("output", package="shop/broken", Output="FAIL\tshop/broken [build failed]\n"),
        go("fail", package="shop/broken"),
        go("run", "TestPanics"),
        go("output", "TestPanics", Output="panic: no\n"),
        go("fail"),
        go("run", "TestHangs", package="shop/late"),
    )
    assert told(report) == [
        ("shop/broken", "<package>", ERROR, "FAIL\tshop/broken [build failed]"),
        ("shop/cart", "TestPanics", ERROR, "panic: no"),
        ("shop/late", "TestHangs", ERROR, "it did not finish"),
    ]


def test_lines_that_are_no_events_are_passed_over() -> None:
    lines = b'{"Action":"start","Package":"p"}\n# p\n./a.go:1\n{"half\n[1]\n"x"\n\n{"Action":"pass","Test":"T"}\n'
    assert read_report(lines, name="x").passed == 1
    assert read_report(b"\xef\xbb\xbf" + lines, name="x").passed == 1


def test_dart_hides_what_it_hides() -> None:
    def start(number: int, name: str, suite: int = 0) -> dict[str, object]:
        return {"type": "testStart", "time": 1000, "test": {"id": number, "name": name, "suiteID": suite}}

    def done(number: int, result: str = "success", **more: object) -> dict[str, object]:
        return {"type": "testDone", "testID": number, "result": result, "time": 1500, **more}

    report = read(
        {"protocolVersion": "0.1.1", "type": "start", "time": 0},
        {"type": "suite", "suite": {"id": 0, "path": "test\\cart_test.dart"}},
        start(1, "loading test\\cart_test.dart"),
        done(1, hidden=True),
        start(2, "Cart adds"),
        done(2),
        start(3, "Cart pays"),
        {"type": "error", "testID": 3, "error": "Expected: <2>\n", "isFailure": True},
        {"type": "error", "testID": 3, "error": "later"},
        done(3, "failure"),
        start(4, "Cart breaks"),
        done(4, "error"),
        start(5, "Cart rests"),
        done(5, skipped=True),
        start(6, "Cart hangs"),
        start(7, "loading x"),
        {"type": "print", "message": "x"},
    )
    suite = "test/cart_test.dart"
    assert told(report) == [
        (suite, "Cart adds", PASSED, None),
        (suite, "Cart pays", FAILED, "Expected: <2>"),
        (suite, "Cart breaks", ERROR, None),
        (suite, "Cart rests", SKIPPED, None),
        (suite, "Cart hangs", ERROR, "it did not finish"),
    ]
    assert report.cases[0].duration == 0.5


def test_jest() -> None:
    def case(title: str, status: str, *messages: str) -> dict[str, object]:
        return {"ancestorTitles": ["Cart", "adds"], "title": title, "status": status, "duration": 250,
                "failureMessages": list(messages)}  # fmt: skip

    report = read(
        {
            "numTotalTests": 5,
            "testResults": [
                {
                    "name": "/a/cart.test.js",
                    "status": "failed",
                    "assertionResults": [
                        case("one", "passed"),
                        case("two", "failed", "Error: no", "Error: again"),
                        case("three", "pending"),
                        case("four", "todo"),
                        {"fullName": "alone", "status": "odd", "duration": None},
                    ],
                },
                {"name": "/a/broken.test.js", "status": "failed", "message": "SyntaxError", "assertionResults": []},
                {"name": "/a/empty.test.js", "status": "passed"},
                "nonsense",
            ],
        }
    )
    assert told(report) == [
        ("Cart adds", "one", PASSED, None),
        ("Cart adds", "two", FAILED, "Error: no\nError: again"),
        ("Cart adds", "three", SKIPPED, None),
        ("Cart adds", "four", SKIPPED, None),
        ("/a/cart.test.js", "alone", ERROR, None),
        ("/a/broken.test.js", "<suite>", ERROR, "SyntaxError"),
    ]
    assert [each.duration for each in report.cases[:1]] == [0.25]


def test_mocha() -> None:
    report = read(
        {
            "stats": {"tests": 3},
            "tests": [{}],
            "passes": [{"title": "adds", "fullTitle": "Cart adds", "duration": 12, "err": {}}],
            "failures": [
                {"title": "pays", "fullTitle": "Cart pays", "err": {"message": "no", "stack": "Error"}},
                {"title": "alone", "fullTitle": "alone", "file": "C:\\a\\b.test.js", "err": {"stack": "Error"}},
            ],
            "pending": [{"title": "rests", "fullTitle": "Cart rests"}],
        }
    )
    assert told(report) == [
        ("Cart", "adds", PASSED, None),
        ("Cart", "pays", FAILED, "no"),
        ("b.test.js", "alone", FAILED, "Error"),
        ("Cart", "rests", SKIPPED, None),
    ]


def test_rspec() -> None:
    report = read(
        {
            "version": "3.13.0",
            "examples": [
                {"file_path": "./spec/a_spec.rb", "full_description": "Cart adds", "status": "passed", "run_time": 0.5},
                {"file_path": "./spec/a_spec.rb", "full_description": "Cart pays", "status": "failed",
                 "exception": {"class": "E", "message": "no"}},
                {"file_path": "./spec/a_spec.rb", "full_description": "Cart rests", "status": "pending",
                 "pending_message": "later"},
            ],
            "summary": {"errors_outside_of_examples_count": 1},
        }
    )  # fmt: skip
    assert told(report) == [
        ("spec/a_spec.rb", "Cart adds", PASSED, None),
        ("spec/a_spec.rb", "Cart pays", FAILED, "no"),
        ("spec/a_spec.rb", "Cart rests", SKIPPED, "later"),
        ("", "<outside of examples>", ERROR, "an error outside of any example"),
    ]


def test_a_mark_before_a_document_is_passed_over() -> None:
    assert read_report(b"\xef\xbb\xbf" + b'{"passes": [{"title": "a"}]}', name="x").passed == 1


@pytest.mark.parametrize("text", ["{}", "[]", '[{"a": 1}]', '{"tests": 1}', '{\n"type": "start"\n}', '{"examples": 1}'])
def test_other_json_is_told_from_reports(text: str) -> None:
    with pytest.raises(NotAReport, match="report: this JSON is not a test report"):
        read_report(text.encode(), name="report")


@pytest.mark.parametrize(
    "data",
    [b"{", b'{"testResults": [', b"[" * 100_000, b'{"a":' * 5_000, b'{"a": "\xff"}', b'{"a":[' + b"[]," * 600_000],
)
def test_broken_or_swollen_json_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable, match=r"^report: it "):
        read_report(data, name="report")


@pytest.mark.parametrize(
    "odd", [None, 1, 1.5, True, "x", [], {}, [None], {"a": 1}, ["x"], [{"err": 1}], [{"exception": []}], -1e300]
)
def test_values_of_any_kind_are_survived(odd: object) -> None:
    read({"testResults": [{"assertionResults": odd, "name": odd}, odd]})
    read({"passes": [{"title": odd, "fullTitle": odd, "duration": odd, "err": odd, "file": odd}], "pending": odd})
    read({"examples": [{"status": odd, "exception": odd, "run_time": odd}], "summary": odd})
    read(go("start"), {"Action": odd, "Test": odd}, {"Action": "fail", "Test": "T", "Package": odd, "Elapsed": odd})
    read(go("start"), {"Action": "output", "Test": "T", "Output": odd}, {"Action": "pass", "Test": "T"})
    dart = {"protocolVersion": odd}
    read(
        dart,
        {"type": odd},
        *({"type": kind, "suite": odd, "test": odd, "testID": odd} for kind in ("suite", "testStart")),
    )
    read(
        dart,
        {"type": "suite", "suite": {"id": odd, "path": odd}},
        {"type": "testStart", "test": {"id": odd, "name": odd}},
        {"type": "error", "testID": odd, "error": odd},
        {"type": "testDone", "testID": odd, "result": odd, "time": odd},
    )


def test_a_long_stream_of_events_is_read_in_bounded_memory() -> None:
    body = b"".join(
        b'{"Action":"run","Package":"p","Test":"T%d"}\n{"Action":"output","Package":"p","Test":"T%d","Output":"%s"}\n'
        % (number, number, b"y" * 3000)
        for number in range(3000)
    )
    endless = io.BytesIO(b'{"Action":"start"}\n' + b"z" * (3 << 20) + b"\n" + body)
    tracemalloc.start()
    try:
        report = read_report(endless, name="x", limits=ReportLimits(cases=100))
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()
    assert report.failed == 3000
