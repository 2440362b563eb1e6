"""A channel that takes nothing is told on another one, never on itself; what waits for it is kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import poller.delivery.courier
from domain.alert import AlertKind, Delivery
from poller.delivery.undelivered import NOTE
from simulator import faults
from simulator.house import Simulator
from store import alerts, notes, outbox
from tests.support.daemon import Running, eventually, running
from tests.support.scene import bot, cards, save, scene, subjects

ABOUT_A_CHANNEL = "buildwatch: the channel"


@pytest.fixture
def configuration(house: Simulator, tmp_path: Path, hurried: None) -> dict[str, Any]:  # noqa: ARG001
    """Two green jobs, a bot and mail; a channel that takes nothing for a second is worth a message."""
    for job in ("api", "worker"):
        house.world.jenkins.job(job).build("SUCCESS")
    given = scene(house, f"sqlite:///{tmp_path / 'store.db'}", group_wait="1s")
    given["providers"].pop("gh")
    given["pipelines"].pop()
    given["alerts"] |= {"delivery_failed": {"after": "1s"}}
    return given


@pytest.fixture
def path(tmp_path: Path, configuration: dict[str, Any]) -> Path:
    return save(tmp_path / "config.yaml", configuration)


@pytest.fixture
def daemon(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(poller.delivery.courier, "LONGEST_WAIT", poller.delivery.courier.FIRST_WAIT * 3)
    with running(path) as found:
        eventually(found.daemon.first_round_done)
        yield found


def about_channels(daemon: Running) -> list[tuple[str, str]]:
    """What was written about channels: for whom, and the headline."""
    rows = daemon.database.read(outbox.listing)
    return [(each.channel, each.message.headline) for each in rows if ABOUT_A_CHANNEL in each.message.headline]


@pytest.mark.parametrize("name", ["a login page", "an HTML page with 500", "a revoked token"])
def test_a_slack_that_does_not_take_messages_is_told_by_mail(name: str, daemon: Running, house: Simulator) -> None:
    if name == "a revoked token":
        house.slack.revoked = True
    else:
        house.slack.fault(faults.html() if name == "a login page" else faults.answer(500, "<html>oops</html>"))
    house.world.jenkins.job("api").build("FAILURE")
    eventually(lambda: subjects(house, "the channel bot has taken no messages"))
    assert cards(house) == []
    house.slack.heal()
    house.slack.revoked = False
    eventually(lambda: subjects(house, "the channel bot takes messages again"))
    eventually(lambda: len(cards(house, "api failed")) == 1)
    assert {channel for channel, _ in about_channels(daemon)} == {"mail"}


def test_the_queue_of_a_broken_channel_is_kept_until_its_settings_are_right(
    daemon: Running, house: Simulator, path: Path, configuration: dict[str, Any]
) -> None:
    house.slack.token = "xoxb-another"
    house.world.jenkins.job("api").build("FAILURE")
    eventually(lambda: subjects(house, "the channel bot has taken no messages"))
    house.world.jenkins.job("worker").build("FAILURE")
    eventually(lambda: subjects(house, "worker failed"))
    assert daemon.daemon._dispatcher.statuses()["bot"].state == "broken"
    configuration["channels"]["bot"] = bot(house, token="xoxb-another")
    save(path, configuration)
    eventually(lambda: len(cards(house)) >= 1)
    eventually(lambda: not daemon.database.read(lambda s: outbox.listing(s, delivery=Delivery.PENDING)))
    eventually(lambda: subjects(house, "the channel bot takes messages again"))


def test_errors_of_the_only_channel_never_feed_themselves(
    house: Simulator, tmp_path: Path, configuration: dict[str, Any]
) -> None:
    configuration["channels"] = {"bot": bot(house)}
    with running(save(tmp_path / "config.yaml", configuration)) as daemon:
        eventually(daemon.daemon.first_round_done)
        house.slack.fault(faults.rate_limited(1))
        house.world.jenkins.job("api").build("FAILURE")
        eventually(lambda: any(each.kind is AlertKind.DELIVERY_FAILED for each in daemon.database.read(alerts.firing)))
        eventually(lambda: len(house.slack.asked("*")) >= 3)
        assert about_channels(daemon) == []
        assert len(daemon.database.read(outbox.listing)) == 1
        house.slack.heal()
        eventually(lambda: len(cards(house)) == 1)
    assert about_channels(daemon) == []


def test_a_message_that_is_given_up_is_told_on_the_other_channel(daemon: Running, house: Simulator) -> None:
    house.smtp.replies["team@example.com"] = "550 5.7.1 rejected"
    eventually(lambda: daemon.database.read(lambda session: notes.get(session, NOTE)))
    house.world.jenkins.job("api").build("FAILURE")
    eventually(lambda: cards(house, "the channel mail did not take 1 message"))
    (given_up,) = [each for each in house.slack.messages if ABOUT_A_CHANNEL in each.text]
    assert "api" in given_up.words()
    assert "rejected" in given_up.words()


@pytest.mark.usefixtures("daemon")
def test_a_job_that_goes_back_and_forth_has_one_card_for_each_break(house: Simulator) -> None:
    job = house.world.jenkins.job("api")
    for number in range(6):
        job.build("FAILURE" if number % 2 == 0 else "SUCCESS")
        seen = number + 1
        eventually(lambda seen=seen: len(subjects(house)) >= seen)  # type: ignore[misc]
    breaks = [text for text in cards(house) if "api" in text]
    assert len(breaks) == 3
