from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.build import Outcome, Status
from providers._base import Refused, Trouble, Unavailable
from providers._jenkins import poll as _jenkins_poll
from tests.support.jenkins_api import BASE, START, JenkinsApi, a_jenkins, run
from tests.support.jenkins_provider import Watcher, provider


@pytest.fixture
def api() -> Iterator[JenkinsApi]:
    with a_jenkins() as server:
        yield server


def test_first_contact_reads_the_newest_fifty_builds_of_each_job(api: JenkinsApi) -> None:
    api.job("a", *(run(number) for number in range(1, 71)))
    api.job("b", run(1, "FAILURE"))
    api.job("never-built")
    watcher = Watcher(provider("*"))
    watcher.poll()
    assert sorted(watcher.of("a")) == list(range(21, 71))
    assert watcher.outcomes("b") == {1: "failure"}
    assert set(watcher.pipelines) == {"a", "b", "never-built"}
    assert len(api.take()) == 2


def test_an_idle_cycle_is_one_request_without_builds_and_changes_no_cursor_j7(api: JenkinsApi) -> None:
    for number in range(50):
        api.job(f"folder/job-{number}", run(1), run(2))
    watcher = Watcher(provider("folder/*"))
    watcher.poll()
    api.take()
    for _ in range(3):
        assert watcher.poll() == []
        ((path, tree),) = api.take()
        assert path == ""
        assert "builds[" not in tree.replace("lastBuild[", "")
        assert "color" not in tree


def test_seven_builds_between_two_polls_are_seven_rows_j1(api: JenkinsApi) -> None:
    job = api.job("a", run(1))
    watcher = Watcher(provider("a"))
    watcher.poll()
    job.add(*(run(number, "FAILURE" if number % 2 else "SUCCESS") for number in range(2, 9)))
    api.take()
    (page,) = watcher.poll()
    assert sorted(build.number for build in page.builds) == list(range(2, 9))
    assert len(api.take()) == 2


def test_fifty_changed_jobs_cost_one_request_each_j8(api: JenkinsApi) -> None:
    jobs = [api.job(f"job-{number}", run(1)) for number in range(50)]
    watcher = Watcher(provider("*"))
    watcher.poll()
    api.take()
    for job in jobs:
        job.add(*(run(number) for number in range(2, 22)))
    watcher.poll()
    assert len(api.take()) == 51
    assert len(watcher.builds) == 50 * 21


def test_a_build_that_ends_after_a_later_one_is_not_lost_j2(api: JenkinsApi) -> None:
    job = api.job("a", run(8))
    watcher = Watcher(provider("a"))
    watcher.poll()
    job.add(run(9, None), run(10, None))
    watcher.poll()
    assert watcher.of("a")[9].status is Status.RUNNING
    job.finish(10, "SUCCESS")
    watcher.poll()
    assert watcher.outcomes("a") == {8: "success", 9: None, 10: "success"}
    job.finish(9, "FAILURE")
    watcher.poll()
    assert watcher.outcomes("a") == {8: "success", 9: "failure", 10: "success"}
    api.take()
    assert watcher.poll() == []
    assert len(api.take()) == 1


def test_a_long_build_that_is_the_newest_costs_nothing_while_it_runs(api: JenkinsApi) -> None:
    job = api.job("a", run(1), run(2, None))
    watcher = Watcher(provider("a"))
    watcher.poll()
    api.take()
    assert watcher.poll() == []
    assert len(api.take()) == 1
    job.finish(2, "SUCCESS")
    watcher.poll()
    assert watcher.outcomes("a")[2] == "success"


def test_a_result_of_a_running_build_does_not_count_j3(api: JenkinsApi) -> None:
    job = api.job("a", run(1), run(2, "UNSTABLE", building=True, inProgress=True))
    watcher = Watcher(provider("a"))
    watcher.poll()
    assert watcher.of("a")[2].status is Status.RUNNING
    job.builds[2] |= {"building": False}  # the log is still open
    watcher.poll()
    assert watcher.of("a")[2].status is Status.RUNNING
    job.finish(2, "FAILURE")
    watcher.poll()
    assert watcher.outcomes("a") == {1: "success", 2: "failure"}
    assert len(watcher.of("a")) == 2


