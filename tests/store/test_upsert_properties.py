"""Whatever order builds arrive in, and however they are cut into pages, the rows are the same."""

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from domain.build import Build, Outcome, Verdict
from store import builds, streams
from store.engine import Database
from store.rows import BuildRow, Details
from store.schema import build_details, metadata
from store.schema import builds as table
from tests.store.test_builds import VERDICTS
from tests.support.builders import NOON, build

OUTCOMES = [Outcome.SUCCESS, Outcome.FAILURE, Outcome.CANCELLED, None]
Attempt = tuple[int, int, Sequence[Outcome | None]]

attempts = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.sampled_from(OUTCOMES)),
    min_size=1,
    max_size=9,
    unique_by=lambda each: each[:2],
)


def life(number: int, attempt: int, outcome: Outcome | None) -> list[Build]:
    """What polls see of one attempt, in order: it runs, it ends, its details are read."""
    changes: dict[str, Any] = {"attempt": attempt, "started_at": NOON}
    seen = [build(number, None, **changes)]
    if outcome is not None:
        seen += [build(number, outcome, **changes), build(number, outcome, reason="boom", **changes)]
    return seen


def interleaved(lives: Sequence[Sequence[Build]], random: Random) -> list[Build]:
    """All of them, each life in its own order."""
    order = [place for place, seen in enumerate(lives) for _ in seen]
    random.shuffle(order)
    following = [iter(seen) for seen in lives]
    return [next(following[place]) for place in order]


def verdict_of(build: Build) -> Verdict | None:
    return VERDICTS[build.outcome] if build.outcome is not None else None


def stored(database: Database) -> list[tuple[Any, ...]]:
    """All rows without their ids, which count arrivals."""
    names = [name for name in BuildRow._fields if not name.endswith("_id") or name == "external_id"]
    query = (
        select(*(table.c[name] for name in names), build_details.c.reason)
        .join_from(table, build_details, isouter=True)
        .order_by(table.c.external_id, table.c.attempt)
    )
    return database.read(lambda session: [tuple(row) for row in session.execute(query)])


def clear(database: Database) -> None:
    def empty(session: Any) -> None:
        for each in reversed(metadata.sorted_tables):
            if each.name != "alembic_version":
                session.execute(each.delete())

    database.transact(empty)


def upsert_in_pages(database: Database, seen: Sequence[Build], random: Random) -> None:
    rest = list(seen)
    while rest:
        size = random.randint(1, len(rest))
        page, rest = rest[:size], rest[size:]
        database.transact(lambda session, page=page: builds.upsert(session, page, verdict_of, NOON))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attempts=attempts, random=st.randoms(use_true_random=False))
def test_any_interleaving_leaves_the_same_rows(
    database: Database, attempts: list[tuple[int, int, Outcome | None]], random: Random
) -> None:
    lives = [life(*each) for each in attempts]
    found = []
    for _ in range(2):
        clear(database)
        upsert_in_pages(database, interleaved(lives, random), random)
        found.append(stored(database))
    assert found[0] == found[1]
    assert len(found[0]) == len(attempts)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attempts=attempts, random=st.randoms(use_true_random=False))
def test_a_tail_agrees_with_a_plain_reading_of_the_attempts(
    sqlite_database: Database, attempts: list[tuple[int, int, Outcome | None]], random: Random
) -> None:
    clear(sqlite_database)
    upsert_in_pages(sqlite_database, interleaved([life(*each) for each in attempts], random), random)
    expected = []
    for number in sorted({each[0] for each in attempts}):
        decided = sorted(
            (attempt, verdict)
            for which, attempt, outcome in attempts
            if which == number and outcome is not None and (verdict := VERDICTS[outcome]) is not Verdict.NEUTRAL
        )
        if decided:
            attempt, verdict = decided[-1]
            failed_before = any(each == Verdict.FAILED for _, each in decided[:-1])
            expected.append((number, attempt, verdict, verdict is Verdict.PASSED and failed_before))
    tail = sqlite_database.read(lambda session: streams.tail(session, "ci", "web/deploy", "main"))
    assert [(each.number, each.attempt, each.verdict, each.flaky) for each in tail] == expected


def test_rows_have_the_columns_of_their_tables() -> None:
    assert [column.name for column in table.columns] == ["id", *BuildRow._fields]
    assert [column.name for column in build_details.columns] == ["build_id", *Details._fields]
