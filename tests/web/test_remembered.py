"""What is remembered of the store is what the store says, whatever changed in between and however time passes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain.build import Build, Outcome
from domain.window import Window
from metrics.windows import rolling
from store import (
    browsing,
    builds,
    daily,
    details,
    label_standings,
    measurements,
    pipelines,
    retention,
    window_counts,
    window_groups,
)
from store.browsing import Wanted
from store.buckets import Assigned, assign
from store.details import Findings
from store.engine import Database, Session
from store.retention import Keep
from tests.store.test_upsert_properties import clear
from tests.support.builders import NOON, build, pipeline
from tests.support.reports import read, stored
from web.reading import newest
from web.reading.days import before, last_days
from web.reading.digests import Digesting
from web.reading.kept import AT_ONCE
from web.reading.newest import MOST_VIEWS
from web.reading.overview import Asked, overview
from web.reading.remembered import ALL_TIME, BUILDS, MOST, Remembered
from web.reading.summaries import build_summary, run_summary
from web.settings import Settings

HOUR = timedelta(hours=1)
NOW, BEFORE = Window(start=NOON, end=NOON + HOUR), Window(start=NOON - HOUR, end=NOON)
SPANS = (HOUR, 2 * HOUR)
OWNERS = [pipeline(name, labels={"cloud": name}) for name in "abc"]
QUESTIONS = (window_counts.ended, window_groups.groups, label_standings.standings, daily.streams)
SETTINGS = Settings(host="127.0.0.1", port=8080, zone=ZoneInfo("UTC"), day_starts_at=time(12))
OUTCOMES = [Outcome.SUCCESS, Outcome.FAILURE, Outcome.CANCELLED, None]

Act = Callable[[Database, list[int]], object]


def anything(remembered: Remembered, session: Session, now: datetime) -> dict[str, Any]:
    """Everything that is remembered."""
    found: dict[str, Any] = {}
    for question in QUESTIONS:
        for window in (NOW, BEFORE, ALL_TIME):
            found[f"{question} {window}"] = remembered.window(session, question, window)
        for span in SPANS:
            found[f"{question} {span}"] = remembered.rolling(session, question, span, now)
    found |= {f"page {limit}": remembered.page(session, Wanted(), limit=limit) for limit in (1, 3, 50)}
    days = last_days(now, SETTINGS)
    for labels in ({}, {"cloud": "a"}):
        asked = Asked(days[-1], days, before(days[-1], SETTINGS), None, labels, now)
        found[f"overview {labels}"] = overview(session, remembered, asked)
    found["last"], found["unfinished"] = remembered.last_ended(session), remembered.unfinished(session)
    found["pipelines"] = remembered.pipelines(session)
    found["by id"], found["by key"] = remembered.pipelines_by_id(session), remembered.pipelines_by_key(session)
    found["runs"] = run_summary(session, remembered, now, 60)
    found["builds"] = build_summary(session, remembered, "2h", rolling(now, 2 * HOUR))
    return found


def plain(session: Session, now: datetime) -> dict[str, Any]:
    """What of it the store says by itself."""
    found: dict[str, Any] = {}
    for question in QUESTIONS:
        for window in (NOW, BEFORE, ALL_TIME):
            found[f"{question} {window}"] = question(session, window)
        for span in SPANS:
            found[f"{question} {span}"] = question(session, rolling(now, span))
    found |= {f"page {limit}": browsing.page(session, Wanted(), limit=limit) for limit in (1, 3, 50)}
    found["last"], found["unfinished"] = window_counts.last_ended(session), window_counts.unfinished(session)
    found["pipelines"] = pipelines.all(session)
    return found


ends = st.integers(-3 * 60, 90).map(lambda count: timedelta(minutes=count))


@st.composite
def puts(draw: st.DrawFn) -> Act:
    """A build is seen: new, again with another end, running again, or as another attempt."""
    end, outcome = NOON + draw(ends), draw(st.sampled_from(OUTCOMES))
    seen = build(
        draw(st.integers(1, 6)),
        outcome,
        pipeline=draw(st.sampled_from(OWNERS)),
        attempt=draw(st.integers(1, 2)),
        branch=draw(st.sampled_from(["main", "dev"])),
        is_pull_request=draw(st.integers(0, 5)) == 0,
        labels=draw(st.sampled_from([{}, {"cloud": "x"}])),
        started_at=end - timedelta(minutes=1),
        finished_at=None if outcome is None else end,
    )
    return lambda database, ids: ids.extend(stored(database, seen))


@st.composite
def tellings(draw: st.DrawFn) -> Act:
    """More is known of a build."""
    bucket, place, what = draw(st.sampled_from(["net", "disk"])), draw(st.integers(0, 20)), draw(st.integers(0, 3))

    def tell(session: Session, number: int) -> None:
        if not builds.get(session, [number]):
            return  # it has been pruned
        if what == 0:
            details.save(session, number, Findings(bucket=bucket, labels={"cloud": bucket}))
        elif what == 1:
            assign(session, [Assigned(build_id=number, bucket=bucket, kind=None, reason=None)])
        else:
            measurements.record(session, number, {"size": place})

    def act(database: Database, ids: list[int]) -> None:
        if ids and what < 3:
            database.transact(lambda session: tell(session, ids[place % len(ids)]))
        elif ids:
            read(database, ids[place % len(ids)], "PF")

    return act


@st.composite
def renamings(draw: st.DrawFn) -> Act:
    """Pipelines get other labels or keys, or are gone."""
    owner, what = draw(st.sampled_from(OWNERS)), draw(st.integers(0, 2))

    def unit(session: Session) -> None:
        if what == 0:
            pipelines.remember(session, [replace(owner, labels={"cloud": "z"})], NOON)
        elif what == 1:
            pipelines.rename(session, "ci", owner.key, owner.key + "2")
        else:
            pipelines.set_missing(session, "ci", [owner.key], NOON)

    return lambda database, _: database.transact(unit)


prunings = st.integers(0, 4).map(
    lambda hours: lambda database, _: retention.prune(database, Keep(builds=hours * HOUR, logs=HOUR), NOON)
)
steps = st.lists(
    st.tuples(
        puts() | puts() | tellings() | renamings() | prunings,
        st.integers(-5, 50).map(lambda count: timedelta(minutes=count)),  # that pass
        st.booleans(),  # whether anybody asks
    ),
    min_size=2,
    max_size=14,
)


@settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps)
def test_what_is_remembered_is_what_the_store_says(
    database: Database, steps: list[tuple[Act, timedelta, bool]]
) -> None:
    clear(database)
    remembered, now, ids = Remembered(), NOON, []
    for act, passing, is_asked in steps:
        act(database, ids)
        now += passing
        if is_asked:
            found = database.read(lambda session, now=now: anything(remembered, session, now))
            anew = database.read(lambda session, now=now: anything(Remembered(), session, now))
            says = database.read(lambda session, now=now: plain(session, now))
            assert found == anew
            assert {name: found[name] for name in says} == says


def ended(number: int, at: timedelta, outcome: Outcome = Outcome.FAILURE, **changes: Any) -> Build:
    return build(number, outcome, started_at=NOON + at, finished_at=NOON + at, **changes)


def test_what_changes_far_below_the_newest_that_are_known_is_not_taken_for_one_of_them(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest, "MOST_ENDS", 4)
    stored(database, *[ended(number, number * HOUR / 10) for number in range(1, 9)])
    remembered = Remembered()

    def pages(session: Session, limit: int) -> None:
        assert remembered.page(session, Wanted(), limit=limit) == browsing.page(session, Wanted(), limit=limit)

    database.read(lambda session: pages(session, 3))
    goes_on = [build(number, None, started_at=NOON + HOUR) for number in (7, 8)]
    stored(database, *goes_on, *[ended(number, number * HOUR / 10, title="new") for number in (1, 2)])
    for limit in (5, 4, 1, 2, 3):
        database.read(lambda session, limit=limit: pages(session, limit))


class Counting:
    """A question, and of which pipelines each window was asked for."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.kept = Remembered()
        self.asked: list[tuple[Window, set[int] | None]] = []

    def question(self, session: Session, window: Window, only: Any = None) -> Mapping[int, window_counts.Counts]:
        """How builds ended."""
        self.asked.append((window, None if only is None else set(only)))
        return window_counts.ended(session, window, only)

    def failed(self, window: Window) -> int:
        """How many have failed, as it is remembered."""
        found = self.database.read(lambda session: self.kept.window(session, self.question, window))
        return sum(each.failed for each in found.values())

    def rolling(self, now: datetime) -> int:
        """The same of the last hour."""
        found = self.database.read(lambda session: self.kept.rolling(session, self.question, HOUR, now))
        return sum(each.failed for each in found.values())


