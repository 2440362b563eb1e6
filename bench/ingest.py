"""Storing builds: this store and the whole way in, against the bare driver and two ways of the ORM.

All begin with the same builds. Rounds are interleaved, each on a new database; a page is 1,000 builds and one
transaction.
"""

import argparse
import gc
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import select

from alerts.verdict import verdict_of
from bench.measure import Timing, add_round, goal, heading, note, peak, rows
from bench.peers import PLAIN_COLUMNS, PLAIN_INDEXES, PLAIN_TABLE, lean_guard, plain, plain_guard, with_orm
from domain.build import Build, Outcome, Pipeline, Status
from poller.config import Configuration, load
from poller.intake.ingest import ingest
from providers._base import Page
from store import builds, schema
from store.engine import Database, open_database
from store.rows import BuildRow
from tests.support.postgres import NoPostgres, PostgresServer, postgres_server

PIPELINES = 200
PAGE = 1_000
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CONFIG = """
providers: {ci: {kind: jenkins, url: "https://ci.example.com/", username: bot, token: secret}}
pipelines: [{provider: ci, job: "**"}]
channels: {desk: {kind: console}}
routes: [{to: [desk]}]
"""

OURS, WHOLE, MERGE, ADD = "this store", "with alerts", "ORM merge", "query, add"
RAW = "driver"  # by hand: sixteen plain columns of each build, and indexes for the same questions
FLOOR = "driver, ready rows"  # into this store's tables, all its numbers known already: what no program reaches
AGAIN, RAW_AGAIN = "this store, again", "driver, again"  # the same builds once more: nothing is new


@dataclass(frozen=True, slots=True)
class Material:
    """The same builds in both forms."""

    pages: Sequence[Sequence[Build]]
    rows: Sequence[Sequence[tuple[Any, ...]]]
    configuration: Configuration


def make_builds(count: int) -> list[Build]:
    """Finished builds, newest last, of 200 pipelines in turn; one in eight failed."""
    pipelines = [
        Pipeline(
            provider="ci", key=f"team/job-{n}", name=f"job-{n}", url=f"https://ci.example.com/job/team/job/job-{n}/"
        )
        for n in range(PIPELINES)
    ]
    made = []
    for n in range(count):
        pipeline, number = pipelines[n % PIPELINES], 1 + n // PIPELINES
        started_at = NOW + timedelta(seconds=n - count)
        outcome = Outcome.FAILURE if n * 16807 % 8 == 0 else Outcome.SUCCESS
        made.append(
            Build(
                pipeline=pipeline,
                external_id=str(number),
                number=number,
                status=Status.FINISHED,
                outcome=outcome,
                raw_outcome=outcome.upper(),
                branch=f"branch-{n % 3}",
                commit=f"{n * 2654435761:040x}",
                trigger="SCMTriggerCause",
                actor=f"person-{n % 40}",
                started_at=started_at,
                finished_at=started_at + timedelta(seconds=60 + n % 600),
                url=f"{pipeline.url}{number}/",
            )
        )
    return made


