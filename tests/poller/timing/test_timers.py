from datetime import timedelta
from pathlib import Path

import pytest

from alerts.verdict import verdict_of
from domain.alert import AlertKind
from poller.intake.ingest import Ingested
from poller.timing.timers import Timers
from poller.watching.polling import Polling
from providers._base import Target
from store import alerts, builds
from store.engine import Database
from store.errors import StoreUnavailable
from tests.support.arriving import polling_of
from tests.support.builders import NOON, build, pipeline
from tests.support.configurations import loaded
from tests.support.hands import Hands

CONFIG = """
providers: {ci: {kind: fake}}
pipelines: [{provider: ci, job: "nightly/*", expect: {every: 24h, grace: 1h}}]
channels: {desk: {kind: lamp}}
"""
JOBS = Target(provider="ci", key="jobs", every=timedelta(seconds=60))


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def polling(database: Database, tmp_path: Path, hands: Hands) -> Polling:
    return polling_of(database, loaded(tmp_path / "config.yaml", CONFIG), hands.clock())


@pytest.fixture
def timers(database: Database, polling: Polling, hands: Hands) -> Timers:
    return Timers(database=database, clock=hands.clock(), polling=polling, targets=lambda _: [JOBS], statuses=dict)


def comes(database: Database, timers: Timers, number: int = 1) -> None:
    given = [build(number, pipeline=pipeline("nightly/all"), started_at=NOON)]
    changes = database.transact(lambda session: builds.upsert(session, given, verdict_of, NOON))
    timers.touched(Ingested(changes=changes))


def known(polling: Polling, hands: Hands) -> None:
    """The provider has been read from end to end just now."""
    memory = polling.memory_of(JOBS)
    memory.complete, memory.last_poll = True, hands.wall


def kinds(database: Database) -> list[AlertKind]:
    return [alert.kind for alert in database.read(alerts.firing)]


def test_what_time_alone_changes_is_told_once_the_provider_is_known(
    database: Database, polling: Polling, hands: Hands, timers: Timers
) -> None:
    comes(database, timers)
    hands.pass_by(26 * 3600)
    assert timers.tick() == frozenset()
    known(polling, hands)
    assert timers.tick() == {"desk"}
    assert kinds(database) == [AlertKind.STALE]
    assert not timers.take_baseline()


def test_what_was_wrong_at_first_contact_is_found_once(
    database: Database, polling: Polling, hands: Hands, timers: Timers
) -> None:
    hands.pass_by(26 * 3600)
    given = [build(pipeline=pipeline("nightly/all"), started_at=NOON)]
    changes = database.transact(lambda session: builds.upsert(session, given, verdict_of, hands.wall))
    timers.touched(Ingested(changes=changes))
    known(polling, hands)
    assert timers.tick() == frozenset()
    assert [timers.take_baseline(), timers.take_baseline()] == [True, False]


def test_one_duty_that_stumbles_stops_no_other_and_is_logged_once(
    hands: Hands, timers: Timers, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def stumble(_: object) -> frozenset[str]:
        raise KeyError("oops")

    first, *others = timers._duties
    first.work = stumble
    for duty in others:
        duty.work = lambda _, name=duty.name: done.append(name) or frozenset({name})
    assert timers.tick() == {duty.name for duty in others}
    hands.pass_by(3600)
    timers.tick()
    assert caplog.text.count("timer stumbled, will retry timer=settling") == 1
    assert done == 2 * [duty.name for duty in others]
    first.work = lambda _: frozenset({"desk"})
    timers.begin_anew()
    assert "desk" in timers.tick()
    assert first.trouble is None


def test_each_duty_has_its_own_rhythm(hands: Hands, timers: Timers) -> None:
    done: list[str] = []
    for duty in timers._duties:
        duty.work = lambda _, name=duty.name: done.append(name) or frozenset()
    for _ in range(13):
        timers.tick()
        hands.pass_by(5)
    assert (done.count("deadlines"), done.count("channels"), done.count("selfcheck")) == (13, 5, 2)


def test_a_store_that_is_away_ends_the_round_and_everything_stays_due(timers: Timers) -> None:
    first, *others = timers._duties

    def away(_: object) -> frozenset[str]:
        raise StoreUnavailable("no database")

    first.work = away
    for duty in others:
        duty.work = lambda _: frozenset({"desk"})
    with pytest.raises(StoreUnavailable):
        timers.tick()
    first.work = lambda _: frozenset()
    assert timers.tick() == {"desk"}


def test_a_clock_that_jumped_absurdly_far_has_time_to_be_put_right(hands: Hands, timers: Timers) -> None:
    done: list[str] = []
    for duty in timers._duties:
        duty.work = lambda _, name=duty.name: done.append(name) or frozenset()
    timers.clock_jumped(timedelta(days=3650))
    timers.tick()
    assert done == ["settling", "channels"]
    hands.pass_by(301)
    timers.tick()
    assert set(done) == {duty.name for duty in timers._duties}
    done.clear()
    timers.clock_jumped(timedelta(hours=9))  # a machine that slept
    timers.tick()
    assert set(done) == {duty.name for duty in timers._duties}
