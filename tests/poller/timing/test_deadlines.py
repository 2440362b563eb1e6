from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.verdict import verdict_of
from domain.alert import Alert, AlertKind, AlertState
from domain.build import Build, Status
from poller.config import Configuration
from poller.intake.ingest import Ingested
from poller.timing.deadlines import Deadlines, Looked
from providers._base import Waiting
from store import alerts, builds, pipelines
from store.engine import Database
from store.errors import StoreUnavailable
from store.pipelines import Key
from tests.support.arriving import taken_in
from tests.support.builders import NOON, build, minutes, pipeline
from tests.support.builders import builds as built
from tests.support.configurations import loaded

CONFIG = """
providers: {ci: {kind: fake}}
pipelines:
  - {provider: ci, job: "web/*"}
  - {provider: ci, job: "nightly/*", expect: {every: 24h, grace: 1h}}
  - {provider: ci, job: "auto/*", expect: auto}
channels: {desk: {kind: lamp}}
alerts: {stuck: {queued_longer_than: 20m}}
"""
NIGHTLY = ("ci", "nightly/all")


class Watch:
    """Deadlines over a store, looked at when a test says so."""

    def __init__(self, database: Database, configuration: Configuration) -> None:
        self.database = database
        self.configuration = configuration
        self.deadlines = Deadlines(database, at_once=2)
        self.until: datetime | None = datetime.max.replace(tzinfo=NOON.tzinfo)
        self.asked: list[Key] = []
        self.queues: dict[str, list[Waiting]] = {}
        self.reads = 0

    def comes(self, *given: Build, now: datetime = NOON) -> None:
        """The store gets builds, and the deadlines hear of it."""
        changes = self.database.transact(lambda session: builds.upsert(session, given, verdict_of, now))
        self.deadlines.touched(Ingested(changes=changes))

    def reads_page(self, now: datetime, **content: Any) -> None:
        """A page without builds comes in."""
        last_poll = now - timedelta(minutes=5)
        self.deadlines.touched(taken_in(self.database, self.configuration, now=now, last_poll=last_poll, page=content))

    def look(self, now: datetime) -> Looked:
        return self.deadlines.look(
            self.configuration,
            now,
            known_until=lambda _: self.until,
            why_idle=self.why_idle,
            queues=self.queues,
        )

    def why_idle(self, keys: Sequence[Key]) -> dict[Key, str]:
        self.asked += keys
        return dict.fromkeys(keys, "the job is disabled")

    def firing(self) -> list[tuple[AlertKind, str | None]]:
        return [(alert.kind, alert.scope.pipeline) for alert in self.database.read(alerts.firing)]


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return loaded(tmp_path / "config.yaml", CONFIG)


@pytest.fixture
def watch(database: Database, configuration: Configuration) -> Watch:
    return Watch(database, configuration)


def nightly(number: int, at: datetime) -> Build:
    return build(number, pipeline=pipeline("nightly/all"), started_at=at)


def test_a_pipeline_that_comes_or_moves_without_a_build_has_a_deadline_too(watch: Watch) -> None:
    watch.comes(nightly(1, NOON))
    watch.look(NOON)
    moved, new = pipeline("nightly/moved"), pipeline("nightly/new")
    watch.reads_page(NOON, pipelines=[moved, new], renamed={NIGHTLY[1]: moved.key})
    assert watch.look(NOON + timedelta(hours=24)) == Looked()
    for _ in range(2):  # two are read at once, and the old key is one
        watch.look(NOON + timedelta(hours=26))
    assert set(watch.firing()) == {(AlertKind.STALE, moved.key), (AlertKind.STALE, new.key)}
    assert len(watch.firing()) == 2


