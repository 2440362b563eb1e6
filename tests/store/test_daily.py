from collections import Counter
from datetime import timedelta

import pytest

from domain.build import Outcome
from domain.window import Window
from store import awaited, builds, daily
from store.engine import Database
from tests.support.builders import NOON, build, minutes, pipeline
from tests.support.builders import builds as series
from tests.support.histories import History, verdict_of

EVER = Window(start=NOON - timedelta(days=400), end=NOON + timedelta(days=400))
JOB = pipeline("web/job", branched=False)


def store(database: Database, *some: object) -> list[int]:
    changes = database.transact(lambda session: builds.upsert(session, some, verdict_of, NOON))  # type: ignore[arg-type]
    return [change.id for change in changes]


def found(database: Database, window: Window = EVER) -> Counter[tuple[object, ...]]:
    groups = database.read(lambda session: daily.ended_in(session, window))
    tally: Counter[tuple[object, ...]] = Counter()
    for each in groups:
        where = each.stream, each.branch, each.trigger, tuple(sorted(each.labels.items()))
        tally[*where, "passed"] += each.passed
        tally[*where, "failed"] += each.failed
    return +tally


def test_builds_are_counted_by_what_decides_where_they_count(database: Database) -> None:
    store(
        database,
        *series("PPFUAR"),
        build(7, trigger="schedule", branch="dev"),
        build(8, labels={"cloud": "aws"}),
        build(9, labels={"cloud": "aws"}, outcome=Outcome.FAILURE),
        build(10, is_pull_request=True),
        build(11, pipeline=JOB, branch="topic"),
    )
    assert found(database) == {
        ("main", "main", "push", (), "passed"): 2,
        ("main", "main", "push", (), "failed"): 2,
        ("dev", "dev", "schedule", (), "passed"): 1,
        ("main", "main", "push", (("cloud", "aws"),), "passed"): 1,
        ("main", "main", "push", (("cloud", "aws"),), "failed"): 1,
        ("", "topic", "push", (), "passed"): 1,
    }


def test_long_labels_are_found_where_they_are_kept(database: Database) -> None:
    long = {f"label{number}": "x" * 200 for number in range(30)}
    store(database, build(1, labels=long))
    assert found(database) == {("main", "main", "push", tuple(sorted(long.items())), "passed"): 1}


def test_a_window_takes_its_start_and_not_its_end(database: Database) -> None:
    store(database, *series("PPP"))  # they end 15, 25 and 35 minutes after noon
    window = Window(start=minutes(15), end=minutes(35))
    assert sum(found(database, window).values()) == 2
    assert database.read(lambda session: daily.by_stream(session, window)) == {("ci", "web/deploy", "main"): (2, 0)}


def test_a_failure_that_awaits_a_rerun_has_not_settled(database: Database) -> None:
    _, failed = store(database, build(1), build(2, Outcome.FAILURE))
    database.transact(lambda session: awaited.mark(session, [failed]))
    assert found(database) == {("main", "main", "push", (), "passed"): 1}


@pytest.mark.parametrize("seed", range(3))
def test_both_ways_to_count_agree_on_random_histories(database: Database, seed: int) -> None:
    for page in History(seed, NOON).steps(30):
        store(database, *page)
    groups = database.read(lambda session: daily.ended_in(session, EVER))
    by_stream: dict[tuple[int, str], list[int]] = {}
    for group in groups:
        tally = by_stream.setdefault((group.pipeline_id, group.stream), [0, 0])
        tally[0] += group.passed
        tally[1] += group.failed
    streams = database.read(lambda session: daily.by_stream(session, EVER))
    assert sorted(map(tuple, by_stream.values())) == sorted(streams.values())
