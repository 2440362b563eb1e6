"""Builds that come by themselves: what config.yaml says of them, and the pages and posts of servers they come from."""

from datetime import timedelta
from typing import Any

import pytest

from domain.build import Build, Pipeline
from providers._base import KnowsItsPages, Place, Posted, ReadsPosts, TakesPushed, Target
from providers.github import PLUGIN as GITHUB
from providers.jenkins import PLUGIN as JENKINS
from providers.push import PLUGIN
from tests.support.builders import NOON, build, pipeline


def push(*entries: dict[str, Any]) -> Any:
    found = [PLUGIN.entry.model_validate({"provider": "pushed", **each}) for each in entries]
    return PLUGIN.provider("pushed", PLUGIN.settings.model_validate({"kind": "push"}), found)


def pushed(key: str = "web", **changes: Any) -> Build:
    return build(pipeline=Pipeline(provider="?", key=key, name=key), **changes)


def test_the_first_entry_that_takes_a_pipeline_gives_it_its_name_and_labels() -> None:
    provider = push({"key": "web", "name": "The web", "labels": {"team": "a"}}, {"labels": {"team": "b"}})
    assert isinstance(provider, TakesPushed)
    web = provider.received(pushed("web"))
    assert web is not None
    assert (web.pipeline.provider, web.pipeline.key, web.pipeline.name) == ("pushed", "web", "The web")
    assert web.pipeline.labels == {"team": "a"}
    api = provider.received(pushed("team/api"))
    assert api is not None
    assert (api.pipeline.name, api.pipeline.labels) == ("team/api", {"team": "b"})


def test_a_pipeline_that_no_entry_names_is_not_taken() -> None:
    assert push({"key": "regression/*"}).received(pushed("web")) is None


def test_labels_are_read_off_pushed_builds_and_their_own_count_more() -> None:
    provider = push({"labels_from": {"app": {"job_name": "(.+)-nightly"}, "who": "actor"}})
    found = provider.received(pushed("web-nightly", labels={"who": "somebody"}))
    assert found is not None
    assert found.labels == {"app": "web", "who": "somebody"}


def test_a_name_for_many_pipelines_names_none() -> None:
    found = push({"name": "All"}).received(pushed("web"))
    assert found is not None
    assert found.pipeline.name == "web"


def github(*entries: dict[str, Any], **settings: Any) -> Any:
    found = [GITHUB.entry.model_validate({"provider": "gh", **each}) for each in entries]
    return GITHUB.provider("gh", GITHUB.settings.model_validate({"kind": "github", **settings}), found)