def test_a_pipeline_that_is_back_without_a_build_has_a_deadline_again(watch: Watch) -> None:
    watch.comes(nightly(1, NOON))
    watch.reads_page(NOON, missing=[NIGHTLY[1]])
    watch.look(NOON + timedelta(hours=26))
    assert AlertKind.STALE not in {kind for kind, _ in watch.firing()}
    watch.reads_page(NOON + timedelta(hours=27), pipelines=[pipeline("nightly/all")])
    watch.look(NOON + timedelta(hours=28))
    assert watch.firing() == [(AlertKind.STALE, NIGHTLY[1])]


def only(alerts: Sequence[Alert]) -> Alert:
    (alert,) = alerts
    return alert


def test_a_missing_build_is_told_with_its_reason_and_the_next_one_ends_it(watch: Watch) -> None:
    watch.comes(nightly(1, NOON))
    assert watch.look(NOON + timedelta(hours=24.9)) == Looked()
    fired = only(watch.look(NOON + timedelta(hours=25)).transitions)
    assert (fired.kind, fired.evidence["because"]) == (AlertKind.STALE, "the job is disabled")
    assert watch.look(NOON + timedelta(hours=30)) == Looked()
    assert watch.asked == [NIGHTLY]
    watch.comes(nightly(2, NOON + timedelta(hours=31)))
    ended = only(watch.look(NOON + timedelta(hours=31, minutes=5)).transitions)
    assert (ended.state, ended.evidence["ended_by"]["number"]) == (AlertState.RESOLVED, 2)
    assert watch.firing() == []


def test_builds_of_branches_that_are_not_watched_do_not_count(watch: Watch) -> None:
    watch.comes(nightly(1, NOON))
    others = [build(n, pipeline=pipeline("nightly/all"), branch="next", started_at=minutes(600)) for n in range(2, 90)]
    watch.comes(*others)
    assert only(watch.look(NOON + timedelta(hours=26)).transitions).evidence["last_build"]["number"] == 1


def test_while_a_provider_cannot_be_read_nothing_is_judged(watch: Watch) -> None:
    watch.comes(nightly(1, NOON))
    watch.until = None
    assert watch.look(NOON + timedelta(hours=99)) == Looked()
    watch.until = NOON + timedelta(hours=24)  # nobody knows what has come since
    assert watch.look(NOON + timedelta(hours=99)) == Looked()
    watch.until = NOON + timedelta(hours=25)
    assert only(watch.look(NOON + timedelta(hours=99)).transitions).summary.startswith("no build for 1 d 1 h")


def test_what_was_stale_at_first_contact_is_baseline(watch: Watch) -> None:
    watch.comes(nightly(1, NOON - timedelta(days=9)))
    looked = watch.look(NOON)
    assert (looked.baseline, looked.transitions, looked.told) == (True, [], frozenset())


def test_auto_learns_from_the_builds_of_some_weeks(watch: Watch) -> None:
    web = pipeline("auto/web")
    watch.comes(*[build(n, pipeline=web, started_at=NOON + n * timedelta(hours=1)) for n in range(30)])
    assert watch.look(NOON + timedelta(hours=31.9)) == Looked()
    assert only(watch.look(NOON + timedelta(hours=32)).transitions).scope.pipeline == "auto/web"


def test_a_stuck_build_is_told_and_how_it_ends(watch: Watch) -> None:
    watch.comes(*built("PPPPPR"))
    assert watch.look(minutes(60)) == Looked()
    assert watch.look(minutes(79.9)) == Looked()
    assert only(watch.look(minutes(80)).transitions).summary == "#6 has been running for 20 m"
    assert watch.look(minutes(90)) == Looked()
    watch.comes(build(6, finished_at=minutes(95)))
    assert only(watch.look(minutes(96)).transitions).summary == "#6 succeeded after 35 m"
    assert watch.firing() == []


def test_a_second_stuck_build_joins_the_first(watch: Watch) -> None:
    watch.comes(*built("PPPPPR"))
    watch.look(minutes(80))
    watch.comes(build(7, None))
    watch.look(minutes(81))
    looked = watch.look(minutes(95))
    assert only(watch.database.read(alerts.firing)).summary.startswith("2 builds are stuck")
    assert looked.told == frozenset(), "this channel cannot edit its cards"


