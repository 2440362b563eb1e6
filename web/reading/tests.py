"""Tests: how those of each branch stand, and the history of one."""

from collections.abc import Collection, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final

from typing_extensions import TypedDict

from domain.build import Verdict
from domain.testhistory import Course, Trial
from domain.testreport import Test, TestStatus
from metrics.flakiness import Flaky, flaky_tests
from store import builds, pipelines, test_history, test_names, tests
from store.builds import BuildView
from store.engine import Session
from store.test_line import Place
from store.test_stand import stand
from web.asking import named_like
from web.paging import Cut, cut
from web.reading.builds import case_shape
from web.shapes import CaseShape, ErrorShape, instant

MOST_TESTS: Final = 200
LOOKED_BACK: Final = 200  # builds of a branch


class FlakyShape(TypedDict):
    """A test that fails and passes without reason."""

    suite: str
    name: str
    rate: float
    flips: int
    failed: int
    ran: int
    both_ways: list[str]
    retried: int


class StreamTests(TypedDict):
    """The tests of a branch after the newest build that says anything of them."""

    pipeline_id: int
    provider: str
    pipeline: str
    name: str
    branch: str | None
    build: int | None
    finished_at: str | None
    passed: int | None
    failed: int | None
    skipped: int | None
    failing: list[CaseShape]
    newly_failing: list[dict[str, str]]
    fixed: list[dict[str, str]]
    errors: list[ErrorShape]
    flaky: list[FlakyShape]
    partial: bool  # the build did not get through its tests


class TestsShape(TypedDict):
    """Branches whose tests were read."""

    streams: list[StreamTests]
    more: int  # branches behind these
    next: str | None  # their cursor


class RunShape(TypedDict):
    """A test in one build; the status is null when it was not among the tests."""

    build: int
    number: int
    attempt: int
    commit: str | None
    finished_at: str
    verdict: Verdict | None
    status: TestStatus | None
    duration_seconds: float | None


class TestStory(TypedDict):
    """One test of one branch, build by build, oldest first. The rate is 0 to 1, of the builds in which it ran."""

    pipeline_id: int
    provider: str
    pipeline: str
    branch: str | None
    suite: str
    name: str
    pass_rate: float | None
    runs: list[RunShape]


class TestHistory(TypedDict):
    """Tests that are called so."""

    tests: list[TestStory]
    more: int  # tests that are left out


def standing(
    session: Session, since: datetime, asked: Cut, *, pipeline: str | None, branch: str | None, only_flaky: bool
) -> TestsShape:
    """How the tests of each branch stand, of pipelines like this whose reports were read since then."""
    places = _places(session, since, pipeline, branch)
    shown, following = cut(places, lambda each: tuple(each[0]), asked, parts=3)
    streams = [_stream(session, place, name, number, since) for place, name, number in shown]
    return {
        "streams": [each for each in streams if each["flaky"] or not only_flaky],
        "more": sum(place > shown[-1][0] for place, _, _ in places) if shown else 0,
        "next": following,
    }


def _places(
    session: Session, since: datetime, pipeline: str | None, branch: str | None
) -> list[tuple[Place, str, int]]:
    known = {
        (each.pipeline.provider, each.pipeline.key): each
        for each in pipelines.all(session)
        if pipeline is None or named_like(each, pipeline)
    }
    return [
        (place, known[place[:2]].pipeline.name, known[place[:2]].id)
        for place in test_history.places(session, since)
        if place[:2] in known and branch in {None, place[2]}
    ]


