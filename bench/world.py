"""Servers with pipelines that live for a day, and the daemon's own parts that watch them, by a clock of their own."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bench.breaks import MINUTE, START, Break, Mix, Outage, arrivals, tell_story
from domain.alert import Notification, Reason
from domain.build import Build, Pipeline
from poller import standing
from poller.config import Configuration
from poller.delivery.courier import Courier
from poller.delivery.undelivered import judge_channels
from poller.intake.ingest import Ingested
from poller.running.clock import Clock
from poller.running.failpoint import Failpoints
from poller.running.progress import Progress
from poller.timing.timers import Timers
from poller.watching.health import Health
from poller.watching.polling import Polling
from providers._base import Candidate, Cursor, Page, Probe, Target, Trouble, Unavailable
from store import outbox
from store.engine import Database
from store.providers import ProviderHealth

PROVIDERS = 4
BUILDS_A_DAY = 20
DAY = timedelta(days=1)
TICK = timedelta(seconds=30)  # the daemon's is shorter: nothing here is due to the second
BUILDS_A_PAGE = 500
CLOUDS = ("aws", "gcp", "azure", "metal")
CLOUD_DOWN = Outage(begin=START + timedelta(hours=10), end=START + timedelta(hours=11))  # the first of the clouds
SERVER_DOWN = Outage(begin=START + timedelta(hours=15), end=START + timedelta(hours=16))  # the second server
CHANNELS = {"bot": True, "webhook": False}  # which of them can edit what they said


class Moment:
    """The time. It stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = self._start = now

    def clock(self) -> Clock:
        """For the daemon's parts."""
        return Clock(now=lambda: self.now, monotonic=self._seconds)

    def _seconds(self) -> float:
        return (self.now - self._start).total_seconds()


class Server:
    """A provider that shows what has begun and ended since it was asked last."""

    def __init__(self, name: str, pipelines: Sequence[Pipeline], builds: Sequence[Build], down: Outage | None) -> None:
        self.name = name
        self._pipelines = pipelines
        self._shown = [(at, build) for at, found in arrivals(builds, MINUTE) for build in found]
        self._down = down

    def targets(self) -> Sequence[Target]:
        """All of it."""
        return [Target(provider=self.name, key="all", every=MINUTE)]

    def poll(self, target: Target, cursors: Mapping[str, Cursor], now: datetime) -> Iterator[Page]:
        """What is new, unless it is down."""
        if self._down is not None and self._down.begin <= now < self._down.end:
            raise Unavailable(Trouble.CONNECTION, f"{self.name} does not answer")
        place = cursors.get(target.key, {}).get("shown", 0)
        newest: dict[tuple[str, str, int], Build] = {}
        while place < len(self._shown) and self._shown[place][0] <= now:
            build = self._shown[place][1]
            newest[build.pipeline.key, build.external_id, build.attempt] = build
            place += 1
        found = sorted(newest.values(), key=lambda each: (each.finished_at or now, each.number))
        for start in range(0, len(found), BUILDS_A_PAGE):
            end = start + BUILDS_A_PAGE
            cursor = {target.key: {"shown": place}} if end >= len(found) else {}
            yield Page(builds=found[start:end], cursors=cursor)

    def backfill(
        self, target: Target, keys: Sequence[str], since: datetime, cursor: Cursor, now: datetime
    ) -> Iterator[Page]:
        """Nothing: history is stored before the day begins."""
        del target, keys, since, cursor, now
        return iter(())

    def discover(self) -> Iterator[Candidate]:
        """Nobody asks."""
        return iter(())

    def probe(self) -> Probe:
        """Nobody asks."""
        return Probe()

    def close(self) -> None:
        """Nothing is open."""


class Screen:
    """A channel that counts: posts of its own, posts in a thread, and edits."""

    min_interval = 0.0

    def __init__(self, name: str, *, edits: bool) -> None:
        self.name = name
        self.edits = edits
        self.messages: Counter[tuple[str, Reason]] = Counter()  # by kind of alert
        self.acts: Counter[str] = Counter()
        self._posts = 0

    def send(self, notification: Notification) -> Mapping[str, Any]:
        """As the bot of Slack does it, or its webhook."""
        root, reason = notification.root, notification.reason
        self.messages[str(notification.about.get("kind", "?")), reason] += 1
        if not (self.edits and root.get("ts")):
            self.acts["posted"] += 1
            self._posts += 1
            return {"channel": "C1", "ts": str(self._posts)} if self.edits else {}
        if reason is not Reason.THREADED:
            self.acts["edited"] += 1
        if reason not in {Reason.FIRST, Reason.REFRESH}:
            self.acts["in a thread"] += 1
        return dict(root)

    def probe(self) -> str:
        """Nothing is reached."""
        return "a screen"

    def close(self) -> None:
        """Nothing is open."""


@dataclass(slots=True)
class World:
    """What the day is made of, with the truth about it."""

    servers: Mapping[str, Server]
    history: Mapping[str, Sequence[Page]]
    breaks: Sequence[Break]
    builds: int
    hit: frozenset[str]  # pipelines in the cloud that is down for a while


