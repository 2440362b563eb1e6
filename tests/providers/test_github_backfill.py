from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.build import Build
from providers._base import Page, Target, Trouble, Unavailable
from tests.support.github_api import NOON, GitHubApi, iso, ok, run
from tests.support.github_provider import provider

SINCE = NOON - timedelta(hours=1)
NOW = NOON + timedelta(hours=47)
TARGET = Target(provider="gh", key="acme/web", every=timedelta(seconds=60))


def spread(count: int, over: timedelta = timedelta(days=1)) -> list[dict[str, Any]]:
    """So many runs, evenly over a time from NOON."""
    times = [iso(NOON + over * number / count) for number in range(count)]
    return [run(number, created_at=at, run_started_at=at, updated_at=at) for number, at in enumerate(times)]


def filled(cursor: dict[str, Any] | None = None, since: datetime = SINCE, keys: tuple[str, ...] = ()) -> list[Page]:
    return list(provider().backfill(TARGET, keys, since, cursor or {}, NOW))


def builds(pages: list[Page]) -> list[Build]:
    return [build for page in pages for build in page.builds]


def test_2500_runs_of_a_day_come_whole_though_a_list_shows_1000(api: GitHubApi) -> None:
    """G7."""
    api.put(*spread(2500))
    pages = filled()
    assert [each.number for each in builds(pages)] == list(range(2500))
    progress = [page.progress or 0 for page in pages]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert len(api.asked) < 45
    assert pages[-1].cursors == {"backfill": None}


def test_an_interrupted_backfill_goes_on_where_it_stopped(api: GitHubApi) -> None:
    api.put(*spread(2500))
    first = filled()[:3]
    cursor = first[-1].cursors["backfill"]
    api.asked.clear()
    later = SINCE + timedelta(hours=1)  # `--since 90d` means a later moment each time it is typed
    rest = filled(dict(cursor or {}), since=later)
    assert [each.number for each in builds([*first, *rest])] == list(range(2500))
    assert len(api.asked) < 35


def test_a_backfill_that_goes_further_back_begins_anew(api: GitHubApi) -> None:
    api.put(*spread(10))
    cursor = {"since": SINCE.isoformat(), "position": NOW.isoformat()}
    assert len(builds(filled(cursor, since=SINCE - timedelta(days=1)))) == 10
    assert builds(filled(cursor)) == []
    assert len(builds(filled({"since": "x", "position": 7}))) == 10


def test_a_window_ends_where_the_next_begins_so_nothing_is_lost_or_doubled(api: GitHubApi) -> None:
    api.put(*spread(1500, over=timedelta(seconds=1500)))
    numbers = [each.number for each in builds(filled())]
    assert numbers == list(range(1500))


def test_a_second_with_a_thousand_runs_gives_what_github_shows(api: GitHubApi) -> None:
    api.put(*spread(1200, over=timedelta(seconds=1)))
    assert len(builds(filled())) == 1000


def test_attempts_are_fetched_and_what_goes_on_is_left_to_polling(api: GitHubApi) -> None:
    api.put(run(1, "failure"), run(2, None))
    api.rerun(1, "success")
    assert [(each.number, each.attempt) for each in builds(filled())] == [(1, 1), (1, 2)]


def test_only_the_pipelines_with_these_keys(api: GitHubApi) -> None:
    api.put(run(1), run(2, path=".github/workflows/nightly.yml"))
    assert [each.number for each in builds(filled(keys=("acme/web/.github/workflows/nightly.yml",)))] == [2]


def test_a_broken_run_is_quarantined(api: GitHubApi) -> None:
    api.put(run(1), run(2, run_number=None))
    pages = filled()
    assert [len(page.unreadable) for page in pages] == [1, 0]


@pytest.mark.parametrize(
    ("path", "body"), [("/repos/acme/web", {"id": 1}), ("/repos/acme/web/actions/runs", {"workflow_runs": []})]
)
def test_answers_that_lack_what_is_needed_stop_the_backfill(api: GitHubApi, path: str, body: object) -> None:
    api.others[path] = lambda: ok(body)
    with pytest.raises(Unavailable) as caught:
        filled()
    assert caught.value.trouble in {Trouble.SUSPICIOUS, Trouble.NOT_JSON}


def test_old_runs_do_not_bring_back_an_old_name_of_their_workflow(api: GitHubApi) -> None:
    api.workflows = [{"name": "Build", "path": ".github/workflows/ci.yml", "state": "active"}]
    api.put(run(1, name="CI"), run(2, path=".github/workflows/gone.yml", name="Deleted since"))
    assert [each.pipeline.name for each in builds(filled())] == ["acme/web Build", "acme/web Deleted since"]
