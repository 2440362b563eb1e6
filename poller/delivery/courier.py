"""Delivers what the outbox has for one channel, in a thread of its own.

A message goes pending → sending → (send) → sent, each arrow a transaction of its own. Whatever is `sending` when
the daemon starts was orphaned by its end: only the holder of the store's lock delivers, so no lease and no clock
is needed to know that.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.channels._base import Channel, ChannelError
from alerts.policies.gathering import Manner
from poller.delivery.parcels import Claim, Pause, claim
from poller.running.clock import Clock
from poller.running.failpoint import Failpoints
from poller.running.progress import Progress
from store import outbox, outcomes, waiting
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
GROUP_WAIT = timedelta(seconds=30)
LOOK_EVERY = 0.2  # seconds between two looks at rows that wait for company, however often somebody wakes us,
LOOK_AT = 2000  # and a second more for so many rows: looking costs
LEFT_OUT: Mapping[str, str] = {"left_out": "this channel has no card to edit and no thread"}

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
    failing_since: datetime | None = None  # the first attempt of this run after which nothing was accepted any more
    delivered_at: datetime | None = None  # the last time that a message of this run was accepted


class Courier:
    """Takes one channel's messages out of the outbox, oldest first, and has them delivered."""

    def __init__(
        self,
        channel: Channel,
        *,
        database: Database,
        clock: Clock,
        progress: Progress,
        failpoint: Failpoints,
        redact: Callable[[str], str] = str,
        group_wait: timedelta = GROUP_WAIT,
    ) -> None:
        self._channel = channel
        self._redact = redact
        self._database = database
        self._clock = clock
        self._progress = progress
        self._failpoint = failpoint
        self.manner = Manner(edits=bool(getattr(channel, "edits", False)), group_wait=group_wait)
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

    def serves(self, channel: Channel | None) -> bool:
        """Whether it is this very channel through which we deliver."""
        return self._channel is channel

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
        while self.status.state == "ok" and isinstance(claimed := self._claim(), Claim):
            sent += self._send(claimed)
            self._stopping.wait(self._channel.min_interval)
        return sent

    def deliver_one(self) -> float:
        """Deliver the next message that is due, if there is one; seconds to wait before the next look."""
        held = self._held_until - self._clock.monotonic()
        if held > 0:
            self._stopping.wait(min(held, IDLE_WAIT))
            return 0.0
        claimed = self._claim()
        if not isinstance(claimed, Claim):
            return self._until_next(claimed)
        self._failpoint("after_claim")
        self._send(claimed)
        if not claimed.is_silent:
            self._held_until = max(self._held_until, self._clock.monotonic() + self._channel.min_interval)
        return 0.0

    def _claim(self) -> Claim | Pause | None:
        def unit(session: Session) -> Claim | Pause | None:
            found = claim(session, self.name, self.manner, self._clock.now())
            self._claimed = found.lead if isinstance(found, Claim) else None
            return found

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
        lead = self._claimed
        if self._outcome is not None:
            self._write(self._outcome)
        elif lead is not None:
            self._write(lambda session: outcomes.recover(session, lead))

    def _until_next(self, pause: Pause | None) -> float:
        now = self._clock.now()
        due = self._database.read(lambda session: waiting.next_due(session, self.name, now))
        if pause is not None:
            due = pause.until if due is None else min(due, pause.until)
            look = LOOK_EVERY + pause.rows / LOOK_AT
            self._held_until = self._clock.monotonic() + min(look, max((due - now).total_seconds(), 0.0))
        if due is None:
            return IDLE_WAIT
        return max((due - self._clock.now()).total_seconds(), 0.05)

    def _send(self, claimed: Claim) -> bool:
        lead = claimed.lead
        if claimed.is_silent:
            self._write(lambda session: outcomes.mark_sent(session, lead, LEFT_OUT, self._clock.now()))
            return False
        try:
            receipt = self._channel.send(claimed.notification)
        except ChannelError as error:
            self._not_accepted(claimed, error)
            return False
        except Exception as error:  # a defect of a channel must not stop the others, nor lose this message
            log.exception("channel failed unexpectedly channel=%s notification=%s", self.name, lead)
            self._not_accepted(claimed, ChannelError(f"unexpected {type(error).__name__}", ambiguous=True))
            return False
        self._failpoint("after_send")
        now = self._clock.now()
        self._write(lambda session: outcomes.mark_sent(session, lead, receipt, now))
        self._failpoint("after_mark")
        if self.status.state != "ok":
            log.info("channel delivers again channel=%s", self.name)
        self.status = ChannelStatus(state="ok", delivered_at=now)
        reason, alerts = claimed.notification.reason, claimed.alerts
        log.info("message delivered channel=%s notification=%s reason=%s alerts=%s", self.name, lead, reason, alerts)
        return True

    def _not_accepted(self, claimed: Claim, error: ChannelError) -> None:
        # A server may quote our own password at us, and this text is kept and shown.
        lead, now, text = claimed.lead, self._clock.now(), self._redact(str(error))
        attempts = claimed.notification.attempts
        broken = error.permanent and error.channel_wide
        if error.permanent and not broken:
            self._refused(claimed, text, now)
            return
        wait = LONGEST_WAIT if broken else backoff(attempts, self._chance.random())
        if error.retry_after is not None:
            wait = min(timedelta(seconds=error.retry_after) * (1 + 0.1 * self._chance.random()), LONGEST_PAUSE)
        state = self.status.state
        if error.channel_wide:
            self._held_until = self._clock.monotonic() + wait.total_seconds()
            state = "broken" if broken else "paused"
        self._tell_state(state, text, now)
        if attempts >= MOST_ATTEMPTS:
            log.error("message given up channel=%s notification=%s error=%s", self.name, lead, text)
            self._write(
                lambda session: outcomes.mark_worn_out(
                    session, lead, text, now, most=MOST_ATTEMPTS, next_attempt_at=now + wait
                )
            )
            return
        self._write(
            lambda session: outcomes.mark_retry(
                session, lead, text, now + wait, ambiguous=error.ambiguous, progress=error.progress
            )
        )
        log.info("message not accepted, will retry channel=%s notification=%s error=%s", self.name, lead, text)

    def _refused(self, claimed: Claim, text: str, now: datetime) -> None:
        """It will never be accepted as it is. What tells of several alerts is taken apart: one may spoil it for all."""
        lead = claimed.lead
        if claimed.alerts > 1:
            log.warning("message refused, its alerts are told one by one channel=%s error=%s", self.name, text)
            self._write(lambda session: outcomes.take_apart(session, lead, text, now))
            return
        log.error("message given up channel=%s notification=%s error=%s", self.name, lead, text)
        self._write(lambda session: outcomes.mark_dead(session, lead, text, now))

    def _tell_state(self, state: str, text: str, now: datetime) -> None:
        since = self.status.failing_since or now
        if (state, text) != (self.status.state, self.status.error) and state != "ok":  # else said in this episode
            level = logging.ERROR if state == "broken" else logging.WARNING
            log.log(level, "channel %s channel=%s error=%s", state, self.name, text)
        self.status = replace(self.status, state=state, error=text, failing_since=since)
