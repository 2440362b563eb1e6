"""The newest builds of all pipelines, and builds that were shown lately: read anew only when they change."""

from bisect import insort
from collections import OrderedDict
from collections.abc import Collection, Iterable

from store import browsing, builds
from store.browsing import Page, Place
from store.builds import BuildView
from store.engine import Session
from web.reading.position import Position

MOST_VIEWS = 300  # with their log excerpts
MOST_ENDS = 1_200  # a page has at most 1,000


class Newest:
    """May be used from several threads."""

    def __init__(self, position: Position) -> None:
        self._position = position
        self._views: OrderedDict[int, BuildView] = OrderedDict()
        self._ends: list[tuple[int, int]] | None = None  # (end, id) of those that ended last, rising; None: not known
        self._is_all = False  # there are no others
        self._stale: set[int] = set()
        self._unfinished: list[int] | None = None  # the newest, newest first

    def mark(self, ids: Collection[int] | None, *, pipelines: bool) -> None:
        """These builds have changed, or pipelines. Called under the position's lock."""
        if ids is None or pipelines:
            self._views.clear()
        if ids is None:
            self._ends = None
            self._stale.clear()
        else:
            self._stale.update(ids)
            for each in ids:
                self._views.pop(each, None)
        if ids is None or ids:
            self._unfinished = None

    def views(self, session: Session, ids: Iterable[int]) -> dict[int, BuildView]:
        """The builds with these ids, those that exist."""
        wanted = list(ids)
        seq = self._position.catch_up(session)
        with self._position.lock:
            found = {each: self._views[each] for each in wanted if each in self._views}
            for each in found:
                self._views.move_to_end(each)
        missing = [each for each in wanted if each not in found]
        if missing:
            read = builds.get(session, missing)
            found |= read
            with self._position.lock:
                if self._position.is_newest(seq):
                    self._views |= list(read.items())[:MOST_VIEWS]
                    while len(self._views) > MOST_VIEWS:
                        self._views.popitem(last=False)
        return found

    def page(self, session: Session, limit: int) -> Page:
        """What `store.browsing.page` says of the first page of all builds."""
        ids, following = self._first(session, limit)
        views = self.views(session, ids)
        return Page([views[each] for each in ids if each in views], following)

    def _first(self, session: Session, limit: int) -> tuple[list[int], Place | None]:
        running = self._running(session)
        if len(running) > limit:
            return running[:limit], Place(None, running[limit - 1])
        if len(running) == limit:  # whether there are more is for the next page to see
            return running, browsing.AFTER_UNFINISHED
        room = limit - len(running)
        ends = self._ended(session, room + 1)
        newest = [identity for _, identity in reversed(ends[-room:])]
        if len(ends) <= room:
            return running + newest, None
        ended, identity = ends[-room]
        return running + newest, Place(ended, identity)

    def _running(self, session: Session) -> list[int]:
        seq = self._position.catch_up(session)
        with self._position.lock:
            if self._unfinished is not None:
                return self._unfinished
        found = browsing.unfinished(session, MOST_ENDS)
        with self._position.lock:
            if self._position.is_newest(seq):
                self._unfinished = found
        return found

    def _ended(self, session: Session, count: int) -> list[tuple[int, int]]:
        """(end, id) of at least so many, or of all, rising."""
        seq = self._position.catch_up(session)
        with self._position.lock:
            known, stale, is_all = self._ends, set(self._stale), self._is_all
        if known is not None and stale:
            known = _mended(known, stale, browsing.ends_of(session, stale), is_all=is_all)
        if known is None or (len(known) < count and not is_all):
            known = browsing.newest_ends(session, MOST_ENDS)
            is_all = len(known) < MOST_ENDS
        with self._position.lock:
            if self._position.is_newest(seq) and self._stale == stale:
                self._is_all = is_all and len(known) <= MOST_ENDS
                self._ends = known[-MOST_ENDS:]
                self._stale.clear()
        return known


def _mended(
    known: list[tuple[int, int]], stale: Collection[int], ends: Iterable[tuple[int, int]], *, is_all: bool
) -> list[tuple[int, int]]:
    """With the builds that changed where they belong now. What ended before all that are known stays unknown."""
    floor = known[0] if known else (0, 0)
    kept = [each for each in known if each[1] not in stale]
    for each in ends:
        if is_all or each >= floor:
            insort(kept, each)
    return kept
