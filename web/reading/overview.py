"""What the front page shows: what is broken, what has changed, and one window in figures."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from domain.build import Outcome, Status, Verdict
from domain.window import Window
from store import browsing, daily, pipelines, window_counts, window_groups
from store.browsing import Wanted
from store.builds import BuildView
from store.engine import Session
from store.pipelines import Known
from store.window_groups import Group
from store.windows import StreamKey
from web.reading.days import Day
from web.reading.remembered import Remembered
from web.reading.tally import Tally

RECENT = 20
UNKNOWN_CAUSE = ""  # the name of the bucket of failures of which nobody knows why
_NONE = (0, 0)
_FEW = 8  # streams that are named in each list of changes
_MOST_VALUES = 12  # values of a label that are shown
_RARE = 0.1  # of all builds
_SHOWN_FIRST = ("cloud", "release", "team", "module")

OUTCOMES = (
    Outcome.SUCCESS,
    Outcome.FAILURE,
    Outcome.UNSTABLE,
    Outcome.ERROR,
    Outcome.TIMEOUT,
    Outcome.CANCELLED,
    Outcome.SKIPPED,
    Outcome.UNKNOWN,
)
"""In the order of the doughnut."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A cause of failures in a window."""

    name: str  # UNKNOWN_CAUSE: nobody knows
    count: int
    pipelines: int
    is_new: bool  # the window before had none


@dataclass(frozen=True, slots=True)
class Digest:
    """What the builds of a window come to: all that is kept of it."""

    tally: Tally
    took: int  # milliseconds that those which passed or failed took together
    timed: int  # how many of these have a duration
    outcomes: Mapping[Outcome, int]
    causes: Mapping[str, tuple[int, int]]  # builds, and how many pipelines these are of
    labels: Mapping[str, Mapping[str, Tally]]  # by name and value
    pipelines: frozenset[int]

    @property
    def mean(self) -> float | None:
        """Seconds."""
        return self.took / self.timed / 1000 if self.timed else None


