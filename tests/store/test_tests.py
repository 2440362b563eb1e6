from datetime import timedelta

import pytest

from domain.build import Build, Outcome, Verdict
from domain.testhistory import TestChanges
from domain.testreport import TestCase, TestReport, TestStatus
from store import builds, pipelines, tests
from store.engine import Database
from store.retention import Keep, prune
from tests.support.builders import NOON, build, pipeline
from tests.support.histories import verdict_of
from tests.support.reports import LETTERS, line, read, stored


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


def test_without_anything_before_nothing_is_new(database: Database) -> None:
    (changes,) = line(database, "PFS")
    assert (changes.compared, names(changes.failing), changes.newly_failing) == (False, "b", ())


def test_a_build_that_passed_without_a_report_had_no_failing_test(database: Database) -> None:
    assert names(line(database, "", "PF")[-1].newly_failing) == "b"
    assert names(line(database, "PF", "", "PF", "", "PFF")[-1].newly_failing) == "bc"


def test_a_build_that_failed_without_a_report_is_passed_over(database: Database) -> None:
    changes = line(database, "PF", "x", "FF")[-1]
    assert (names(changes.newly_failing), names(changes.still_failing)) == ("a", "b")


def test_an_unstable_build_without_a_report_may_have_failing_tests(database: Database) -> None:
    def unstable_passes(build: Build) -> Verdict | None:
        return verdict_of(build) if build.outcome is not Outcome.UNSTABLE else Verdict.PASSED

    some = [build(1, Outcome.FAILURE), build(2, Outcome.UNSTABLE), build(3, Outcome.FAILURE)]
    first, _, last = (
        each.id for each in database.transact(lambda session: builds.upsert(session, some, unstable_passes, NOON))
    )
    read(database, first, "PF")
    assert names(read(database, last, "FF").newly_failing) == "a"


def test_far_fewer_tests_are_a_build_that_did_not_get_far(database: Database) -> None:
    cut, after = line(database, "PPFPPFPP", "F--", "FPFPPPPP")[1:]
    assert (cut.partial, names(cut.newly_failing), cut.vanished, cut.fixed) == (True, "a", (), ())
    assert (after.partial, after.newly_failing, names(after.still_failing), names(after.fixed)) == (
        False,
        (),
        "ac",
        "f",
    )


def test_after_several_reports_with_few_tests_these_are_all_there_are(database: Database) -> None:
    changes = line(database, "FPPPPPPP", *["PF"] * 6)
    assert [each.partial for each in changes] == [False, True, True, True, True, True, False]


def test_a_rerun_of_what_failed_leaves_the_rest_as_it_was(database: Database) -> None:
    one, two, again, three = stored(
        database,
        build(1),
        build(2, Outcome.FAILURE),
        build(2, attempt=2),
        build(3, Outcome.FAILURE),
    )
    for build_id, results in ((one, "PPPP"), (two, "PFPF"), (again, {"b": "P", "d": "P"})):
        read(database, build_id, results)
    changes = read(database, three, "PFP-")
    assert (names(changes.newly_failing), names(changes.vanished)) == ("b", "d")
    assert database.read(lambda session: tests.changes(session, [again]))[again].partial


def test_what_failed_before_is_told_for_many_builds_at_once(database: Database) -> None:
    line(database, "FP", "PF", "x", "PP")
    found = database.read(lambda session: tests.failing_before_each(session, [1, 2, 3, 4, 99]))
    assert found == {1: None, 2: {("s", "a")}, 3: {("s", "b")}, 4: {("s", "b")}, 99: None}
    assert database.read(lambda session: tests.failing_before(session, 2)) == frozenset({("s", "a")})
    assert database.read(lambda session: tests.failing_before_each(session, [])) == {}


def test_a_report_is_read_back_with_all_its_tests(database: Database) -> None:
    (build_id,) = stored(database, build(1, Outcome.FAILURE))
    given = (
        TestCase(suite="s", name="a", status=TestStatus.ERROR, duration=0.25, message="boom\nin line 3"),
        TestCase(suite="s", name="b", status=TestStatus.PASSED, duration=3600.0, flaky=True),
        TestCase(suite="s", name="c", status=TestStatus.SKIPPED, message="not today"),
        TestCase(suite="z", name="a", status=TestStatus.PASSED, duration=0.0),
    )
    report = TestReport(passed=2, failed=1, skipped=1, cases=given, notes=("one file left out",))
    database.transact(lambda session: tests.record(session, build_id, report))
    found = database.read(lambda session: tests.cases_of(session, build_id))
    assert [(each.test, each.status, each.flaky, each.message) for each in found] == [
        (("s", "a"), TestStatus.ERROR, False, "boom\nin line 3"),
        (("s", "b"), TestStatus.PASSED, True, None),
        (("s", "c"), TestStatus.SKIPPED, False, None),
        (("z", "a"), TestStatus.PASSED, False, None),
    ]
    assert [each.duration for each in found] == [
        pytest.approx(0.25, rel=0.04),
        pytest.approx(3600, rel=0.04),
        None,
        pytest.approx(0, abs=0.001),
    ]
    kept = database.read(lambda session: builds.get(session, [build_id]))[build_id].build.tests
    assert kept is not None
    assert (kept.passed, kept.failed, kept.skipped, kept.notes) == (2, 1, 1, ("one file left out",))
    assert [each.name for each in kept.cases] == ["a"]


