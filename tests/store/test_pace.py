from collections.abc import Sequence
from datetime import timedelta

import pytest

from alerts.verdict import verdict_of
from domain.build import Build, Outcome, Status, Verdict
from store import builds, pace, pipelines
from store.engine import Database
from tests.support.builders import NOON, build, minutes, pipeline
from tests.support.builders import builds as built


@pytest.fixture
def stored(database: Database) -> Database:
    """Ten minutes apart on main; one on next, by schedule; a fork's; one that waits for its start."""
    odd = [
        build(20, branch="next", trigger="schedule", queued_at=minutes(190)),
        build(21, is_fork=True),
        build(22, None, status=Status.QUEUED, queued_at=minutes(230), started_at=None, raw_outcome="waiting"),
        build(23, None, status=Status.RUNNING, started_at=None),
        build(24, None, pipeline=pipeline("web/other")),
    ]
    put(database, [*built("PPFAP"), *odd])
    return database


def put(database: Database, given: Sequence[Build]) -> None:
    database.transact(lambda session: builds.upsert(session, given, verdict_of, NOON))


def number_of(database: Database, key: str = "web/deploy") -> int:
    found = database.read(lambda session: pipelines.find(session, [("ci", key)]))
    return found["ci", key].id


def test_builds_begin_when_they_are_queued_in_streams_only(stored: Database) -> None:
    ours = number_of(stored)
    found = stored.read(lambda session: pace.begun(session, ours, NOON))
    assert [each.number for each in found] == [1, 2, 3, 4, 5, 20, 22]
    assert [each.at for each in found[-3:]] == [minutes(50), minutes(190), minutes(230)]
    assert (found[-2].stream, found[-2].branch, found[-2].trigger) == ("next", None, "schedule")


def test_of_builds_the_newest_are_read_and_none_from_before(stored: Database) -> None:
    ours = number_of(stored)
    assert [each.number for each in stored.read(lambda s: pace.begun(s, ours, NOON, limit=2))] == [5, 20, 22]
    assert [each.number for each in stored.read(lambda s: pace.begun(s, ours, minutes(191)))] == [22]


def test_what_waits_or_runs_is_listed_when_it_is_known_since_when(stored: Database) -> None:
    everything = stored.read(pace.going_on)
    assert [(each.number, each.status, each.since, each.raw) for each in everything] == [
        (22, Status.QUEUED, minutes(230), "waiting"),
        (24, Status.RUNNING, minutes(240), None),
    ]
    other = number_of(stored, "web/other")
    assert [each.number for each in stored.read(lambda s: pace.going_on(s, [other]))] == [24]
    assert stored.read(lambda s: pace.going_on(s, [])) == []


def test_durations_are_those_of_builds_that_passed(stored: Database) -> None:
    ours = number_of(stored)
    put(stored, [build(30, finished_at=minutes(300) + timedelta(seconds=7))])
    assert stored.read(lambda s: pace.passed_durations(s, ours, "main")) == [7, 300, 300, 300]
    assert stored.read(lambda s: pace.passed_durations(s, ours, "main", limit=1)) == [7]
    assert stored.read(lambda s: pace.passed_durations(s, ours, "nowhere")) == []


def test_ended_builds_come_in_the_order_of_the_provider_neutral_ones_too(stored: Database) -> None:
    ours = number_of(stored)
    put(stored, [build(6, Outcome.SKIPPED, raw_outcome=None, started_at=minutes(1))])
    found = stored.read(lambda s: pace.newest_ended(s, ours, "main", 3))
    assert [(each.number, each.verdict, each.word) for each in found] == [
        (4, Verdict.NEUTRAL, "CANCELLED"),
        (5, Verdict.PASSED, "SUCCESS"),
        (6, Verdict.NEUTRAL, "skipped"),
    ]


def test_how_builds_ended_is_known_of_those_that_have(stored: Database) -> None:
    ids = {each.build.number: each.build.id for each in stored.read(lambda s: builds.recent(s, limit=99))}
    named = [ids[1], ids[3], ids[22]]
    found = stored.read(lambda s: pace.how_ended(s, [each for each in named if each is not None]))
    assert found == {ids[1]: ("success", 300), ids[3]: ("failure", 300)}
