"""What was worked out of the store, kept until it changes. Exact: the change feed says what did."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import is_
from typing import Any, TypeVar

from domain.alert import Alert
from domain.window import Window
from store import alerts, browsing, pipelines, window_counts
from store.browsing import Page, Place, Wanted
from store.builds import BuildView
from store.changes import ALL_ENDS, Delta, Kind
from store.engine import Session
from store.pipelines import Key, Known
from store.window_counts import Ended
from web.reading.kept import Fold, Kept, Question
from web.reading.newest import Newest
from web.reading.position import Position

T = TypeVar("T")
R = TypeVar("R")
MOST = 32  # questions with their windows
MOST_VALUES = 64
_MOST_EACH = 4
_ANYTHING = Wanted()
ALL_TIME = Window(start=datetime(1970, 1, 1, tzinfo=UTC), end=datetime(9999, 1, 1, tzinfo=UTC))
_PIPELINES = frozenset({Kind.PIPELINE, Kind.CONFIGURATION})
_BUILDS = frozenset({Kind.BUILD})
BUILDS = _BUILDS | _PIPELINES
"""What changes a page of builds."""


class Remembered:
    """May be used from several threads. Of each kind of thing only so many are kept, those used last."""

    def __init__(self) -> None:
        self._position = Position(self._forget)
        self._windows: OrderedDict[tuple[Question[Any], Window | timedelta], Kept[Any]] = OrderedDict()
        self._values: OrderedDict[Hashable, tuple[frozenset[Kind], Any]] = OrderedDict()
        self._derived: OrderedDict[Hashable, tuple[Sequence[Any], Any]] = OrderedDict()
        self._each: OrderedDict[Hashable, dict[int, tuple[Sequence[Any], Any]]] = OrderedDict()
        self._newest = Newest(self._position)

    def window(self, session: Session, question: Question[T], window: Window) -> Mapping[int, T]:
        """What a window comes to, by pipeline."""
        return self._kept(question, window).values(session, window.end)

    def folded(
        self, session: Session, question: Question[T], window: Window, key: Hashable, make: Callable[[], Fold[T, R]]
    ) -> R:
        """What the window comes to together, where it costs too much to go through all pipelines each time."""
        return self._kept(question, window).folded(session, window.end, key, make)

    def rolling(self, session: Session, question: Question[T], span: timedelta, now: datetime) -> Mapping[int, T]:
        """The same of the window that ends now."""
        return self._kept(question, span).values(session, now)

    def last_ended(self, session: Session) -> Mapping[int, Ended]:
        """How and when the last build of each pipeline ended: `store.window_counts.last_ended`."""
        return self._kept(_last_ended, ALL_TIME).values(session, ALL_TIME.end)

    def unfinished(self, session: Session) -> Mapping[int, tuple[int, int]]:
        """Of each pipeline that has any how many builds run, and how many run or wait."""
        return self.value(session, "unfinished", _BUILDS, window_counts.unfinished)

    def pipelines(self, session: Session) -> Sequence[Known]:
        """All that are stored, by provider and key."""
        return self.value(session, "pipelines", _PIPELINES, pipelines.all)

    def pipelines_by_id(self, session: Session) -> Mapping[int, Known]:
        """The same by `Known.id`."""

        def make(session: Session) -> Mapping[int, Known]:
            return {each.id: each for each in self.pipelines(session)}

        return self.value(session, "pipelines by id", _PIPELINES, make)

    def pipelines_by_key(self, session: Session) -> Mapping[Key, Known]:
        """The same by provider and key."""

        def make(session: Session) -> Mapping[Key, Known]:
            return {(each.pipeline.provider, each.pipeline.key): each for each in self.pipelines(session)}

        return self.value(session, "pipelines by key", _PIPELINES, make)

    def firing(self, session: Session) -> Sequence[Alert]:
        """The alerts that fire: `store.alerts.firing`."""
        return self.value(session, "firing", {Kind.ALERT}, alerts.firing)

    def builds(self, session: Session, ids: Iterable[int]) -> dict[int, BuildView]:
        """The builds with these ids, those that exist: `store.builds.get`."""
        return self._newest.views(session, ids)

    def page(self, session: Session, wanted: Wanted, *, limit: int, after: Place | None = None) -> Page:
        """What `store.browsing.page` says; the first page of all builds is kept."""
        if after is None and wanted == _ANYTHING:
            return self._newest.page(session, limit)
        return browsing.page(session, wanted, limit=limit, after=after)

    def value(self, session: Session, key: Hashable, kinds: Collection[Kind], make: Callable[[Session], T]) -> T:
        """What `make` says, until something of these kinds changes. `key` stands for what it asks; give it as it is."""
        seq = self._position.catch_up(session)
        with self._position.lock:
            if key in self._values:
                self._values.move_to_end(key)
                found: T = self._values[key][1]
                return found
        made = make(session)
        with self._position.lock:
            if self._position.is_newest(seq):
                self._put(self._values, key, (frozenset(kinds), made), MOST_VALUES)
        return made

    def derived(self, key: Hashable, given: Sequence[Any], make: Callable[[], T]) -> T:
        """What follows from other things that are remembered (`given`, the very objects), until they are others."""
        with self._position.lock:
            before = self._derived.get(key)
        if before is not None and all(one is other for one, other in zip(before[0], given, strict=True)):
            found: T = before[1]
            return found
        made = make()
        self._put(self._derived, key, (given, made), MOST)
        return made

    def derived_each(
        self, key: Hashable, given: Mapping[int, Sequence[Any]], make: Callable[..., R]
    ) -> Mapping[int, R]:
        """The same for each pipeline by itself: `make` takes what is given for it."""
        with self._position.lock:
            before = self._each.get(key, {})
        now = {
            pipeline: both
            if (both := before.get(pipeline)) is not None and all(map(is_, both[0], values))
            else (values, make(*values))
            for pipeline, values in given.items()
        }
        self._put(self._each, key, now, _MOST_EACH)
        return {pipeline: both[1] for pipeline, both in now.items()}

    def _put(self, where: OrderedDict[Hashable, T], key: Hashable, value: T, most: int) -> None:
        with self._position.lock:
            where[key] = value
            where.move_to_end(key)
            while len(where) > most:
                where.popitem(last=False)

    def _kept(self, question: Question[T], window: Window | timedelta) -> Kept[T]:
        with self._position.lock:
            kept: Kept[T] | None = self._windows.get((question, window))
            if kept is None:
                kept = self._windows[question, window] = Kept(question, window, self._position)
            self._windows.move_to_end((question, window))
            while len(self._windows) > MOST:
                self._windows.popitem(last=False)
            return kept

    def _forget(self, delta: Delta | None) -> None:
        is_known = delta is not None and Kind.CONFIGURATION not in delta.kinds
        kinds = delta.kinds if delta is not None and is_known else frozenset(Kind)
        named = delta.pipelines if delta is not None and is_known else None
        touches_pipelines = not kinds.isdisjoint(_PIPELINES)
        ends = delta.ends if delta is not None and not touches_pipelines else ALL_ENDS
        if touches_pipelines or Kind.BUILD in kinds:
            for kept in self._windows.values():
                kept.mark(named, ends)
        self._newest.mark(delta.builds if delta is not None and is_known else None, pipelines=touches_pipelines)
        for key in [key for key, (until, _) in self._values.items() if not until.isdisjoint(kinds)]:
            del self._values[key]


def _last_ended(session: Session, window: Window, only: Collection[int] | None) -> Mapping[int, Ended]:
    del window  # all builds
    return window_counts.last_ended(session, only)