def material(count: int, folder: Path) -> Material:
    """The builds, and their rows as this store writes them."""
    made = make_builds(count)
    pages = [made[start : start + PAGE] for start in range(0, count, PAGE)]
    with opened(f"sqlite:///{folder / 'rows.db'}") as database:
        for page in pages:
            upsert(database, page)
        query = select(schema.builds).order_by(schema.builds.c.id)
        found = database.read(lambda session: [tuple(row) for row in session.execute(query)])
    stored = [found[start : start + PAGE] for start in range(0, count, PAGE)]
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    return Material(pages, stored, load(config, environ={}))


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A store for the length of the block."""
    database = open_database(url)
    try:
        yield database
    finally:
        database.close()


def upsert(database: Database, page: Sequence[Build]) -> None:
    """One page into this store, without more."""
    database.transact(lambda session: builds.upsert(session, page, verdict_of, NOW), deadline=300)


def whole(database: Database, page: Sequence[Build], configuration: Configuration) -> None:
    """One page the whole way in: stored, judged, alerts and outbox written."""
    told = Page(builds=page, pipelines=[each.pipeline for each in page], cursors={"jobs": {"page": 1}})
    database.transact(
        lambda session: ingest(
            session, told, provider="ci", target="jobs", configuration=configuration, now=NOW, last_poll=NOW
        )
    )


class Sqlite:
    """New SQLite files for each subject."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def url(self) -> str:
        """Of a database that is not there yet."""
        self._count += 1
        return f"sqlite:///{self._folder / f'{self._count}.db'}"

    @contextmanager
    def driver(self, given: Material) -> Iterator[dict[str, Callable[[int], object]]]:
        """The guarded upsert of one page by sqlite3, into a plain table and into this store's."""
        with opened(self.url()) as database, closing(sqlite3.connect(str(database.path), isolation_level=None)) as raw:
            raw.execute("PRAGMA synchronous = FULL")
            for statement in (PLAIN_TABLE, *PLAIN_INDEXES):
                raw.execute(statement)

            def store(table: str, width: int, guard: str, values: Iterable[tuple[Any, ...]]) -> None:
                raw.execute("BEGIN IMMEDIATE")
                raw.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * width)}) {guard}", values)
                raw.execute("COMMIT")

            yield {
                RAW: lambda page: store("plain", PLAIN_COLUMNS, plain_guard(), map(plain, given.pages[page])),
                FLOOR: lambda page: store("builds", len(BuildRow._fields) + 1, lean_guard(), given.rows[page]),
            }


class Postgres:
    """New PostgreSQL databases for each subject."""

    name = "postgresql"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def url(self) -> str:
        """Of a new database."""
        return self._server.database_url()

    @contextmanager
    def driver(self, given: Material) -> Iterator[dict[str, Callable[[int], object]]]:
        """COPY to a temporary table and one guarded upsert from it: the fastest way that can update."""
        with opened(self.url()) as database:
            url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
            with psycopg.connect(url, autocommit=True) as raw:
                raw.execute("ALTER TABLE builds DISABLE TRIGGER ALL")  # the pipelines are not there
                for statement in (PLAIN_TABLE, *PLAIN_INDEXES):
                    raw.execute(statement.encode())
                for table in ("plain", "builds"):
                    raw.execute(f"CREATE TEMP TABLE new_{table} (LIKE {table})".encode())

                def store(table: str, guard: str, values: Iterable[tuple[Any, ...]]) -> None:
                    with raw.transaction(), raw.cursor() as cursor:
                        cursor.execute(f"TRUNCATE new_{table}".encode())
                        with cursor.copy(f"COPY new_{table} FROM STDIN".encode()) as copy:
                            for row in values:
                                copy.write_row(row)
                        cursor.execute(f"INSERT INTO {table} SELECT * FROM new_{table} {guard}".encode())

                yield {
                    RAW: lambda page: store("plain", plain_guard(), map(plain, given.pages[page])),
                    FLOOR: lambda page: store("builds", lean_guard(), given.rows[page]),
                }


Kind = Sqlite | Postgres


def measure(kind: Kind, given: Material, rounds: int, *, slow: bool) -> dict[str, Timing]:
    """All subjects, interleaved; in each a new database. Timings are for all pages, those of the ORM for one."""
    names = (RAW, FLOOR, OURS, WHOLE, RAW_AGAIN, AGAIN, *((MERGE, ADD) if slow else ()))
    timings = {name: Timing() for name in names}
    for _ in range(rounds):
        with kind.driver(given) as store:
            for name, way in ((RAW, RAW), (FLOOR, FLOOR), (RAW_AGAIN, RAW)):
                add_round(timings[name], partial(each_page, given, store[way]))
        with opened(kind.url()) as database:
            for name in (OURS, AGAIN):
                add_round(timings[name], lambda: [upsert(database, page) for page in given.pages])
        with opened(kind.url()) as database:
            add_round(timings[WHOLE], lambda: [whole(database, page, given.configuration) for page in given.pages])
        if slow:
            add_round(timings[MERGE], partial(with_orm, kind.url(), given.pages[0], merge=True))
            add_round(timings[ADD], partial(with_orm, kind.url(), given.pages[0], merge=False))
    return timings


