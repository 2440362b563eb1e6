"""Releases and modules: labels of pipelines and builds, how they stand now, and how they fared day by day."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from typing_extensions import TypedDict

from domain.build import Outcome, Pipeline, Verdict
from domain.window import Window
from store import label_standings, window_counts, window_groups
from store.engine import Session
from store.label_standings import Standing
from web.asking import not_found
from web.paging import Cut, Key, cut
from web.reading.days import Day
from web.reading.remembered import Remembered
from web.reading.tally import Tally
from web.shapes import instant

T = TypeVar("T")
RELEASE: Final = "release"
MODULE: Final = "module"


class StandingShape(TypedDict):
    """How some builds fared in a window, and how they stand.

    `status` is failing when the last build of any pipeline that passed or failed has failed, else passing; neutral
    when none did either. Rates are 0 to 1, null without data; those of tests count the tests of all builds.
    """

    status: str
    total: int
    passed: int
    failed: int
    neutral: int
    pass_rate: float | None
    tests_passed: int
    tests_failed: int
    tests_skipped: int
    test_pass_rate: float | None
    jobs: int  # pipelines
    failing_jobs: int
    last_outcome: Outcome
    last_finished_at: str


class ReleaseShape(StandingShape):
    """A release."""

    release: str
    modules: list[str]


class ModuleShape(StandingShape):
    """A module; in all releases, or in one."""

    module: str
    release: str | None
    releases: list[str]


class JobShape(StandingShape):
    """A pipeline, with the builds of a release and module."""

    id: int
    provider: str
    job: str
    name: str
    url: str | None
    release: str | None
    module: str | None


class RatePoint(TypedDict):
    """One reporting day. Rates are 0 to 1, null without data."""

    day: str
    start: str
    end: str
    total: int
    passed: int
    failed: int
    pass_rate: float | None
    tests_passed: int
    tests_failed: int
    test_pass_rate: float | None


class RateTrend(TypedDict):
    """Pass rates day by day, oldest first; the last day is still going on."""

    release: str | None
    module: str | None
    days: list[RatePoint]


class FailurePattern(TypedDict):
    """A cause of failures; null: nobody knows the cause. `days` has a count for each day."""

    bucket: str | None
    count: int
    days: list[int]


class FailureTrend(TypedDict):
    """What failed of what, day by day, oldest first; the most frequent cause first."""

    release: str | None
    module: str | None
    days: list[str]
    patterns: list[FailurePattern]


def releases(
    session: Session, remembered: Remembered, window: Window, asked: Cut
) -> tuple[list[ReleaseShape], str | None]:
    """A page of the releases of which builds ended in the window, by name, and the cursor of the next."""
    found = _by(_standings(session, remembered, window), RELEASE)
    shown, following = cut(found, lambda each: (each,), asked, parts=1)
    return [
        {"release": each, "modules": _values(found[each], MODULE), **_standing(found[each])} for each in shown
    ], following


def modules(
    session: Session, remembered: Remembered, window: Window, release: str | None, asked: Cut
) -> tuple[list[ModuleShape], str | None]:
    """A page of the modules of which builds ended in the window, by name, and the cursor of the next."""
    found = _by(_with(_standings(session, remembered, window), {RELEASE: release}), MODULE)
    shown, following = cut(found, lambda each: (each,), asked, parts=1)
    return [
        {"module": each, "release": release, "releases": _values(found[each], RELEASE), **_standing(found[each])}
        for each in shown
    ], following


def modules_of(
    session: Session, remembered: Remembered, window: Window, release: str, asked: Cut
) -> tuple[list[ModuleShape], str | None]:
    """Those of one release. Raises ProblemError when no build of it ended in the window."""
    if not _with(_standings(session, remembered, window), {RELEASE: release}):
        raise not_found(f"the release {release!r}")
    return modules(session, remembered, window, release, asked)


def jobs(
    session: Session, remembered: Remembered, window: Window, asked: Cut, *, release: str | None, module: str | None
) -> tuple[list[JobShape], str | None]:
    """A page of the pipelines of which builds of a release and module ended in the window, and the next cursor."""
    wanted = _with(_standings(session, remembered, window), {RELEASE: release, MODULE: module})
    known = {number: each.pipeline for number, each in remembered.pipelines_by_id(session).items()}
    wanted = [each for each in wanted if each.pipeline in known]
    groups: dict[_Job, list[Standing]] = {}
    for each in wanted:
        groups.setdefault(_Job(each.pipeline, each.labels.get(RELEASE), each.labels.get(MODULE)), []).append(each)

    def key(job: _Job) -> Key:
        its = known[job.pipeline]
        return job.release or "", job.module or "", its.key, its.provider

    shown, following = cut(groups, key, asked, parts=4)
    return [_job(each, known[each.pipeline], groups[each]) for each in shown], following


class _Job(NamedTuple):
    """A pipeline with the builds of a release and module."""

    pipeline: int
    release: str | None
    module: str | None


def _job(job: _Job, pipeline: Pipeline, standings: Sequence[Standing]) -> JobShape:
    return {
        "id": job.pipeline,
        "provider": pipeline.provider,
        "job": pipeline.key,
        "name": pipeline.name,
        "url": pipeline.url,
        "release": job.release,
        "module": job.module,
        **_standing(standings),
    }


def rates(
    session: Session, remembered: Remembered, days: Sequence[Day], *, release: str | None, module: str | None
) -> RateTrend:
    """Pass rates of builds and of tests, day by day."""
    labels = {RELEASE: release, MODULE: module}
    points: list[RatePoint] = []
    for day in days:
        its = _with(_all(remembered.window(session, label_standings.standings, day.window)), labels)
        tally, tests = _tally(its), _tests(its)
        points.append(
            {
                "day": day.name,
                "start": instant(day.window.start),
                "end": instant(day.window.end),
                "total": tally.total,
                "passed": tally.passed,
                "failed": tally.failed,
                "pass_rate": tally.rate,
                "tests_passed": tests.passed,
                "tests_failed": tests.failed,
                "test_pass_rate": tests.rate,
            }
        )
    return {"release": release, "module": module, "days": points}


def failures(
    session: Session, remembered: Remembered, days: Sequence[Day], *, release: str | None, module: str | None
) -> FailureTrend:
    """What failed of what, day by day."""
    labels = {name: value for name, value in {RELEASE: release, MODULE: module}.items() if value is not None}
    counts: dict[str | None, list[int]] = {}
    for place, day in enumerate(days):
        for group in _all(remembered.window(session, window_groups.groups, day.window)):
            if group.verdict is Verdict.FAILED and all(group.labels.get(name) == labels[name] for name in labels):
                counts.setdefault(group.bucket, [0] * len(days))[place] += group.count
    patterns: list[FailurePattern] = [
        {"bucket": bucket, "count": sum(its), "days": its} for bucket, its in counts.items()
    ]
    patterns.sort(key=lambda each: (-each["count"], each["bucket"] or ""))
    return {"release": release, "module": module, "days": [day.name for day in days], "patterns": patterns}


def _standings(session: Session, remembered: Remembered, window: Window) -> list[Standing]:
    """Those of a window that ends now."""
    return _all(remembered.rolling(session, label_standings.standings, window.end - window.start, window.end))


def _all(by_pipeline: Mapping[int, Iterable[T]]) -> list[T]:
    return [each for its in by_pipeline.values() for each in its]


def _with(standings: Iterable[Standing], labels: Mapping[str, str | None]) -> list[Standing]:
    wanted = {name: value for name, value in labels.items() if value is not None}
    return [each for each in standings if all(each.labels.get(name) == value for name, value in wanted.items())]


def _by(standings: Iterable[Standing], label: str) -> dict[str, list[Standing]]:
    found: dict[str, list[Standing]] = {}
    for each in standings:
        if label in each.labels:
            found.setdefault(each.labels[label], []).append(each)
    return found


def _values(standings: Iterable[Standing], label: str) -> list[str]:
    return sorted({each.labels[label] for each in standings if label in each.labels})


def _tally(standings: Sequence[Standing]) -> Tally:
    return Tally(
        sum(each.passed for each in standings),
        sum(each.failed for each in standings),
        sum(each.neutral for each in standings),
    )


def _tests(standings: Sequence[Standing]) -> Tally:
    return Tally(
        sum(each.tests_passed for each in standings),
        sum(each.tests_failed for each in standings),
        sum(each.tests_skipped for each in standings),
    )


def _standing(standings: Sequence[Standing]) -> StandingShape:
    tally, tests = _tally(standings), _tests(standings)
    newest: dict[int, window_counts.Ended] = {}
    for each in standings:
        before = newest.get(each.pipeline)
        if each.decided is not None and (before is None or each.decided.finished_at > before.finished_at):
            newest[each.pipeline] = each.decided
    verdicts = [each.verdict for each in newest.values()]
    last = max((each.last for each in standings), key=lambda each: each.finished_at)
    return {
        "status": _status(verdicts),
        "total": tally.total,
        "passed": tally.passed,
        "failed": tally.failed,
        "neutral": tally.neutral,
        "pass_rate": tally.rate,
        "tests_passed": tests.passed,
        "tests_failed": tests.failed,
        "tests_skipped": tests.neutral,
        "test_pass_rate": tests.rate,
        "jobs": len({each.pipeline for each in standings}),
        "failing_jobs": verdicts.count(Verdict.FAILED),
        "last_outcome": last.outcome,
        "last_finished_at": instant(last.finished_at),
    }


def _status(verdicts: Sequence[Verdict]) -> str:
    if Verdict.FAILED in verdicts:
        return "failing"
    return "passing" if Verdict.PASSED in verdicts else "neutral"
