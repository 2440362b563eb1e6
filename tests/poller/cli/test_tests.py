from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.build import Build, Outcome
from domain.testhistory import ErrorGroup
from domain.testreport import TestReport
from store import builds, tests
from store.engine import Database
from tests.support.builders import build, pipeline
from tests.support.commands import Commands
from tests.support.histories import verdict_of
from tests.support.reports import report

Read = Callable[..., None]


@pytest.fixture
def read(store: Database, now: datetime) -> Read:
    """A build of the stream for each report, an hour apart, the last an hour ago; x: it failed without."""

    def these(*results: str, errors: tuple[ErrorGroup, ...] = (), **changes: Any) -> None:
        for number, each in enumerate(results, 1):
            outcome = Outcome.FAILURE if "F" in each else Outcome.SUCCESS
            started = now - timedelta(hours=len(results) - number + 1)
            one(build(number, outcome, started_at=started, **changes), report(each, message="boom\nat x"), errors)

    def one(some: Build, its: TestReport, errors: tuple[ErrorGroup, ...]) -> None:
        def unit(session: Any) -> None:
            (change,) = builds.upsert(session, [some], verdict_of, now)
            tests.record(session, change.id, its, errors=errors)

        store.transact(unit)

    return these


def test_failing_tests_are_told_with_since_when_and_groups(buildwatch: Commands, read: Read) -> None:
    read("PPPP", "PPFP", "FPFP", errors=(ErrorGroup("boom", 2, (("s", "a"), ("s", "c"))),))
    (found,) = buildwatch("tests", "--json").json
    assert (found["provider"], found["pipeline"], found["branch"], found["total"]) == ("ci", "web/deploy", "main", 4)
    assert (found["build"]["number"], found["partial"], found["flaky"]) == (3, False, [])
    first, second = found["failing"]
    assert (first["suite"], first["name"], first["new"], first["builds"], first["since"]["number"]) == (
        "s",
        "a",
        True,
        1,
        3,
    )
    assert (second["name"], second["new"], second["builds"], second["since"]["number"]) == ("c", False, 2, 2)
    assert second["message"] == "boom\nat x"
    assert found["groups"] == [
        {"error": "boom", "count": 2, "tests": [{"suite": "s", "name": "a"}, {"suite": "s", "name": "c"}]}
    ]
    out = buildwatch("tests").out
    assert "web/deploy / main: 2 failing tests of 4 in #3, " in out
    assert "#3, 5" in out
    assert "(new)" in out
    assert "  2 tests fail with the same error: boom\n" in out


def test_flaky_tests_are_told_with_their_evidence(buildwatch: Commands, read: Read) -> None:
    read("FPP", "PPP", "FPP", "PFP", commit="c" * 40)
    (found,) = buildwatch("tests", "--flaky", "--json").json
    assert "failing" not in found
    assert [(each["name"], each["flips"], each["rate"], each["both_ways"]) for each in found["flaky"]] == [
        ("a", 3, 0.5, ["c" * 40]),
        ("b", 1, 0.25, ["c" * 40]),
    ]
    out = buildwatch("tests", "--flaky").out
    assert out.startswith("web/deploy / main: 2 flaky tests\n")
    assert "failed 2 of 4 builds, changed sides 3 times; both ways on cccccccc" in out
    whole = buildwatch("tests", "--json").json[0]
    assert [(each["name"], each["flaky"]) for each in whole["failing"]] == [("b", True)]


def test_the_history_of_one_test_is_told(buildwatch: Commands, read: Read) -> None:
    read("PFS", "FFP")
    for name in ("a", "s::a", "s: a", "s.a", "*::a"):
        (found,) = buildwatch("tests", "--test", name, "--json").json
        assert (found["suite"], found["name"]) == ("s", "a")
        assert [(each["number"], each["status"]) for each in found["results"]] == [(1, "passed"), (2, "failed")]
    out = buildwatch("tests", "--test", "c").out
    assert out.startswith("s: c in web/deploy / main\n")
    assert out.index("#2") < out.index("#1")
    assert "no test is called nope since" in buildwatch("tests", "--test", "nope").out
    assert buildwatch("tests", "--test", "nope", "--json").json == []


def test_streams_are_chosen_by_pipeline_and_time(buildwatch: Commands, read: Read) -> None:
    read("PF")
    read("P", pipeline=pipeline("api/core", branched=False))
    assert [each["pipeline"] for each in buildwatch("tests", "--json").json] == ["api/core", "web/deploy"]
    (plain,) = buildwatch("tests", "--json", "--pipeline", "core").json
    assert (plain["pipeline"], plain["branch"], plain["failing"]) == ("api/core", None, [])
    assert buildwatch("tests", "--json", "--since", "30m").json == []
    assert "no tests were read since" in buildwatch("tests", "--since", "30m").out
    assert "of pipelines like nope" in buildwatch("tests", "--pipeline", "nope").out
    assert "api/core: 0 failing tests of 1 in #1" in buildwatch("tests", "--pipeline", "api/*").out


def test_what_failed_before_the_time_asked_for_still_says_since_when(buildwatch: Commands, read: Read) -> None:
    read("P", "F", "F", "F", "F")
    (found,) = buildwatch("tests", "--json", "--since", "90m").json
    assert found["failing"][0]["since"]["number"] == 2


def test_long_lists_are_cut_for_people(buildwatch: Commands, store: Database, now: datetime) -> None:
    many = {f"t{number:02}": "F" for number in range(60)}

    def unit(session: Any) -> None:
        (change,) = builds.upsert(session, [build(1, Outcome.FAILURE, started_at=now)], verdict_of, now)
        tests.record(session, change.id, report(many))

    store.transact(unit)
    assert "  and 10 more; --json has them all\n" in buildwatch("tests").out


def test_tests_that_became_slower_are_told_when_asked_for(buildwatch: Commands, store: Database, now: datetime) -> None:
    def unit(session: Any) -> None:
        for number in range(1, 21):
            started = now - timedelta(hours=21 - number)
            (change,) = builds.upsert(session, [build(number, started_at=started)], verdict_of, now)
            tests.record(session, change.id, report("PP", duration=2.0 if number <= 15 else 9.0))

    store.transact(unit)
    assert "slower" not in buildwatch("tests", "--json").json[0]
    (found,) = buildwatch("tests", "--json", "--slower").json
    assert [(each["name"], round(each["before"]), round(each["now"])) for each in found["slower"]] == [
        ("a", 2, 9),
        ("b", 2, 9),
    ]
    out = buildwatch("tests", "--slower").out
    assert "web/deploy / main: 2 tests slower than before" in out
