"""Many values in one parameter: a statement is compiled once, whatever their number."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, Text, any_, bindparam, literal, text
from sqlalchemy.types import ARRAY

Session = Connection  # as in store/database.py, which stands on this

_GIVEN: Final = text("(SELECT value FROM json_each(:given))")  # as text: it is put together for every second statement


def among(session: Session, column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Whether the column is one of the values: numbers, or texts."""
    if session.dialect.name == "sqlite":
        given = bindparam("given", orjson.dumps(list(values)).decode(), type_=Text(), unique=True)
        return column.bool_op("IN")(_GIVEN.bindparams(given))
    return column == any_(literal(list(values), ARRAY(column.type)))


def listed(session: Session, numbers: Iterable[int]) -> tuple[str, tuple[Any, ...]]:
    """Numbers in parentheses, for what follows IN or FROM (a column `id`) in a statement to the driver."""
    if session.dialect.name == "sqlite":
        return "(SELECT value AS id FROM json_each(?))", (orjson.dumps(list(numbers)).decode(),)
    return "(SELECT unnest(%s::bigint[]) AS id)", (list(numbers),)


def owners(session: Session, only: Collection[int] | None) -> tuple[str, tuple[Any, ...]]:
    """Pipelines with their column `id`, for what follows FROM: all of them, or only these."""
    return ("pipelines", ()) if only is None else listed(session, only)


def each(session: Session, rows: Sequence[Sequence[Any]], *kinds: str) -> tuple[str, tuple[Any, ...]]:
    """Rows as a table `k` with the columns a, b, c ... for a statement to the driver: the text, and its parameters.

    `kinds` are the types of the columns for PostgreSQL.
    """
    letters = "abcdef"[: len(kinds)]
    if session.dialect.name == "sqlite":
        columns = ", ".join(f"json_extract(value, '$[{place}]') AS {name}" for place, name in enumerate(letters))
        return f"(SELECT {columns} FROM json_each(?)) k", (orjson.dumps(rows).decode(),)  # noqa: S608  (no values)
    arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
    return f"unnest({arrays}) k({', '.join(letters)})", tuple(list(column) for column in zip(*rows, strict=True))
