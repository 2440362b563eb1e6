"""Finds the place of a value by its path, also when a stronger source or `defaults:` put it there."""

from collections.abc import Iterable
from typing import Any, Final

from poller.config.problems import KeyPath, Mark, Problem
from poller.config.sources import Override
from poller.config.tree import Items, Section

UNKNOWN: Final = object()


class Places:
    """The document with positions, and what lies over it.

    `unresolved` are the paths of references that lead nowhere: what else is wrong with these values says nothing.
    """

    def __init__(self, tree: Section, overrides: Iterable[Override]) -> None:
        self._tree = tree
        self._overrides = tuple(overrides)
        self.unresolved: set[KeyPath] = set()

    def problem(self, path: KeyPath, message: str, *, at_key: bool = False) -> Problem:
        """A problem with the value at a path, or with its key.

        A value that is not in the file is reported where the nearest thing above it stands, with its origin.
        """
        path = self.inherited(path)
        mark, _ = self._find(path, at_key=at_key)
        return Problem.at(mark, path, message + self.origin(path))

    def inherited(self, path: KeyPath) -> KeyPath:
        """The place in `defaults:` of what an entry of `pipelines:` has from there."""
        if path[:1] != ("pipelines",) or len(path) < 3:  # noqa: PLR2004  (pipelines, index, key)
            return path
        below = ("defaults", *path[2:])
        found = len(self.known(below))
        return below if found > 1 and found + 1 > len(self.known(path)) else path

    def as_written(self, path: KeyPath) -> KeyPath:
        """A path without the 0 of an only item that stands there itself, without a list around it."""
        written: KeyPath = ()
        here: Any = self._tree
        for key in self.inherited(path):
            if isinstance(here, Section) and key == 0:
                continue
            written = (*written, key)
            here = self._in_file(written)
        return written

    def trimmed(self, path: KeyPath) -> KeyPath:
        """A path without what is only in pydantic's head: the names of the members of a union."""
        path = self.inherited(path)
        replaced = [len(path) if one.path[: len(path)] == path else len(one.path) for one in self._over(path)]
        return path[: max([len(self.known(path)), *replaced])]

    def origin(self, path: KeyPath) -> str:
        """` (from environment variable BUILDWATCH_...)` for a value that does not come from the file."""
        mixed = isinstance(self._in_file(path), Section | Items)  # then only what lies above it replaces it
        found = (one.origin for one in self._over(path) if not mixed or len(one.path) <= len(path))
        return next((f" (from {origin})" for origin in found), "")

    def _over(self, path: KeyPath) -> list[Override]:
        """The overrides of a value, of something above it, or of something in it."""
        shared = [(one, min(len(one.path), len(path))) for one in self._overrides]
        return [one for one, length in shared if one.path[:length] == path[:length]]

    def known(self, path: KeyPath) -> KeyPath:
        """The longest part of a path that exists in the file."""
        return self._find(path, at_key=False)[1]

    def value(self, path: KeyPath) -> Any:
        """The value in the file at a path; `UNKNOWN` when there is none."""
        return UNKNOWN if not path or self.origin(path) else self._in_file(path)

    def _in_file(self, path: KeyPath) -> Any:
        if len(self.known(path)) < len(path):
            return UNKNOWN
        value: Any = self._tree
        for key in path:
            value = value[key]
        return value

    def _find(self, path: KeyPath, *, at_key: bool) -> tuple[Mark, KeyPath]:
        here: Any = self._tree
        mark, value_mark = self._tree.mark, self._tree.mark
        depth = 0
        for key in path:
            if isinstance(here, Section) and isinstance(key, str) and key in here:
                mark, value_mark, here = here.keys_at[key], here.values_at[key], here[key]
            elif isinstance(here, Items) and isinstance(key, int) and key < len(here):
                mark = value_mark = here.items_at[key]
                here = here[key]
            else:
                break
            depth += 1
        whole = depth == len(path)
        use_key = at_key or not whole or isinstance(here, Section | Items) or here is None
        return (mark if use_key else value_mark), path[:depth]
