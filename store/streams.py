"""Streams: the ordered settled verdicts of one line of builds, as the alert rules read them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, and_, func, select

from domain.stream import Settled, Signature
from domain.testreport import TestStatus
from domain.timed import Timed
from domain.window import Window
from store import names as words
from store import pipelines, sql
from store.among import each
from store.columns import from_ms, to_ms
from store.database import Session
from store.schema import AWAITED, FAILED, FLAKY, PASSED, SETTLED, UNFINISHED, VERDICTS, builds

_DEFAULT_TAIL = 600
_FAILING = frozenset({TestStatus.FAILED, TestStatus.ERROR})


Place = tuple[str, str, str]
"""Provider, key of the pipeline, stream."""


class Past:
    """What is stored of a stream: its newest builds that passed or failed."""

    def __init__(self, newest: Sequence[Sequence[Any]]) -> None:
        """Rows of `_COLUMNS`, newest first."""
        self._newest = newest

    def tail(self) -> list[Settled]:
        """The settled verdicts, oldest first; of each build its newest passed or failed attempt.

        A build that passed is flaky when an earlier attempt of it had failed, and when the build before it failed on
        the same commit with the same labels: some servers give a re-run a number of its own.
        """
        found: list[Settled] = []
        broken: tuple[bytes, int | None] | None = None  # what failed just before
        for generation, number, verdict, finished_at, identity, attempt, flags, commit, labels, *_ in reversed(
            self._newest
        ):
            failed, what = verdict == FAILED, (commit, labels) if commit else None
            flaky = bool(flags & FLAKY) or (not failed and what is not None and what == broken)
            found.append(Settled(generation, number, VERDICTS[verdict], from_ms(finished_at), identity, attempt, flaky))
            broken = what if failed else None
        return found

    def passed(self, most: int) -> list[Timed]:
        """The newest of them that passed, oldest first. A re-run has no time in the queue of its own."""
        rows = list(islice((row for row in self._newest if row[2] == PASSED), most))
        return [
            Timed(row[0], row[1], row[4], from_ms(row[3]), _seconds(row[9]), _seconds(row[10]))
            for row in reversed(rows)
        ]


def _seconds(milliseconds: int | None) -> float | None:
    """Never negative: clocks disagree by a second."""
    return None if milliseconds is None else max(milliseconds, 0) / 1000


_NOTHING = Past(())


def pasts(session: Session, places: Iterable[Place], *, limit: int = _DEFAULT_TAIL) -> dict[Place, Past]:
    """What is stored of each of these streams. What awaits a re-run is left out. It may be much: ask in portions."""
    wanted = list(places)
    given, values = each(session, [(count, *place) for count, place in enumerate(wanted)], "int", *3 * ["text"])
    template = _PASTS_SQLITE if session.dialect.name == "sqlite" else _PASTS_POSTGRESQL
    rows = session.exec_driver_sql(template.format(given=given, limit=int(limit)), values).all() if wanted else ()
    found = {wanted[count]: Past(list(its)) for count, its in groupby(rows, key=itemgetter(_COUNT))}
    return {place: found.get(place, _NOTHING) for place in wanted}


def tail(session: Session, provider: str, key: str, stream: str, *, limit: int = _DEFAULT_TAIL) -> list[Settled]:
    """The newest settled verdicts of a stream, oldest first; see `Past.tail`."""
    place = provider, key, stream
    return pasts(session, [place], limit=limit)[place].tail()


def signatures(session: Session, ids: Collection[int]) -> dict[int, Signature]:
    """What failed builds look like, as far as it is known, by build id."""
    found: dict[int, Signature] = {}
    for identity, details in sql.select_details(session, ids).items():
        report: Mapping[str, Any] = orjson.loads(details.tests) if details.tests else {}
        cases = report.get("cases", ())
        failing = frozenset(f"{case['suite']}::{case['name']}" for case in cases if case["status"] in _FAILING)
        found[identity] = Signature(details.bucket, failing if cases or report.get("failed") == 0 else None)
    return found


def counts(
    session: Session, provider: str, key: str, stream: str, *, window: Window | None = None, last: int | None = None
) -> tuple[int, int]:
    """(passed, failed) of a stream: in a window by the end of builds, or of its last builds in order."""
    where = _stream(session, provider, key, stream)
    if where is None:
        return 0, 0
    verdicts: Select[int] = select(builds.c.verdict).where(where)
    if window is not None:
        verdicts = verdicts.where(builds.c.finished_at >= to_ms(window.start), builds.c.finished_at < to_ms(window.end))
    if last is not None:
        verdicts = verdicts.order_by(builds.c.generation.desc(), builds.c.number.desc()).limit(last)
    chosen = verdicts.subquery()
    query = select(chosen.c.verdict, func.count()).group_by(chosen.c.verdict)
    found = {row[0]: row[1] for row in session.execute(query)}
    return found.get(PASSED, 0), found.get(FAILED, 0)


def met(session: Session, places: Mapping[Place, int]) -> set[Place]:
    """Those of the streams that have builds with a lower id than this which passed, failed, or have not ended."""
    if not places:
        return set()
    given, values = each(session, [(*place, before) for place, before in places.items()], *3 * ["text"], "bigint")
    rows = session.exec_driver_sql(_MET.format(given=given), values)
    return {(provider, key, stream) for provider, key, stream in rows}


def _stream(session: Session, provider: str, key: str, stream: str) -> ColumnElement[bool] | None:
    pipeline, name = pipelines.numbers(session, [(provider, key)]), words.number_of(session, stream)
    if not pipeline or name is None:
        return None
    settled = and_(SETTLED, builds.c.flags < AWAITED)
    return and_(builds.c.pipeline_id == pipeline[provider, key], builds.c.stream_id == name, settled)


# For the driver itself: a page of builds may touch a thousand streams. `k` are the streams that are asked for.
_LINES = """FROM {given} CROSS JOIN pipelines p CROSS JOIN names n"""
_THEIRS = "p.provider = k.{} AND p.key = k.{} AND n.text = k.{}"
_COLUMNS = """b.generation, b.number, b.verdict, coalesce(b.finished_at, b.started_at, b.queued_at, 0), b.id, b.attempt,
    b.flags, b."commit", b.labels_id, b.duration, CASE WHEN b.attempt = 1 THEN b.started_at - b.queued_at END, k.a"""
_COUNT = 11  # k.a among them: which stream it is
_ORDER = "generation DESC, number DESC, queued_at DESC, id DESC"
_NEWEST = f"""FROM builds WHERE pipeline_id = p.id AND stream_id = n.id AND {SETTLED} AND flags < {AWAITED}
    ORDER BY {_ORDER} LIMIT {{limit}}"""
_SORTED = f"ORDER BY k.a, {', '.join(f'b.{name}' for name in _ORDER.split(', '))}"
_PASTS_SQLITE = f"""SELECT {_COLUMNS} {_LINES} CROSS JOIN builds b
    WHERE {_THEIRS.format(*"bcd")} AND b.id IN (SELECT id {_NEWEST}) {_SORTED}"""
_PASTS_POSTGRESQL = f"""SELECT {_COLUMNS} {_LINES} CROSS JOIN LATERAL (SELECT * {_NEWEST}) b
    WHERE {_THEIRS.format(*"bcd")} {_SORTED}"""
_OURS = "SELECT 1 FROM builds WHERE pipeline_id = p.id AND stream_id = n.id AND id < k.d AND"
_MET = f"""SELECT k.a, k.b, k.c {_LINES} WHERE {_THEIRS.format(*"abc")}
    AND (EXISTS ({_OURS} {SETTLED}) OR EXISTS ({_OURS} {UNFINISHED}))"""
