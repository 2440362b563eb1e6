"""Window summaries of 1,000 pipelines: SQL against the seed design's indexes, live counters against SQL."""

import argparse
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bench.measure import goal, heading, interleaved, note, resident, table
from domain.build import Outcome, Verdict
from domain.counted import Counted
from domain.percentile import percentile
from domain.window import Window
from metrics.live import DAY, WEEK, Live
from metrics.windows import rolling
from store import counted, windows
from store.columns import to_ms
from store.engine import Database, Session, open_database
from tests.support.postgres import NoPostgres, postgres_server

PIPELINES = 1000
HISTORY = timedelta(days=90)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SPANS = {"24 h": DAY, "7 d": WEEK}

# Multiplying by odd constants scatters well enough, and gives the same builds on both databases.
BUILDS = """
INSERT INTO builds (id, number, queued_at, started_at, finished_at, duration, pipeline_id, generation, attempt,
    stream_id, status, outcome, verdict, superseded, flags, external_id)
SELECT n + 1, n, ended - took - 5000, ended - took, ended, took, pipeline, 0, 1,
    CASE WHEN n * 69621 % 100 >= 12 THEN 1 + n * 16807 % 5 END, 2,
    CASE WHEN luck < 88 THEN 0 WHEN luck < 97 THEN 1 ELSE 5 END,
    CASE WHEN luck < 88 THEN 1 WHEN luck < 97 THEN 0 ELSE 2 END, 0, 0, CAST(n AS TEXT)
FROM (SELECT n, {start} + {span} * n / {builds} AS ended,
    30000 + (n * 40503 % 65536) * (n * 40503 % 65536) / 2000 AS took,
    1 + n * 2654435761 % 4294967296 * {pipelines} / 4294967296 AS pipeline, n * 48271 % 100 AS luck FROM {numbers}) made
"""
SQLITE_NUMBERS = "(WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {last}) SELECT n FROM c)"
POSTGRESQL_NUMBERS = "(SELECT n::bigint AS n FROM generate_series(0, {last}) n)"

# The seed design: one row a run, everything as text, two indexes, one query over the time span.
SEED_TABLE = """CREATE TABLE runs AS SELECT id, pipeline_id, number,
    CASE verdict WHEN 0 THEN 'failure' WHEN 1 THEN 'success' ELSE 'cancelled' END AS status,
    {started} AS started_at, {finished} AS finished_at, CAST(duration AS DOUBLE PRECISION) / 1000 AS duration_seconds,
    'feature/some-branch-' || number % 100 AS branch, '0123456789abcdef0123456789abcdef' || external_id AS commit_sha,
    'ada.lovelace' AS actor, 'pull_request' AS trigger_event,
    'https://ci.example.com/job/team/job/job-' || pipeline_id || '/' || number || '/' AS url, external_id
    FROM builds"""
SEED_TIMES = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', {} / 1000.0, 'unixepoch')",
    "postgresql": "to_timestamp({} / 1000.0)",
}
SEED_INDEXES = (
    "CREATE INDEX runs_pipeline ON runs (pipeline_id, started_at DESC)",
    "CREATE INDEX runs_status ON runs (status)",
)
SEED = "the seed design"
SEED_QUERY = """SELECT pipeline_id, status, duration_seconds FROM runs
    WHERE started_at >= '{start:%Y-%m-%d %H:%M:%S}' AND started_at < '{end:%Y-%m-%d %H:%M:%S}'"""


