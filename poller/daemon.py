"""The daemon: reads like its day. Open the store, take the lock, connect, poll, deliver, reload, drain, leave."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from domain.duration import format_duration
from metrics.live import WEEK, Live
from poller import standing
from poller.config import Configuration
from poller.config.changes import diff
from poller.delivery.dispatch import Dispatcher
from poller.delivery.undelivered import judge_channels
from poller.details.rebucketing import Rebucketing
from poller.details.saving import Saved
from poller.details.workers import Workers
from poller.housekeeping import prune
from poller.intake.ingest import Ingested
from poller.listening import Listening
from poller.record import in_a_line, record_configuration, record_standing, record_start, record_web
from poller.reload import Reload
from poller.running.clock import Clock, JumpDetector
from poller.running.failpoint import Failpoints
from poller.running.holding import Holding
from poller.running.notify import Systemd
from poller.running.progress import Progress
from poller.running.redaction import Redaction
from poller.running.signals import Signals
from poller.running.watchdog import Watchdog
from poller.serving import NO_VIEWS, Serving, Views
from poller.startup import tell_return
from poller.timing.timers import TICK, Timers
from poller.watching.connections import Connections, connect, reconnect
from poller.watching.health import Health
from poller.watching.heartbeat import Heartbeat
from poller.watching.listing import Listings
from poller.watching.parts import Part, recall
from poller.watching.polling import Polling
from poller.watching.schedule import Schedule
from store import counted
from store import providers as stored_providers
from store.engine import Database, Session
from store.errors import StoreError
from store.lock import StoreLock
from store.providers import ProviderHealth

T = TypeVar("T")

log = logging.getLogger(__name__)

LOOK = 0.5  # seconds between two looks at config.yaml, the clocks and the watchdog
SCHEDULE_ALIVE = 60.0
KEEPING_HOUSE = 900.0
NOTE_EVERY = 15.0  # seconds between two notes of how things stand
FIRST_ROUND_MAY_TAKE = 600.0  # seconds that the note about an absence waits for a server that is away, too
STORE_MAY_TAKE = 5.0  # seconds, where something goes on without it
POLLS_DRAIN = 5.0  # seconds that polls under way are given at the end; what they fetched is fetched again


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the daemon stands on; tests give other ones."""

    environ: Mapping[str, str]
    clock: Clock
    load: Callable[[], Configuration]  # reads config.yaml again; raises ConfigurationError
    configured: Callable[[Configuration], None]  # a new configuration is in use: its log level, its secrets
    views: Views = NO_VIEWS


