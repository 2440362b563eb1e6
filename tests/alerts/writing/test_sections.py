"""A card lists the tests that fail, new ones first, and what changed since it was well."""

from dataclasses import replace
from datetime import UTC
from typing import Any

from alerts.writing.background import Background
from alerts.writing.case import Case
from alerts.writing.sections import sections
from domain.alert import AlertState, Reason
from domain.build import Outcome
from domain.details import Changes, Commit
from domain.message import Cell, Table, Tone
from domain.testreport import TestCase, TestReport, TestStatus, each_once
from tests.support.builders import NOON, alert, build

FAILED = {"last_failed": {"id": 2, "number": 812, "generation": 0}}
GOOD = {"last_passed": {"id": 1, "number": 810, "generation": 0}}


def _report(*names: str, failed: int | None = None) -> TestReport:
    cases = [TestCase(suite="web", name=name, status=TestStatus.FAILED) for name in names]
    fine = TestCase(suite="web", name="fine", status=TestStatus.PASSED)
    return TestReport(passed=1, failed=len(names) if failed is None else failed, skipped=0, cases=(fine, *cases))


def _changes(*authors: str) -> Changes:
    commits = [Commit(id=f"{n % 10}" * 40, title=f"Change {n}", author=name) for n, name in enumerate(authors)]
    return Changes(commits=tuple(commits), total=len(commits))


def _sections(tests: TestReport | None = None, evidence: Any = FAILED, **background: Any) -> tuple[Table, ...]:
    case = Case(
        alert=alert(evidence=evidence),
        reason=Reason.FIRST,
        pipeline=None,
        builds={2: build(812, Outcome.FAILURE, tests=tests)},
        now=NOON,
        zone=UTC,
        background=Background(**background),
    )
    return sections(case)


def test_new_failures_stand_before_those_that_were_failing() -> None:
    (table,) = _sections(_report("old", "new"), failing_before=frozenset({("web", "old")}))
    assert table.title == "2 failing tests, 1 of them new"
    assert table.rows == (
        (Cell(text="web: new"), Cell(text="new", tone=Tone.BROKEN)),
        (Cell(text="web: old"), Cell(text="still", tone=Tone.WORSE)),
    )


def test_without_the_build_before_nothing_is_called_new() -> None:
    (table,) = _sections(_report("a"))
    assert table == Table(title="1 failing test", rows=((Cell(text="web: a"),),))


def test_five_are_shown_and_the_rest_is_counted_also_when_it_was_not_read() -> None:
    (table,) = _sections(_report(*"abcdefg", failed=90))
    assert len(table.rows) == 5
    assert table.more == 85
    assert table.title == "90 failing tests"


def test_a_test_that_failed_in_two_parts_of_a_matrix_counts_once() -> None:
    (table,) = _sections(each_once(_report("a", "b", "a")))
    assert (table.title, len(table.rows), table.more) == ("2 failing tests", 2, 0)


def test_a_test_without_a_suite_has_its_name_only() -> None:
    report = TestReport(passed=0, failed=1, skipped=0, cases=(TestCase(suite="", name="x", status=TestStatus.ERROR),))
    (table,) = _sections(report)
    assert table.rows == ((Cell(text="x"),),)


def test_totals_without_cases_have_no_table() -> None:
    assert _sections(TestReport(passed=1, failed=2, skipped=0)) == ()
    assert _sections() == ()


def test_what_changed_is_named_neutrally_and_counted() -> None:
    (table,) = _sections(evidence=FAILED | GOOD, changes=_changes(*"abcdefgh"))
    assert table.title == "Changes since #810"
    assert [row[0].text for row in table.rows] == ["a", "b", "c", "d", "e"]
    assert table.more == 3
    assert _sections(changes=_changes("a"))[0].title == "Changes"
    assert _sections(changes=_changes()) == ()


def test_an_author_stands_once_with_the_newest_change() -> None:
    (table,) = _sections(changes=_changes("a", "b", "a"))
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["a", "00000000 Change 0 and 1 more"],
        ["b", "11111111 Change 1"],
    ]


def test_of_many_commits_nobody_is_named() -> None:
    (table,) = _sections(changes=_changes(*"abcdefgabcdefgabcdefg"))
    assert [row[0].text for row in table.rows] == ["21 commits by 7 people"]
    half = replace(_changes("a", "b"), total=41, url="https://ci.example.com/compare")
    (table,) = _sections(changes=half)
    assert table.rows == ((Cell(text="41 commits", url="https://ci.example.com/compare"),),)


def test_bots_are_said_to_be_bots() -> None:
    bot = Commit(id="f" * 40, title="Bump left-pad", author="renovate", is_bot=True)
    (table,) = _sections(changes=Changes(commits=(*_changes("a").commits, bot), total=2))
    assert [row[0].text for row in table.rows] == ["a", "renovate (bot)"]


def test_who_wants_to_be_mentioned_is_found_by_login_or_name() -> None:
    changes = Changes(commits=(Commit(id="1", title="x", author="Ada L", login="Ada"),), total=1)
    (table,) = _sections(changes=changes, mentions={"ada": "U012AB3CD"})
    assert table.rows[0][0] == Cell(text="Ada L", mention="U012AB3CD")


def test_what_many_tests_fail_with_is_said_once() -> None:
    tests, errors = _sections(_report(*"abcdefg"), errors=(("timeout after <n> s", 6), ("no such file", 1)))
    assert tests.more == 2
    assert [[cell.text for cell in row] for row in errors.rows] == [
        ["6x", "timeout after <n> s"],
        ["1x", "no such file"],
    ]


def test_nothing_is_listed_once_it_is_over() -> None:
    over = Case(
        alert=alert(evidence=FAILED, state=AlertState.RESOLVED),
        reason=Reason.RESOLVED,
        pipeline=None,
        builds={2: build(812, Outcome.FAILURE, tests=_report("a"))},
        now=NOON,
        zone=UTC,
    )
    assert sections(over) == ()
