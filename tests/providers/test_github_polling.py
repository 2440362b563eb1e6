import json
from datetime import datetime, timedelta

import pytest

from domain.build import Build, Outcome, Status
from providers._base import Refused, Trouble, Unavailable
from providers._github.state import CURSOR
from tests.support.github_api import NOON, GitHubApi, failing, iso, not_found, ok, run
from tests.support.github_provider import LATER, Watcher, provider

CI = "acme/web/.github/workflows/ci.yml"


def numbers(builds: list[Build]) -> list[tuple[int, int, str]]:
    return [(each.number, each.attempt, str(each.outcome or each.status)) for each in builds]


def test_first_contact_reads_the_repository_and_one_page_oldest_build_first(api: GitHubApi) -> None:
    api.put(*(run(number) for number in range(1, 151)))
    watcher = Watcher()
    builds = watcher.poll()
    assert [each.number for each in builds] == list(range(51, 151))
    assert api.paths() == ["", "/actions/runs"]
    assert builds[0].pipeline.key == CI
    assert builds[0].pipeline.name == "acme/web CI"
    assert builds[0].pipeline.default_branch == "main"
    assert builds[0].pipeline.url == "https://github.com/acme/web/actions/workflows/ci.yml"


def test_an_unchanged_repository_costs_one_conditional_request_and_no_page(api: GitHubApi) -> None:
    api.put(run(1), run(2, "failure"))
    watcher = Watcher()
    watcher.poll()
    api.paths()
    assert [watcher.pages() for _ in range(3)] == [[], [], []]
    assert [(each.path, each.status) for each in api.asked] == [("/repos/acme/web/actions/runs", 304)] * 3


def test_a_workflow_that_is_asked_for_later_shows_its_runs_at_once(api: GitHubApi) -> None:
    api.put(run(1), run(2, "failure", path=".github/workflows/deploy.yml"))
    ci = {"repo": "acme/web", "workflow": "ci.yml"}
    watcher = Watcher(provider(ci))
    assert numbers(watcher.poll()) == [(1, 1, "success")]
    watcher.github = provider(ci, {"repo": "acme/web", "workflow": "deploy.yml"})
    assert (2, 1, "failure") in numbers(watcher.poll())
    assert watcher.pages() == []
    watcher.github = provider(ci, {"repo": "acme/web", "workflow": "deploy.yml"}, {"repo": "other/api"})
    assert watcher.pages() == [], "what is asked of another repository costs nothing here"


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ({"repo": "acme/web", "workflow": "ci.yml"}, "The Web"),
        ({"repo": "acme/web"}, "The Web CI"),
        ({"repo": "acme/web", "workflow": "c*.yml"}, "The Web CI"),
        ({"repo": "acme/*", "workflow": "ci.yml"}, "acme/web CI"),
    ],
)
def test_a_pipeline_has_the_labels_and_the_name_of_its_entry(api: GitHubApi, entry: dict[str, str], name: str) -> None:
    api.put(run(1))
    later = {"repo": "acme/web", "labels": {"team": "other"}}
    watcher = Watcher(provider({**entry, "name": "The Web", "labels": {"team": "payments"}}, later))
    (build,) = watcher.poll()
    assert build.pipeline.name == name
    assert build.pipeline.labels == {"team": "payments"}


def test_the_list_is_asked_for_without_filters(api: GitHubApi) -> None:
    """G6: filtered lists come from a search index that lags; this server's knows nothing at all."""
    api.put(run(1))
    watcher = Watcher()
    assert numbers(watcher.poll()) == [(1, 1, "success")]
    asked = [each.query for each in api.asked if each.path.endswith("/runs")]
    assert asked == [{"per_page": "100", "exclude_pull_requests": "true"}]


def test_a_run_that_started_before_the_newest_one_and_ends_later_is_stored(api: GitHubApi) -> None:
    """G1: windows on `created` lose it."""
    api.put(run(1, None), run(2))
    watcher = Watcher()
    assert numbers(watcher.poll()) == [(1, 1, "running"), (2, 1, "success")]
    api.end(1, "failure")
    assert (1, 1, "failure") in numbers(watcher.poll())
    assert watcher.cursors[CURSOR]["open"] == []


def test_a_run_on_the_third_page_is_followed_though_page_one_answers_304(api: GitHubApi) -> None:
    """G17: an unchanged first page says nothing about a run that is not on it."""
    api.put(run(1, None))
    watcher = Watcher()
    watcher.poll()
    api.put(*(run(number) for number in range(2, 250)))
    watcher.poll()
    api.end(1, "failure")
    api.paths()
    assert numbers(watcher.poll()) == [(1, 1, "failure")]
    assert [(each.path[16:], each.status) for each in api.asked] == [
        ("actions/runs", 304),
        ("actions/runs/1001", 200),
        ("actions/runs/1001/attempts/1/jobs", 200),
    ]
    assert watcher.poll() == []
    assert watcher.stored[CI, "1001", 1].finished_at == NOON + timedelta(minutes=6)