def test_a_server_without_in_progress_is_judged_by_building_alone(api: JenkinsApi) -> None:
    build = run(1)
    del build["inProgress"]
    api.job("a", build)
    watcher = Watcher(provider("a"))
    watcher.poll()
    assert watcher.outcomes("a") == {1: "success"}


def test_a_restart_is_no_deletion_j4(api: JenkinsApi) -> None:
    api.job("a", run(1))
    watcher = Watcher(provider("a"))
    watcher.poll()
    before = dict(watcher.cursors)
    api.fail("", 503, "<html>Please wait while Jenkins is getting ready to work</html>")
    for _ in range(3):
        assert watcher.poll() == []
        assert isinstance(watcher.error, Unavailable)
        assert watcher.error.trouble is Trouble.SERVER_ERROR
    api.faults.clear()
    assert watcher.poll() == []
    assert (watcher.error, watcher.missing, watcher.cursors) == (None, [], before)


def test_jobs_that_vanish_all_at_once_are_suspicious_and_not_deleted_j6(api: JenkinsApi) -> None:
    for number in range(50):
        api.job(f"job-{number}", run(1))
    watcher = Watcher(provider("*"))
    watcher.poll()
    before = dict(watcher.cursors)
    api.jobs.clear()
    for _ in range(10):
        watcher.poll()
        assert isinstance(watcher.error, Unavailable)
        assert watcher.error.trouble is Trouble.SUSPICIOUS
    assert watcher.missing == []
    assert watcher.cursors == before


def test_most_jobs_vanishing_is_suspicious_while_the_rest_goes_on(api: JenkinsApi) -> None:
    for number in range(10):
        api.job(f"job-{number}", run(1))
    stays = api.job("stays", run(1))
    watcher = Watcher(provider("*"))
    watcher.poll()
    for number in range(10):
        del api.jobs[f"job-{number}"]
    for number in range(2, 8):
        stays.add(run(number, "FAILURE"))
        watcher.poll()
        assert watcher.outcomes("stays")[number] == "failure"
        assert watcher.error is not None
        assert watcher.error.trouble is Trouble.SUSPICIOUS
    assert watcher.missing == []
    for _ in range(40):
        watcher.poll()
    assert sorted(watcher.missing) == sorted(f"job-{number}" for number in range(10))
    assert watcher.error is None


def test_a_deleted_job_is_missing_after_three_absences_and_a_404(api: JenkinsApi) -> None:
    api.job("stays", run(1))
    api.job("goes", run(1))
    watcher = Watcher(provider("*"))
    watcher.poll()
    del api.jobs["goes"]
    watcher.poll()
    watcher.poll()
    assert watcher.missing == []
    watcher.poll()
    assert watcher.missing == ["goes"]
    api.take()
    assert watcher.poll() == []
    assert len(api.take()) == 1


def test_a_job_that_only_the_list_leaves_out_is_not_missing(api: JenkinsApi) -> None:
    api.job("stays", run(1))
    hidden = api.job("folder/hidden", run(1))
    watcher = Watcher(provider("**"))
    watcher.poll()
    folder = api.folders.pop("folder")
    api.job("x", run(1))
    for _ in range(5):
        watcher.poll()
    assert watcher.missing == []
    api.folders["folder"] = folder
    hidden.add(run(2, "FAILURE"))
    watcher.poll()
    assert watcher.outcomes("folder/hidden") == {1: "success", 2: "failure"}


def test_nothing_is_missing_while_the_credentials_are_in_doubt(api: JenkinsApi) -> None:
    api.job("stays", run(1))
    api.job("goes", run(1))
    watcher = Watcher(provider("*"))
    watcher.poll()
    del api.jobs["goes"]
    api.user = None
    for _ in range(5):
        watcher.poll()
        assert watcher.error is not None
        assert watcher.error.trouble is Trouble.SUSPICIOUS
    assert watcher.missing == []


