from datetime import timedelta

from domain.build import Outcome
from store import builds
from store.durations import newest_passed
from store.engine import Database
from tests.support.builders import NOON, build, pipeline
from tests.support.builders import builds as series
from tests.support.histories import verdict_of


def store(database: Database, *some: object) -> None:
    database.transact(lambda session: builds.upsert(session, some, verdict_of, NOON))  # type: ignore[arg-type]


def test_the_newest_builds_that_passed_come_oldest_first_with_their_times(database: Database) -> None:
    queued = build(9, queued_at=build(9).started_at - timedelta(seconds=90))
    store(database, *series("PPFAPRP"), queued, build(10, branch="dev"), build(11, pipeline=pipeline("lib/x")))
    found = database.read(lambda session: newest_passed(session, "ci", "web/deploy", "main", limit=3))
    assert [(each.generation, each.number) for each in found] == [(0, 5), (0, 7), (0, 9)]
    assert [each.execution for each in found] == [300.0] * 3
    assert [each.queue for each in found] == [None, None, 90.0]
    assert found[-1].finished_at == queued.finished_at


def test_a_build_may_be_quicker_than_the_clocks_agree_and_a_rerun_has_not_waited(database: Database) -> None:
    early = build(1, queued_at=build(1).started_at + timedelta(seconds=1))
    first, again = build(2, Outcome.FAILURE), build(2, attempt=2, queued_at=NOON)
    unknown = build(3, started_at=None, finished_at=NOON + timedelta(hours=1))
    store(database, early, first, again, unknown)
    found = database.read(lambda session: newest_passed(session, "ci", "web/deploy", "main", limit=9))
    assert [(each.number, each.execution, each.queue) for each in found] == [
        (1, 300.0, 0.0),
        (2, 300.0, None),
        (3, None, None),
    ]


def test_of_what_is_not_known_there_is_nothing(database: Database) -> None:
    store(database, build(1))
    assert database.read(lambda session: newest_passed(session, "ci", "web/other", "main", limit=5)) == []
    assert database.read(lambda session: newest_passed(session, "ci", "web/deploy", "dev", limit=5)) == []
