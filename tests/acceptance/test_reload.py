"""config.yaml is edited while the daemon runs: what changed is in use within two seconds, the rest goes on."""

import logging
import signal
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import poller.daemon
import poller.standing
import poller.watching.connections
from poller.record import CONFIGURATION
from simulator.house import Simulator
from simulator.jenkins import JenkinsServer
from simulator.world import World
from store import notes
from tests.support.daemon import Running, eventually, running
from tests.support.process import DaemonProcess
from tests.support.scene import EVERY, cards, command, jenkins, mail, replies, save, scene, subjects

SOON = 2.5  # seconds from saving to being in use
Edit = dict[str, Any]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon looks after its own things often, spares no channel, and takes a file for broken after a second."""
    make = poller.watching.connections.make_channel

    def unpaced(*given: Any) -> Any:
        channel = make(*given)
        channel.min_interval = 0.0
        return channel

    monkeypatch.setattr(poller.watching.connections, "make_channel", unpaced)
    monkeypatch.setattr(poller.daemon, "TICK", timedelta(seconds=0.5))
    monkeypatch.setattr(poller.standing, "SETTLING", timedelta(seconds=1.5))


@pytest.fixture
def configuration(house: Simulator, tmp_path: Path) -> Edit:
    """Green jobs and a green repository; everything goes to Slack and mail."""
    for job in ("api", "worker", "late/comer"):
        house.world.jenkins.job(job).build("SUCCESS")
    house.world.github.repo("acme/web").run("success")
    pipelines = [
        {"provider": "ci", "job": "api"},
        {"provider": "ci", "job": "worker"},
        {"provider": "gh", "repo": "acme/web"},
    ]
    return scene(house, f"sqlite:///{tmp_path / 'store.db'}", pipelines=pipelines)


@pytest.fixture
def daemon(configuration: Edit, tmp_path: Path, quick: None) -> Iterator[Running]:  # noqa: ARG001
    with running(save(tmp_path / "config.yaml", configuration)) as found:
        eventually(found.daemon.first_round_done)
        yield found


def fail(house: Simulator, job: str) -> None:
    house.world.jenkins.job(job).build("FAILURE")


def test_a_pipeline_is_added_and_one_that_is_removed_has_its_alert_closed(
    house: Simulator, configuration: Edit, daemon: Running
) -> None:
    fail(house, "worker")
    eventually(lambda: cards(house, "worker failed"))
    eventually(lambda: subjects(house, "worker failed"))
    configuration["pipelines"][1]["job"] = "late/*"
    save(daemon.config, configuration)
    eventually(lambda: daemon.knows("ci", "late/comer"), SOON)
    eventually(lambda: cards(house, "worker failure alert closed: no longer watched"))
    eventually(lambda: subjects(house, "worker failure alert closed"))
    fail(house, "late/comer")
    fail(house, "worker")
    eventually(lambda: cards(house, "late/comer failed"))
    fail(house, "api")
    eventually(lambda: cards(house, "api failed"))
    assert len(replies(house, "closed")) == 1
    assert len(subjects(house, "worker")) == 2
    assert len(cards(house)) == 3


def test_a_provider_is_added_changed_and_removed(house: Simulator, configuration: Edit, daemon: Running) -> None:
    with JenkinsServer(World().jenkins) as other:
        other.world.job("other").build("SUCCESS")
        configuration["providers"]["second"] = jenkins(house, url=other.url)
        configuration["pipelines"].append({"provider": "second", "job": "**"})
        save(daemon.config, configuration)
        eventually(lambda: daemon.knows("second", "other"), SOON)
        other.users["bot"] = "renewed"  # the old token is not valid any more
        eventually(lambda: cards(house, "second refuses our credentials"))
        configuration["providers"]["second"]["token"] = "renewed"
        save(daemon.config, configuration)
        eventually(lambda: cards(house, "second answers again"))
        other.world.job("other").build("FAILURE")
        eventually(lambda: cards(house, "other failed"))
        del configuration["providers"]["second"]
        configuration["pipelines"].pop()
        save(daemon.config, configuration)
        eventually(lambda: cards(house, "other failure alert closed"))
        other.forget()
        fail(house, "api")
        eventually(lambda: cards(house, "api failed"))
        assert other.requests == []


def test_a_channel_is_added_changed_and_removed(house: Simulator, configuration: Edit, daemon: Running) -> None:
    configuration["channels"]["hook"] = {"kind": "slack", "webhook_url": house.slack_webhook_url}
    save(daemon.config, configuration)
    eventually(lambda: "hook" in daemon.daemon._dispatcher.statuses(), SOON)
    fail(house, "api")
    eventually(lambda: cards(house, "api failed", room="web"))
    eventually(lambda: subjects(house, "api failed"))
    configuration["channels"]["mail"] = mail(house, to=["new@example.com"])
    save(daemon.config, configuration)
    eventually(lambda: daemon.daemon._configuration.channels["mail"].to[0] == "new@example.com", SOON)
    fail(house, "worker")
    eventually(lambda: subjects(house, "worker failed"))
    assert house.smtp.mails[-1].recipients == ("new@example.com",)
    del configuration["channels"]["hook"]
    save(daemon.config, configuration)
    eventually(lambda: "hook" not in daemon.daemon._dispatcher.statuses(), SOON)
    house.world.jenkins.job("api").build("SUCCESS")
    eventually(lambda: cards(house, "api is fixed"))
    eventually(lambda: subjects(house, "api is fixed"))
    assert len(cards(house, room="web")) == 2


def test_a_route_and_a_rule_are_changed(house: Simulator, configuration: Edit, daemon: Running) -> None:
    configuration["routes"] = [{"match": {"pipeline": "api"}, "to": ["mail"]}, {"to": ["bot"]}]
    configuration["alerts"]["failure"] = {"after": 2}
    save(daemon.config, configuration)
    eventually(lambda: daemon.daemon._configuration.rules.failure.after == 2, SOON)  # type: ignore[union-attr]
    for _ in range(2):
        assert not cards(house)
        assert not subjects(house)
        fail(house, "api")
        fail(house, "worker")
    eventually(lambda: cards(house, "worker failed, 2nd in a row"))
    eventually(lambda: subjects(house, "api failed, 2nd in a row"))
    assert len(cards(house)) == len(subjects(house)) == 1


def test_a_threshold_that_changes_in_the_middle_of_an_alert_says_nothing(
    house: Simulator, configuration: Edit, daemon: Running
) -> None:
    fail(house, "api")
    eventually(lambda: cards(house, "api failed"))
    eventually(lambda: subjects(house, "api failed"))
    configuration["alerts"]["failure"] = {"after": 3}
    save(daemon.config, configuration)
    eventually(lambda: daemon.daemon._configuration.rules.failure.after == 3, SOON)  # type: ignore[union-attr]
    fail(house, "worker")
    house.world.jenkins.job("api").build("SUCCESS")
    eventually(lambda: cards(house, "api is fixed"))
    eventually(lambda: subjects(house, "api is fixed"))
    assert len(cards(house)) == 1
    assert len(subjects(house)) == 2


def test_a_broken_file_changes_nothing_and_is_reported_once(
    house: Simulator, configuration: Edit, daemon: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    whole = daemon.config.read_text()
    daemon.config.write_text(whole.replace('"job": "api"', '"jub": "api"'))
    eventually(lambda: cards(house, "config.yaml is broken"))
    eventually(lambda: subjects(house, "config.yaml is broken"))
    note = daemon.database.read(lambda session: notes.get(session, CONFIGURATION))
    assert note is not None
    assert "config.yaml:" in note.value["error"]
    assert 'did you mean "job"' in note.value["error"].replace("“", '"').replace("”", '"')
    assert caplog.text.count("config.yaml is broken, the old configuration stays in use") == 1
    fail(house, "api")
    eventually(lambda: cards(house, "api failed"))
    daemon.config.write_text(whole[: len(whole) // 2])  # still broken, in another way
    eventually(lambda: caplog.text.count("config.yaml is broken, the old configuration stays in use") == 2)
    save(daemon.config, configuration)
    eventually(lambda: cards(house, "config.yaml is valid again"))
    eventually(lambda: subjects(house, "config.yaml is valid again"))
    note = daemon.database.read(lambda session: notes.get(session, CONFIGURATION))
    assert note is not None
    assert note.value["error"] is None
    assert len(cards(house, "config.yaml")) == 1
    assert len(subjects(house, "config.yaml")) == 2


def test_a_file_that_is_only_being_edited_is_not_worth_a_message(
    house: Simulator, configuration: Edit, daemon: Running
) -> None:
    whole = daemon.config.read_text()
    daemon.config.write_text(whole[:100])
    eventually(lambda: daemon.daemon._reload.broken, SOON)
    save(daemon.config, configuration)
    eventually(lambda: not daemon.daemon._reload.broken, SOON)
    fail(house, "api")
    eventually(lambda: cards(house, "api failed"))
    assert len(cards(house)) == 1


def test_what_did_not_change_keeps_its_rhythm_and_its_connections(
    house: Simulator, configuration: Edit, daemon: Running
) -> None:
    github = daemon.daemon._connections.providers["gh"]
    courier = daemon.daemon._dispatcher._couriers["bot"]
    house.github.forget()
    for job in ("late/*", "worker", "late/*"):
        configuration["pipelines"][1]["job"] = job
        save(daemon.config, configuration)
        eventually(lambda job=job: daemon.daemon._configuration.pipelines[1].job == job, SOON)  # type: ignore[misc]
    moments = [request.at for request in house.github.asked("*/actions/runs")]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    assert gaps
    assert len(gaps) < sum(gaps) / EVERY + 1.5  # none beside the rhythm; on a slow machine one may come late
    assert max(gaps) < EVERY + 1.5
    assert daemon.daemon._connections.providers["gh"] is github
    assert daemon.daemon._dispatcher._couriers["bot"] is courier


def test_a_store_that_is_locked_stops_no_reload(house: Simulator, configuration: Edit, daemon: Running) -> None:
    from sqlite3 import connect  # noqa: PLC0415  (somebody else's program)

    assert daemon.database.path is not None
    other = connect(daemon.database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    configuration["pipelines"][1]["job"] = "late/*"
    save(daemon.config, configuration)
    eventually(lambda: daemon.daemon._configuration.pipelines[1].job == "late/*", SOON)  # type: ignore[attr-defined]
    assert daemon.daemon._reload.broken is None
    other.execute("COMMIT")
    other.close()
    eventually(lambda: daemon.knows("ci", "late/comer"))
    fail(house, "late/comer")
    eventually(lambda: cards(house, "late/comer failed"))


def test_sighup_reads_the_file_at_once_and_says_so_to_systemd(configuration: Edit, tmp_path: Path) -> None:
    config = save(tmp_path / "config.yaml", configuration)
    with DaemonProcess(config) as daemon:
        assert daemon.listen("READY"), daemon.log()
        daemon.heard.clear()
        configuration["pipelines"][1]["job"] = "late/*"
        save(config, configuration)
        daemon.ask(signal.SIGHUP)
        assert daemon.listen("RELOADING", within=2)
        assert daemon.listen("READY", within=2)
        eventually(lambda: "late/comer" in command(config, "status", "--json"), within=5)
        config.write_text("providers: [")
        daemon.heard.clear()
        daemon.ask(signal.SIGHUP)
        assert daemon.listen("READY", within=2)
        eventually(lambda: "config.yaml is broken" in daemon.log())
        assert "config.yaml:1:" in daemon.log()
        assert daemon.stop() == 0, daemon.log()
