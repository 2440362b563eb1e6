"""Summaries: counts, rates that need data, durations with a defined percentile, groups."""

import json
import statistics
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.build import Build, Outcome, Status, Verdict
from domain.percentile import percentile
from domain.window import Window
from metrics.summary import by_branch, by_label, by_pipeline, summarize
from tests.support.builders import NOON, build, builds, minutes, pipeline

ORACLE = Path(__file__).parents[2].parent / "shared" / "data" / "cases" / "success_rate_oracle_nodejs.json"

MEANING = {
    Outcome.SUCCESS: Verdict.PASSED,
    Outcome.FAILURE: Verdict.FAILED,
    Outcome.UNSTABLE: Verdict.FAILED,
    Outcome.CANCELLED: Verdict.NEUTRAL,
    None: None,
}


@dataclass(frozen=True)
class View:
    build: Build
    verdict: Verdict | None


def views(*some: Build) -> list[View]:
    return [View(each, MEANING[each.outcome]) for each in some]


def lasting(*seconds: float) -> list[View]:
    return views(
        *(
            build(number, finished_at=minutes(10 * number) + timedelta(seconds=each))
            for number, each in enumerate(seconds, 1)
        )
    )


def test_without_builds_there_is_no_rate_and_no_duration() -> None:
    summary = summarize([])
    assert (summary.total, summary.success_rate, summary.duration_p50, summary.last_outcome) == (0, None, None, None)


def test_the_rate_is_passed_over_passed_and_failed() -> None:
    summary = summarize(views(*builds("PPFUAR")))
    counts = (summary.total, summary.passed, summary.failed, summary.neutral, summary.running)
    assert counts == (6, 2, 2, 1, 1)
    assert summary.success_rate == 0.5
    assert summary.last_outcome is Outcome.CANCELLED


def test_only_neutral_builds_are_no_data() -> None:
    assert summarize(views(*builds("AA"))).success_rate is None


def test_all_failed_is_a_rate_of_zero() -> None:
    assert summarize(views(*builds("FF"))).success_rate == 0


def test_a_build_belongs_to_the_window_in_which_it_finished() -> None:
    window = Window(start=minutes(15), end=minutes(25))
    summary = summarize(views(*builds("FPFR")), window)  # they finish at 15, 25 and 35 minutes
    assert (summary.passed, summary.failed, summary.running) == (0, 1, 1)


def test_the_last_builds_are_counted_by_decided_builds() -> None:
    summary = summarize(views(*builds("FFPAPA")), 2)
    assert (summary.passed, summary.failed, summary.neutral) == (2, 0, 2)
    assert summarize(views(*builds("FFP")), 20).total == 3


def test_what_finished_together_with_the_first_of_the_last_builds_counts_too() -> None:
    together = [build(number, Outcome.FAILURE, finished_at=minutes(60)) for number in (1, 2)]
    assert summarize(views(*together, build(9)), 2).failed == 2


def test_of_several_attempts_the_newest_that_passed_or_failed_counts() -> None:
    first, again = build(1, Outcome.FAILURE), build(1, attempt=2)
    for order in ((first, again), (again, first)):
        summary = summarize(views(*order))
        assert (summary.passed, summary.failed) == (1, 0)


def test_an_attempt_that_runs_or_was_cancelled_leaves_the_older_verdict_standing() -> None:
    first, cancelled, running = (
        build(1, Outcome.FAILURE),
        build(1, Outcome.CANCELLED, attempt=2),
        build(1, None, attempt=3),
    )
    summary = summarize(views(first, cancelled, running))
    assert (summary.failed, summary.neutral, summary.running) == (1, 0, 1)


def test_of_attempts_that_were_all_cancelled_one_counts() -> None:
    assert summarize(views(*builds("A"), build(1, Outcome.CANCELLED, attempt=2))).neutral == 1


