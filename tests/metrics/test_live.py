"""Live windows: always what SQL says, whatever happens to builds and to the clock."""

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from domain.build import Build, Outcome, Verdict
from domain.counted import Counted
from domain.window import Summary
from metrics.live import DAY, WEEK, Live
from metrics.windows import rolling
from store import builds, counted, windows
from store.engine import Database, Session
from tests.support.builders import NOON, minutes
from tests.support.histories import History, verdict_of

WEB, API = ("ci", "web"), ("ci", "api")
NOTHING = Summary(total=0, passed=0, failed=0, neutral=0, running=0)
OUTCOMES = {Verdict.PASSED: Outcome.SUCCESS, Verdict.FAILED: Outcome.FAILURE, Verdict.NEUTRAL: Outcome.CANCELLED}


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def finished(
    build_id: int,
    at: datetime,
    verdict: Verdict = Verdict.PASSED,
    seconds: float | None = 60,
    pipeline: tuple[str, str] = WEB,
) -> Counted:
    duration = None if seconds is None else round(seconds * 1000)
    return Counted(
        build_id,
        pipeline,
        running=False,
        verdict=verdict,
        outcome=OUTCOMES[verdict],
        finished_at=milliseconds(at),
        duration=duration,
    )


def running(build_id: int) -> Counted:
    return Counted(build_id, WEB, running=True)


def void(build_id: int) -> Counted:
    return Counted(build_id, WEB, running=False)


def stored(database: Database, page: Sequence[Build], now: datetime) -> list[Counted]:
    def commit(session: Session) -> list[Counted]:
        changes = builds.upsert(session, page, verdict_of, now)
        return counted.touched(session, [change.build.id for change in changes if change.build.id is not None])

    return database.transact(commit)


def fed(*rows: Counted, now: datetime = NOON) -> Live:
    live = Live()
    live.rebuild(rows, now)
    return live


def happened(live: Live, span: timedelta, now: datetime) -> dict[tuple[str, str], Summary]:
    return {key: each for key, each in live.summaries(span, now).items() if each != NOTHING}


@pytest.mark.parametrize("seed", range(6))
def test_after_every_commit_the_counters_say_what_sql_says(sqlite_database: Database, seed: int) -> None:
    history, live = History(seed, NOON), Live()
    for page in history.steps(60):
        live.apply(stored(sqlite_database, page, history.now), history.now)
        for span in (DAY, WEEK):
            window = rolling(history.now, span)
            by_sql = sqlite_database.read(lambda session, window=window: windows.by_pipeline(session, window))
            assert happened(live, span, history.now) == by_sql


@pytest.mark.parametrize("seed", range(3))
def test_counters_rebuilt_from_the_store_are_those_that_were_lost(sqlite_database: Database, seed: int) -> None:
    history, live = History(seed, NOON), Live()
    for page in history.steps(40):
        live.apply(stored(sqlite_database, page, history.now), history.now)
    rebuilt = Live()
    start = history.now - WEEK
    rebuilt.rebuild(sqlite_database.read(lambda session: list(counted.since(session, start))), history.now)
    for later in (timedelta(0), timedelta(hours=5), timedelta(days=3), timedelta(days=30)):
        for span in (DAY, WEEK):
            assert happened(rebuilt, span, history.now + later) == happened(live, span, history.now + later)


def test_a_build_leaves_the_day_and_then_the_week() -> None:
    live = fed(finished(1, NOON))
    instant = timedelta(milliseconds=1)
    assert live.summary(WEB, DAY, NOON).total == 0  # the end of a window does not belong to it
    assert live.summary(WEB, DAY, NOON + DAY).total == 1
    assert live.summary(WEB, DAY, NOON + DAY + instant).total == 0
    assert live.summary(WEB, WEEK, NOON + WEEK).total == 1
    assert live.summary(WEB, WEEK, NOON + WEEK + instant) == NOTHING


def test_a_running_build_finishes() -> None:
    live = fed(running(1))
    assert (live.summary(WEB, DAY, NOON).running, live.summary(WEB, DAY, NOON).total) == (1, 1)
    live.apply([finished(1, NOON, Verdict.FAILED, seconds=30)], NOON)
    summary = live.summary(WEB, DAY, minutes(1))
    assert (summary.running, summary.failed, summary.duration_p50) == (0, 1, 30)
    assert summary.last_outcome is Outcome.FAILURE


def test_a_finished_build_that_runs_again_takes_its_verdict_back() -> None:
    live = fed(finished(1, NOON), finished(2, minutes(1), Verdict.FAILED))
    live.apply([running(2)], minutes(2))
    summary = live.summary(WEB, DAY, minutes(3))
    assert (summary.passed, summary.failed, summary.running, summary.last_outcome) == (1, 0, 1, Outcome.SUCCESS)


def test_a_superseded_build_counts_no_more() -> None:
    live = fed(finished(1, NOON, Verdict.FAILED))
    live.apply([void(1), finished(2, minutes(1))], minutes(2))
    assert live.summary(WEB, DAY, minutes(2)).success_rate == 1


def test_the_same_row_twice_counts_once() -> None:
    live = fed(finished(1, NOON), finished(1, NOON))
    assert live.summary(WEB, DAY, minutes(1)).total == 1


