"""What to poll on each provider, asked now and every few minutes: an organisation may have new repositories."""

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from poller.running.clock import Clock
from poller.running.progress import Progress
from poller.watching.health import EVERYTHING
from poller.watching.polling import Polling
from poller.watching.schedule import Schedule
from providers._base import Provider, ProviderError, Target

log = logging.getLogger(__name__)

EVERY = 300.0  # seconds until targets are listed again
MAY_TAKE = 180.0
LOOK = timedelta(seconds=5)


class Listings:
    """Hands the targets of the providers in use to the schedule."""

    def __init__(self, polling: Polling, schedule: Schedule, progress: Progress, clock: Clock) -> None:
        self._polling = polling
        self._schedule = schedule
        self._progress = progress
        self._clock = clock
        self._next: dict[str, float] = {}  # monotonic seconds; 0: not listed yet
        self._swap = threading.Lock()  # of providers: what an old one lists counts no more

    def use(self, providers: Mapping[str, Provider], new: Iterable[str]) -> None:
        """Poll these providers from now on; the new ones are asked for their targets first."""
        names = list(new)
        with self._swap:
            self._polling.providers = providers
            self._next.update(dict.fromkeys(names, 0.0))
        self._polling.begin_round(names)

    def begin(self, name: str) -> None:
        """List the targets of a provider at once, and then now and again."""
        self._schedule.chore(f"targets of {name}", Listing(self, name), LOOK, provider=name)

    def first_round_done(self) -> bool:
        """Whether every target has been tried at least once since the start, or since it was added."""
        names = self._polling.providers
        listed = bool(names) and all(self._next.get(name) for name in names)
        return listed and self._polling.first_round_done(self._schedule.targets())

    def look(self, name: str) -> None:
        """List the targets of one provider, if it is time to."""
        provider, health = self._polling.providers.get(name), self._polling.health.get(name)
        now = self._clock.monotonic()
        if provider is None or health is None or now < self._next.get(name, 0.0):
            return
        everything = Target(provider=name, key=EVERYTHING, every=timedelta(seconds=60))
        if not health.may_poll(everything):
            return
        try:
            with self._progress.doing(f"list {everything}", limit=MAY_TAKE):
                targets = provider.targets()
        except ProviderError as error:
            if health.failed(everything, error):
                log.warning("targets not listed, will retry provider=%s error=%s", name, error)
            return
        with self._swap:
            if self._polling.providers.get(name) is provider:  # not replaced while it answered
                self._schedule.use(name, targets, again=self._next.get(name) == 0.0)
                self._next[name] = now + EVERY


@dataclass(frozen=True, slots=True)
class Listing:
    """A chore that can be compared and named."""

    listings: Listings
    name: str

    def __call__(self) -> None:
        """Run the chore."""
        self.listings.look(self.name)
