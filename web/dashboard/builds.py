"""One build in full, and lists of builds."""

from collections.abc import Sequence
from dataclasses import dataclass

from alerts.writing.suspects import suspects
from domain.message import Table
from domain.testhistory import TestChanges
from domain.testreport import TestReport
from domain.window import Window
from store import browsing, builds, details, lines, proof, tests
from store import pipelines as registry
from store.browsing import Place, Wanted
from store.builds import BuildView
from store.details import Findings
from store.engine import Session
from store.pipelines import Known

PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A build."""

    view: BuildView
    known: Known | None
    attempts: Sequence[BuildView]  # all of this build, oldest first
    findings: Findings
    changes: TestChanges
    report: TestReport | None
    suspects: Table | None
    seen: int  # builds with the same cause in the last week
    reading: bool  # its details are still to be read
    before: BuildView | None  # the build of its stream before it
    after: BuildView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """Builds behind a figure."""

    builds: Sequence[BuildView]
    next: Place | None


def whole(session: Session, identity: int, week: Window) -> Whole | None:
    """A build by its number; None when there is none."""
    view = builds.get(session, [identity]).get(identity)
    if view is None:
        return None
    build = view.build
    key = build.pipeline.provider, build.pipeline.key
    known = registry.find(session, [key]).get(key)
    around = lines.neighbours(session, identity)
    found = builds.get(session, [each for each in around if each is not None])
    findings = details.get(session, [identity]).get(identity, Findings())
    before, after = (found.get(each or 0) for each in around)
    return Whole(
        view=view,
        known=known,
        attempts=proof.attempts_of_build(session, build),
        findings=findings,
        changes=tests.changes(session, [identity]).get(identity, TestChanges()),
        report=build.tests,
        suspects=suspects(findings.changes, None, {}) if findings.changes is not None else None,
        seen=details.seen(session, [build.bucket], week.start)[build.bucket] if build.bucket else 0,
        reading=details.attempts(session, identity) is not None,
        before=before,
        after=after,
    )


def behind(session: Session, wanted: Wanted, after: Place | None) -> Behind:
    """The next page of builds."""
    found = browsing.page(session, wanted, limit=PAGE, after=after)
    return Behind(builds=found.builds, next=found.next)
