"""What pipelines are called: keys stay as configured, names and URLs follow GitHub."""

from datetime import timedelta

import pytest

from domain.build import Build
from providers._base import Unavailable
from tests.support.github_api import GitHubApi, failing, not_found, ok, run
from tests.support.github_provider import Watcher, provider

CI = "acme/web/.github/workflows/ci.yml"


def rename(api: GitHubApi, name: str) -> None:
    api.renamed_from, api.repository = api.repository, name


def names(builds: list[Build]) -> list[str]:
    return [each.pipeline.name for each in builds]


def test_a_renamed_repository_keeps_its_keys_and_gets_the_new_url(api: GitHubApi) -> None:
    """G19: 301 to /repositories/{id}, followed once; afterwards the new name is asked for directly."""
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    rename(api, "acme/site")
    api.put(run(2))
    pages = watcher.pages()
    assert [page.renamed for page in pages] == [{}, {}]
    assert [each.pipeline.key for page in pages for each in page.builds] == [CI] * 2
    (followed,) = pages[0].pipelines
    assert (followed.key, followed.name) == (CI, "acme/site CI")
    assert followed.url == "https://github.com/acme/site/actions/workflows/ci.yml"
    api.asked.clear()
    watcher.poll()
    assert watcher.poll() == []
    assert [(each.path, each.status) for each in api.asked] == [
        ("/repos/acme/site/actions/runs", 200),
        ("/repos/acme/site/actions/runs", 304),
    ]


def test_pipelines_of_a_renamed_repository_stay_watched_and_go_missing_by_their_keys(api: GitHubApi) -> None:
    api.put(run(1, path=".github/workflows/nightly.yml"), run(2))
    watcher = Watcher(provider({"repo": "acme/web", "workflow": "ci.yml"}))
    watcher.poll()
    rename(api, "acme/site")
    api.put(run(3, "failure"), run(4, run_number=None))
    pages = watcher.pages()
    assert (CI, "1003", 1) in watcher.stored
    assert [each.pipeline for page in pages for each in page.unreadable] == [CI]
    api.others["/repos/acme/site/actions/runs"] = not_found
    for _ in range(2):
        with pytest.raises(Unavailable, match="acme/site"):
            watcher.poll()
    assert [page.missing for page in watcher.pages()] == [[CI]]


def test_a_rename_is_warned_of_once(api: GitHubApi, caplog: pytest.LogCaptureFixture) -> None:
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    rename(api, "acme/site")
    for _ in range(3):
        watcher.poll()
        watcher.github = provider()  # a restart
    watcher.poll(timedelta(hours=25))
    assert [each.getMessage() for each in caplog.records] == [
        "repository was renamed provider=gh from=acme/web to=acme/site: config.yaml should name the new one"
    ]


def test_a_rename_back_to_the_configured_name_or_to_other_case_is_not_warned_of(
    api: GitHubApi, caplog: pytest.LogCaptureFixture
) -> None:
    api.put(run(1))
    watcher = Watcher()
    rename(api, "acme/site")
    assert [each.pipeline.key for each in watcher.poll()] == [CI]  # renamed before the first contact
    assert len(caplog.records) == 1
    caplog.clear()
    rename(api, "Acme/Web")
    api.renamed_from = "acme/site"
    pages = watcher.pages()
    assert [(each.key, each.url) for each in pages[0].pipelines] == [
        (CI, "https://github.com/Acme/Web/actions/workflows/ci.yml")
    ]
    assert caplog.records == []


def test_a_rename_is_told_again_only_when_its_poll_failed(api: GitHubApi, caplog: pytest.LogCaptureFixture) -> None:
    api.put(run(1))
    watcher = Watcher()
    watcher.poll()
    rename(api, "acme/site")
    api.others["/repos/acme/site/actions/runs"] = failing(500)
    with pytest.raises(Unavailable):
        watcher.poll(timedelta(hours=25))
    assert caplog.records == []
    del api.others["/repos/acme/site/actions/runs"]
    watcher.poll()
    assert len(caplog.records) == 1


def test_the_newest_run_of_a_page_names_its_workflow(api: GitHubApi) -> None:
    api.put(run(1, name="Old"), run(2, name="New"), run(3, display_title="Some other title", name="New"))
    watcher = Watcher()
    assert names(watcher.poll()) == ["acme/web New"] * 3
    api.put(run(4, name="Newest"))
    assert names(watcher.poll()) == ["acme/web Newest"] * 4


def test_a_run_that_does_not_tell_the_name_of_its_workflow_does_not_change_it(api: GitHubApi) -> None:
    broken = run(2, "startup_failure", name=".github/workflows/ci.yml")
    api.put(run(1), broken)
    watcher = Watcher()
    assert names(watcher.poll()) == ["acme/web CI"] * 2
    api.runs.clear()
    api.put(broken, run(3, name=None))
    assert names(watcher.poll()) == ["acme/web CI"] * 2


def test_a_run_that_was_named_long_ago_does_not_rename_its_workflow_when_it_ends(api: GitHubApi) -> None:
    api.put(run(1, None, name="Old"))
    watcher = Watcher()
    watcher.poll()
    api.put(*(run(number, name="New") for number in range(2, 250)))
    watcher.poll()
    api.end(1, "failure")
    assert names(watcher.poll()) == ["acme/web New"]


def test_a_workflow_without_a_name_gets_one_as_soon_as_a_run_tells_it(api: GitHubApi) -> None:
    api.others["/repos/acme/web/actions/workflows/7"] = lambda: ok({"path": ".github/workflows/old.yml"})
    api.put(run(1, path=None, name=None))
    watcher = Watcher()
    assert names(watcher.poll()) == ["acme/web old"]
    api.put(run(2, path=None))
    assert names(watcher.poll()) == ["acme/web CI"] * 2


def test_keys_have_the_configured_spelling_and_urls_have_githubs(
    api: GitHubApi, caplog: pytest.LogCaptureFixture
) -> None:
    api.put(run(1))
    api.repository = "Acme/Web"
    api.others["/repos/acme/web"] = lambda: ok({"id": 1, "full_name": "Acme/Web", "default_branch": "main"})
    (build,) = Watcher().poll()
    assert build.pipeline.key == CI
    assert build.pipeline.url == "https://github.com/Acme/Web/actions/workflows/ci.yml"
    assert caplog.records == []
