"""Random lives of builds: queued, running, finished, run again, corrected, some of forks, with labels."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.build import Build, Outcome, Pipeline, Status, Verdict
from tests.support.builders import pipeline

PIPELINES = (
    pipeline("web", labels={"team": "pay", "cloud": "aws"}),
    pipeline("api", branched=False, labels={"team": "pay"}),
    pipeline("empty/nothing"),
    pipeline("lib"),
)
_ENDS = (Outcome.SUCCESS, Outcome.SUCCESS, Outcome.FAILURE, Outcome.UNSTABLE, Outcome.CANCELLED)
_MEANING = {Outcome.SUCCESS: Verdict.PASSED, Outcome.CANCELLED: Verdict.NEUTRAL}
_MOMENT = timedelta(milliseconds=1)


def verdict_of(build: Build) -> Verdict | None:
    """What the random outcomes mean."""
    return None if build.outcome is None else _MEANING.get(build.outcome, Verdict.FAILED)


class History:
    """A world of builds that changes at each step. No two builds finish in the same millisecond."""

    def __init__(self, seed: int, now: datetime) -> None:
        self._random = random.Random(seed)  # noqa: S311  (the same world for the same seed)
        self.now = now
        self._builds: dict[tuple[str, str, int], Build] = {}
        self._ends: set[datetime] = set()

    def steps(self, count: int) -> Iterator[Sequence[Build]]:
        """So many pages of some builds each; `now` moves on before each page."""
        for _ in range(count):
            self.now += timedelta(minutes=self._random.choice((0, 1, 20, 20, 300, 2000)))
            page = [self._one() for _ in range(self._random.randint(1, 6))]
            self._builds |= {(each.pipeline.key, each.external_id, each.attempt): each for each in page}
            yield page

    def _one(self) -> Build:
        known = list(self._builds.values())
        what = self._random.random()
        if not known or what < 0.5:
            return self._new()
        old = self._random.choice(known[-12:])
        if what < 0.8:
            return self._finished(old)
        if what < 0.9:
            return self._running(replace(old, attempt=old.attempt + 1))
        return self._running(old)  # the same attempt again, as providers without attempts do

    def _new(self) -> Build:
        number = len(self._builds) + 1
        chance = self._random.random()
        build = Build(
            pipeline=self._pipeline(),
            external_id=str(number),
            number=number,
            status=Status.QUEUED,
            branch=self._random.choice(("main", "dev")),
            is_fork=chance < 0.05,
            is_pull_request=chance > 0.95,
            labels=self._random.choice(({}, {"cloud": "gcp"}, {"cloud": "x" * 3000}, {"other": "1"})),
        )
        return self._random.choice((lambda each: each, self._running, self._finished, self._finished))(build)

    def _pipeline(self) -> Pipeline:
        return self._random.choice([each for each in PIPELINES if "empty" not in each.key])

    def _running(self, build: Build) -> Build:
        return replace(build, status=Status.RUNNING, outcome=None, started_at=self.now, finished_at=None)

    def _finished(self, build: Build) -> Build:
        ended = self.now - timedelta(minutes=self._random.choice((-5, 0, 0, 1, 30, 1500, 12000)))
        while ended in self._ends:
            ended += _MOMENT
        self._ends.add(ended)
        took = timedelta(milliseconds=self._random.randint(0, 10_000_000))
        start = None if self._random.random() < 0.1 else ended - took
        outcome = self._random.choice(_ENDS)
        return replace(build, status=Status.FINISHED, outcome=outcome, started_at=start, finished_at=ended)
