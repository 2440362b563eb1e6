"""One round of everything, for cron and for rehearsals: poll each target once, deliver what is due, return."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from alerts.channels._base import Channel
from poller import standing
from poller.config import Configuration
from poller.delivery.courier import Courier
from poller.delivery.undelivered import judge_channels
from poller.details.workers import Workers
from poller.intake.ingest import Ingested
from poller.record import record_standing
from poller.running.clock import Clock
from poller.running.failpoint import Failpoints
from poller.running.progress import Progress
from poller.running.redaction import Redaction
from poller.timing.timers import Timers
from poller.watching import parts
from poller.watching.connections import Connections
from poller.watching.health import EVERYTHING, Health
from poller.watching.polling import Polling
from poller.watching.schedule import THREADS_PER_PROVIDER
from providers._base import Provider, ProviderError, Target
from store import outbox, outcomes
from store import providers as stored_providers
from store.engine import Database

ALL_AT_ONCE = 20_000  # pipelines whose deadlines are read: there is no next look

DETAILS_MAY_TAKE = 60.0  # seconds

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Round:
    """What a cycle came to."""

    targets: int = 0
    failed: int = 0
    new_builds: int = 0
    transitions: int = 0
    explained: int = 0  # builds whose details were read
    delivered: int = 0
    waiting: int = 0


class Cycle:
    """A cycle over one store. The caller holds the store's lock."""

    def __init__(
        self, configuration: Configuration, connections: Connections, database: Database, clock: Clock
    ) -> None:
        self._configuration = configuration
        self._connections = connections
        self._database = database
        self._clock = clock
        self._progress = Progress(clock.monotonic)
        self._hidden = Redaction(configuration.secrets)
        self._round = Round()
        self._polling = Polling(
            database=database,
            clock=clock,
            progress=self._progress,
            failpoint=Failpoints(),
            after_commit=self._count,
            configuration=configuration,
            providers=connections.providers,
            answers=self._answers,
        )
        self._targets: list[Target] = []
        self._timers = Timers(
            database=database, clock=clock, polling=self._polling, targets=self._targets_of, at_once=ALL_AT_ONCE
        )

    def run(self) -> Round:
        """Poll everything, judge what time alone changes, deliver what is due."""
        self._database.transact(outcomes.recover)
        targets = self._targets = [
            target for name, provider in self._connections.providers.items() for target in self._list(name, provider)
        ]
        self._round.targets = len(targets)
        with ThreadPoolExecutor(THREADS_PER_PROVIDER) as pool:
            list(pool.map(self._polling.poll, targets))
        self._round.failed += sum(self._polling.memory_of(target).misses for target in targets)
        now = self._clock.now()
        for health in self._polling.health.values():
            self._answers(health)
        self._database.transact(lambda session: standing.clear_away(session, self._configuration, now))
        self._timers.tick()
        self._round.explained = self._read_details()
        self._database.transact(lambda session: standing.tell_baseline(session, self._configuration, now))
        self._deliver()
        return self._round

    def _read_details(self) -> int:
        """Before anything is delivered: nobody is here to follow up. What is not read in time is read next time."""
        workers = Workers(
            database=self._database,
            clock=self._clock,
            progress=self._progress,
            failpoint=Failpoints(),
            polling=self._polling,
            redact=self._hidden.redact,
        )
        return workers.read_due(DETAILS_MAY_TAKE)

    def _answers(self, health: Health) -> None:
        now = self._clock.now()
        self._database.transact(
            lambda session: standing.judge_provider(
                session,
                health.facts,
                self._configuration,
                now,
                parts=health.parts,
                targets=self._targets_of(health.facts.name),
            )
        )

    def _targets_of(self, provider: str) -> list[Target]:
        return [target for target in self._targets if target.provider == provider]

    def _list(self, name: str, provider: Provider) -> list[Target]:
        known, failing = self._database.read(
            lambda session: (stored_providers.load(session, name), parts.recall(session, name))
        )
        health = Health(self._clock, known, parts=failing, redact=self._hidden.redact)
        self._polling.health[name] = health
        try:
            return list(provider.targets())
        except ProviderError as error:
            health.failed(Target(provider=name, key=EVERYTHING, every=timedelta(seconds=60)), error)
            log.warning("targets not listed provider=%s error=%s", name, error)
            self._round.failed += 1
            return []

    def _count(self, ingested: Ingested) -> None:
        self._round.new_builds += len(ingested.changes)
        self._round.transitions += len(ingested.transitions)

    def _deliver(self) -> None:
        """Deliver what is due; that a channel takes nothing goes to another one in the same round."""
        couriers = {name: self._courier(channel) for name, channel in self._connections.channels.items()}
        for courier in couriers.values():
            self._round.delivered += courier.deliver_due()
        statuses, now = {name: courier.status for name, courier in couriers.items()}, self._clock.now()
        told = self._database.transact(lambda session: judge_channels(session, statuses, self._configuration, now))
        for name in sorted(told):
            self._round.delivered += couriers[name].deliver_due()
        for channel in self._connections.channels.values():
            channel.close()
        self._database.transact(
            lambda session: record_standing(
                session, {name: each.status for name, each in couriers.items()}, self._polling, self._targets, now
            )
        )
        counts = self._database.read(outbox.counts)
        self._round.waiting = sum(each.pending for each in counts.values())

    def _courier(self, channel: Channel) -> Courier:
        return Courier(
            channel,
            database=self._database,
            clock=self._clock,
            progress=self._progress,
            failpoint=Failpoints(),
            redact=self._hidden.redact,
            group_wait=timedelta(0),  # nobody is here to send later what would wait for company
        )
