"""The lines of a card: name and value, with a link where there is one."""

from collections.abc import Iterator
from datetime import timedelta

from alerts.policies.silence import labels_of
from alerts.wording import duration, moment, percent, plural, short_commit, shortened
from alerts.writing.background import Background
from alerts.writing.case import Case
from alerts.writing.change_words import change_facts
from alerts.writing.test_words import test_facts
from alerts.writing.waiting_words import waiting_facts
from domain.alert import AlertKind
from domain.build import Build
from domain.message import Fact

_REASON_LIMIT = 500
_OF_OURSELVES = frozenset({AlertKind.CONFIGURATION_BROKEN, AlertKind.STARTED})  # their provider is no CI server


def facts(case: Case) -> tuple[Fact, ...]:
    """What is known, most important first; what is not known has no line."""
    told = case.told
    found = [*_where(case), *_how_bad(case), *waiting_facts(case), *change_facts(case), *test_facts(case)]
    found += _when(case)
    if told is not None:
        found += [Fact(name=name, value=value) for name, value in _build(told, case.background) if value]
    return (*found, *_other_builds(case))


def _where(case: Case) -> Iterator[Fact]:
    scope, pipeline, told = case.alert.scope, case.pipeline, case.told
    if labels_of(scope):
        yield Fact(name="Label", value=scope.branch or "")
        return
    if scope.pipeline is None:
        if case.alert.kind is AlertKind.DELIVERY_FAILED:
            yield Fact(name="Channel", value=scope.branch or "")
        elif case.alert.kind not in _OF_OURSELVES:
            yield Fact(name="Provider", value=scope.provider)
            if scope.branch is not None:
                yield Fact(name="Part", value=scope.branch)
        return
    name = pipeline.name if pipeline is not None else scope.pipeline
    full = name if name == scope.pipeline else f"{name} ({scope.pipeline})"
    yield Fact(name="Pipeline", value=full, url=pipeline.url if pipeline is not None else None)
    branch = scope.branch or (told.branch if told is not None else None)
    if branch:
        yield Fact(name="Branch", value=branch)
    if told is not None:
        attempt = f", attempt {told.attempt}" if told.attempt > 1 else ""
        yield Fact(name="Build", value=f"#{told.number}{attempt}", url=told.url)


def _how_bad(case: Case) -> Iterator[Fact]:
    kind, evidence = case.alert.kind, case.evidence
    if kind is AlertKind.FAILURE:
        yield Fact(name="Failures", value=f"{evidence['in_a_row']} in a row")
    if kind in {AlertKind.SUCCESS_RATE_DROP, AlertKind.SUCCESS_RATE_BELOW}:
        passed, runs = evidence["passed"], evidence["runs"]
        span = f"since #{evidence['onset']['number']}" if "onset" in evidence else f"in {evidence['window']}"
        yield Fact(name="Success rate", value=f"{percent(passed, runs)} %: {passed} of {runs} passed {span}")
    if kind is AlertKind.SUCCESS_RATE_DROP:
        passed, runs = evidence["baseline_passed"], evidence["baseline_runs"]
        yield Fact(name="Before", value=f"{percent(passed, runs)} %: {passed} of {runs} passed")
    if kind is AlertKind.SUCCESS_RATE_BELOW:
        yield Fact(name="Line", value=f"{evidence['line']:g} %")
    if kind is AlertKind.PROVIDER_UNREACHABLE:
        yield Fact(name="Trouble", value=f"{evidence['trouble']}: {evidence['text']}")
        yield Fact(name="Failed polls", value=f"{evidence['failures']} in a row")
        state = "are watched again" if case.over else "are frozen: unknown until it answers, and never taken as ok"
        yield Fact(name="Pipelines", value=f"{evidence['frozen']} {state}")


def _when(case: Case) -> Iterator[Fact]:
    yield Fact(name="Since", value=moment(case.alert.started_at, case.zone))
    if case.over and case.alert.resolved_at is not None:
        yield Fact(name="Until", value=moment(case.alert.resolved_at, case.zone))


def _build(build: Build, background: Background) -> Iterator[tuple[str, str | None]]:
    yield "Commit", " ".join(part for part in (short_commit(build.commit), build.title) if part)
    yield "Triggered by", " by ".join(part for part in (build.occasion, build.actor) if part)
    yield "Duration", _duration(build.duration, background.usual_duration)
    yield "Stage", build.failing_stage
    yield "Reason", shortened(build.reason, _REASON_LIMIT)
    yield "Cause", _cause(build.bucket, background)
    yield "Noticed", "; ".join(background.hints)
    if build.tests is not None:
        tests = build.tests
        yield "Tests", f"{plural(tests.failing_tests, 'test')} failed, {tests.passed} passed, {tests.skipped} skipped"


def _duration(took: timedelta | None, usual: timedelta | None) -> str | None:
    if took is None:
        return None
    return duration(took) + (f", usually {duration(usual)}" if usual is not None else "")


def _cause(bucket: str | None, background: Background) -> str | None:
    if bucket is None:
        return None
    named = f"{bucket} ({background.bucket_class})" if background.bucket_class is not None else bucket
    seen = background.seen_in_7_days
    if seen is None:
        return named
    return f"{named}, " + (f"{seen} times in 7 days" if seen > 1 else "the first time in 7 days")


def _other_builds(case: Case) -> Iterator[Fact]:
    """Where it began, the last good one before, and the one that fixed it, if the message is not about them."""
    told = f"#{case.told.number}" if case.told is not None else None
    roles = (("first_failed", "First failed"), ("last_passed", "Last good"), ("fixed_by", "Fixed by"))
    for role, name in roles:
        build, number = case.build(role), case.number(role)
        if number is not None and number != told:
            yield Fact(name=name, value=number, url=build.url if build is not None else None)
