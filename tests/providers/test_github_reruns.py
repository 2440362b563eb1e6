"""Re-runs: every attempt is a build, and those of old runs are found at hardly any cost."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from domain.build import Build
from providers._github.reruns import still_allowed
from providers._github.state import CURSOR
from tests.support.github_api import NOON, GitHubApi, failing, ok, run
from tests.support.github_provider import LATER, Watcher

CI = "acme/web/.github/workflows/ci.yml"
HOUR = timedelta(hours=1)


def numbers(builds: list[Build]) -> list[tuple[int, int, str]]:
    return [(each.number, each.attempt, str(each.outcome or each.status)) for each in builds]


def watched(watcher: Watcher) -> list[int]:
    return sorted(each["id"] - 1000 for each in watcher.cursors[CURSOR]["unhappy"])


def buried(api: GitHubApi, *runs: dict[str, object]) -> Watcher:
    """A watcher that has seen these runs, which 100 newer ones have pushed off the first page since."""
    api.put(*runs)
    watcher = Watcher()
    watcher.poll()
    api.put(*(run(number) for number in range(1000, 1100)))
    watcher.poll()
    api.paths()
    return watcher


def asked_by_id(api: GitHubApi) -> list[tuple[int, int]]:
    """Which runs were asked for by their number since the last call, and what the answer was."""
    found = [(int(each.path.rpartition("/")[2]) - 1000, each.status) for each in api.asked if each.path[-1].isdigit()]
    api.asked.clear()
    return found


def polls(watcher: Watcher, hours: Iterable[float]) -> None:
    """Poll at these times after the first contact."""
    for hour in hours:
        watcher.now = LATER
        watcher.poll(hour * HOUR)


def test_every_attempt_of_a_rerun_is_a_build(api: GitHubApi) -> None:
    """G2: the list shows the newest attempt only, under the same id and number."""
    api.put(run(1, "failure"))
    watcher = Watcher()
    watcher.poll()
    api.rerun(1)
    assert numbers(watcher.poll()) == [(1, 1, "failure"), (1, 2, "queued")]
    api.end(1, "success")
    assert numbers(watcher.poll()) == [(1, 2, "success")]
    second = watcher.stored[CI, "1001", 2]
    assert second.duration == timedelta(minutes=5)
    assert second.queue_time == timedelta(0)
    api.paths()
    api.put(run(2))
    watcher.poll()
    assert api.paths() == ["/actions/runs"]


def test_attempts_that_came_and_went_between_two_polls_are_fetched(api: GitHubApi) -> None:
    api.put(run(1, None))
    watcher = Watcher()
    watcher.poll()
    api.end(1, "failure")
    api.rerun(1, "failure")
    api.rerun(1, "success")
    assert numbers(watcher.poll()) == [(1, 1, "failure"), (1, 2, "failure"), (1, 3, "success")]


def test_an_attempt_that_cannot_be_read_does_not_stop_the_repository(api: GitHubApi) -> None:
    api.put(run(1, "failure"))
    api.rerun(1, "success")
    api.others["/repos/acme/web/actions/runs/1001/attempts/1"] = failing(500)
    assert numbers(Watcher().poll()) == [(1, 2, "success")]


def test_first_contact_fetches_few_earlier_attempts(api: GitHubApi) -> None:
    for number in range(1, 31):
        api.put(run(number, "failure"))
        api.rerun(number, "success")
    watcher = Watcher()
    assert len(watcher.poll()) == 30 + 10


def test_the_same_run_without_an_attempt_field_may_run_again(api: GitHubApi) -> None:
    """G2, as servers before 2022 show it: the finished row goes back to running."""
    first = run(1, "cancelled")
    del first["run_attempt"], first["run_started_at"]
    api.put(first)
    watcher = Watcher()
    assert numbers(watcher.poll()) == [(1, 1, "cancelled")]
    api.put(first | {"status": "in_progress", "conclusion": None})
    assert numbers(watcher.poll()) == [(1, 1, "running")]
    api.put(first)
    assert numbers(watcher.poll()) == [(1, 1, "cancelled")]


def test_a_lagging_list_does_not_end_a_newer_attempt(api: GitHubApi) -> None:
    first = run(1, "failure")
    api.put(first)
    watcher = Watcher()
    watcher.poll()
    api.rerun(1)
    watcher.poll()
    running = api.runs[1001]
    api.others["/repos/acme/web/actions/runs"] = lambda: ok({"total_count": 1, "workflow_runs": [first]})
    watcher.poll()
    assert [entry["run"]["run_attempt"] for entry in watcher.cursors[CURSOR]["open"]] == [2]
    api.put(running | {"status": "completed", "conclusion": "success"})
    del api.others["/repos/acme/web/actions/runs"]
    assert (1, 2, "success") in numbers(watcher.poll())


def test_a_rerun_of_a_failed_run_far_down_is_found_within_an_hour(api: GitHubApi) -> None:
    watcher = buried(api, run(1, "failure"))
    api.rerun(1, "success")
    assert watcher.poll(timedelta(minutes=50)) == []
    assert numbers(watcher.poll(timedelta(minutes=15))) == [(1, 1, "failure"), (1, 2, "success")]
    assert watched(watcher) == []
    assert watcher.poll(HOUR) == []


def test_a_failed_run_is_asked_for_every_hour_then_every_12_hours_at_no_cost(api: GitHubApi) -> None:
    watcher = buried(api, run(1, "failure"))
    polls(watcher, (quarter / 4 for quarter in range(1, 4 * 17)))  # it ended 6 hours before: first day over at 18
    first_day = asked_by_id(api)
    polls(watcher, (quarter / 4 for quarter in range(4 * 24, 4 * 24 * 3)))
    assert first_day == [(1, 200)] + [(1, 304)] * (len(first_day) - 1)
    assert 14 <= len(first_day) <= 17
    assert asked_by_id(api) == [(1, 304)] * 4


def test_a_failed_run_is_watched_until_30_days_after_it_was_created(api: GitHubApi) -> None:
    watcher = buried(api, run(1, "failure"))
    polls(watcher, (24 * 29,))
    api.rerun(1, "failure")
    polls(watcher, (24 * 29 + 12,))
    assert numbers(list(watcher.stored.values()))[-1] == (1, 2, "failure")
    asked_by_id(api)
    polls(watcher, (24 * 30 + 1,))
    assert asked_by_id(api) == []
    api.put(run(2000))
    watcher.poll()
    assert watched(watcher) == []


def test_a_rerun_that_fails_again_is_asked_for_every_hour_again(api: GitHubApi) -> None:
    watcher = buried(api, run(1, "failure"))
    api.rerun(1)
    again = NOON + timedelta(days=3)
    polls(watcher, (60, 61))
    api.put(api.runs[1001] | {"run_started_at": again.isoformat()})
    api.end(1, "failure")
    polls(watcher, (66.5,))
    asked_by_id(api)
    polls(watcher, (68, 69.5, 71))
    assert asked_by_id(api) == [(1, 304)] * 3


def test_a_rerun_three_weeks_later_is_followed_to_its_end(api: GitHubApi) -> None:
    watcher = buried(api, run(1, "failure"))
    polls(watcher, (24 * 21,))
    api.rerun(1)
    polls(watcher, (24 * 21 + 12,))
    assert [each["run"]["run_attempt"] for each in watcher.cursors[CURSOR]["open"]] == [2]
    api.end(1, "success")
    assert numbers(watcher.poll()) == [(1, 2, "success")]


@pytest.mark.parametrize("conclusion", ["cancelled", "skipped", "action_required", "brand_new_value"])
def test_what_did_not_fail_is_watched_for_a_day(api: GitHubApi, conclusion: str) -> None:
    watcher = buried(api, run(1, conclusion))
    polls(watcher, (17.5,))
    assert asked_by_id(api) == [(1, 200)]
    polls(watcher, (18.5, 48))
    assert asked_by_id(api) == []


def test_a_failed_run_that_is_deleted_is_let_go(api: GitHubApi) -> None:
    watcher = buried(api, run(1, "failure"), run(2, "failure"))
    del api.runs[1001]
    watcher.poll(HOUR)
    assert watched(watcher) == [2]


def test_a_failed_run_that_cannot_be_read_is_asked_for_at_its_next_turn(api: GitHubApi) -> None:
    watcher = buried(api, run(1, "failure"))
    api.rerun(1, "success")
    api.others["/repos/acme/web/actions/runs/1001"] = lambda: (200, {}, "<html>")
    assert watcher.poll(HOUR) == []
    del api.others["/repos/acme/web/actions/runs/1001"]
    assert watcher.poll(timedelta(minutes=20)) == []
    assert numbers(watcher.poll(HOUR))[-1] == (1, 2, "success")


def test_at_most_20_runs_are_asked_for_every_15_minutes_and_all_have_a_turn(api: GitHubApi) -> None:
    watcher = buried(api, *(run(number, "failure") for number in range(1, 61)))
    turns = []
    for quarter in range(4):
        polls(watcher, (2 + quarter / 4 + minute / 60 for minute in range(15)))
        turns.append([number for number, _ in asked_by_id(api)])
    assert [len(turn) for turn in turns] == [20, 20, 20, 0]
    assert {number for turn in turns for number in turn} == set(range(1, 61))


def test_the_200_that_can_be_run_again_for_longest_are_kept(api: GitHubApi) -> None:
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    api.put(*(run(number, "failure") for number in range(2, 232)), *(run(number, "skipped") for number in (300, 301)))
    watcher.poll()
    assert watched(watcher) == list(range(32, 232))
    assert len(str(watcher.cursors[CURSOR])) < 60_000


def test_a_failed_run_on_the_first_page_is_never_asked_for(api: GitHubApi) -> None:
    api.put(run(1, "failure"), run(2))
    watcher = Watcher()
    polls(watcher, range(0, 24 * 29, 7))
    assert asked_by_id(api) == []


def test_a_clock_that_is_set_back_does_not_stop_the_watch(api: GitHubApi) -> None:
    watcher = buried(api, run(1, "failure"))
    watcher.poll(10 * HOUR)
    asked_by_id(api)
    watcher.poll(-10 * HOUR)
    assert asked_by_id(api) == [(1, 304)]


def test_nothing_is_kept_of_a_run_beyond_its_time() -> None:
    until = (LATER + HOUR).isoformat()
    one = {"id": 1, "ended": LATER.isoformat(), "until": until}
    assert still_allowed([one], LATER + HOUR) == [one]
    assert still_allowed([one], LATER + 2 * HOUR) == []
