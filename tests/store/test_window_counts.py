"""Counts of windows against the definition in metrics/summary.py, on both databases."""

from datetime import timedelta

import pytest

from domain.build import Outcome, Verdict
from domain.window import Window
from metrics import summary
from metrics.windows import rolling
from store import label_standings, pipelines, window_counts
from store.engine import Database
from store.window_counts import Counts, Ended, together
from tests.store.test_browsing import everything
from tests.support.builders import NOON, build, minutes, pipeline
from tests.support.builders import builds as series
from tests.support.histories import History
from tests.support.reports import read, stored

DAY = timedelta(days=1)
EVER = Window(start=NOON - 400 * DAY, end=NOON + 400 * DAY)


@pytest.mark.parametrize("seed", range(3))
def test_counts_agree_with_the_definition_on_random_histories(database: Database, seed: int) -> None:
    history = History(seed, NOON)
    for page in history.steps(30):
        stored(database, *page)
    views = everything(database)
    keys = {each.id: (each.pipeline.provider, each.pipeline.key) for each in database.read(pipelines.all)}
    for window in (rolling(history.now, DAY), rolling(history.now, 7 * DAY), EVER):
        found = database.read(lambda session, window=window: window_counts.by_pipeline(session, window))
        expected = summary.by_pipeline(views, window)
        assert {keys[number] for number in found} == {key for key, each in expected.items() if each.total}
        for number, counts in found.items():
            its = expected[keys[number]]
            assert (counts.total, counts.passed, counts.failed) == (its.total, its.passed, its.failed)
            assert (counts.neutral, counts.running) == (its.neutral, its.running)
            assert counts.success_rate == its.success_rate
            assert counts.duration_mean == pytest.approx(its.duration_mean)
            assert (counts.last and counts.last.outcome) == its.last_outcome


def test_the_last_build_is_known_with_its_time(database: Database) -> None:
    stored(database, *series("PFU"))
    [(number, last)] = database.read(window_counts.last_ended).items()
    assert last == Ended(minutes(35), Outcome.UNSTABLE, Verdict.FAILED)
    assert database.read(lambda session: window_counts.by_pipeline(session, EVER))[number].last == last


def test_what_runs_and_what_waits_is_counted(database: Database) -> None:
    stored(database, *series("PRR"))
    assert list(database.read(window_counts.unfinished).values()) == [(2, 2)]
    [counts] = database.read(lambda session: window_counts.by_pipeline(session, rolling(NOON, DAY))).values()
    assert counts == Counts(total=2, running=2)


def test_several_are_counted_together() -> None:
    early, late = Ended(NOON, Outcome.SUCCESS, Verdict.PASSED), Ended(minutes(1), Outcome.FAILURE, Verdict.FAILED)
    both = together([Counts(3, 1, 1, 0, 4000, 2, late), Counts(1, 1, 0, 0, 2000, 1, early)])
    assert both == Counts(4, 2, 1, 0, 6000, 3, late)
    assert both.duration_mean == 2
    assert together([]) == Counts()
    assert Counts().success_rate is None
    assert Counts().duration_mean is None


def test_how_far_the_store_reaches_is_known(database: Database) -> None:
    assert database.read(window_counts.reach) == (None, None)
    stored(database, *series("PFU"))
    assert database.read(window_counts.reach) == (minutes(15), minutes(35))
    assert database.read(window_counts.stored) == 3


def test_builds_with_the_same_labels_stand_together(database: Database) -> None:
    its = pipeline("a", labels={"release": "1", "module": "core"})
    first, second, *_ = stored(
        database,
        *series("PFA", pipeline=its),
        build(10, pipeline=its, labels={"release": "2"}),
    )
    read(database, first, "PPS")
    read(database, second, "PF")
    found = database.read(lambda session: label_standings.standings(session, EVER))
    by_release = {each.labels["release"]: each for its in found.values() for each in its}
    one, two = by_release["1"], by_release["2"]
    assert two.labels == {"release": "2", "module": "core"}
    assert (one.passed, one.failed, one.neutral) == (1, 1, 1)
    assert one.last.outcome is Outcome.CANCELLED
    assert one.decided == Ended(minutes(25), Outcome.FAILURE, Verdict.FAILED)
    assert (one.tests_passed, one.tests_failed, one.tests_skipped) == (3, 1, 1)
    assert (two.passed, two.tests_passed) == (1, 0)
