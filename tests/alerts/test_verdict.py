import pytest

from alerts.verdict import verdict_of
from domain.build import Outcome, Verdict
from tests.support.builders import build


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Outcome.SUCCESS, Verdict.PASSED),
        (Outcome.UNSTABLE, Verdict.FAILED),
        (Outcome.FAILURE, Verdict.FAILED),
        (Outcome.ERROR, Verdict.FAILED),
        (Outcome.TIMEOUT, Verdict.FAILED),
        (Outcome.CANCELLED, Verdict.NEUTRAL),
        (Outcome.SKIPPED, Verdict.NEUTRAL),
        (Outcome.UNKNOWN, Verdict.NEUTRAL),
    ],
)
def test_every_outcome_has_its_verdict(outcome: Outcome, verdict: Verdict) -> None:
    assert verdict_of(build(1, outcome)) is verdict


def test_no_outcome_is_forgotten() -> None:
    assert all(verdict_of(build(1, outcome)) is not None for outcome in Outcome)


def test_a_build_that_runs_has_no_verdict() -> None:
    assert verdict_of(build(1, None)) is None


def test_unstable_passes_where_the_team_says_so() -> None:
    assert verdict_of(build(1, Outcome.UNSTABLE), unstable_passes=True) is Verdict.PASSED
    assert verdict_of(build(1, Outcome.FAILURE), unstable_passes=True) is Verdict.FAILED
