"""Resolves `${ENV}`, `${X:-default}`, `${file:/path}`, `${credential:name}` and `$$` in the values of the file.

Values are resolved after parsing, so nothing that comes in this way can change the structure. What comes from files
and credentials is a secret and is remembered for redaction.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poller.config.problems import KeyPath, Mark, Problem
from poller.config.tree import Items, Section

_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<inside>[^}]*)(?P<closed>\})?)")
_NAME = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)
_LARGEST = 64 * 1024


class Missing(Exception):
    """A value that is referred to cannot be had; the text names its source and the cure."""


@dataclass(kw_only=True)
class References:
    """Where references lead. Collects what was read: `secrets` for redaction, `files` to be watched."""

    environ: Mapping[str, str]
    folder: Path  # of config.yaml: relative paths start here
    credentials_directory: Path | None
    secrets: set[str] = field(default_factory=set)
    environment_values: set[str] = field(default_factory=set)
    files: set[Path] = field(default_factory=set)

    def resolve(self, tree: Section, overridden: frozenset[KeyPath]) -> dict[KeyPath, Problem]:
        """Replace all references in the tree; a value that a stronger source replaces is left alone.

        Returns what is wrong, by the path of the value.
        """
        problems = {}
        for holder, key, path, mark in _texts(tree, ()):
            if any(path[: len(above)] == above for above in overridden):
                continue
            try:
                holder[key] = self.resolved(holder[key])
            except Missing as error:
                problems[path] = Problem.at(mark, path, f"{_last_key(path)}: {error}")
        return problems

    def resolved(self, text: str) -> str:
        """The text with its references replaced. Raises Missing."""
        return _REFERENCE.sub(self._value, text) if "$" in text else text

    def read_file(self, name: str) -> str:
        """The text of a secret file without its last line break. Raises Missing."""
        path = self.folder / Path(name).expanduser()
        self.files.add(path)
        return self._secret(path, f"file {path}")

    def _value(self, match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        inside = match["inside"]
        if not match["closed"]:
            raise Missing("${ is not closed with } (write $$ for a plain $)")
        if inside.startswith("file:"):
            return self.read_file(inside.removeprefix("file:"))
        if inside.startswith("credential:"):
            return self._credential(inside.removeprefix("credential:"))
        name = _NAME.fullmatch(inside)
        if name is None:
            forms = "${NAME}, ${NAME:-default}, ${file:/path} or ${credential:name}"
            raise Missing(f"${{{inside}}} is no reference: write {forms} (and $$ for a plain $)")
        return self._variable(name["name"], name["default"])

    def _variable(self, name: str, default: str | None) -> str:
        value = self.environ.get(name, "")
        if value:
            self.environment_values.add(value)
            return value
        if default is not None:
            return default
        state = "is empty" if name in self.environ else "is not set"
        raise Missing(f"environment variable {name} {state} (${{{name}:-default}} gives a default)")

    def _credential(self, name: str) -> str:
        if not name or "/" in name or name in {".", ".."}:
            raise Missing(f'credential "{name}" is not a plain name')
        if self.credentials_directory is None:
            raise Missing(
                f'credential "{name}": $CREDENTIALS_DIRECTORY is not set (LoadCredential={name}:/path in the unit)'
            )
        path = self.credentials_directory / name
        self.files.add(path)
        return self._secret(path, f'credential "{name}" ({path})')

    def _secret(self, path: Path, shown: str) -> str:
        try:
            with path.open("rb") as file:
                content = file.read(_LARGEST + 1)
            text = content.decode().removesuffix("\n").removesuffix("\r")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise Missing(f"{shown} cannot be read: {reason}") from None
        if len(content) > _LARGEST:
            raise Missing(f"{shown} is larger than {_LARGEST // 1024} KiB")
        if not text:
            raise Missing(f"{shown} is empty")
        self.secrets.add(text)
        return text


def _texts(tree: Section | Items, path: KeyPath) -> Iterator[tuple[Any, Any, KeyPath, Mark]]:
    """Every text value below: what holds it, under which key, its path and its place."""
    if isinstance(tree, Section):
        children: list[tuple[Any, Any, Mark]] = [(key, value, tree.values_at[key]) for key, value in tree.items()]
    else:
        children = [(index, value, tree.items_at[index]) for index, value in enumerate(tree)]
    for key, value, mark in children:
        if isinstance(value, str):
            yield tree, key, (*path, key), mark
        elif isinstance(value, Section | Items):
            yield from _texts(value, (*path, key))


def _last_key(path: KeyPath) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "value")
