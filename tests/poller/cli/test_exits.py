import subprocess
import sys
from pathlib import Path

import pytest

from poller.cli.exits import Exit, exit_status
from poller.config.problems import ConfigurationError, Problem
from providers._base import Refused, Trouble
from store.engine import open_database
from store.errors import StoreCorrupt, StoreError, StoreFull, StoreUnavailable
from store.lock import LockHeld, hold
from tests.support.commands import ROOT, Commands, bare_environment, in_process_of_its_own


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigurationError([Problem(file=Path("config.yaml"), line=3, column=1, message="no")]), Exit.CONFIGURATION),
        (StoreCorrupt("x.db: malformed"), Exit.CORRUPT),
        (LockHeld("pid 7 on box", "x.db"), Exit.LOCKED),
        (StoreError("/x: permission denied: user 7 must be able to write it"), Exit.CONFIGURATION),
        (StoreUnavailable("locked"), Exit.UNAVAILABLE),
        (StoreFull("the disk is full"), Exit.UNAVAILABLE),
        (Refused(Trouble.AUTH, "bad token"), Exit.UNAVAILABLE),
    ],
)
def test_every_error_has_its_status_and_one_line(
    error: Exception, status: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_status(error) is status
    assert "Traceback" not in capsys.readouterr().err


def test_a_defect_of_ours_shows_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(RuntimeError("oh")) is Exit.FOUND_SOMETHING_WRONG
    assert "RuntimeError: oh" in capsys.readouterr().err


def test_without_a_configuration_the_places_are_named(tmp_path: Path) -> None:
    ran = in_process_of_its_own("status", folder=tmp_path)
    assert ran.status == 78
    assert str(tmp_path / "config.yaml") in ran.err
    assert "/etc/buildwatch/config.yaml" in ran.err
    assert "BUILDWATCH_CONFIG" in ran.err


def test_the_environment_names_the_configuration(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    assert in_process_of_its_own("check", folder=folder, environ={"BUILDWATCH_CONFIG": str(config)}).status == 0


def test_under_systemd_the_store_lies_in_the_state_directory(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace(f"{tmp_path}/", ""))
    state = tmp_path / "state"
    state.mkdir()
    environ = {"STATE_DIRECTORY": f"{state}:/other", "BUILDWATCH_CONFIG": str(config)}
    assert in_process_of_its_own("db", "upgrade", folder=tmp_path, environ=environ).status == 0
    assert (state / "buildwatch.db").exists()


def test_a_store_that_is_held_is_75(buildwatch: Commands, tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'buildwatch.db'}")
    with hold(database, owner="another daemon"):
        ran = buildwatch("poll")
    database.close()
    assert ran.status == 75
    assert "another daemon" in ran.err


def test_a_corrupt_store_is_65(buildwatch: Commands, tmp_path: Path) -> None:
    (tmp_path / "buildwatch.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 8000)
    ran = buildwatch("status")
    assert ran.status == 65
    assert "backup" in ran.err


def test_help_is_fast_because_it_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['buildwatch', '--help']\n"
        "from poller.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'sqlalchemy', 'pydantic', 'requests', 'rich', 'apscheduler', 'jinja2', 'alembic'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert "test-channel" in done.stdout


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'from poller.cli import main; main()' schema; echo $? >&2"
    done = subprocess.run(
        ["/bin/bash", "-c", f"({command}) | head -c 10"],
        cwd=tmp_path,
        env=bare_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr in {"141\n", "1\n", "0\n"}  # typer's own word, ours, or it was fast enough


@pytest.mark.parametrize("command", [["frobnicate"], ["status", "--frobnicate"], ["builds", "--limit", "0"]])
def test_usage_errors_are_2(command: list[str], tmp_path: Path) -> None:
    ran = in_process_of_its_own(*command, folder=tmp_path)
    assert ran.status == 2
    assert "Traceback" not in ran.err


def test_the_schema_is_json(buildwatch: Commands) -> None:
    assert buildwatch("schema", config=False).json["title"] == "buildwatch config.yaml"