def test_a_job_that_comes_back_goes_on_with_the_next_generation_j11(api: JenkinsApi) -> None:
    api.job("stays", run(1))
    api.job("a", *(run(number) for number in range(1, 6)))
    watcher = Watcher(provider("*"))
    watcher.poll()
    del api.jobs["a"]
    for _ in range(4):
        watcher.poll()
    api.job("a", run(1, "FAILURE", timestamp=START + 9_000_000))
    watcher.poll()
    newest = watcher.of("a")[1]
    assert (newest.generation, newest.outcome) == (1, Outcome.FAILURE)
    assert len([key for key in watcher.builds if key[0] == "a"]) == 6


def test_a_recreated_job_keeps_the_rows_of_both_generations_j11(api: JenkinsApi) -> None:
    api.job("a", run(1), run(2, None))
    watcher = Watcher(provider("a"))
    watcher.poll()
    api.job("a", run(1, "FAILURE", timestamp=START + 9_000_000))
    watcher.poll()
    ids = {external: build for (_, external), build in watcher.builds.items()}
    assert set(ids) == {f"1@{START + 60_000}", f"2@{START + 120_000}", f"1@{START + 9_000_000}"}
    assert ids[f"1@{START + 9_000_000}"].generation == 1
    cut_off = ids[f"2@{START + 120_000}"]
    assert (cut_off.outcome, cut_off.raw_outcome, cut_off.generation) == (Outcome.UNKNOWN, "DELETED", 0)
    assert watcher.cursors["backfill"] == {"gens": {"a": 1}}


def test_a_recreated_job_with_higher_numbers_is_seen_by_its_timestamps_j11(api: JenkinsApi) -> None:
    api.job("a", run(1), run(2))
    watcher = Watcher(provider("a"))
    watcher.poll()
    api.job("a", *(run(number, "FAILURE", timestamp=START + 9_000_000 + number) for number in range(1, 31)))
    watcher.poll()
    assert {build.generation for build in watcher.of("a").values()} == {1}
    assert len(watcher.of("a")) == 30


def test_a_renamed_job_carries_its_history_along_j11(api: JenkinsApi) -> None:
    job = api.job("old", *(run(number) for number in range(1, 6)))
    api.job("other", run(1))
    watcher = Watcher(provider("*"))
    watcher.poll()
    del api.jobs["old"]
    api.jobs["new"] = job
    job.add(run(6, "FAILURE"))
    (page,) = watcher.poll()
    assert page.renamed == {"old": "new"}
    assert [build.number for build in page.builds] == [6]
    assert "job:old" not in watcher.cursors
    for _ in range(4):
        assert watcher.poll() == []
    assert watcher.missing == []


def test_builds_below_the_list_of_a_hundred_are_read_one_by_one_j1(api: JenkinsApi) -> None:
    job = api.job("a", run(1))
    watcher = Watcher(provider("a"))
    watcher.poll()
    job.add(*(run(number) for number in range(2, 251)))
    del job.builds[7]
    api.take()
    watcher.poll()
    assert len(api.take()) == 2 + 100
    watcher.poll()
    assert sorted(watcher.of("a")) == [1, *range(2, 7), *range(8, 251)]
    api.take()
    assert watcher.poll() == []
    assert len(api.take()) == 1


def test_a_running_build_below_the_list_of_a_hundred_is_followed(api: JenkinsApi) -> None:
    job = api.job("a", run(1, None))
    watcher = Watcher(provider("a"))
    watcher.poll()
    for start in range(2, 202, 40):
        job.add(*(run(number) for number in range(start, start + 40)))
        watcher.poll()
    job.finish(1, "FAILURE")
    watcher.poll()
    assert watcher.outcomes("a")[1] == "failure"


def test_a_running_build_that_is_deleted_ends_as_unknown(api: JenkinsApi) -> None:
    job = api.job("a", run(1), run(2, None))
    watcher = Watcher(provider("a"))
    watcher.poll()
    del job.builds[2]
    watcher.poll()
    assert watcher.outcomes("a") == {1: "success", 2: "unknown"}
    assert watcher.of("a")[2].finished_at == watcher.now


