"""The unit files, as systemd's own tools judge them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
MOST_EXPOSED = 1.5


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as installed, with a command where they expect one."""
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze is required in CI", pytrace=False)
        pytest.skip("systemd-analyze is not installed")
    command = tmp_path / "bin" / "buildwatch"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    for unit in UNITS.iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/buildwatch", str(tmp_path)))
    return tmp_path


def analyze(*words: str) -> str:
    done = subprocess.run(["systemd-analyze", "--no-pager", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("unit", ["buildwatch.service", "buildwatch-failure@buildwatch.service.service"])
def test_systemd_has_nothing_to_say_about_the_units(installed: Path, unit: str) -> None:
    said = analyze("verify", "--man=no", str(installed / unit))
    assert [line for line in said.splitlines() if str(installed) in line or "buildwatch" in line] == []


def test_the_service_is_exposed_to_nothing_it_does_not_need(installed: Path) -> None:
    threshold = f"--threshold={int(MOST_EXPOSED * 10)}"
    said = analyze("security", "--offline=true", threshold, str(installed / "buildwatch.service"))
    found = re.search(r"exposure level for buildwatch\.service: ([\d.]+)", said)
    assert found is not None
    assert float(found[1]) <= MOST_EXPOSED


def test_every_line_of_the_service_has_its_reason() -> None:
    reasoned = False
    for line in (UNITS / "buildwatch.service").read_text().replace("\\\n", "").splitlines():
        if not line:
            reasoned = False
        elif line.startswith("#"):
            reasoned = True
        elif not line.startswith(("[", "Description=", "WantedBy=")):
            assert reasoned, line