def fill(session: Session, count: int) -> None:
    """The data set, and beside it the same runs in the seed design's table."""
    sqlite = session.dialect.name == "sqlite"
    values = [{"id": n, "key": f"team-{n % 20}/job-{n}"} for n in range(1, PIPELINES + 1)]
    mark = "(:id, 'ci', :key, :key, '{}', :yes, 0)".replace(":yes", "1" if sqlite else "true")
    _run(
        session,
        f"INSERT INTO pipelines (id, provider, key, name, labels, branched, watched_since) VALUES {mark}",
        values,
    )
    _run(
        session,
        "INSERT INTO names (id, text) VALUES (:id, :text)",
        [{"id": n, "text": f"branch-{n}"} for n in range(1, 6)],
    )
    statement = BUILDS.format(
        start=to_ms(NOW - HISTORY),
        span=HISTORY // timedelta(milliseconds=1),
        builds=count,
        pipelines=PIPELINES,
        numbers=(SQLITE_NUMBERS if sqlite else POSTGRESQL_NUMBERS).format(last=count - 1),
    )
    driver(session, statement)
    times = SEED_TIMES[session.dialect.name]
    driver(session, SEED_TABLE.format(started=times.format("started_at"), finished=times.format("finished_at")))
    for index in SEED_INDEXES:
        driver(session, index)
    driver(session, "ANALYZE builds")
    driver(session, "ANALYZE pipelines")


def _run(session: Session, statement: str, values: list[dict[str, Any]]) -> None:
    session.execute(text(statement), values)


def driver(session: Session, statement: str) -> Any:
    """Run a statement as it stands."""
    return session.exec_driver_sql(statement.replace("%", "%%") if session.dialect.name == "postgresql" else statement)


def seed_summaries(session: Session, window: Window) -> dict[int, tuple[float | None, float, float]]:
    """Success rate, p50 and p95 of each pipeline, the way the seed design leads to."""
    statement = SEED_QUERY.format(start=window.start, end=window.end)
    runs: dict[int, list[tuple[str, float]]] = defaultdict(list)
    for pipeline_id, status, duration in driver(session, statement):
        runs[pipeline_id].append((status, duration))
    summaries = {}
    for pipeline_id, its in runs.items():
        statuses = [status for status, _ in its]
        passed, failed = statuses.count("success"), statuses.count("failure")
        durations = sorted(duration for status, duration in its if status != "cancelled")
        rate = passed / (passed + failed) if passed + failed else None
        middle, high = (percentile(durations, share) for share in (0.5, 0.95)) if durations else (0.0, 0.0)
        summaries[pipeline_id] = (rate, middle, high)
    return summaries


def bench_sql(database: Database, rounds: int) -> None:
    """Summaries by SQL, and the seed design's, on one database."""
    for name, span in SPANS.items():
        window = rolling(NOW, span)
        timings = interleaved(
            {
                "ours": lambda window=window: database.read(lambda session: windows.by_pipeline(session, window)),
                SEED: lambda window=window: database.read(lambda session: seed_summaries(session, window)),
            },
            rounds=max(rounds, 5),
        )
        heading(f"{database.dialect}: {name}, all pipelines with p50 and p95")
        table(timings, "ours")
        many = interleaved(
            {"ours": lambda window=window: database.read(lambda session: windows.by_pipeline(session, window))},
            rounds=100,
        )["ours"]
        limit = 10 if span == DAY else 30
        goal(f"{name} by SQL, p99 of 100", 1000 * many.percentile(0.99), limit, " ms")
        if database.dialect == "sqlite":
            note(f"       of that {1000 * many.cpu_percentile(0.99):.1f} ms are ours: processor time, p99")
        faster = timings[SEED].median / timings["ours"].median
        goal("times faster than the seed design", faster, 10, at_least=True)
    if database.dialect == "sqlite":
        bench_analyzed_seed(database, rounds)
    week = rolling(NOW, WEEK)
    others = {
        "7 d by pipeline": lambda: database.read(lambda session: windows.by_pipeline(session, week)),
        "7 d by branch": lambda: database.read(lambda session: windows.by_branch(session, week)),
        "last 20 builds": lambda: database.read(lambda session: windows.by_pipeline(session, 20)),
        "last outcome of each": lambda: database.read(windows.last_outcomes),
        "one pipeline, 7 d": lambda: database.read(
            lambda session: windows.of_pipeline(session, "ci", "team-1/job-1", week)
        ),
    }
    heading(f"{database.dialect}: other questions")
    table(interleaved(others, rounds=5), "7 d by pipeline")


