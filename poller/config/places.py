"""Finds the place of a value by its path, also when a stronger source or `defaults:` put it there."""

from collections.abc import Iterable
from typing import Any

from poller.config.problems import KeyPath, Mark, Problem
from poller.config.sources import Override
from poller.config.tree import Items, Section


class Places:
    """The document with positions, and what lies over it."""

    def __init__(self, tree: Section, overrides: Iterable[Override]) -> None:
        self._tree = tree
        self._overrides = tuple(overrides)

    def problem(self, path: KeyPath, message: str, *, at_key: bool = False) -> Problem:
        """A problem with the value at a path, or with its key.

        A value that is not in the file is reported where the nearest thing above it stands, with its origin.
        """
        path = self._inherited(path)
        mark, _ = self._find(path, at_key=at_key)
        return Problem.at(mark, path, message + self.origin(path))

    def _inherited(self, path: KeyPath) -> KeyPath:
        """The place in `defaults:` of what an entry of `pipelines:` has from there."""
        if path[:1] != ("pipelines",) or len(path) < 3:  # noqa: PLR2004  (pipelines, index, key)
            return path
        below = ("defaults", *path[2:])
        return below if len(self.known(below)) + 1 > len(self.known(path)) else path

    def origin(self, path: KeyPath) -> str:
        """` (from environment variable BUILDWATCH_...)` for a value that does not come from the file."""
        for one in self._overrides:
            shorter = min(len(one.path), len(path))
            if one.path[:shorter] == path[:shorter] and len(path) >= len(one.path):
                return f" (from {one.origin})"
        return ""

    def known(self, path: KeyPath) -> KeyPath:
        """The longest part of a path that exists in the document."""
        return self._find(path, at_key=False)[1]

    def value(self, path: KeyPath) -> Any:
        """The value in the file at a path; None when there is none."""
        value: Any = self._tree
        for key in path:
            if isinstance(value, Section) and isinstance(key, str):
                value = value.get(key)
            elif isinstance(value, Items) and isinstance(key, int) and key < len(value):
                value = value[key]
            else:
                return None
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
