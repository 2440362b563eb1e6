from datetime import timedelta

import pytest

from alerts.verdict import verdict_of
from domain.build import Build, Outcome, Verdict
from domain.measurement import BUILT_IN, built_in
from domain.testreport import TestReport
from store import builds as stored
from store import measurements, pipelines
from store.database import Database
from store.retention import Keep, prune
from tests.support.builders import NOON, build, builds, minutes, pipeline

EVER = NOON + timedelta(days=1)


def put(database: Database, *given: Build) -> list[int]:
    changes = database.transact(lambda session: stored.upsert(session, given, verdict_of, NOON))
    return [change.id for change in changes]


def number(database: Database, key: str = "web/deploy") -> int:
    return database.read(lambda session: pipelines.find(session, [("ci", key)])["ci", key].id)


def values(database: Database, name: str, stream: str | None = None) -> list[float]:
    owner = number(database)
    found = database.read(lambda session: measurements.history(session, owner, name, NOON, EVER, stream=stream))
    return [each.value for each in found]


def test_a_figure_has_a_history_in_the_order_of_the_ends(database: Database) -> None:
    ids = put(database, *builds("PFPP"))
    for place, each in enumerate(ids):
        database.transact(
            lambda session, each=each, place=place: measurements.record(session, each, {"coverage": 80 + place})
        )
    owner = number(database)
    found = database.read(lambda session: measurements.history(session, owner, "coverage", minutes(25), minutes(45)))
    assert [(each.build_id, each.finished_at, each.value, each.verdict, each.stream) for each in found] == [
        (ids[1], minutes(25), 81.0, Verdict.FAILED, "main"),
        (ids[2], minutes(35), 82.0, Verdict.PASSED, "main"),
    ]


def test_what_is_recorded_again_replaces_what_was_known(database: Database) -> None:
    (only,) = put(database, build())
    assert database.transact(lambda session: measurements.record(session, only, {"a": 1, "b": 2})) == []
    database.transact(lambda session: measurements.record(session, only, {"b": 3}))
    assert database.read(lambda session: measurements.of_builds(session, [only, 99])) == {only: {"a": 1, "b": 3}}
    assert database.read(lambda session: measurements.names(session, number(database))) == ["a", "b"]


def test_a_stored_build_shows_its_figures(database: Database) -> None:
    (only,) = put(database, build())
    database.transact(lambda session: measurements.record(session, only, {"coverage": 81.5}))
    assert database.read(lambda session: stored.get(session, [only]))[only].build.measurements == {"coverage": 81.5}


def test_neutral_builds_superseded_attempts_and_pull_requests_have_no_place_in_a_history(database: Database) -> None:
    again = build(2, Outcome.SUCCESS, attempt=2, started_at=minutes(40))
    put(database, *builds("PFA"), again, build(5, is_pull_request=True), build(6, is_fork=True))
    assert values(database, "duration_seconds") == [300, 300]


def test_a_history_may_be_that_of_one_branch(database: Database) -> None:
    put(database, build(1), build(2, branch="next", finished_at=minutes(21)))
    assert values(database, "duration_seconds", "next") == [60]
    assert values(database, "duration_seconds", "gone") == []
    assert values(database, "duration_seconds") == [300, 60]


def test_built_in_figures_are_told_by_the_builds_themselves(database: Database) -> None:
    tests = TestReport(passed=5, failed=2, skipped=1)
    full = build(1, Outcome.FAILURE, queued_at=minutes(9.5), tests=tests)
    hasty = build(2, queued_at=minutes(21))  # clocks disagree
    put(database, full, hasty, build(3))
    told = {name: values(database, name) for name in BUILT_IN}
    assert told == {
        "duration_seconds": [300, 300, 300],
        "queue_seconds": [30, 0],
        "tests_total": [8],
        "tests_passed": [5],
        "tests_failed": [2],
        "tests_skipped": [1],
    }
    assert {name: each[:1] for name, each in told.items()} == {name: [value] for name, value in built_in(full).items()}


def test_a_figure_of_a_file_never_passes_for_a_built_in_one(database: Database) -> None:
    (only,) = put(database, build())
    left_out = database.transact(lambda session: measurements.record(session, only, {"duration_seconds": 1, "size": 2}))
    assert list(left_out) == ["duration_seconds"]
    assert values(database, "duration_seconds") == [300]
    assert values(database, "size") == [2]


def test_an_unknown_figure_or_build_has_nothing(database: Database) -> None:
    put(database, build())
    assert values(database, "coverage") == []
    assert list(database.transact(lambda session: measurements.record(session, 99, {"a": 1}))) == ["a"]
    assert database.read(lambda session: measurements.of_builds(session, [])) == {}


def test_names_are_bounded_and_those_known_still_count(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "MOST_NAMES", 2)
    first, second = put(database, *builds("PP"))
    database.transact(lambda session: measurements.record(session, first, {"a": 1, "b": 2, "c": 3}))
    left_out = database.transact(lambda session: measurements.record(session, second, {"d": 4, "b": 5}))
    assert list(left_out) == ["d"]
    assert values(database, "b") == [2, 5]
    assert values(database, "c") == []


def test_figures_go_with_their_builds_and_names_with_their_figures(database: Database) -> None:
    old, new = put(database, build(1), build(2, pipeline=pipeline("other"), started_at=NOON + timedelta(days=300)))
    database.transact(lambda session: measurements.record(session, old, {"a": 1}))
    database.transact(lambda session: measurements.record(session, new, {"b": 1}))
    prune(database, Keep(builds=timedelta(days=200)), NOON + timedelta(days=301))
    assert database.read(measurements.count) == 1
    assert database.read(lambda session: measurements.names(session, number(database))) == []
    assert database.read(lambda session: measurements.names(session, number(database, "other"))) == ["b"]
