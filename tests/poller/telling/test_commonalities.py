"""What failures have in common, read from either database."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.rules import FailureRule
from alerts.verdict import verdict_of
from domain.alert import Reason
from domain.build import Build, Outcome
from domain.window import Window
from poller.telling.commonalities import what_failures_share
from store import builds as stored
from store import commonalities, details, outbox
from store.commonalities import Ended
from store.database import Database
from store.details import Findings
from tests.support.builders import NOON, build, minutes, pipeline
from tests.support.desk import Desk

CORE, EDGE = pipeline("nsp/core", labels={"module": "core"}), pipeline("nsp/edge", labels={"module": "edge"})
NOW = minutes(600)


class Story:
    """Builds that ended before NOW."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.number = 0

    def add(
        self, count: int, agent: str, outcome: Outcome = Outcome.SUCCESS, bucket: str | None = None, **more: object
    ) -> Build:
        some = [
            build(
                self.number + place,
                outcome,
                **{"started_at": minutes(100), "pipeline": CORE, "labels": {"agent": agent}, **more},
            )
            for place in range(1, count + 1)
        ]
        self.number += count
        changes = self.database.transact(lambda session: stored.upsert(session, some, verdict_of, NOON))
        for change in changes:
            if bucket is not None:
                found = Findings(bucket=bucket)
                self.database.transact(lambda session, its=change.id, found=found: details.save(session, its, found))
        return self.database.read(lambda session: stored.get(session, [changes[-1].id]))[changes[-1].id].build

    def shared(self, failed: Build) -> str | None:
        found = self.database.read(lambda session: what_failures_share(session, failed, NOW))
        return found and found.text


@pytest.fixture
def story(database: Database) -> Story:
    return Story(database)


def test_the_failures_of_a_pipeline_may_share_an_agent(story: Story) -> None:
    failed = story.add(5, "agent-7", Outcome.FAILURE)
    story.add(23, "agent-1")
    assert story.shared(failed) == "all 5 on agent-7 (0 of 23 elsewhere)"


def test_the_failures_of_a_bucket_may_share_an_agent_across_pipelines(story: Story) -> None:
    story.add(2, "agent-7", Outcome.FAILURE, "Disk full")
    failed = story.add(2, "agent-7", Outcome.FAILURE, "Disk full", pipeline=EDGE)
    story.add(2, "agent-1", Outcome.FAILURE, "Compile error")
    story.add(12, "agent-1")
    story.add(11, "agent-2", pipeline=EDGE)
    story.add(50, "agent-3", pipeline=pipeline("else/where"))  # it has nothing to do with that
    assert story.shared(failed) == "all 4 on agent-7 (0 of 23 elsewhere)"


def test_a_build_that_failed_elsewhere_shares_nothing(story: Story) -> None:
    story.add(5, "agent-7", Outcome.FAILURE, "Disk full")
    other = story.add(1, "agent-1", Outcome.FAILURE, "Compile error")
    story.add(20, "agent-1")
    assert story.shared(other) is None


def test_a_week_is_looked_at_when_a_day_shows_nothing(story: Story) -> None:
    story.add(4, "agent-7", Outcome.FAILURE, started_at=NOON - timedelta(days=3))
    story.add(30, "agent-1", started_at=NOON - timedelta(days=3))
    failed = story.add(1, "agent-7", Outcome.FAILURE)
    assert story.shared(failed) == "all 5 on agent-7 (0 of 30 elsewhere)"


def test_an_unknown_pipeline_shares_nothing(story: Story) -> None:
    assert story.shared(build(1, Outcome.FAILURE)) is None


def labelled(found: list[Ended]) -> list[tuple[Mapping[str, str], str | None, int, int]]:
    return sorted(((each.labels, each.bucket, each.failed, each.passed) for each in found), key=str)


def test_builds_are_counted_by_pipeline_labels_and_bucket(story: Story) -> None:
    story.add(3, "a", Outcome.FAILURE, "Disk full")
    story.add(2, "a")
    story.add(4, "b", pipeline=EDGE)
    story.add(1, "a", Outcome.CANCELLED)
    day = Window(start=NOON, end=NOW)
    read = story.database.read
    core = [
        ({"module": "core", "agent": "a"}, "Disk full", 3, 0),
        ({"module": "core", "agent": "a"}, None, 0, 2),
    ]
    everything = read(lambda session: commonalities.ended(session, day))
    assert labelled(everything) == sorted([*core, ({"module": "edge", "agent": "b"}, None, 0, 4)], key=str)
    where = read(lambda session: commonalities.pipelines_with(session, "Disk full", day))
    assert labelled(read(lambda session: commonalities.ended(session, day, where))) == sorted(core, key=str)
    assert labelled(read(lambda session: commonalities.ended(session, day, only_failed=True))) == core[:1]
    assert read(lambda session: commonalities.ended(session, day, [])) == []
    assert (
        read(lambda session: commonalities.pipelines_with(session, "Disk full", Window(start=NOON, end=NOON))) == set()
    )


def test_a_message_says_what_the_failures_share(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path)
    desk.with_rules(failure=FailureRule(after=3))
    desk.builds("P" * 12, labels={"agent": "agent-1"})
    desk.builds("FFF", labels={"agent": "agent-7"})
    [row] = [row for row in database.read(outbox.listing) if row.reason is Reason.FIRST]
    told = {each.name: each.value for each in row.message.facts}
    assert told["Noticed"] == "all 3 on agent-7 (0 of 12 elsewhere)"
