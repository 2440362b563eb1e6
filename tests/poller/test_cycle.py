from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from poller.config import load
from poller.cycle import Cycle, Round
from poller.running.clock import Clock
from poller.watching.connections import connect
from simulator import faults
from simulator.house import Simulator
from store.engine import open_database


@pytest.fixture
def config(house: Simulator, tmp_path: Path) -> Path:
    for _ in range(2):
        house.world.jenkins.job("team/api").build("SUCCESS")
        house.world.github.repo("acme/web").run("success")
        house.world.github.repo("acme/infra").run("success")
    path = tmp_path / "config.yaml"
    path.write_text(house.config_text(store_url=f"sqlite:///{tmp_path / 'store.db'}"))
    return path


def cycle(config: Path, later: timedelta = timedelta(0)) -> Round:
    configuration = load(config, environ={})
    clock = Clock(now=lambda: datetime.now(UTC) + later)
    database = open_database(configuration.store.url.get_secret_value())
    try:
        return Cycle(configuration, connect(configuration), database, clock).run()
    finally:
        database.close()


def test_a_cycle_polls_everything_and_delivers_what_is_due(house: Simulator, config: Path) -> None:
    first = cycle(config)
    assert (first.targets, first.failed, first.new_builds, first.delivered) == (3, 0, 6, 0)
    house.world.jenkins.job("team/api").build("FAILURE")
    second = cycle(config)
    assert (second.new_builds, second.transitions, second.delivered, second.waiting) == (1, 1, 2, 0)
    assert len(house.slack.messages) == len(house.smtp.mails) == 1
    third = cycle(config)
    assert (third.new_builds, third.delivered) == (0, 0)


def test_a_cycle_closes_what_is_watched_no_more(house: Simulator, config: Path) -> None:
    cycle(config)
    house.world.github.repo("acme/web").run("failure")
    cycle(config)
    told = len(house.slack.messages)
    config.write_text(config.read_text().replace("acme/web", "acme/other"))
    assert cycle(config).delivered > 0
    assert any("no longer watched" in message.text for message in house.slack.messages[told - 1 :])


def test_a_server_that_is_down_costs_its_own_targets_only(house: Simulator, config: Path) -> None:
    house.jenkins.fault(faults.drop())
    done = cycle(config)
    assert (done.targets, done.failed, done.new_builds) == (3, 1, 4)


def test_an_organization_that_cannot_be_listed_is_a_failure(house: Simulator, config: Path) -> None:
    config.write_text(config.read_text().replace("repo: acme/infra", "repo: acme/*"))
    house.github.fault(faults.html())
    done = cycle(config)
    assert done.failed >= 1
    assert done.delivered == 0


def test_what_a_channel_does_not_take_waits(house: Simulator, config: Path) -> None:
    cycle(config)
    house.world.jenkins.job("team/api").build("FAILURE")
    house.slack.refuse("internal_error")
    done = cycle(config)
    assert (done.delivered, done.waiting) == (1, 1)


def test_a_channel_that_takes_nothing_for_a_while_is_told_on_another(house: Simulator, config: Path) -> None:
    cycle(config)
    house.world.jenkins.job("team/api").build("FAILURE")
    house.slack.refuse("internal_error", times=9)
    assert cycle(config).delivered == 1
    mails = len(house.smtp.mails)
    assert cycle(config, timedelta(minutes=10)).delivered == 0
    assert cycle(config, timedelta(minutes=20)).delivered == 1
    assert len(house.smtp.mails) == mails + 1
    assert cycle(config, timedelta(minutes=40)).delivered == 0, "told once"


def test_one_repository_that_refuses_us_is_told_and_the_others_go_on(house: Simulator, config: Path) -> None:
    cycle(config)
    denied = '{"message": "Resource not accessible by personal access token"}'
    house.github.fault(faults.answer(403, denied, {"Content-Type": "application/json"}), path="*/acme/infra*")
    for count in range(5):
        assert cycle(config, timedelta(minutes=6 * count)).failed == 1
    told = {message.channel: message.text for message in house.slack.messages}
    assert len(told) == len(house.slack.messages), "once on each channel"
    assert all(text.startswith("🔴 github / acme/infra cannot be read: ") for text in told.values())
    assert all("(403)" in text for text in told.values())
    house.world.github.repo("acme/web").run("failure")
    cycle(config, timedelta(minutes=31))
    assert "acme/web" in house.slack.messages[-1].text
    house.github.heal()
    cycle(config, timedelta(minutes=60))
    assert "github / acme/infra can be read again" in house.slack.messages[-1].text


def test_a_workflow_that_never_ran_is_late_all_the_same(house: Simulator, config: Path) -> None:
    house.world.github.repo("acme/web").workflow("nightly.yml")
    config.write_text(config.read_text().replace("workflow: ci.yml", "workflow: nightly.yml\n    expect: {every: 24h}"))
    cycle(config)
    assert cycle(config, timedelta(hours=24)).delivered == 0
    assert cycle(config, timedelta(hours=27)).delivered > 0
    assert "expected every 1 d" in house.slack.messages[0].text


def test_a_cycle_judges_what_time_alone_changes(house: Simulator, config: Path) -> None:
    config.write_text(config.read_text().replace("workflow: ci.yml", "workflow: ci.yml\n    expect: {every: 24h}"))
    cycle(config)
    assert cycle(config, timedelta(hours=25)).delivered == 0
    assert cycle(config, timedelta(hours=27)).delivered > 0
    assert house.slack.messages[0].text.endswith("expected every 1 d: no trigger came")
    assert cycle(config, timedelta(hours=28)).delivered == 0