def _web(run: str, attempt: int | None = None, *, key: str = "acme/Web") -> Place:
    return Place(targets=(key,), within=f"{key}/", external_id=run, attempt=attempt)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://github.com/acme/web/actions/runs/7", _web("7")),
        (
            "https://github.com/Acme/web/actions/runs/7/attempts/2",
            _web("7", attempt=2),
        ),
        ("https://github.com/acme/web/actions/runs/7/job/9?pr=1", _web("7")),
        ("https://github.com/team/x/actions/runs/7", Place(targets=("team/x",), within="team/x/", external_id="7")),
        ("https://github.com/acme/other/actions/runs/7", None),
        ("https://github.com/acme/web/actions/runs/seven", None),
        ("https://github.com/acme/web/pull/7", None),
        ("https://github.example.com/acme/web/actions/runs/7", None),
        ("https://[/acme/web/actions/runs/7", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_page_of_a_run_on_github_is_recognized(url: str, place: Place | None) -> None:
    provider = github({"repo": "acme/Web"}, {"repo": "team/*"})
    assert isinstance(provider, KnowsItsPages)
    assert provider.place_of(url) == place


def test_an_own_github_has_its_pages_elsewhere() -> None:
    provider = github({"repo": "acme/web"}, api_url="https://git.example.com/hub/api/v3")
    assert provider.place_of("https://git.example.com/hub/acme/web/actions/runs/7") is not None
    assert provider.place_of("https://git.example.com/acme/web/actions/runs/7") is None


RUN = {
    "id": 7, "run_number": 3, "run_attempt": 2, "status": "completed", "conclusion": "failure", "name": "CI",
    "path": ".github/workflows/ci.yml@main", "head_branch": "main", "head_sha": "a" * 40, "event": "push",
    "created_at": "2026-11-20T12:00:00Z", "run_started_at": "2026-11-20T12:10:00Z",
    "updated_at": "2026-11-20T12:12:00Z", "html_url": "https://github.com/acme/web/actions/runs/7",
}  # fmt: skip
REPOSITORY = {"full_name": "acme/web", "default_branch": "trunk", "id": 1}


def test_a_run_that_github_posts_is_the_build_that_polling_sees() -> None:
    provider = github({"repo": "acme/web", "workflow": "ci.yml", "labels": {"team": "a"}})
    assert isinstance(provider, ReadsPosts)
    posted = provider.posted({"workflow_run": RUN, "repository": REPOSITORY})
    assert posted is not None
    assert (posted.targets, posted.within) == (("acme/web",), "acme/web/")
    assert posted.build is not None
    assert posted.build.pipeline == pipeline(
        provider="gh", key="acme/web/.github/workflows/ci.yml", name="acme/web CI", default_branch="trunk",
        labels={"team": "a"}, url="https://github.com/acme/web/actions/workflows/ci.yml",
    )  # fmt: skip
    assert (posted.build.external_id, posted.build.number, posted.build.attempt) == ("7", 3, 2)


def test_the_workflow_of_a_run_without_a_path_is_found_beside_it() -> None:
    run = {name: value for name, value in RUN.items() if name != "path"}
    workflow = {"path": ".github/workflows/ci.yml", "name": "CI"}
    provider = github({"repo": "acme/web"})
    posted = provider.posted({"workflow_run": run, "workflow": workflow, "repository": REPOSITORY})
    assert posted is not None
    assert posted.build is not None
    assert posted.build.pipeline.key == "acme/web/.github/workflows/ci.yml"
    with pytest.raises(ValueError, match="which workflow"):
        provider.posted({"workflow_run": run, "repository": REPOSITORY})


def test_what_is_not_watched_is_not_told() -> None:
    provider = github({"repo": "acme/web", "workflow": "nightly.yml"})
    assert provider.posted({"workflow_run": RUN, "repository": REPOSITORY}) is None
    assert provider.posted({"workflow_run": RUN, "repository": {**REPOSITORY, "full_name": "acme/api"}}) is None


def test_a_repository_that_was_renamed_is_known_by_its_new_name_once_it_was_polled() -> None:
    provider = github({"repo": "acme/web"})
    told = {"workflow_run": RUN, "repository": {**REPOSITORY, "full_name": "Acme/Shop"}}
    page = "https://github.com/acme/shop/actions/runs/7"
    assert provider.posted(told) is provider.place_of(page) is None
    target = Target(provider="gh", key="acme/web", every=timedelta(minutes=1))
    provider.poll(target, {"repository": {"repository": "acme/shop"}}, NOON)
    posted = provider.posted(told)
    assert posted is not None
    assert posted.build is not None
    assert (posted.targets, posted.build.pipeline.key) == (("acme/web",), "acme/web/.github/workflows/ci.yml")
    assert provider.place_of(page) == _web("7", key="acme/web")


def test_a_glob_finds_a_repository_in_any_case_once_it_was_polled() -> None:
    provider = github({"repo": "acme/*"})
    target = Target(provider="gh", key="Acme/Web", every=timedelta(minutes=1))
    provider.poll(target, {"repository": {"repository": "Acme/Web"}}, NOON)
    assert provider.place_of("https://github.com/acme/web/actions/runs/7") == _web("7", key="Acme/Web")


def test_other_events_of_a_watched_repository_tell_only_that_something_happened() -> None:
    found = github({"repo": "acme/*"}).posted({"check_run": {}, "repository": REPOSITORY})
    assert found == Posted(targets=("acme/web",), within="acme/web/")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"repository": 7}, {"repository": {}}, {"repository": {"full_name": "web"}},
        {"workflow_run": 7, "repository": REPOSITORY}, {"workflow_run": {}, "repository": REPOSITORY},
        {"workflow_run": {**RUN, "id": "x"}, "repository": REPOSITORY},
        {"workflow_run": {**RUN, "run_started_at": "soon"}, "repository": REPOSITORY},
        {"workflow_run": {**RUN, "actor": 3}, "repository": REPOSITORY},
    ],
)  # fmt: skip
def test_a_body_that_makes_no_sense_is_refused_with_a_reason(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"repository|workflow_run|whole number|isoformat"):
        github({"repo": "acme/web"}).posted(body)


@pytest.mark.parametrize(
    ("url", "within"),
    [
        ("https://ci.example.com/ci/job/team/job/web/7/", "team/web"),
        ("https://CI.example.com/ci/job/team/job/web/", "team/web"),
        ("https://ci.example.com/ci/job/org/job/repo/job/feature%252Fx/7/console", "org/repo/feature%2Fx"),
        ("https://ci.example.com/ci/job/elsewhere/7/", None),
        ("https://ci.example.com/job/team/job/web/7/", None),
        ("https://other.example.com/ci/job/team/job/web/7/", None),
        ("https://ci.example.com/ci/view/all/", None),
        ("https://ci.example.com:port/ci/job/team/job/web/7/", None),
    ],
)
def test_the_page_of_a_build_on_jenkins_is_recognized(url: str, within: str | None) -> None:
    entries = [{"job": "team/*"}, {"job": "org/repo", "poll_every": "5m"}]
    settings = JENKINS.settings.model_validate({"kind": "jenkins", "url": "https://ci.example.com/ci"})
    made: Any = JENKINS.provider(
        "nsp", settings, [JENKINS.entry.model_validate({"provider": "nsp", **each}) for each in entries]
    )
    assert isinstance(made, KnowsItsPages)
    place = made.place_of(url)
    assert (place and place.within) == within
    if place is not None:
        assert place.targets == (("jobs every 5m",) if "org" in place.within else ("jobs",))
    made.close()
