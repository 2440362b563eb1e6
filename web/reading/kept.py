"""What each pipeline comes to in a window, worked out anew only where builds have changed or left the window."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import Any, Generic, Protocol, TypeVar

from domain.window import Window
from metrics.windows import rolling
from store import window_counts
from store.changes import Ends
from store.columns import to_ms
from store.engine import Session
from web.reading.position import Position

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)

Question = Callable[[Session, Window, Collection[int] | None], Mapping[int, T]]
"""What a window comes to, by pipeline; of all pipelines, or only of these. Depends on builds that ended in it."""

MOST_FOLDS = 8
AT_ONCE = timedelta(seconds=1)  # requests that come together are told of the same moment, the latest of them
_FOREVER = 1 << 62


class Fold(Protocol[T_contra, R_co]):
    """What all pipelines come to together, of which single ones can be taken away again."""

    def add(self, value: T_contra) -> None:
        """With this pipeline."""
        ...

    def take(self, value: T_contra) -> None:
        """Without this pipeline, that was added with the same value."""
        ...

    def result(self) -> R_co:
        """What it comes to; never changed afterwards."""
        ...


class Kept(Generic[T]):
    """The answers to one question in one window: a fixed one, or the last so-and-so-long."""

    def __init__(self, question: Question[T], window: Window | timedelta, position: Position) -> None:
        self._question = question
        self._window = window
        self._position = position
        self._lock = threading.Lock()  # one at a time asks the store
        self._stale: set[int] | None = None  # None: all of them; under the lock of the position, which is held shortly
        self._values: Mapping[int, T] = {}  # replaced, never changed
        self._moving = _Moving(window) if isinstance(window, timedelta) else None
        self._folds: OrderedDict[Hashable, Fold[T, Any]] = OrderedDict()

    def mark(self, pipelines: Collection[int] | None, ends: Ends) -> None:
        """Builds of these pipelines have changed, with ends from when till when. Called under the position's lock."""
        if self._moving is None:
            window = self._window
            if isinstance(window, Window) and (ends.last < to_ms(window.start) or ends.first >= to_ms(window.end)):
                return
        if pipelines is None or self._stale is None:
            self._stale = None
        else:
            self._stale.update(pipelines)

    def values(self, session: Session, now: datetime) -> Mapping[int, T]:
        """By pipeline, of those that the question has an answer for."""
        seq = self._position.catch_up(session)
        with self._lock:
            return self._look(session, seq, now)[0]

    def folded(self, session: Session, now: datetime, key: Hashable, make: Callable[[], Fold[T, R]]) -> R:
        """What all pipelines come to together. `key` stands for what `make` makes."""
        seq = self._position.catch_up(session)
        with self._lock:
            values, is_kept = self._look(session, seq, now)
            fold: Fold[T, R] | None = self._folds.get(key) if is_kept else None
            if fold is None:
                fold = make()
                for each in values.values():
                    fold.add(each)
            if is_kept:
                self._folds[key] = fold
                self._folds.move_to_end(key)
                while len(self._folds) > MOST_FOLDS:
                    self._folds.popitem(last=False)
            return fold.result()

    def _look(self, session: Session, seq: int, now: datetime) -> tuple[Mapping[int, T], bool]:
        """The values, and whether these are the ones that are kept."""
        window = self._window_at(now)
        with self._position.lock:
            is_newest = self._position.is_newest(seq)
            stale = None if self._stale is None else set(self._stale)
            if is_newest:
                self._stale = set()
        try:
            due = self._moving.due(to_ms(window.end)) if self._moving is not None else set()
            wanted = None if stale is None else stale | due
            if wanted is not None and not wanted:
                return self._values, True
            fresh = self._question(session, window, wanted)
            if not is_newest:
                return fresh if wanted is None else {**_without(self._values, wanted), **fresh}, False
            if self._moving is not None:
                self._moving.put(window_counts.turning(session, window, wanted), wanted)
        except BaseException:
            with self._position.lock:
                self._stale = None
            raise
        self._replace(fresh, wanted)
        return self._values, True

    def _window_at(self, now: datetime) -> Window:
        if self._moving is None or isinstance(self._window, Window):
            return self._window  # type: ignore[return-value]
        at = self._moving.at
        if at is not None and now < at <= now + AT_ONCE:
            now = at
        elif at is not None and now < at:  # the clock was set back
            with self._position.lock:
                self._stale = None
        self._moving.at = now
        return rolling(now, self._window)

    def _replace(self, fresh: Mapping[int, T], wanted: Collection[int] | None) -> None:
        if wanted is None:
            self._values = dict(fresh)
            self._folds.clear()
            return
        for fold in self._folds.values():
            for pipeline in wanted:
                if pipeline in self._values:
                    fold.take(self._values[pipeline])
            for value in fresh.values():
                fold.add(value)
        self._values = {**_without(self._values, wanted), **fresh}


def _without(values: Mapping[int, T], some: Collection[int]) -> dict[int, T]:
    return {pipeline: value for pipeline, value in values.items() if pipeline not in some}


class _Moving:
    """When time alone changes what the window of a pipeline holds."""

    def __init__(self, span: timedelta) -> None:
        self.at: datetime | None = None
        self._span = span // timedelta(milliseconds=1)
        self._until: dict[int, int] = {}  # the last moment (ms) at which a pipeline is what it was
        self._heap: list[tuple[int, int]] = []

    def due(self, at: int) -> set[int]:
        """Those that are no longer what they were."""
        while self._heap and self._until.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        if not self._heap or self._heap[0][0] >= at:
            return set()
        return {pipeline for until, pipeline in self._heap if until < at and self._until.get(pipeline) == until}

    def put(self, turning: Mapping[int, window_counts.Turning], wanted: Collection[int] | None) -> None:
        """These have been looked at anew; None: all of them."""
        for pipeline in list(self._until) if wanted is None else wanted:
            self._until.pop(pipeline, None)
        for pipeline, (leaving, entering) in turning.items():
            until = _FOREVER if entering is None else entering
            until = until if leaving is None else min(until, leaving + self._span)
            if until != _FOREVER:
                self._until[pipeline] = until
                heappush(self._heap, (until, pipeline))
        if wanted is None or len(self._heap) > 4 * len(self._until) + 64:
            self._heap = [(until, pipeline) for pipeline, until in self._until.items()]
            heapify(self._heap)
