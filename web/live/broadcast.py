"""What has changed, told to everybody who listens: looked up once, and each may be as slow as they are.

While anybody listens one thread looks every quarter of a second whether the change feed has gone on; a commit of this
process wakes it at once. Nothing is queued: what a client has not been sent yet is joined with what comes after it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Protocol, TypeVar

import orjson
from typing_extensions import override

from store import changes
from store.changes import Delta
from store.engine import Session
from store.errors import StoreError
from web.site import Site

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds, with the store
ALIVE = '{"type":"alive"}'
ASK_AGAIN = 1.0  # second after the store was found to be away: who joins until then is told so at once

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds, and how many may listen."""

    looks: float = 0.25  # for what another process commits
    gap: float = 0.4  # between two messages: with the look, the work and the sending everybody knows within a second
    refresh: float = 60.0  # a summary changes with time alone, as builds leave its window
    session: float = 3600.0  # whoever logged in connects again after this: by then the session may be over
    patience: float = 10.0  # with a client that takes nothing
    beat: float = 25.0  # a client of /api/live that hears nothing for so long is told that it would
    most: int = 600  # clients: the server takes 1,000 connections, and pages are asked for, too


class Full(Exception):
    """As many listen as may."""


@dataclass(frozen=True, kw_only=True)
class News:
    """What is told at once. `delta` None: so much has changed that everything has to be looked at."""

    seq: int
    delta: Delta | None
    summary: str | None = None  # JSON; None: nobody asked for it

    def __or__(self, later: "News") -> "News":
        """Both together."""
        delta = None if self.delta is None or later.delta is None else self.delta | later.delta
        return News(seq=later.seq, delta=delta, summary=later.summary)

    @cached_property
    def text(self) -> str:
        """As a client of /api/live gets it; made once for all of them."""
        if self.delta is None:
            return orjson.dumps({"type": "reset", "seq": self.seq}).decode()
        told = {
            "type": "change",
            "seq": self.seq,
            "kinds": sorted(self.delta.kinds),
            "pipelines": _listed(self.delta.pipelines),
            "builds": _listed(self.delta.builds),
            "alerts": _listed(self.delta.alerts),
        }
        return orjson.dumps(told).decode()


def _listed(ids: frozenset[int] | None) -> list[int] | None:
    return None if ids is None else sorted(ids)


class Listener(Protocol):
    """Somebody who is told; used in the event loop only."""

    wants_summary: bool

    def put(self, news: News) -> None:
        """There is news."""
        ...

    async def take(self) -> str:
        """What is to be sent next; waits until there is something."""
        ...

    def beat(self) -> str | None:
        """What is sent when there has been nothing for long."""
        ...


class SummaryListener(Listener):
    """Is sent the newest summary whenever it is another one."""

    wants_summary = True

    def __init__(self) -> None:
        self._summary: str | None = None
        self._sent: str | None = None
        self._arrived = asyncio.Event()

    @override
    def put(self, news: News) -> None:
        if news.summary is not None:
            self._summary = news.summary
            self._arrived.set()

    @override
    async def take(self) -> str:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if self._summary is not None and self._summary != self._sent:
                self._sent = self._summary
                return self._summary

    @override
    def beat(self) -> str | None:
        return None  # these clients know of summaries only


class ChangeListener(Listener):
    """Is sent what has changed since it was sent something."""

    wants_summary = False

    def __init__(self) -> None:
        self._news: News | None = None
        self._arrived = asyncio.Event()

    @override
    def put(self, news: News) -> None:
        if news.delta is not None and not news.delta.kinds:
            return  # time has passed, nothing else
        self._news = news if self._news is None else self._news | news
        self._arrived.set()

    @override
    async def take(self) -> str:
        await self._arrived.wait()
        self._arrived.clear()
        if self._news is None:
            raise RuntimeError("news has arrived and is not there")
        news, self._news = self._news, None
        return news.text

    @override
    def beat(self) -> str | None:
        return ALIVE


@dataclass(slots=True, kw_only=True)
class _Following:
    """While somebody listens, in one event loop."""

    loop: asyncio.AbstractEventLoop
    wake: asyncio.Event
    lock: asyncio.Lock
    listeners: set[Listener] = field(default_factory=set)
    seq: int | None = None  # up to where everybody has been told
    summary: str | None = None  # as it is at `seq`
    refreshed: float = 0.0  # loop time
    away: tuple[float, StoreError] | None = None  # since when (loop time), and why, the store cannot be asked
    stop: Callable[[], None] = lambda: None


