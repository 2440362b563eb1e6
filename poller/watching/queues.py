"""The queues of servers that show a build only when it runs: read now and then, right after a poll."""

import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta

from poller.config import Configuration
from poller.running.clock import Clock
from providers._base import Provider, ProviderError, TellsQueue, Waiting

log = logging.getLogger(__name__)

SELDOM = timedelta(minutes=5)


class Queues:
    """What waits on each provider, as it was read last. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}  # monotonic seconds
        self._waiting: dict[str, Sequence[Waiting]] = {}

    def waiting(self) -> Mapping[str, Sequence[Waiting]]:
        """By provider; one that is not here has not been read, or could not be since."""
        with self._lock:
            return dict(self._waiting)

    def read(self, name: str, provider: Provider, configuration: Configuration) -> None:
        """Ask a provider that answers, when it is time to. Raises nothing."""
        every = _every(name, configuration)
        if every is None or not isinstance(provider, TellsQueue) or not self._is_due(name, every.total_seconds()):
            return
        try:
            found = provider.queue()
        except ProviderError as error:
            log.info("queue not read, will retry provider=%s error=%s", name, error)
            self.forget(name)
            return
        except Exception:  # builds were read well: whatever this is, it must not look like a failed poll
            log.exception("queue not read, will retry provider=%s", name)
            self.forget(name)
            return
        with self._lock:
            self._waiting[name] = found

    def forget(self, name: str) -> None:
        """A provider cannot be read: what waits there is not known any more."""
        with self._lock:
            self._waiting.pop(name, None)

    def _is_due(self, name: str, every: float) -> bool:
        """The first time is one period after the first poll: who only looks around is not bothered."""
        now = self._clock.monotonic()
        with self._lock:
            due = self._next.setdefault(name, now + every) <= now
            if due:
                self._next[name] = now + every
        return due


def _every(name: str, configuration: Configuration) -> timedelta | None:
    """Often enough for the shortest time that a build may wait there; None where nobody asks for that."""
    rules = [configuration.rules_of(entry).stuck for entry in configuration.entries_of(name)]
    longest = [rule.queued_longer_than for rule in rules if rule is not None]
    return min(SELDOM, min(longest) / 2) if longest else None
