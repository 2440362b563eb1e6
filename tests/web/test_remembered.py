"""What is kept of windows is forgotten exactly when a build in them changes."""

from datetime import timedelta

from domain.build import Build, Outcome
from domain.window import Window
from store.engine import Database, Session
from store.windows import by_pipeline
from tests.support.builders import NOON, build
from tests.support.reports import stored
from web.reading import remembered
from web.reading.remembered import MOST, Remembered

HOUR = timedelta(hours=1)
NOW, BEFORE = Window(start=NOON, end=NOON + HOUR), Window(start=NOON - HOUR, end=NOON)


class Counting:
    """How often each window was worked out, and what it came to."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.kept = Remembered()
        self.made: list[Window] = []

    def failed(self, window: Window) -> int:
        """How many builds of a window have failed, as it is remembered."""

        def make(session: Session, window: Window) -> int:
            self.made.append(window)
            return sum(each.failed for each in by_pipeline(session, window).values())

        return self.database.read(lambda session: self.kept.get(session, "failed", window, make))


def ended(number: int, at: timedelta, outcome: Outcome = Outcome.FAILURE, **changes: int) -> Build:
    return build(number, outcome, started_at=NOON + at, finished_at=NOON + at, **changes)


def test_a_window_is_worked_out_once_until_a_build_in_it_changes(database: Database) -> None:
    stored(database, ended(1, -HOUR / 2), ended(2, HOUR / 2))
    counting = Counting(database)
    assert [counting.failed(NOW), counting.failed(NOW), counting.failed(BEFORE)] == [1, 1, 1]
    stored(database, ended(3, HOUR / 3))
    assert [counting.failed(NOW), counting.failed(BEFORE)] == [2, 1]
    assert counting.made == [NOW, BEFORE, NOW]


def test_a_rerun_changes_the_window_of_the_attempt_before_it_too(database: Database) -> None:
    stored(database, ended(1, -HOUR / 2))
    counting = Counting(database)
    assert [counting.failed(NOW), counting.failed(BEFORE)] == [0, 1]
    stored(database, ended(1, HOUR / 2, attempt=2))
    assert [counting.failed(NOW), counting.failed(BEFORE)] == [1, 0]


def test_a_build_that_has_not_ended_leaves_windows_alone(database: Database) -> None:
    stored(database, ended(1, HOUR / 2))
    counting = Counting(database)
    counting.failed(NOW)
    stored(database, build(2, None))
    assert counting.failed(NOW) == 1
    assert counting.made == [NOW]


def test_what_is_kept_of_all_builds_goes_with_every_change(database: Database) -> None:
    kept, made = Remembered(), []
    stored(database, ended(1, HOUR))

    def ask() -> None:
        database.read(lambda session: kept.get_newest(session, "all", lambda _: made.append(1)))

    ask()
    ask()
    stored(database, build(2, None))
    ask()
    assert len(made) == 2


def test_a_new_pipeline_or_too_many_changes_forget_everything(database: Database) -> None:
    counting = Counting(database)
    counting.failed(NOW)
    stored(database, *[ended(number, -3 * HOUR) for number in range(1, 700)])
    counting.failed(NOW)
    assert counting.made == [NOW, NOW]


def test_only_so_many_windows_are_kept(database: Database) -> None:
    stored(database, ended(1, HOUR / 2))
    counting = Counting(database)
    counting.failed(NOW)
    for number in range(MOST):
        counting.failed(Window(start=NOON + number * HOUR, end=NOON + 2 * number * HOUR + HOUR))
    counting.failed(BEFORE)
    counting.failed(NOW)
    assert counting.made.count(NOW) == 2


def test_all_time_is_all_time() -> None:
    assert NOON in remembered.ALL_TIME
