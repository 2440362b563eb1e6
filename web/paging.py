"""Pages of lists that are made anew for every request, in an order of names: builds that come in do not change it."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable, Iterable
from typing import Annotated, Final, NamedTuple, TypeVar

import orjson
from fastapi import Query

from web.asking import bad

T = TypeVar("T")
Key = tuple[str, ...]

_LONGEST: Final = 8_000  # characters; the names in it may be long
KeyCursor = Annotated[
    str | None, Query(max_length=_LONGEST, pattern="^[A-Za-z0-9_-]+$", description="`next` of the page before.")
]


class Cut(NamedTuple):
    """So many items at most, and behind which: `cursor` is what the caller gave."""

    limit: int
    cursor: str | None = None


def cut(items: Iterable[T], key: Callable[[T], Key], asked: Cut, *, parts: int) -> tuple[list[T], str | None]:
    """The items of a page by their keys of so many parts, and the cursor of the next page: None at the end.

    Raises ProblemError for a cursor that is not of such a list.
    """
    behind = None if asked.cursor is None else _behind(asked.cursor, parts)
    left = sorted((each for each in items if behind is None or key(each) > behind), key=key)
    shown = left[: asked.limit]
    return shown, _cursor(key(shown[-1])) if len(left) > len(shown) else None


def _cursor(key: Key) -> str:
    return urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def _behind(cursor: str, parts: int) -> Key:
    try:
        found = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (Error, ValueError):
        found = None
    if not isinstance(found, list) or len(found) != parts or not all(isinstance(each, str) for each in found):
        raise bad("cursor", "is not that of a page before this one")
    return tuple(found)
