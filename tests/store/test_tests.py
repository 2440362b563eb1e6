from collections.abc import Mapping
from typing import Any

from domain.build import Build, Outcome
from domain.testhistory import TestChanges
from domain.testreport import TestCase, TestReport, TestStatus
from store import builds, tests
from store.engine import Database
from tests.support.builders import NOON, build
from tests.support.histories import verdict_of

LETTERS = {"P": TestStatus.PASSED, "F": TestStatus.FAILED, "E": TestStatus.ERROR, "S": TestStatus.SKIPPED}


def report(results: str | Mapping[str, str], **changes: Any) -> TestReport:
    """`report("PF")`: tests a and b of the suite `s`; `report({"x": "F"})`."""
    named = results if isinstance(results, Mapping) else dict(zip("abcdefghijklmnop", results, strict=False))
    cases = tuple(
        TestCase(suite="s", name=name, status=LETTERS[letter], **changes)
        for name, letter in named.items()
        if letter != "-"
    )
    count = [case.status for case in cases].count
    failed = count(TestStatus.FAILED) + count(TestStatus.ERROR)
    return TestReport(passed=count(TestStatus.PASSED), failed=failed, skipped=count(TestStatus.SKIPPED), cases=cases)


def stored(database: Database, *some: Build) -> list[int]:
    found = database.transact(lambda session: builds.upsert(session, some, verdict_of, NOON))
    return [change.id for change in found]


def read(database: Database, build_id: int, results: str | Mapping[str, str]) -> TestChanges:
    return database.transact(lambda session: tests.record(session, build_id, report(results)))


def line(database: Database, *results: str) -> list[TestChanges]:
    """A build for each, that fails when a test does, read in order; "" is one that passed without a report."""
    found = []
    for number, each in enumerate(results, 1):
        outcome = Outcome.FAILURE if {"F", "E"} & set(each) or each == "x" else Outcome.SUCCESS
        (build_id,) = stored(database, build(number, outcome))
        found.append(read(database, build_id, each) if each not in {"", "x"} else TestChanges())
    return found


def names(some: tuple[tuple[str, str], ...]) -> str:
    return "".join(name for _, name in some)


def test_a_test_that_passed_before_is_newly_failing(database: Database) -> None:
    changes = line(database, "PPPP", "FPEP")[-1]
    assert (names(changes.newly_failing), changes.compared, changes.partial) == ("ac", True, False)
    assert names(changes.failing) == "ac"


def test_failing_on_is_no_news_and_what_passes_again_is_fixed(database: Database) -> None:
    changes = line(database, "PFFPP", "FFPSP", "FFPS")[1:]
    assert [names(each.still_failing) for each in changes] == ["b", "ab"]
    assert [names(each.fixed) for each in changes] == ["c", ""]
    assert [names(each.newly_skipped) for each in changes] == ["d", ""]
    assert [names(each.vanished) for each in changes] == ["", "e"]