def make_world(count: int, days: int, mix: Mix) -> World:
    """So many pipelines on a few servers, every other one with branches, each in one of the clouds."""
    pipelines = [_pipeline(number) for number in range(count)]
    before, today, breaks = list[Build](), list[Build](), list[Break]()
    for pipeline in pipelines:
        hit = pipeline.labels["cloud"] == CLOUDS[0]
        past = tell_story(pipeline, mix, "past", begin=START - days * DAY, end=START)
        first = past.builds[-1].number + 2 if past.builds else 1
        story = tell_story(
            pipeline, mix, "today", begin=START, end=START + DAY, first=first, outage=CLOUD_DOWN if hit else None
        )
        before += past.builds
        today += story.builds
        breaks += story.breaks
    servers, history = {}, {}
    for name in sorted({each.provider for each in pipelines}):
        its = [each for each in pipelines if each.provider == name]
        down = SERVER_DOWN if name == "ci-1" else None
        servers[name] = Server(name, its, [each for each in today if each.pipeline.provider == name], down)
        history[name] = list(_pages(its, [each for each in before if each.pipeline.provider == name]))
    in_cloud = frozenset(each.key for each in pipelines if each.labels["cloud"] == CLOUDS[0])
    return World(servers, history, breaks, len({build.commit for build in today}), in_cloud)


def _pipeline(number: int) -> Pipeline:
    provider, key = f"ci-{number % PROVIDERS}", f"team-{number % 25}/job-{number:04}"
    branched = number // PROVIDERS % 2 == 0
    return Pipeline(
        provider=provider,
        key=key,
        name=key,
        url=f"https://{provider}.example.com/{key}/",
        labels={"cloud": CLOUDS[number // (2 * PROVIDERS) % len(CLOUDS)]},
        branched=branched,
        default_branch="main" if branched else None,
    )


def _pages(pipelines: Sequence[Pipeline], builds: Sequence[Build]) -> Iterator[Page]:
    yield Page(pipelines=pipelines)
    builds = sorted((each for each in builds if each.finished_at), key=lambda each: each.finished_at or START)
    ended = [each for each in builds if (each.finished_at or START) < START]
    for start in range(0, len(ended), BUILDS_A_PAGE):
        yield Page(builds=ended[start : start + BUILDS_A_PAGE])


@dataclass(slots=True)
class Cost:
    """Seconds of processor time, by what they were spent on."""

    spent: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        """Count what happens inside."""
        began = time.process_time()
        try:
            yield
        finally:
            self.spent[what] += time.process_time() - began


class Watch:
    """The daemon without its threads: what they do in turn is done one after the other."""

    def __init__(self, database: Database, configuration: Configuration, world: World) -> None:
        self.database = database
        self.configuration = configuration
        self.cost = Cost()
        self._moment = Moment(START)
        clock = self._moment.clock()
        progress, failpoint = Progress(clock.monotonic), Failpoints()
        self._polling = Polling(
            database=database,
            clock=clock,
            progress=progress,
            failpoint=failpoint,
            after_commit=self._after_commit,
            configuration=configuration,
            answers=self._judge,
        )
        self._polling.providers = world.servers
        self._polling.health = {name: Health(clock, ProviderHealth(name=name)) for name in world.servers}
        self._targets = {name: server.targets() for name, server in world.servers.items()}
        self._timers = Timers(database=database, clock=clock, polling=self._polling, targets=self._targets.__getitem__)
        self.screens = [Screen(name, edits=edits) for name, edits in CHANNELS.items()]
        self._couriers = {
            screen.name: Courier(
                screen,
                database=database,
                clock=clock,
                progress=progress,
                failpoint=failpoint,
                group_wait=configuration.group_wait,
            )
            for screen in self.screens
        }
        self._baseline = False
        self._awake: set[str] = set()  # channels that have something new

    def remember(self, history: Mapping[str, Sequence[Page]]) -> None:
        """What was there before the day began: stored, and not judged."""
        with self.cost.of("history"):
            for name, pages in history.items():
                target = self._targets[name][0]
                for page in pages:
                    self._polling.store(target, page, self._polling.memory_of(target), judge=False)

    def live(self, until: datetime) -> None:
        """Poll every minute, look after alerts and deliver every few seconds."""
        self._timers.begin_anew()
        next_poll = self._moment.now
        while self._moment.now < until:
            self._moment.now += TICK
            if self._moment.now >= next_poll:
                next_poll += MINUTE
                with self.cost.of("polls"):
                    for targets in self._targets.values():
                        self._polling.poll(targets[0])
            with self.cost.of("timers"):
                self._look_after()
            with self.cost.of("delivery"):
                self._deliver()

    def _deliver(self) -> None:
        """Through the couriers that were woken, until nothing of theirs waits any more."""
        for name in sorted(self._awake):
            self._couriers[name].deliver_due()
        if self._awake:
            pending = self.database.read(outbox.counts)
            self._awake = {name for name in self._awake if name in pending and pending[name].pending}

    def _look_after(self) -> None:
        for health in self._polling.health.values():
            if health.worth_a_look():
                self._judge(health)
        self._awake |= self._timers.tick()
        statuses = {name: courier.status for name, courier in self._couriers.items()}
        now = self._moment.now
        self._awake |= self.database.transact(lambda s: judge_channels(s, statuses, self.configuration, now))
        if self._baseline or self._timers.take_baseline():
            self._baseline = False
            self._awake |= self.database.transact(lambda s: standing.tell_baseline(s, self.configuration, now))

    def _judge(self, health: Health) -> None:
        now = self._moment.now
        self._awake |= self.database.transact(
            lambda s: standing.judge_provider(s, health.facts, self.configuration, now)
        )

    def _after_commit(self, ingested: Ingested) -> None:
        self._timers.touched(ingested)
        self._awake |= ingested.told
        self._baseline = self._baseline or ingested.baseline
