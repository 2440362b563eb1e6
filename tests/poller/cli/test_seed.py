"""`buildwatch seed`, and how the other commands see builds that are pushed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from domain.alert import AlertKind
from domain.build import Outcome, Verdict
from poller.config import load
from poller.cycle import Cycle
from poller.running.clock import Clock
from poller.watching.connections import connect
from store import alerts, builds
from store.engine import Database
from tests.support.builders import build, minutes, pipeline
from tests.support.commands import Commands
from web.intake.made_up import MADE_UP

CONFIG = """
timezone: Asia/Kolkata
day_starts_at: "10:00"
store: {{url: "sqlite:///{store}"}}
channels: {{team: {{kind: console}}}}
"""
WEB = 'web: {listen: "127.0.0.1:0", log_url: "https://logs.example.com/{id}"}\n'


@pytest.fixture
def write(config: Path, tmp_path: Path) -> Callable[[str], Path]:
    def text(more: str) -> Path:
        config.write_text(CONFIG.format(store=tmp_path / "buildwatch.db") + more)
        return config

    return text


def test_a_past_is_stored_once_and_nobody_is_told(buildwatch: Commands, write: Callable[[str], Path]) -> None:
    write(WEB)
    first = buildwatch("seed", "--days", "2", "--count", "20", "--json").json
    assert first["builds"] == first["changed"] > 20
    assert "0 of them new" in buildwatch("seed", "--days", "2", "--count", "20").out.replace("1 of", "0 of")
    assert buildwatch("alerts", "--json").json == {"alerts": []} or buildwatch("alerts", "--json").json == []
    seen = buildwatch("status", "--json").json
    assert [(each["name"], each["kind"], each["state"]) for each in seen["providers"]] == [("push", "push", "ok")]
    assert {each["pipeline"] for each in seen["pipelines"]} >= {"web", "api", "regression/blr-cloud4"}


def test_a_made_up_past_is_marked_and_has_logs_and_tests(
    buildwatch: Commands, write: Callable[[str], Path], store: Database
) -> None:
    write(WEB)
    buildwatch("seed", "--days", "3")
    views = store.read(lambda session: builds.recent(session, limit=1000))
    made = [view.build for view in views]
    assert {each.trigger for each in made} == {MADE_UP}
    assert all((each.log_excerpt is not None) is (each.outcome is Outcome.FAILURE) for each in made)
    reports = [each.tests for each in made if each.tests is not None]
    assert any(report.failed for report in reports)
    assert 0.5 < len(reports) / len(made) < 1
    found = buildwatch("tests", "--json").out
    assert "test_failover" in found


@pytest.mark.parametrize("trigger", [None, "push"])
def test_a_store_with_real_builds_is_left_alone_unless_forced(
    trigger: str | None, buildwatch: Commands, write: Callable[[str], Path], store: Database
) -> None:
    write(WEB)
    real = [build(1, trigger=trigger)]
    store.transact(lambda session: builds.upsert(session, real, lambda _: Verdict.PASSED, minutes(0)))
    ran = buildwatch("seed", "--days", "1", "--count", "5")
    assert ran.status == 1
    assert "real builds" in ran.err
    assert len(store.read(lambda session: builds.recent(session, limit=100))) == 1
    assert buildwatch("seed", "--days", "1", "--count", "5", "--force").status == 0
    assert len(store.read(lambda session: builds.recent(session, limit=100))) > 1


def test_nothing_that_takes_pushed_builds_is_a_fault_of_the_configuration(
    buildwatch: Commands, write: Callable[[str], Path]
) -> None:
    write("")
    ran = buildwatch("seed")
    assert ran.status == 78
    assert "web: {}" in ran.err


def test_where_no_entry_takes_the_made_up_pipelines_that_is_said(
    buildwatch: Commands, write: Callable[[str], Path]
) -> None:
    path = write(WEB + "providers: {own: {kind: push}}\npipelines: [{provider: own, key: 'other/*'}]\n")
    ran = buildwatch("seed", "--days", "1", "--count", "1")
    assert ran.status == 78
    assert ran.err.startswith(f"{path}: no entry of `pipelines:` takes pushed builds of ")


def test_pushed_builds_are_never_unreachable_and_what_nobody_wrote_is_not_counted(
    buildwatch: Commands, write: Callable[[str], Path]
) -> None:
    write(WEB)
    checked = buildwatch("check", "--json").json
    assert (checked["ok"], checked["providers"], checked["pipelines"]) == (True, 0, 0)
    assert buildwatch("status", "--json").json["providers"] == []
    assert buildwatch("poll").status == 0
    assert "provider" not in buildwatch("doctor").out.replace("providers", "")
    write(WEB + "providers: {mine: {kind: push}}\npipelines: [{provider: mine}]\n")
    online = buildwatch("check", "--online", "--json").json["online"]
    assert {"name": "mine", "ok": True, "text": "nothing to reach: it is pushed to"}.items() <= online[0].items()
    assert buildwatch("discover", "mine").status == 0


def test_a_pushed_pipeline_that_falls_silent_is_stale(store: Database, write: Callable[[str], Path]) -> None:
    path = write("providers: {mine: {kind: push}}\npipelines: [{provider: mine, expect: 1h}]\n")
    configuration, clock = load(path, environ={}), Clock(now=lambda: minutes(300))
    pushed = pipeline(key="nightly", provider="mine")
    store.transact(lambda session: builds.upsert(session, [build(1, pipeline=pushed)], lambda _: None, minutes(0)))
    Cycle(configuration, connect(configuration), store, clock).run()
    firing = store.read(alerts.firing)
    assert [alert.kind for alert in firing] == [AlertKind.STALE]
