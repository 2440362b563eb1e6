"""Which pipelines have to be looked at when, because time alone may have made them stale or a build of theirs stuck.

The store is asked about a pipeline after something of it has changed, and when its deadline has come; between these
moments a look costs a comparison for each pipeline.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from alerts.decision import Decision
from alerts.kinds import stale
from domain.alert import Alert, AlertKind
from poller.config import Configuration
from poller.intake.ingest import Ingested
from poller.telling.tell import tell_all
from poller.timing.lateness import Facts, Judged, Queued, read
from store import pipelines
from store.engine import Database, Session
from store.pipelines import Key, Known

NO_QUEUES: Queued = MappingProxyType({})
AT_ONCE = 200  # pipelines that are read in one go: the daemon's other chores wait meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look came to."""

    told: frozenset[str] = frozenset()  # channels that have something new
    transitions: Sequence[Alert] = ()  # what has begun or ended
    baseline: bool = False  # something was wrong already at first contact


class Deadlines:
    """The next deadline of each pipeline, kept in memory. Thread-safe."""

    def __init__(self, database: Database, *, at_once: int = AT_ONCE) -> None:
        self._database = database
        self._at_once = at_once
        self._lock = threading.Lock()
        self._next: dict[Key, datetime] = {}
        self._changed: set[Key] | None = None  # None: all
        self._queues: Queued = NO_QUEUES
        self.is_behind = True  # not everything has been read or judged yet
        self._left: list[Known] = []  # of all, those that have not been read yet

    def rebuild(self) -> None:
        """Read everything anew with the next looks: at the start, on reload, and when the clock was set."""
        with self._lock:
            self._changed = None

    def touched(self, ingested: Ingested) -> None:
        """Something of these pipelines is new in the store."""
        with self._lock:
            if self._changed is not None:
                pipelines_of = (change.seen.pipeline for change in ingested.changes)
                self._changed.update((each.provider, each.key) for each in pipelines_of)
                self._changed.update(ingested.turned)

    def earliest(self) -> datetime | None:
        """The next deadline of all, as far as it is known before what was touched has been read; None without any."""
        return min(self._next.values(), default=None)

    def look(
        self,
        configuration: Configuration,
        now: datetime,
        *,
        known_until: Callable[[Key], datetime | None],
        why_idle: Callable[[Sequence[Key]], Mapping[Key, str]],
        queues: Queued = NO_QUEUES,
    ) -> Looked:
        """Judge the pipelines whose deadline has come.

        Args:
            configuration: the one in use.
            now: aware UTC.
            known_until: up to when the builds of a pipeline are known. It is judged by what was true then; None,
                while its provider cannot be read: not at all.
            why_idle: looks up why no build comes; asks servers, and may know nothing.
            queues: what waits on servers that show builds only when they run.
        """
        self._take(queues)
        self._refresh(configuration, now)
        late = self._late(now, known_until)
        self.is_behind = bool(self._left) or len(late) == self._at_once
        if not late:
            return Looked()
        stored = self._database.read(lambda session: self._read(session, late, configuration, now))
        idle = [each.key for each in stored if any(_is_new_stale(one) for one, _ in each.judged(late[each.key]))]
        because = why_idle(idle) if idle else {}

        def judge(session: Session) -> Looked:
            judged: list[Judged] = []
            for facts in self._read(session, late, configuration, now):
                judged += facts.judged(late[facts.key], because.get(facts.key, stale.NO_TRIGGER))
            return Looked(
                told=tell_all(session, judged, configuration, now),
                transitions=[one.alert for one, _ in judged if one.reason is not None],
                baseline=any(one.baseline for one, _ in judged),
            )

        looked = self._database.transact(judge)
        with self._lock:
            if self._changed is not None:
                self._changed.update(late)
        for key in late:
            self._next.pop(key, None)
        return looked

    def _late(self, now: datetime, known_until: Callable[[Key], datetime | None]) -> dict[Key, datetime]:
        """The pipelines whose deadline has come, and up to when they are known: a deadline after that is not missed."""
        late: dict[Key, datetime] = {}
        for key, at in self._next.items():
            if at <= now:
                until = known_until(key)
                if until is not None and min(until, now) >= at:
                    late[key] = min(until, now)
                    if len(late) == self._at_once:
                        break
        return late

    def _refresh(self, configuration: Configuration, now: datetime) -> None:
        """Compute the deadlines of what has changed: all of it, or so much of everything as may be read at once."""
        with self._lock:
            anew, changed = self._changed is None, self._changed or set()
            self._changed = set()
        try:
            if anew:
                self._next, self._left = {}, self._database.read(pipelines.all)
            some, left = self._left[: self._at_once], self._left[self._at_once :]
            if not some and not changed:
                return

            def unit(session: Session) -> list[Facts]:
                found = {each.id: each for each in [*some, *pipelines.find(session, changed).values()]}
                return read(session, found.values(), configuration, now, queues=self._queues)

            facts = self._database.read(unit)
        except BaseException:
            with self._lock:  # seen again next time
                self._changed = None if anew or self._changed is None else self._changed | changed
            raise
        self._left = left
        for each in facts:
            at = each.next_look(now)
            if at is None:
                self._next.pop(each.key, None)
            else:
                self._next[each.key] = at

    def _take(self, queues: Queued) -> None:
        """Look again at the pipelines of which something waits, or did until now."""
        moved: set[Key] = set()
        for provider in queues.keys() | self._queues.keys():
            before, after = self._queues.get(provider), queues.get(provider)
            if before is not after:
                moved.update((provider, key) for each in (*(before or ()), *(after or ())) for key, _ in each.places)
        self._queues = queues
        with self._lock:
            if self._changed is not None:
                self._changed |= moved

    def _read(self, session: Session, keys: Iterable[Key], configuration: Configuration, now: datetime) -> list[Facts]:
        return read(session, pipelines.find(session, keys).values(), configuration, now, queues=self._queues)


def _is_new_stale(decision: Decision) -> bool:
    return decision.alert.kind is AlertKind.STALE and decision.alert.id is None