def test_percentiles_are_exact_and_know_decided_builds_only() -> None:
    rows = [finished(number, minutes(number), seconds=number) for number in range(1, 102)]
    rows += [finished(200, minutes(1), Verdict.NEUTRAL, 9999), finished(201, minutes(1), Verdict.PASSED, None)]
    summary = fed(*rows, now=minutes(200)).summary(WEB, DAY, minutes(200))
    assert (summary.duration_p50, summary.duration_p95, summary.duration_mean) == (51, 96, 51)
    assert (summary.passed, summary.neutral) == (102, 1)


def test_a_clock_that_goes_back_hides_what_has_not_happened_yet() -> None:
    live = fed(*(finished(number, NOON + number * timedelta(hours=6)) for number in range(8)), now=NOON + 2 * DAY)
    forward = [live.summary(WEB, DAY, NOON + timedelta(hours=hours)).total for hours in range(0, 60, 3)]
    back = [live.summary(WEB, DAY, NOON + timedelta(hours=hours)).total for hours in reversed(range(0, 60, 3))]
    assert back == forward[::-1]
    assert max(forward) == 4


def test_all_summaries_follow_the_clock_wherever_it_goes() -> None:
    rows = [
        finished(number, NOON + number * timedelta(hours=5), pipeline=(WEB, API)[number % 2]) for number in range(9)
    ]
    live = fed(*rows, now=NOON + 2 * DAY)
    for hours in (0, 1, 6, 30, 60, 12, 3, 200, 50, 49):
        now = NOON + timedelta(hours=hours)
        fresh = fed(*rows, now=NOON + 2 * DAY)
        assert live.summaries(DAY, now) == {each: fresh.summary(each, DAY, now) for each in (WEB, API)}
        assert live.summary(WEB, DAY, now + DAY) == fresh.summary(WEB, DAY, now + DAY)


def test_a_rebuild_starts_from_nothing() -> None:
    live = fed(finished(1, NOON), finished(2, NOON, pipeline=API))
    assert live.summaries(DAY, minutes(1))[API].total == 1
    live.rebuild([finished(1, NOON)], minutes(1))
    assert set(live.summaries(DAY, minutes(1))) == {WEB}


def test_late_and_early_builds_find_their_place() -> None:
    live = fed(finished(1, NOON), finished(2, minutes(-3000)), now=NOON)
    assert live.summary(WEB, DAY, minutes(1)).total == 1
    live.apply([finished(3, minutes(60)), finished(4, minutes(-1), Verdict.FAILED)], minutes(1))
    assert live.summary(WEB, DAY, minutes(1)).total == 2  # the provider's clock is an hour ahead: not yet
    assert live.summary(WEB, DAY, minutes(61)).total == 3
    assert live.summary(WEB, WEEK, minutes(61)).total == 4
    live.apply([void(2), void(3), void(4)], minutes(61))
    assert live.summary(WEB, WEEK, minutes(61)).total == 1


def test_what_is_older_than_the_longest_window_is_not_taken_in() -> None:
    live = fed(finished(1, NOON - WEEK - DAY))
    assert live.summary(WEB, WEEK, NOON - DAY).total == 0


def test_memory_is_given_back_as_builds_leave_the_longest_window() -> None:
    live = Live()
    for number in range(5000):
        live.apply([finished(number, minutes(10 * number))], minutes(10 * number))
    week = WEEK // timedelta(minutes=10)
    (timeline,) = live._timelines.values()
    assert week <= len(timeline.ended) <= 2 * week + 64
    assert live.summary(WEB, WEEK, minutes(50_000)).total == week
    assert live.summary(WEB, DAY, minutes(50_000)).total == 144


def test_a_million_builds_of_a_week_take_less_than_60_megabytes() -> None:
    sizes = []
    for number in (1_000, 11_000):
        live = fed(*(finished(each, NOON - WEEK / 2 + timedelta(seconds=each)) for each in range(number)))
        live.summary(WEB, WEEK, NOON), live.summary(WEB, DAY, NOON)
        (timeline,) = live._timelines.values()
        columns = (timeline.ended, timeline.ids, timeline.durations, timeline.words)
        columns += tuple(view._durations for view in timeline.views)
        sizes.append(sum(map(sys.getsizeof, columns)))
    assert (sizes[1] - sizes[0]) / 10_000 < 60


def test_an_unknown_pipeline_has_nothing_and_a_forgotten_one_neither() -> None:
    live = fed(finished(1, NOON), finished(2, NOON, pipeline=API))
    assert live.summary(("ci", "other"), DAY, minutes(1)) == NOTHING
    live.rename(WEB, ("ci", "site"))
    live.rename(WEB, ("ci", "site"))
    assert set(live.summaries(DAY, minutes(1))) == {API, ("ci", "site")}
    live.forget(API)
    live.forget(API)
    assert set(live.summaries(DAY, minutes(1))) == {("ci", "site")}


def test_a_span_that_is_not_kept_is_refused() -> None:
    with pytest.raises(KeyError):
        Live([DAY]).summaries(WEEK, NOON)


def test_an_untouched_summary_is_the_same_object() -> None:
    live = fed(finished(1, NOON), finished(2, NOON, pipeline=API))
    first = live.summaries(DAY, minutes(1))
    live.apply([finished(3, minutes(1))], minutes(2))
    second = live.summaries(DAY, minutes(2))
    assert second[API] is first[API]
    assert second[WEB].total == 2
