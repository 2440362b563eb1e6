"""Test reports in a few letters, and builds that have them."""

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
    """`report("PF")`: tests a and b of the suite `s`; `report({"x": "F", "other/y": "P"})`."""
    named = results if isinstance(results, Mapping) else dict(zip("abcdefghijklmnop", results, strict=False))
    cases = []
    for name, letter in named.items():
        if letter != "-":
            suite, _, short = name.rpartition("/")
            cases.append(TestCase(suite=suite or "s", name=short, status=LETTERS[letter], **changes))
    count = [case.status for case in cases].count
    failed = count(TestStatus.FAILED) + count(TestStatus.ERROR)
    return TestReport(
        passed=count(TestStatus.PASSED), failed=failed, skipped=count(TestStatus.SKIPPED), cases=tuple(cases)
    )


def stored(database: Database, *some: Build) -> list[int]:
    """The ids of these builds, stored now."""
    found = database.transact(lambda session: builds.upsert(session, some, verdict_of, NOON))
    return [change.id for change in found]


def read(database: Database, build_id: int, results: str | Mapping[str, str]) -> TestChanges:
    """What is new after such a report of a build."""
    return database.transact(lambda session: tests.record(session, build_id, report(results)))


def line(database: Database, *results: str | Mapping[str, str], first: int = 1, **changes: Any) -> list[TestChanges]:
    """A build for each, that fails when a test does, read in order.

    "" is one that passed without a report, "x" one that failed without.
    """
    found = []
    for number, each in enumerate(results, first):
        letters = set(each if isinstance(each, str) else each.values())
        outcome = Outcome.FAILURE if {"F", "E", "x"} & letters else Outcome.SUCCESS
        (build_id,) = stored(database, build(number, outcome, **changes))
        found.append(read(database, build_id, each) if each not in ("", "x") else TestChanges())
    return found
