"""One poll of one target: fetch, store and judge page by page, and remember how the provider is."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from poller.config import Configuration
from poller.intake.ingest import Ingested, ingest
from poller.running.clock import Clock
from poller.running.failpoint import Failpoints
from poller.running.progress import Progress
from poller.watching.health import HARMLESS, Health
from poller.watching.poll_counts import PollCounts
from poller.watching.queues import Queues
from providers._base import Page, Provider, ProviderError, Target, TellsDetails
from store import cursors, notes
from store.engine import Database, Session
from store.errors import StoreError

log = logging.getLogger(__name__)

POLLS = notes.POLLS  # the note that tells when each target was last polled with success
POLL_DEADLINE = 120.0  # seconds; the rest comes with the next poll
POLL_LIMIT = POLL_DEADLINE + 60.0  # one call (30 s) and one transaction (30 s) may outlast the deadline


@dataclass(slots=True)
class Memory:
    """What is known of a target between two polls: what the store committed, kept at hand."""

    cursors: dict[str, Mapping[str, Any]]
    last_poll: datetime | None = None
    polls: int = 0  # since the daemon started
    misses: int = 0
    trouble: str | None = None  # of some of its pipelines, as it was logged
    unread: frozenset[str] = frozenset()  # these pipelines
    complete: bool = False  # all that happened until `last_poll` is stored, and since then no poll has failed


def recall(session: Session, target: Target) -> Memory:
    """What an earlier run of the daemon left of a target."""
    polls = notes.get(session, POLLS)
    last = polls.value.get(str(target)) if polls else None
    return Memory(
        cursors=dict(cursors.load(session, target.provider, target.key)),
        last_poll=datetime.fromisoformat(last) if last else None,
    )


@dataclass(slots=True)
class Polling:
    """Polls targets; one instance serves all threads. A target is never polled twice at the same time."""

    database: Database
    clock: Clock
    progress: Progress
    failpoint: Failpoints
    after_commit: Callable[[Ingested], None]
    configuration: Configuration
    providers: Mapping[str, Provider] = field(default_factory=dict)
    health: dict[str, Health] = field(default_factory=dict)
    counts: PollCounts = field(default_factory=PollCounts)
    _memories: dict[str, Memory] = field(default_factory=dict)  # by target: its pace does not matter
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _round: set[str] = field(default_factory=set)  # targets that have had their turn in this cycle
    queues: Queues = field(init=False)
    answers: Callable[[Health], None] = lambda _: None  # a provider that was failing answers; before its news

    def __post_init__(self) -> None:
        """Nothing is known of any queue."""
        self.queues = Queues(self.clock)

    def memory_of(self, target: Target) -> Memory:
        """What is known of this target; read from the store the first time."""
        with self._lock:
            memory = self._memories.get(str(target))
        if memory is None:
            recalled = self.database.read(lambda session: recall(session, target))
            with self._lock:
                memory = self._memories.setdefault(str(target), recalled)
        return memory

    def begin_round(self, providers: Iterable[str]) -> None:
        """These providers are asked for something new: what they show of it first is one first contact."""
        with self._lock:
            for name, memory in self._memories.items():
                if any(name.startswith(f"{provider}:") for provider in providers):
                    memory.polls = memory.misses = 0
                    memory.complete = False

    def first_round_done(self, targets: list[Target]) -> bool:
        """Whether each of these has been tried at least once since the start, or since its provider was replaced."""
        with self._lock:
            return all(
                (memory := self._memories.get(str(target))) is not None and memory.polls + memory.misses
                for target in targets
            )

    def known_until(self, targets: Sequence[Target]) -> Callable[[str], datetime | None]:
        """Up to when everything is known about a pipeline of the provider with these targets, by the pipeline's key.

        A pipeline is held by the target that is its repository, or else by any of them. None while one that may hold
        it has not been read from end to end since it failed, or since the start.
        """
        by_key = {target.key.casefold(): self._known_until(target) for target in targets}
        moments = [moment for moment in by_key.values() if moment is not None]
        everything = min(moments) if moments and len(moments) == len(by_key) else None

        def of(pipeline: str) -> datetime | None:
            parts = pipeline.casefold().split("/")
            if any(pipeline in self.memory_of(target).unread for target in targets):
                return None
            prefixes = ("/".join(parts[:end]) for end in range(len(parts) - 1, 0, -1))
            return next((by_key[prefix] for prefix in prefixes if prefix in by_key), everything)

        return of

    def _known_until(self, target: Target) -> datetime | None:
        with self._lock:
            memory = self._memories.get(str(target))
        return memory.last_poll if memory is not None and memory.complete else None

    def cycle_done(self, targets: Sequence[Target]) -> bool:
        """Whether each of these targets has had its turn since this last was true.

        A server that fails, or wants to be left alone, has had its turn; what could not be stored has not.
        """
        with self._lock:
            done = bool(targets) and self._round.issuperset(map(str, targets))
            if done:
                self._round.clear()
            return done

    def poll(self, target: Target) -> None:
        """Poll a target once, if its provider may be asked now. Raises nothing: one failure never stops another."""
        provider, health = self.providers.get(target.provider), self.health.get(target.provider)
        if provider is None or health is None or self._stopping.is_set():
            return
        if not health.may_poll(target):
            self._had_its_turn(target)
            return
        with self.progress.doing(f"poll {target}", limit=POLL_LIMIT):
            try:
                unread = self._pages(provider, target, health)
            except ProviderError as error:
                self._failed(target, health, error)
                self._had_its_turn(target)
            except StoreError as error:
                log.warning("builds not stored, will retry target=%s error=%s", target, error)
                self._missed(target)
            except Exception:
                log.exception("poll stumbled, will retry target=%s", target)
                self.memory_of(target).misses += 1
                self._missed(target)
            else:
                self.memory_of(target).polls += 1
                self._had_its_turn(target)
                self._succeeded(target, health, unread)
                self.queues.read(target.provider, provider, self.configuration)

    def _succeeded(self, target: Target, health: Health, unread: Mapping[str, ProviderError] | None = None) -> None:
        if health.succeeded(target, unread):
            log.info("provider answers provider=%s", target.provider)

    def _had_its_turn(self, target: Target) -> None:
        with self._lock:
            self._round.add(str(target))

    def _missed(self, target: Target) -> None:
        """Something may have happened that is not stored."""
        with self._lock:
            memory = self._memories.get(str(target))
        if memory is not None:
            memory.complete = False

    def _pages(self, provider: Provider, target: Target, health: Health) -> Mapping[str, ProviderError] | None:
        """Read and store all; what could not be read although the rest could, None when there was no time to see."""
        memory = self.memory_of(target)
        began, until = self.clock.now(), self.clock.monotonic() + POLL_DEADLINE
        trouble: ProviderError | None = None
        pages = provider.poll(target, memory.cursors, began)
        if health.facts.failing_since is not None:
            pages = self._answer_first(pages, target, health)
        try:
            for page in pages:
                self.failpoint("after_fetch")
                self.store(target, page, memory)
                if self._stopping.is_set():
                    return None
                if self.clock.monotonic() > until:
                    log.warning("poll takes long, the rest comes next time target=%s", target)
                    memory.complete = False
                    return None
        except ProviderError as error:
            if not error.partial:
                raise
            trouble = error
        if trouble is not None and str(trouble) != memory.trouble:
            log.warning("some pipelines not read, will retry target=%s error=%s", target, trouble)
        memory.trouble = str(trouble) if trouble is not None else None
        unread = trouble.parts if trouble is not None else {}
        memory.unread = frozenset(unread)
        self.counts.made(target.provider, began, memory.last_poll)
        memory.last_poll = began
        memory.complete = True
        return unread

    def _answer_first(self, pages: Iterator[Page], target: Target, health: Health) -> Iterator[Page]:
        """Pages of a provider that was failing: that it answers again is told before what has broken meanwhile.

        It is believed when a second page, or the end, has come: the first one alone may be all that still works.
        """
        held: list[Page] = []
        trouble = None
        try:
            held.extend(islice(pages, 2))
        except ProviderError as error:
            trouble = error
        if trouble is None or trouble.partial:
            self._succeeded(target, health)
            self.answers(health)
        yield from held
        if trouble is not None:
            raise trouble
        yield from pages

    def stop(self) -> None:
        """Start no more polls, and no more pages of those under way: what is not stored is fetched again."""
        self._stopping.set()

    def store(self, target: Target, page: Page, memory: Memory, *, judge: bool = True) -> Ingested:
        """Commit a page, then let the world know."""
        configuration = self.configuration
        tells_details = isinstance(self.providers.get(target.provider), TellsDetails)

        def unit(session: Session) -> Ingested:
            ingested = ingest(
                session,
                page,
                provider=target.provider,
                target=target.key,
                configuration=configuration,
                now=self.clock.now(),
                last_poll=memory.last_poll,
                judge=judge,
                tells_details=tells_details,
            )
            self.failpoint("before_commit")
            return ingested

        ingested = self.database.transact(unit)
        self.failpoint("after_commit")
        for key, value in page.cursors.items():
            if value is None:
                memory.cursors.pop(key, None)
            else:
                memory.cursors[key] = value
        self.after_commit(ingested)
        return ingested

    def _failed(self, target: Target, health: Health, error: ProviderError) -> None:
        self.memory_of(target).misses += 1
        if error.trouble not in HARMLESS:
            self.counts.failed(target.provider, self.clock.now())
            self._missed(target)
            self.queues.forget(target.provider)
        if health.failed(target, error):
            log.warning("poll failed, will retry target=%s trouble=%s error=%s", target, error.trouble, error)
