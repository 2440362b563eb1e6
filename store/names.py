"""Words that repeat, stored once: branches, actors, triggers, raw outcomes, URL patterns, labels."""

from collections.abc import Iterable

from sqlalchemy import insert, select

from store.among import among
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
        added = insert(names).returning(names.c.text, names.c.id)
        rows = session.execute(added, [{"text": word} for word in sorted(missing)])
        ids.update((row.text, row.id) for row in rows)
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
    query = select(names.c.id, names.c.text).where(among(session, names.c.id, wanted))
    found.update((row.id, row.text) for row in session.execute(query))
    return found


def _find(session: Session, words: set[str]) -> dict[str | None, int | None]:
    query = select(names.c.text, names.c.id).where(among(session, names.c.text, words))
    return {row.text: row.id for row in session.execute(query)}
