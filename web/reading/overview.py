"""What the front page shows: what is broken, what has changed, and one window in figures."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from domain.build import Outcome, Status
from store import browsing, daily
from store.browsing import Wanted
from store.builds import BuildView
from store.engine import Session
from store.pipelines import Known
from web.reading.days import Day
from web.reading.digests import UNKNOWN_CAUSE, Digest, digest_of
from web.reading.remembered import BUILDS, Remembered
from web.reading.tally import Tally

RECENT = 20
_NONE = (0, 0)
_NOTHING: Mapping[str, tuple[int, int]] = {}
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
    recent = _recent(session, remembered, asked)
    ended = [each for each in recent if each.build.status is Status.FINISHED]
    return Overview(
        day=asked.day,
        tally=these.tally,
        running=sum(count for count, _ in remembered.unfinished(session).values()) if asked.day.is_current else 0,
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
        is_empty=not recent and not remembered.pipelines(session),
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


def _recent(session: Session, remembered: Remembered, asked: Asked) -> list[BuildView]:
    """The newest builds of the window; of the current one those that run, too."""
    if asked.day.is_current and not asked.labels:
        found = remembered.page(session, Wanted(), limit=RECENT).builds
    else:
        span = None if asked.day.is_current else asked.day.window
        chosen = tuple(sorted(asked.labels.items()))
        wanted = Wanted(labels=asked.labels, since=span.start if span else None, until=span.end if span else None)
        found = remembered.value(
            session,
            ("recent", chosen, span),
            BUILDS,
            lambda session: browsing.page(session, wanted, limit=RECENT),
        ).builds
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
    these, those = digests
    broken, fixed = _turned(session, remembered, asked.day, asked.before)
    if asked.labels:
        broken = [each for each in broken if each.known.id in these.pipelines]
        fixed = [each for each in fixed if each.known.id in these.pipelines]
    rate, rate_before = these.tally.rate, those.tally.rate
    return Changed(
        broken=broken[:_FEW],
        fixed=fixed[:_FEW],
        more_broken=max(len(broken) - _FEW, 0),
        more_fixed=max(len(fixed) - _FEW, 0),
        new_buckets=[each.name for each in buckets if each.is_new][:_FEW],
        gone_buckets=sorted(name for name in those.causes if name and name not in these.causes)[:_FEW],
        rate=rate - rate_before if rate is not None and rate_before is not None else None,
    )


def _turned(
    session: Session, remembered: Remembered, day: Day, before: Day
) -> tuple[Sequence[Stream], Sequence[Stream]]:
    """The streams that failed since the window before, and those that were mended: the worst first."""
    now = remembered.window(session, daily.streams, day.window)
    past = remembered.window(session, daily.streams, before.window)
    known = remembered.pipelines_by_id(session)

    def make() -> tuple[Sequence[Stream], Sequence[Stream]]:
        given = {each: (known[each], its, past.get(each, _NOTHING)) for each, its in now.items() if each in known}
        turned = remembered.derived_each(("turned", day.window), given, _compared).values()
        streams = [each for its in turned for each in its]
        broken, fixed = [each for each in streams if each.failed], [each for each in streams if not each.failed]
        broken.sort(key=lambda each: (-each.failed, _place(each)))
        fixed.sort(key=lambda each: (-each.failed_before, _place(each)))
        return broken, fixed

    return remembered.derived(("turned", day.window), (now, past, known), make)


def _compared(
    known: Known, now: Mapping[str, tuple[int, int]], past: Mapping[str, tuple[int, int]]
) -> Sequence[Stream]:
    """The branches of a pipeline that failed in one of both windows only; (passed, failed) by branch."""
    found = []
    for branch, (passed, failed) in now.items():
        passed_before, failed_before = past.get(branch, _NONE)
        if bool(failed) is not bool(failed_before) and (failed or passed):
            found.append(Stream(known, branch, failed, passed, failed_before, passed_before))
    return found


def _place(stream: Stream) -> tuple[str, str, str]:
    return stream.known.pipeline.provider, stream.known.pipeline.key, stream.branch
