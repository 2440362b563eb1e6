"""The threads that read builds: what they ask, what they try again, and what they leave for next time."""

from datetime import timedelta
from pathlib import Path

import pytest

from domain.build import Build, Outcome
from domain.details import Details
from domain.waiting import FOR_DETAILS
from poller.details.workers import AGAIN, BACK_OFF, FRESH
from providers._base import Refused, Trouble, Unavailable, Wanted
from store import details
from store.engine import Database
from tests.support.builders import build, pipeline
from tests.support.configurations import loaded
from tests.support.daemon import eventually
from tests.support.hands import Hands
from tests.support.teller import COMPILE, ExplainedDesk, Teller, log

IN_PART = Details(failing_stage="Build", notes=("log: HTTP 503",), later=True)
DOWN = Unavailable(Trouble.TIMEOUT, "ci.example.com does not answer")


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def desk(database: Database, tmp_path: Path, hands: Hands) -> ExplainedDesk:
    desk = ExplainedDesk(database, tmp_path)
    desk.builds("PF")
    hands.wall = desk.now
    return desk


def read(desk: ExplainedDesk, hands: Hands) -> int:
    desk.now = hands.wall
    return desk.workers(hands.clock()).read_due(5)


def notes(desk: ExplainedDesk, build_id: int = 2) -> tuple[str, ...]:
    found = desk.database.read(lambda session: details.get(session, [build_id]))
    return found[build_id].notes if found else ()


def attempts(desk: ExplainedDesk) -> tuple[int, int]:
    return desk.database.read(details.counts)


def test_what_is_due_is_read_once(desk: ExplainedDesk, hands: Hands) -> None:
    assert read(desk, hands) == 1
    assert read(desk, hands) == 0
    assert [number for number, _ in desk.teller.asked] == [2]
    assert attempts(desk) == (0, 0)


def test_a_server_that_does_not_answer_is_asked_again_ever_later_and_then_given_up(
    desk: ExplainedDesk, hands: Hands
) -> None:
    desk.teller.error = DOWN
    for wait in BACK_OFF:
        assert read(desk, hands) == 1
        assert attempts(desk) == (1, 1)
        assert read(desk, hands) == 0
        hands.pass_by(wait.total_seconds())
    read(desk, hands)
    assert attempts(desk) == (0, 0)
    assert notes(desk) == ("given up: the server did not answer: ci.example.com does not answer",)


def test_what_cannot_come_in_time_is_waited_for_no_more(desk: ExplainedDesk, hands: Hands) -> None:
    desk.teller.error = DOWN
    (row,) = desk.rows()
    assert row.hold_until == hands.wall + timedelta(seconds=20)
    read(desk, hands)
    (row,) = desk.rows()
    assert (row.hold_until, row.held) == (hands.wall, FOR_DETAILS)


def test_a_refusal_is_noted_and_final(desk: ExplainedDesk, hands: Hands) -> None:
    desk.teller.error = Refused(Trouble.NOT_FOUND, "build 2 is gone")
    assert read(desk, hands) == 1
    assert notes(desk) == ("not read: build 2 is gone",)
    assert attempts(desk) == (0, 0)


def test_a_defect_is_noted_and_stops_nobody(desk: ExplainedDesk, hands: Hands) -> None:
    desk.teller.error = ZeroDivisionError("oops")
    assert read(desk, hands) == 1
    assert notes(desk) == ("not read: ZeroDivisionError",)


def test_a_provider_that_wants_a_pause_gets_it(desk: ExplainedDesk, hands: Hands) -> None:
    desk.builds("P", pipeline=pipeline("web/other"))
    desk.comes(build(9, Outcome.FAILURE, pipeline=pipeline("web/other"), finished_at=desk.now))
    hands.wall = desk.now
    desk.teller.error = Unavailable(Trouble.RATE_LIMIT, "slow down", retry_after=90, provider_wide=True)
    assert 1 <= read(desk, hands) <= 2
    hands.pass_by(30)
    desk.teller.error = None
    workers = desk.workers(hands.clock())
    workers._taken.paused["ci"] = hands.seconds + 60
    assert workers.read_due(1) == 0
    hands.pass_by(120)
    assert read(desk, hands) == 2


