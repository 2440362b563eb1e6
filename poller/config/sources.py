"""Where settings come from, as sources of pydantic-settings: environment, credentials directory, file.

`BUILDWATCH_PROVIDERS__NSP__TOKEN` names `providers.nsp.token`, in the environment or as the name of a file in the
credentials directory; upper and lower case are the same, and what is not a letter or digit in a key is `_`.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from typing_extensions import override

from poller.config.problems import KeyPath

PREFIX = "BUILDWATCH_"
_DEEPER = "__"
_LARGEST = 64 * 1024


@dataclass(frozen=True)
class Override:
    """A value that replaces one of the file."""

    path: KeyPath
    value: Any = field(repr=False)
    origin: str  # `environment variable BUILDWATCH_...`


def from_environment(environ: Mapping[str, str], tree: Mapping[str, Any], top: frozenset[str]) -> list[Override]:
    """What the environment overrides. `top` are the top-level keys; other single words are not settings."""
    names = sorted(name for name in environ if name.upper().startswith(PREFIX))
    return list(_overrides({name: environ[name] for name in names}, tree, top, "environment variable "))


def from_credentials(directory: Path | None, tree: Mapping[str, Any], top: frozenset[str]) -> list[Override]:
    """What files with the same names in the credentials directory override; unreadable ones are left out."""
    found = {}
    for path in sorted(directory.iterdir()) if directory and os.access(directory, os.R_OK | os.X_OK) else []:
        if path.name.upper().startswith(PREFIX) and path.is_file() and path.stat().st_size <= _LARGEST:
            found[path.name] = path.read_text(encoding="utf-8", errors="replace").rstrip("\r\n")
    return list(_overrides(found, tree, top, "credential "))


def _overrides(
    values: Mapping[str, str], tree: Mapping[str, Any], top: frozenset[str], origin: str
) -> Iterator[Override]:
    for name, text in values.items():
        words = name[len(PREFIX) :].split(_DEEPER)
        if all(words) and (len(words) > 1 or words[0].lower() in top):
            yield Override(_path(words, tree), _structured(text), origin + name)


def _path(words: list[str], tree: Any) -> KeyPath:
    """The keys of the file that the words stand for; a word that stands for none is a new key in lower case."""
    path: list[str | int] = []
    for word in words:
        key: str | int
        if isinstance(tree, list) and word.isdigit():
            key = int(word)
            tree = tree[key] if key < len(tree) else None
        else:
            known = tree if isinstance(tree, Mapping) else {}
            key = next((name for name in known if _as_word(name) == word.upper()), word.lower())
            tree = known.get(key)
        path.append(key)
    return tuple(path)


def _as_word(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", key).upper()


def _structured(text: str) -> Any:
    """Lists and mappings are written as JSON, everything else is text and converted by the model."""
    if text[:1] in {"[", "{"}:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def applied(overrides: list[Override], below: dict[str, Any]) -> tuple[dict[str, Any], list[Override]]:
    """Put overrides into a document in place.

    Returns what the source contributes (the overridden keys only; a list that is touched is given whole), and the
    overrides that have no place because they name an item of a list that is not there.
    """
    misplaced = [one for one in overrides if not _put(below, one.path, one.value)]
    contribution: dict[str, Any] = {}
    for one in overrides:
        _copy(below, contribution, one.path)
    return contribution, misplaced


def _put(document: dict[str, Any], path: KeyPath, value: object) -> bool:
    """Set the value at a path, making the mappings on the way; a list takes its items and one more."""
    state: Any = document
    for depth, key in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(state, list):
            if not isinstance(key, int) or key > len(state):
                return False
            if key == len(state):
                state.append({})
        elif not isinstance(state, dict) or isinstance(key, int):
            return False
        if last:
            state[key] = value
            return True
        if isinstance(state, dict):
            state.setdefault(key, {})
        if not isinstance(state[key], dict | list):
            state[key] = {}
        state = state[key]
    return False


def _copy(state: Any, result: dict[str, Any], path: KeyPath) -> None:
    """Copy what lies at the path; from the first list on, everything."""
    for depth, key in enumerate(path):
        if not isinstance(state, dict) or key not in state:
            return
        if depth == len(path) - 1 or not isinstance(state[key], dict):
            result[str(key)] = state[key]
            return
        state, result = state[key], result.setdefault(str(key), {})


class Given(PydanticBaseSettingsSource):
    """A source whose values are already there."""

    def __init__(self, settings: type[BaseSettings], values: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._values = dict(values)

    @override
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    @override
    def __call__(self) -> dict[str, Any]:
        return self._values
