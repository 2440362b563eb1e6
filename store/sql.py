"""Statements on `builds` for the driver itself: hundreds of thousands of rows pass here, without SQLAlchemy's help."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from store.database import Session
from store.rows import BuildRow, Details
from store.schema import COUNTED

_COLUMNS = [f'"{name}"' for name in BuildRow._fields]
_DETAIL_COLUMNS = [f'"{name}"' for name in Details._fields]
# Left alone by updates: SQLite would rewrite the identity's index entry even for equal values.
_IDENTITY = {"pipeline_id", "external_id", "attempt"}
_UPDATED = [place for place, name in enumerate(BuildRow._fields) if name not in _IDENTITY]

Numbered = tuple[int, BuildRow]
"""A row and its id."""


def select_by_keys(session: Session, keys: Sequence[tuple[int, str]]) -> list[Numbered]:
    """All attempts of the builds with these (pipeline id, external id)."""
    columns = ", ".join(f"b.{name}" for name in ["id", *_COLUMNS])
    if session.dialect.name == "sqlite":
        found = session.exec_driver_sql(
            f"SELECT {columns} FROM json_each(?) k CROSS JOIN builds b "  # noqa: S608  (names from the schema)
            "ON b.pipeline_id = json_extract(k.value, '$[0]') AND b.external_id = json_extract(k.value, '$[1]')",
            (orjson.dumps(keys).decode(),),
        )
    else:
        pipelines, external = zip(*keys, strict=True)
        found = session.exec_driver_sql(
            f"SELECT {columns} FROM unnest(%s::int[], %s::text[]) k(p, e) "  # noqa: S608
            # OFFSET keeps the subquery whole: a look into the index for each key, never a scan of all builds.
            "CROSS JOIN LATERAL (SELECT * FROM builds WHERE pipeline_id = k.p AND external_id = k.e OFFSET 0) b",
            (list(pipelines), list(external)),
        )
    return [numbered(row) for row in found]


def select_where_ids(session: Session, identities: Sequence[int]) -> list[Numbered]:
    """The builds with these ids, by id."""
    return _select(session, _among(session, "id"), (_array(session, identities),), "ORDER BY id")


def select_unfinished(session: Session, pipeline_ids: Sequence[int]) -> list[Numbered]:
    """What is queued or running in these pipelines, by id."""
    condition = f"status < 2 AND {_among(session, 'pipeline_id')}"
    return _select(session, condition, (_array(session, pipeline_ids),), "ORDER BY id")


def select_newest(session: Session, pipeline_id: int, since: int, limit: int) -> list[Numbered]:
    """The builds of a pipeline that count and ended at `since` or later, newest first."""
    mark = _mark(session)
    condition = f"pipeline_id = {mark} AND finished_at >= {mark} AND {COUNTED}"
    return _select(session, condition, (pipeline_id, since), f"ORDER BY finished_at DESC LIMIT {int(limit)}")


def _select(session: Session, condition: str, values: tuple[Any, ...], rest: str) -> list[Numbered]:
    names = ", ".join(["id", *_COLUMNS])
    query = f"SELECT {names} FROM builds WHERE {condition} {rest}"  # noqa: S608  (names from the schema)
    return [numbered(row) for row in session.exec_driver_sql(query, values)]


def _mark(session: Session) -> str:
    return "?" if session.dialect.name == "sqlite" else "%s"


def _among(session: Session, column: str) -> str:
    if session.dialect.name == "sqlite":
        return f"{column} IN (SELECT value FROM json_each(?))"  # noqa: S608
    return f"{column} = ANY(%s)"


def _array(session: Session, values: Sequence[int]) -> Any:
    return orjson.dumps(values).decode() if session.dialect.name == "sqlite" else list(values)


def numbered(row: Sequence[Any]) -> Numbered:
    """A fetched row that begins with the id."""
    return row[0], BuildRow._make(row[1:])


def next_id(session: Session) -> int:
    """The id of the next build. Safe because there is one writer at a time: see Database.transact."""
    return int(session.exec_driver_sql("SELECT coalesce(max(id), 0) + 1 FROM builds").scalar_one())


def insert_rows(session: Session, first: int, rows: Sequence[BuildRow]) -> None:
    """Store new builds under consecutive ids. A generator of values: a list of them would cost garbage collection."""
    names = ", ".join(["id", *_COLUMNS])
    values = ((identity, *row) for identity, row in enumerate(rows, first))
    cursor = session.connection.cursor()
    if session.dialect.name == "sqlite":
        marks = ", ".join("?" * (len(_COLUMNS) + 1))
        cursor.executemany(f"INSERT INTO builds ({names}) VALUES ({marks})", values)  # type: ignore[arg-type]  # noqa: S608
        return
    with cursor.copy(f"COPY builds ({names}) FROM STDIN") as copy:
        for value in values:
            copy.write_row(value)


def update_rows(session: Session, rows: Sequence[Numbered]) -> None:
    """Overwrite stored builds."""
    mark = _mark(session)
    settings = ", ".join(f"{_COLUMNS[place]} = {mark}" for place in _UPDATED)
    values = [(*(row[place] for place in _UPDATED), identity) for identity, row in rows]
    session.exec_driver_sql(f"UPDATE builds SET {settings} WHERE id = {mark}", values)  # noqa: S608


def select_details(session: Session, identities: Iterable[int]) -> dict[int, Details]:
    """The side rows of these builds, where there are any."""
    wanted = list(identities)
    if not wanted:
        return {}
    names = ", ".join(["build_id", *_DETAIL_COLUMNS])
    query = f"SELECT {names} FROM build_details WHERE {_among(session, 'build_id')}"  # noqa: S608
    found = session.exec_driver_sql(query, (_array(session, wanted),))
    return {row[0]: Details._make(row[1:]) for row in found}


def write_details(session: Session, rows: Sequence[tuple[int, Details]]) -> None:
    """Store or overwrite side rows."""
    mark = _mark(session)
    names = ", ".join(["build_id", *_DETAIL_COLUMNS])
    marks = ", ".join([mark] * (len(_DETAIL_COLUMNS) + 1))
    settings = ", ".join(f"{name} = excluded.{name}" for name in _DETAIL_COLUMNS)
    session.exec_driver_sql(
        f"INSERT INTO build_details ({names}) VALUES ({marks}) "  # noqa: S608
        f"ON CONFLICT (build_id) DO UPDATE SET {settings}",
        [(identity, *details) for identity, details in rows],
    )


def forget_reports(session: Session, identities: Sequence[int]) -> None:
    """Remove what was read of the tests and figures of these builds: they run again."""
    for table in ("test_runs", "measurements"):
        query = f"DELETE FROM {table} WHERE {_among(session, 'build_id')}"  # noqa: S608
        session.exec_driver_sql(query, (_array(session, identities),))