class Daemon:
    """One run of buildwatch. `run` returns when it is asked to stop."""

    def __init__(
        self, surroundings: Surroundings, configuration: Configuration, database: Database, lock: StoreLock
    ) -> None:
        self._around = surroundings
        self._clock = surroundings.clock
        self._configuration = configuration
        self._database = database
        self._systemd = Systemd(surroundings.environ)
        self.signals = Signals(self._systemd)
        self._failpoint = Failpoints.of(surroundings.environ)
        self._lock = Holding(database, lock, self.signals.ask_to_stop)
        self._progress = Progress(self._clock.monotonic)
        self._watchdog = Watchdog(self._systemd, self._progress, self._clock)
        self._hidden = Redaction(configuration.secrets)
        self._connections = connect(configuration)
        self._dispatcher = Dispatcher(
            database=database,
            clock=self._clock,
            progress=self._progress,
            failpoint=self._failpoint,
            redact=self._hidden.redact,
        )
        self._polling = Polling(
            database=database,
            clock=self._clock,
            progress=self._progress,
            failpoint=self._failpoint,
            after_commit=self._after_commit,
            configuration=configuration,
            answers=self._answers,
        )
        self._details = Workers(
            database=database,
            clock=self._clock,
            progress=self._progress,
            failpoint=self._failpoint,
            polling=self._polling,
            redact=self._hidden.redact,
            saved=self._after_details,
        )
        self._rebucketing = Rebucketing(database, self._clock, configuration)
        self._schedule = Schedule(self._polling.poll)
        self._listings = Listings(self._polling, self._schedule, self._progress, self._clock)
        self._timers = Timers(
            database=database,
            clock=self._clock,
            polling=self._polling,
            targets=self._schedule.targets,
            statuses=self._dispatcher.statuses,
        )
        serving = Serving(
            database=database,
            clock=self._clock,
            configuration=lambda: self._configuration,
            after_commit=self._after_commit,
            views=surroundings.views,
            poll_now=self._schedule.hasten,
            providers=lambda: self._polling.providers,
        )
        self.web = Listening(serving)
        self._reload = Reload(configuration, load=surroundings.load, build=self._apply, clock=self._clock)
        self._next_note = 0.0
        self._heartbeat = Heartbeat(self._clock, self._polling, self._progress)
        self._return_due = True  # that the daemon was away may have to be told
        self._return_by = self._clock.monotonic() + FIRST_ROUND_MAY_TAKE
        self._baseline_due = True  # a summary may have been left untold by an earlier run
        self._jumps = JumpDetector(self._clock)
        self._jump: timedelta | None = None  # of the clock, and the store does not know yet
        self._orphans_due = True  # what config.yaml does not watch or know any more
        self._live = Live()

    def run(self) -> int:
        """Until SIGTERM. The caller holds the store's lock. Returns the exit status.

        Raises StoreCorrupt when the store turns out to be damaged: writing may lose data.
        """
        self.signals.install()
        self.web.begin(self._configuration.web)
        orphans = self._dispatcher.recover()
        if orphans:
            log.warning("messages under way when the last run ended will be tried again messages=%s", orphans)
        self._write(lambda session, now: record_start(session, self._configuration, now))
        self._recount()
        self._use(self._connections)
        self._schedule.chore("standing", self._look_after, TICK)
        self._schedule.chore("housekeeping", self._keep_house, timedelta(hours=1))
        self._progress.expect("schedule", within=SCHEDULE_ALIVE)
        self._schedule.start()
        self._details.start()
        self._systemd.ready(self._status())
        self.web.answer()
        log.info("watching providers=%s channels=%s", len(self._connections.providers), len(self._connections.channels))
        try:
            while not (self.signals.stop or self._database.damage):
                self._look()
                self.signals.wait(LOOK)
        finally:
            clean = self._leave()
        if clean and self._database.damage:
            raise self._database.damage
        return 0 if clean else STUCK

    def _look(self) -> None:
        """The main thread's round: clocks, config.yaml, watchdog."""
        jump = self._jumps.jump()
        if jump is not None:
            log.warning("clock was set or the machine slept, rescheduling jump=%s", format_duration(jump))
            self._schedule.clock_jumped()
            self._jump = jump
        asked = self.signals.reload
        if asked:  # a SIGHUP between these two lines is answered by this very look; none is lost
            self.signals.reload = False
        self._reload.look(asked=asked)
        if asked:
            self._systemd.ready(self._status())
        self._watchdog.look()
        self.web.look()

    def _apply(self, new: Configuration) -> None:
        """Swap to a new configuration. Everything that can fail comes first."""
        changes = diff(self._configuration, new)
        connections = reconnect(self._connections, new, changes)
        self.web.use(new.web)
        if new.store.url != self._configuration.store.url:
            log.warning("store.url has changed: that takes effect at the next start")
        self._hidden.learn(new.secrets)
        self._configuration = self._polling.configuration = new
        self._rebucketing.begin(new)
        gone = self._connections.providers.keys() - connections.providers.keys()
        self._use(connections)
        for name in gone:
            self._schedule.drop(name)
            self._polling.health.pop(name, None)
            self._polling.queues.forget(name)
        self._around.configured(new)
        log.info("configuration applied %s", changes)

    def _use(self, connections: Connections) -> None:
        """Poll and deliver through these; only what is new or changed is disturbed."""
        in_use = self._polling.providers
        new = [name for name, provider in connections.providers.items() if in_use.get(name) is not provider]
        for name in new:
            facts, failing = self._known(name)
            self._polling.health[name] = Health(self._clock, facts, parts=failing, redact=self._hidden.redact)
        self._listings.use(connections.providers, new)
        self._connections = connections
        self._orphans_due = True  # written by the next look at what stands: a store that is down stops no reload
        self._timers.begin_anew()
        self._dispatcher.use(connections.channels, group_wait=self._configuration.group_wait)
        self._dispatcher.wake_all()
        for name in new:
            self._listings.begin(name)
        self._details.wake()

    def _after_commit(self, ingested: Ingested) -> None:
        for alert in ingested.transitions:
            log.info("alert %s kind=%s summary=%s", alert.state, alert.kind, alert.summary)
        self._live.apply(ingested.counted, self._clock.now())
        self._timers.touched(ingested)
        self._baseline_due = self._baseline_due or ingested.baseline
        self._dispatcher.wake(ingested.told)
        if ingested.details_due:
            self._details.wake()

    def _after_details(self, saved: Saved) -> None:
        self._live.apply(saved.counted, self._clock.now())
        self._dispatcher.wake(saved.told)

    def _look_after(self) -> None:
        """Every five seconds: what time alone can change."""
        self._progress.expect("schedule", within=SCHEDULE_ALIVE)
        if self.signals.stop or not self._lock.still():
            return
        self._systemd.status(self._status())
        try:
            with self._progress.doing("standing", limit=SCHEDULE_ALIVE):
                self._judge_standing()
                self._record_standing()
                self._rebucketing.step()
            self._heartbeat.look(self._configuration.heartbeat_url, self._schedule.targets())
        except StoreError as error:
            log.warning("store not available, will retry error=%s", error)
            self._look_again()

    def _look_again(self) -> None:
        """What was looked at could not be written: it is not seen yet."""
        self._orphans_due = self._baseline_due = True
        self._reload.look_again()
        for health in list(self._polling.health.values()):
            health.look_again()

    def _judge_standing(self) -> None:
        told: frozenset[str] = frozenset()
        if self._jump is not None:
            self._dispatcher.clock_jumped()
            self._details.clock_jumped()
            self._timers.clock_jumped(self._jump)
            self._recount()
            self._jump = None
        if self._orphans_due:
            self._orphans_due = False
            told |= self._write(lambda session, now: standing.clear_away(session, self._configuration, now))
        for health in list(self._polling.health.values()):
            if health.worth_a_look():
                told |= self._judge(health)
        all_seen = self.first_round_done()  # before the timers look: so they have seen it all, too
        told |= self._timers.tick()
        told |= self._write(lambda s, now: judge_channels(s, self._dispatcher.statuses(), self._configuration, now))
        self._baseline_due = self._timers.take_baseline() or self._baseline_due
        if self._baseline_due and all_seen and not self._timers.is_behind():
            self._baseline_due = False
            told |= self._write(lambda session, now: standing.tell_baseline(session, self._configuration, now))
        if self._return_due and (self.first_round_done() or self._clock.monotonic() >= self._return_by):
            told |= self._write(lambda session, now: tell_return(session, self._configuration, now))
            self._return_due = False
        if self._reload.worth_a_look():
            told |= self._write(self._judge_configuration)
        self._dispatcher.wake(told)

    def first_round_done(self) -> bool:
        """Whether every target has been tried at least once since the start, or since it was added."""
        return self._listings.first_round_done()

    def _answers(self, health: Health) -> None:
        """Before what has broken meanwhile is told."""
        self._dispatcher.wake(self._judge(health))

    def _judge(self, health: Health) -> frozenset[str]:
        facts, its = health.facts, health.parts
        targets = self._schedule.targets(facts.name)
        return self._write(
            lambda s, now: standing.judge_provider(s, facts, self._configuration, now, parts=its, targets=targets)
        )

    def _known(self, name: str) -> tuple[ProviderHealth, Sequence[Part]]:
        def unit(session: Session) -> tuple[ProviderHealth, Sequence[Part]]:
            return stored_providers.load(session, name), recall(session, name)

        try:
            return self._database.read(unit, deadline=STORE_MAY_TAKE)
        except StoreError:
            return ProviderHealth(name=name), ()  # its polls will tell

    def _judge_configuration(self, session: Session, now: datetime) -> frozenset[str]:
        record_configuration(session, self._configuration, self._reload.broken, now)
        return standing.judge_configuration(session, self._reload.broken, self._configuration, now)

    def _write(self, unit: Callable[[Session, datetime], T]) -> T:
        now = self._clock.now()
        return self._database.transact(lambda session: unit(session, now))

    def _record_standing(self) -> None:
        """Now and then: a note costs a commit."""
        if self._clock.monotonic() < self._next_note:
            return
        self._next_note = self._clock.monotonic() + NOTE_EVERY
        targets, web = self._schedule.targets(), self.web.standing()

        def unit(session: Session, now: datetime) -> None:
            record_standing(session, self._dispatcher.statuses(), self._polling, targets, now)
            record_web(session, web, now)

        self._write(unit)

    def _recount(self) -> None:
        """Fill the live windows from the store: at the start, and when the clock was set."""
        now = self._clock.now()
        self._database.read(lambda session: self._live.rebuild(counted.since(session, now - WEEK), now))

    def _keep_house(self) -> None:
        """Every hour: forget what is older than `store.keep` says."""
        self._orphans_due = True  # a pipeline may have another default branch by now
        try:
            with self._progress.doing("housekeeping", limit=KEEPING_HOUSE):
                prune(self._database, self._configuration, self._clock.now())
        except StoreError as error:
            log.warning("store not pruned, will retry error=%s", error)

    def _status(self) -> str:
        text = in_a_line(self._polling, self._schedule.targets(), self._live, self._clock.now())
        if self.web.trouble:
            text += f", {self.web.trouble}"
        return text + (", config.yaml is broken: the old configuration is in use" if self._reload.broken else "")

    def _leave(self) -> bool:
        """Drain within 30 s. False when something is stuck and the process must be left by force."""
        self._systemd.stopping()
        log.info("stopping")
        self.web.stop()
        self._schedule.stop()
        self._polling.stop()
        self._details.stop()
        delivered = self._dispatcher.drain()
        polled = self._progress.drain(POLLS_DRAIN)
        self._details.join()
        self.signals.close()
        clean = delivered and polled
        if clean:
            self._lock.release()
        log.info("stopped")
        return clean


STUCK = -1
"""What `run` returns when a thread would not end: leave with os._exit(0)."""
