"""A thousand jobs at one period: our schedule against APScheduler as it comes."""

import argparse
import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from bench.measure import goal, heading, note, rows
from poller.watching.schedule import Schedule
from poller.watching.trigger import EveryTrigger
from providers._base import Target

JOBS = 1000
PROVIDERS = 4  # in our schedule each has a pool of its own
PEER = "APScheduler's defaults"


class Runs:
    """When each job ran; the work is waiting, as most of a poll is."""

    def __init__(self, work: float) -> None:
        self._work = work
        self._lock = threading.Lock()
        self.began: dict[str, list[float]] = {}

    def __call__(self, target: Target) -> None:
        """One run."""
        began = time.time()
        with self._lock:
            self.began.setdefault(str(target), []).append(began)
        time.sleep(self._work)


def targets(every: timedelta) -> list[Target]:
    """All jobs, as poll targets of a few providers."""
    return [Target(provider=f"ci-{number % PROVIDERS}", key=f"job-{number:04}", every=every) for number in range(JOBS)]


Phases = Callable[[str], float]
"""When a job is due, in seconds since 1970; any of its due times will do."""


@contextlib.contextmanager
def ours(every: timedelta, work: Callable[[Target], None]) -> Iterator[Phases]:
    """The daemon's schedule."""
    schedule = Schedule(work)
    for number in range(PROVIDERS):
        schedule.use(f"ci-{number}", targets(every)[number::PROVIDERS])
    schedule.start()
    try:
        now = datetime.now(UTC)
        yield lambda job: EveryTrigger(every, job).get_next_fire_time(now, now).timestamp()
    finally:
        schedule.stop()


@contextlib.contextmanager
def as_it_comes(every: timedelta, work: Callable[[Target], None]) -> Iterator[Phases]:
    """APScheduler with its defaults: ten threads, a second of grace."""
    scheduler = BackgroundScheduler()
    starts = {}
    for target in targets(every):
        job = scheduler.add_job(work, "interval", seconds=every.total_seconds(), args=(target,), id=str(target))
        starts[str(target)] = job.trigger.start_date.timestamp()
    scheduler.start()
    try:
        yield starts.__getitem__
    finally:
        scheduler.shutdown(wait=False)


Scheduler = Callable[[timedelta, Callable[[Target], None]], AbstractContextManager[Phases]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was seen of one scheduler."""

    executed: float  # runs of those that were due
    busiest: float  # runs in the busiest tenth of the period, over the mean
    delay: float  # seconds from due to begun, p99
    cpu: float  # seconds


def measure(scheduler: Scheduler, every: timedelta, work: float, periods: int) -> Found:
    """Let it run. Counted after two periods: the first runs of all jobs are due at once, whoever schedules them."""
    runs, period = Runs(work), every.total_seconds()
    used = time.process_time()
    with scheduler(every, runs) as due:
        time.sleep(2 * period)
        start = time.time()
        time.sleep(periods * period)
        end = time.time()
        used = time.process_time() - used
        counted = {job: [at for at in began if start <= at < end] for job, began in runs.began.items()}
        delays = sorted((at - due(job)) % period for job, began in counted.items() for at in began)
    tenths = Counter(int(at % period / period * 10) for began in counted.values() for at in began)
    return Found(
        executed=sum(min(len(began), periods) for began in counted.values()) / (JOBS * periods),
        busiest=max(tenths.values()) / tenths.total() * 10,
        delay=delays[int(0.99 * len(delays))],
        cpu=used,
    )


def main() -> None:
    """Parse the command line, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every 2 s with 20 ms of work instead of 10 s with 100 ms")
    parser.add_argument("--rounds", type=int, default=0, help="does nothing here")
    options = parser.parse_args()
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # a line for each missed run
    logging.getLogger("poller").setLevel(logging.CRITICAL)
    every, work, periods = (2.0, 0.02, 4) if options.quick else (10.0, 0.1, 3)
    heading(f"{JOBS:,} jobs every {every:g} s with {work * 1000:g} ms of work, for {periods} periods")
    found = {
        name: measure(scheduler, timedelta(seconds=every), work, periods)
        for name, scheduler in (("ours", ours), (PEER, as_it_comes))
    }
    rows(
        ("", "executed", "busiest tenth of the period", "p99 delay", "cpu"),
        [
            (name, f"{it.executed:.1%}", f"{it.busiest:.2f} x the mean", f"{1000 * it.delay:.1f} ms", f"{it.cpu:.2f} s")
            for name, it in found.items()
        ],
    )
    goal("runs executed", 100 * found["ours"].executed, 100, " %", at_least=True)
    goal("busiest tenth of the period", found["ours"].busiest, 1.5, " x the mean")
    note(f"{found['ours'].executed / found[PEER].executed:.1f} x the runs of {PEER}")


if __name__ == "__main__":
    main()
