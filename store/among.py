"""`column IN (many values)` with one parameter: compiled once, whatever the number of values."""

from collections.abc import Collection
from typing import Any

import orjson
from sqlalchemy import ColumnElement, any_, func, literal, select
from sqlalchemy.types import ARRAY

from store.database import Session


def among(session: Session, column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Whether the column is one of the values: numbers, or texts."""
    if session.dialect.name == "sqlite":
        given = func.json_each(orjson.dumps(list(values)).decode()).table_valued("value")
        return column.in_(select(given.c.value))
    return column == any_(literal(list(values), ARRAY(column.type)))
