"""What was worked out for a window, kept until a build in it changes. Exact: the change feed says what did."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import select, tuple_

from domain.window import Window
from store import changes
from store.changes import Kind
from store.columns import from_ms
from store.engine import Session
from store.schema import builds

T = TypeVar("T")
MOST = 64  # windows that are kept
ALL_TIME = Window(start=datetime.min.replace(tzinfo=UTC), end=datetime.max.replace(tzinfo=UTC))


class Remembered:
    """May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seq = -1
        self._kept: OrderedDict[tuple[Hashable, Window], Any] = OrderedDict()

    def get(self, session: Session, what: Hashable, window: Window, make: Callable[[Session, Window], T]) -> T:
        """What `make` says of a window. It must depend on nothing but the builds that ended in it, and pipelines."""
        seq = self._catch_up(session)
        key = what, window
        with self._lock:
            if seq == self._seq and key in self._kept:
                self._kept.move_to_end(key)
                found: T = self._kept[key]
                return found
        made = make(session, window)
        with self._lock:
            if seq == self._seq:
                self._kept[key] = made
                while len(self._kept) > MOST:
                    self._kept.popitem(last=False)
        return made

    def get_newest(self, session: Session, what: Hashable, make: Callable[[Session], T]) -> T:
        """What `make` says of all builds; forgotten with every change."""
        return self.get(session, ("newest", what), ALL_TIME, lambda session, _: make(session))

    def _catch_up(self, session: Session) -> int:
        """Forget what has changed; the number of the newest change that this transaction sees."""
        seq = changes.newest(session)
        with self._lock:
            known = self._seq
        if seq <= known and seq >= 0:
            return seq
        delta = changes.since(session, known) if known >= 0 else None
        stale = None if delta is None else _moments(session, delta)
        with self._lock:
            if self._seq != known:
                return seq
            self._seq = seq
            if stale is None:
                self._kept.clear()
            for key in [each for each in self._kept if each[1] is ALL_TIME or _hit(each[1], stale or ())]:
                del self._kept[key]
        return seq


def _hit(window: Window, moments: Iterable[datetime]) -> bool:
    return any(moment in window for moment in moments)


def _moments(session: Session, delta: changes.Delta) -> set[datetime] | None:
    """When the builds that changed had ended, with all their attempts; None: nobody knows."""
    if delta.builds is None or delta.kinds & {Kind.PIPELINE, Kind.CONFIGURATION}:
        return None
    if not delta.builds:
        return set()
    those = select(builds.c.pipeline_id, builds.c.external_id).where(builds.c.id.in_(list(delta.builds)))
    theirs = tuple_(builds.c.pipeline_id, builds.c.external_id).in_(those)
    ends = session.execute(select(builds.c.finished_at).where(theirs, builds.c.finished_at.is_not(None))).scalars()
    return {from_ms(end) for end in ends}
