"""Branches that are gone: their streams end, once, and not because of a moment without them."""

from collections.abc import Iterator

import pytest

from tests.support.jenkins_api import JenkinsApi, a_jenkins, run
from tests.support.jenkins_provider import Watcher, provider

STREAM = ("shop/web", "feature/x")


@pytest.fixture
def api() -> Iterator[JenkinsApi]:
    with a_jenkins() as server:
        server.branch("shop/web", "main", run(1))
        server.branch("shop/web", "feature%2Fx", run(1, "FAILURE"))
        yield server


@pytest.fixture
def watcher(api: JenkinsApi) -> Watcher:
    made = Watcher(provider("shop/web"))
    made.poll()
    api.take()
    return made


def polls(watcher: Watcher, count: int) -> list[tuple[str, str]]:
    """What has ended after so many polls more."""
    for _ in range(count):
        watcher.poll()
    return watcher.ended


def test_a_branch_job_that_stays_away_has_ended(api: JenkinsApi, watcher: Watcher) -> None:
    del api.jobs["shop/web/feature%2Fx"]
    assert polls(watcher, 2) == []
    api.take()
    assert polls(watcher, 1) == [STREAM]
    assert [path for path, _ in api.take()] == ["", "job/shop/job/web/job/feature%252Fx/"]
    assert polls(watcher, 3) == [STREAM]
    assert [path for path, _ in api.take()] == ["", "", ""]
    assert watcher.missing == []


def test_a_branch_job_that_was_away_for_a_moment_goes_on(api: JenkinsApi, watcher: Watcher) -> None:
    job = api.jobs.pop("shop/web/feature%2Fx")
    polls(watcher, 2)
    api.jobs["shop/web/feature%2Fx"] = job
    assert polls(watcher, 1) == []
    del api.jobs["shop/web/feature%2Fx"]
    assert polls(watcher, 2) == []


def test_a_branch_job_that_is_there_but_not_listed_has_not_ended(api: JenkinsApi, watcher: Watcher) -> None:
    del api.jobs["shop/web/feature%2Fx"]
    api.faults["job/shop/job/web/job/feature%2Fx/"] = lambda _: (200, api.headers, '{"name": "feature%2Fx"}')
    assert polls(watcher, 5) == []


def test_a_question_that_fails_is_asked_again(api: JenkinsApi, watcher: Watcher) -> None:
    del api.jobs["shop/web/feature%2Fx"]
    api.fail("job/shop/job/web/job/feature%2Fx/", 500)
    assert polls(watcher, 3) == []
    api.faults.clear()
    assert polls(watcher, 1) == [STREAM]


def test_a_branch_job_that_is_kept_without_its_branch_has_ended(api: JenkinsApi, watcher: Watcher) -> None:
    """Jenkins disables the job of a deleted branch, and removes it days later."""
    job = api.jobs["shop/web/feature%2Fx"]
    job.buildable = False
    assert polls(watcher, 1) == [STREAM]
    assert polls(watcher, 2) == [STREAM]
    del api.jobs["shop/web/feature%2Fx"]
    assert polls(watcher, 4) == [STREAM]


def test_a_branch_that_comes_back_may_end_again(api: JenkinsApi, watcher: Watcher) -> None:
    job = api.jobs["shop/web/feature%2Fx"]
    job.buildable = False
    polls(watcher, 1)
    job.buildable = True
    job.add(run(2, "FAILURE"))
    polls(watcher, 1)
    assert sorted(watcher.of("shop/web")) == [1, 2]
    job.buildable = False
    assert polls(watcher, 1) == [STREAM, STREAM]


def test_a_plain_job_that_is_disabled_has_not_ended(api: JenkinsApi) -> None:
    job = api.job("nightly", run(1))
    watcher = Watcher(provider("nightly"))
    watcher.poll()
    job.buildable = False
    assert polls(watcher, 2) == []
