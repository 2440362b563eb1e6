"""Stored history runs through the alert pipeline once more: the same messages, or those of a candidate."""

from datetime import timedelta
from pathlib import Path

import pytest

from poller.config import Configuration
from poller.rehearsal import copied
from poller.replay import replayed
from poller.replay_report import Comparison, Mark
from store.engine import Database
from tests.support.builders import NOON
from tests.support.configurations import loaded
from tests.support.small_world import SmallWorld, random_builds

CONFIG = """
providers:
  ci: {{kind: fake}}
pipelines:
  - {{provider: ci, job: "web/*"{entry}}}
channels:
  desk: {{kind: lamp}}
  wall: {{kind: lamp}}
routes:
  - {{match: {{pipeline: "web/b"}}, to: [wall], continue: true}}
  - {{to: [desk]}}
alerts: {{failure: {{after: {after}}}}}
"""
NAMES = ("web/a", "web/b", "web/c")
DAY = timedelta(days=1)


def configured(folder: Path, *, after: int = 1, entry: str = "") -> Configuration:
    return loaded(folder / f"config{after}.yaml", CONFIG.format(after=after, entry=entry))


def replay(database: Database, configuration: Configuration, since: float, until: float) -> Comparison:
    with copied(database.engine.url.render_as_string(hide_password=False)) as history:
        return replayed(history, configuration, NOON + since * DAY, NOON + until * DAY)


def differences(comparison: Comparison) -> list[tuple[str, str, str]]:
    return [
        (mark, each.at.isoformat(), each.headline) for mark, each in comparison.lines if mark is not Mark.SAME
    ]


@pytest.mark.parametrize("entry", ["", ", rerun: {wait: 5m}"])
def test_unchanged_rules_say_what_was_said(database: Database, tmp_path: Path, entry: str) -> None:
    configuration = configured(tmp_path, entry=entry)
    world = SmallWorld(database, configuration)
    world.live(random_builds(7, NAMES, days=0.4, every=timedelta(minutes=12)), NOON + 0.45 * DAY)
    same = replay(database, configuration, 0, 0.45)
    assert differences(same) == []
    assert same.then.messages > 10
    later = replay(database, configuration, 0.2, 0.45)
    assert differences(later) == []
    assert 0 < later.then.tellings < same.then.tellings
