"""Column types: times as integer milliseconds since 1970, words as small numbers, values as JSON text."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

import orjson
from sqlalchemy import BigInteger, Dialect, Integer, SmallInteger, Text
from sqlalchemy.types import TypeDecorator
from typing_extensions import override

Word = TypeVar("Word", bound=StrEnum)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Id = BigInteger().with_variant(Integer, "sqlite")
"""A row number. SQLite numbers rows by itself only when the type is exactly INTEGER."""


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970, rounded; the store keeps no finer time."""
    return round(moment.timestamp() * 1000)


def from_ms(milliseconds: int) -> datetime:
    """The aware UTC time."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def to_json(value: Any) -> str:
    """Compact JSON with sorted keys: equal values have equal text."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


class Moment(TypeDecorator[datetime]):
    """An aware UTC time as milliseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_ms(value)

    @override
    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_ms(value)


class Json(TypeDecorator[Any]):
    """JSON values as text, the same on both databases."""

    impl = Text
    cache_ok = True

    @override
    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else to_json(value)

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


class Code(TypeDecorator[Word]):
    """A word as its place in a list. New words go to the end of the list: the numbers are on disk."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, words: Sequence[Word]) -> None:
        super().__init__()
        self.words = tuple(words)
        self._codes = {word: code for code, word in enumerate(self.words)}

    @override
    def process_bind_param(self, value: Word | None, dialect: Dialect) -> int | None:
        return None if value is None else self._codes[value]

    @override
    def process_result_value(self, value: int | None, dialect: Dialect) -> Word | None:
        return None if value is None else self.words[value]
