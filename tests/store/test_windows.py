"""Window summaries from SQL against their definition in metrics/summary.py, on both databases."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import text

from domain.build import Outcome
from domain.window import Summary, Window
from metrics import summary
from metrics.windows import rolling
from store import builds, counted, pipelines, windows
from store.builds import BuildView
from store.engine import Database, Session
from store.schema import builds as table
from tests.support.builders import NOON, build, minutes, pipeline
from tests.support.builders import builds as series
from tests.support.histories import PIPELINES, History, verdict_of

DAY = timedelta(days=1)
Key = TypeVar("Key")
EVER = Window(start=NOON - 400 * DAY, end=NOON + 400 * DAY)
NOTHING = Summary(total=0, passed=0, failed=0, neutral=0, running=0)


def store(database: Database, *some: object) -> None:
    database.transact(lambda session: builds.upsert(session, some, verdict_of, NOON))


def everything(database: Database) -> list[BuildView]:
    def read(session: Session) -> list[BuildView]:
        ids = [row.id for row in session.execute(table.select())]
        return list(builds.get(session, ids).values())

    return database.read(read)


def happened(summaries: Mapping[Key, Summary]) -> dict[Key, Summary]:
    return {key: each for key, each in summaries.items() if each != NOTHING}


@pytest.mark.parametrize("seed", range(5))
def test_sql_agrees_with_the_definition_on_random_histories(database: Database, seed: int) -> None:
    history = History(seed, NOON)
    for page in history.steps(40):
        store(database, *page)
    database.transact(lambda session: pipelines.remember(session, PIPELINES, NOON))
    views = everything(database)
    for window in (
        rolling(history.now, DAY),
        rolling(history.now, 7 * DAY),
        EVER,
        rolling(history.now - 90 * DAY, DAY),
    ):
        by_pipeline = database.read(lambda session, window=window: windows.by_pipeline(session, window))
        assert happened(by_pipeline) == happened(summary.by_pipeline(views, window))
        by_branch = database.read(lambda session, window=window: windows.by_branch(session, window))
        assert happened(by_branch) == happened(summary.by_branch(views, window))
        for label in ("team", "cloud", "other", "none"):
            by_label = database.read(
                lambda session, label=label, window=window: windows.by_label(session, label, window)
            )
            assert happened(by_label) == happened(summary.by_label(views, label, window))
    for count in (1, 3, 20, 10_000):
        of_last = database.read(lambda session, count=count: windows.by_pipeline(session, count))
        assert happened(of_last) == happened(summary.by_pipeline(views, count))


def test_one_pipeline_is_summarized_alone(database: Database) -> None:
    api = pipeline("api")
    store(database, *series("PPFR"), build(9, Outcome.FAILURE, pipeline=api))
    alone = database.read(lambda session: windows.of_pipeline(session, "ci", "web/deploy", EVER))
    assert (alone.passed, alone.failed, alone.running, alone.last_outcome) == (2, 1, 1, Outcome.FAILURE)
    last = database.read(lambda session: windows.of_pipeline(session, "ci", "web/deploy", 2))
    assert (last.passed, last.failed) == (1, 1)
    assert database.read(lambda session: windows.of_pipeline(session, "ci", "nowhere", EVER)) == NOTHING
    quiet = rolling(minutes(-1000), DAY)
    assert database.read(lambda session: windows.of_pipeline(session, "ci", "api", quiet)) == NOTHING


def test_an_empty_store_has_no_summaries(database: Database) -> None:
    assert database.read(lambda session: windows.by_pipeline(session, EVER)) == {}
    assert database.read(lambda session: windows.by_branch(session, EVER)) == {}
    assert database.read(lambda session: windows.by_label(session, "team", EVER)) == {}
    assert database.read(windows.last_outcomes) == {}


def test_the_last_outcome_of_a_pipeline_is_that_of_the_build_that_finished_last(database: Database) -> None:
    late = build(1, Outcome.FAILURE, finished_at=minutes(500))
    store(database, late, build(2), build(3, None), build(4, is_fork=True, finished_at=minutes(900)))
    assert database.read(windows.last_outcomes) == {("ci", "web/deploy"): (Outcome.FAILURE, minutes(500))}


def test_sqlite_answers_from_the_index_alone(sqlite_database: Database) -> None:
    statement = windows.SQLITE_TALLIES.format(start="?", counts=windows.COUNTS, only="", joins="", by="", group="")
    plan = sqlite_database.read(
        lambda session: session.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (1, 2)).all()
    )
    details = " / ".join(row[3] for row in plan)
    assert "COVERING INDEX builds_finished (pipeline_id=? AND finished_at>? AND finished_at<?)" in details
    assert "TEMP B-TREE" not in details


def test_the_index_holds_all_columns_of_the_query_on_postgresql(postgres_database: Database) -> None:
    store(postgres_database, *series("PF"))
    statement = windows.POSTGRESQL_TALLIES.format(
        start="1", counts=windows.COUNTS, only="", joins="", by="", group=""
    ).replace("?", "2")

    with postgres_database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(
            "VACUUM ANALYZE builds, pipelines"
        )  # else it depends on what tests before left there

    def plan(session: Session) -> Sequence[Any]:
        for other in ("seqscan", "bitmapscan"):
            session.execute(text(f"SET LOCAL enable_{other} = off"))
        return session.exec_driver_sql(f"EXPLAIN {statement}".replace("%", "%%")).all()

    shown = " / ".join(row[0] for row in postgres_database.read(plan))
    assert "Index Only Scan using builds_finished" in shown, shown


def test_the_counters_are_told_every_attempt_of_a_touched_build(database: Database) -> None:
    store(database, build(1, Outcome.FAILURE))
    changes = database.transact(
        lambda session: builds.upsert(session, [build(1, attempt=2), build(2, None)], verdict_of, NOON)
    )
    rows = database.read(lambda session: counted.touched(session, [change.build.id for change in changes]))
    told = {(each.running, each.outcome) for each in rows}
    assert told == {(False, None), (False, Outcome.SUCCESS), (True, None)}
    assert database.read(lambda session: counted.touched(session, [])) == []
