from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from domain.alert import AlertKind, Delivery, Scope
from domain.build import Outcome
from poller.record import CHANNELS, CONFIGURATION, DAEMON
from poller.watching.parts import Part, remember
from providers._base import Unreadable
from store import notes, pipelines, providers, quarantine
from store.engine import Database, open_database
from store.lock import hold
from store.providers import ProviderHealth
from tests.support.builders import build, pipeline
from tests.support.commands import Commands

CORE = pipeline("api/core")


@pytest.fixture
def watched(store: Database, stored: Callable[..., None], now: datetime) -> None:
    """Four builds of web/deploy in the last day, one before; one of api/core; one of what nobody watches."""
    ages = ((1, Outcome.SUCCESS, 30), (2, Outcome.SUCCESS, 5), (3, Outcome.FAILURE, 4), (4, Outcome.SUCCESS, 3))
    stored(
        *(build(number, outcome, started_at=now - timedelta(hours=age)) for number, outcome, age in ages),
        build(5, Outcome.CANCELLED, started_at=now - timedelta(hours=2)),
        build(6, None, started_at=now),
        build(7, Outcome.FAILURE, pipeline=CORE, started_at=now - timedelta(days=3)),
        build(8, pipeline=pipeline("other"), started_at=now - timedelta(hours=1)),
    )
    healthy = ProviderHealth(name="ci", last_ok_at=now - timedelta(minutes=1))
    store.transact(lambda session: providers.save(session, healthy))


@pytest.mark.usefixtures("watched")
def test_json_has_the_keys_of_the_contract_and_figures(buildwatch: Commands, now: datetime) -> None:
    seen = buildwatch("status", "--json").json
    assert {"providers", "pipelines", "outbox", "since", "config"} <= set(seen)
    assert set(seen["config"]) >= {"path", "loaded_at", "error"}
    assert seen["outbox"] == {"pending": 0, "dead": 0}
    assert seen["since"] is None
    assert seen["daemon"]["running"] is False
    (provider,) = seen["providers"]
    assert (provider["name"], provider["state"], provider["trouble"], provider["quarantined"]) == ("ci", "ok", None, 0)
    core, web = seen["pipelines"]  # `other` is not watched
    assert (web["pipeline"], web["state"]) == ("web/deploy", "ok")
    assert (web["total"], web["passed"], web["failed"], web["neutral"], web["running"]) == (5, 2, 1, 1, 1)
    assert web["success_rate"] == pytest.approx(2 / 3)
    assert (web["duration_p50"], web["duration_p95"]) == (300.0, 300.0)
    assert (web["last_build"]["number"], web["last_build"]["outcome"]) == (5, "cancelled")
    assert datetime.fromisoformat(web["last_build"]["finished_at"]) == now - timedelta(minutes=115)
    assert (core["pipeline"], core["success_rate"], core["duration_p50"]) == ("api/core", None, None)


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(("window", "counted"), [("48h", 4), ("2 builds", 2), ("1h", 0)])
def test_the_window_decides_what_rates_count(buildwatch: Commands, window: str, counted: int) -> None:
    web = buildwatch("status", "--json", "--window", window).json["pipelines"][1]
    assert web["passed"] + web["failed"] == counted


def test_a_window_that_cannot_be_read_is_a_usage_error(buildwatch: Commands) -> None:
    ran = buildwatch("status", "--window", "soon")
    assert (ran.status, "is not a window" in ran.err) == (2, True)


@pytest.mark.usefixtures("watched")
def test_a_failing_pipeline_shows_its_alert(buildwatch: Commands, told: Callable[..., object]) -> None:
    told(Delivery.DEAD)
    seen = buildwatch("status", "--json").json
    web = seen["pipelines"][1]
    assert web["state"] == "failing"
    assert [(each["kind"], each["branch"]) for each in web["open_alerts"]] == [("failure", "main")]
    assert seen["outbox"] == {"pending": 0, "dead": 1}
    assert "deploy / main failed" in buildwatch("status").out


@pytest.mark.usefixtures("watched")
def test_under_an_unreachable_provider_nothing_is_ok(
    buildwatch: Commands, store: Database, told: Callable[..., object], now: datetime
) -> None:
    broken = ProviderHealth(name="ci", failing_since=now, failures=3, trouble="timeout", text="http://ci took too long")
    store.transact(lambda session: providers.save(session, broken))
    assert buildwatch("status", "--json").json["providers"][0]["state"] == "failing"
    told(kind=AlertKind.PROVIDER_UNREACHABLE, scope=Scope(provider="ci"), summary="ci does not answer")
    seen = buildwatch("status", "--json").json
    assert (seen["providers"][0]["state"], seen["providers"][0]["trouble"]) == ("unreachable", "timeout")
    assert {each["state"] for each in seen["pipelines"]} == {"unknown"}
    text = buildwatch("status").out
    assert "ci does not answer" in text
    assert "timeout: http://ci took too long" in text


