from collections.abc import Mapping

from domain.build import Build, Outcome
from domain.window import Window
from store import builds, daily, details, digest, windows
from store.database import Database
from store.details import Findings
from tests.support.builders import NOON, build, minutes, pipeline
from tests.support.histories import verdict_of

EVER = Window(start=NOON, end=minutes(10_000))


def put(database: Database, *some: Build) -> list[int]:
    changes = database.transact(lambda session: builds.upsert(session, some, verdict_of, NOON))
    return [change.id for change in changes]


def find(database: Database, build_id: int, labels: Mapping[str, str]) -> None:
    database.transact(lambda session: details.save(session, build_id, Findings(labels=labels)))


def test_labels_that_details_told_count_like_those_that_came_with_the_build(database: Database) -> None:
    core = pipeline("nsp/core", labels={"module": "core", "cloud": "none"})
    first, second, third, _ = put(
        database,
        build(1, Outcome.FAILURE, pipeline=core, labels={"cloud": "blr-cloud4"}),
        build(2, pipeline=core),
        build(3, labels={"cloud": "blr-cloud4", "long": "x" * 3000}),
        build(4, None, pipeline=core),
    )
    find(database, first, {"runner": "agent-7"})
    find(database, second, {"cloud": "blr-cloud4"})
    find(database, third, {"cloud": "blr-cloud5"})
    by_cloud = database.read(lambda session: windows.by_label(session, "cloud", EVER))
    assert {value: (each.passed, each.failed, each.running) for value, each in by_cloud.items()} == {
        "blr-cloud4": (1, 1, 0),
        "blr-cloud5": (1, 0, 0),
        "none": (0, 0, 1),
    }
    assert set(database.read(lambda session: windows.by_label(session, "runner", EVER))) == {"agent-7"}
    counted = database.read(lambda session: digest.label_counts(session, EVER))
    grouped = database.read(lambda session: daily.ended_in(session, EVER))
    for found in (counted, grouped):
        assert sorted((each.labels.get("cloud"), each.passed, each.failed) for each in found) == [  # type: ignore[attr-defined]
            ("blr-cloud4", 0, 1),
            ("blr-cloud4", 1, 0),
            ("blr-cloud5", 1, 0),
        ]


def test_what_only_failed_builds_tell_is_no_dimension_of_rates(database: Database) -> None:
    (failed,) = put(database, build(1, Outcome.FAILURE))
    find(database, failed, {"runner": "agent-7"})
    [counted] = database.read(lambda session: digest.label_counts(session, EVER))
    [grouped] = database.read(lambda session: daily.ended_in(session, EVER))
    assert counted.labels == grouped.labels == {}
