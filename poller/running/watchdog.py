"""Pings systemd while work gets on: a hang ends in a restart."""

import logging

from poller.running.clock import Clock
from poller.running.notify import Systemd
from poller.running.progress import Progress

log = logging.getLogger(__name__)

MOST = 10.0  # seconds between two pings, however patient systemd is


class Watchdog:
    """To be looked at by the main thread, often."""

    def __init__(self, systemd: Systemd, progress: Progress, clock: Clock) -> None:
        self._systemd = systemd
        self._progress = progress
        self._clock = clock
        self._next = 0.0

    def look(self) -> None:
        """Ping when it is time; not while something is overdue, which is said."""
        every = self._systemd.watchdog_every
        if not every or self._clock.monotonic() < self._next:
            return
        overdue = self._progress.overdue()
        if overdue:
            log.error("no progress, the watchdog gets no ping overdue=%s", ", ".join(overdue))
        else:
            self._systemd.ping()
        self._next = self._clock.monotonic() + min(every, MOST)
