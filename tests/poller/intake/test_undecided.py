from pathlib import Path

import pytest

from domain.alert import AlertKind, AlertState, Reason
from domain.build import Build, Outcome
from poller import standing
from poller.config import Configuration
from poller.intake.ingest import Ingested
from store import alerts
from store.engine import Database
from tests.support.arriving import taken_in
from tests.support.builders import build, builds, minutes
from tests.support.configurations import loaded

CONFIG = """
providers: {ci: {kind: fake}}
pipelines: [{provider: ci, job: "web/*", expect: {every: 24h}}]
channels: {desk: {kind: lamp}}
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return loaded(tmp_path / "config.yaml", CONFIG)


def comes(database: Database, configuration: Configuration, *given: Build) -> Ingested:
    return taken_in(database, configuration, *given, now=minutes(600), last_poll=minutes(5))


def firing(database: Database) -> list[AlertKind]:
    return [alert.kind for alert in database.read(alerts.firing)]


def test_three_builds_without_a_verdict_fire_and_the_next_verdict_ends_it(
    database: Database, configuration: Configuration
) -> None:
    comes(database, configuration, *builds("PAA"))
    assert firing(database) == []
    assert [each.kind for each in comes(database, configuration, build(4, Outcome.CANCELLED)).transitions] == [
        AlertKind.NO_VERDICT
    ]
    assert comes(database, configuration, build(5, Outcome.SKIPPED)).transitions == []
    (ended,) = comes(database, configuration, build(6)).transitions
    assert (ended.kind, ended.state) == (AlertKind.NO_VERDICT, AlertState.RESOLVED)


def test_other_branches_and_pipelines_that_expect_nothing_say_nothing(
    database: Database, configuration: Configuration, tmp_path: Path
) -> None:
    comes(database, configuration, *builds("AAA", branch="next"), *builds("AAA", first=11, is_fork=True))
    nothing = loaded(tmp_path / "nothing.yaml", CONFIG.replace(", expect: {every: 24h}", ""))
    comes(database, nothing, *builds("AAA", first=21))
    assert firing(database) == []


def test_it_is_closed_when_nothing_is_expected_any_more(
    database: Database, configuration: Configuration, tmp_path: Path
) -> None:
    comes(database, configuration, *builds("PAAA"))
    assert firing(database) == [AlertKind.NO_VERDICT]
    nothing = loaded(tmp_path / "nothing.yaml", CONFIG.replace(", expect: {every: 24h}", ""))
    told = database.transact(lambda session: standing.close_orphans(session, nothing, minutes(601)))
    assert told == {"desk"}
    assert firing(database) == []
    (view,) = database.read(lambda session: alerts.listing(session, all=True))
    assert view.alert.evidence["closed_because"] == "no build is expected any more"
    assert [each.reason for each in view.notifications] == [Reason.FIRST, Reason.CLOSED]
