"""Words that repeat, stored once: branches, actors, triggers, raw outcomes, URL patterns, labels."""

from collections.abc import Iterable

import orjson
from sqlalchemy import any_, func, insert, literal, select
from sqlalchemy.types import ARRAY, Integer, Text

from store.database import Session
from store.schema import names

Ids = dict[str | None, int | None]
"""The number of each word; None has None."""


def intern(session: Session, words: Iterable[str | None]) -> Ids:
    """The numbers of these words; new words get one."""
    wanted = {word for word in words if word is not None}
    ids: Ids = {None: None}
    if not wanted:
        return ids
    ids.update(_find(session, wanted))
    missing = wanted.difference(ids)
    if missing:
        session.execute(insert(names), [{"text": word} for word in sorted(missing)])
        ids.update(_find(session, missing))
    return ids


def number_of(session: Session, word: str) -> int | None:
    """The number of a word, None when no build has it."""
    return session.execute(select(names.c.id).where(names.c.text == word)).scalar()


def words_of(session: Session, numbers: Iterable[int | None]) -> dict[int | None, str | None]:
    """The words with these numbers; None has None."""
    wanted = sorted({number for number in numbers if number is not None})
    found: dict[int | None, str | None] = {None: None}
    if not wanted:
        return found
    query = select(names.c.id, names.c.text)
    if session.dialect.name == "sqlite":
        values = func.json_each(orjson.dumps(wanted).decode()).table_valued("value")
        query = query.where(names.c.id.in_(select(values.c.value)))
    else:
        query = query.where(names.c.id == any_(literal(wanted, ARRAY(Integer))))
    found.update((row.id, row.text) for row in session.execute(query))
    return found


def _find(session: Session, words: set[str]) -> dict[str | None, int | None]:
    query = select(names.c.text, names.c.id)
    if session.dialect.name == "sqlite":
        values = func.json_each(orjson.dumps(list(words)).decode()).table_valued("value")
        query = query.where(names.c.text.in_(select(values.c.value)))
    else:
        query = query.where(names.c.text == any_(literal(list(words), ARRAY(Text))))
    return {row.text: row.id for row in session.execute(query)}