def test_one_broken_job_does_not_take_the_others_with_it(api: JenkinsApi) -> None:
    jobs = [api.job(name, run(1)) for name in "abc"]
    watcher = Watcher(provider("*"))
    watcher.poll()
    for job in jobs:
        job.add(run(2, "FAILURE"))
    api.fail("job/b/", 500)
    watcher.poll()
    assert isinstance(watcher.error, Unavailable)
    assert watcher.outcomes("a")[2] == watcher.outcomes("c")[2] == "failure"
    assert 2 not in watcher.of("b")
    api.faults.clear()
    watcher.poll()
    assert watcher.error is None
    assert watcher.outcomes("b")[2] == "failure"


@pytest.mark.parametrize("status", [403, 500])
def test_a_job_that_stays_broken_is_no_trouble_of_the_server(api: JenkinsApi, status: int) -> None:
    api.job("a", run(1))
    broken = api.job("b", run(1))
    watcher = Watcher(provider("*"))
    watcher.poll()
    broken.add(run(2))
    api.fail("job/b/", status)
    watcher.poll()
    assert watcher.error is not None
    assert watcher.error.partial
    assert list(watcher.error.parts) == ["b"]
    api.fail("job/a/", 500)
    watcher.poll()
    assert watcher.error is not None
    assert not watcher.error.partial, "the others do not answer either"


def test_a_server_that_goes_down_in_mid_poll_is_not_asked_for_every_job(api: JenkinsApi) -> None:
    jobs = [api.job(f"job-{number:02}", run(1)) for number in range(30)]
    watcher = Watcher(provider("*"))
    watcher.poll()
    for number, job in enumerate(jobs):
        job.add(run(2))
        api.fail(f"job/job-{number:02}/", 404 if number < 2 else 418)
    api.take()
    watcher.poll()
    assert watcher.error is not None
    assert len({path for path, _ in api.take()}) == 1 + 2 + 3


def test_a_page_that_is_too_much_at_once_is_read_job_by_job(api: JenkinsApi) -> None:
    for name in "abc":
        api.job(f"folder/{name}", run(1))
    api.job("x", run(1))
    api.job("y", run(1))
    api.fail("job/folder/", 500)
    watcher = Watcher(provider("folder/*"))
    watcher.poll()
    assert watcher.error is None
    assert set(watcher.pipelines) == {"folder/a", "folder/b", "folder/c"}


def test_an_unreadable_build_does_not_spoil_its_page(api: JenkinsApi) -> None:
    api.job("a", run(1), run(2, timestamp="yesterday"), run(3, result=7, building=False, inProgress=False), run(4))
    watcher = Watcher(provider("a"))
    watcher.poll()
    assert watcher.outcomes("a") == {1: "success", 4: "success"}
    assert [each.external_id for each in watcher.unreadable] == [f"3@{START + 180_000}", "2@yesterday"]
    assert "yesterday" in watcher.unreadable[1].raw


@pytest.mark.parametrize(
    ("status", "kind", "trouble"),
    [
        (401, Refused, Trouble.AUTH),
        (403, Refused, Trouble.AUTH),
        (404, Unavailable, Trouble.NOT_FOUND),
        (429, Unavailable, Trouble.RATE_LIMIT),
        (500, Unavailable, Trouble.SERVER_ERROR),
        (200, Unavailable, Trouble.NOT_JSON),
        (0, Unavailable, Trouble.CONNECTION),
    ],
)
def test_a_server_that_cannot_be_read_says_why_j6(
    api: JenkinsApi, status: int, kind: type[Exception], trouble: Trouble
) -> None:
    api.job("a", run(1))
    watcher = Watcher(provider("a"))
    watcher.poll()
    api.fail("", status, "<!DOCTYPE html><html>Sign in [Jenkins]</html>")
    assert watcher.poll() == []
    assert type(watcher.error) is kind
    assert watcher.error.trouble is trouble
    assert "s3cret" not in str(watcher.error)


def test_json_that_is_no_jenkins_is_refused(api: JenkinsApi) -> None:
    watcher = Watcher(provider("a"))
    for body in ('{"hello": "world"}', "[1, 2]", '{"jobs": [', "{" * 100_000):
        api.fail("", 200, body)
        watcher.poll()
        assert watcher.error is not None
        assert watcher.error.trouble is Trouble.NOT_JSON


