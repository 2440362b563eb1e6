"""What is installed is what we mean to install, and nobody else installs the same names."""

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OURS: Sequence[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
LAYERS: Sequence[str] = PROJECT["tool"]["importlinter"]["root_packages"]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The files in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        return frozenset(archive.namelist())


def test_the_wheel_holds_our_packages_and_nothing_else(names: frozenset[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == set(OURS)


def test_every_package_of_the_tree_is_shipped_and_checked() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py") if not path.parent.name.startswith(".")}
    assert found - {"bench"} == set(OURS) == set(LAYERS)
    assert set(PROJECT["tool"]["mypy"]["packages"]) == set(OURS)
    assert set(PROJECT["tool"]["coverage"]["run"]["source"]) == set(OURS)


def test_the_wheel_holds_every_module_and_what_is_no_module(names: frozenset[str]) -> None:
    modules = {str(path.relative_to(ROOT)) for package in OURS for path in (ROOT / package).rglob("*.py")}
    assert modules <= names
    templates = {str(path.relative_to(ROOT)) for path in (ROOT / "alerts").rglob("templates/*")}
    assert templates
    assert templates <= names
    assert any(name.startswith("store/migrations/versions/v0001") for name in names)


def test_the_wheel_brings_config_yaml_the_unit_and_the_licence(names: frozenset[str]) -> None:
    shared = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert {"config.yaml", "systemd/buildwatch.service"} <= set(shared)
    for place in shared.values():
        assert any(name.endswith(f".data/data/{place}") for name in names), place
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "bench/")) or "__pycache__" in name]


def test_no_other_distribution_ships_one_of_our_names() -> None:
    owners = packages_distributions()
    for package in OURS:
        assert set(owners.get(package, [])) <= {PROJECT["project"]["name"]}, package