def test_a_run_that_goes_on_is_asked_for_conditionally(api: GitHubApi) -> None:
    api.put(run(1, None))
    watcher = Watcher()
    for _ in range(4):
        watcher.poll()
    by_id = [each.status for each in api.asked if each.path.endswith("/1001")]
    assert by_id == [200, 304, 304]


def test_pages_are_followed_by_link_until_known_runs(api: GitHubApi) -> None:
    """G8, G18: 150 new runs come over two pages; the links name another host, and only their query is used."""
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    api.put(*(run(number) for number in range(2, 152)))
    assert [each.number for each in watcher.poll()] == list(range(1, 152))
    asked = [each for each in api.asked if each.path.endswith("/runs")][1:]
    assert [each.query.get("page") for each in asked] == [None, "2"]
    assert all(each.path == "/repos/acme/web/actions/runs" for each in asked)


def test_paging_ends_at_a_known_run_that_is_older_than_the_overlap(api: GitHubApi) -> None:
    api.put(*(run(number) for number in range(1, 301)))
    watcher = Watcher()
    watcher.now = NOON + timedelta(hours=24)
    watcher.poll()
    api.put(run(301))
    api.paths()
    watcher.poll()
    assert api.paths() == ["/actions/runs"]


def test_a_run_that_shows_up_late_below_the_newest_is_found_within_the_overlap(api: GitHubApi) -> None:
    api.put(run(10), run(12))
    watcher = Watcher()
    watcher.poll()
    api.put(run(11, "failure"))
    assert (11, 1, "failure") in numbers(watcher.poll())


def test_pages_that_shift_while_they_are_read_give_each_build_once(api: GitHubApi) -> None:
    """G7: a new run pushes the last one of page 1 onto page 2."""
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    api.put(*(run(number) for number in range(2, 122)))
    listed = api._list

    def shifting(query: dict[str, str]) -> tuple[int, dict[str, str], str]:
        if query.get("page") == "2":
            api.put(run(122))
        return listed(query)

    api._list = shifting  # type: ignore[method-assign]
    assert [each.number for each in watcher.poll()] == list(range(1, 122))
    assert [each.number for each in watcher.poll()][-1] == 122


def test_a_run_without_a_path_gets_it_from_its_workflow_once(api: GitHubApi) -> None:
    api.others["/repos/acme/web/actions/workflows/7"] = lambda: ok({"path": ".github/workflows/old.yml"})
    api.put(run(1, path=None), run(2, path=None), run(3, path=None, workflow_id=8))
    builds = Watcher().poll()
    assert [each.pipeline.key[9:] for each in builds] == [".github/workflows/old.yml"] * 2 + ["workflows/8"]
    assert api.paths().count("/actions/workflows/7") == 1


def test_a_run_that_is_deleted_while_it_goes_on_ends_unknown_after_three_404s(api: GitHubApi) -> None:
    api.put(run(1, None), run(2))
    watcher = Watcher()
    watcher.poll()
    del api.runs[1001]
    assert [numbers(watcher.poll()) for _ in range(3)][-1] == [(1, 1, "unknown")]
    gone = watcher.stored[CI, "1001", 1]
    assert (gone.raw_outcome, gone.branch, gone.title) == ("deleted", "main", "Change 1")
    assert watcher.poll() == []


def test_a_run_whose_own_page_is_broken_is_asked_again_and_the_rest_is_stored(api: GitHubApi) -> None:
    api.put(run(1, None), *(run(number) for number in range(2, 101)))
    watcher = Watcher()
    watcher.poll()
    api.others["/repos/acme/web/actions/runs/1001"] = lambda: (200, {}, "<html>")
    api.put(*(run(number) for number in range(101, 202)))
    assert watcher.poll(timedelta(hours=6))[-1].number == 201
    assert watcher.poll() == []
    del api.others["/repos/acme/web/actions/runs/1001"]
    api.end(1, "failure")
    assert numbers(watcher.poll()) == [(1, 1, "failure")]


def test_a_limit_that_is_met_half_way_loses_nothing_that_was_read(api: GitHubApi) -> None:
    api.put(run(1, None))
    watcher = Watcher()
    watcher.poll()
    api.put(*(run(number) for number in range(300, 402)))
    watcher.poll(timedelta(hours=6))
    watcher.poll(timedelta(hours=6))
    api.others["/repos/acme/web/actions/runs/1001"] = failing(429, {"Retry-After": "30"})
    api.put(run(402))
    with pytest.raises(Unavailable):
        watcher.poll()
    assert (CI, "1402", 1) in watcher.stored
    assert watcher.cursors[CURSOR]["tag"] is None
    del api.others["/repos/acme/web/actions/runs/1001"]
    watcher.github = provider()
    assert watcher.poll()[-1].number == 402


