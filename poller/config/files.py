"""Reads config.yaml and the files it includes into one tree."""

import glob
from dataclasses import dataclass, field
from pathlib import Path

from poller.config.problems import Mark, Problem
from poller.config.tree import Items, Section, read_tree

_LARGEST = 16 * 1024 * 1024


@dataclass(kw_only=True)
class Reading:
    """What was read: the merged tree, the files, and what is wrong with them."""

    tree: Section
    files: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def read_files(path: Path) -> Reading:
    """The tree of a file with its includes merged in. Never raises."""
    reading = Reading(tree=Section(Mark(path, 1, 1)))
    reading.tree = _read(path, reading)
    for pattern, mark in _includes(reading.tree):
        found = matching(pattern, path.parent)
        if not found:
            reading.warnings.append(Problem.at(mark, ("include",), f'include: no file matches "{pattern}"'))
        for name in found:
            _merge(reading, _read(path.parent / name, reading))
    return reading


def matching(pattern: str, folder: Path) -> list[str]:
    """The files that a pattern of `include:` stands for, in the order of their names; hidden files are left out."""
    return sorted(glob.glob(pattern, root_dir=folder, recursive=True))  # noqa: PTH207  (Path.glob takes hidden ones)


def _read(path: Path, reading: Reading) -> Section:
    reading.files.append(path)
    top = Section(Mark(path, 1, 1))
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        reading.problems.append(Problem.at(top.mark, (), f"{path} cannot be read: {error.strerror}"))
        return top
    if len(content) > _LARGEST:
        reading.problems.append(Problem.at(top.mark, (), f"larger than {_LARGEST // 2**20} MiB"))
        return top
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1
        reading.problems.append(Problem.at(Mark(path, line, column), (), "not UTF-8 text"))
        return top
    tree, problems = read_tree(text, path)
    reading.problems.extend(problems)
    _drop_empty(tree)
    return tree


def _drop_empty(tree: Section) -> None:
    """`channels:` with everything under it commented out means the same as no `channels:`."""
    for key in [key for key, value in tree.items() if value is None]:
        tree.drop(key)


def _includes(tree: Section) -> list[tuple[str, Mark]]:
    value = tree.get("include")
    if isinstance(value, str):
        return [(value, tree.values_at["include"])]
    if isinstance(value, Items):
        return [(item, mark) for item, mark in zip(value, value.items_at, strict=True) if isinstance(item, str)]
    return []


def _merge(reading: Reading, part: Section) -> None:
    """Merge an included file: names are added, lists are joined, and nothing may be said twice.

    Routes of included files come first, so that the default route of config.yaml stays the last.
    """
    whole = reading.tree
    for key in part:
        mine, theirs = whole.get(key), part[key]
        if key == "include":
            problem = "include: only the main file may include others"
            reading.problems.append(Problem.at(part.keys_at[key], (key,), problem))
        elif mine is None:
            whole.take(part, key)
        elif isinstance(mine, Items) and isinstance(theirs, Items):
            first, second = (theirs, mine) if key == "routes" else (mine, theirs)
            joined = Items(mine.mark)
            for value, mark in zip([*first, *second], [*first.items_at, *second.items_at], strict=True):
                joined.put(value, mark)
            whole[key] = joined
        elif isinstance(mine, Section) and isinstance(theirs, Section):
            _add_names(mine, theirs, key, reading)
        else:
            _said_twice(reading, (key,), part.keys_at[key], whole.keys_at[key])


def _add_names(mine: Section, theirs: Section, key: str, reading: Reading) -> None:
    for name in theirs:
        if name in mine:
            _said_twice(reading, (key, name), theirs.keys_at[name], mine.keys_at[name])
        else:
            mine.take(theirs, name)


def _said_twice(reading: Reading, path: tuple[str, ...], again: Mark, first: Mark) -> None:
    message = f'"{".".join(path)}" is already given in {first.file.name}:{first.line}'
    reading.problems.append(Problem.at(again, path, message))
