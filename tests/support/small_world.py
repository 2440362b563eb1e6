"""A few pipelines that live for some days: builds fail, heal, are cancelled and run again, by a clock of their own.

What the daemon does is done here with its own parts, poll by poll and tick by tick, in a store that is kept.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from domain.alert import Notification
from domain.build import Build, Outcome, Status
from poller.config import Configuration
from poller.delivery.courier import Courier
from poller.intake.ingest import ingest
from poller.intake.settling import settle_due
from poller.proof.selfcheck import check_due
from poller.rehearsing.rehearsal import Stage
from poller.running.clock import Clock
from poller.running.failpoint import Failpoints
from poller.running.progress import Progress
from poller.standing import tell_baseline
from poller.telling.handling import look_after
from poller.timing.deadlines import Deadlines
from providers._base import Page
from store import outbox
from store.engine import Database, Session
from tests.support.builders import NOON, build, pipeline

MINUTE = timedelta(minutes=1)
_ENDS = {"P": Outcome.SUCCESS, "F": Outcome.FAILURE, "A": Outcome.CANCELLED}


def random_builds(
    seed: int, names: Sequence[str], *, days: float, every: timedelta = timedelta(minutes=40), bad: float = 0.15
) -> list[Build]:
    """Builds of these pipelines from NOON on, in bad times and good ones; some are cancelled, some are run again."""
    chance = random.Random(seed)  # noqa: S311  (the same world for the same seed)
    found: list[Build] = []
    for name in names:
        at, number, is_bad = NOON + chance.random() * every, 0, False
        while at < NOON + timedelta(days=days):
            number += 1
            is_bad = chance.random() < (0.7 if is_bad else bad)
            letter = "A" if chance.random() < 0.05 else "F" if is_bad else "P"
            took = timedelta(seconds=chance.randint(60, 900))
            commit = f"{chance.getrandbits(160):040x}"
            first = build(
                number,
                _ENDS[letter],
                pipeline=pipeline(name),
                external_id=str(number),
                started_at=at,
                finished_at=at + took,
                commit=commit,
            )
            found.append(first)
            if letter == "F" and chance.random() < 0.3:
                again = at + took + timedelta(seconds=chance.randint(30, 400))
                outcome = Outcome.SUCCESS if chance.random() < 0.6 else Outcome.FAILURE
                times = {"started_at": again, "finished_at": again + took}
                found.append(replace(first, attempt=2, outcome=outcome, raw_outcome=None, **times))
            at += every * (0.3 + 1.4 * chance.random())
    return sorted(found, key=lambda each: each.finished_at or NOON)


def _running(build: Build) -> Build:
    return replace(build, status=Status.RUNNING, outcome=None, raw_outcome=None, finished_at=None)


class SmallWorld:
    """Lives through builds, minute by minute."""

    def __init__(self, database: Database, configuration: Configuration, start: datetime = NOON) -> None:
        self.database = database
        self.configuration = configuration
        self.now = self._start = start
        self.shown: list[tuple[datetime, str, Notification]] = []
        self._deadlines = Deadlines(database)
        self._deadlines.rebuild()
        clock = Clock(now=lambda: self.now, monotonic=self._seconds)
        self._couriers = [
            Courier(
                Stage(name, self._show, edits=settings.edits),
                database=database,
                clock=clock,
                progress=Progress(clock.monotonic),
                failpoint=Failpoints(),
                group_wait=configuration.group_wait,
            )
            for name, settings in configuration.channels.items()
        ]

    def _seconds(self) -> float:
        return (self.now - self._start).total_seconds()

    def _show(self, channel: str, notification: Notification) -> None:
        self.shown.append((self.now, channel, notification))

    def live(self, builds: Iterable[Build], until: datetime, people: Mapping[datetime, Any] | None = None) -> None:
        """Look after alerts, poll and deliver, every minute. `people` do something at their time."""
        waiting = sorted(builds, key=lambda each: each.finished_at or NOON)
        deeds = dict(people or {})
        while self.now < until:
            self.now += MINUTE
            for at in [each for each in deeds if each <= self.now]:
                deeds.pop(at)(self)
            self._tick()
            arrived = [each for each in waiting if each.finished_at is not None and each.finished_at <= self.now]
            waiting = waiting[len(arrived) :]
            begun = (each for each in waiting if each.started_at and 0 <= (self.now - each.started_at) // MINUTE < 1)
            self.poll([*arrived, *map(_running, begun)])
            if any(each.pending for each in self.database.read(outbox.counts).values()):
                for courier in self._couriers:
                    courier.deliver_due()

    def poll(self, arrived: Sequence[Build], last: datetime | None = None) -> None:
        """These builds come in."""
        page = Page(builds=arrived, pipelines=[each.pipeline for each in arrived])
        before = last or self.now - MINUTE

        def unit(session: Session) -> None:
            ingested = ingest(
                session,
                page,
                provider="ci",
                target="jobs",
                configuration=self.configuration,
                now=self.now,
                last_poll=before,
            )
            self._deadlines.touched(ingested)
            if ingested.baseline:
                tell_baseline(session, self.configuration, self.now)

        if arrived:
            self.database.transact(unit)

    def _tick(self) -> None:
        def unit(session: Session) -> None:
            settle_due(session, self.configuration, self.now)
            look_after(session, self.configuration, self.now)
            check_due(session, self.configuration, self.now)

        self.database.transact(unit)
        self._deadlines.look(self.configuration, self.now, known_until=lambda _: self.now, why_idle=lambda _: {})
