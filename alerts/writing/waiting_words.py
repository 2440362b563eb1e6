"""What the messages about stale, stuck and no_verdict say: about builds that do not come, do not end, do not decide."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from alerts.kinds.stuck import called
from alerts.wording import duration, moment, plural
from alerts.writing.case import Case
from domain.alert import AlertKind
from domain.build import Status
from domain.message import Fact


def stale(case: Case) -> str:
    """`no build for 26 h, expected every 24 h: the workflow is disabled ...`; `builds again: #813 after 31 h`."""
    evidence = case.evidence
    if case.over:
        number = case.number("ended_by")
        return f"builds again: {number} after {evidence['waited']} without a build" if number else "builds again"
    silent = duration(case.now - _moment(evidence["since"]))
    return f"no build for {silent}, expected {evidence['expected']}: {evidence['because']}"


def stuck(case: Case) -> str:
    """`#812 has been running for 3 h 2 m`; `is not stuck any more: #812 was cancelled after 4 h`."""
    builds = case.evidence["builds"]
    if case.over:
        return f"is not stuck any more: {_endings(case)}"
    if len(builds) > 1:
        return f"{plural(len(builds), 'build')} are stuck: {', '.join(_going_on(case, build) for build in builds)}"
    (only,) = builds
    if only["number"] is None:
        return f"has a build waiting in the queue for {duration(case.now - _moment(only['since']))}{_why(only)}"
    return "has a stuck build: " + _going_on(case, only)


def no_verdict(case: Case) -> str:
    """`3 builds in a row neither passed nor failed (cancelled)`; `has a verdict again: #815 passed`."""
    return f"has a verdict again: {case.alert.summary}" if case.over else case.alert.summary


def waiting_facts(case: Case) -> Iterator[Fact]:
    """The lines of the card that only these kinds have."""
    evidence = case.evidence
    if case.alert.kind is AlertKind.STALE and "expected" in evidence:
        yield Fact(name="Expected", value=evidence["expected"])
        yield Fact(name="Due", value=_due(case))
        yield Fact(name="Because", value=evidence["because"])
        last = case.build("last_build")
        number, since = case.number("last_build"), moment(_moment(evidence["since"]), case.zone)
        value = f"{number}, {since}" if number else f"none since it is watched, {since}"
        yield Fact(name="Last build", value=value, url=last.url if last is not None else None)
    elif case.alert.kind is AlertKind.STUCK and "builds" in evidence:
        for build in evidence["builds"] if not case.over else ():
            yield Fact(name="Stuck", value=_going_on(case, build) + _why(build))
        longest = evidence.get("longest_seconds")
        if longest is not None:
            yield Fact(name="At most", value=f"{duration(timedelta(seconds=longest))} were to be expected")
        for build in evidence.get("ended", ()):
            yield Fact(name="Ended", value=f"{called(build)} {build['ended']}")
    elif case.alert.kind is AlertKind.NO_VERDICT and "words" in evidence:
        yield Fact(name="Builds", value=f"{evidence['in_a_row']} in a row: {evidence['words']}")


def _due(case: Case) -> str:
    grace = timedelta(seconds=case.evidence["grace_seconds"])
    due = moment(_moment(case.evidence["due"]), case.zone)
    return f"{due}, and {duration(grace)} of grace" if grace else due


def _going_on(case: Case, build: Mapping[str, Any]) -> str:
    word = "waiting in the queue" if build["status"] == Status.QUEUED else "running"
    return f"{called(build)} has been {word} for {duration(case.now - _moment(build['since']))}"


def _why(build: Mapping[str, Any]) -> str:
    return f": {build['why']}" if build.get("why") else ""


def _endings(case: Case) -> str:
    return ", ".join(f"{called(build)} {build['ended']}" for build in case.evidence["ended"])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
