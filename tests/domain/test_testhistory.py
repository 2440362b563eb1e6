import pytest

from domain.testhistory import Reading, compare, standing
from domain.testreport import TestCase, TestReport, TestStatus, by_test

PASSED, FAILED, ERROR, SKIPPED = TestStatus.PASSED, TestStatus.FAILED, TestStatus.ERROR, TestStatus.SKIPPED


def reading(*, well: bool = False, partial: bool = False, **statuses: TestStatus) -> Reading:
    found = {ord(name): status for name, status in statuses.items()}
    return Reading(found or None, well, partial)


def known(*readings: Reading) -> dict[str, TestStatus] | None:
    found = standing(readings)
    return None if found is None else {chr(number): status for number, status in found.items()}


def test_nothing_is_known_of_builds_that_only_failed() -> None:
    assert known() is None
    assert known(reading(), reading()) is None
    assert known(reading(well=True)) == {}


def test_a_whole_report_says_all() -> None:
    assert known(reading(a=FAILED), reading(a=PASSED, b=FAILED)) == {"a": FAILED}
    assert known(reading(), reading(a=FAILED)) == {"a": FAILED}


def test_what_a_cut_report_does_not_name_is_as_it_was() -> None:
    assert known(reading(partial=True, a=FAILED), reading(a=PASSED, b=ERROR)) == {"a": FAILED, "b": ERROR}
    assert known(reading(partial=True, well=True, a=FAILED), reading(b=ERROR)) == {"a": FAILED, "b": PASSED}
    cut = [reading(partial=True, a=FAILED)] * 5
    assert known(*cut, reading(b=FAILED)) == {"a": FAILED}


def test_a_build_that_passed_without_a_report_leaves_nothing_failing() -> None:
    assert known(reading(well=True), reading(a=FAILED, b=SKIPPED)) == {"a": PASSED, "b": SKIPPED}
    assert known(reading(a=FAILED, well=True)) == {"a": FAILED}  # it passed in spite of that


def test_sets_are_compared() -> None:
    now = {"a": FAILED, "b": ERROR, "c": PASSED, "d": SKIPPED, "e": SKIPPED, "f": SKIPPED}
    before = {"a": PASSED, "b": FAILED, "c": FAILED, "d": PASSED, "e": SKIPPED, "g": PASSED}
    assert compare(now, before) == {
        "failing": ["a", "b"],
        "newly_failing": ["a"],
        "still_failing": ["b"],
        "fixed": ["c"],
        "vanished": ["g"],
        "newly_skipped": ["d"],
    }
    assert compare(now, before, partial=True)["vanished"] == []
    assert compare(now, None) == {"failing": ["a", "b"]}


def test_a_report_knows_what_failed_and_each_test_once() -> None:
    cases = tuple(
        TestCase(suite="s", name=name, status=status)
        for name, status in (("a", SKIPPED), ("a", PASSED), ("b", FAILED), ("b", ERROR), ("b", PASSED))
    )
    report = TestReport(passed=2, failed=2, skipped=1, cases=cases)
    assert (report.total, [case.status for case in report.failing]) == (5, [FAILED, ERROR])
    assert {test: case.status for test, case in by_test(cases).items()} == {("s", "a"): PASSED, ("s", "b"): ERROR}
    with pytest.raises(ValueError, match="cannot be negative"):
        TestReport(passed=-1, failed=0, skipped=0)
