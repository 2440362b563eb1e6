"""Whether the daemon still gets somewhere: what the watchdog pings are gated on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Progress:
    """Work under way, each piece with the time by which it must be done.

    A deadlocked thread leaves its work overdue; the pings stop and systemd restarts the service. A separate
    timer thread would go on pinging for ever. Times are monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._due: dict[object, tuple[str, float]] = {}

    @contextmanager
    def doing(self, what: str, *, limit: float) -> Iterator[None]:
        """Work that takes at most `limit` seconds."""
        key = object()
        with self._lock:
            self._due[key] = (what, self._clock() + limit)
        try:
            yield
        finally:
            with self._lock:
                del self._due[key]

    def expect(self, what: str, *, within: float) -> None:
        """The loop called `what` says that it is alive and will say so again within so many seconds."""
        with self._lock:
            self._due[what] = (what, self._clock() + within)

    def forget(self, what: str) -> None:
        """The loop called `what` has ended by wish."""
        with self._lock:
            self._due.pop(what, None)

    def overdue(self) -> list[str]:
        """What should have been done by now; empty when all is well."""
        now = self._clock()
        with self._lock:
            return [what for what, due in self._due.values() if due < now]