def test_a_window_is_asked_for_once_and_then_only_the_pipelines_that_change(database: Database) -> None:
    stored(database, ended(1, -HOUR / 2), ended(2, HOUR / 2), ended(9, HOUR / 2, pipeline=OWNERS[0]))
    counting = Counting(database)
    assert [counting.failed(NOW), counting.failed(NOW), counting.failed(BEFORE)] == [2, 2, 1]
    stored(database, ended(3, HOUR / 3))
    assert [counting.failed(NOW), counting.failed(BEFORE)] == [3, 1]
    assert counting.asked == [(NOW, None), (BEFORE, None), (NOW, {1})]


def test_a_rerun_changes_the_window_of_the_attempt_before_it_too(database: Database) -> None:
    stored(database, ended(1, -HOUR / 2))
    counting = Counting(database)
    assert [counting.failed(NOW), counting.failed(BEFORE)] == [0, 1]
    stored(database, ended(1, HOUR / 2, attempt=2))
    assert [counting.failed(NOW), counting.failed(BEFORE)] == [1, 0]


def test_a_build_that_goes_on_again_leaves_the_window_in_which_it_had_ended(database: Database) -> None:
    stored(database, ended(1, -HOUR / 2))
    counting = Counting(database)
    assert counting.failed(BEFORE) == 1
    stored(database, build(1, None, started_at=NOON + HOUR))
    assert counting.failed(BEFORE) == 0