class Broadcast:
    """Tells listeners what changes in a site's store. `summary` gives the JSON text for those who want one."""

    def __init__(self, site: Site, summary: Callable[[Session], str], pace: Pace) -> None:
        self.pace = pace
        self._site = site
        self._summary = summary
        self._thread: ThreadPoolExecutor | None = None
        self._following: _Following | None = None

    @property
    def count(self) -> int:
        """How many listen."""
        return len(self._following.listeners) if self._following is not None else 0

    def join(self, listener: Listener) -> None:
        """Tell this listener from now on. Raises Full."""
        if self.count >= self.pace.most:
            raise Full
        if self._following is None or self._following.loop is not asyncio.get_running_loop():
            self._following = self._begin()
        self._following.listeners.add(listener)

    def leave(self, listener: Listener) -> None:
        """Tell it nothing more."""
        following = self._following
        if following is None or listener not in following.listeners:
            return
        following.listeners.remove(listener)
        if not following.listeners:
            following.stop()
            self._following = None

    async def catch_up(self, since: int) -> News:
        """What a listener that has joined missed since a number that it was told. Raises StoreError."""
        await self.greet()
        following = self._followed()
        async with following.lock:
            return await self._joining(following, lambda session: self._look(session, since, wants_summary=False))

    async def greet(self) -> News:
        """How far it has come for a listener that has joined: it is told what comes after. Raises StoreError."""
        following = self._followed()
        async with following.lock:
            if following.seq is None:
                following.seq = await self._joining(following, changes.newest)
            return News(seq=following.seq, delta=None)

    async def summary(self) -> News:
        """The summary for a listener that has joined; of those who come together it is worked out for the first.

        Raises StoreError.
        """
        following = self._followed()
        async with following.lock:
            if following.summary is None:
                look = partial(self._look, since=None, wants_summary=True)
                news = await self._joining(following, look)
                following.summary = news.summary
                following.seq = news.seq if following.seq is None else following.seq
                return news
            return News(seq=following.seq or 0, delta=None, summary=following.summary)

    async def _joining(self, following: _Following, unit: Callable[[Session], T]) -> T:
        """Ask for one who joins, with the lock. While the store is away a crowd does not wait for it one by one."""
        if following.away is not None and following.loop.time() < following.away[0] + ASK_AGAIN:
            raise following.away[1]
        try:
            found = await self._ask(unit)
        except StoreError as error:
            following.away = following.loop.time(), error
            raise
        following.away = None
        return found

    def _followed(self) -> _Following:
        if self._following is None:
            raise RuntimeError("nobody has joined")
        return self._following

    async def close(self) -> None:
        """Tell nobody anything any more, and wait until the thread has left the store."""
        if self._following is not None:
            self._following.stop()
            self._following = None
        if self._thread is not None:
            thread, self._thread = self._thread, None
            await asyncio.to_thread(thread.shutdown)

    def _begin(self) -> _Following:
        loop = asyncio.get_running_loop()
        following = _Following(loop=loop, wake=asyncio.Event(), lock=asyncio.Lock(), refreshed=loop.time())

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(following.wake.set)

        end_listening = self._site.database.listen(wake)
        task = loop.create_task(self._follow(following))

        def stop() -> None:
            end_listening()
            if not loop.is_closed():
                task.cancel()

        following.stop = stop
        return following

    async def _follow(self, following: _Following) -> None:
        failing = False
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(following.wake.wait(), self.pace.looks)
            following.wake.clear()
            try:
                news = await self._news(following)
            except StoreError as error:
                if not failing:
                    log.warning("live updates wait, the store is not available, will retry error=%s", error)
                failing = True
                following.away = following.loop.time(), error
                await asyncio.sleep(self.pace.gap)
                continue
            except Exception:
                log.exception("live updates failed, will retry")
                await asyncio.sleep(self.pace.refresh)
                continue
            if failing:
                log.info("live updates go on, the store is available again")
            failing = False
            if news is not None:
                for listener in tuple(following.listeners):
                    listener.put(news)
                await asyncio.sleep(self.pace.gap)

    async def _news(self, following: _Following) -> News | None:
        """What is new; None: nothing."""
        async with following.lock:
            wants = any(each.wants_summary for each in following.listeners)
            is_old = following.loop.time() - following.refreshed >= self.pace.refresh
            seq = following.seq
            if seq is None:
                return None  # who has joined is greeted first

            def look(session: Session) -> News | None:
                if changes.newest(session) == seq and not (wants and is_old):
                    return None
                return self._look(session, seq, wants_summary=wants)

            news = await self._ask(look)
            if news is not None:
                following.seq, following.summary = news.seq, news.summary
                following.refreshed = following.loop.time()
            return news

    def _look(self, session: Session, since: int | None, *, wants_summary: bool) -> News:
        delta = None if since is None else changes.since(session, since)
        return News(
            seq=changes.newest(session) if delta is None else delta.seq,
            delta=delta,
            summary=self._summary(session) if wants_summary else None,
        )

    async def _ask(self, unit: Callable[[Session], T]) -> T:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")
        look = partial(self._site.database.read, unit, deadline=PATIENCE)
        return await asyncio.get_running_loop().run_in_executor(self._thread, look)
