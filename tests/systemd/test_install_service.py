"""`buildwatch install-service`: what it would do, and that it harms nothing that is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from poller.cli import install_service, installation
from poller.cli.installation import CannotInstall, Installation, shipped

HIDDEN = Path("/root/elsewhere")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation below the temp folder, which this time the service may see."""
    monkeypatch.setattr(installation, "_HIDDEN", (Path("/home"), Path("/root")))
    return Installation(prefix=tmp_path / "opt", config=tmp_path / "etc" / "config.yaml", units=tmp_path / "units")


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that notes what it is asked; the path of its notes."""
    notes, command = tmp_path / "asked", tmp_path / "bin" / "systemctl"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\necho "$*" >> {notes}\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    return notes


def take_all(found: Installation) -> None:
    found.units.mkdir(parents=True, exist_ok=True)
    for step in [*found.steps(), found.start()]:
        step.take()


def test_it_makes_directories_configuration_and_units_and_starts_the_service(
    here: Installation, systemctl: Path
) -> None:
    take_all(here)
    assert here.config.read_text() == shipped("config.yaml")
    assert here.config.parent.stat().st_mode & 0o777 == 0o755
    assert here.credentials.stat().st_mode & 0o777 == 0o700
    unit = (here.units / "buildwatch.service").read_text()
    assert f"ExecStart={here.prefix}/bin/buildwatch run --wait 60 --config {here.config}\n" in unit
    assert (here.units / "buildwatch-failure@.service").exists()
    assert systemctl.read_text().splitlines() == ["daemon-reload", "enable --now buildwatch.service"]


def test_a_second_time_it_keeps_the_configuration_and_a_copy_of_an_edited_unit(
    here: Installation, systemctl: Path
) -> None:
    take_all(here)
    here.config.write_text("providers: {}\n")
    (here.units / "buildwatch.service").write_text("edited")
    take_all(here)
    assert here.config.read_text() == "providers: {}\n"
    assert (here.units / "buildwatch.service.old").read_text() == "edited"
    assert not (here.units / "buildwatch-failure@.service.old").exists()
    assert systemctl.exists()


def test_every_credential_that_the_configuration_names_is_loaded(here: Installation, systemctl: Path) -> None:
    here.credentials.mkdir(parents=True)
    for name in ("jenkins", "unused", "BUILDWATCH_CHANNELS__MAIL__PASSWORD"):
        (here.credentials / name).write_text("secret")
    here.config.write_text(
        "# ${credential:explained}\nproviders: {ci: {token: '${credential:jenkins}'}}\n"
        "pipelines: [{job: 'x ${credential:a-b.c}'}]\n"
    )
    take_all(here)
    loaded = (here.units / "buildwatch.service.d" / "credentials.conf").read_text().splitlines()[1:]
    assert loaded == [
        "[Service]",
        f"LoadCredential=BUILDWATCH_CHANNELS__MAIL__PASSWORD:{here.credentials}/BUILDWATCH_CHANNELS__MAIL__PASSWORD",
        f"LoadCredential=a-b.c:{here.credentials}/a-b.c",
        f"LoadCredential=jenkins:{here.credentials}/jenkins",
    ]
    assert here.missing_credentials() == [here.credentials / "a-b.c"]
    assert systemctl.exists()


def test_an_environment_without_the_command_is_refused_with_the_cure(here: Installation) -> None:
    with pytest.raises(CannotInstall, match=r"python3 -m venv .*/opt"):
        here.require_environment()


def test_a_python_in_a_home_is_refused(here: Installation) -> None:
    folder = here.prefix / "bin"
    folder.mkdir(parents=True)
    (folder / "buildwatch").write_text("")
    (folder / "buildwatch").chmod(0o755)
    (folder / "python").symlink_to(HIDDEN)
    with pytest.raises(CannotInstall, match=r"cannot see /root \(ProtectHome"):
        here.require_environment()


@pytest.mark.parametrize("prefix", ["/home/me/venv", "/opt/two words", "/opt/100%"])
def test_a_prefix_that_no_unit_could_use_is_refused(prefix: str) -> None:
    with pytest.raises(CannotInstall):
        Installation(prefix=Path(prefix))


def test_systemctl_s_own_words_are_passed_on(here: Installation, systemctl: Path) -> None:
    command = systemctl.parent / "bin" / "systemctl"
    command.write_text("#!/bin/sh\necho no bus >&2; exit 4\n")
    with pytest.raises(CannotInstall, match=r"(?s)enable --now .*status 4.*no bus"):
        here.start().take()


def test_without_systemd_it_says_so(here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CannotInstall, match="does not run systemd"):
        here.start().take()


def test_print_shows_the_unit_and_the_steps_and_does_nothing() -> None:
    shown = CliRunner().invoke(install_service.app, ["--print", "--prefix", "/srv/bw", "--config", "/srv/ci.yaml"])
    assert shown.exit_code == 0
    assert "ExecStart=/srv/bw/bin/buildwatch run --wait 60 --config /srv/ci.yaml\n" in shown.stdout
    assert "#   systemctl enable --now buildwatch.service\n" in shown.stdout
    assert "/opt/buildwatch" not in shown.stdout
    assert all(line.startswith("#") for line in shown.stdout.partition("[Unit]")[0].splitlines() if line)
    assert not Path("/srv/ci.yaml").exists()


def test_without_root_it_asks_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    done = CliRunner().invoke(install_service.app, [])
    assert (done.exit_code, "run it as root" in done.stderr) == (1, True)


@pytest.mark.parametrize("there", [True, False])
def test_it_starts_only_when_every_credential_is_there(
    *, there: bool, here: Installation, systemctl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(install_service, "Installation", lambda **_: here)
    (here.prefix / "bin").mkdir(parents=True)
    (here.prefix / "bin" / "buildwatch").write_text("")
    (here.prefix / "bin" / "buildwatch").chmod(0o755)
    here.units.mkdir()
    here.credentials.mkdir(parents=True)
    here.config.write_text("providers: {ci: {token: '${credential:jenkins}'}}\n")
    if there:
        (here.credentials / "jenkins").write_text("secret")
    done = CliRunner().invoke(install_service.app, [])
    assert done.exit_code == (0 if there else 1), done.output
    assert ("enable --now buildwatch.service" in systemctl.read_text()) == there
    assert there or f"{here.credentials}/jenkins" in done.stderr


def test_a_wheel_carries_the_files_that_a_checkout_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installation, "__file__", "/a/wheel/poller/cli/installation.py")
    monkeypatch.setattr(installation.sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(CannotInstall, match=r"share/buildwatch/config\.yaml"):
        shipped("config.yaml")
    (tmp_path / "share" / "buildwatch").mkdir(parents=True)
    (tmp_path / "share" / "buildwatch" / "config.yaml").write_text("shipped")
    assert shipped("config.yaml") == "shipped"


def test_the_command_is_found_by_its_name() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "poller", "install-service", "--print"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
