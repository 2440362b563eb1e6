"""The product as a user has it: a wheel in an environment of its own, made without a package index."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PYTHON = "/usr/bin/python3"  # systemd hides the homes, so no other Python will do
WHERE = "/opt/buildwatch"
COMMAND = f"{WHERE}/bin/buildwatch"


def why_not() -> str | None:
    """Why the product cannot be installed here; None when it can."""
    if not os.access(PYTHON, os.X_OK):
        return f"there is no {PYTHON}"
    ask = "import sys; print(*sys.version_info[:2])"
    theirs = subprocess.run([PYTHON, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    ours = [str(number) for number in sys.version_info[:2]]
    if theirs != ours:
        return f"{PYTHON} is Python {'.'.join(theirs)}, the installed dependencies are for {'.'.join(ours)}"
    return None


def install(root: Path) -> None:
    """Make /opt/buildwatch below `root`: the wheel of this tree, and the dependencies that run these tests."""
    home = root / WHERE.lstrip("/")
    _run(PYTHON, "-m", "venv", "--without-pip", str(home))
    (packages,) = home.glob("lib/python*/site-packages")
    for needed in _needed("buildwatch", frozenset(), set()):
        _copy(needed, packages)
    wheels = root / "tmp" / "wheels"
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels))
    (wheel,) = wheels.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "--disable-pip-version-check"]
    _run(*pip, "install", "--quiet", "--no-index", "--no-deps", "--root-user-action=ignore", str(wheel))
    command = home / "bin" / "buildwatch"
    command.write_text(command.read_text().replace(str(root), "", 1))  # its first line names the Python


def _run(*words: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTHON"))}
    done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"


def _needed(name: str, extras: frozenset[str], seen: set[str]) -> Iterator[Distribution]:
    """What a distribution needs to run, and what that needs."""
    for text in distribution(name).requires or []:
        wanted = Requirement(text)
        if wanted.marker and not any(wanted.marker.evaluate({"extra": extra}) for extra in (extras or {""})):
            continue
        if (key := f"{wanted.name} {sorted(wanted.extras)}") not in seen:
            seen.add(key)
            yield distribution(wanted.name)
            yield from _needed(wanted.name, frozenset(wanted.extras), seen)


def _copy(needed: Distribution, packages: Path) -> None:
    for file in needed.files or []:
        if not str(file).startswith(".."):
            (packages / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file.locate(), packages / file)
