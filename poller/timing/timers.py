"""What time alone changes, all in one place: each duty has its turn, in this order, in a rhythm of its own.

The daemon asks for it every five seconds, `buildwatch poll` once.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from poller.config import Configuration
from poller.delivery.courier import ChannelStatus
from poller.delivery.undelivered import judge_channels
from poller.digests.digesting import send_due
from poller.intake.ingest import Ingested
from poller.intake.settling import settle_due
from poller.proof.selfcheck import check_due
from poller.running.clock import Clock
from poller.telling.handling import look_after
from poller.timing.branches import close_gone
from poller.timing.comparing import compare_windows
from poller.timing.deadlines import AT_ONCE, Deadlines
from poller.timing.idleness import why_idle
from poller.watching.polling import Polling
from providers._base import Target
from store.engine import Database, Session
from store.errors import StoreError
from store.pipelines import Key

log = logging.getLogger(__name__)

Told = frozenset[str]
"""Channels that have something new."""

TICK = timedelta(seconds=5)
EACH = timedelta(0)  # every tick
MINUTE = timedelta(minutes=1)
TEN_MINUTES = timedelta(minutes=10)
ABSURD = timedelta(days=30)  # no machine sleeps for so long: a clock that jumped further is wrong
CALM = timedelta(minutes=5)  # for a wrong clock to be put right, before what is late by it is told


@dataclass(slots=True)
class Duty:
    """Something to be done again and again."""

    name: str
    every: timedelta
    work: Callable[[datetime], Told]
    by_the_wall: bool = True  # compares the time of day with what was long ago
    due: float = 0.0  # monotonic seconds
    trouble: str | None = None  # how it stumbled last, as it was logged


class Timers:
    """Does what is due. Nothing of a provider that cannot be read is judged."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        polling: Polling,
        targets: Callable[[str], Sequence[Target]],  # of a provider
        statuses: Callable[[], Mapping[str, ChannelStatus]] | None = None,  # None: nothing is sent while this lives
        at_once: int = AT_ONCE,
    ) -> None:
        self._database = database
        self._clock = clock
        self._polling = polling
        self._targets = targets
        self._deadlines = Deadlines(database, at_once=at_once)
        self._baseline = False
        self._seen: tuple[datetime, float] | None = None  # both clocks at the last tick
        self._duties: tuple[Duty, ...] = (
            Duty("settling", EACH, self._settle, by_the_wall=False),
            Duty("deadlines", EACH, self._look_at_deadlines),
            Duty("handling", EACH, self._write(look_after)),
            Duty("windows", MINUTE, self._compare_windows),
            Duty("digests", EACH, self._send_digests),
            Duty("branches", TEN_MINUTES, self._close_gone),
            Duty("selfcheck", MINUTE, self._write(check_due)),
        )
        if statuses is not None:
            self._duties += (Duty("channels", 3 * TICK, self._judging_channels(statuses), by_the_wall=False),)

    def touched(self, ingested: Ingested) -> None:
        """Builds have been stored: their pipelines are looked at anew."""
        self._deadlines.touched(ingested)

    def begin_anew(self) -> None:
        """Everything is due, and nothing is known: at the start, after a reload, and when the clock was set."""
        self._deadlines.rebuild()
        for duty in self._duties:
            duty.due = 0.0

    def clock_jumped(self, jump: timedelta) -> None:
        """The clock was set by so much. What is late by a clock that is wrong is not told at once."""
        self.begin_anew()
        if jump > ABSURD:
            until = self._clock.monotonic() + CALM.total_seconds()
            for duty in self._duties:
                if duty.by_the_wall:
                    duty.due = until

    def tick(self) -> Told:
        """Do what is due. Raises StoreError when the store is not available; what could not be done stays due."""
        self._notice_jump()
        told: Told = frozenset()
        for duty in self._duties:
            if self._clock.monotonic() >= duty.due:
                told |= self._do(duty)
        return told

    def _notice_jump(self) -> None:
        """A tick may come before anybody else has seen that the clock is wrong."""
        now, ticked = self._clock.now(), self._clock.monotonic()
        if self._seen is not None:
            jump = now - self._seen[0] - timedelta(seconds=ticked - self._seen[1])
            if jump > ABSURD:
                self.clock_jumped(jump)
        self._seen = now, ticked

    def is_behind(self) -> bool:
        """Whether there are pipelines that have not been looked at since the start, or since a reload."""
        return self._deadlines.is_behind

    def take_baseline(self) -> bool:
        """Whether something was found that was wrong already at first contact, since this was asked last."""
        found, self._baseline = self._baseline, False
        return found

    def _do(self, duty: Duty) -> Told:
        try:
            told = duty.work(self._clock.now())
        except StoreError:
            raise
        except Exception as error:  # one duty never stops another
            if duty.trouble != repr(error):
                log.exception("timer stumbled, will retry timer=%s", duty.name)
            duty.trouble = repr(error)
            told = frozenset()
        else:
            duty.trouble = None
        duty.due = self._clock.monotonic() + (duty.every - TICK / 2).total_seconds()  # ticks are not so exact
        return told

    def _write(self, unit: Callable[[Session, Configuration, datetime], Told]) -> Callable[[datetime], Told]:
        def work(now: datetime) -> Told:
            configuration = self._polling.configuration
            return self._database.transact(lambda session: unit(session, configuration, now))

        return work

    def _send_digests(self, now: datetime) -> Told:
        configuration = self._polling.configuration
        if not configuration.digests:
            return frozenset()
        return self._database.transact(lambda session: send_due(session, configuration, now))

    def _judging_channels(self, statuses: Callable[[], Mapping[str, ChannelStatus]]) -> Callable[[datetime], Told]:
        def work(now: datetime) -> Told:
            configuration, found = self._polling.configuration, statuses()
            return self._database.transact(lambda session: judge_channels(session, found, configuration, now))

        return work

    def _settle(self, now: datetime) -> Told:
        configuration, known_until = self._polling.configuration, self._known_until()
        return self._database.transact(lambda session: settle_due(session, configuration, now, known_until=known_until))

    def _compare_windows(self, now: datetime) -> Told:
        configuration, known_until = self._polling.configuration, self._known_until()
        return self._database.transact(
            lambda session: compare_windows(session, configuration, now, known_until=known_until)
        )

    def _close_gone(self, now: datetime) -> Told:
        polling = self._polling
        return close_gone(
            self._database, polling.providers, polling.configuration, now, after_commit=polling.after_commit
        )

    def _look_at_deadlines(self, now: datetime) -> Told:
        looked = self._deadlines.look(
            self._polling.configuration,
            now,
            known_until=self._known_until(),
            why_idle=lambda keys: why_idle(keys, self._polling.providers, now),
            queues=self._polling.queues.waiting(),
        )
        for alert in looked.transitions:
            log.info("alert %s kind=%s summary=%s", alert.state, alert.kind, alert.summary)
        self._baseline = self._baseline or looked.baseline
        return looked.told

    def _known_until(self) -> Callable[[Key], datetime | None]:
        """Up to when everything is known about a pipeline, by its key."""
        providers: dict[str, Callable[[str], datetime | None]] = {}
        now = self._clock.now()

        def known_until(key: Key) -> datetime | None:
            provider, pipeline = key
            if provider not in providers:
                settings = self._polling.configuration.providers.get(provider)
                comes_by_itself = settings is not None and not settings.polled
                providers[provider] = (
                    (lambda _: now) if comes_by_itself else self._polling.known_until(self._targets(provider))
                )
            return providers[provider](pipeline)

        return known_until
