"""Builds leave a window of time without any build arriving: what that changes is told all the same."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity
from domain.build import Build, Outcome
from poller.config import Configuration
from poller.timing.sliding import EVERY, judge_rates
from store import alerts, notes, outbox
from store import providers as stored_providers
from store.engine import Database
from store.providers import ProviderHealth
from tests.support.arriving import taken_in
from tests.support.builders import NOON, build, pipeline
from tests.support.configurations import loaded

CONFIG = """
providers:
  ci: {kind: fake}
pipelines:
  - {provider: ci, job: "web/*"}
  - {provider: ci, job: "lib/*", alerts: {success_rate_below: off}}
channels:
  desk: {kind: lamp}
alerts:
  success_rate_drop: off
  failure: off
  duration: off
  flapping: off
  success_rate_below: {percent: 80, window: 24h, min_runs: 5}
routes: [{to: [desk]}]
"""
HOUR = timedelta(hours=1)


class House:
    """A store, a configuration and builds that end at given hours after noon."""

    def __init__(self, database: Database, configuration: Configuration) -> None:
        self.database = database
        self.configuration = configuration
        self.count = 0

    def ended(self, hours: float, letters: str, **changes: object) -> list[Build]:
        given = []
        for place, letter in enumerate(letters):
            self.count += 1
            at = NOON + hours * HOUR + place * timedelta(minutes=1)
            outcome = Outcome.FAILURE if letter == "F" else Outcome.SUCCESS
            given.append(build(self.count, outcome, started_at=at - timedelta(minutes=1), finished_at=at, **changes))
        now = given[-1].finished_at or NOON
        taken_in(self.database, self.configuration, *given, now=now, last_poll=NOON - 90 * HOUR)
        return given

    def look(self, hours: float, **how: object) -> frozenset[str]:
        now = NOON + hours * HOUR
        return self.database.transact(lambda session: judge_rates(session, self.configuration, now, **how))  # type: ignore[arg-type]

    def said(self) -> list[Reason]:
        return [each.reason for each in reversed(self.database.read(outbox.listing))]


@pytest.fixture
def here(database: Database, tmp_path: Path) -> House:
    return House(database, loaded(tmp_path / "config.yaml", CONFIG))


def test_failures_that_have_left_the_window_end_the_alert(here: House) -> None:
    here.ended(0, "FFFF")
    here.ended(10, "PPPPPPPP")
    assert here.said() == [Reason.FIRST]
    assert here.look(20) == frozenset()
    assert here.look(25) == {"desk"}
    assert here.said() == [Reason.FIRST, Reason.RESOLVED]
    assert here.look(26) == frozenset()


def test_passes_that_have_left_the_window_begin_one(here: House) -> None:
    here.ended(0, "PPPPPPPPPPPP")
    here.ended(10, "FFPPPP")
    assert here.look(20) == frozenset()
    assert here.look(25) == {"desk"}
    (alert,) = here.database.read(alerts.firing)
    assert alert.summary == "success rate 67 % (4/6) in the last 24 h, the line is 80 %"


def test_a_window_that_has_become_empty_decides_nothing(here: House) -> None:
    here.ended(0, "FFFFFF")
    assert here.look(40) == frozenset()
    assert here.said() == [Reason.FIRST]


def test_it_is_looked_at_every_few_minutes_only(here: House) -> None:
    here.ended(0, "PPPPPPPPPPPP")
    here.ended(10, "FFPPPP")
    here.look(24)
    soon = (EVERY - timedelta(seconds=1)) / HOUR
    assert here.look(24 + soon) == frozenset()
    assert here.look(24.5) == {"desk"}


def test_what_is_not_watched_or_switched_off_is_not_judged(here: House) -> None:
    for changes in ({"branch": "topic"}, {"pipeline": pipeline("lib/x")}, {"pipeline": pipeline("other/x")}):
        here.ended(0, "FFFFFF", **changes)
    assert here.look(1) == frozenset()
    assert here.database.read(alerts.firing) == []


def test_a_provider_that_cannot_be_read_a_stale_pipeline_and_an_unknown_one_are_frozen(here: House) -> None:
    here.ended(0, "FFFF")
    here.ended(10, "PPPPPPPP")
    health = ProviderHealth(name="ci", failing_since=NOON, failures=5)
    here.database.transact(lambda session: stored_providers.save(session, health))
    assert here.look(25) == frozenset()
    here.database.transact(lambda session: stored_providers.save(session, ProviderHealth(name="ci")))
    assert here.look(26, known_until=lambda _: None) == frozenset()
    stale = Alert(
        kind=AlertKind.STALE,
        scope=Scope(provider="ci", pipeline="web/deploy"),
        severity=Severity.WARNING,
        state=AlertState.FIRING,
        started_at=NOON,
        summary="no build",
    )
    here.database.transact(lambda session: alerts.save(session, stale))
    assert here.look(27) == frozenset()
    (saved,) = (each for each in here.database.read(alerts.firing) if each.kind is AlertKind.STALE)
    over = replace(saved, state=AlertState.RESOLVED, resolved_at=NOON)
    here.database.transact(lambda session: alerts.save(session, over))
    assert here.look(28, known_until=lambda _: NOON) == {"desk"}


def test_without_such_a_rule_nothing_is_looked_at(database: Database, tmp_path: Path) -> None:
    for number, window in enumerate(("off", '{percent: 80, window: "20 builds"}')):
        text = CONFIG.replace("{percent: 80, window: 24h, min_runs: 5}", window)
        configuration = loaded(tmp_path / f"{number}.yaml", text)
        told = database.transact(lambda session, configuration=configuration: judge_rates(session, configuration, NOON))
        assert told == frozenset()
        assert database.read(lambda session: notes.get(session, "success_rate_below")) is None


def test_the_reporting_day_begins_anew(database: Database, tmp_path: Path) -> None:
    house = House(database, loaded(tmp_path / "config.yaml", CONFIG.replace("window: 24h", "window: daily")))
    house.ended(0, "FFFFPPPPPP")
    assert house.said() == [Reason.FIRST]
    assert house.look(12.1) == frozenset()  # a new day, and no build yet
    assert house.said() == [Reason.FIRST]
