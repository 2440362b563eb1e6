import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.build import Verdict
from domain.testhistory import Course, Trial
from metrics.flakiness import Flaky, flaky_tests, known_flaky
from tests.support.builders import minutes
from tests.support.reports import LETTERS


def runs(letters: str, commits: str = "", total: int = 100, failed: int = 1) -> list[Trial]:
    """A build for each letter, of commits of their own unless these are given."""
    return [
        Trial(
            build_id=number,
            generation=0,
            number=number,
            attempt=1,
            verdict=Verdict.FAILED if letter == "F" else Verdict.PASSED,
            commit=commits[number - 1] if commits else str(number),
            labels=None,
            finished_at=minutes(number),
            total=total,
            failed=failed if letter == "F" else 0,
        )
        for number, letter in enumerate(letters, 1)
    ]


def course(letters: str, retried: tuple[int, ...] = ()) -> Course:
    return Course("s", "a", tuple(None if letter == "-" else LETTERS[letter] for letter in letters), retried)


def judged(letters: str, commits: str = "", retried: tuple[int, ...] = ()) -> Flaky | None:
    found = flaky_tests(runs(letters, commits), [course(letters, retried)])
    return found[0] if found else None


@pytest.mark.parametrize("letters", ["P", "PPPP", "FFFF", "PPFPP", "PFFFP", "PFFFPPFFFFP", "FP", "PPSSPP", "PF-P"])
def test_what_breaks_once_is_not_flaky(letters: str) -> None:
    assert judged(letters) is None


@pytest.mark.parametrize(("letters", "flips"), [("PFPF", 3), ("PFPPPFP", 4), ("PFFPPFP", 4), ("EPSPE-PF", 4)])
def test_three_changes_of_sides_are_flaky(letters: str, flips: int) -> None:
    found = judged(letters)
    assert found is not None
    assert (found.flips, found.both_ways) == (flips, ())


def test_streaks_of_failures_are_left_out_of_the_counts() -> None:
    found = judged("PFPFPPFFFFPP")
    assert found is not None
    assert (found.flips, found.failed, found.ran, found.rate) == (4, 2, 8, 0.25)
    assert found.last_failed is not None
    assert found.last_failed.number == 10


def test_one_commit_both_ways_is_flaky() -> None:
    found = judged("PFPP", commits="abbc")
    assert found is not None
    assert (found.both_ways, found.flips) == (("b",), 2)
    assert judged("PFPP", commits="abcd") is None


def test_the_same_commit_with_other_labels_is_another_thing() -> None:
    on_two_clouds = [run._replace(labels=run.number % 2) for run in runs("PFPF", commits="aabb")]
    assert flaky_tests(on_two_clouds[:2], [course("PF")]) == []


def test_a_build_without_a_known_commit_proves_nothing() -> None:
    unknown = [run._replace(commit=None) for run in runs("PF")]
    assert flaky_tests(unknown, [course("PF")]) == []


def test_a_retry_that_passed_is_flaky() -> None:
    found = judged("PPPP", retried=(1, 3))
    assert found is not None
    assert (found.retried, found.failed, found.rate, found.last_failed) == (2, 0, 0.5, None)


def test_builds_in_which_nearly_everything_failed_do_not_count() -> None:
    letters = "PFPFPF"
    assert flaky_tests(runs(letters, failed=79), [course(letters)])
    assert flaky_tests(runs(letters, failed=80), [course(letters)]) == []
    assert flaky_tests(runs("FP", "aa", failed=80), [course("FP")]) == []
    assert flaky_tests(runs(letters, total=1), [course(letters)])  # of one test nothing can be said


def test_only_the_last_thirty_builds_count() -> None:
    assert judged("PFPF" + "P" * 28) is None
    found = judged("PFPFP" + "P" * 25)
    assert found is not None
    assert (found.ran, found.flips) == (30, 4)
    assert judged("FP" + "P" * 29, commits="a" * 31) is None
    assert judged("PP" + "P" * 29, retried=(0,)) is None


def test_of_a_build_that_was_run_again_the_last_attempt_counts() -> None:
    first, again, *rest = runs("FPPP")
    attempts = [first, again._replace(number=1, attempt=2, commit=first.commit), *rest]
    (found,) = flaky_tests(attempts, [course("FPPP")])
    assert (found.flips, found.ran, found.both_ways) == (0, 3, ("1",))


def test_the_worst_come_first_and_all_are_known() -> None:
    some = [course("PFPFPP"), course("PFFPFF")._replace(name="b"), course("PPPPPP")._replace(name="c")]
    found = flaky_tests(runs("PFPFPP"), some)
    assert [each.name for each in found] == ["b", "a"]
    assert known_flaky(runs("PFPFPP"), some) == {("s", "a"), ("s", "b")}


@given(st.text(alphabet="PFSE-", max_size=40))
def test_rates_are_shares(letters: str) -> None:
    found = judged(letters)
    if found is not None:
        assert 0 <= found.rate <= 1
        assert found.flips >= 3
