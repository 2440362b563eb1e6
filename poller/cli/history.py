"""Reads history into the store, page by page: resumable, judging nothing, beside a running daemon."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from poller.config import Configuration
from poller.intake.ingest import CLOCKS_DISAGREE, Ingested, ingest
from poller.running.clock import Clock
from poller.watching.polling import recall
from providers._base import Page, Provider, Target, Trouble, Unavailable
from store import cursors
from store.engine import Database, Session

PLACE = "backfill"  # the cursor that providers go on from
ASKED = "asked"  # what was asked for, so that the same words mean the same beginning when it goes on
WORTH_WAITING = frozenset({Trouble.RATE_LIMIT, Trouble.PACED})
ALMOST = 0.999  # done is when the place is forgotten
LONGEST_WAIT = 3700.0  # GitHub's limits are over after an hour

Told = Callable[["Progress"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the history of one target has been read."""

    target: Target
    share: float  # 0 to 1
    builds: int  # read by this process
    new: int  # of these, new to the store or changed
    waiting: timedelta | None = None  # for the provider's rate limit
    since: datetime


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)  # time.sleep stumbles over a clock that is set back


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants to have read."""

    since: datetime
    words: str  # as they were typed: `90d` typed again a day later goes on with the same beginning
    glob: str | None = None  # over pipelines; None: all


class History:
    """The history of one target.

    Args:
        configuration: What is watched.
        database: Where builds go. No lock is needed: what is stored here is old, and polling stores what is new.
        clock: Ours.
        tell: Is called after each page.
        pause: Waits so many seconds.
    """

    def __init__(
        self,
        configuration: Configuration,
        database: Database,
        clock: Clock,
        *,
        tell: Told,
        pause: Callable[[float], object] = _wait,
    ) -> None:
        self._configuration = configuration
        self._database = database
        self._clock = clock
        self._tell = tell
        self._pause = pause

    def read(self, provider: Provider, target: Target, asked: Asked, keys: Sequence[str]) -> None:
        """Everything since then, or what an earlier call with the same words left over.

        Raises ProviderError when the provider cannot be read; another call goes on from there.
        """
        own = f"backfill {target.key}" + (f" of {asked.glob}" if asked.glob else "")
        begun = self._database.read(lambda session: cursors.load(session, target.provider, own))
        since = asked.since
        if begun.get(ASKED, {}).get("words") == asked.words:
            since = datetime.fromisoformat(begun[ASKED]["since"])
        else:
            words = {ASKED: {"words": asked.words, "since": since.isoformat()}}
            self._database.transact(lambda session: cursors.save(session, target.provider, own, words))
        state = Progress(target=target, share=0.0, builds=0, new=0, since=since)
        self._tell(state)
        place: Mapping[str, Any] = begun.get(PLACE, {})
        done = False
        while not done:
            try:
                for page in provider.backfill(target, keys, since, self._with_polled(target, place), self._clock.now()):
                    state = self._store(page, target, own, state)
                    place = page.cursors.get(PLACE) or {}
                    self._tell(state)
                done = True
            except Unavailable as error:
                self._wait(error, state)
        self._database.transact(lambda session: cursors.forget(session, target.provider, own))
        self._tell(replace(state, share=1.0))

    def _wait(self, error: Unavailable, state: Progress) -> None:
        """Until the provider's limit is over; raises what is not worth waiting for."""
        wait = error.retry_after
        if error.trouble not in WORTH_WAITING or wait is None or wait > LONGEST_WAIT:
            raise error
        self._tell(replace(state, waiting=timedelta(seconds=wait)))
        self._pause(wait)

    def _with_polled(self, target: Target, place: Mapping[str, Any]) -> Mapping[str, Any]:
        """The place, and what polling knows that history must know, too: that a job numbers its builds anew."""
        polled = self._database.read(lambda session: cursors.load(session, target.provider, target.key))
        return {**place, **polled.get(PLACE, {})}

    def _store(self, page: Page, target: Target, own: str, state: Progress) -> Progress:
        def unit(session: Session) -> Ingested:
            last_poll = recall(session, target).last_poll
            return ingest(
                session,
                without_news(page, last_poll),
                provider=target.provider,
                target=own,
                configuration=self._configuration,
                now=self._clock.now(),
                last_poll=last_poll,
                judge=False,
            )

        ingested = self._database.transact(unit)
        return replace(
            state,
            share=min(max(state.share, page.progress or 0.0), ALMOST),
            builds=state.builds + len(page.builds),
            new=state.new + len(ingested.changes),
        )


def without_news(page: Page, last_poll: datetime | None) -> Page:
    """The page without what ended after the last poll: stored here, it would be known to polling, and never told."""
    if last_poll is None:
        return page
    until = last_poll - CLOCKS_DISAGREE
    return replace(page, builds=[each for each in page.builds if each.finished_at and each.finished_at < until])
