"""Workflows that config.yaml names and that have never run: known all the same, so that they can be late."""

from datetime import timedelta

import pytest

from providers._base import Unavailable
from tests.support.github_api import GitHubApi, failing, ok, run
from tests.support.github_provider import Watcher, provider

NIGHTLY = ".github/workflows/nightly.yml"
ASKED = "/actions/workflows/nightly.yml"
PATH = f"/repos/acme/web{ASKED}"
A_DAY = timedelta(days=1)


def watcher(workflow: str = "nightly.yml") -> Watcher:
    return Watcher(provider({"repo": "acme/web", "workflow": workflow, "labels": {"team": "web"}}))


@pytest.mark.parametrize("workflow", ["nightly.yml", NIGHTLY])
def test_a_workflow_that_is_named_is_known_before_its_first_run(api: GitHubApi, workflow: str) -> None:
    api.put(run(1))
    api.others[PATH] = lambda: ok({"id": 9, "name": "Nightly", "path": NIGHTLY, "state": "active"})
    ours = watcher(workflow)
    (met,) = [pipeline for page in ours.pages() for pipeline in page.pipelines]
    assert (met.key, met.name, met.labels) == (f"acme/web/{NIGHTLY}", "acme/web Nightly", {"team": "web"})
    assert api.paths().count(ASKED) == 1
    ours.poll(A_DAY)
    assert ASKED not in api.paths(), "it is known by now"


def test_one_that_has_run_or_is_described_by_a_pattern_is_not_looked_for(api: GitHubApi) -> None:
    api.put(run(1, path=NIGHTLY))
    watcher().poll()
    watcher("nightly-*.yml").poll()
    Watcher(provider()).poll()
    assert not [path for path in api.paths() if path.startswith("/actions/workflows")]


def test_one_that_is_not_there_is_looked_for_once_a_day(api: GitHubApi, caplog: pytest.LogCaptureFixture) -> None:
    ours = watcher()
    ours.poll()
    ours.poll()
    assert api.paths().count(ASKED) == 1
    assert "no such workflow: check `workflow` in config.yaml repository=acme/web workflow=nightly.yml" in caplog.text
    ours.poll(A_DAY)
    assert api.paths().count(ASKED) == 1


def test_a_bad_answer_keeps_no_build_from_being_told(api: GitHubApi) -> None:
    api.others[PATH] = failing(502)
    ours = watcher()
    assert ours.poll() == []
    api.put(run(1, path=NIGHTLY))
    assert len(ours.poll()) == 1


def test_an_odd_answer_is_no_workflow(api: GitHubApi) -> None:
    api.others[PATH] = lambda: ok(["nightly"])
    assert [page.pipelines for page in watcher().pages() if page.pipelines] == []


def test_a_rate_limit_stops_the_poll_as_everywhere(api: GitHubApi) -> None:
    api.others[PATH] = failing(429, {"Retry-After": "30"})
    with pytest.raises(Unavailable):
        watcher().poll()