def each_page(given: Material, store: Callable[[int], object]) -> None:
    """Store page after page."""
    for page in range(len(given.pages)):
        store(page)


def report(timings: dict[str, Timing], count: int, kind: Kind) -> None:
    """Builds a second of each subject, and the goals."""
    speeds = {name: (PAGE if name in {MERGE, ADD} else count) / timing.median for name, timing in timings.items()}
    lines = []
    for name, timing in timings.items():
        done = speeds[name] * timing.median
        figures = (speeds[name], done / max(timing.wall), done / min(timing.wall), 1e6 * timing.cpu_median / done)
        share = speeds[name] / speeds[RAW_AGAIN if name in {AGAIN, RAW_AGAIN} else RAW]
        lines.append((name, *(f"{each:,.0f}" for each in figures), f"{share:.3f}"))
    rows((kind.name, "builds/s", "min", "max", "us CPU", "x driver"), lines)
    goal("rows alone, of the driver's speed", speeds[OURS] / speeds[RAW], 0.6, at_least=True)
    goal("with alerts and outbox, of the driver's speed", speeds[WHOLE] / speeds[RAW], 0.35, at_least=True)
    note(f"rows alone, of the speed of ready rows: {speeds[OURS] / speeds[FLOOR]:.3f}")


def at_once(kind: Kind, count: int) -> None:
    """Many builds in one go, in pages, as after a long outage; then what they take on disk."""
    made = make_builds(count)
    before = peak()
    with opened(kind.url()) as database:
        began = time.perf_counter()
        longest = 0.0
        for start in range(0, count, PAGE):
            page_began = time.perf_counter()
            upsert(database, made[start : start + PAGE])
            longest = max(longest, time.perf_counter() - page_began)
        took = time.perf_counter() - began
        note(
            f"{count:,} builds in {took:.1f} s, longest transaction {1000 * longest:.0f} ms, {peak() - before:.0f} MiB"
        )
        if isinstance(kind, Sqlite):
            goal(f"{count:,} builds at once", took, 10, " s")
            path = database.path
            database.close()  # moves the write-ahead log into the file
            assert path is not None
            goal("on disk with all indexes", path.stat().st_size / count, 175, " bytes a build")
        else:
            query = "SELECT pg_total_relation_size('builds')"
            size = database.read(lambda session: session.exec_driver_sql(query).scalar_one())
            note(f"on disk with all indexes: {size / count:.0f} bytes a build")


def main() -> None:
    """Parse the command line and measure both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builds", type=int, default=10_000, help="in each round")
    parser.add_argument("--at-once", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="SQLite only, 20,000 builds at once")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bw-bench-")))
        kinds: list[Kind] = [Sqlite(folder)]
        if not options.quick:
            try:
                kinds.append(Postgres(stack.enter_context(postgres_server())))
            except NoPostgres as error:
                note(f"no PostgreSQL: {error}")
        given = material(options.builds, folder)
        gc.freeze()  # the builds made here are no part of what is measured
        for kind in kinds:
            heading(f"{kind.name}: {options.builds:,} builds in pages of {PAGE:,}, {options.rounds} rounds")
            slow = isinstance(kind, Sqlite)
            report(measure(kind, given, options.rounds, slow=slow), options.builds, kind)
            at_once(kind, 20_000 if options.quick else options.at_once)


if __name__ == "__main__":
    main()
