"""Stored history runs through the alert pipeline once more: the same messages, or those of a candidate."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from domain.alert import Reason
from domain.build import Build, Outcome
from domain.silence import Ends
from poller.config import Configuration
from poller.rehearsing.rehearsal import copied
from poller.rehearsing.replay import replayed
from poller.rehearsing.replay_report import Comparison, Mark
from poller.telling.handling import acknowledge, silence, unsilence
from store import alerts
from store.engine import Database
from store.schema import metadata
from tests.support.builders import NOON, builds, minutes, pipeline
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
        (line.mark, line.telling.at.isoformat(), line.telling.headline)
        for line in comparison.lines
        if line.mark is not Mark.SAME
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


def test_a_candidate_shows_what_it_would_spare(sqlite_database: Database, tmp_path: Path) -> None:
    world = SmallWorld(sqlite_database, configured(tmp_path))
    world.live([*builds_of("PFPFFFFP"), *builds_of("PFFP", name="web/b")], NOON + DAY / 4)
    patient = replay(sqlite_database, configured(tmp_path, after=3), 0, 0.25)
    assert [patient.marked(mark) for mark in Mark] == [2, 6, 0]
    first, last = [line for line in patient.lines if line.mark is Mark.SAME]
    assert (first.telling.reason, first.telling.at, first.then_at) == (Reason.FIRST, minutes(65), minutes(45))
    assert (last.telling.reason, last.telling.at, last.then_at) == (Reason.RESOLVED, minutes(85), minutes(85))
    assert (patient.then.messages, patient.now.messages) == (7, 2)
    assert patient.then.channels == {"desk": 5, "wall": 2}
    assert patient.now.kinds == {"failure": 2}
    eager = replay(sqlite_database, configured(tmp_path, entry=", alerts: {failure: {resolve_after: 2}}"), 0, 0.25)
    assert eager.now.messages < eager.then.messages


def builds_of(letters: str, *, name: str = "web/a") -> list[Build]:
    return builds(letters, pipeline=pipeline(name))


def test_what_broke_before_is_told_to_be_fixed_and_no_more(sqlite_database: Database, tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    world = SmallWorld(sqlite_database, configuration)
    world.live([*builds_of("PFFP"), *builds_of("PF", name="web/b")], NOON + DAY / 4)
    comparison = replay(sqlite_database, configuration, 32 / 1440, 0.25)
    assert [(each.mark, each.telling.reason, each.telling.headline) for each in comparison.lines] == [
        (Mark.SAME, Reason.RESOLVED, "🟢 a / main is fixed after 2 failures (20 m)"),
    ]
    off = replay(sqlite_database, configured(tmp_path, after=3), 32 / 1440, 0.25)
    assert [each.mark for each in off.lines] == [Mark.ONLY_THEN]


def test_only_the_chosen_pipelines_are_replayed(sqlite_database: Database, tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    world = SmallWorld(sqlite_database, configuration)
    world.live([*builds_of("PFP"), *builds_of("PFP", name="web/c")], NOON + DAY / 12)
    with copied(sqlite_database.engine.url.render_as_string(hide_password=False)) as history:
        some = replayed(history, configuration, NOON, NOON + DAY / 12, glob="*/c")
    assert [each.telling.headline.split()[1] for each in some.lines] == ["c", "c"]
    assert some.marked(Mark.SAME) == 2


def test_silences_and_acknowledgements_are_done_again(sqlite_database: Database, tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    world = SmallWorld(sqlite_database, configuration)

    def quiet(world: SmallWorld) -> None:
        world.database.transact(
            lambda s: silence(s, {"pipeline": "web/a"}, Ends(at=minutes(900)), world.now, reason="move", author="ada")
        )

    def loud(world: SmallWorld) -> None:
        world.database.transact(lambda session: unsilence(session, 1, world.now, by="ada"))

    def known(world: SmallWorld) -> None:
        [found] = [each for each in world.database.read(alerts.firing) if each.scope.pipeline == "web/b"]
        world.database.transact(lambda s: acknowledge(s, found.id or 0, configuration, world.now, by="ada"))

    people = {minutes(20): quiet, minutes(60): loud, minutes(61): known}
    world.live([*builds_of("PFF"), *builds_of("PF", name="web/b")], NOON + 1.2 * DAY, people)
    assert differences(replay(sqlite_database, configuration, 0, 1.2)) == []
    told = replay(sqlite_database, configuration, 0, 1.2).lines
    assert [(each.telling.channel, each.telling.reason, each.telling.at) for each in told] == [
        ("desk", Reason.FIRST, minutes(25)),
        ("wall", Reason.FIRST, minutes(25)),
        ("desk", Reason.FIRST, minutes(60)),
        ("desk", Reason.REMINDER, minutes(60) + DAY),
    ]


def test_a_pipeline_that_was_met_in_between_has_its_first_contact_then(
    sqlite_database: Database, tmp_path: Path
) -> None:
    configuration = configured(tmp_path)
    world = SmallWorld(sqlite_database, configuration)
    world.live(builds_of("PPP"), minutes(50))
    world.poll(builds_of("PFF", name="web/b"), last=minutes(49))
    world.live(builds("PFP", first=6, pipeline=pipeline("web/b")), NOON + DAY / 6)
    comparison = replay(sqlite_database, configuration, 0, 1 / 6)
    assert differences(comparison) == []
    assert [each.telling.reason for each in comparison.lines] == [Reason.RESOLVED] * 2 + [Reason.FIRST] * 2 + [
        Reason.RESOLVED
    ] * 2


def test_a_first_attempt_counts_again_where_its_successor_is_still_to_come(
    sqlite_database: Database, tmp_path: Path
) -> None:
    configuration = configured(tmp_path)
    world = SmallWorld(sqlite_database, configuration)
    first, second = builds_of("PF")
    again = replace(second, attempt=2, outcome=Outcome.SUCCESS, started_at=minutes(50), finished_at=minutes(55))
    world.live([first, second, again], NOON + DAY / 12)
    comparison = replay(sqlite_database, configuration, 40 / 1440, 1 / 12)
    assert [(each.mark, each.telling.reason) for each in comparison.lines] == [(Mark.SAME, Reason.RESOLVED)]


def test_what_hangs_is_seen_while_it_runs(sqlite_database: Database, tmp_path: Path) -> None:
    configuration = configured(tmp_path, entry=", alerts: {stuck: {running_longer_than: 30m}}")
    world = SmallWorld(sqlite_database, configuration)
    ran, hung = builds_of("PP")
    hung = replace(hung, finished_at=minutes(90))
    never = builds("R", first=12, pipeline=pipeline("web/c"))
    world.live([ran, hung, *builds_of("P", name="web/c")], minutes(121))
    world.poll(never)
    world.live([], NOON + DAY / 6)
    comparison = replay(sqlite_database, configuration, 0, 1 / 6)
    assert differences(comparison) == []
    assert comparison.now.kinds == {"stuck": 3}


def test_nothing_of_the_store_is_changed(sqlite_database: Database, tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    world = SmallWorld(sqlite_database, configuration)
    world.live(builds_of("PFP"), NOON + DAY / 12)

    def contents() -> list[object]:
        return sqlite_database.read(
            lambda session: [session.execute(table.select()).all() for table in metadata.sorted_tables]
        )

    before = contents()
    replay(sqlite_database, configured(tmp_path, after=2), 0, 1 / 12)
    assert contents() == before


def test_the_clock_is_reported(sqlite_database: Database, tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    world = SmallWorld(sqlite_database, configuration)
    world.live(builds_of("PF"), NOON + DAY / 24)
    seen: list[datetime] = []
    with copied(sqlite_database.engine.url.render_as_string(hide_password=False)) as history:
        replayed(history, configuration, NOON, NOON + DAY / 24, report=seen.append)
    assert seen[-1] == NOON + DAY / 24
    assert seen == sorted(seen)