class ByValue(NamedTuple):
    """The builds with one value of a label, day by day, the current day last."""

    value: str
    days: Sequence[Tally]

    @property
    def rows(self) -> int:
        """Rows of ten that the largest day fills, of at most a hundred tiles."""
        return -(-max(1, min(max(each.total for each in self.days), 100)) // 10)


class Stream(NamedTuple):
    """A branch of a pipeline whose results differ from those of the window before."""

    known: Known
    branch: str
    failed: int
    passed: int
    failed_before: int
    passed_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What is different from the window before."""

    broken: Sequence[Stream]  # failed in this window, and not in the one before
    fixed: Sequence[Stream]  # failed in the one before, and passed in this one without failing
    new_buckets: Sequence[str]
    gone_buckets: Sequence[str]
    rate: float | None  # difference, between -1 and 1
    more_broken: int = 0
    more_fixed: int = 0

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.broken or self.fixed or self.new_buckets or self.gone_buckets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One window."""

    day: Day
    tally: Tally
    running: int
    rate_before: float | None
    mean: float | None  # seconds
    mean_before: float | None
    outcomes: Sequence[tuple[str, int]]
    buckets: Sequence[Bucket]
    changed: Changed
    label: str | None
    labels: Sequence[str]  # names to choose from
    by_value: Sequence[ByValue]
    more_values: int
    last: BuildView | None
    recent: Sequence[BuildView]
    is_empty: bool  # nothing is stored at all


class Asked(NamedTuple):
    """What of a window is asked for."""

    day: Day
    days: Sequence[Day]  # the seven last ones
    before: Day
    label: str | None  # by which label builds are shown
    labels: Mapping[str, str]  # that builds must have
    now: datetime


def overview(session: Session, remembered: Remembered, asked: Asked) -> Overview:
    """Everything about a window, in one transaction."""
    these = digest_of(session, remembered, asked.day, asked.labels)
    those = digest_of(session, remembered, asked.before, asked.labels)
    week = [digest_of(session, remembered, day, asked.labels) for day in asked.days]
    names = label_names([*week, these])
    label = asked.label if asked.label in names else next(iter(names), None)
    by_value = _by_value(week, label) if label else []
    buckets = _buckets(these, those)
    recent = remembered.get_newest(session, ("recent", _wanted_key(asked)), lambda session: _recent(session, asked))
    ended = [each for each in recent if each.build.status is Status.FINISHED]
    return Overview(
        day=asked.day,
        tally=these.tally,
        running=sum(count for count, _ in window_counts.unfinished(session).values()) if asked.day.is_current else 0,
        rate_before=those.tally.rate,
        mean=these.mean,
        mean_before=those.mean,
        outcomes=[(each.value, these.outcomes[each]) for each in OUTCOMES if each in these.outcomes],
        buckets=buckets,
        changed=_changed(session, remembered, asked, buckets, (these, those)),
        label=label,
        labels=names,
        by_value=by_value[:_MOST_VALUES],
        more_values=max(len(by_value) - _MOST_VALUES, 0),
        last=max(ended, key=lambda each: each.build.finished_at or asked.now, default=None),
        recent=recent,
        is_empty=not recent and not pipelines.exist(session),
    )


def digest_of(session: Session, remembered: Remembered, day: Day, labels: Mapping[str, str]) -> Digest:
    """What the builds of a day that have these labels come to."""
    chosen = tuple(sorted(labels.items()))

    def make(session: Session, window: Window) -> Digest:
        found = window_groups.groups(session, window)
        return digest(each for each in found if all(each.labels.get(name) == value for name, value in chosen))

    return remembered.get(session, ("digest", chosen), day.window, make)


def digest(groups: Iterable[Group]) -> Digest:
    """What some builds come to."""
    verdicts: Counter[Verdict] = Counter()
    outcomes: Counter[Outcome] = Counter()
    causes: dict[str, tuple[int, set[int]]] = {}
    labels: dict[str, dict[str, Counter[Verdict]]] = {}
    found, took, timed = set(), 0, 0
    for each in groups:
        found.add(each.pipeline)
        verdicts[each.verdict] += each.count
        outcomes[each.outcome] += each.count
        if each.verdict is not Verdict.NEUTRAL:
            took, timed = took + each.took, timed + each.timed
        if each.verdict is Verdict.FAILED:
            count, where = causes.get(each.bucket or UNKNOWN_CAUSE, (0, set()))
            where.add(each.pipeline)
            causes[each.bucket or UNKNOWN_CAUSE] = count + each.count, where
        for name, value in each.labels.items():
            labels.setdefault(name, {}).setdefault(value, Counter())[each.verdict] += each.count
    return Digest(
        tally=_tally(verdicts),
        took=took,
        timed=timed,
        outcomes=dict(outcomes),
        causes={name: (count, len(where)) for name, (count, where) in causes.items()},
        labels={name: {value: _tally(count) for value, count in its.items()} for name, its in labels.items()},
        pipelines=frozenset(found),
    )


def label_names(digests: Iterable[Digest]) -> list[str]:
    """The names of labels, those first that tell builds apart.

    Labels of few builds come last: their rates say little, like those of what is only known of failed builds.
    """
    values: dict[str, set[str]] = defaultdict(set)
    builds: Counter[str] = Counter()
    total = 0
    for each in digests:
        total += each.tally.total
        for name, its in each.labels.items():
            values[name].update(its)
            builds[name] += sum(tally.total for tally in its.values())
    place = {name: number for number, name in enumerate(_SHOWN_FIRST)}

    def rank(name: str) -> tuple[bool, bool, int, str]:
        is_rare = builds[name] < total * _RARE
        return is_rare, len(values[name]) < 2, place.get(name, len(place)), name  # noqa: PLR2004

    return sorted(values, key=rank)


def _tally(verdicts: Mapping[Verdict, int]) -> Tally:
    return Tally(*(verdicts.get(each, 0) for each in (Verdict.PASSED, Verdict.FAILED, Verdict.NEUTRAL)))


def _wanted_key(asked: Asked) -> Hashable:
    return tuple(sorted(asked.labels.items())), None if asked.day.is_current else asked.day.window


def _recent(session: Session, asked: Asked) -> list[BuildView]:
    """The newest builds of the window; of the current one those that run, too."""
    span = None if asked.day.is_current else asked.day.window
    wanted = Wanted(labels=asked.labels, since=span.start if span else None, until=span.end if span else None)
    found = browsing.page(session, wanted, limit=RECENT).builds
    return sorted(found, key=_started, reverse=True)


def _started(view: BuildView) -> float:
    build = view.build
    moment = build.started_at or build.queued_at or build.finished_at
    return moment.timestamp() if moment else 0.0


def _buckets(these: Digest, those: Digest) -> list[Bucket]:
    found = [
        Bucket(name, count, where, name not in those.causes and name != UNKNOWN_CAUSE)
        for name, (count, where) in these.causes.items()
    ]
    return sorted(found, key=lambda each: (-each.count, each.name))


def _by_value(week: Sequence[Digest], label: str) -> list[ByValue]:
    days = [each.labels.get(label, {}) for each in week]
    values = {value for day in days for value in day}
    rows = [ByValue(value, [day.get(value, Tally()) for day in days]) for value in values]
    return sorted(rows, key=lambda row: (-sum(each.total for each in row.days), row.value))


def _changed(
    session: Session,
    remembered: Remembered,
    asked: Asked,
    buckets: Sequence[Bucket],
    digests: tuple[Digest, Digest],
) -> Changed:
    now = remembered.get(session, "streams", asked.day.window, daily.by_stream)
    past = remembered.get(session, "streams", asked.before.window, daily.by_stream)
    these, those = digests
    keys = _of_labels(session, now, these) if asked.labels else list(now)
    broken = [each for each in keys if now[each][1] and not past.get(each, _NONE)[1]]
    fixed = [each for each in keys if past.get(each, _NONE)[1] and now[each][0] and not now[each][1]]
    broken.sort(key=lambda each: (-now[each][1], each))
    fixed.sort(key=lambda each: (-past[each][1], each))
    named = pipelines.find(session, {each[:2] for each in (*broken[:_FEW], *fixed[:_FEW])})

    def streams(some: Sequence[StreamKey]) -> list[Stream]:
        return [_stream(named[each[:2]], each[2], now[each], past.get(each, _NONE)) for each in some[:_FEW]]

    rate, rate_before = these.tally.rate, those.tally.rate
    return Changed(
        broken=streams(broken),
        fixed=streams(fixed),
        more_broken=max(len(broken) - _FEW, 0),
        more_fixed=max(len(fixed) - _FEW, 0),
        new_buckets=[each.name for each in buckets if each.is_new][:_FEW],
        gone_buckets=sorted(name for name in those.causes if name and name not in these.causes)[:_FEW],
        rate=rate - rate_before if rate is not None and rate_before is not None else None,
    )


def _stream(known: Known, branch: str, now: tuple[int, int], past: tuple[int, int]) -> Stream:
    return Stream(known, branch, now[1], now[0], past[1], past[0])


def _of_labels(session: Session, streams: Iterable[StreamKey], these: Digest) -> list[StreamKey]:
    """The streams of pipelines that have builds with the labels."""
    ours = {(each.pipeline.provider, each.pipeline.key) for each in pipelines.by_ids(session, these.pipelines)}
    return [each for each in streams if each[:2] in ours]
