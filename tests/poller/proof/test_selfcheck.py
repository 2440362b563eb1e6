"""Every failure has a message or a reason, and what has neither is found."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from domain.alert import Reason
from domain.build import Outcome
from domain.silence import Ends
from poller.config import Configuration
from poller.proof.selfcheck import SELFCHECK, check, check_due
from poller.telling.handling import silence
from store import notes, proof, schema
from store.engine import Database, Session
from tests.support.builders import NOON, build, builds, minutes, pipeline
from tests.support.configurations import loaded
from tests.support.small_world import SmallWorld, random_builds

CONFIG = """
timezone: Asia/Kolkata
providers:
  ci: {kind: fake}
pipelines:
  - {provider: ci, job: "web/*"}
  - {provider: ci, job: "lib/*", alerts: {failure: {after: 2}}}
  - {provider: ci, job: "app/*", rerun: {wait: 6m}}
channels:
  desk: {kind: lamp}
"""
DAY = timedelta(days=1)


def configured(folder: Path, text: str = CONFIG) -> Configuration:
    return loaded(folder / "config.yaml", text)


@pytest.fixture
def world(database: Database, tmp_path: Path) -> SmallWorld:
    """Watches since NOON: what it meets then has passed."""
    small = SmallWorld(database, configured(tmp_path))
    looked(small)
    small.now = minutes(16)
    small.poll([build(1), build(1, pipeline=pipeline("lib/one")), build(1, pipeline=pipeline("app/one"))], last=NOON)
    return small


def looked(world: SmallWorld) -> Mapping[str, Any]:
    """The note after what the daemon does every minute."""
    world.database.transact(lambda session: check_due(session, world.configuration, world.now))
    found = world.database.read(lambda session: notes.get(session, SELFCHECK))
    assert found is not None
    value: Mapping[str, Any] = found.value
    return value


def checked(world: SmallWorld) -> dict[str, Any]:
    """What a check comes to now."""
    found = world.database.transact(lambda session: check(session, world.configuration, world.now))
    return {key: found[key] for key in ("failed", "told", "reasons", "unexplained")}


def result(failed: int, told: int = 0, unexplained: Sequence[int] = (), **reasons: int) -> dict[str, Any]:
    return {"failed": failed, "told": told, "reasons": reasons, "unexplained": list(unexplained)}


def ids(world: SmallWorld) -> list[int]:
    return world.database.read(lambda session: proof.failures_since(session, after_id=0, ids=(), since=NOON))


def test_what_was_told_is_told_and_what_waits_has_its_reason(world: SmallWorld) -> None:
    world.now = minutes(40)
    world.poll(builds("FF", first=2))
    assert checked(world) == result(2, waiting=2)
    world.live([], minutes(45))
    assert checked(world) == result(2, told=2)


def test_what_begins_no_alert_has_its_reason(world: SmallWorld) -> None:
    world.live(
        [
            build(3, Outcome.FAILURE, pipeline=pipeline("lib/one")),
            build(3, Outcome.FAILURE, is_pull_request=True, external_id="pr"),
            build(4, Outcome.FAILURE, branch="feature", external_id="feature"),
            build(3, Outcome.FAILURE, pipeline=pipeline("other/one")),
            build(4, Outcome.FAILURE, pipeline=pipeline("app/one"), finished_at=minutes(50)),
        ],
        minutes(53),
    )
    assert checked(world) == result(2, below_threshold=1, awaiting_rerun=1)
    world.live([], minutes(60))
    assert checked(world) == result(2, told=1, below_threshold=1)


def test_a_failure_that_a_re_run_of_its_commit_turned_around_is_flaky(world: SmallWorld) -> None:
    app = pipeline("app/one")
    first = build(4, Outcome.FAILURE, pipeline=app, finished_at=minutes(50))
    world.live([first], minutes(51))
    world.live([build(5, pipeline=app, commit=first.commit, finished_at=minutes(53))], minutes(80))
    assert checked(world) == result(1, flaky=1)


def test_what_a_silence_kept_quiet_names_it(world: SmallWorld) -> None:
    world.database.transact(
        lambda s: silence(s, {"pipeline": "web/*"}, Ends(at=minutes(600)), world.now, reason="move", author="ada")
    )
    world.live(builds("FF", first=2), minutes(50))
    assert checked(world) == result(2, silenced=2)
    world.database.transact(lambda session: session.execute(delete(schema.silences)))
    assert checked(world) == result(2, unexplained=ids(world))


def test_a_message_that_was_never_written_is_found_and_logged_once(
    world: SmallWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.live(builds("FFP", first=2), minutes(60))
    assert checked(world) == result(2, told=2)
    world.database.transact(lambda session: session.execute(delete(schema.attempts)))
    first = schema.outbox.c.reason.in_([Reason.FIRST, Reason.RESOLVED])
    world.database.transact(lambda session: session.execute(delete(schema.outbox).where(first)))
    with caplog.at_level(logging.ERROR):
        assert checked(world) == result(2, unexplained=ids(world))
        assert checked(world) == result(2, unexplained=ids(world))
    assert [record.getMessage() for record in caplog.records] == [
        f"failed builds without a message and without a reason, see `explain` builds={','.join(map(str, ids(world)))}"
    ]


def test_an_alert_that_is_lost_is_found(world: SmallWorld) -> None:
    world.live(builds("F", first=9), minutes(120))
    assert checked(world) == result(1, told=1)

    def lose(session: Session) -> None:
        for table in (schema.attempts, schema.outbox, schema.alerts):
            session.execute(delete(table))

    world.database.transact(lose)
    assert checked(world) == result(1, unexplained=ids(world))


def test_one_of_two_channels_that_was_forgotten_is_found(world: SmallWorld, tmp_path: Path) -> None:
    world.live(builds("F", first=9), minutes(120))
    world.configuration = configured(tmp_path, CONFIG.replace("channels:", "channels:\n  wall: {kind: lamp}"))
    assert checked(world) == result(1, told=1)
    world.database.transact(lambda s: s.execute(update(schema.alerts).values(channels=["desk", "wall"])))
    assert checked(world) == result(1, unexplained=ids(world))


def test_what_nobody_was_to_be_told_is_no_route_or_found(world: SmallWorld) -> None:
    world.live(builds("F", first=9), minutes(120))

    def forget(session: Session) -> None:
        for table in (schema.attempts, schema.outbox):
            session.execute(delete(table))
        session.execute(update(schema.alerts).values(channels=[]))

    world.database.transact(forget)
    assert checked(world) == result(1, unexplained=ids(world))
    world.configuration = replace(world.configuration, routes=())
    assert checked(world) == result(1, no_route=1)


def test_what_was_there_at_first_contact_is_history_or_in_the_summary(database: Database, tmp_path: Path) -> None:
    world = SmallWorld(database, configured(tmp_path))
    looked(world)
    world.now = minutes(100)
    world.poll(builds("FPFF"), last=minutes(90))
    world.live([], minutes(102))
    assert checked(world) == result(3, told=2, history=1)
    world.database.transact(lambda session: session.execute(delete(schema.attempts)))
    world.database.transact(lambda session: session.execute(delete(schema.outbox)))
    assert checked(world)["reasons"] == {"baseline": 2, "history": 1}


def test_breaks_that_were_over_when_they_were_seen_are_overtaken(world: SmallWorld) -> None:
    world.now = minutes(200)
    world.poll(builds("FPPF", first=9))
    world.live([], minutes(201))
    assert checked(world) == result(2, told=1, overtaken=1)


def test_another_configuration_was_in_use(world: SmallWorld, tmp_path: Path) -> None:
    world.live([build(9, Outcome.FAILURE, pipeline=pipeline("lib/one"))], minutes(120))
    assert checked(world) == result(1, below_threshold=1)
    world.configuration = replace(configured(tmp_path, CONFIG.replace("after: 2", "after: 1")), loaded="new")
    assert looked(world)["configured_at"] == minutes(120).isoformat()
    assert checked(world) == result(1, configured_since=1)


def test_it_looks_once_a_day_at_a_quiet_hour(world: SmallWorld) -> None:
    world.live(builds("F", first=2), minutes(60))
    assert "at" not in looked(world)
    half_past_four = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)  # in Kolkata
    world.now = half_past_four - timedelta(seconds=1)
    assert "at" not in looked(world)
    world.now = half_past_four + timedelta(seconds=3)
    assert looked(world)["at"] == world.now.isoformat()
    first = world.now
    world.now += timedelta(hours=5)
    assert looked(world)["at"] == first.isoformat()
    world.now += DAY
    note = looked(world)
    assert (note["at"], note["failed"]) == (world.now.isoformat(), 0)


def test_what_arrives_late_or_was_running_the_last_time_is_looked_at(world: SmallWorld) -> None:
    world.poll([build(5, None)])
    world.now += 3 * DAY
    assert checked(world) == result(0)
    world.poll([build(4, Outcome.FAILURE), build(5, Outcome.FAILURE)])
    assert checked(world)["failed"] == 2


@pytest.mark.parametrize("seed", [1, 2])
def test_every_failure_is_told_or_explained(database: Database, tmp_path: Path, seed: int) -> None:
    world = SmallWorld(database, configured(tmp_path))
    looked(world)
    every = timedelta(minutes=25)
    some = random_builds(seed, ["web/a", "lib/b", "app/c", "app/d"], days=0.4, every=every, bad=0.3)
    world.live(some, NOON + 0.45 * DAY)
    found = checked(world)
    assert found["unexplained"] == []
    assert found["failed"] == found["told"] + sum(found["reasons"].values()) > 15
    assert found["told"] > 10
    assert found["told"] + found["reasons"].get("hidden", 0) < found["failed"]
    assert {"below_threshold"} <= set(found["reasons"])
