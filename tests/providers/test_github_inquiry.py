"""Why runs were cancelled: some of them are timeouts and errors, and the others nobody's business."""

from datetime import timedelta
from typing import Any

import pytest

from domain.build import Build, Outcome
from providers._github.state import CURSOR
from tests.support.github_api import NOON, GitHubApi, failing, iso, job, ok, run
from tests.support.github_provider import LATER, Watcher

TIMED_OUT = "The job running on runner GitHub Actions 7 has exceeded the maximum execution time of 360 minutes."
HOUR = timedelta(hours=1)


def told(watcher: Watcher) -> list[tuple[int, str | None, str | None]]:
    return [(each.number, each.outcome, each.reason) for each in watcher.poll()]


def outcome(api: GitHubApi, *jobs: dict[str, Any], conclusion: str = "cancelled", **changes: Any) -> Build:
    """What becomes of a run that has ended with these jobs."""
    api.put(run(1, conclusion, **changes))
    api.jobs[1001] = list(jobs)
    (build,) = Watcher().poll()
    return build


def waited(hours: float) -> dict[str, str]:
    """A run that ended when the tests begin to poll, so long after it was created."""
    begun = iso(LATER - hours * HOUR)
    return {"created_at": begun, "run_started_at": begun, "updated_at": iso(LATER)}


@pytest.mark.parametrize(
    "text",
    [
        TIMED_OUT,
        "The job has exceeded the maximum execution time of 6h0m0s",
        "Job HAS EXCEEDED THE MAXIMUM execution time",
    ],
)
def test_a_cancelled_run_that_took_too_long_is_a_timeout(api: GitHubApi, text: str) -> None:
    api.annotations[5] = ["The operation was canceled.", text]
    build = outcome(api, job(4, "success"), job(5, "cancelled"))
    assert (build.outcome, build.raw_outcome, build.reason) == (Outcome.TIMEOUT, "cancelled", text)


def test_a_job_that_says_timed_out_needs_no_annotation(api: GitHubApi) -> None:
    assert outcome(api, job(5, "timed_out")).outcome is Outcome.TIMEOUT


def test_the_timeout_is_found_among_the_jobs_that_it_took_along(api: GitHubApi) -> None:
    api.annotations |= {8: [TIMED_OUT], 1: ["The operation was canceled."]}
    jobs = [job(number, "cancelled", steps=1) for number in range(1, 8)]
    assert outcome(api, *jobs, job(8, "cancelled", steps=9)).outcome is Outcome.TIMEOUT


def test_what_a_person_cancelled_stays_cancelled(api: GitHubApi) -> None:
    api.annotations[5] = ["The operation was canceled."]
    build = outcome(api, job(5, "cancelled"))
    assert (build.outcome, build.reason) == (Outcome.CANCELLED, None)


def test_a_run_that_no_runner_took_for_a_day_is_an_error(api: GitHubApi) -> None:
    build = outcome(api, job(5, "cancelled", steps=0), **waited(24.5))
    assert (build.outcome, build.reason) == (Outcome.ERROR, "no runner has taken it for 24 h")
    assert outcome(api, **waited(25)).outcome is Outcome.ERROR  # not even a job


def test_one_job_that_no_runner_took_for_a_day_makes_the_run_an_error(api: GitHubApi) -> None:
    starved = job(5, "cancelled", steps=0) | {"created_at": iso(NOON - 30 * HOUR), "completed_at": iso(NOON)}
    build = outcome(api, job(4, "success"), starved)
    assert (build.outcome, build.reason) == (Outcome.ERROR, "no runner has taken job 5 for 30 h")
    odd = job(5, "cancelled", steps=0) | {"created_at": "yesterday", "completed_at": 7}
    assert outcome(api, job(4, "success"), odd).outcome is Outcome.CANCELLED


def test_a_run_that_worked_for_a_day_and_was_cancelled_is_cancelled(api: GitHubApi) -> None:
    assert outcome(api, job(5, "cancelled", steps=2), **waited(30)).outcome is Outcome.CANCELLED


def test_a_run_without_a_step_is_an_error_unless_somebody_meant_it(api: GitHubApi) -> None:
    idle = job(5, "cancelled", steps=0), job(6, "skipped", steps=0)
    assert outcome(api, *idle, **waited(1)).outcome is Outcome.ERROR
    assert outcome(api, *idle, **waited(0.1)).outcome is Outcome.CANCELLED  # a quick change of mind
    api.annotations[5] = ["The job was not acquired by Runner of type hosted even after multiple attempts"]
    assert outcome(api, *idle, **waited(1)).reason == api.annotations[5][0]
    for intent in ("The run was canceled by @ada.", "Canceling since a higher priority waiting request exists"):
        api.annotations[5] = [intent]
        assert outcome(api, *idle, **waited(1)).outcome is Outcome.CANCELLED


def test_a_failure_whose_only_job_was_cancelled_without_steps_is_an_error(api: GitHubApi) -> None:
    build = outcome(api, job(5, "cancelled", steps=0), conclusion="failure")
    assert (build.outcome, build.raw_outcome) == (Outcome.ERROR, "failure")
    assert build.reason == "no job has begun: every one ended without a step"
    api.annotations[5] = ["The job was not started because recent account payments have failed"]
    assert outcome(api, job(5, "failure", steps=0), conclusion="failure").reason == api.annotations[5][0]


