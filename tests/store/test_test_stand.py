from domain.build import Outcome, Verdict
from domain.testhistory import TestFate, TestStand
from store import details
from store.engine import Database
from store.test_stand import stand
from tests.support.builders import NOON, build
from tests.support.reports import line, read, stored

PLACE = ("ci", "web/deploy", "main")


def how(database: Database, *asked: str) -> TestStand | None:
    pairs = [tuple(each.rsplit("/", 1)) if "/" in each else ("s", each) for each in asked]
    return database.read(lambda session: stand(session, PLACE, pairs))  # type: ignore[arg-type]


def fates(database: Database, asked: str) -> str:
    """Letters: Failing, fixed (P), Skipped, Vanished, Unknown."""
    letters = {TestFate.FAILING: "F", TestFate.FIXED: "P", TestFate.SKIPPED: "S", TestFate.VANISHED: "V"}
    found = how(database, *asked)
    assert found is not None
    return "".join(letters.get(found.fates["s", each], "U") for each in asked)


def test_nothing_is_known_of_a_stream_without_builds_and_of_one_that_only_failed(database: Database) -> None:
    assert how(database) is None
    line(database, "x", "x")
    assert how(database) is None
    assert database.read(lambda session: stand(session, ("ci", "web/deploy", "dev"))) is None


def test_the_newest_report_says_how_tests_stand(database: Database) -> None:
    line(database, "PPPP", "FPSP")
    found = how(database)
    assert found is not None
    assert (found.number, found.verdict, found.changes.newly_failing) == (2, Verdict.FAILED, (("s", "a"),))
    assert fates(database, "abcz") == "FPSV"


def test_a_build_that_failed_without_a_report_says_nothing(database: Database) -> None:
    line(database, "PP", "FP", "x")
    found = how(database, "a")
    assert found is not None
    assert (found.number, found.fates["s", "a"]) == (2, TestFate.FAILING)


def test_a_build_that_passed_without_a_report_fixes_all(database: Database) -> None:
    line(database, "PP", "FP", "")
    found = how(database, "a", "b", "z")
    assert found is not None
    assert (found.number, found.verdict, set(found.fates.values())) == (3, Verdict.PASSED, {TestFate.FIXED})


def test_a_build_whose_report_is_still_to_be_read_is_waited_for(database: Database) -> None:
    line(database, "PP", "FP")
    (third,) = stored(database, build(3))
    database.transact(lambda session: details.add_due(session, [third], NOON))
    found = how(database, "a")
    assert found is not None
    assert (found.number, found.fates["s", "a"]) == (2, TestFate.FAILING)
    database.transact(lambda session: details.done(session, third))
    assert fates(database, "a") == "P"


def test_what_a_cut_report_does_not_name_is_not_known(database: Database) -> None:
    line(database, "FPPPPPPP", "-FP")
    assert fates(database, "abd") == "UFU"


def test_a_suite_that_is_absent_from_a_failed_build_may_come_back(database: Database) -> None:
    everything = {"one/a": "F", "two/b": "F", "two/c": "P", "two/d": "P"}
    without = {"two/c": "F", "two/d": "P"}
    line(database, everything, without)

    def found() -> dict[str, TestFate]:
        known = how(database, "one/a", "two/b")
        assert known is not None
        return {name: fate for (_, name), fate in known.fates.items()}

    assert found() == {"a": TestFate.UNKNOWN, "b": TestFate.VANISHED}
    line(database, without, first=3)
    assert found()["a"] is TestFate.UNKNOWN
    line(database, without, first=4)
    assert found()["a"] is TestFate.VANISHED


def test_what_a_passed_build_does_not_name_has_vanished(database: Database) -> None:
    line(database, {"one/a": "F", "two/b": "P"}, {"two/b": "P"})
    known = how(database, "one/a")
    assert known is not None
    assert known.fates["one", "a"] is TestFate.VANISHED


def test_a_rerun_is_compared_with_the_build_before_and_not_with_itself(database: Database) -> None:
    line(database, "PP")
    first, again = stored(database, build(2, Outcome.FAILURE), build(2, Outcome.FAILURE, attempt=2))
    read(database, first, "FP")
    read(database, again, "FP")
    found = how(database, "a")
    assert found is not None
    assert (found.build_id, found.changes.newly_failing) == (again, (("s", "a"),))
