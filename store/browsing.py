"""Builds that people ask for, newest first, a page at a time. What is stored meanwhile moves no page.

Those that run or wait come first, then those that ended, by their end. Of a build the attempt that counts is shown.
Ranges of the index `builds_finished` answer this: there is no index over the ends of all pipelines, so a page looks at
as short a span as holds enough builds.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from domain.build import Outcome, Status, Verdict
from store import builds, names
from store.among import listed
from store.builds import BuildView
from store.columns import to_ms
from store.database import Session
from store.schema import FAILED, FINISHED, OUTCOMES, STATUSES, VERDICTS

LOOKED_AT = 20_000
"""Builds that one page looks at, when what is asked for is in no index: it may then be shorter than its limit.

Ten times as many when nothing has to be looked up beside the builds themselves.
"""

_COUNTED = "b.verdict IS NOT NULL AND b.superseded = 0"  # word for word the index's own condition
_SPAN, _WIDEST = 60_000, 64  # milliseconds: where the search begins, and how much wider it gets at most in a step
_END_OF_TIME = 1 << 60
_CHUNK = 5_000  # builds that are looked through together
_SHORTEST_COMMIT = 4
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")

_ENDED = {
    "sqlite": """pipelines p CROSS JOIN builds b INDEXED BY builds_finished
    ON b.pipeline_id = p.id AND b.finished_at >= ? AND b.finished_at < ? AND {counted}""",
    "postgresql": """pipelines p CROSS JOIN LATERAL (SELECT * FROM builds b WHERE b.pipeline_id = p.id
    AND b.finished_at >= ? AND b.finished_at < ? AND {counted} OFFSET 0) b""",
}
_OF_BUCKET = {
    "sqlite": """build_details d INDEXED BY build_details_bucket CROSS JOIN builds b ON b.id = d.build_id
    CROSS JOIN pipelines p ON p.id = b.pipeline_id""",
    "postgresql": "build_details d JOIN builds b ON b.id = d.build_id JOIN pipelines p ON p.id = b.pipeline_id",
}
_NEWEST = """SELECT (SELECT b.finished_at FROM builds b WHERE b.pipeline_id = p.id AND b.finished_at < ?
AND {counted} ORDER BY b.finished_at DESC LIMIT 1) FROM pipelines p WHERE {ours}"""
_UNFINISHED = """SELECT b.id FROM builds b JOIN pipelines p ON p.id = b.pipeline_id {joins}
WHERE b.status < 2 AND b.id < ? AND {ours} AND {theirs} ORDER BY b.id DESC LIMIT ?"""

_DETAILS = "LEFT JOIN build_details d ON d.build_id = b.id"
_LABELS = "LEFT JOIN names l ON l.id = b.labels_id"
_WORDS = "LEFT JOIN names w ON w.id = coalesce(b.branch_id, b.stream_id) LEFT JOIN names a ON a.id = b.actor_id"
_LABEL = {
    "sqlite": "(SELECT value FROM json_each({json}) WHERE key = ?)",
    "postgresql": "({json}::json ->> ?::text)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What builds have to be like. Empty collections and None: anything."""

    pipelines: Collection[int] | None = None  # store.pipelines.Known.id; empty: none at all
    branch: str | None = None
    statuses: frozenset[Status] = frozenset()
    outcomes: frozenset[Outcome] = frozenset()
    verdicts: frozenset[Verdict] = frozenset()
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # their own, else the pipeline's
    bucket: str | None = None  # "": failed, and nobody knows why
    text: str | None = None  # in names, titles, people, causes; a commit, or a number
    since: datetime | None = None  # they ended then or later, or have not ended
    until: datetime | None = None  # they ended before


class Place(NamedTuple):
    """The build behind which the next page begins."""

    finished_at: int | None  # milliseconds; None: it has not ended
    id: int


AFTER_UNFINISHED = Place(_END_OF_TIME, 0)


class Page(NamedTuple):
    """Some builds, and where the next ones begin: None at the end."""

    builds: Sequence[BuildView]
    next: Place | None


class _Where(NamedTuple):
    """Conditions in SQL. `costly`: they look at more than the index, through the `joins`."""

    ours: str
    ours_values: list[Any]
    theirs: str
    values: list[Any]
    joins: str
    costly: bool
    bucket: str | None  # the index of causes finds these


def page(session: Session, wanted: Wanted, *, limit: int, after: Place | None = None) -> Page:
    """The next builds that are wanted: at most `limit`.

    Fewer, with more to come, when what is wanted is rare and in no index: see LOOKED_AT.
    """
    ids, following = _ids(session, wanted, limit, after)
    views = builds.get(session, ids)
    return Page([views[each] for each in ids if each in views], following)