def test_forks_and_pull_requests_count_nowhere() -> None:
    some = views(build(1, Outcome.FAILURE, is_fork=True), build(2, Outcome.FAILURE, is_pull_request=True), build(3))
    assert summarize(some).success_rate == 1
    assert summarize(some).total == 1


def test_a_queued_build_is_not_running() -> None:
    assert summarize(views(build(1, None, status=Status.QUEUED, started_at=None))).total == 0


def test_durations_are_in_seconds_and_leave_neutral_builds_out() -> None:
    cancelled = View(build(9, Outcome.CANCELLED, finished_at=minutes(1000)), Verdict.NEUTRAL)
    summary = summarize([*lasting(60, 120, 180, 240), cancelled])
    assert summary.duration_mean == 150
    assert summary.duration_p50 == 150
    assert summary.duration_p95 == pytest.approx(231)


def test_a_finished_build_of_unknown_start_counts_without_a_duration() -> None:
    summary = summarize(views(build(1, started_at=None, finished_at=NOON)))
    assert (summary.passed, summary.duration_p50) == (1, None)


def test_one_build_is_its_own_percentiles() -> None:
    summary = summarize(lasting(42.5))
    assert summary.duration_p50 == summary.duration_p95 == summary.duration_mean == 42.5


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=300))
def test_percentiles_agree_with_the_statistics_module(values: list[int]) -> None:
    ordered = sorted(values)
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    assert percentile(ordered, 0.5) == pytest.approx(statistics.median(values), rel=1e-12)
    assert percentile(ordered, 0.95) == pytest.approx(cuts[94], rel=1e-12)
    assert percentile(ordered, 0.0) == ordered[0]
    assert percentile(ordered, 1.0) == ordered[-1]


def test_groups_by_pipeline_and_branch() -> None:
    web, api = pipeline("web"), pipeline("api", branched=False)
    some = views(
        build(1, pipeline=web),
        build(2, Outcome.FAILURE, pipeline=web, branch="dev"),
        build(3, pipeline=api, branch=None),
    )
    assert {key: each.success_rate for key, each in by_pipeline(some).items()} == {("ci", "web"): 0.5, ("ci", "api"): 1}
    rates = {key: each.success_rate for key, each in by_branch(some).items()}
    assert rates == {("ci", "web", "main"): 1, ("ci", "web", "dev"): 0, ("ci", "api", ""): 1}


def test_groups_by_label_where_the_builds_own_hides_its_pipelines() -> None:
    labelled = pipeline("web", labels={"cloud": "aws", "team": "pay"})
    some = views(
        build(1, pipeline=labelled),
        build(2, Outcome.FAILURE, pipeline=labelled, labels={"cloud": "gcp"}),
        build(3, pipeline=pipeline("bare")),
    )
    assert {value: each.success_rate for value, each in by_label(some, "cloud").items()} == {"aws": 1, "gcp": 0}
    assert {value: each.total for value, each in by_label(some, "team").items()} == {"pay": 2}
    assert by_label(some, "planet") == {}


def test_a_label_lost_by_the_newest_attempt_does_not_bring_the_old_one_back() -> None:
    first = build(1, Outcome.FAILURE, labels={"cloud": "aws"})
    assert by_label(views(first, build(1, attempt=2)), "cloud") == {}


@pytest.mark.skipif(not ORACLE.exists(), reason="recorded CI data (../shared/data) is not on this machine")
def test_published_rates_of_nodejs_are_ours() -> None:
    for day in json.loads(ORACLE.read_text())["inputs"]:
        letters = "".join(
            letter * int(day[word])
            for letter, word in (
                ("P", "success"),
                ("U", "unstable"),
                ("F", "failure"),
                ("A", "aborted"),
                ("R", "running"),
            )
        )
        summary = summarize(views(*builds(letters)))
        assert summary.success_rate is not None
        assert round(100 * summary.success_rate, 2) == float(day["green_rate_pct"])
        assert summary.running == int(day["running"])
        assert summary.total == len(letters)
