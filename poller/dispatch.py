"""Delivers the outbox: one thread per channel, so that a broken channel never holds up another.

A notification goes pending → sending → (send) → sent, each arrow a transaction of its own. Whatever is
`sending` when the daemon starts was orphaned by its end: only the holder of the store's lock delivers, so no
lease and no clock is needed to know that.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from alerts.channels._base import Channel, ChannelError
from domain.alert import Notification
from poller.clock import Clock
from poller.failpoint import Failpoints
from poller.progress import Progress
from store import outbox
from store.engine import Database, Session
from store.errors import StoreError

log = logging.getLogger(__name__)

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(hours=1)  # of what a server may ask for with Retry-After
MOST_ATTEMPTS = 295  # 5 s, 10 s, ... 15 min, 15 min: 72 hours, counted in tries and not by a clock that may jump
DAMAGED_STORE_WAIT = 10.0  # seconds until the store is tried again
IDLE_WAIT = 30.0
SEND_LIMIT = 120.0  # seconds a send may take before the watchdog calls it hung
DRAIN = 20.0  # seconds a send under way is given at the end

Write = Callable[[Session], object]


def backoff(attempts: int, chance: float) -> timedelta:
    """How long to wait after so many attempts (from 1): doubling from 5 s, at most 15 min, ±20 % by `chance` (0-1)."""
    doublings: int = min(max(attempts - 1, 0), 16)
    wait = min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)
    return wait * (0.8 + 0.4 * chance)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStatus:
    """How a channel is: ok, paused (the server asked for it) or broken (a person must act)."""

    state: str
    error: str | None = None


class Courier:
    """Takes one channel's notifications out of the outbox, oldest first, and has them delivered."""

    def __init__(
        self,
        channel: Channel,
        *,
        database: Database,
        clock: Clock,
        progress: Progress,
        failpoint: Failpoints,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._channel = channel
        self._redact = redact
        self._database = database
        self._clock = clock
        self._progress = progress
        self._failpoint = failpoint
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._is_new = True  # a daemon that starts, or a channel whose settings have changed: back-off is over
        self._held_until = 0.0  # monotonic; the whole channel waits
        self._claimed: int | None = None  # may be `sending` in the store, and only we know that
        self._outcome: Write | None = None  # what became of it, until the store has taken that
        self._chance = random.Random()  # noqa: S311  (spreads retries, guards nothing)
        self._thread = threading.Thread(target=self._run, name=f"channel {channel.name}", daemon=True)
        self.status = ChannelStatus(state="ok")

    @property
    def name(self) -> str:
        """The channel's key in config.yaml."""
        return self._channel.name

    def start(self) -> None:
        """Begin to deliver in a thread of its own."""
        self._thread.start()

    def wake(self) -> None:
        """Something new may be due."""
        self._awake.set()

    def stop(self) -> None:
        """Claim nothing new."""
        self._stopping.set()
        self._awake.set()

    def join(self, timeout: float) -> bool:
        """Wait for the send under way; False when it outlasts the time. The row stays `sending` then."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        loop = f"channel {self.name}"
        while self._claimed is not None or not self._stopping.is_set():
            self._progress.expect(loop, within=SEND_LIMIT + getattr(self._channel, "send_limit", 0.0))
            self._awake.clear()
            try:
                self._catch_up()
                wait = 0.0 if self._stopping.is_set() else self.deliver_one()
            except StoreError as error:
                log.warning("outbox not available, will retry channel=%s error=%s", self.name, error)
                wait = DAMAGED_STORE_WAIT
            except Exception:
                log.exception("delivery stumbled, will retry channel=%s", self.name)
                wait = DAMAGED_STORE_WAIT
            if wait > 0:
                self._awake.wait(min(wait, IDLE_WAIT))
        self._progress.forget(loop)
        self._channel.close()

    def deliver_due(self) -> int:
        """Deliver what is due now, in this thread, until nothing is or the channel holds back; how many were sent."""
        sent = 0
        while self.status.state == "ok" and (notification := self._claim()) is not None:
            sent += self._send(notification)
            self._stopping.wait(self._channel.min_interval)
        return sent

    def _claim(self) -> Notification | None:
        def unit(session: Session) -> Notification | None:
            notification = outbox.claim(session, self.name, self._clock.now())
            self._claimed = notification.id if notification else None
            return notification

        return self._database.transact(unit)

    def _write(self, outcome: Write) -> None:
        """Store what became of the claimed message; when that fails, `_catch_up` does it later."""
        self._outcome = outcome
        self._database.transact(outcome)
        self._claimed = self._outcome = None

    def _catch_up(self) -> None:
        """Before anything else is claimed: nobody but us would ever take up a row that is still `sending`."""
        if self._is_new:
            self._database.transact(lambda session: outbox.hurry(session, self.name, self._clock.now()))
            self._is_new = False
        number = self._claimed
        if self._outcome is not None:
            self._write(self._outcome)
        elif number is not None:
            self._write(lambda session: outbox.recover(session, number))

    def deliver_one(self) -> float:
        """Deliver the next due notification, if there is one; seconds to wait before the next look."""
        held = self._held_until - self._clock.monotonic()
        if held > 0:
            self._stopping.wait(min(held, IDLE_WAIT))
            return 0.0
        notification = self._claim()
        if notification is None:
            return self._until_next()
        self._failpoint("after_claim")
        self._send(notification)
        self._held_until = max(self._held_until, self._clock.monotonic() + self._channel.min_interval)
        return 0.0

    def _until_next(self) -> float:
        due = self._database.read(lambda session: outbox.next_due(session, self.name))
        if due is None:
            return IDLE_WAIT
        return max((due - self._clock.now()).total_seconds(), 0.05)

    def _send(self, notification: Notification) -> bool:
        number = notification.id
        if number is None:
            raise ValueError("a notification out of the outbox has an id")
        try:
            receipt = self._channel.send(notification)
        except ChannelError as error:
            self._not_accepted(number, notification, error)
            return False
        except Exception as error:  # a defect of a channel must not stop the others, nor lose this message
            log.exception("channel failed unexpectedly channel=%s notification=%s", self.name, number)
            self._not_accepted(number, notification, ChannelError(f"unexpected {type(error).__name__}", ambiguous=True))
            return False
        self._failpoint("after_send")
        now = self._clock.now()
        self._write(lambda session: outbox.mark_sent(session, number, receipt, now))
        self._failpoint("after_mark")
        if self.status.state != "ok":
            log.info("channel delivers again channel=%s", self.name)
            self.status = ChannelStatus(state="ok")
        log.info("message delivered channel=%s notification=%s reason=%s", self.name, number, notification.reason)
        return True

    def _not_accepted(self, number: int, notification: Notification, error: ChannelError) -> None:
        # A server may quote our own password at us, and this text is kept and shown.
        now, text = self._clock.now(), self._redact(str(error))
        broken = error.permanent and error.channel_wide
        if (error.permanent and not broken) or notification.attempts >= MOST_ATTEMPTS:
            log.error("message given up channel=%s notification=%s error=%s", self.name, number, text)
            self._write(lambda session: outbox.mark_dead(session, number, text, now))
            return
        wait = LONGEST_WAIT if broken else backoff(notification.attempts, self._chance.random())
        if error.retry_after is not None:
            wait = min(timedelta(seconds=error.retry_after) * (1 + 0.1 * self._chance.random()), LONGEST_PAUSE)
        if error.channel_wide:
            self._held_until = self._clock.monotonic() + wait.total_seconds()
            self._tell_state(ChannelStatus(state="broken" if broken else "paused", error=text))
        self._write(
            lambda session: outbox.mark_retry(
                session, number, text, now + wait, ambiguous=error.ambiguous, progress=error.progress
            )
        )
        log.info("message not accepted, will retry channel=%s notification=%s error=%s", self.name, number, text)

    def _tell_state(self, status: ChannelStatus) -> None:
        if status == self.status:
            return  # said already in this episode
        level = logging.ERROR if status.state == "broken" else logging.WARNING
        log.log(level, "channel %s channel=%s error=%s", status.state, self.name, status.error)
        self.status = status


class Dispatcher:
    """All couriers of the daemon."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        progress: Progress,
        failpoint: Failpoints,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._make = {
            "database": database,
            "clock": clock,
            "progress": progress,
            "failpoint": failpoint,
            "redact": redact,
        }
        self._database = database
        self._clock = clock
        self._couriers: dict[str, Courier] = {}
        self._leaving: list[Courier] = []  # their channel is gone or replaced; a send may be under way

    def recover(self) -> int:
        """Give orphaned sends back to the outbox, marked ambiguous. Only for the holder of the lock, at start."""
        return self._database.transact(outbox.recover)

    def use(self, channels: Mapping[str, Channel]) -> None:
        """Deliver through exactly these channels from now on; the ones already in use go on undisturbed."""
        for name, courier in list(self._couriers.items()):
            if channels.get(name) is not courier._channel:  # noqa: SLF001  (its own class)
                courier.stop()
                self._leaving = [each for each in self._leaving if not each.join(0)]
                self._leaving.append(self._couriers.pop(name))
        for name, channel in channels.items():
            if name not in self._couriers:
                courier = Courier(channel, **self._make)  # type: ignore[arg-type]
                self._couriers[name] = courier
                courier.start()

    def wake(self, names: frozenset[str]) -> None:
        """These channels have something new."""
        for name in names & self._couriers.keys():
            self._couriers[name].wake()

    def wake_all(self) -> None:
        """Look again at everything, for instance after the clock was set."""
        self.wake(frozenset(self._couriers))

    def clock_jumped(self) -> None:
        """What waits was planned for another time: it is due now. What a server asked for, the couriers still keep."""
        now = self._clock.now()
        self._database.transact(lambda session: outbox.bring_forward(session, now, now))
        self.wake_all()

    def statuses(self) -> dict[str, ChannelStatus]:
        """How each channel is."""
        return {name: courier.status for name, courier in self._couriers.items()}

    def drain(self) -> bool:
        """Let the sends under way finish within 20 s; False when one did not."""
        everyone = [*self._couriers.values(), *self._leaving]
        for courier in everyone:
            courier.stop()
        end = self._clock.monotonic() + DRAIN
        late = [courier for courier in everyone if not courier.join(max(0.0, end - self._clock.monotonic()))]
        return not late
