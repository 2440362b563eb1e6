from collections.abc import Iterator
from typing import Any

import pytest
import requests

from simulator.house import Simulator
from simulator.story import CYCLE
from tests.support.still_clock import StillClock


def _tell(seed: int, seconds: int) -> Simulator:
    clock = StillClock()
    simulator = Simulator(seed, clock, story=True)
    assert simulator.story is not None
    for _ in range(seconds):
        clock.advance(1)
        simulator.story.tell()
    return simulator


def _facts(simulator: Simulator) -> list[Any]:
    builds = [
        (job.full_name, b.number, b.started_at, b.ends_at, b.result)
        for job in simulator.world.jenkins.root.jobs()
        for b in job.builds.values()
    ]
    runs = [
        (name, r.number, r.attempts[0].started_at, r.attempts[0].conclusion)
        for name, repo in simulator.world.github.repositories.items()
        for r in repo.runs
    ]
    return [*builds, *runs]


def test_the_same_seed_tells_the_same_story() -> None:
    assert _facts(_tell(3, 90)) == _facts(_tell(3, 90))
    assert _facts(_tell(3, 90)) != _facts(_tell(4, 90))


def test_it_matters_little_how_often_the_story_is_told() -> None:
    clock = StillClock()
    rarely = Simulator(3, clock, story=True)
    clock.advance(90)
    assert rarely.story is not None
    rarely.story.tell()
    assert [fact[:2] for fact in _facts(rarely)] == [fact[:2] for fact in _facts(_tell(3, 90))]


@pytest.mark.parametrize("seed", range(5))
def test_each_pipeline_in_trouble_breaks_and_is_repaired_within_a_minute(seed: int) -> None:
    simulator = _tell(seed, 60)
    assert simulator.story is not None
    told = [happening.text for happening in simulator.story.happenings]
    for name in ("jenkins team/api", "jenkins shop/checkout main", "github acme/web"):
        assert [text.split(":")[0] for text in told if text.startswith(name)] == [
            f"{name} breaks",
            f"{name} is repaired",
        ]
    assert [text for text in told if "down" in text or "back" in text] == ["github goes down", "github is back"]


def test_troubles_come_again_with_each_cycle() -> None:
    simulator = _tell(0, int(2 * CYCLE))
    assert simulator.story is not None
    assert len([h for h in simulator.story.happenings if h.text.startswith("jenkins team/api breaks")]) == 2


def test_a_compile_error_breaks_the_build_stage_and_shows_in_the_console() -> None:
    simulator = _tell(0, 30)
    failed = [
        b for b in simulator.world.jenkins.job("team/api").builds.values() if b"\nsrc/orders.py:41: error" in b.log
    ]
    assert failed
    assert [(stage.name, stage.status) for stage in failed[0].stages][-1] == ("Build", "FAILED")
    assert failed[0].tests == []


def test_every_pipeline_begins_with_a_history_that_ended_well() -> None:
    simulator = _tell(0, 0)
    for job in simulator.world.jenkins.root.jobs():
        assert len(job.builds) == 60
        assert job.builds[60].result == "SUCCESS"


@pytest.fixture
def demo() -> Iterator[tuple[Simulator, StillClock]]:
    clock = StillClock()
    with Simulator(0, clock, story=True) as simulator:
        yield simulator, clock
        assert simulator.jenkins.errors + simulator.github.errors == []


def test_the_servers_tell_the_story_up_to_each_request(
    demo: tuple[Simulator, StillClock], http: requests.Session
) -> None:
    simulator, clock = demo
    ask = f"{simulator.jenkins_url}/job/team/job/api/api/json?tree=nextBuildNumber"
    http.auth = ("bot", simulator.jenkins_token)
    before = http.get(ask).json()["nextBuildNumber"]
    clock.advance(30)
    assert http.get(ask).json()["nextBuildNumber"] > before


def test_the_outage_of_github_ends(demo: tuple[Simulator, StillClock], http: requests.Session) -> None:
    simulator, clock = demo
    seen = []
    for _ in range(3):
        seen.append(http.get(f"{simulator.github_url}/repos/acme/web").status_code)
        clock.advance(50 if len(seen) == 1 else 10)
    assert seen == [200, 503, 200]


def test_the_configuration_names_every_server(demo: tuple[Simulator, StillClock]) -> None:
    simulator, _ = demo
    text = simulator.config_text(store_url="sqlite:///x.db", poll_every="1s")
    for part in (
        simulator.jenkins_url,
        simulator.github_url,
        simulator.slack_webhook_url,
        simulator.slack_api_url,
        simulator.slack_token,
        f"host: {simulator.smtp_host}",
        f"port: {simulator.smtp_port}",
        "url: sqlite:///x.db",
        "poll_every: 1s",
        simulator.github_token,
    ):
        assert part in text


def test_whoever_breaks_a_pipeline_is_among_the_changes_of_the_first_build_that_fails() -> None:
    simulator = _tell(0, 70)
    builds = simulator.world.jenkins.multibranch("shop/checkout").branch("main").builds
    brought = {build.number: [change.message for change in build.changes] for build in builds.values()}
    broken = next(number for number, messages in brought.items() if "Sum the cart in cents" in messages)
    repaired = next(number for number, messages in brought.items() if "Round once, at the end" in messages)
    assert {builds[number].result for number in range(broken, repaired)} == {"FAILURE"}
    assert (builds[broken - 1].result, builds[repaired].result) == ("SUCCESS", "SUCCESS")
    assert builds[broken].commit == builds[broken].changes[0].commit


def test_a_failing_test_shows_in_the_stage_the_console_and_the_report() -> None:
    simulator = _tell(0, 40)
    builds = simulator.world.jenkins.multibranch("shop/checkout").branch("main").builds
    failed = [build for build in builds.values() if build.result == "FAILURE"][-1]
    stage = failed.stages[-1]
    assert (stage.name, stage.status, stage.script) == ("Test", "FAILED", "./mvnw -B verify")
    assert stage.log is not None
    assert "CartTest.totals_match:41 expected 42.00, got 41.99" in stage.log
    assert stage.log.encode() in failed.log
    assert [case.name for case in failed.tests if case.message] == ["totals_match"]


def test_a_full_disk_shows_in_the_configuration_of_the_matrix_that_met_it() -> None:
    builds = _tell(1, 0).world.jenkins.matrix("nightly/platforms", {}).builds.values()
    failed = [build for build in builds if build.result == "FAILURE"]
    assert failed
    assert [b"No space left on device" in run.log for run in failed[0].runs] == [False, False, False, True]
    assert failed[0].runs[-1].built_on == "mac-agent"
