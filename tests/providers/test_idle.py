"""Why no build comes, as the simulated servers tell it."""

from collections.abc import Iterator

import pytest

from providers._base import ProviderError, TellsQueue, TellsWhyIdle
from providers.github import GitHub
from providers.jenkins import Jenkins
from simulator import faults
from simulator.house import Simulator
from tests.support import github_provider, jenkins_provider

WORKFLOW = "acme/web/.github/workflows/nightly.yml"
NOW = github_provider.LATER


@pytest.fixture
def github(house: Simulator) -> Iterator[GitHub]:
    made = github_provider.provider(api_url=house.github_url, token=house.github_token)
    yield made
    made.close()


@pytest.fixture
def jenkins(house: Simulator) -> Iterator[Jenkins]:
    made = jenkins_provider.provider(url=house.jenkins_url, token=house.jenkins_token)
    yield made
    made.close()


def test_both_providers_can_say_why(github: GitHub, jenkins: Jenkins) -> None:
    assert isinstance(github, TellsWhyIdle)
    assert isinstance(jenkins, TellsWhyIdle)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("active", None),
        ("disabled_manually", "the workflow is disabled: somebody switched it off on GitHub"),
        (
            "disabled_inactivity",
            "the workflow is disabled: GitHub disabled the schedule after 60 days without activity",
        ),
        ("disabled_some_day", "the workflow is disabled some day"),
    ],
)
def test_a_workflow_is_active_or_says_how_it_was_disabled(
    house: Simulator, github: GitHub, state: str, said: str | None
) -> None:
    house.world.github.repo("acme/web").workflow("nightly.yml").state = state
    assert github.why_idle(WORKFLOW, NOW) == said


def test_a_run_that_waits_is_a_reason(house: Simulator, github: GitHub) -> None:
    house.world.github.repo("acme/web").run(None, workflow="nightly.yml", started_ago=-600, queued_for=1200, number=7)
    said = github.why_idle(WORKFLOW, NOW)
    assert said is not None
    assert said.startswith("run #7 is queued since 20")


def test_what_is_gone_or_archived_is_a_reason(house: Simulator, github: GitHub) -> None:
    repository = house.world.github.repo("acme/web")
    assert github.why_idle(WORKFLOW, NOW) == "GitHub has no such workflow any more, or the token may not see it"
    repository.workflow("nightly.yml")
    repository.archived = True
    assert github.why_idle(WORKFLOW, NOW) == "the repository is archived"


def test_a_job_is_disabled_or_waits(house: Simulator, jenkins: Jenkins) -> None:
    job = house.world.jenkins.job("team/nightly")
    job.build()
    assert jenkins.why_idle("team/nightly", NOW) is None
    job.build(started_ago=-600, queued_for=1200)
    said = jenkins.why_idle("team/nightly", NOW)
    assert said is not None
    assert said.startswith("the job waits in the queue since 20")
    assert said.endswith("UTC: Waiting for next available executor")
    job.buildable = False
    assert jenkins.why_idle("team/nightly", NOW) == "the job is disabled"
    assert jenkins.why_idle("team/none", NOW) == "Jenkins has no such job any more, or our account may not see it"


def test_of_a_multibranch_project_the_usual_branch_tells(house: Simulator, jenkins: Jenkins) -> None:
    project = house.world.jenkins.multibranch("shop/web")
    assert jenkins.why_idle("shop/web", NOW) == (
        "the project has no branches: Jenkins has found none with a Jenkinsfile"
    )
    project.branch("old").buildable = False
    assert jenkins.why_idle("shop/web", NOW) == "the job of old is disabled"
    project.branch("main")
    assert jenkins.why_idle("shop/web", NOW) is None


def test_what_waits_in_the_queue_of_jenkins_is_told_with_the_places_that_it_may_belong_to(
    house: Simulator, jenkins: Jenkins
) -> None:
    assert isinstance(jenkins, TellsQueue)
    assert jenkins.queue() == ()
    house.world.jenkins.job("team/nightly").build(started_ago=-600, queued_for=1200)
    house.world.jenkins.multibranch("shop/web").build(branch="feature/x", started_ago=-600, queued_for=1200)
    found = {waiting.places: waiting.why for waiting in jenkins.queue()}
    assert found == dict.fromkeys(
        [
            (("team/nightly", ""), ("team", "nightly")),
            (("shop/web/feature%2Fx", ""), ("shop/web", "feature/x")),
        ],
        "Waiting for next available executor",
    )


@pytest.mark.parametrize(
    "items", ['"none"', '[1, {"task": {}}, {"id": 1, "inQueueSince": "now", "task": {"fullName": "a"}}]']
)
def test_a_queue_that_makes_no_sense_is_empty(house: Simulator, jenkins: Jenkins, items: str) -> None:
    house.jenkins.fault(faults.replace_body(f'{{"items": {items}}}'.encode()))
    assert jenkins.queue() == ()


def test_a_server_that_does_not_answer_is_an_error(house: Simulator, github: GitHub, jenkins: Jenkins) -> None:
    house.github.fault(faults.html())
    house.jenkins.fault(faults.html())
    with pytest.raises(ProviderError):
        github.why_idle(WORKFLOW, NOW)
    with pytest.raises(ProviderError):
        jenkins.why_idle("team/nightly", NOW)