def _ids(session: Session, wanted: Wanted, limit: int, after: Place | None) -> tuple[list[int], Place | None]:
    where = _where(session, wanted)
    if where is None:
        return [], None
    found: list[int] = []
    if _may_be_unfinished(wanted) and (after is None or after.finished_at is None):
        found = _unfinished(session, where, limit + 1, _END_OF_TIME if after is None else after.id)
        if len(found) > limit:
            return found[:limit], Place(None, found[limit - 1])
    if wanted.statuses and Status.FINISHED not in wanted.statuses:
        return found, None
    ended = after if after is not None and after.finished_at is not None else None
    if len(found) == limit:  # whether there are more is for the next page to see
        return found, AFTER_UNFINISHED
    more, following = _ended_ids(session, wanted, where, limit - len(found), ended)
    return found + [identity for identity, _ in more], following


def unfinished(session: Session, limit: int) -> list[int]:
    """The ids of builds that run or wait, newest first."""
    # + 0: from the index of those that have not ended, never through all builds backwards.
    rows = _execute(session, "SELECT id FROM builds WHERE status < 2 ORDER BY id + 0 DESC LIMIT ?", [limit])
    return [row[0] for row in rows]


def newest_ends(session: Session, limit: int) -> list[tuple[int, int]]:
    """(end in milliseconds, id) of the builds that count and ended last, rising."""
    where = _where(session, Wanted())
    found, _ = _ended_ids(session, Wanted(), where, limit, None) if where is not None else ([], None)
    return [(ended, identity) for identity, ended in reversed(found)]


def ends_of(session: Session, ids: Collection[int]) -> list[tuple[int, int]]:
    """(end in milliseconds, id) of those of the builds that have ended and count."""
    given, values = listed(session, ids)
    query = f"SELECT b.finished_at, b.id FROM builds b WHERE b.id IN {given} AND {_COUNTED}"  # noqa: S608  (no values)
    return [(ended, identity) for ended, identity in session.exec_driver_sql(query, values) if ended is not None]


def _may_be_unfinished(wanted: Wanted) -> bool:
    rules_out = wanted.outcomes or wanted.verdicts or wanted.bucket is not None or wanted.until is not None
    return not rules_out and (not wanted.statuses or wanted.statuses != {Status.FINISHED})


def _unfinished(session: Session, where: _Where, limit: int, before: int) -> list[int]:
    statement = _UNFINISHED.format(joins=where.joins, ours=where.ours, theirs=where.theirs)
    rows = _execute(session, statement, [before, *where.ours_values, *where.values, limit])
    return [row[0] for row in rows]


def _ended_ids(
    session: Session, wanted: Wanted, where: _Where, limit: int, after: Place | None
) -> tuple[list[tuple[int, int]], Place | None]:
    """(id, end), span by span, backwards in time."""
    floor = 0 if wanted.since is None else to_ms(wanted.since)
    top = _END_OF_TIME if wanted.until is None else to_ms(wanted.until)
    behind = after or Place(_END_OF_TIME, 0)
    found: list[tuple[int, int]] = []
    looked_at = 0
    for bottom, above, count in _spans(session, where, limit, (floor, min(top, (behind.finished_at or 0) + 1))):
        found += _in_span(session, where, (bottom, above), behind, limit + 1 - len(found))
        if len(found) > limit:
            identity, ended = found[limit - 1]
            return found[:limit], Place(ended, identity)
        looked_at += count
        most = LOOKED_AT if where.joins else 10 * LOOKED_AT
        if where.costly and looked_at >= most and bottom > floor:
            return found, Place(bottom, 0)
    return found, None