def test_a_window_that_moves_on_asks_for_those_that_turn_and_no_others(database: Database) -> None:
    stored(database, ended(1, -HOUR / 2), ended(2, -HOUR / 4, pipeline=OWNERS[0]), ended(3, HOUR, pipeline=OWNERS[1]))
    counting = Counting(database)
    assert [counting.rolling(NOON), counting.rolling(NOON + HOUR / 4)] == [2, 2]
    assert counting.rolling(NOON + HOUR / 2) == 2  # still in it, to the millisecond
    assert counting.rolling(NOON + HOUR / 2 + timedelta(milliseconds=1)) == 1
    assert [counting.rolling(NOON + HOUR), counting.rolling(NOON + HOUR + timedelta(milliseconds=1))] == [0, 1]
    assert [None if only is None else len(only) for _, only in counting.asked] == [None, 1, 1, 1]


def test_those_who_come_together_are_told_of_the_same_moment(database: Database) -> None:
    stored(database, ended(1, -HOUR))
    counting = Counting(database)
    later = NOON + timedelta(milliseconds=1)
    assert counting.rolling(later) == 0
    assert counting.rolling(later - AT_ONCE) == 0
    assert counting.rolling(later - AT_ONCE - timedelta(milliseconds=1)) == 1  # the clock was set back


def test_who_began_before_a_change_gives_nothing_that_others_are_told(database: Database) -> None:
    stored(database, ended(1, HOUR / 2), build(2, None))
    kept = Remembered()

    def begun(session: Session) -> None:
        kept.unfinished(session)
        stored(database, ended(3, HOUR / 2), build(4, None))
        database.read(kept.pipelines)
        anything(kept, session, NOON + HOUR)

    database.read(begun)
    found = database.read(lambda session: anything(kept, session, NOON + HOUR))
    assert found == database.read(lambda session: anything(Remembered(), session, NOON + HOUR))


def test_too_many_changes_forget_everything(database: Database) -> None:
    counting = Counting(database)
    counting.failed(NOW)
    stored(database, *[ended(number, -3 * HOUR) for number in range(1, 700)])
    counting.failed(NOW)
    stored(database, *[ended(number, HOUR / 2) for number in range(701, 1300)])
    assert counting.failed(NOW) == 599
    assert counting.asked[0][1] is None


def test_only_so_many_windows_and_builds_are_kept(database: Database) -> None:
    ids = stored(database, *[ended(number, HOUR / 2) for number in range(1, MOST_VIEWS + 50)])
    counting = Counting(database)
    counting.failed(NOW)
    for number in range(1, MOST + 1):
        counting.failed(Window(start=NOON + number * HOUR, end=NOON + 2 * number * HOUR + HOUR))
    counting.failed(NOW)
    assert [window for window, _ in counting.asked].count(NOW) == 2
    found = database.read(lambda session: counting.kept.builds(session, ids))
    assert found == database.read(lambda session: builds.get(session, ids))
    assert len(counting.kept._newest._views) == MOST_VIEWS


def test_a_value_lasts_until_something_of_its_kinds_changes(database: Database) -> None:
    kept, made = Remembered(), []
    stored(database, ended(1, HOUR))

    def ask() -> None:
        database.read(lambda session: kept.value(session, "all", BUILDS, lambda _: made.append(1)))

    ask()
    ask()
    stored(database, build(2, None))
    ask()
    assert len(made) == 2


def test_a_digest_takes_away_what_it_was_given(database: Database) -> None:
    stored(database, ended(1, HOUR / 2), ended(2, HOUR / 2, Outcome.SUCCESS, pipeline=OWNERS[0]))
    found = database.read(lambda session: window_groups.groups(session, NOW))
    folded = Digesting()
    for each in found.values():
        folded.add(each)
    assert folded.result().tally.total == 2
    for each in found.values():
        folded.take(each)
    assert folded.result() == Digesting().result()
