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


class Encoder:
    """Remembers, within one transaction, the numbers that it has looked up or given."""

    def __init__(self, session: Session, verdict_of: Callable[[Build], Verdict | None], now: datetime) -> None:
        self._session = session
        self._verdict_of = verdict_of
        self._now = now
        self._patterns = Patterns()
        self._pipelines: dict[pipelines.Key, int] = {}
        self._words: names.Ids = {None: None}
        self._numbers: dict[Words, Numbers] = {}  # most builds share a few combinations

    def encode(self, builds: Sequence[Build]) -> list[Seen]:
        """The rows of these builds. Makes unknown pipelines known."""
        self._learn_pipelines(builds)
        words = [words_of(build, self._patterns.of(build)) for build in builds]
        self._learn_words(set(words))
        seen: list[Seen] = []
        for build, its in zip(builds, words, strict=True):
            verdict = self._verdict_of(build)
            pipeline_id = self._pipelines[build.pipeline.provider, build.pipeline.key]
            row = row_of(build, verdict, pipeline_id, self._numbers[its])
            seen.append(Seen(build, verdict, row, details_of(build, its)))
        return seen

    def _learn_pipelines(self, builds: Sequence[Build]) -> None:
        met = {(build.pipeline.provider, build.pipeline.key): build.pipeline for build in builds}
        new = [pipeline for key, pipeline in met.items() if key not in self._pipelines]
        found = pipelines.find(self._session, [(each.provider, each.key) for each in new])
        unknown = [each for each in new if (each.provider, each.key) not in found]
        if unknown:
            found |= pipelines.remember(self._session, unknown, self._now)
        self._pipelines |= {key: known.id for key, known in found.items()}

    def _learn_words(self, words: set[Words]) -> None:
        new = words.difference(self._numbers)
        unknown = {word for each in new for word in each}.difference(self._words)
        self._words |= names.intern(self._session, unknown)
        ids = self._words
        for each in new:
            stream, branch, raw, trigger, actor, url, labels = each
            its = ids[stream], ids[branch], ids[raw], ids[trigger], ids[actor], ids[url], ids[labels]
            self._numbers[each] = its
