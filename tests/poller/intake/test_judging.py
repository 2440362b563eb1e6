"""What is stored of a stream reaches the rules that need it, and hides what it must."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from domain.alert import Alert, AlertKind, Reason
from domain.build import Build, Outcome
from poller.config import Configuration
from store import alerts, outbox
from store.engine import Database
from tests.support.arriving import taken_in
from tests.support.builders import NOON, build
from tests.support.configurations import loaded

CONFIG = """
providers:
  ci: {kind: fake}
pipelines:
  - {provider: ci, job: "web/*"}
channels:
  desk: {kind: lamp}
routes: [{to: [desk]}]
"""
QUICK, SLOW = timedelta(minutes=10), timedelta(minutes=14)


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return loaded(tmp_path / "config.yaml", CONFIG)


class House:
    """A store, and builds that come one after the other."""

    def __init__(self, database: Database, configuration: Configuration) -> None:
        self.database = database
        self.configuration = configuration
        self.count = 0

    def comes(self, letters: str, takes: timedelta = QUICK, queued: timedelta = timedelta(0)) -> None:
        for letter in letters:
            self.count += 1
            start = NOON + self.count * timedelta(hours=1)
            outcome = Outcome.FAILURE if letter == "F" else Outcome.SUCCESS
            self.page(build(self.count, outcome, queued_at=start - queued, started_at=start, finished_at=start + takes))

    def page(self, *given: Build) -> None:
        long_ago, now = NOON - timedelta(days=9), given[-1].finished_at or NOON
        taken_in(self.database, self.configuration, *given, now=now, last_poll=long_ago)

    def firing(self) -> dict[AlertKind, Alert]:
        return {each.kind: each for each in self.database.read(alerts.firing)}

    def told(self) -> list[tuple[AlertKind, Reason]]:
        kinds = {view.alert.id: view.alert.kind for view in self._views()}
        notes = reversed(self.database.read(outbox.listing))
        return [(kinds[note.alert_id], note.reason) for note in notes]

    def _views(self) -> list[alerts.AlertView]:
        return self.database.read(lambda session: alerts.listing(session, all=True))


@pytest.fixture
def here(database: Database, configuration: Configuration) -> House:
    return House(database, configuration)


def test_builds_that_take_longer_are_told_once_and_are_over_with_the_third_quick_one(here: House) -> None:
    here.comes("P" * 30)
    here.comes("PPPP", SLOW)
    assert here.told() == []
    here.comes("P", SLOW)
    assert here.told() == [(AlertKind.DURATION, Reason.FIRST)]
    assert here.firing()[AlertKind.DURATION].evidence["onset"]["number"] == 31
    here.comes("PP")
    assert here.firing()
    here.comes("P")
    assert here.told()[1:] == [(AlertKind.DURATION, Reason.RESOLVED)]


def test_failed_builds_say_nothing_about_times_and_hide_them(here: House) -> None:
    here.comes("P" * 30)
    here.comes("PPPP", SLOW)
    here.comes("F", SLOW)
    assert set(here.firing()) == {AlertKind.FAILURE}
    here.comes("P", SLOW)
    assert [each for each in here.told() if each[0] is AlertKind.DURATION] == [(AlertKind.DURATION, Reason.FIRST)]


def test_waiting_longer_is_told_too(here: House) -> None:
    here.comes("P" * 30, queued=timedelta(seconds=20))
    here.comes("P" * 5, queued=timedelta(minutes=6))
    assert here.firing()[AlertKind.DURATION].evidence["measure"] == "queue"


def test_a_stream_that_flaps_is_told_once_and_its_failures_are_not(here: House) -> None:
    here.comes("P" * 20 + "FPFPFP")
    before = len(here.told())
    here.comes("FPFPFP")
    firsts = [kind for kind, reason in here.told()[before:] if reason is Reason.FIRST]
    assert firsts.count(AlertKind.FLAPPING) == 1
    assert AlertKind.FAILURE not in firsts
    here.comes("P" * 20)
    assert AlertKind.FLAPPING not in here.firing()
    assert (AlertKind.FLAPPING, Reason.RESOLVED) in here.told()


def test_asked_again_with_nothing_new_nothing_is_told(here: House) -> None:
    here.comes("P" * 20 + "FPFPFPFP")
    told, stored = here.told(), here.firing()
    last = here.count
    start = NOON + last * timedelta(hours=1)
    here.page(build(last, queued_at=start, started_at=start, finished_at=start + QUICK))
    assert (here.told(), here.firing()) == (told, stored)


def filled_in(here: House, letters: str, takes: Sequence[timedelta]) -> None:
    """First contact with the last of these builds, and a backfill of the others."""
    given = []
    for letter, time in zip(letters, takes, strict=True):
        here.count += 1
        start = NOON + here.count * timedelta(hours=1)
        outcome = Outcome.FAILURE if letter == "F" else Outcome.SUCCESS
        given.append(build(here.count, outcome, started_at=start, finished_at=start + time))
    for builds, judge in ((given[-1:], True), (given[:-1], False)):
        taken_in(here.database, here.configuration, *builds, now=given[-1].finished_at or NOON, judge=judge)


@pytest.mark.parametrize(
    ("letters", "takes", "kind"),
    [
        ("P" * 20 + "FP" * 6, [QUICK] * 32, AlertKind.FLAPPING),
        ("P" * 100 + "FFP" * 15, [QUICK] * 145, AlertKind.SUCCESS_RATE_DROP),
        ("P" * 36, [QUICK] * 30 + [SLOW] * 6, AlertKind.DURATION),
    ],
)
def test_what_was_so_before_first_contact_is_no_news_once_history_is_filled_in(
    here: House, letters: str, takes: list[timedelta], kind: AlertKind
) -> None:
    filled_in(here, letters, takes)
    here.comes("P", takes[-1])
    assert here.told() == []
    alert = here.firing()[kind]
    assert (alert.channels, alert.evidence["baseline"]) == ((), True)
    assert here.database.read(alerts.untold_baseline) == []
    here.comes("P" * 60)
    assert kind not in here.firing()
    assert here.told() == []


def test_what_begins_after_first_contact_is_news_with_history_behind_it(here: House) -> None:
    filled_in(here, "P" * 60, [QUICK] * 60)
    here.comes("P" * 5, SLOW)
    assert here.told() == [(AlertKind.DURATION, Reason.FIRST)]