def test_what_nobody_wants_any_more_is_not_asked(desk: ExplainedDesk, hands: Hands) -> None:
    desk.comes(build(2, None, attempt=1))  # it runs again
    assert read(desk, hands) == 1
    assert desk.teller.asked == []
    assert attempts(desk) == (0, 0)


def test_the_threads_read_what_becomes_due_until_they_are_stopped(desk: ExplainedDesk, hands: Hands) -> None:
    told: list[frozenset[str]] = []
    workers = desk.workers(hands.clock(), saved=lambda saved: told.append(saved.told))
    workers.start()
    eventually(lambda: attempts(desk) == (0, 0))
    desk.builds("F")
    hands.wall = desk.now
    workers.wake()
    eventually(lambda: attempts(desk) == (0, 0))
    workers.stop()
    workers.join()
    assert told[0] == {"desk"}


def test_after_a_jump_of_the_clock_everything_is_due(desk: ExplainedDesk, hands: Hands) -> None:
    desk.teller.error = DOWN
    read(desk, hands)
    hands.wall -= timedelta(hours=2)
    workers = desk.workers(hands.clock())
    workers.clock_jumped()
    desk.teller.error = None
    assert workers.read_due(5) == 1


def test_what_was_read_for_a_build_that_runs_again_is_dropped(desk: ExplainedDesk, hands: Hands) -> None:
    teller = desk.teller

    class Interrupted(Teller):
        def details(self, build_: Build, wanted: Wanted) -> Details:
            desk.comes(build(2, None))
            return teller.details(build_, wanted)

    desk.teller = Interrupted()
    assert read(desk, hands) == 1
    assert teller.asked
    assert desk.database.read(lambda session: details.get(session, [2])) == {}


def test_what_was_read_in_part_is_read_again_a_few_times(desk: ExplainedDesk, hands: Hands) -> None:
    desk.teller.usual = IN_PART
    for wait in AGAIN:
        assert read(desk, hands) == 1
        assert attempts(desk) == (1, 1)
        assert notes(desk) == IN_PART.notes
        assert read(desk, hands) == 0
        hands.pass_by(wait.total_seconds())
    read(desk, hands)
    assert attempts(desk) == (0, 0)
    assert notes(desk) == IN_PART.notes


def test_the_rest_that_comes_is_stored_and_no_more_is_noted(desk: ExplainedDesk, hands: Hands) -> None:
    desk.teller.usual = IN_PART
    read(desk, hands)
    hands.pass_by(AGAIN[0].total_seconds())
    desk.teller.usual = Details(failing_stage="Build", logs=log(COMPILE))
    assert read(desk, hands) == 1  # by new threads, as after a restart
    assert (attempts(desk), notes(desk)) == ((0, 0), ())
    found = desk.database.read(lambda session: details.get(session, [2]))[2]
    assert (found.bucket, found.failing_stage) == ("Compile Error", "Build")


def test_the_rest_of_an_old_build_will_not_come(desk: ExplainedDesk, hands: Hands) -> None:
    desk.teller.usual = IN_PART
    hands.pass_by(FRESH.total_seconds())
    read(desk, hands)
    assert (attempts(desk), notes(desk)) == ((0, 0), IN_PART.notes)


def test_a_message_waits_for_the_rest_only_while_somebody_is_here_to_read_it(desk: ExplainedDesk, hands: Hands) -> None:
    desk.teller.usual = IN_PART
    read(desk, hands)  # as `buildwatch poll --once` does
    (row,) = desk.rows()
    assert row.hold_until == hands.wall


def test_a_message_waits_no_more_when_details_are_switched_off(
    desk: ExplainedDesk, hands: Hands, tmp_path: Path
) -> None:
    (row,) = desk.rows()
    assert row.hold_until == hands.wall + timedelta(seconds=20)
    text = (tmp_path / "config.yaml").read_text()
    desk.configuration = loaded(tmp_path / "config.yaml", f"{text}details: off\n")
    assert read(desk, hands) == 1
    assert desk.teller.asked == []
    (row,) = desk.rows()
    assert row.hold_until == hands.wall
