"""JSON files that builds leave behind, read within bounds: whoever can push a branch can write one."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

MOST_BYTES: Final = 8 << 20
MOST_VALUES: Final = 500_000  # a value takes 64 bytes of memory and more, `[],` three of the file
_LONGEST_PATH: Final = 12  # steps: with dots in keys there are 2,048 ways to go them
_INDEX: Final = re.compile(r"\[(-?\d+)\]")
_WHOLE: Final = re.compile(r"-?\d{1,9}")

Path = tuple[str, ...]
"""The steps to a value: keys of objects, places in lists."""


def read_json(data: bytes) -> Any:
    """The value that a JSON file holds: UTF-8, or UTF-16 with or without its mark, as PowerShell writes it.

    NaN and Infinity, which Python's own writer makes, are read as such, although no JSON has them.

    Raises:
        ValueError: saying in a few words why it cannot be read.
    """
    if not data.strip():
        raise ValueError("it is empty")
    if len(data) > MOST_BYTES:
        raise ValueError(f"it has {len(data):,} bytes, and more than {MOST_BYTES:,} are not read")
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MOST_VALUES:
        raise ValueError(f"it holds more than {MOST_VALUES:,} values")
    encoding = json.detect_encoding(data)
    try:
        plain = data if encoding == "utf-8" else data.decode(encoding).encode()
    except ValueError:
        raise ValueError(f"it is not {encoding.upper()} text") from None
    try:
        return orjson.loads(plain)
    except orjson.JSONDecodeError as error:
        if b"NaN" not in plain and b"Infinity" not in plain:
            raise ValueError(_explained(error)) from None
    try:
        return json.loads(plain)
    except (ValueError, RecursionError) as error:
        raise ValueError(_explained(error)) from None


def _explained(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
    return "it is not JSON: it is nested too deep or holds a number without end"


def steps(path: str) -> Path:
    """`totals.coverage`, `runs[0].time`, `runs.0.time` or `$.runs.-1` as steps. Raises ValueError."""
    plain = _INDEX.sub(r".\1", path.strip())
    found = tuple(plain.removeprefix("$").removeprefix(".").split("."))
    if not all(found) or len(found) > _LONGEST_PATH:
        raise ValueError(f'"{path}" is no path: write it like totals.coverage or runs[0].time')
    return found


def values_at(document: Any, path: Path) -> Sequence[Any]:
    """The value at a path, in a list of one; nothing where there is none.

    Keys may hold dots themselves: the shortest key that leads to a value counts.
    """
    if not path:
        return (document,)
    if isinstance(document, list):
        place = int(path[0]) if _WHOLE.fullmatch(path[0]) else None
        if place is None or not -len(document) <= place < len(document):
            return ()
        return values_at(document[place], path[1:])
    if isinstance(document, Mapping):
        for size in range(1, len(path) + 1):
            key = ".".join(path[:size])
            if key in document and (found := values_at(document[key], path[size:])):
                return found
    return ()
