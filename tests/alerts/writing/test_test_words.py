from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from alerts.writing.message import compose
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity
from domain.build import Outcome
from domain.message import Message, Tone
from domain.testreport import TestCase, TestReport, TestStatus
from tests.support.builders import NOON, build, minutes, pipeline

SECOND = {"id": 2, "number": 2, "generation": 0}


def pairs(*names: str) -> list[list[str]]:
    return [["s", name] for name in names]


def message(why: Reason = Reason.FIRST, report: TestReport | None = None, **evidence: Any) -> Message:
    over = why is Reason.RESOLVED
    alert = Alert(
        kind=AlertKind.TEST_REGRESSION,
        scope=Scope(provider="ci", pipeline="web/deploy", branch="main"),
        severity=Severity.CRITICAL,
        state=AlertState.RESOLVED if over else AlertState.FIRING,
        started_at=minutes(0),
        resolved_at=minutes(90) if over else None,
        summary="summary",
        evidence={"last_failed": SECOND, **evidence},
    )
    builds = {2: replace(build(2, Outcome.FAILURE, tests=report), id=2)}
    return compose(alert, why, pipeline=pipeline(), builds=builds, now=NOON, zone=UTC)


def headline(why: Reason, **evidence: Any) -> str:
    return message(why, **evidence).headline.partition("main ")[2]


def begun(*names: str, **more: Any) -> Mapping[str, Any]:
    return {"tests": pairs(*names), "still": pairs(*names), "failing": len(names), "new": pairs(*names)} | more


@pytest.mark.parametrize(
    ("why", "evidence", "words"),
    [
        (Reason.FIRST, begun("a"), "has 1 new failing test: s: a"),
        (Reason.FIRST, begun("a", "b", "c"), "has 3 new failing tests: s: a, s: b and 1 more"),
        (Reason.FIRST, begun("a", failing=900), "has 900 new failing tests: s: a and 899 more"),
        (Reason.UPDATE, begun("a", "b", new=pairs("b")), "has 1 more failing test: s: b"),
        (Reason.REMINDER, begun("a", "b"), "still has 2 failing tests"),
        (Reason.REFRESH, begun("a"), "still has 1 failing test"),
        (Reason.FIRST, {"missing": "reports/*.xml"}, "ran, but its artifact reports/*.xml is missing"),
        (
            Reason.FIRST,
            {"unreadable": "a.zip", "reason": "not a zip file\nat all"},
            "ran, but its artifact a.zip cannot be read: not a zip file",
        ),
        (
            Reason.UPDATE,
            begun("a", missing="r.xml"),
            "has 1 new failing test: s: a; and its artifact r.xml is missing",
        ),
        (Reason.FIRST, {}, "summary"),
        (
            Reason.RESOLVED,
            {"fixed": pairs("a", "b"), "vanished": pairs("c"), "still": []},
            "is well again: 2 tests fixed, 1 vanished (1 h 30 m)",
        ),
        (Reason.RESOLVED, {"skipped": pairs("c"), "still": []}, "is well again: 1 test skipped (1 h 30 m)"),
        (Reason.RESOLVED, {}, "has its artifacts again (1 h 30 m)"),
    ],
)
def test_the_headline_says_which_tests(why: Reason, evidence: dict[str, Any], words: str) -> None:
    assert headline(why, **evidence) == words


def facts(found: Message) -> Mapping[str, str]:
    return {fact.name: fact.value for fact in found.facts}


def test_the_card_lists_what_fails_unless_its_table_does() -> None:
    many = begun(*"abcdefg")
    assert facts(message(**many))["Failing"] == "s: a, s: b, s: c, s: d, s: e and 2 more"
    failed = TestCase(suite="s", name="a", status=TestStatus.FAILED)
    report = TestReport(passed=0, failed=7, skipped=0, cases=(failed,))
    known = message(report=report, **many)
    assert "Failing" not in facts(known)
    assert (known.tone, known.tables[0].title) == (Tone.BROKEN, "7 failing tests")


def test_the_card_says_what_is_fixed_and_what_has_vanished() -> None:
    over = facts(message(Reason.RESOLVED, fixed=pairs("a"), vanished=[["", "b"]], still=[], failing=0))
    assert (over["Fixed"], over["Vanished"]) == ("s: a", "b")
    gap = message(unreadable="a.zip", reason="too large")
    assert facts(gap)["Artifact"] == "a.zip cannot be read: too large"
