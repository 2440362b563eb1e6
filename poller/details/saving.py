"""What was read about a build is stored, its stream judged anew, its messages brought up to date: all or nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.policies.routing import watched
from alerts.verdict import verdict_of
from domain.alert import Scope
from domain.build import Build
from domain.counted import Counted
from domain.testhistory import Checked
from poller.config import Configuration
from poller.details.catching_up import catch_up
from poller.details.reading import Explanation
from poller.details.test_reports import errors
from poller.intake.judging import Line, judge_streams
from poller.telling.tell import tell_all
from store import builds, counted, details, measurements, tests
from store.builds import Change
from store.details import Findings
from store.engine import Session

_NAMED = 5  # figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What storing an explanation has changed."""

    told: frozenset[str] = frozenset()  # channels that have something new
    counted: Sequence[Counted] = ()  # the build, when its verdict or outcome is another now


def save(
    session: Session,
    explanation: Explanation,
    configuration: Configuration,
    now: datetime,
    *,
    again: datetime | None = None,
    patient: bool = True,
) -> Saved:
    """Store an explanation, and let people know as far as that is news.

    A build that runs again by now, or that is gone, was read in vain: it will be due again when it ends. What could
    not be read is tried `again`; messages that have no cause yet wait for that, where somebody is `patient`.
    """
    build_id = explanation.build.id or 0
    view = builds.get(session, [build_id]).get(build_id)
    if view is None or not _is_the_same(view.build, explanation.build):
        details.done(session, build_id)
        return Saved()
    if again is None:
        details.done(session, build_id)
    else:
        details.put_off(session, build_id, again)
        explanation = _without_guess(explanation)
    before = _findings(session, build_id)
    changes = _correct(session, view.build, explanation, configuration, now)
    _store(session, build_id, explanation, now)
    fresh = {change.id for change in changes if change.verdict is not change.before_verdict}
    if explanation.tests is not None:
        fresh.add(build_id)
    told = _judge(session, view.build, fresh, explanation, configuration=configuration, now=now)
    after = _findings(session, build_id)
    told |= catch_up(
        session,
        build_id,
        configuration,
        now,
        again=again if patient and not _has_cause(after) else None,
        news=before.read_at is None or _has_news(session, view.build, before, after),
    )
    return Saved(
        told=told,
        counted=counted.touched(session, [each.id for each in changes]),
    )


def _findings(session: Session, build_id: int) -> Findings:
    return details.get(session, [build_id]).get(build_id, Findings())


def _has_cause(found: Findings) -> bool:
    """Whether more is known than a word of the server, like the code that a program ended with."""
    return found.log_excerpt is not None or found.bucket_class is not None


def _without_guess(explanation: Explanation) -> Explanation:
    """The log that is read later may tell a cause: until then a failure is not called by a word of the server."""
    if _has_cause(explanation.findings):
        return explanation
    return replace(explanation, findings=replace(explanation.findings, bucket=None))


def _has_news(session: Session, build: Build, before: Findings, after: Findings) -> bool:
    """Whether a build that was read before is known better now."""
    if replace(before, notes=(), read_at=None) != replace(after, notes=(), read_at=None):
        return True
    view = builds.get(session, [build.id or 0]).get(build.id or 0)
    return view is not None and view.build.tests != build.tests


def _store(session: Session, build_id: int, explanation: Explanation, now: datetime) -> None:
    findings = replace(explanation.findings, read_at=now)
    if explanation.figures:
        left_out = measurements.record(session, build_id, explanation.figures)
        if left_out:
            notes = (*findings.notes, f"figures left out, there are too many: {', '.join(left_out[:_NAMED])}")
            findings = replace(findings, notes=notes)
    details.save(session, build_id, findings)
    if explanation.tests is not None:
        tests.record(session, build_id, explanation.tests, errors=errors(explanation.tests))
    if explanation.earlier is not None:
        first, changes = explanation.earlier
        details.save(session, first.id or 0, Findings(changes=changes))


def _is_the_same(stored: Build, read: Build) -> bool:
    return (stored.status, stored.started_at, stored.attempt) == (read.status, read.started_at, read.attempt)


def _correct(
    session: Session, build: Build, explanation: Explanation, configuration: Configuration, now: datetime
) -> list[Change]:
    """The outcome, where the details tell it better."""
    if explanation.outcome is None or explanation.outcome is build.outcome:
        return []
    entry = configuration.entry_of(build.pipeline)
    passes = configuration.unstable_passes(entry)
    better = replace(build, outcome=explanation.outcome, id=None)
    return builds.upsert(session, [better], lambda each: verdict_of(each, unstable_passes=passes), now)


def _judge(
    session: Session,
    build: Build,
    fresh: Collection[int],
    explanation: Explanation,
    *,
    configuration: Configuration,
    now: datetime,
) -> frozenset[str]:
    """Another verdict, another cause, other failing tests or a file that is not there may be news."""
    entry = configuration.entry_of(build.pipeline)
    if entry is None or not watched(build, entry.branches, build.pipeline.default_branch):
        return frozenset()
    line = Line(
        scope=Scope(provider=build.pipeline.provider, pipeline=build.pipeline.key, branch=build.stream),
        rules=configuration.rules_of(entry),
        fresh=fresh,
        reported=explanation.tests is not None,
        checked=_checked(build, explanation),
    )
    [decisions] = judge_streams(session, [line], configuration=configuration, now=now)
    return tell_all(session, [(decision, build.pipeline) for decision in decisions], configuration, now)


def _checked(build: Build, explanation: Explanation) -> Checked | None:
    if explanation.gaps is None or build.finished_at is None:
        return None
    return Checked(
        build_id=build.id or 0,
        generation=build.generation,
        number=build.number,
        finished_at=build.finished_at,
        gaps=tuple(explanation.gaps),
    )