def _spans(session: Session, where: _Where, limit: int, bounds: tuple[int, int]) -> Iterator[tuple[int, int, int]]:
    """(start, end, builds in it): backwards from the newest build, each as short as holds enough."""
    floor, top = bounds
    if where.bucket:
        yield floor, top, 0  # the index of causes finds them all
        return
    statement = _NEWEST.format(counted=_COUNTED, ours=where.ours)
    ends = sorted((row[0] for row in _execute(session, statement, [top, *where.ours_values]) if row[0]), reverse=True)
    if not ends:
        return
    top, span = min(top, ends[0] + 1), _SPAN
    enough = max(limit + 1, _CHUNK) if where.costly else limit + 1
    if len(ends) >= enough:  # as many pipelines have a build since then
        bottom = max(ends[enough - 1], floor)
        yield bottom, top, enough
        top, span = bottom, max(top - bottom, _SPAN)
    while top > floor:
        bottom = max(top - span, floor)
        count = _count(session, where, bottom, top)
        while count < enough and bottom > floor:
            span *= min(max(2 * enough // max(count, 1), 4), _WIDEST)
            bottom = max(top - span, floor)
            count = _count(session, where, bottom, top)
        yield bottom, top, count
        top = bottom


def _count(session: Session, where: _Where, bottom: int, top: int) -> int:
    source = _ENDED[session.dialect.name].format(counted=_COUNTED)
    statement = f"SELECT count(*) FROM {source} WHERE {where.ours}"  # noqa: S608  (no values)
    return int(_execute(session, statement, [bottom, top, *where.ours_values])[0][0])


def _in_span(
    session: Session, where: _Where, span: tuple[int, int], behind: Place, limit: int
) -> list[tuple[int, int]]:
    """(id, end) of what is wanted, newest first."""
    if where.bucket:
        source = _OF_BUCKET[session.dialect.name]
        also = f"{_COUNTED} AND d.bucket = ? AND b.finished_at >= ? AND b.finished_at < ?"
        joins, given = where.joins.replace(_DETAILS, ""), [where.bucket, *span]
    else:
        source, also = _ENDED[session.dialect.name].format(counted=_COUNTED), "1 = 1"
        joins, given = where.joins, list(span)
    statement = (
        f"SELECT b.id, b.finished_at FROM {source} {joins} "  # noqa: S608  (no values)
        f"WHERE {also} AND (b.finished_at, b.id) < (?, ?) AND {where.ours} AND {where.theirs} "
        "ORDER BY b.finished_at DESC, b.id DESC LIMIT ?"
    )
    return [
        (row[0], row[1])
        for row in _execute(session, statement, [*given, *behind, *where.ours_values, *where.values, limit])
    ]


def _where(session: Session, wanted: Wanted) -> _Where | None:
    """None: nothing can be like that."""
    ours, ours_values = "1 = 1", []
    if wanted.pipelines is not None:
        ours = "p.id IN (SELECT value FROM json_each(?))" if _sqlite(session) else "p.id = ANY(?)"
        ids = list(wanted.pipelines)
        ours_values = [orjson.dumps(ids).decode() if _sqlite(session) else ids]
    parts = ["1 = 1"]
    values: list[Any] = []
    parts += [f"b.status = {STATUSES.index(each)}" for each in _only_unfinished(wanted)]
    for column, codes in (
        ("outcome", sorted(OUTCOMES.index(each) for each in wanted.outcomes)),
        ("verdict", sorted(VERDICTS.index(each) for each in wanted.verdicts)),
    ):
        if codes:
            parts.append(f"b.{column} IN ({', '.join(map(str, codes))})")
    if wanted.branch is not None:
        number = names.number_of(session, wanted.branch)
        if number is None:
            return None
        parts.append(f"(b.stream_id = {number:d} OR b.branch_id = {number:d})")
    joins: list[str] = []
    for condition, its, needed in _looked_up(session, wanted):
        parts.append(condition)
        values += its
        joins += [each for each in needed if each not in joins]
    costly = bool(joins) or wanted.branch is not None or bool(wanted.outcomes or wanted.verdicts)
    return _Where(ours, ours_values, " AND ".join(parts), values, " ".join(joins), costly, wanted.bucket)


def _only_unfinished(wanted: Wanted) -> list[Status]:
    """The one status, when only one of those that have not ended is wanted."""
    some = wanted.statuses
    return list(some) if len(some) == 1 and STATUSES.index(next(iter(some))) != FINISHED else []


def _looked_up(session: Session, wanted: Wanted) -> Iterator[tuple[str, list[Any], list[str]]]:
    """(condition, values, joins) of what is in no index."""
    label = _LABEL[session.dialect.name]
    for name, value in wanted.labels.items():
        places = ("d.found_labels", "coalesce(l.text, d.labels)", "p.labels")
        both = ", ".join(label.format(json=each) for each in places)
        yield f"coalesce({both}) = ?", [name, name, name, value], [_LABELS, _DETAILS]
    if wanted.bucket == "":
        yield f"b.verdict = {FAILED} AND d.bucket IS NULL", [], [_DETAILS]
    if wanted.text:
        yield _about(session, wanted.text)


def _about(session: Session, text: str) -> tuple[str, list[Any], list[str]]:
    like = "LIKE" if _sqlite(session) else "ILIKE"
    columns = ("p.name", "p.key", "b.title", "w.text", "a.text", "d.bucket", "d.reason", "d.failing_stage")
    pattern = "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
    parts = [f"{column} {like} ? ESCAPE '\\'" for column in columns]
    values: list[Any] = [pattern] * len(columns)
    number = text.removeprefix("#")
    if number.isascii() and number.isdecimal() and int(number) < 1 << 62:
        parts.append("b.number = ?")
        values.append(int(number))
    if len(text) >= _SHORTEST_COMMIT and _HEXADECIMAL.fullmatch(text):
        commit = 'lower(hex(b."commit"))' if _sqlite(session) else "encode(b.\"commit\", 'hex')"
        parts.append(f"{commit} LIKE ?")
        values.append(text.lower() + "%")
    return f"({' OR '.join(parts)})", values, [_DETAILS, _WORDS]


def _sqlite(session: Session) -> bool:
    return bool(session.dialect.name == "sqlite")


def _execute(session: Session, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
    if session.dialect.name == "postgresql":
        statement = statement.replace("%", "%%").replace("?", "%s")
    return session.exec_driver_sql(statement, tuple(values)).all()
