"""Seeded builds of pipelines that are flaky and break for real, with the truth about both beside them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from domain.build import Build, Outcome, Pipeline, Status

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
MINUTE = timedelta(minutes=1)

LENGTHS = (1, 2, 3, 5, 8)  # builds that a break lasts, each as often
LONGEST_PAUSE = 1.5  # from one build to the next, by the mean
RERUN_LATE = 0.1  # of the re-runs: somebody looks at it only later
BROKEN_RERUN = 0.3  # of the builds that are broken for real: run again in vain


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """How builds come and go. Shares are of all builds, unless they say otherwise."""

    flaky: float = 0.05  # fail at first, though nothing is wrong
    rerun: float = 1.0  # of the flaky ones: run again on the same commit, and pass
    breaks: float = 0.01  # begin a break
    cancelled: float = 0.03
    unstable: float = 0.2  # of those that fail: with the word UNSTABLE
    every: timedelta = timedelta(hours=1)  # from one build to the next, in the mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """What really was broken: the builds from `first` to `last` of a pipeline fail, whoever runs them again."""

    pipeline: Pipeline
    first: int
    last: int
    seen_at: datetime  # its first build has failed
    ends: Sequence[datetime]  # of its builds, re-runs left out


@dataclass(slots=True)
class Story:
    """What happens to one pipeline: every attempt of every build, in the order of their ends."""

    builds: list[Build]
    breaks: list[Break]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Whatever ends meanwhile fails, and so does its re-run."""

    begin: datetime
    end: datetime


def tell_story(
    pipeline: Pipeline,
    mix: Mix,
    seed: object,
    *,
    begin: datetime,
    end: datetime,
    first: int = 1,
    outage: Outage | None = None,
) -> Story:
    """The builds that begin in [begin, end), numbered from `first`. The last ones belong to no break."""
    chance = random.Random(repr((seed, pipeline.key)))
    usual = timedelta(seconds=random.Random(pipeline.key).uniform(120, 900))  # whatever the part of its story
    maker = _Maker(pipeline, mix, chance, usual, outage)
    at, number, left = begin + chance.random() * mix.every, first, 0
    story, broken = Story([], []), list[Build]()
    while at < end:
        if left == 0 and chance.random() < mix.breaks:
            fits = (end - at) // (mix.every * LONGEST_PAUSE) - 1  # more would not be over in time
            left = max(min(chance.choice(LENGTHS), fits), 0)
        attempts = maker.attempts(number, at, broken=left > 0, keep=not broken)
        story.builds += attempts
        if left:
            broken += attempts
            left -= 1
            if not left:
                story.breaks.append(_break(broken))
                broken = []
        number, at = attempts[-1].number + 1, at + mix.every * chance.uniform(0.5, LONGEST_PAUSE)
    story.builds.sort(key=lambda build: build.finished_at or begin)
    return story


def _break(builds: Sequence[Build]) -> Break:
    ends = {build.commit: build.finished_at for build in reversed(builds) if build.finished_at is not None}
    return Break(
        pipeline=builds[0].pipeline,
        first=builds[0].number,
        last=builds[-1].number,
        seen_at=min(ends.values()),
        ends=sorted(ends.values()),
    )


@dataclass(slots=True)
class _Maker:
    """Makes the builds of one pipeline."""

    pipeline: Pipeline
    mix: Mix
    chance: random.Random
    usual: timedelta  # a build takes so long
    outage: Outage | None

    def attempts(self, number: int, at: datetime, *, broken: bool, keep: bool) -> list[Build]:
        """A build, and its re-run if there is one, which a plain job gives a number of its own.

        What has to be kept is not cancelled: the first build of a break.
        """
        roll, mix = self.chance.random, self.mix
        took = self.usual * self.chance.lognormvariate(0, 0.15)
        flaky, cancelled = roll() < mix.flaky, roll() < mix.cancelled and not keep
        word = Outcome.UNSTABLE if roll() < mix.unstable else Outcome.FAILURE
        lasting = broken or self._is_down(at + took)
        failed = lasting or flaky
        outcome = Outcome.CANCELLED if cancelled else word if failed else Outcome.SUCCESS
        first = self._build(number, outcome, at, took)
        rerun = roll() < (BROKEN_RERUN if lasting else mix.rerun)
        late = roll() < RERUN_LATE and self.pipeline.branched
        again = at + took + MINUTE * (self.chance.uniform(20, 60) if late else self.chance.uniform(0.5, 8))
        if cancelled or not failed or not rerun:
            return [first]
        outcome = word if broken or self._is_down(again + took) else Outcome.SUCCESS
        if self.pipeline.branched:
            second = replace(self._build(number, outcome, again, took), attempt=2)
        else:
            second = self._build(number + 1, outcome, again, took)
        return [first, replace(second, commit=first.commit)]

    def _is_down(self, at: datetime) -> bool:
        return self.outage is not None and self.outage.begin <= at < self.outage.end

    def _build(self, number: int, outcome: Outcome, at: datetime, took: timedelta) -> Build:
        return Build(
            pipeline=self.pipeline,
            external_id=str(number),
            number=number,
            status=Status.FINISHED,
            outcome=outcome,
            branch="main" if self.pipeline.branched else None,
            commit=f"{self.chance.getrandbits(160):040x}",
            trigger="push",
            queued_at=at,
            started_at=at,
            finished_at=at + took,
            url=f"{self.pipeline.url}{number}/",
        )


def running(build: Build) -> Build:
    """As it is shown before its end."""
    return replace(build, status=Status.RUNNING, outcome=None, raw_outcome=None, finished_at=None)


def arrivals(
    builds: Sequence[Build], poll: timedelta, *, only_reruns: bool = False
) -> Iterator[tuple[datetime, list[Build]]]:
    """What polls find that are so far apart, counted from START: what has begun, and what has ended.

    With `only_reruns` the others are found when they have ended.
    """
    found: dict[datetime, dict[tuple[str, str, int], Build]] = {}
    commits: set[str | None] = set()
    for build in sorted(builds, key=lambda each: each.started_at or START):
        moments = [(build.finished_at, build)]
        if not only_reruns or build.commit in commits:
            moments.insert(0, (build.started_at, running(build)))
        commits.add(build.commit)
        for at, shown in moments:
            if at is not None:
                seen = found.setdefault(START - ((START - at) // poll) * poll, {})
                seen[build.pipeline.key, build.external_id, build.attempt] = shown
    for at in sorted(found):
        yield at, sorted(found[at].values(), key=lambda each: (each.finished_at or at, each.number))