def _stream(session: Session, place: Place, name: str, number: int, since: datetime) -> StreamTests:
    provider, key, branch = place
    found = stand(session, place)
    view = None if found is None else builds.get(session, [found.build_id]).get(found.build_id)
    report = None if view is None else view.build.tests
    changes = None if found is None else found.changes
    runs, courses = test_history.history(session, place)
    return {
        "pipeline_id": number,
        "provider": provider,
        "pipeline": key,
        "name": name,
        "branch": branch or None,
        "build": None if found is None else found.build_id,
        "finished_at": None if found is None else instant(found.finished_at),
        "passed": report.passed if report else None,
        "failed": report.failed if report else None,
        "skipped": report.skipped if report else None,
        "failing": _failing(view, changes.failing if changes else ()),
        "newly_failing": _tests(changes.newly_failing if changes else ()),
        "fixed": _tests(changes.fixed if changes else ()),
        "errors": _errors(session, found.build_id) if found else [],
        "flaky": [_flaky(each) for each in flaky_tests(*_since((runs, courses), since))[:MOST_TESTS]],
        "partial": changes is not None and changes.partial,
    }


def _failing(view: BuildView | None, failing: Collection[Test]) -> list[CaseShape]:
    report = None if view is None else view.build.tests
    return [case_shape(case) for case in (report.failing if report else ()) if case.test in failing]


def _tests(some: Sequence[Test]) -> list[dict[str, str]]:
    return [{"suite": suite, "name": name} for suite, name in some[:MOST_TESTS]]


def _errors(session: Session, build_id: int) -> list[ErrorShape]:
    return [
        {"error": group.error, "count": group.size, "tests": _tests(group.tests)}
        for group in tests.errors_of(session, build_id)
    ]


def _flaky(flaky: Flaky) -> FlakyShape:
    return {
        "suite": flaky.suite,
        "name": flaky.name,
        "rate": round(flaky.rate, 4),
        "flips": flaky.flips,
        "failed": flaky.failed,
        "ran": flaky.ran,
        "both_ways": list(flaky.both_ways),
        "retried": flaky.retried,
    }


def story(
    session: Session, since: datetime, *, test: str, pipeline: str | None, branch: str | None, limit: int
) -> TestHistory:
    """The history of the tests that are called so: their name, `suite::name`, or a glob over that."""
    found: list[TestStory] = []
    more = 0
    for place, _, number in _places(session, since, pipeline, branch):
        wanted = _named(session, place, test)
        room = max(limit - len(found), 0)
        more += max(len(wanted) - room, 0)
        if room and wanted:
            found += _stories(session, place, number, wanted[:room], since)
    return {"tests": found, "more": more}


def _stories(session: Session, place: Place, number: int, wanted: Sequence[Test], since: datetime) -> list[TestStory]:
    runs, courses = _since(test_history.history(session, place, limit=LOOKED_BACK, tests=wanted), since)
    took = test_history.durations(session, [run.build_id for run in runs]) if courses else {}
    return [_story(place, number, runs, course, took.get((course.suite, course.name), {})) for course in courses]


def _story(place: Place, number: int, runs: Sequence[Trial], course: Course, took: dict[int, float]) -> TestStory:
    provider, key, branch = place
    ran = [each for each in course.statuses if each is not None and each is not TestStatus.SKIPPED]
    return {
        "pipeline_id": number,
        "provider": provider,
        "pipeline": key,
        "branch": branch or None,
        "suite": course.suite,
        "name": course.name,
        "pass_rate": ran.count(TestStatus.PASSED) / len(ran) if ran else None,
        "runs": [
            {
                "build": run.build_id,
                "number": run.number,
                "attempt": run.attempt,
                "commit": run.commit,
                "finished_at": instant(run.finished_at),
                "verdict": run.verdict,
                "status": status,
                "duration_seconds": took.get(run.build_id),
            }
            for run, status in zip(runs, course.statuses, strict=True)
        ],
    }


def _named(session: Session, place: Place, wanted: str) -> list[Test]:
    return [
        (suite, name)
        for suite, name in test_names.of_pipeline(session, place[:2])
        if wanted in {name, f"{suite}::{name}"} or fnmatchcase(f"{suite}::{name}", wanted)
    ]


def _since(found: test_history.History, since: datetime) -> test_history.History:
    runs, courses = found
    first = next((place for place, run in enumerate(runs) if run.finished_at >= since), len(runs))
    kept = [
        course._replace(
            statuses=course.statuses[first:], retried=tuple(place - first for place in course.retried if place >= first)
        )
        for course in courses
    ]
    return runs[first:], kept