def test_a_queued_build_is_stuck_after_a_while_unless_a_person_has_to_let_it_go_on(watch: Watch) -> None:
    queued = {"status": Status.QUEUED, "started_at": None, "queued_at": NOON}
    watch.comes(build(1, None, **queued), build(2, None, raw_outcome="waiting", **queued))
    assert [build["number"] for build in only(watch.look(minutes(20)).transitions).evidence["builds"]] == [1]


def waiting(number: int, key: str) -> Waiting:
    folder, _, name = key.rpartition("/")
    return Waiting(number=number, places=((key, ""), (folder, name)), since=NOON, why="no executor is free")


def test_what_waits_in_the_queue_of_a_server_is_stuck_until_it_has_left_it(watch: Watch) -> None:
    watch.comes(build(1, pipeline=pipeline("web/plain", branched=False)), build(2, pipeline=pipeline("web/branchy")))
    watch.look(minutes(1))
    watch.queues = {"ci": [waiting(7, "web/plain"), waiting(8, "web/branchy"), waiting(9, "web/unknown")]}
    assert watch.look(minutes(19.9)) == Looked()
    fired = only(watch.look(minutes(20)).transitions)
    assert (fired.scope.pipeline, fired.summary) == ("web/plain", "a build has been waiting in the queue for 20 m")
    watch.queues = {}  # the server could not be asked again
    assert watch.look(minutes(30)) == Looked()
    watch.queues = {"ci": [waiting(10, "web/plain")]}
    watch.look(minutes(31))
    assert [named["id"] for named in only(watch.database.read(alerts.firing)).evidence["builds"]] == [-10]
    watch.queues = {"ci": []}
    ended = only(watch.look(minutes(40)).transitions)
    assert ended.summary == "a build left the queue after 31 m, a build left the queue after 40 m"


def test_of_a_multibranch_project_only_the_queue_of_watched_branches_counts(watch: Watch) -> None:
    watch.comes(build(1, pipeline=pipeline("web/project")))
    watch.look(minutes(1))
    branches = [("web/project", "next"), ("web/project", "main")]
    watch.queues = {"ci": [Waiting(number=n, places=(place,), since=NOON) for n, place in enumerate(branches, 1)]}
    watch.look(minutes(2))
    assert only(watch.look(minutes(20)).transitions).scope.branch == "main"


def test_what_is_gone_or_not_watched_is_not_waited_for(watch: Watch) -> None:
    watch.comes(*built("PPPPPR"), nightly(1, NOON), build(1, None, pipeline=pipeline("else/where")))
    watch.look(minutes(80))
    watch.database.transact(lambda s: pipelines.set_missing(s, "ci", ["web/deploy", NIGHTLY[1]], minutes(81)))
    watch.deadlines.rebuild()
    for _ in range(2):
        watch.look(NOON + timedelta(days=3))
    assert watch.firing() == []


def test_everything_is_read_anew_in_portions(watch: Watch) -> None:
    watch.comes(*(build(1, pipeline=pipeline(f"nightly/{name}"), started_at=NOON) for name in "abcde"))
    watch.deadlines.rebuild()
    late = NOON + timedelta(hours=26)
    fired = [(len(watch.look(late).transitions), watch.deadlines.is_behind) for _ in range(4)]
    assert fired == [(2, True), (2, True), (1, False), (0, False)]


def test_what_could_not_be_read_is_read_again(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    late = NOON + timedelta(hours=26)
    watch.look(NOON)
    watch.comes(nightly(1, NOON))
    with monkeypatch.context() as broken:

        def read(unit: object) -> None:
            raise StoreUnavailable(f"no {unit}")

        broken.setattr(watch.database, "read", read)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                watch.look(late)
            watch.deadlines.rebuild()
    assert only(watch.look(late).transitions).kind is AlertKind.STALE
