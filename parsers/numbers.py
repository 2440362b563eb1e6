"""Figures in JSON files that builds leave behind: coverage, sizes, timings."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from domain.measurement import BUILT_IN
from domain.text import clean
from parsers.documents import Path, read_json, steps, values_at

MOST_NUMBERS: Final = 200
LONGEST_NAME: Final = 120
LARGEST: Final = (
    1e18  # beyond lie times in nanoseconds and mistakes, and the squares of a few such numbers are infinite
)
_MOST_NOTES: Final = 10
_DEEPEST: Final = 32
_IN_QUOTES: Final = re.compile(r"-?\d{1,18}(\.\d{1,18})?([eE][-+]?\d{1,2})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a file holds; `notes` say what was left out, and why."""

    numbers: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_figures(data: bytes, wanted: Mapping[str, str]) -> Figures:
    """Numbers in a JSON file. Never raises: what cannot be read is left out, with a note.

    Args:
        data: The file, at most 8 MiB.
        wanted: A name for each number, and where it stands (`totals.coverage`, `runs[0].time`). Empty: every
            number in the file is taken, at most 200, named by its path.
    """
    try:
        document = read_json(data)
    except ValueError as error:
        return Figures(notes=(str(error),))
    return _wanted(document, wanted) if wanted else _all(document)


def _wanted(document: Any, wanted: Mapping[str, str]) -> Figures:
    numbers: dict[str, float] = {}
    notes: list[str] = []
    for name, path in wanted.items():
        try:
            found = values_at(document, steps(path))
            if not found:
                raise ValueError(f"nothing stands at {clean(path)}")  # noqa: TRY301  (becomes a note, as what follows)
            numbers[_checked(name)] = _number(found[0], in_quotes=True)
        except ValueError as error:
            notes.append(f"{clean(name, LONGEST_NAME)}: {error}")
    return Figures(numbers=numbers, notes=_few(notes))


def _all(document: Any) -> Figures:
    numbers: dict[str, float] = {}
    notes: list[str] = []
    for path, value in _leaves(document, ()):
        name = clean(".".join(path) or "value", LONGEST_NAME)
        if len(numbers) == MOST_NUMBERS:
            notes.insert(0, f"it holds more than {MOST_NUMBERS} numbers: name those that matter under `numbers:`")
            break
        try:
            numbers[_checked(name)] = _number(value)
        except ValueError as error:
            notes.append(f"{name}: {error}")
    if not numbers and not notes:
        notes.append("it holds no numbers")
    return Figures(numbers=numbers, notes=_few(notes))


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, int | float]]:
    """The numbers in a value, by their paths. A truth value is none."""
    if isinstance(value, int | float):
        if not isinstance(value, bool):
            yield path, value
    elif len(path) < _DEEPEST and isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif len(path) < _DEEPEST and isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, str(place)))


def _checked(name: str) -> str:
    """The name, harmless. Raises ValueError for one that means something else already."""
    if name in BUILT_IN:
        raise ValueError("this name is taken by what buildwatch measures itself; give it another under `numbers:`")
    return clean(name, LONGEST_NAME)


def _number(value: object, *, in_quotes: bool = False) -> float:
    """The number, finite and of a sane size. Raises ValueError."""
    if in_quotes and isinstance(value, str) and _IN_QUOTES.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_shown(value)} is not a number")  # noqa: TRY004  (becomes a note, like the others)
    if isinstance(value, int) and abs(value) >= LARGEST:
        raise ValueError("the number is too large")
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number")
    if abs(value) >= LARGEST:
        raise ValueError("the number is too large")
    return float(value)


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    words = {True: "true", False: "false", None: "null"}
    return words[value] if value is None or isinstance(value, bool) else f'"{clean(str(value), 40)}"'


def _few(notes: list[str]) -> tuple[str, ...]:
    if len(notes) <= _MOST_NOTES:
        return tuple(notes)
    return (*notes[:_MOST_NOTES], f"and {len(notes) - _MOST_NOTES} more")
