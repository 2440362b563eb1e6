"""What a command typed by root shares with the installed service, and the service that waits for its store."""

import os
from pathlib import Path

import pytest

from poller.cli import opening
from poller.cli.opening import load_configuration, opened
from simulator.house import Simulator
from store.engine import open_database
from store.lock import hold
from tests.support.daemon import eventually
from tests.support.process import DaemonProcess

CONFIG = """
providers: {ci: {kind: jenkins, url: "http://127.0.0.1:9/", username: bot, token: "${credential:jenkins}"}}
pipelines: [{provider: ci, job: x}]
channels: {bot: {kind: slack, webhook_url: "${HOOK}"}}
"""
HOOK = "https://hooks.slack.com/services/T0/B0/secret"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the service's files lie this time: its config.yaml."""
    config = tmp_path / "etc" / "config.yaml"
    for name in ("etc/credentials", "state"):
        (tmp_path / name).mkdir(parents=True)
    config.write_text(CONFIG)
    (tmp_path / "etc" / "credentials" / "jenkins").write_text("stopped\n")
    for name in ("CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "HOOK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(opening, "INSTALLED", config)
    monkeypatch.setattr(opening, "STATE_OF_SERVICE", tmp_path / "state")
    monkeypatch.setattr(opening, "CREDENTIALS_OF_SERVICE", tmp_path / "run")
    monkeypatch.setattr(opening, "CREDENTIALS_FILES", tmp_path / "etc" / "credentials")
    monkeypatch.setattr(opening, "VARIABLES_OF_SERVICE", tmp_path / "etc" / "environment")
    return config


@pytest.mark.parametrize("line", [f"HOOK={HOOK}", f'HOOK="{HOOK}"', f"# HOOK=no\n\nHOOK='{HOOK}'", f" HOOK = {HOOK}"])
def test_commands_find_the_variables_and_the_store_of_the_service(installed: Path, line: str) -> None:
    (installed.parent / "environment").write_text(f"{line}\n")
    found = load_configuration(installed)
    assert HOOK in found.secrets
    assert found.store.url.get_secret_value() == f"sqlite:///{installed.parents[1]}/state/buildwatch.db"


def test_a_variable_of_the_shell_is_stronger_than_the_service_s(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (installed.parent / "environment").write_text("HOOK=https://hooks.slack.com/services/other\n")
    monkeypatch.setenv("HOOK", HOOK)
    assert HOOK in load_configuration(installed).secrets


def test_credentials_of_the_running_service_come_before_the_files_they_are_loaded_from(installed: Path) -> None:
    (installed.parent / "environment").write_text(f"HOOK={HOOK}\n")
    assert "stopped" in load_configuration(installed).secrets
    running = installed.parents[1] / "run"
    running.mkdir()
    (running / "jenkins").write_text("running\n")
    assert "running" in load_configuration(installed).secrets


def test_another_configuration_shares_nothing_with_the_service(installed: Path, tmp_path: Path) -> None:
    (installed.parent / "environment").write_text(f"HOOK={HOOK}\n")
    other = tmp_path / "config.yaml"
    other.write_text(CONFIG)
    with pytest.raises(opening.ConfigurationError) as caught:
        load_configuration(other)
    assert len(caught.value.problems) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files that the service could not open")
def test_what_root_makes_beside_the_store_belongs_to_the_service(installed: Path, tmp_path: Path) -> None:
    (installed.parent / "environment").write_text(f"HOOK={HOOK}\n")
    state, outside = tmp_path / "state", tmp_path / "outside"
    outside.write_text("root's own")
    (state / "buildwatch.db.link").symlink_to(outside)
    os.link(outside, state / "buildwatch.db.hard")
    os.chown(state, 61234, 61234)
    with opened(load_configuration(installed)) as database, hold(database, owner="test"):
        pass
    for name in ("buildwatch.db", "buildwatch.db.lock"):
        assert (state / name).stat().st_uid == 61234, name
    assert outside.stat().st_uid == (state / "buildwatch.db.link").lstat().st_uid == 0


def test_the_service_waits_for_a_store_that_is_in_use(house: Simulator, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(house.config_text(store_url=f"sqlite:///{tmp_path}/store.db"))
    database = open_database(f"sqlite:///{tmp_path}/store.db")
    with hold(database, owner="test"):
        with DaemonProcess(config, None, "--wait", "0.2") as impatient:
            assert impatient.process.wait(20) == 75
        patient = DaemonProcess(config, None, "--wait", "30")
        eventually(lambda: "waiting" in patient.log())
    database.close()
    with patient:
        assert patient.listen("READY")
        assert patient.stop() == 0
