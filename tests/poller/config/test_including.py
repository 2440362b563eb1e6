from collections.abc import Callable
from pathlib import Path

import pytest

from poller.config import Configuration
from tests.support.configurations import WORKING

Loading = Callable[..., Configuration]
Wrong = Callable[..., list[str]]

MAIN = WORKING + "routes:\n  - to: [desk]\ninclude: conf.d/*.yaml\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf.d").mkdir()
    return tmp_path / "conf.d"


def test_included_files_add_pipelines_names_and_routes_before_the_default(folder: Path, loading: Loading) -> None:
    (folder / "b.yaml").write_text("pipelines: [{provider: ci, job: b}]\n")
    (folder / "a.yaml").write_text(
        "channels: {lamp: {kind: lamp}}\npipelines: [{provider: ci, job: a}]\n"
        "routes: [{match: {pipeline: a}, to: [lamp]}]\nlog: {level: debug}\n"
    )
    (folder / ".hidden.yaml").write_text("nonsense")
    configuration = loading(MAIN)
    assert [entry.model_dump()["job"] for entry in configuration.pipelines] == ["nightly", "a", "b"]
    assert list(configuration.channels) == ["desk", "lamp"]
    assert [route.to for route in configuration.routes] == [("lamp",), ("desk",)]
    assert configuration.log.level == "debug"
    assert [path.name for path in configuration.files] == ["config.yaml", "a.yaml", "b.yaml"]


def test_an_error_in_an_included_file_stands_there(folder: Path, wrong: Wrong) -> None:
    (folder / "a.yaml").write_text("pipelines:\n  - provider: ci\n    jub: a\n")
    (folder / "b.yaml").write_text("a: [\n")
    (folder / "c.yaml").write_text("include: x\nchannels: {desk: {kind: lamp}}\ntimezone: UTC\n")
    assert wrong(MAIN + "timezone: UTC\n") == [
        'a.yaml:2:5: key "job" is missing',
        'a.yaml:3:5: unknown key "jub", did you mean "job"?',
        "b.yaml:2:1: not valid YAML: expected the node content, but found '<stream end>' while parsing a flow node",
        "c.yaml:1:1: include: only the main file may include others",
        'c.yaml:2:12: "channels.desk" is already given in config.yaml:7',
        'c.yaml:3:1: "timezone" is already given in config.yaml:11',
    ]


def test_an_include_that_matches_nothing_is_a_warning(loading: Loading) -> None:
    configuration = loading(WORKING + "include: [conf.d/*.yaml, 'more.*']\n")
    assert [str(warning) for warning in configuration.warnings] == [
        'config.yaml:8:11: include: no file matches "conf.d/*.yaml"',
        'config.yaml:8:26: include: no file matches "more.*"',
    ]


def test_an_unreadable_or_foreign_file_is_a_problem_with_a_place(folder: Path, wrong: Wrong) -> None:
    (folder / "a.yaml").mkdir()
    (folder / "b.yaml").write_bytes(b"a: 1\nb: \xff\n")
    assert wrong(MAIN) == [
        f"a.yaml:1:1: {folder}/a.yaml cannot be read: Is a directory",
        "b.yaml:2:4: not UTF-8 text",
    ]