def bench_analyzed_seed(database: Database, rounds: int) -> None:
    """The seed design would never run ANALYZE. With it SQLite skips through its index, pipeline by pipeline."""
    database.transact(lambda session: driver(session, "ANALYZE runs"))
    for name, span in SPANS.items():
        window = rolling(NOW, span)
        timings = interleaved(
            {
                "ours": lambda window=window: database.read(lambda session: windows.by_pipeline(session, window)),
                f"{SEED} after ANALYZE": lambda window=window: database.read(
                    lambda session: seed_summaries(session, window)
                ),
            },
            rounds=max(rounds, 5),
        )
        heading(f"sqlite: {name}, the seed design after an ANALYZE that it does not have")
        table(timings, "ours")


def bench_live(database: Database) -> None:
    """The counters in memory against SQL."""
    live, before, started = Live(), resident(), time.perf_counter()
    live.rebuild(database.read(lambda session: list(counted.since(session, NOW - WEEK))), NOW)
    took = time.perf_counter() - started
    for span in SPANS.values():
        by_sql = database.read(lambda session, span=span: windows.by_pipeline(session, rolling(NOW, span)))
        kept = {owner: summary for owner, summary in live.summaries(span, NOW).items() if summary.total}
        assert kept == by_sql, "the counters disagree with SQL"
    heading("live counters: 1,000 pipelines")
    note(f"rebuilt from the store in {took:.2f} s, {resident() - before:.1f} MiB with what the rebuild left behind")
    ids = iter(range(10**9, 2 * 10**9))
    clock = [NOW]

    def change() -> None:
        clock[0] += timedelta(seconds=8)
        number = next(ids)
        owner = ("ci", f"team-{number % 20}/job-{number % 1000 or 1000}")
        row = Counted(number, owner, running=False, verdict=Verdict.PASSED, outcome=Outcome.SUCCESS,
                      finished_at=to_ms(clock[0]), duration=60_000)  # fmt: skip
        live.apply([row], clock[0])

    def after_a_poll() -> None:
        for _ in range(20):
            change()
        live.summaries(DAY, clock[0])

    timings = interleaved(
        {
            "24 h by SQL": lambda: database.read(lambda session: windows.by_pipeline(session, rolling(NOW, DAY))),
            "24 h live, after one change": lambda: live.summaries(DAY, clock[0]),
            "7 d live, after 21 changes": lambda: live.summaries(WEEK, clock[0]),
            "20 changes, then 24 h live": after_a_poll,
            "one change": change,
        },
        rounds=100,
    )
    table(timings, "24 h by SQL")
    for name in ("24 h live, after one change", "7 d live, after 21 changes", "20 changes, then 24 h live"):
        goal(f"{name}, p99 of 100", 1000 * timings[name].percentile(0.99), 1, " ms")
        note(f"       of that {1000 * timings[name].cpu_percentile(0.99):.2f} ms are ours: processor time, p99")


def main() -> None:
    """Parse the command line, fill, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builds", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="100,000 builds, SQLite only")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    count = 100_000 if options.quick else options.builds
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bw-bench-")))
        urls = [f"sqlite:///{folder / 'bench.db'}"]
        if not options.quick:
            try:
                urls.append(stack.enter_context(postgres_server()).database_url())
            except NoPostgres as error:
                note(f"no PostgreSQL: {error}")
        for url in urls:
            database = open_database(url)
            stack.callback(database.close)
            started = time.perf_counter()
            database.transact(lambda session: fill(session, count), deadline=300)
            if database.dialect == "postgresql":
                # Autovacuum does this in the background of a living database: index-only scans need it.
                with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.exec_driver_sql("VACUUM ANALYZE")
            heading(f"{database.dialect}: {count:,} builds of {PIPELINES:,} pipelines in {HISTORY.days} days")
            note(f"filled in {time.perf_counter() - started:.0f} s")
            bench_sql(database, options.rounds)
            if database.dialect == "sqlite":
                bench_live(database)


if __name__ == "__main__":
    main()