def test_of_several_cases_with_one_name_the_worst_counts(database: Database) -> None:
    (build_id,) = stored(database, build(1, Outcome.FAILURE))
    cases = tuple(TestCase(suite="s", name="a", status=LETTERS[letter]) for letter in "SPFP")
    twice = TestReport(passed=2, failed=1, skipped=1, cases=cases)
    database.transact(lambda session: tests.record(session, build_id, twice))
    (found,) = database.read(lambda session: tests.cases_of(session, build_id))
    assert found.status is TestStatus.FAILED


def test_reports_of_pull_requests_and_forks_have_no_history(database: Database) -> None:
    ours, theirs = stored(database, build(1), build(2, Outcome.FAILURE, is_pull_request=True, branch="fix"))
    read(database, ours, "PP")
    changes = read(database, theirs, "PF")
    assert (names(changes.failing), changes.compared) == ("b", False)
    assert database.read(lambda session: tests.cases_of(session, theirs)) == ()
    assert database.read(lambda session: tests.failing_before(session, theirs)) is None
    kept = database.read(lambda session: builds.get(session, [theirs]))[theirs].build.tests
    assert kept is not None
    assert [each.name for each in kept.cases] == ["b"]


def test_a_build_that_is_gone_and_a_report_without_cases_change_nothing(database: Database) -> None:
    assert read(database, 77, "PF") == TestChanges()
    line(database, "FP")
    (second,) = stored(database, build(2, Outcome.FAILURE))
    totals = TestReport(passed=5, failed=1, skipped=0)
    assert database.transact(lambda session: tests.record(session, second, totals)) == TestChanges()
    assert database.read(lambda session: tests.changes(session, [second])) == {}


def test_many_failing_tests_with_long_messages_are_kept_in_bounds(database: Database) -> None:
    (build_id,) = stored(database, build(1, Outcome.FAILURE))
    cases = tuple(
        TestCase(suite="s" * 5000, name=f"{number}\0{'n' * 3000}", status=TestStatus.FAILED, message="m" * 9999)
        for number in range(300)
    )
    report = TestReport(passed=0, failed=300, skipped=0, cases=cases)
    changes = database.transact(lambda session: tests.record(session, build_id, report))
    assert len(changes.failing) == 300
    kept = database.read(lambda session: builds.get(session, [build_id]))[build_id].build.tests
    assert kept is not None
    assert (kept.failed, len(kept.cases), len(kept.cases[0].message or "")) == (300, 200, 500)
    assert len(kept.cases[0].name) == 1000
    assert len(database.read(lambda session: tests.cases_of(session, build_id))) == 300


def test_of_very_many_failing_tests_the_new_ones_are_kept_first(database: Database) -> None:
    old = {f"old{number:03}": "F" for number in range(250)}
    line(database, old, {**old, "new": "F"})
    kept = database.read(lambda session: builds.get(session, [2]))[2].build.tests
    assert kept is not None
    assert (len(kept.cases), kept.cases[0].name) == (200, "new")


def test_what_was_read_of_a_build_is_void_when_it_runs_again(database: Database) -> None:
    line(database, "PP", "FP")
    stored(database, build(2, None, started_at=NOON + timedelta(days=1)))
    assert database.read(lambda session: tests.cases_of(session, 2)) == ()
    stored(database, build(2, Outcome.FAILURE, started_at=NOON + timedelta(days=1)))
    assert database.read(lambda session: tests.changes(session, [2])) == {}


def test_totals_that_are_seen_again_do_not_replace_what_failed(database: Database) -> None:
    (build_id,) = stored(database, build(1, Outcome.FAILURE))
    read(database, build_id, "PF")
    stored(database, build(1, Outcome.FAILURE, tests=TestReport(passed=1, failed=1, skipped=0)))
    kept = database.read(lambda session: builds.get(session, [build_id]))[build_id].build.tests
    assert kept is not None
    assert [each.name for each in kept.cases] == ["b"]


def test_names_go_with_the_builds_that_had_them(database: Database) -> None:
    line(database, "PF")
    (other,) = stored(database, build(1, pipeline=pipeline("lib/x")))
    read(database, other, "P")
    (late,) = stored(database, build(2, started_at=NOON + timedelta(days=380)))
    read(database, late, {"b": "P", "z": "P"})
    pruned = prune(database, Keep(), NOON + timedelta(days=410))
    assert (pruned.builds, pruned.tests) == (2, 2)  # a of this pipeline, a of the other
    assert [each.name for each in database.read(lambda session: tests.cases_of(session, late))] == ["b", "z"]


def test_a_pipeline_with_another_key_has_the_same_tests(database: Database) -> None:
    line(database, "PF")
    database.transact(lambda session: pipelines.rename(session, "ci", "web/deploy", "web/release"))
    (second,) = stored(database, build(2, Outcome.FAILURE, pipeline=pipeline("web/release")))
    assert names(read(database, second, "FF").still_failing) == "b"


def test_a_test_that_failed_twice_in_a_build_is_kept_once(database: Database) -> None:
    (identity,) = stored(database, build(1, Outcome.FAILURE))
    cases = [TestCase(suite="s", name=name, status=TestStatus.FAILED) for name in "aba"]
    report = TestReport(passed=0, failed=3, skipped=0, cases=tuple(cases))
    database.transact(lambda session: tests.record(session, identity, report))
    kept = database.read(lambda session: builds.get(session, [identity])[identity].build.tests)
    assert kept is not None
    assert (kept.failed, kept.failing_tests, [case.name for case in kept.cases]) == (3, 2, ["a", "b"])
