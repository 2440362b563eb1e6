"""The threads that read builds: few, in no hurry, and never in the way of polls."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from poller.config import Configuration
from poller.details.asking import ask
from poller.details.catching_up import let_go
from poller.details.reading import MOST_SECONDS, Asked, Explanation, read
from poller.details.saving import Saved, save
from poller.running.clock import Clock
from poller.running.failpoint import Failpoints
from poller.running.progress import Progress
from poller.watching.polling import Polling
from providers._base import ProviderError, Target, TellsDetails, Unavailable
from store import builds, details
from store.details import Due
from store.engine import Database, Session
from store.errors import StoreError

log = logging.getLogger(__name__)

Told = frozenset[str]
"""Channels that have something new."""

THREADS = 4
PER_PROVIDER = 2
LIMIT = MOST_SECONDS + 120.0  # one more call (30 s), and transactions, may outlast it
AT_ONCE = 20  # of a provider that are looked up at once
IDLE = 30.0  # seconds between two looks when nobody wakes us
BACK_OFF = (timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1))
AGAIN = (timedelta(seconds=4), timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10))
"""What was read in part is read again after so long, where the rest may come."""
FRESH = timedelta(days=1)  # since a build ended, that its rest may come
GIVEN_UP = "given up: the server did not answer"
GIVE_WAY = 0.2  # seconds that polls under way are waited for before the processor is used for long
STORE_WAIT = 10.0  # seconds until a store that is down is tried again
LEAVING = 2.0  # seconds that what is being stored is given at the end


@dataclass(slots=True)
class _Taken:
    """What the threads share, under one lock."""

    queue: list[Due]
    under_way: dict[int, str]  # providers, by build
    paused: dict[str, float]  # providers that want to be left alone, until when (monotonic seconds)
    is_new: bool = True  # something may be due that has not been looked up
    look_at: float = 0.0  # when to look again, whatever happens


class Workers:
    """Read what is due, newest first. A build that is being read when the process dies is still due afterwards."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        progress: Progress,
        failpoint: Failpoints,
        polling: Polling,  # has the configuration and the providers that are in use
        redact: Callable[[str], str] = str,
        saved: Callable[[Saved], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._progress = progress
        self._failpoint = failpoint
        self._polling = polling
        self._redact = redact
        self._saved = saved
        self._stays = False  # to read later what is not to be had now
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._processor = threading.Lock()
        self._taken = _Taken(queue=[], under_way={}, paused={})
        self._threads = [
            threading.Thread(target=self._run, args=(f"details {number}",), name=f"details {number}", daemon=True)
            for number in range(1, THREADS + 1)
        ]

    def start(self) -> None:
        """Begin to read, in threads of their own."""
        self._stays = True
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Something new may be due."""
        with self._changed:
            self._taken.is_new = True
            self._changed.notify_all()

    def clock_jumped(self) -> None:
        """What was put off was put off by another clock: it is due now."""
        now = self._clock.now()
        self._database.transact(lambda session: details.bring_forward(session, now, now))
        self.wake()

    def stop(self) -> None:
        """Begin nothing new. What is being read is dropped, and still due next time."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def join(self, timeout: float = LEAVING) -> None:
        """Wait for what is being stored. Who waits for a server is left behind: it can store nothing any more."""
        end = self._clock.monotonic() + timeout
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, end - self._clock.monotonic()))

    def read_due(self, seconds: float) -> int:
        """Read what is due now, in threads that end with that or when the time is over; how many builds were read."""
        until = self._clock.monotonic() + seconds
        done: list[Due] = []

        def work() -> None:
            try:
                while self._clock.monotonic() < until and (due := self._take()) is not None:
                    self._read(due)
                    done.append(due)
            except StoreError as error:
                log.warning("details not stored, they stay due error=%s", error)

        threads = [threading.Thread(target=work, name="details", daemon=True) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until - self._clock.monotonic()))
        self._stopping.set()
        return len(done)

    def _run(self, name: str) -> None:
        while not self._stopping.is_set():
            self._progress.expect(name, within=LIMIT)
            try:
                due = self._take()
                if due is None:
                    self._wait()
                else:
                    self._read(due)
            except StoreError as error:
                log.warning("details not stored, will retry error=%s", error)
                self._stopping.wait(STORE_WAIT)
            except Exception:
                log.exception("reading details stumbled, will retry")
                self._stopping.wait(STORE_WAIT)
        self._progress.forget(name)

    def _wait(self) -> None:
        with self._changed:
            if not (self._taken.is_new or self._stopping.is_set()):
                pause = self._taken.look_at - self._clock.monotonic()
                self._changed.wait(min(max(pause, 0.05), IDLE))

    def _take(self) -> Due | None:
        """The next build to be read, by this thread alone."""
        with self._changed:
            taken = self._taken
            if taken.is_new or self._clock.monotonic() >= taken.look_at:
                self._look_up()
            busy = Counter(taken.under_way.values())
            for place, due in enumerate(taken.queue):
                if busy[due.provider] < PER_PROVIDER and not self._stopping.is_set():
                    del taken.queue[place]
                    taken.under_way[due.build_id] = due.provider
                    return due
            return None

    def _look_up(self) -> None:
        """Fill the queue anew. Under the lock."""
        taken, now, monotonic = self._taken, self._clock.now(), self._clock.monotonic()
        names = [name for name in self._readable() if taken.paused.get(name, 0.0) <= monotonic]

        def unit(session: Session) -> tuple[list[Due], float]:
            found = details.due(session, names, now, AT_ONCE + THREADS)
            following = details.next_due(session, now)
            return found, IDLE if following is None else (following - now).total_seconds()

        found, pause = self._database.read(unit)
        taken.queue = [due for due in found if due.build_id not in taken.under_way]
        taken.is_new = False
        pauses = [until - monotonic for until in taken.paused.values() if until > monotonic]
        taken.look_at = monotonic + min([IDLE, max(pause, 0.05), *pauses])

    def _readable(self) -> Mapping[str, TellsDetails]:
        """The providers that can tell details and may be asked now."""
        return {
            name: provider
            for name, provider in self._polling.providers.items()
            if isinstance(provider, TellsDetails) and self._may_ask(name)
        }

    def _may_ask(self, name: str) -> bool:
        health = self._polling.health.get(name)
        return health is None or health.may_poll(Target(provider=name, key="details", every=BACK_OFF[0]))

    def _read(self, due: Due) -> None:
        try:
            self._explain(due)
        finally:
            with self._changed:
                self._taken.under_way.pop(due.build_id, None)
                if not self._taken.queue:  # there may be more than were looked up
                    self._taken.is_new = True
                self._changed.notify_all()

    def _explain(self, due: Due) -> None:
        configuration = self._polling.configuration
        provider = self._polling.providers.get(due.provider)
        asked = self._database.read(lambda session: ask(session, due.build_id, configuration))
        if asked is None or not isinstance(provider, TellsDetails):
            self._drop(due)
            return
        try:
            explanation = read(provider, asked, redact=self._redact, deadline=self._deadline(), turn=self._turn())
        except ProviderError as error:
            self._failed(due, asked, error)
            return
        except Exception as error:  # a defect must not stop the others, nor hold back a message
            log.exception("details not read build=%s", due.build_id)
            self._give_up(due, asked, f"not read: {type(error).__name__}")
            return
        self._failpoint("after_details")
        if not self._stopping.is_set():
            self._store(explanation, configuration, self._again(due, explanation))
            self._failpoint("after_saving_details")

    def _drop(self, due: Due) -> None:
        """Nothing is wanted of it any more, and so nobody waits for it."""
        now = self._clock.now()

        def unit(session: Session) -> Told:
            details.done(session, due.build_id)
            view = builds.get(session, [due.build_id]).get(due.build_id)
            return let_go(session, view.build, now) if view is not None else frozenset()

        self._saved(Saved(told=self._database.transact(unit)))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One thread at a time goes through a log, and begins when no poll is under way, if that is soon."""
        with self._processor:
            self._progress.give_way("poll ", GIVE_WAY)
            yield

    def _deadline(self) -> Callable[[], bool]:
        """Whether reading has taken too long."""
        until = self._clock.monotonic() + MOST_SECONDS
        return lambda: self._stopping.is_set() or self._clock.monotonic() >= until

    def _again(self, due: Due, explanation: Explanation) -> timedelta | None:
        """After how long the rest is to be read; None: all was read, or the rest will not come."""
        ended = explanation.build.finished_at
        is_fresh = ended is not None and self._clock.now() - ended < FRESH
        if not (explanation.later and is_fresh) or due.attempts >= len(AGAIN):
            return None
        log.info("details read in part, will retry build=%s", due.build_id)
        return AGAIN[due.attempts]

    def _store(self, explanation: Explanation, configuration: Configuration, again: timedelta | None) -> None:
        now = self._clock.now()
        then = None if again is None else now + again

        def unit(session: Session) -> Saved:
            return save(session, explanation, configuration, now, again=then, patient=self._stays)

        with self._turn():
            saved = self._database.transact(unit)
        self._saved(saved)

    def _failed(self, due: Due, asked: Asked, error: ProviderError) -> None:
        text = self._redact(str(error))
        if not isinstance(error, Unavailable):
            self._give_up(due, asked, f"not read: {text}")
            return
        if error.provider_wide:
            pause = error.retry_after or BACK_OFF[0].total_seconds()
            with self._changed:
                self._taken.paused[due.provider] = self._clock.monotonic() + pause
                self._taken.queue = [each for each in self._taken.queue if each.provider != due.provider]
        if due.attempts >= len(BACK_OFF):
            self._give_up(due, asked, f"{GIVEN_UP}: {text}")
            return
        log.info("details not read, will retry build=%s error=%s", due.build_id, text)
        wait = max(BACK_OFF[due.attempts], timedelta(seconds=error.retry_after or 0))
        self._put_off(due, asked, wait)

    def _put_off(self, due: Due, asked: Asked, wait: timedelta) -> None:
        now = self._clock.now()

        def unit(session: Session) -> Told:
            details.put_off(session, due.build_id, now + wait)
            return let_go(session, asked.build, now)

        self._saved(Saved(told=self._database.transact(unit)))

    def _give_up(self, due: Due, asked: Asked, note: str) -> None:
        now = self._clock.now()
        log.info("details not read build=%s note=%s", due.build_id, note)

        def unit(session: Session) -> Told:
            details.done(session, due.build_id)
            if due.build_id in builds.get(session, [due.build_id]):
                details.annotate(session, due.build_id, note, now)
            return let_go(session, asked.build, now)

        self._saved(Saved(told=self._database.transact(unit)))
