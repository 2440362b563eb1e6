"""What the front page shows: what is broken, what has changed, and one window in figures."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from domain.build import Outcome, Status, Verdict
from store import browsing, daily, pipelines, window_counts, window_groups
from store.browsing import Wanted
from store.builds import BuildView
from store.engine import Session
from store.pipelines import Known
from store.window_groups import Group
from store.windows import StreamKey
from web.days import Day
from web.remembered import Remembered
from web.tally import Tally

ByStream = Mapping[StreamKey, tuple[int, int]]
"""(passed, failed) of streams."""

RECENT = 20
UNKNOWN_CAUSE = ""  # the name of the bucket of failures of which nobody knows why
_FEW = 8  # streams that are named in each list of changes
_MOST_VALUES = 12  # values of a label that are shown
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
    known = {each.id: each for each in pipelines.all(session)}
    these = _groups(session, remembered, asked.day, asked.labels)
    those = _groups(session, remembered, asked.before, asked.labels)
    week = [_groups(session, remembered, day, asked.labels) for day in asked.days]
    names = label_names(known.values(), [*week, these])
    label = asked.label if asked.label in names else next(iter(names), None)
    by_value = _by_value(week, label) if label else []
    buckets = _buckets(these, those)
    now = remembered.get(session, "streams", asked.day.window, daily.by_stream)
    past = remembered.get(session, "streams", asked.before.window, daily.by_stream)
    recent = browsing.page(session, _wanted(asked), limit=RECENT).builds
    ended = [each for each in recent if each.build.status is Status.FINISHED]
    return Overview(
        day=asked.day,
        tally=tally(these),
        running=sum(count for count, _ in window_counts.unfinished(session).values()) if asked.day.is_current else 0,
        rate_before=tally(those).rate,
        mean=_mean(these),
        mean_before=_mean(those),
        outcomes=_outcomes(these),
        buckets=buckets,
        changed=_changed((now, past), asked, known, buckets, (these, those)),
        label=label,
        labels=names,
        by_value=by_value[:_MOST_VALUES],
        more_values=max(len(by_value) - _MOST_VALUES, 0),
        last=max(ended, key=lambda each: each.build.finished_at or asked.now, default=None),
        recent=sorted(recent, key=_started, reverse=True),
        is_empty=not known,
    )


def tally(groups: Iterable[Group]) -> Tally:
    """How many passed, failed, did neither."""
    counts: Counter[Verdict] = Counter()
    for each in groups:
        counts[each.verdict] += each.count
    return Tally(counts[Verdict.PASSED], counts[Verdict.FAILED], counts[Verdict.NEUTRAL])


def label_names(known: Iterable[Known], seen: Sequence[Sequence[Group]]) -> list[str]:
    """The names of labels, those first that tell most builds apart."""
    values: dict[str, set[str]] = defaultdict(set)
    for pipeline in known:
        for name, value in pipeline.pipeline.labels.items():
            values[name].add(value)
    for groups in seen:
        for group in groups:
            for name, value in group.labels.items():
                values[name].add(value)
    place = {name: number for number, name in enumerate(_SHOWN_FIRST)}
    return sorted(values, key=lambda name: (len(values[name]) < 2, place.get(name, len(place)), name))  # noqa: PLR2004


def _groups(session: Session, remembered: Remembered, day: Day, labels: Mapping[str, str]) -> Sequence[Group]:
    found = remembered.get(session, "groups", day.window, window_groups.groups)
    return [each for each in found if all(each.labels.get(name) == value for name, value in labels.items())]


def _wanted(asked: Asked) -> Wanted:
    if asked.day.is_current:
        return Wanted(labels=asked.labels)
    return Wanted(labels=asked.labels, since=asked.day.window.start, until=asked.day.window.end)


def _started(view: BuildView) -> float:
    build = view.build
    moment = build.started_at or build.queued_at or build.finished_at
    return moment.timestamp() if moment else 0.0


def _mean(groups: Iterable[Group]) -> float | None:
    decided = [each for each in groups if each.verdict is not Verdict.NEUTRAL]
    timed = sum(each.timed for each in decided)
    return sum(each.took for each in decided) / timed / 1000 if timed else None


def _outcomes(groups: Iterable[Group]) -> list[tuple[str, int]]:
    counts: Counter[Outcome] = Counter()
    for each in groups:
        counts[each.outcome] += each.count
    return [(outcome.value, counts[outcome]) for outcome in OUTCOMES if counts[outcome]]


def _causes(groups: Iterable[Group]) -> dict[str, tuple[int, set[int]]]:
    found: dict[str, tuple[int, set[int]]] = {}
    for each in groups:
        if each.verdict is Verdict.FAILED:
            count, where = found.get(each.bucket or UNKNOWN_CAUSE, (0, set()))
            found[each.bucket or UNKNOWN_CAUSE] = count + each.count, where | {each.pipeline}
    return found


def _buckets(these: Iterable[Group], those: Iterable[Group]) -> list[Bucket]:
    before = _causes(those)
    found = [
        Bucket(name, count, len(where), name not in before and name != UNKNOWN_CAUSE)
        for name, (count, where) in _causes(these).items()
    ]
    return sorted(found, key=lambda each: (-each.count, each.name))


def _by_value(week: Sequence[Sequence[Group]], label: str) -> list[ByValue]:
    days: list[dict[str, list[Group]]] = []
    for groups in week:
        found: dict[str, list[Group]] = defaultdict(list)
        for each in groups:
            if label in each.labels:
                found[each.labels[label]].append(each)
        days.append(found)
    values = {value for day in days for value in day}
    rows = [ByValue(value, [tally(day.get(value, ())) for day in days]) for value in values]
    return sorted(rows, key=lambda row: (-sum(each.total for each in row.days), row.value))


def _changed(
    streams: tuple[ByStream, ByStream],
    asked: Asked,
    known: Mapping[int, Known],
    buckets: Sequence[Bucket],
    groups: tuple[Sequence[Group], Sequence[Group]],
) -> Changed:
    now, past = streams
    by_key = {(each.pipeline.provider, each.pipeline.key): each for each in known.values()}
    carried = {each.pipeline for side in groups for each in side}  # of these labels

    def stream(key: StreamKey) -> Stream:
        passed, failed = now.get(key, (0, 0))
        passed_before, failed_before = past.get(key, (0, 0))
        return Stream(by_key[key[0], key[1]], key[2], failed, passed, failed_before, passed_before)

    both = [stream(key) for key in now if key[:2] in by_key]
    if asked.labels:
        both = [each for each in both if each.known.id in carried]
    broken = sorted((each for each in both if each.failed and not each.failed_before), key=lambda each: -each.failed)
    fixed = sorted(
        (each for each in both if each.failed_before and each.passed and not each.failed),
        key=lambda each: -each.failed_before,
    )
    rate, rate_before = tally(groups[0]).rate, tally(groups[1]).rate
    present = {each.name for each in buckets}
    return Changed(
        broken=broken[:_FEW],
        fixed=fixed[:_FEW],
        more_broken=max(len(broken) - _FEW, 0),
        more_fixed=max(len(fixed) - _FEW, 0),
        new_buckets=[each.name for each in buckets if each.is_new][:_FEW],
        gone_buckets=sorted(name for name in _causes(groups[1]) if name and name not in present)[:_FEW],
        rate=rate - rate_before if rate is not None and rate_before is not None else None,
    )
