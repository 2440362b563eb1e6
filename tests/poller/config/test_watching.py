import os
from pathlib import Path

import pytest

from poller.config import Watcher


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Watching:
    """A watcher that is asked every half second, without waiting for it."""

    def __init__(self, *paths: Path, include: tuple[str, ...] = ()) -> None:
        self.clock = Clock()
        self.watcher = Watcher(paths, include=include, monotonic=self.clock)

    def ticks(self, count: int = 4) -> int:
        """How many of so many questions were answered with yes."""
        answers = 0
        for _ in range(count):
            self.clock.now += 0.5
            answers += self.watcher.changed()
        return answers


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("one")
    return path


def test_without_a_change_nothing_is_reported(path: Path) -> None:
    assert Watching(path).ticks() == 0


def test_a_change_is_reported_once_within_a_second(path: Path) -> None:
    watching = Watching(path)
    path.write_text("two!")
    assert watching.ticks(2) == 1
    assert watching.ticks() == 0


def test_a_touched_file_with_the_same_content_is_no_change(path: Path) -> None:
    watching = Watching(path)
    os.utime(path, (1, 1))
    assert watching.ticks() == 0


def test_an_editor_that_renames_makes_one_change(path: Path) -> None:
    watching = Watching(path)
    other = path.with_name(".config.yaml.swp")
    other.write_text("two")
    other.replace(path)
    assert watching.ticks() == 1


def test_a_file_written_in_two_halves_is_reported_when_it_rests(path: Path) -> None:
    watching = Watching(path)
    path.write_text("")
    assert watching.ticks(1) == 0
    path.write_text("first half, ")
    assert watching.ticks(1) == 0
    path.write_text("first half, second half")
    assert watching.ticks(1) == 0
    assert watching.ticks(1) == 1


def test_asked_too_soon_it_waits_for_200_ms_of_rest(path: Path) -> None:
    watching = Watching(path)
    path.write_text("two")
    assert not watching.watcher.changed()
    watching.clock.now += 0.1
    assert not watching.watcher.changed()
    watching.clock.now += 0.1
    assert watching.watcher.changed()


def test_a_change_that_is_taken_back_is_none(path: Path) -> None:
    watching = Watching(path)
    path.write_text("two")
    watching.ticks(1)
    path.write_text("one")
    assert watching.ticks() == 0


def test_a_swapped_symlink_is_a_change(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(name)
    data = tmp_path / "..data"
    data.symlink_to("old")
    link = tmp_path / "config.yaml"
    link.symlink_to("..data/config.yaml")
    watching = Watching(link)
    swapped = tmp_path / "..data_tmp"
    swapped.symlink_to("new")
    swapped.replace(data)
    assert watching.ticks() == 1


def test_a_file_may_vanish_and_come_back(path: Path) -> None:
    watching = Watching(path)
    path.unlink()
    assert watching.ticks() == 1
    path.write_text("two")
    assert watching.ticks() == 1


def test_the_same_size_in_the_same_tick_is_seen_by_inode_or_time(path: Path) -> None:
    watching = Watching(path)
    path.write_text("two")
    os.utime(path, ns=(5, 5))
    assert watching.ticks() == 1


def test_files_that_an_include_will_match_are_watched_too(path: Path) -> None:
    watching = Watching(path, include=("conf.d/*.yaml",))
    (path.parent / "conf.d").mkdir()
    assert watching.ticks() == 0
    (path.parent / "conf.d" / "a.yaml").write_text("a")
    assert watching.ticks() == 1
    (path.parent / "conf.d" / "a.yaml").unlink()
    assert watching.ticks() == 1
