from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from poller.config import Configuration
from poller.record import CONFIGURATION, record_configuration, record_standing, record_start
from poller.reload import Broken
from poller.watching.polling import POLLS, Polling
from providers._base import Allowance, Target
from store import notes
from store.engine import Database
from tests.support.arriving import polling_of
from tests.support.builders import NOON, minutes
from tests.support.configurations import loaded
from tests.support.hands import Hands

CONFIG = """
providers: {ci: {kind: fake}, gh: {kind: fake}}
pipelines: [{provider: ci, job: web}]
channels: {desk: {kind: lamp}}
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return loaded(tmp_path / "config.yaml", CONFIG)


@pytest.fixture
def polling(database: Database, configuration: Configuration) -> Polling:
    return polling_of(database, configuration, Hands().clock(), providers=dict.fromkeys(("ci", "gh")))


def target(provider: str, key: str, every: float = 60) -> Target:
    return Target(provider=provider, key=key, every=timedelta(seconds=every))


def put(database: Database, **polls: str) -> None:
    value = {name.replace("_", ":"): moment for name, moment in polls.items()}
    database.transact(lambda session: notes.put(session, POLLS, value, NOON))


def polls_of(database: Database) -> set[str]:
    note = database.read(lambda session: notes.get(session, POLLS))
    assert note is not None
    return set(note.value)


def test_when_a_target_was_polled_last_is_known_until_its_provider_has_been_listed(
    database: Database, polling: Polling
) -> None:
    put(database, ci_jobs=NOON.isoformat(), gh_web=NOON.isoformat(), gh_left=NOON.isoformat(), gone_x=NOON.isoformat())
    database.transact(lambda session: record_standing(session, {}, polling, [], minutes(1)))
    assert polls_of(database) == {"ci:jobs", "gh:web", "gh:left"}
    database.transact(lambda session: record_standing(session, {}, polling, [target("gh", "web")], minutes(1)))
    assert polls_of(database) == {"ci:jobs", "gh:web"}
    assert polling.memory_of(target("ci", "jobs")).last_poll == NOON


def test_a_target_that_is_polled_at_another_pace_is_the_same(polling: Polling) -> None:
    slow, fast = target("ci", "jobs", 60), target("ci", "jobs", 30)
    polling.memory_of(slow).cursors["job:web"] = {"last": 1}
    assert polling.memory_of(fast) is polling.memory_of(slow)


def test_a_broken_file_does_not_make_the_configuration_in_use_any_newer(
    database: Database, configuration: Configuration
) -> None:
    def loaded_at() -> datetime:
        note = database.read(lambda session: notes.get(session, CONFIGURATION))
        assert note is not None
        return datetime.fromisoformat(note.value["loaded_at"])

    broken = Broken(text="config.yaml:1:1: oh", since=NOON)
    database.transact(lambda session: record_start(session, configuration, NOON))
    database.transact(lambda session: record_configuration(session, configuration, broken, minutes(5)))
    assert loaded_at() == NOON
    newer = replace(configuration, loaded="another hash")
    database.transact(lambda session: record_configuration(session, newer, None, minutes(6)))
    assert loaded_at() == minutes(6)
    database.transact(lambda session: record_start(session, newer, minutes(9)))
    assert loaded_at() == minutes(9)


class Limited:
    """A provider whose server counts requests."""

    def __init__(self, left: Allowance | None) -> None:
        self._left = left

    def quota(self) -> Allowance | None:
        return self._left


def test_what_is_left_of_rate_limits_is_known_to_other_processes(database: Database, polling: Polling) -> None:
    limited: dict[str, Any] = {"ci": None, "gh": Limited(Allowance(limit=5000, remaining=12)), "new": Limited(None)}
    polling.providers = limited
    database.transact(lambda session: record_standing(session, {}, polling, [], minutes(1)))
    note = database.read(lambda session: notes.get(session, notes.QUOTAS))
    assert note is not None
    assert note.value == {"gh": {"limit": 5000, "remaining": 12}}