def test_a_first_connection_that_drops_is_tried_again_j5(api: JenkinsApi) -> None:
    api.job("a", run(1))
    api.fail("", 0)
    broken = api.faults[""]
    calls = 0

    def once(request: object) -> object:
        nonlocal calls
        calls += 1
        return broken(request) if calls == 1 else (200, {}, '{"jobs": []}')  # type: ignore[arg-type]

    api.faults[""] = once  # type: ignore[assignment]
    watcher = Watcher(provider("a"))
    watcher.poll()
    assert watcher.error is None
    assert calls == 2


def test_no_request_goes_to_the_host_that_url_fields_name_j21(api: JenkinsApi) -> None:
    api.job("folder/a", run(1))
    watcher = Watcher(provider("**"))
    watcher.poll()
    assert watcher.of("folder/a")[1].url == f"{BASE}job/folder/job/a/1/"
    assert watcher.pipelines["folder/a"].url == f"{BASE}job/folder/job/a/"
    # any other host would have failed in `responses`
    api.fail("", 302, "", Location="https://evil.example/api/json")
    watcher.poll()
    assert watcher.error is not None
    assert watcher.error.trouble is Trouble.REDIRECT


def test_finished_builds_are_read_again_after_an_hour(api: JenkinsApi) -> None:
    job = api.job("a", run(1, "FAILURE", timestamp=int((Watcher().now.timestamp() - 3600) * 1000)))
    watcher = Watcher(provider("a"))
    watcher.poll()
    watcher.poll()
    job.builds[1]["result"] = "SUCCESS"
    api.take()
    for _ in range(50):
        watcher.poll()
    assert len(api.take()) == 50
    for _ in range(120):
        watcher.poll()
    assert len(api.take()) <= 120 + 3
    assert watcher.outcomes("a") == {1: "success"}


def test_two_intervals_are_two_targets_with_their_own_jobs(api: JenkinsApi) -> None:
    api.job("a", run(1))
    api.job("b", run(1))
    jenkins = provider({"job": "a", "poll_every": "10s"}, "*")
    assert [(str(target), target.every) for target in jenkins.targets()] == [
        ("ci:jobs every 10s", timedelta(seconds=10)),
        ("ci:jobs", timedelta(seconds=60)),
    ]
    first, second = Watcher(jenkins), Watcher(jenkins)
    first.poll(target=0)
    second.poll(target=1)
    assert (set(first.pipelines), set(second.pipelines)) == ({"a"}, {"b"})


def test_a_job_that_nobody_asked_for_is_left_alone(api: JenkinsApi) -> None:
    api.job("a", run(1))
    api.job("b", run(1))
    watcher = Watcher(provider("a"))
    watcher.poll()
    assert set(watcher.pipelines) == {"a"}


def test_an_entry_that_matches_no_job_is_told_once(api: JenkinsApi, caplog: pytest.LogCaptureFixture) -> None:
    api.job("a", run(1))
    watcher = Watcher(provider("nothing-here", "a"))
    watcher.poll()
    watcher.poll()
    assert [record.message.rpartition("=")[2] for record in caplog.records] == ["nothing-here"]


def test_builds_that_vanish_for_a_moment_are_not_read_from_the_beginning(api: JenkinsApi) -> None:
    job = api.job("a", *(run(number) for number in range(1, 301)), run(301, None))
    watcher = Watcher(provider("a"))
    watcher.poll()
    shown, job.builds = job.builds, {}
    api.fail("job/a/301/", 503)
    watcher.poll()
    assert watcher.error is not None
    api.faults.clear()
    job.builds = shown
    api.take()
    assert watcher.poll() == []
    assert len(api.take()) == 1
    job.builds = {}
    watcher.poll()
    assert watcher.outcomes("a")[301] == "unknown"
    assert watcher.cursors["job:a"] == {"next": 302, "last": 0, "at": 0, "read": 301}
    job.builds = shown
    job.finish(301, "SUCCESS")
    job.add(run(302, "FAILURE"))
    (page,) = watcher.poll()
    assert [build.number for build in page.builds] == [302]


