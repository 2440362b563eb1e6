import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from poller.watching.schedule import THREADS_PER_PROVIDER, Schedule
from providers._base import Target
from tests.support.daemon import eventually

LONG = timedelta(hours=1)


class Polls:
    """Counts polls; those of a blocked target hang until they are let go."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.blocked: dict[str, threading.Event] = {}

    def __call__(self, target: Target) -> None:
        self.count[str(target)] += 1
        if target.provider in self.blocked:
            self.blocked[target.provider].wait(10)


@pytest.fixture
def polls() -> Polls:
    return Polls()


@pytest.fixture
def schedule(polls: Polls) -> Iterator[Schedule]:
    made = Schedule(polls)
    made.start()
    yield made
    for gate in polls.blocked.values():
        gate.set()
    made.stop()
    made.stop()


def target(key: str, provider: str = "ci", every: timedelta = LONG) -> Target:
    return Target(provider=provider, key=key, every=every)


def test_a_new_target_is_polled_at_once_and_then_at_its_phase(schedule: Schedule, polls: Polls) -> None:
    schedule.use("ci", [target("a"), target("b")])
    eventually(lambda: polls.count == {"ci:a": 1, "ci:b": 1})
    due = schedule.next_runs()["ci:a"]
    assert timedelta() < due - datetime.now(UTC) <= LONG


def test_what_did_not_change_keeps_its_rhythm(schedule: Schedule, polls: Polls) -> None:
    schedule.use("ci", [target("a"), target("b")])
    eventually(lambda: polls.count.total() == 2)
    due = schedule.next_runs()["ci:a"]
    schedule.use("ci", [target("a"), target("c"), target("b", every=timedelta(minutes=30))])
    eventually(lambda: polls.count == {"ci:a": 1, "ci:b": 2, "ci:c": 1})
    assert schedule.next_runs()["ci:a"] == due
    schedule.use("ci", [target("a")], again=True)
    eventually(lambda: polls.count["ci:a"] == 2)
    assert [each.key for each in schedule.targets("ci")] == ["a"]


def test_a_provider_that_hangs_does_not_hold_up_another(schedule: Schedule, polls: Polls) -> None:
    polls.blocked["dead"] = threading.Event()
    schedule.use("dead", [target(str(number), "dead") for number in range(20)])
    schedule.use("ci", [target("a")])
    eventually(lambda: polls.count["ci:a"] == 1)
    assert sum(count for name, count in polls.count.items() if name.startswith("dead")) <= THREADS_PER_PROVIDER


def test_a_dropped_provider_is_polled_no_more(schedule: Schedule, polls: Polls) -> None:
    schedule.use("ci", [target("a")])
    eventually(lambda: polls.count.total() == 1)
    schedule.drop("ci")
    schedule.drop("never there")
    assert schedule.targets() == []
    assert schedule.next_runs() == {}
    schedule.use("ci", [target("a")])
    eventually(lambda: polls.count.total() == 2)


def test_a_chore_of_a_provider_goes_with_it(schedule: Schedule, polls: Polls) -> None:
    del polls
    ran: list[str] = []
    schedule.chore("list", lambda: ran.append("once"), LONG, provider="ci")
    eventually(lambda: ran)
    assert "chore list" in schedule.next_runs()
    schedule.drop("ci")
    assert schedule.next_runs() == {}
    schedule.chore("list", lambda: ran.append("again"), LONG, provider="ci")
    eventually(lambda: "again" in ran)


def test_providers_that_hang_hold_up_no_chore_of_the_daemon(schedule: Schedule) -> None:
    gate, ran = threading.Event(), threading.Event()
    for name in "abcd":
        schedule.chore(f"targets of {name}", lambda: gate.wait(10), LONG, provider=name)
    schedule.chore("standing", ran.set, LONG)
    assert ran.wait(5)
    gate.set()


def test_after_a_jump_of_the_clock_every_run_is_planned_anew(schedule: Schedule, polls: Polls) -> None:
    schedule.use("ci", [target("a")])
    eventually(lambda: polls.count.total() == 1)
    job = next(iter(schedule._jobs()))
    job.modify(next_run_time=datetime.now(UTC) + timedelta(days=365))  # as after a jump back by a year
    schedule.clock_jumped()
    assert schedule.next_runs()["ci:a"] - datetime.now(UTC) <= LONG


def test_a_chore_runs_at_once_and_its_mistakes_are_reported(
    schedule: Schedule, caplog: pytest.LogCaptureFixture
) -> None:
    ran = threading.Event()

    def stumble() -> None:
        ran.set()
        raise ZeroDivisionError

    schedule.chore("tidy", stumble, LONG)
    assert ran.wait(5)
    eventually(lambda: "job failed job=chore tidy" in caplog.text)


def test_a_poll_that_takes_longer_than_its_period_is_not_started_twice(
    schedule: Schedule, polls: Polls, caplog: pytest.LogCaptureFixture
) -> None:
    polls.blocked["slow"] = threading.Event()
    schedule.use("slow", [target("a", "slow", timedelta(seconds=0.05))])
    eventually(lambda: "still polling" in caplog.text)
    assert polls.count["slow:a"] == 1