@pytest.mark.usefixtures("watched")
def test_under_a_part_that_cannot_be_read_only_its_pipelines_are_unknown(
    buildwatch: Commands, store: Database, told: Callable[..., object], now: datetime
) -> None:
    part = Part(
        name="ci", key="web/deploy", target="jobs", failing_since=now, failures=3, trouble="auth", text="refused (403)"
    )
    store.transact(lambda session: remember(session, "ci", [part], now))
    told(
        kind=AlertKind.PROVIDER_UNREACHABLE,
        scope=Scope(provider="ci", branch="web/deploy"),
        summary="cannot be read: refused (403)",
    )
    seen = buildwatch("status", "--json").json
    assert seen["providers"][0]["state"] == "ok"
    assert [(each["part"], each["trouble"]) for each in seen["providers"][0]["unread"]] == [("web/deploy", "auth")]
    states = {each["pipeline"]: each["state"] for each in seen["pipelines"]}
    assert states.pop("web/deploy") == "unknown"
    assert "unknown" not in states.values()
    assert "cannot be read: refused (403)" in buildwatch("status").out


@pytest.mark.usefixtures("watched")
def test_missing_pipelines_and_unreadable_builds_are_counted(
    buildwatch: Commands, store: Database, now: datetime
) -> None:
    odd = Unreadable(pipeline="web/deploy", external_id="9", problem="no number", raw="{}")
    store.transact(lambda session: quarantine.add(session, "ci", [odd], now))
    store.transact(lambda session: pipelines.set_missing(session, "ci", ["web/deploy"], now))
    seen = buildwatch("status", "--json").json
    assert seen["pipelines"][1]["state"] == "missing"
    assert seen["providers"][0]["quarantined"] == 1
    assert seen["quarantined"] == 1


def test_a_running_daemon_and_its_broken_configuration_are_shown(
    buildwatch: Commands, store: Database, now: datetime
) -> None:
    def write(session: object) -> None:
        notes.put(session, DAEMON, {"since": now.isoformat(), "pid": 17, "host": "box"}, now)  # type: ignore[arg-type]
        told = {
            "path": "/etc/buildwatch/config.yaml",
            "loaded_at": now.isoformat(),
            "hash": "1",
            "error": "config.yaml:3:1: x",
        }
        notes.put(session, CONFIGURATION, told, now)  # type: ignore[arg-type]
        notes.put(session, CHANNELS, {"team": {"state": "broken", "error": "invalid_auth"}}, now)  # type: ignore[arg-type]

    store.transact(write)
    with hold(store, owner="the test"):
        seen = buildwatch("status", "--json").json
        text = buildwatch("status").out
    assert datetime.fromisoformat(seen["since"]) == now
    assert seen["daemon"]["running"] is True
    assert "the test" in seen["daemon"]["holder"]
    assert seen["config"]["error"] == "config.yaml:3:1: x"
    assert datetime.fromisoformat(seen["config"]["loaded_at"]) == now
    assert seen["channels"] == [{"name": "team", "state": "broken", "error": "invalid_auth"}]
    assert "config.yaml:3:1: x" in text
    assert "invalid_auth" in text


def test_a_store_that_does_not_exist_yet_is_an_empty_one(buildwatch: Commands) -> None:
    ran = buildwatch("status")
    assert ran.status == 0
    assert "there is no store yet" in ran.err
    assert "no pipelines yet" in ran.out
    assert buildwatch("status", "--json").json["pipelines"] == []
    assert not (buildwatch.config.parent / "buildwatch.db").exists()


def test_the_same_on_postgresql(
    buildwatch: Commands, config: Path, tmp_path: Path, postgres_url: Callable[[], str]
) -> None:
    url = postgres_url()
    config.write_text(config.read_text().replace(f"sqlite:///{tmp_path / 'buildwatch.db'}", url))
    ran = buildwatch("status")
    assert (ran.status, "there is no store yet" in ran.err) == (0, True)
    assert buildwatch("db", "upgrade").status == 0
    database = open_database(url)
    with hold(database, owner="the daemon over there"):
        seen = buildwatch("status", "--json").json
    database.close()
    assert seen["daemon"]["running"] is True
    assert buildwatch("status", "--json").json["daemon"]["running"] is False
    assert buildwatch("db", "backup", str(tmp_path / "x")).status == 1
    told = {each["check"]: each["state"] for each in buildwatch("doctor", "--json").json["findings"]}
    assert told["store"] == "ok"
