from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from domain.alert import Delivery
from poller.cli import findings
from poller.record import CHANNELS, CONFIGURATION
from poller.watching.parts import Part, remember
from providers._base import Unreadable
from simulator.house import Simulator
from store import maintenance, notes, providers, quarantine
from store.engine import Database, Session
from store.errors import StoreCorrupt
from store.lock import hold
from store.providers import ProviderHealth
from tests.support.commands import Commands, Ran


def found(ran: Ran) -> dict[str, tuple[str, str]]:
    return {each["check"]: (each["state"], each["text"]) for each in ran.json["findings"]}


@pytest.mark.usefixtures("house_config", "store")
def test_when_all_is_well_nothing_is_wrong(buildwatch: Commands) -> None:
    ran = buildwatch("doctor")
    assert ran.status == 0, ran.out
    assert ran.out.endswith("nothing is wrong\n")
    told = found(buildwatch("doctor", "--json"))
    for check in ("store", "integrity", "disk", "messages", "unreadable builds", "provider jenkins", "channel mail"):
        assert told[check][0] == "ok", check
    assert told["daemon"][0] == "note"


def test_what_is_wrong_is_found(
    buildwatch: Commands, house_config: Path, house: Simulator, store: Database, now: datetime
) -> None:
    house.smtp.stop()
    odd = Unreadable(pipeline="team/api", external_id="9", problem="no number", raw="{}")
    part = Part(
        name="jenkins",
        key="team/api",
        target="jobs",
        failing_since=now,
        failures=3,
        trouble="server error",
        text="it answers 500",
    )

    def spoil(session: Session) -> None:
        quarantine.add(session, "jenkins", [odd], now)
        broken = ProviderHealth(name="github", failing_since=now, failures=4, trouble="auth", text="bad credentials")
        providers.save(session, broken)
        remember(session, "jenkins", [part], now)
        notes.put(session, CHANNELS, {"ci-slack": {"state": "broken", "error": "invalid_auth"}}, now)
        notes.put(session, CONFIGURATION, {"path": str(house_config), "error": "config.yaml:3:1: x", "hash": "1"}, now)

    store.transact(spoil)
    ran = buildwatch("doctor", "--json")
    told = found(ran)
    assert (ran.status, ran.json["ok"]) == (1, False)
    assert told["channel mail"][0] == "wrong"
    assert (
        told["unreadable builds"] == ("warning", "1, newest first: team/api 9: no number (now)")
        or "no number" in (told["unreadable builds"][1])
    )
    assert told["polls of github"][0] == "wrong"
    assert "auth: bad credentials" in told["polls of github"][1]
    state, text = told["polls of jenkins"]
    assert state == "warning"
    assert text.startswith("some fail although others succeed (1): team/api since ")
    assert text.endswith(": server error: it answers 500")
    assert told["deliveries to ci-slack"] == ("wrong", "broken: invalid_auth")
    assert told["config in use"][0] == "wrong"
    assert "wrong\n" in buildwatch("doctor").out


@pytest.mark.usefixtures("house_config")
def test_dead_letters_are_wrong(buildwatch: Commands, told: Callable[..., Any]) -> None:
    told(Delivery.DEAD)
    state, text = found(buildwatch("doctor", "--json"))["messages"]
    assert state == "wrong"
    assert "channel_not_found" in text


@pytest.mark.usefixtures("house_config")
def test_messages_that_wait_long_are_warned_of(buildwatch: Commands, told: Callable[..., Any]) -> None:
    told(Delivery.PENDING)
    state, text = found(buildwatch("doctor", "--json"))["messages"]
    assert (state, text.startswith("1 wait, the oldest for 1h")) == ("warning", True)


@pytest.mark.usefixtures("house_config")
def test_the_daemon_that_runs_is_named(buildwatch: Commands, store: Database, now: datetime) -> None:
    note = {"path": "x", "error": None, "hash": "another"}
    store.transact(lambda session: notes.put(session, CONFIGURATION, note, now))
    with hold(store, owner="the daemon of this test"):
        told = found(buildwatch("doctor", "--json"))
    assert "the daemon of this test" in told["daemon"][1]
    assert told["config in use"][0] == "warning"


@pytest.mark.usefixtures("house_config")
def test_a_store_that_is_not_there_yet_is_a_note(buildwatch: Commands) -> None:
    ran = buildwatch("doctor", "--json")
    assert (ran.status, found(ran)["store"][0]) == (0, "note")


@pytest.mark.usefixtures("house_config")
def test_a_corrupt_store_is_wrong(buildwatch: Commands, tmp_path: Path) -> None:
    (tmp_path / "buildwatch.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 8000)
    ran = buildwatch("doctor", "--json")
    assert (ran.status, found(ran)["store"][0]) == (1, "wrong")


def test_damage_inside_is_found(
    buildwatch: Commands, house_config: Path, store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert house_config.exists()
    assert store.path is not None

    def damaged(_: Database) -> None:
        raise StoreCorrupt("page 7 is not a page")

    monkeypatch.setattr(maintenance, "check_integrity", damaged)
    told = buildwatch("doctor", "--json").json["findings"]
    assert {"check": "store", "state": "wrong", "text": "page 7 is not a page"} in told
    monkeypatch.setattr(findings, "CHECKED_WHOLE", 0)
    assert found(buildwatch("doctor", "--json"))["integrity"][0] == "note"


def test_little_room_is_a_warning_and_none_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    free = 0
    monkeypatch.setattr(findings.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free})())
    for free, state in ((50 << 20, "wrong"), (500 << 20, "warning"), (5 << 30, "ok")):  # noqa: B007
        assert findings._of_disk(path).state == state
    monkeypatch.setattr(findings.os, "access", lambda *_: False)
    assert "cannot write" in findings._of_disk(path).text


def test_warnings_of_the_file_are_shown(buildwatch: Commands, house_config: Path) -> None:
    house_config.chmod(0o644)
    ran = buildwatch("doctor", "--json")
    assert (found(ran)["config"][0], ran.status) == ("warning", 0)
