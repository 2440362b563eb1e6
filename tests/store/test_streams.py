from datetime import timedelta

from domain.build import Outcome, Status
from domain.timed import Timed
from store import builds
from store.engine import Database, Session
from store.streams import met, pasts
from tests.support.builders import NOON, build, pipeline
from tests.support.builders import builds as series
from tests.support.histories import verdict_of


def store(database: Database, *some: object) -> None:
    database.transact(lambda session: builds.upsert(session, some, verdict_of, NOON))  # type: ignore[arg-type]


MAIN, DEV, OTHER = ("ci", "web/deploy", "main"), ("ci", "web/deploy", "dev"), ("ci", "lib/x", "main")


def newest_passed(session: Session, most: int) -> list[Timed]:
    return pasts(session, [MAIN])[MAIN].passed(most)


def test_the_newest_builds_that_passed_come_oldest_first_with_their_times(database: Database) -> None:
    queued = build(9, queued_at=build(9).started_at - timedelta(seconds=90))
    store(database, *series("PPFAPRP"), queued, build(10, branch="dev"), build(11, pipeline=pipeline("lib/x")))
    found = database.read(lambda session: newest_passed(session, most=3))
    assert [(each.generation, each.number) for each in found] == [(0, 5), (0, 7), (0, 9)]
    assert [each.execution for each in found] == [300.0] * 3
    assert [each.queue for each in found] == [None, None, 90.0]
    assert found[-1].finished_at == queued.finished_at


def test_a_build_may_be_quicker_than_the_clocks_agree_and_a_rerun_has_not_waited(database: Database) -> None:
    early = build(1, queued_at=build(1).started_at + timedelta(seconds=1))
    first, again = build(2, Outcome.FAILURE), build(2, attempt=2, queued_at=NOON)
    unknown = build(3, started_at=None, finished_at=NOON + timedelta(hours=1))
    store(database, early, first, again, unknown)
    found = database.read(lambda session: newest_passed(session, most=9))
    assert [(each.number, each.execution, each.queue) for each in found] == [
        (1, 300.0, 0.0),
        (2, 300.0, None),
        (3, None, None),
    ]


def test_the_past_of_many_streams_is_read_at_once(database: Database) -> None:
    others = [build(1, pipeline=pipeline("lib/x")), build(2, Outcome.FAILURE, pipeline=pipeline("lib/x"))]
    store(database, *series("PFP"), build(7, branch="dev"), *others)
    unknown = ("ci", "web/other", "main"), ("ci", "web/deploy", "nowhere")
    found = database.read(lambda session: pasts(session, [OTHER, *unknown, MAIN, DEV], limit=2))
    assert {place: [each.number for each in past.tail()] for place, past in found.items()} == {
        OTHER: [1, 2],
        MAIN: [2, 3],
        DEV: [7],
        **{key: [] for key in unknown},
    }
    assert [each.number for each in found[OTHER].passed(5)] == [1]
    assert database.read(lambda session: pasts(session, [])) == {}


def test_a_stream_is_met_that_has_older_builds(database: Database) -> None:
    store(database, build(1), build(2, branch="dev", outcome=Outcome.CANCELLED))
    store(database, build(3, pipeline=pipeline("lib/x"), status=Status.RUNNING, outcome=None, finished_at=None))
    store(database, build(4))
    everything = {MAIN: 4, DEV: 4, OTHER: 4, ("ci", "web/other", "main"): 4}
    assert database.read(lambda session: met(session, everything)) == {MAIN, OTHER}
    assert database.read(lambda session: met(session, {MAIN: 1, OTHER: 3})) == set()
    assert database.read(lambda session: met(session, {})) == set()
