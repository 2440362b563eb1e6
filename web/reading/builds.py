"""Builds: pages of them, and everything that is known of one."""

from collections.abc import Sequence
from datetime import datetime

from domain.testhistory import TestChanges
from domain.testreport import TestCase
from store import browsing, builds, details, pipelines, proof, tests
from store.browsing import Wanted
from store.builds import BuildView
from store.details import Findings
from store.engine import Session
from web.asking import Filters, cursor_of, not_found, place_of
from web.reading.remembered import Remembered
from web.shapes import (
    AttemptShape,
    BuildDetails,
    BuildPage,
    BuildShape,
    CaseShape,
    ChangesShape,
    ReportShape,
    StageShape,
    build_shape,
    iso,
    seconds,
)


def page(
    session: Session, remembered: Remembered, asked: Filters, now: datetime, *, limit: int, cursor: str | None
) -> BuildPage:
    """Builds that are asked for, newest first."""
    found = remembered.page(session, asked.wanted(session, now), limit=limit, after=place_of(cursor))
    return {"builds": shaped(session, found.builds, remembered), "next": cursor_of(found.next)}


def recent(session: Session, wanted: Wanted, limit: int) -> list[BuildView]:
    """The newest that are wanted."""
    return list(browsing.page(session, wanted, limit=limit).builds)


def shaped(session: Session, views: Sequence[BuildView], remembered: Remembered | None = None) -> list[BuildShape]:
    """Stored builds as JSON shows them."""
    if remembered is not None:
        known = remembered.pipelines_by_key(session)
        return [build_shape(each, known[_key(each)].id if _key(each) in known else None) for each in views]
    numbers = pipelines.numbers(session, {_key(each) for each in views})
    return [build_shape(each, numbers.get(_key(each))) for each in views]


def _key(view: BuildView) -> pipelines.Key:
    return view.build.pipeline.provider, view.build.pipeline.key


def stored(session: Session, identity: int) -> BuildView:
    """The build with this number. Raises ProblemError."""
    view = builds.get(session, [identity]).get(identity)
    if view is None:
        raise not_found(f"build {identity}")
    return view


def details_of(session: Session, identity: int) -> BuildDetails:
    """Everything that is known of a build. Raises ProblemError when it is not stored."""
    view = stored(session, identity)
    read = details.get(session, [identity]).get(identity, Findings())
    [shape] = shaped(session, [view])
    return {
        **shape,
        "superseded": view.superseded,
        "log_excerpt": view.build.log_excerpt,
        "bucket_class": read.bucket_class,
        "stages": _stages(read),
        "changes": _changes(read),
        "report": _report(session, view, identity),
        "notes": list(read.notes),
        "attempts": [_attempt(each) for each in proof.attempts_of_build(session, view.build)],
    }


def _stages(read: Findings) -> list[StageShape]:
    return [
        {
            "name": stage.name,
            "outcome": stage.outcome,
            "step": stage.step,
            "duration_seconds": seconds(stage.duration),
            "url": stage.url,
        }
        for stage in read.stages
    ]


def _changes(read: Findings) -> ChangesShape | None:
    changes = read.changes
    if changes is None:
        return None
    return {
        "commits": [
            {
                "id": commit.id,
                "title": commit.title,
                "author": commit.author,
                "login": commit.login,
                "is_bot": commit.is_bot,
                "url": commit.url,
            }
            for commit in changes.commits
        ],
        "total": changes.total,
        "url": changes.url,
    }


def _report(session: Session, view: BuildView, identity: int) -> ReportShape | None:
    report = view.build.tests
    if report is None:
        return None
    changes = tests.changes(session, [identity]).get(identity, TestChanges())
    return {
        "failing": [case_shape(case) for case in report.failing],
        "newly_failing": [{"suite": suite, "name": name} for suite, name in changes.newly_failing]
        if changes.compared
        else None,
        "errors": [
            {
                "error": group.error,
                "count": group.size,
                "tests": [{"suite": suite, "name": name} for suite, name in group.tests],
            }
            for group in tests.errors_of(session, identity)
        ],
        "notes": list(report.notes),
    }


def case_shape(case: TestCase) -> CaseShape:
    """A test of a build."""
    return {
        "suite": case.suite,
        "name": case.name,
        "status": case.status.value,
        "duration_seconds": case.duration,
        "message": case.message,
        "flaky": case.flaky,
    }


def _attempt(view: BuildView) -> AttemptShape:
    build = view.build
    return {
        "id": build.id or 0,
        "attempt": build.attempt,
        "status": build.status,
        "outcome": build.outcome,
        "finished_at": iso(build.finished_at),
        "counts": not view.superseded and view.verdict is not None,
    }
