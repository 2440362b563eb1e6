"""Builds made ready for the store: their pipelines and words become numbers."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from domain.build import Build, Verdict
from store import names, pipelines
from store.database import Session
from store.rows import BuildRow, Details, Numbers, Words, details_of, row_of, words_of
from store.url import Patterns


class Seen(NamedTuple):
    """A build as it came from a provider, and as it would be stored if nothing were known of it."""

    build: Build
    verdict: Verdict | None
    row: BuildRow
    details: Details


class _Owner(NamedTuple):
    """A pipeline: its row number and the patterns of its builds' URLs."""

    number: int
    patterns: Patterns


class Encoder:
    """Remembers, within one transaction, the numbers that it has looked up or given."""

    def __init__(self, session: Session, verdict_of: Callable[[Build], Verdict | None], now: datetime) -> None:
        self._session = session
        self._verdict_of = verdict_of
        self._now = now
        self._owners: dict[int, _Owner] = {}  # by id() of pipelines: the builds at hand keep them alive
        self._words: names.Ids = {None: None}
        self._numbers: dict[Words, Numbers] = {}  # most builds share a few combinations

    def encode(self, builds: Sequence[Build]) -> list[Seen]:
        """The rows of these builds, in their order. Makes unknown pipelines known.

        One loop, so that each build is looked at while it is in the processor's cache; those with words that are
        not known yet wait until all such words have been asked for at once.
        """
        self._learn_pipelines(builds)
        seen: dict[int, Seen] = {}
        waiting: dict[int, Words] = {}
        for place, build in enumerate(builds):
            owner = self._owners[id(build.pipeline)]
            words = words_of(build, owner.patterns.of(build))
            numbers = self._numbers.get(words)
            if numbers is None:
                waiting[place] = words
            else:
                seen[place] = self._seen(build, owner.number, words, numbers)
        if not waiting:
            return list(seen.values())
        self._learn_words(set(waiting.values()))
        for place, words in waiting.items():
            build = builds[place]
            owner = self._owners[id(build.pipeline)]
            seen[place] = self._seen(build, owner.number, words, self._numbers[words])
        return [seen[place] for place in range(len(builds))]

    def _seen(self, build: Build, pipeline: int, words: Words, numbers: Numbers) -> Seen:
        verdict = self._verdict_of(build)
        return Seen(build, verdict, row_of(build, verdict, pipeline, numbers), details_of(build, words))

    def _learn_pipelines(self, builds: Sequence[Build]) -> None:
        met = {id(build.pipeline): build.pipeline for build in builds}
        new = {number: each for number, each in met.items() if number not in self._owners}
        found = pipelines.numbers(self._session, {(each.provider, each.key) for each in new.values()})
        unknown = [each for each in new.values() if (each.provider, each.key) not in found]
        remembered = pipelines.remember(self._session, unknown, self._now)
        found |= {key: known.id for key, known in remembered.items()}
        for number, each in new.items():
            self._owners[number] = _Owner(found[each.provider, each.key], Patterns())

    def _learn_words(self, words: set[Words]) -> None:
        new = words.difference(self._numbers)
        unknown = {word for each in new for word in each}.difference(self._words)
        self._words |= names.intern(self._session, unknown)
        ids = self._words
        for each in new:
            stream, branch, raw, trigger, actor, url, labels = each
            its = ids[stream], ids[branch], ids[raw], ids[trigger], ids[actor], ids[url], ids[labels]
            self._numbers[each] = its