def test_a_poll_that_is_late_leaves_the_rest_to_the_next(api: GitHubApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put(run(1, None), run(2, "failure"))
    watcher = Watcher()
    watcher.poll()
    api.put(*(run(number) for number in range(3, 203)))
    watcher.poll()
    monkeypatch.setattr("providers._github.polling.POLL_SECONDS", 29.0)
    api.paths()
    watcher.poll(timedelta(minutes=20))
    assert api.paths() == ["/actions/runs"]


def test_more_open_runs_than_a_poll_may_ask_for_take_turns(api: GitHubApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers._github.polling._MAX_OPEN", 2)
    api.put(*(run(number, None) for number in range(1, 7)))
    watcher = Watcher()
    watcher.poll()
    api.paths()
    for _ in range(40):
        watcher.poll()
    asked = api.paths()
    assert len(asked) == 40 * 3
    assert len(set(asked)) == 7


def test_a_bad_run_is_quarantined_raw_and_its_page_stored(api: GitHubApi) -> None:
    api.put(run(1), run(2, run_number="two"), run(3, created_at="yesterday"), run(4))
    (page,) = Watcher().pages()
    assert [each.number for each in page.builds] == [1, 4]
    assert [each.external_id for each in page.unreadable] == ["1003", "1002"]
    assert page.unreadable[0].pipeline == CI
    assert json.loads(page.unreadable[0].raw)["created_at"] == "yesterday"
    assert "two" in page.unreadable[1].problem


@pytest.mark.parametrize("thing", [None, 7, "x", [], {}, {"id": "1"}, {"id": True}])
def test_what_is_no_run_at_all_is_quarantined_too(api: GitHubApi, thing: object) -> None:
    api.others["/repos/acme/web/actions/runs"] = lambda: ok({"workflow_runs": [run(1), thing]})
    (page,) = Watcher().pages()
    assert (len(page.builds), len(page.unreadable)) == (1, 1)


def test_an_open_run_that_ends_unreadable_is_not_asked_for_again(api: GitHubApi) -> None:
    api.put(run(1, None))
    watcher = Watcher()
    watcher.poll()
    api.put(run(1) | {"run_number": None})
    watcher.poll()
    assert watcher.cursors[CURSOR]["open"] == []


@pytest.mark.parametrize("body", ["[]", "{}", '{"workflow_runs": null}', "{"])
def test_a_list_that_is_none_fails_the_poll_and_keeps_the_cursor(api: GitHubApi, body: str) -> None:
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    before = dict(watcher.cursors)
    api.others["/repos/acme/web/actions/runs"] = lambda: (200, {}, body)
    with pytest.raises(Unavailable) as caught:
        watcher.poll()
    assert caught.value.trouble is Trouble.NOT_JSON
    assert watcher.cursors == before


def test_workflows_that_nobody_watches_are_left_out(api: GitHubApi) -> None:
    api.put(run(1), run(2, None, path=".github/workflows/nightly.yml"))
    watcher = Watcher(provider({"repo": "acme/web", "workflow": "ci.yml"}))
    assert numbers(watcher.poll()) == [(1, 1, "success")]
    assert watcher.cursors[CURSOR]["open"] == []


def test_a_redirect_to_another_host_gets_no_token(api: GitHubApi) -> None:
    """G18."""
    api.others["/repos/acme/web"] = lambda: (301, {"Location": "https://evil.example/repos/acme/web"}, "")
    with pytest.raises(Unavailable) as caught:
        Watcher().poll()
    assert caught.value.trouble is Trouble.REDIRECT


def test_a_repository_is_missing_after_three_404s_while_the_credentials_work(api: GitHubApi) -> None:
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    api.others["/repos/acme/web/actions/runs"] = not_found
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            watcher.poll()
        assert caught.value.trouble is Trouble.NOT_FOUND
    assert [page.missing for page in watcher.pages()] == [[CI]]
    assert watcher.pages() == []
    del api.others["/repos/acme/web/actions/runs"]
    assert [pipeline.key for page in watcher.pages() for pipeline in page.pipelines] == [CI]
    assert watcher.cursors[CURSOR]["misses"] == 0


def test_404s_count_for_nothing_while_the_credentials_do_not_work(api: GitHubApi) -> None:
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    api.others["/repos/acme/web/actions/runs"] = not_found
    api.others["/rate_limit"] = failing(401)
    for _ in range(4):
        with pytest.raises(Refused) as caught:
            watcher.poll()
        assert caught.value.trouble is Trouble.AUTH
    assert watcher.cursors[CURSOR]["misses"] == 0


def test_a_repository_that_was_never_there_is_refused_naming_the_key(api: GitHubApi) -> None:
    watcher = Watcher(provider({"repo": "acme/wbe"}), key="acme/wbe")
    for _ in range(2):
        with pytest.raises(Unavailable):
            watcher.poll()
    with pytest.raises(Refused, match="check `repo`") as caught:
        watcher.poll()
    assert caught.value.trouble is Trouble.NOT_FOUND
    assert api.paths()[-1] == "/rate_limit"


def test_the_repository_is_described_again_after_a_day(api: GitHubApi) -> None:
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    api.default_branch = "trunk"
    api.paths()
    watcher.poll(timedelta(hours=23))
    assert api.paths() == ["/actions/runs"]
    watcher.poll(timedelta(hours=2))
    assert watcher.cursors[CURSOR]["branch"] == "trunk"


@pytest.mark.parametrize("body", [[], {}, {"full_name": 7}, {"full_name": "acme"}])
def test_a_description_without_a_name_is_suspicious(api: GitHubApi, body: object) -> None:
    api.others["/repos/acme/web"] = lambda: ok(body)
    with pytest.raises(Unavailable) as caught:
        Watcher().poll()
    assert caught.value.trouble is Trouble.SUSPICIOUS


def test_a_cursor_of_another_version_is_understood_as_far_as_possible(api: GitHubApi) -> None:
    api.put(run(1))
    watcher = Watcher(cursors={CURSOR: {"newest": 1000, "repository": "acme/web", "from_the_future": 1}})
    assert numbers(watcher.poll()) == [(1, 1, "success")]


def test_first_contact_after_404s_shows_new_pipelines_together_with_their_builds(api: GitHubApi) -> None:
    """A pipeline is new on one page only: its failures of long ago are no news."""
    api.put(*(run(number, "failure") for number in range(1, 101)))
    for number in range(50, 61):
        api.rerun(number, "failure")
    api.others["/repos/acme/web"] = not_found
    watcher = Watcher()
    with pytest.raises(Unavailable):
        watcher.poll()
    del api.others["/repos/acme/web"]
    pages = watcher.pages()
    assert [(len(page.builds), len(page.pipelines)) for page in pages if page.pipelines] == [(110, 1)]


def test_250_new_builds_come_in_pages_of_100_and_the_last_one_carries_the_cursor(api: GitHubApi) -> None:
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    api.put(*(run(number) for number in range(2, 252)))
    pages = watcher.pages()
    assert [len(page.builds) for page in pages] == [100, 100, 51]
    assert [bool(page.cursors) for page in pages] == [False, False, True]


def test_reading_stops_at_the_deadline_of_the_poll_with_what_was_read(
    api: GitHubApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    api.put(*(run(number) for number in range(2, 402)))
    monkeypatch.setattr("providers._github.polling._MAX_PAGES", 2)
    assert [each.number for each in watcher.poll()] == list(range(202, 402))


def test_finished_at_is_frozen_by_the_first_sighting_which_is_exact(api: GitHubApi) -> None:
    """G3, G4: the duration is updated - run_started at the first completed sighting; the store keeps that one."""
    api.put(run(1))
    (build,) = Watcher().poll()
    assert build.finished_at == NOON + timedelta(minutes=6)
    assert build.duration == timedelta(minutes=5)


def test_a_queued_run_has_not_started(api: GitHubApi) -> None:
    api.put(run(1, None, status="queued"))
    (build,) = Watcher().poll()
    assert (build.status, build.outcome, build.started_at) == (Status.QUEUED, None, None)
    assert build.queued_at == datetime.fromisoformat(iso(NOON + timedelta(minutes=1)))


def test_a_startup_failure_is_a_failure_with_its_bucket(api: GitHubApi) -> None:
    """G11: it has no jobs and no filter shows it."""
    api.put(run(1, "startup_failure", name=".github/workflows/ci.yml"))
    (build,) = Watcher().poll()
    assert (build.outcome, build.raw_outcome) == (Outcome.FAILURE, "startup_failure")
    assert build.bucket == "startup_failure"
    assert build.pipeline.name == "acme/web ci"


def test_now_before_the_last_description_does_not_stop_descriptions(api: GitHubApi) -> None:
    api.put(run(1))
    watcher = Watcher(now=LATER + timedelta(days=3650))
    watcher.poll()
    api.paths()
    watcher.poll(-timedelta(days=3650))
    assert api.paths() == ["", "/actions/runs"]
