"""What is gone ends what was told of it, and nothing there is waited for."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.alert import Alert, AlertKind, AlertState, Reason
from domain.build import Outcome, Status
from poller.intake.settling import settle_due
from poller.timing.deadlines import Deadlines
from store import alerts, awaited, builds, outbox
from store.engine import Database
from tests.support.arriving import taken_in
from tests.support.builders import build, minutes, pipeline
from tests.support.configurations import loaded

CONFIG = """
providers:
  ci: {kind: fake}
  other: {kind: fake}
pipelines:
  - {provider: ci, job: "web/*", rerun: {wait: 10m}}
  - {provider: other, job: "web/*"}
channels:
  desk: {kind: lamp}
alerts: {stuck: {running_longer_than: 1h}}
"""
GONE: list[dict[str, Any]] = [{"ended": [("web/deploy", "main")]}, {"missing": ["web/deploy"]}]


class House:
    """A store that met `web/deploy` at minute 15, and a clock that only tests move."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.configuration = loaded(folder / "config.yaml", CONFIG)
        self.now = minutes(15)
        self._deadlines = Deadlines(database)
        self.comes(build(1))

    def comes(self, *given: Any, provider: str = "ci", **page: Any) -> None:
        where = self.database, self.configuration
        self._deadlines.touched(taken_in(*where, *given, provider=provider, now=self.now, page=page))

    def passes(self, count: float) -> None:
        """So many minutes, and then the daemon looks after what time alone changes."""
        self.now += timedelta(minutes=count)
        self.database.transact(lambda session: settle_due(session, self.configuration, self.now))
        self._deadlines.look(self.configuration, self.now, known_until=lambda _: self.now, why_idle=lambda _: {})

    def alerts(self) -> list[Alert]:
        return [view.alert for view in self.database.read(lambda session: alerts.listing(session, all=True))][::-1]

    def said(self) -> list[Reason]:
        return [note.reason for note in self.database.read(outbox.listing)][::-1]


@pytest.fixture
def here(database: Database, tmp_path: Path) -> House:
    return House(database, tmp_path)


@pytest.mark.parametrize("gone", GONE)
def test_what_was_told_of_it_is_closed_once(here: House, gone: dict[str, Any]) -> None:
    here.comes(build(2, Outcome.FAILURE))
    here.passes(30)
    here.comes(build(2, Outcome.FAILURE, pipeline=pipeline(provider="other")), provider="other")
    here.comes(**gone)
    here.comes(**gone)
    failure, elsewhere, *_ = here.alerts()
    assert (failure.state, elsewhere.state) == (AlertState.CLOSED, AlertState.FIRING)
    assert failure.evidence["closed_because"] in {"the branch is gone", "the pipeline is gone"}
    assert here.said().count(Reason.CLOSED) == 1


def test_that_it_is_gone_stays_told(here: House) -> None:
    here.comes(missing=["web/deploy"])
    here.comes(missing=["web/deploy", "web/unknown"], ended=[("web/unknown", "main")])
    assert [(each.kind, each.state) for each in here.alerts()] == [(AlertKind.PIPELINE_MISSING, AlertState.FIRING)]


def test_what_still_fails_when_it_is_there_again_is_told_anew(here: House) -> None:
    here.comes(build(2, Outcome.FAILURE))
    here.passes(30)
    here.comes(missing=["web/deploy"])
    here.comes(build(2, Outcome.FAILURE), build(3, Outcome.FAILURE))
    here.passes(30)
    kinds = [(each.kind, each.state) for each in here.alerts()]
    assert kinds[1:] == [(AlertKind.PIPELINE_MISSING, AlertState.RESOLVED), (AlertKind.FAILURE, AlertState.FIRING)]


@pytest.mark.parametrize("gone", GONE)
def test_nothing_is_awaited_there(here: House, gone: dict[str, Any]) -> None:
    here.comes(build(2, Outcome.FAILURE))
    here.comes(**gone)
    here.passes(60)
    assert AlertKind.FAILURE not in {each.kind for each in here.alerts()}
    assert here.database.read(awaited.all) == []


@pytest.mark.parametrize("gone", GONE)
def test_what_ran_there_is_given_up_and_never_stuck_again(here: House, gone: dict[str, Any]) -> None:
    here.comes(build(2, None), build(3, None, branch="next"))
    here.passes(0)
    here.passes(90)
    here.comes(**gone)
    here.passes(120)
    here.comes(build(4))
    here.passes(0)
    assert [each.state for each in here.alerts() if each.kind is AlertKind.STUCK] == [AlertState.CLOSED]
    found = here.database.read(builds.recent)
    (lost,) = (view.build for view in found if view.build.number == 2)
    assert (lost.status, lost.outcome, lost.raw_outcome) == (Status.FINISHED, Outcome.UNKNOWN, "GONE")


def test_a_build_that_goes_on_after_all_is_followed(here: House) -> None:
    here.comes(build(2, None))
    here.comes(missing=["web/deploy"])
    here.comes(build(2, None))
    here.comes(build(2, Outcome.FAILURE))
    here.passes(30)
    assert here.alerts()[-1].kind is AlertKind.FAILURE
