"""The GitHub side of the demo, as the provider sees it."""

import io
import zipfile
from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.build import Build, Outcome
from domain.details import Commit
from providers._base import Wanted
from providers.github import GitHub
from simulator.github_story import WRONG_TYPE, Workflow, nightly, web
from simulator.house import Simulator
from tests.support.github_provider import Watcher, provider
from tests.support.still_clock import StillClock


@pytest.fixture
def house() -> Iterator[Simulator]:
    with Simulator(0, StillClock()) as found:
        yield found
        assert found.github.errors + found.github.storage.errors == []


@pytest.fixture
def github(house: Simulator) -> Iterator[GitHub]:
    found = provider({"repo": "acme/*"}, api_url=house.github_url, token=house.github_token)
    yield found
    found.close()


def told(house: Simulator, github: GitHub, workflow: Workflow, *causes: str | None) -> list[Build]:
    """Runs that met these troubles, as polls tell them."""
    for index, cause in enumerate(causes):
        workflow.add(60.0 * (len(causes) - index), 30, cause)
    repository = next(iter(house.world.github.repositories.values()))
    watcher = Watcher(github, repository.full_name, now=house.world.now())
    return watcher.poll(timedelta(0))


def test_a_wrong_type_is_told_with_its_step_reason_log_culprit_and_test(house: Simulator, github: GitHub) -> None:
    good, bad, still, repaired = told(
        house, github, web(house.world.github.repo("acme/web")), None, WRONG_TYPE, WRONG_TYPE, None
    )
    assert [each.outcome for each in (good, bad, still, repaired)] == [
        Outcome.SUCCESS, Outcome.FAILURE, Outcome.FAILURE, Outcome.SUCCESS,
    ]  # fmt: skip
    found = github.details(bad, Wanted(since=good))
    assert found.failing_stage == "test (20): Run npm test"
    assert found.reason == f"src/cart.ts:41: TS2322: {WRONG_TYPE}."
    assert [log.name for log in found.logs] == ["test (20)", "test (22)"]
    assert "src/cart.ts:41:7 - error TS2322" in found.logs[0].text
    assert found.logs[0].text.rstrip().endswith("Cleaning up orphan processes")
    assert found.changes is not None
    assert found.changes.commits[0].title == "Keep prices as they are written"
    assert found.notes == ()
    assert [each.author for each in _changes(github, bad, still)] == ["Ada Moreau"]
    assert _changes(github, still, repaired)[0].title == "Read prices before they are summed"


def _changes(github: GitHub, since: Build, build: Build) -> tuple[Commit, ...]:
    found = github.details(build, Wanted(stages=False, log_bytes=0, since=since)).changes
    assert found is not None
    return found.commits


def test_every_run_leaves_its_test_results_behind(house: Simulator, github: GitHub) -> None:
    good, bad = told(house, github, web(house.world.github.repo("acme/web")), None, WRONG_TYPE)
    for build, failures in ((good, 0), (bad, 1)):
        artifacts = github.artifacts(build)
        assert sorted(each.name for each in artifacts) == ["test-results (20)", "test-results (22)"]
        for each in artifacts:
            with zipfile.ZipFile(io.BytesIO(github.read_artifact(build, each, 1 << 20))) as archive:
                assert archive.read("junit.xml").count(b"<failure ") == failures


def test_the_nightly_run_fails_over_the_network(house: Simulator, github: GitHub) -> None:
    (bad,) = told(house, github, nightly(house.world.github.repo("acme/infra")), "an unlucky run")
    found = github.details(bad, Wanted())
    assert found.failing_stage == "plan: Run terraform init"
    assert "lookup registry.terraform.io" in found.logs[0].text
    assert github.artifacts(bad) == ()
