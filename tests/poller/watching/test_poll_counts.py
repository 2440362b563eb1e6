from datetime import datetime, timedelta

import pytest

from domain.window import Window
from poller.watching.poll_counts import KEPT, PREFIX, PollCounts, Watched, watched
from store import notes
from store.engine import Database, Session
from tests.support.builders import NOON, minutes

HOUR = Window(start=NOON, end=minutes(60))


def save(database: Database, counts: PollCounts, now: datetime) -> None:
    database.transact(lambda session: counts.save(session, now))


def seen(database: Database, window: Window = HOUR) -> dict[str, Watched]:
    return database.read(lambda session: watched(session, window))


def test_polls_are_counted_in_the_window_they_began_in(database: Database) -> None:
    counts = PollCounts()
    counts.made("ci", minutes(-1), None)
    for at in (1, 2, 5):
        counts.made("ci", minutes(at), minutes(at - 1))
    counts.failed("ci", minutes(6))
    counts.failed("gh", minutes(7))
    counts.made("ci", minutes(70), minutes(5))
    save(database, counts, minutes(70))
    assert seen(database) == {
        "ci": Watched(made=3, failed=1, longest_gap=timedelta(minutes=1)),
        "gh": Watched(made=0, failed=1, longest_gap=None),
    }
    later = seen(database, Window(start=minutes(60), end=minutes(120)))
    assert later == {"ci": Watched(made=1, failed=0, longest_gap=timedelta(minutes=65))}


def test_a_restart_adds_to_what_was_counted(database: Database) -> None:
    first, second = PollCounts(), PollCounts()
    first.made("ci", minutes(1), None)
    save(database, first, minutes(2))
    save(database, first, minutes(3))  # again: a total, not a sum
    second.made("ci", minutes(4), minutes(1))
    second.made("a provider: with a name", minutes(4), minutes(1))
    save(database, second, minutes(5))
    second.failed("ci", minutes(6))
    save(database, second, minutes(7))
    assert seen(database)["ci"] == Watched(made=2, failed=1, longest_gap=timedelta(minutes=3))
    assert seen(database)["a provider: with a name"].made == 1


def test_what_could_not_be_written_is_written_the_next_time(database: Database) -> None:
    counts = PollCounts()
    counts.made("ci", minutes(1), None)

    def fail(session: Session) -> None:
        counts.save(session, minutes(2))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.transact(fail)
    assert seen(database) == {}
    save(database, counts, minutes(3))
    assert seen(database)["ci"].made == 1


def test_days_that_are_over_are_let_go_and_old_ones_forgotten(database: Database) -> None:
    counts = PollCounts()
    counts.made("ci", minutes(1), None)
    save(database, counts, minutes(2))
    tomorrow = NOON + timedelta(days=1)
    counts.made("ci", tomorrow, minutes(1))
    save(database, counts, tomorrow)
    counts.made("ci", tomorrow, tomorrow)
    save(database, counts, tomorrow)
    assert sorted(database.read(lambda session: notes.read(session, PREFIX))) == [
        f"{PREFIX}2026-11-20",
        f"{PREFIX}2026-11-21",
    ]
    assert seen(database)["ci"].made == 1
    much_later = NOON + KEPT + timedelta(days=2)
    counts.failed("ci", much_later)
    save(database, counts, much_later)
    assert min(database.read(lambda session: notes.read(session, PREFIX))) == f"{PREFIX}{much_later:%Y-%m-%d}"


def test_a_clock_that_goes_back_makes_no_negative_gap(database: Database) -> None:
    counts = PollCounts()
    counts.made("ci", minutes(1), minutes(50))
    save(database, counts, minutes(2))
    assert seen(database)["ci"].longest_gap is None
