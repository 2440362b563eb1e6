"""How the tests of each watched stream stand, as `buildwatch tests` shows it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase

from domain.build import Build
from domain.testhistory import Course, ErrorGroup, TestStand, Trial
from domain.testreport import FAILING, Test, TestStatus
from metrics.flakiness import Flaky, flaky_tests
from metrics.slower_tests import BEFORE, RECENT, Slower, slower_tests
from store import builds, pipelines, test_names, tests
from store.engine import Session
from store.test_history import History, durations, history, places
from store.test_line import Place, line_of
from store.test_stand import stand

_LONGEST = 400  # builds of a stream that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A test that fails now."""

    suite: str
    name: str
    since: Trial | None  # the first build in which it failed, as far back as is looked; None: not known
    builds: int  # in which it failed since, among those whose tests were read
    is_new: bool  # it did not fail in the build before
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTests:
    """The tests of one stream."""

    place: Place
    name: str  # of the pipeline, as people call it
    stand: TestStand | None
    build: Build | None = None  # the one that the stand is of
    total: int = 0  # tests in it
    failing: Sequence[Failing] = ()
    groups: Sequence[ErrorGroup] = ()
    flaky: Sequence[Flaky] = ()
    slower: Sequence[Slower] | None = None  # None: not asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class TestStory:
    """One test of one stream, build by build, oldest first."""

    __test__ = False

    place: Place
    course: Course
    runs: Sequence[Trial]
    durations: Mapping[int, float] = field(default_factory=dict)  # seconds, by build


def streams(session: Session, glob: str | None, since: datetime, *, slower: bool = False) -> list[StreamTests]:
    """The streams whose tests were read since then, of pipelines like this; with the tests that became `slower`."""
    found = [_stream(session, place, name, since) for place, name in _places(session, glob, since)]
    return [replace(each, slower=_slower(session, each.place)) for each in found] if slower else found


def stories(session: Session, wanted: str, glob: str | None, since: datetime) -> list[TestStory]:
    """The history of the tests that are called so: their name, `suite::name`, `suite: name`, or a glob over these."""
    found: list[TestStory] = []
    for place, _ in _places(session, glob, since):
        runs, courses = _since(history(session, place, limit=_LONGEST, tests=_named(session, place, wanted)), since)
        took = durations(session, [run.build_id for run in runs]) if courses else {}
        found += [
            TestStory(place=place, course=course, runs=runs, durations=took.get((course.suite, course.name), {}))
            for course in courses
        ]
    return found


def _places(session: Session, glob: str | None, since: datetime) -> list[tuple[Place, str]]:
    known = {(each.pipeline.provider, each.pipeline.key): each.pipeline for each in pipelines.all(session)}
    found = [(place, known[place[:2]].name) for place in places(session, since) if place[:2] in known]
    if glob is None:
        return found
    return [(place, name) for place, name in found if fnmatchcase(place[1], glob) or fnmatchcase(name, glob)]


def _stream(session: Session, place: Place, name: str, since: datetime) -> StreamTests:
    found = stand(session, place)
    if found is None:
        return StreamTests(place=place, name=name, stand=None)
    view = builds.get(session, [found.build_id]).get(found.build_id)
    whole = history(session, place, limit=_LONGEST)
    runs, courses = _since(whole, since)
    of_all = dict(zip(((each.suite, each.name) for each in whole[1]), whole[1], strict=True))
    report = view.build.tests if view is not None else None
    messages = {case.test: case.message for case in report.failing} if report is not None else {}
    new = set(found.changes.newly_failing)
    return StreamTests(
        place=place,
        name=name,
        stand=found,
        build=view.build if view is not None else None,
        total=next((run.total for run in reversed(runs) if run.build_id == found.build_id), 0),
        failing=[
            _failing(test, whole[0], of_all.get(test), is_new=test in new, message=messages.get(test))
            for test in found.changes.failing
        ],
        groups=tests.errors_of(session, found.build_id),
        flaky=flaky_tests(runs, courses),
    )


def _slower(session: Session, place: Place) -> list[Slower]:
    ids = [run.build_id for run in line_of(session, place, limit=RECENT + BEFORE)]
    return slower_tests(ids[::-1], durations(session, ids))


def _failing(test: Test, runs: Sequence[Trial], course: Course | None, *, is_new: bool, message: str | None) -> Failing:
    """Since when it fails: back to the build before which it did not."""
    since, count = None, 0
    for run, status in reversed(list(zip(runs, course.statuses, strict=True)) if course is not None else []):
        if status in FAILING:
            since, count = run, count + 1
        elif status is not None and status is not TestStatus.SKIPPED:
            break
    return Failing(suite=test[0], name=test[1], since=since, builds=count, is_new=is_new, message=message)


def _since(found: History, since: datetime) -> History:
    runs, courses = found
    first = next((place for place, run in enumerate(runs) if run.finished_at >= since), len(runs))
    cut = [
        course._replace(
            statuses=course.statuses[first:], retried=tuple(place - first for place in course.retried if place >= first)
        )
        for course in courses
    ]
    return runs[first:], cut


def _named(session: Session, place: Place, wanted: str) -> Collection[Test]:
    """The tests of a stream that are called so."""
    return [
        (suite, name)
        for suite, name in test_names.of_pipeline(session, place[:2])
        if wanted in (name, f"{suite}::{name}", f"{suite}: {name}", f"{suite}.{name}")
        or fnmatchcase(f"{suite}::{name}", wanted)
    ]
