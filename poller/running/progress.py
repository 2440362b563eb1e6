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
        self._changed = threading.Condition()
        self._work: dict[object, tuple[str, float]] = {}
        self._loops: dict[str, float] = {}

    @contextmanager
    def doing(self, what: str, *, limit: float) -> Iterator[None]:
        """Work that takes at most `limit` seconds."""
        key = object()
        with self._changed:
            self._work[key] = (what, self._clock() + limit)
        try:
            yield
        finally:
            with self._changed:
                del self._work[key]
                self._changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Wait until no work is under way; False when some outlasts the time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._work, seconds)

    def give_way(self, to: str, seconds: float) -> bool:
        """Wait until no work is under way whose name begins so; False when some outlasts the time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not any(what.startswith(to) for what, _ in self._work.values()), seconds
            )

    def expect(self, what: str, *, within: float) -> None:
        """The loop called `what` says that it is alive and will say so again within so many seconds."""
        with self._changed:
            self._loops[what] = self._clock() + within

    def forget(self, what: str) -> None:
        """The loop called `what` has ended by wish."""
        with self._changed:
            self._loops.pop(what, None)

    def overdue(self) -> list[str]:
        """What should have been done by now; empty when all is well."""
        now = self._clock()
        with self._changed:
            dues = [*self._work.values(), *self._loops.items()]
        return [what for what, due in dues if due < now]