def test_servers_that_know_no_attempts_list_the_jobs_of_the_run(api: GitHubApi) -> None:
    base = "/repos/acme/web/actions/runs/1001"
    api.others[f"{base}/attempts/1/jobs"] = failing(404)
    api.others[f"{base}/jobs"] = lambda: ok({"jobs": [job(5, "timed_out"), "?"]})
    assert outcome(api).outcome is Outcome.TIMEOUT


def test_a_failure_that_did_something_is_a_failure(api: GitHubApi) -> None:
    mixed = job(4, "failure"), job(5, "cancelled", steps=0)
    assert outcome(api, *mixed, conclusion="failure").outcome is Outcome.FAILURE
    assert outcome(api, conclusion="failure").outcome is Outcome.FAILURE  # no jobs: nothing is known
    api.others["/repos/acme/web/actions/runs/1001/attempts/1/jobs"] = failing(404)
    assert outcome(api, conclusion="failure").outcome is Outcome.FAILURE
    del api.others["/repos/acme/web/actions/runs/1001/attempts/1/jobs"]
    silent = {**job(5, "failure"), "steps": None}
    assert outcome(api, silent, conclusion="failure").outcome is Outcome.FAILURE


def test_each_run_is_looked_into_once(api: GitHubApi) -> None:
    api.put(run(1, "cancelled"), run(2, "failure"), run(3))
    watcher = Watcher()
    watcher.poll()
    api.paths()
    api.put(run(4))
    watcher.poll()
    assert api.paths() == ["/actions/runs"]
    assert watcher.cursors[CURSOR]["clear"] == ["1001.1", "1002.1"]


def test_pull_requests_and_forks_cost_nothing(api: GitHubApi) -> None:
    api.put(run(1, "cancelled", event="pull_request"), run(2, "failure", head_repository={"id": 9}))
    Watcher().poll()
    assert not [path for path in api.paths() if "jobs" in path]


def test_an_inquiry_that_fails_loses_no_build_and_is_made_again(api: GitHubApi) -> None:
    api.put(run(1, "cancelled"))
    api.annotations[1] = [TIMED_OUT]
    jobs = "/repos/acme/web/actions/runs/1001/attempts/1/jobs"
    api.others[jobs] = failing(422)
    watcher = Watcher()
    assert told(watcher) == [(1, "cancelled", None)]
    del api.others[jobs]
    assert told(watcher) == []  # not at once
    watcher.now += HOUR / 6
    assert told(watcher) == [(1, "timeout", TIMED_OUT)]
    assert told(watcher) == []


def test_after_a_day_nobody_asks_any_more(api: GitHubApi) -> None:
    api.put(run(1, "cancelled"))
    jobs = "/repos/acme/web/actions/runs/1001/attempts/1/jobs"
    api.others[jobs] = failing(422)
    watcher = Watcher()
    watcher.poll()
    watcher.poll(25 * HOUR)
    assert watcher.cursors[CURSOR]["unclear"] == []


def test_annotations_that_the_token_may_not_read_are_done_without(api: GitHubApi) -> None:
    api.others["/repos/acme/web/check-runs/5/annotations"] = failing(403)
    assert outcome(api, job(5, "cancelled")).outcome is Outcome.CANCELLED


def test_only_a_few_are_looked_into_at_a_time_the_cancelled_ones_first(api: GitHubApi) -> None:
    api.put(*(run(number, "failure") for number in range(1, 16)), run(16, "cancelled"))
    api.jobs[1016] = [job(5, "timed_out")]
    api.jobs[1001] = [job(5, "failure", steps=0)]
    watcher = Watcher()
    assert watcher.poll()[-1].outcome is Outcome.TIMEOUT
    assert len([path for path in api.paths() if "jobs" in path]) == 10
    assert [(each[0], each[1]) for each in told(watcher)] == [(1, "error")]


def test_polling_comes_first_when_the_limit_is_nearly_spent(api: GitHubApi) -> None:
    api.put(run(1, "cancelled"))
    listing = api._list({"per_page": "100"})
    headers = {"X-RateLimit-Remaining": "40", "X-RateLimit-Limit": "60"}
    api.others["/repos/acme/web/actions/runs"] = lambda: (200, headers, listing[2])
    watcher = Watcher()
    assert told(watcher) == [(1, "cancelled", None)]
    assert not [path for path in api.paths() if "jobs" in path]
    assert len(watcher.cursors[CURSOR]["unclear"]) == 1


def test_earlier_attempts_are_looked_into_as_well(api: GitHubApi) -> None:
    api.put(run(1, "cancelled"))
    api.annotations[1] = [TIMED_OUT]
    api.rerun(1, "success")
    assert [(each.attempt, each.outcome) for each in Watcher().poll()] == [(1, "timeout"), (2, "success")]


def test_a_timeout_that_was_found_out_may_be_run_again_for_a_month(api: GitHubApi) -> None:
    api.annotations[1] = [TIMED_OUT]
    api.put(run(1, "cancelled"))
    watcher = Watcher()
    watcher.poll()
    (unhappy,) = watcher.cursors[CURSOR]["unhappy"]
    assert unhappy["until"] == (NOON + timedelta(days=30, minutes=1)).isoformat()