def test_a_build_that_a_crash_cut_off_is_not_asked_for_for_ever(api: JenkinsApi) -> None:
    api.job("a", run(1, None, building=False, inProgress=False), run(2))
    watcher = Watcher(provider("a"))
    watcher.poll()
    watcher.poll()
    api.take()
    assert watcher.poll() == []
    assert len(api.take()) == 1
    assert watcher.of("a")[1].status is Status.RUNNING


def test_a_poll_stops_asking_when_its_time_is_up_and_goes_on_next_time(
    api: JenkinsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [api.job(f"folder-{number // 100}/{number}", run(1)) for number in range(300)]
    watcher = Watcher(provider("**"))
    monkeypatch.setattr(_jenkins_poll, "POLL_SECONDS", 0.0)
    assert watcher.poll() == []
    monkeypatch.undo()
    watcher.poll()
    assert len(watcher.pipelines) == 300
    for job in jobs:
        job.add(run(2))
    monkeypatch.setattr(_jenkins_poll, "POLL_SECONDS", 0.0)
    assert watcher.poll() == []
    assert watcher.error is None
    monkeypatch.undo()
    watcher.poll()
    assert len(watcher.builds) == 600


def test_many_jobs_that_cannot_be_read_at_first_contact_are_read_later(api: JenkinsApi) -> None:
    for number in range(150):
        api.job(f"{'ab'[number // 100]}/{number}", run(1))
    api.faults[""] = lambda request: (403, {}, "<html>") if "%7B0%2C1%7D" in str(request.url) else None
    watcher = Watcher(provider("**"))
    watcher.poll()
    assert len(watcher.pipelines) == 50
    assert watcher.error is not None
    assert watcher.error.trouble is Trouble.AUTH
    api.faults.clear()
    watcher.poll()
    assert len(watcher.pipelines) == 150


def test_reading_again_stops_when_the_server_does_not_answer(api: JenkinsApi) -> None:
    at = int((Watcher().now.timestamp() - 3600) * 1000)
    for number in range(10):
        api.job(f"j{number}", run(1, timestamp=at))
        api.fail(f"job/j{number}/", 418)
    watcher = Watcher(provider("*"))
    watcher.poll()
    watcher.poll()
    api.take()
    watcher.poll(timedelta(hours=3))
    assert len(api.take()) == 4
    assert watcher.error is not None


def test_what_is_not_watched_any_more_is_not_missed(api: JenkinsApi) -> None:
    api.job("a", run(1))
    api.job("b", run(1))
    watcher = Watcher(provider("*"))
    watcher.poll()
    del api.jobs["b"]
    watcher.jenkins = provider("a")
    for _ in range(4):
        watcher.poll()
    assert watcher.missing == []


def test_a_job_with_the_same_first_build_as_two_lost_ones_is_not_taken_for_either(api: JenkinsApi) -> None:
    for name in ("x/one", "x/two", "stays"):
        api.job(name, run(1))
    watcher = Watcher(provider("**"))
    watcher.poll()
    del api.jobs["x/one"]
    del api.jobs["x/two"]
    api.job("y/three", run(1))
    api.job("y/two", run(1))
    watcher.poll()
    assert watcher.renamed == {"x/two": "y/two"}


def test_an_absence_that_cannot_be_confirmed_now_is_confirmed_later(api: JenkinsApi) -> None:
    api.job("stays", run(1))
    api.job("goes", run(1))
    watcher = Watcher(provider("*"))
    watcher.poll()
    del api.jobs["goes"]
    api.fail("job/goes/", 500)
    for _ in range(4):
        watcher.poll()
    assert watcher.missing == []
    assert watcher.error is not None
    api.faults.clear()
    watcher.poll()
    assert watcher.missing == ["goes"]


def test_a_job_that_was_never_built_is_known_all_the_same(api: JenkinsApi) -> None:
    """So that it can be late."""
    api.job("nightly")
    watcher = Watcher(provider("nightly"))
    pages = watcher.poll()
    assert [each.key for page in pages for each in page.pipelines] == ["nightly"]
