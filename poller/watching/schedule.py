"""When what is polled: one APScheduler job per poll target, one pool of threads per provider."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from poller.watching.trigger import EveryTrigger
from providers._base import Target

log = logging.getLogger(__name__)

# A pool for each: in a shared one a dead server holds up the healthy ones. Ten reach 500 repositories at 20 ms
# in a second, and stay far below the hundred that GitHub allows at once.
THREADS_PER_PROVIDER = 10
CHORES = "chores"
HASTE = timedelta(milliseconds=500)
ERRANDS = "errands"  # chores that ask a server


class Schedule:
    """Runs `poll(target)` for each target at its period, and a few chores of the daemon.

    Jobs live in memory and are rebuilt from the configuration; what must survive is in the store.
    """

    def __init__(self, poll: Callable[[Target], None]) -> None:
        self._poll = poll
        self._targets: dict[str, Target] = {}
        self._pools: set[str] = set()
        self._chores: dict[str, set[str]] = {}  # of providers
        self._lock = threading.Lock()  # the main thread reloads while others list targets
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            jobstores={"default": MemoryJobStore()},
            executors={CHORES: ThreadPoolExecutor(3), ERRANDS: ThreadPoolExecutor(5)},
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": None,  # waiting for a thread is no reason to skip a poll
            },
        )
        self._scheduler.add_listener(_report, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES | EVENT_JOB_ERROR)

    def start(self) -> None:
        """Begin to run jobs."""
        self._scheduler.start()

    def chore(self, name: str, work: Callable[[], object], every: timedelta, *, provider: str | None = None) -> None:
        """Something the daemon does for itself, at once and then at this period.

        What may wait for a `provider` goes with it, and has threads of its own: it must not hold up the rest.
        """
        identity = f"chore {name}"
        with self._lock:
            if provider is not None:
                self._chores.setdefault(provider, set()).add(identity)
            self._scheduler.add_job(
                work,
                EveryTrigger(every, name),
                id=identity,
                executor=CHORES if provider is None else ERRANDS,
                replace_existing=True,
            )

    def use(self, provider: str, targets: Sequence[Target], *, again: bool = False) -> None:
        """Poll exactly these targets of this provider from now on; the unchanged ones keep their rhythm.

        New and changed targets are due at once, and with `again` all of them.
        """
        with self._lock:
            self._make_pool(provider)
            wanted = {str(target): target for target in targets}
            for name in self._names(provider):
                if name not in wanted:
                    self._remove(name)
            for name, target in wanted.items():
                if again or self._targets.get(name) != target:
                    self._scheduler.add_job(
                        self._poll,
                        EveryTrigger(target.every, name),
                        args=(target,),
                        id=name,
                        executor=provider,
                        replace_existing=True,
                    )
                    self._targets[name] = target

    def drop(self, provider: str) -> None:
        """Poll nothing of this provider any more."""
        with self._lock:
            for name in self._names(provider):
                self._remove(name)
            for chore in self._chores.pop(provider, ()):
                self._scheduler.remove_job(chore)
            if provider in self._pools:
                self._scheduler.remove_executor(provider, shutdown=False)
                self._pools.discard(provider)

    def _make_pool(self, provider: str) -> None:
        if provider not in self._pools:
            self._scheduler.add_executor(ThreadPoolExecutor(THREADS_PER_PROVIDER), provider)
            self._pools.add(provider)

    def _names(self, provider: str) -> list[str]:
        return [name for name, target in self._targets.items() if target.provider == provider]

    def _remove(self, name: str) -> None:
        del self._targets[name]
        if self._scheduler.get_job(name):
            self._scheduler.remove_job(name)

    def targets(self, provider: str | None = None) -> list[Target]:
        """What is polled now."""
        with self._lock:
            return [target for target in self._targets.values() if provider in {None, target.provider}]

    def hasten(self, provider: str, key: str) -> bool:
        """Poll a target now, out of turn; what asks for it again within a second is served by the same poll.

        Whether there is such a target. Where none is spelled so, one in another case is meant: GitHub ignores it.
        """
        with self._lock:
            name = self._spelled(str(Target(provider=provider, key=key, every=timedelta(seconds=1))))
            if name is None:
                return False
            with suppress(JobLookupError):
                self._scheduler.modify_job(name, next_run_time=datetime.now(UTC) + HASTE)
            return True

    def _spelled(self, name: str) -> str | None:
        if name in self._targets:
            return name
        return next((each for each in self._targets if each.casefold() == name.casefold()), None)

    def clock_jumped(self) -> None:
        """Compute every next run anew: the old ones were meant for another time."""
        now = datetime.now(UTC)
        for job in self._jobs():
            with suppress(JobLookupError):  # removed meanwhile
                job.modify(next_run_time=job.trigger.get_next_fire_time(now, now))

    def _jobs(self) -> Iterable[Job]:
        return list(self._scheduler.get_jobs())

    def next_runs(self) -> Mapping[str, datetime]:
        """When each job is due next, by its id."""
        return {job.id: job.next_run_time for job in self._jobs() if job.next_run_time}

    def stop(self) -> None:
        """Start nothing new; what runs goes on."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


def _report(event: JobEvent) -> None:
    if event.code == EVENT_JOB_ERROR:
        log.error("job failed job=%s error=%r", event.job_id, event.exception)
    elif event.code == EVENT_JOB_MAX_INSTANCES:
        log.warning("still polling, this round is left out job=%s", event.job_id)
    else:
        log.warning("run missed job=%s", event.job_id)
