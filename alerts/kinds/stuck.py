"""The kind `stuck`: a build that runs or waits for much too long. Told while it does, not when it ends.

One alert for each stream, which names the builds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.decision import Decision, closed, continued, firing, opened, resolved
from alerts.rules import StuckRule
from alerts.wording import duration, plural
from domain.alert import Alert, AlertKind, Scope
from domain.build import Outcome, Status
from domain.percentile import percentile

KIND = AlertKind.STUCK

_ENOUGH = 5  # builds that passed, before their past says anything
_USUAL, _TWICE, _AT_LEAST = 0.95, 2, timedelta(minutes=15)
FORGOTTEN = timedelta(days=7)  # so long over its limit: the server has lost it, or nobody cares
_ENDINGS = {
    Outcome.SUCCESS: "succeeded",
    Outcome.UNSTABLE: "ended unstable",
    Outcome.FAILURE: "failed",
    Outcome.ERROR: "ended with an error",
    Outcome.TIMEOUT: "timed out",
    Outcome.CANCELLED: "was cancelled",
    Outcome.SKIPPED: "was skipped",
}

Ending = tuple[str, int | None]
"""The outcome of a build, and for how many seconds it ran, when that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A build that waits or runs."""

    build_id: int  # negative: a place in a queue, where builds have no number yet
    number: int | None
    generation: int
    status: Status  # queued or running
    since: datetime  # when it was queued, or started
    why: str | None = None  # what it waits for


def longest_run(rule: StuckRule, passed: Sequence[float]) -> timedelta | None:
    """How long a build of a stream may run; None when nobody knows.

    `passed` are the durations (seconds) of its newest builds that passed, in any order.
    """
    if rule.running_longer_than is not None:
        return rule.running_longer_than
    if len(passed) < _ENOUGH:
        return None
    usual = timedelta(seconds=percentile(sorted(passed), _USUAL))
    return max(_TWICE * usual, usual + _AT_LEAST)


def stuck_from(build: Unfinished, rule: StuckRule, longest: timedelta | None) -> datetime | None:
    """From when on this build counts as stuck, if it goes on as it is; None: never."""
    limit = rule.queued_longer_than if build.status is Status.QUEUED else longest
    return None if limit is None else build.since + limit


def decide_stuck(
    *,
    scope: Scope,
    unfinished: Sequence[Unfinished],
    ended: Mapping[int, Ending],
    stored: Sequence[Alert],
    rule: StuckRule | None,
    longest: timedelta | None,
    watched_since: datetime,
    now: datetime,
) -> tuple[Decision, ...]:
    """What becomes of the alert of one stream.

    Args:
        scope: provider, pipeline and branch.
        unfinished: what waits or runs in the stream.
        ended: of the builds that the alert names those that have ended, by id.
        stored: the alerts of the stream.
        rule: None: switched off.
        longest: what `longest_run` said.
        watched_since: what was stuck already when we met the pipeline is baseline.
        now: aware UTC.
    """
    current = firing(stored, KIND)
    if rule is None:
        return () if current is None else (closed(current, because=f"{KIND} is switched off", at=now),)
    late = {
        each.build_id: each
        for each in unfinished
        if (limit := stuck_from(each, rule, longest)) is not None and limit <= now < limit + FORGOTTEN
    }
    if current is not None:
        return _goes_on(current, unfinished, ended, late, now)
    if not late:
        return ()
    builds = [_named(each) for each in late.values()]
    evidence = _evidence(builds, longest)
    was_stuck = all((stuck_from(each, rule, longest) or now) <= watched_since for each in late.values())
    return (opened(KIND, scope, at=now, summary=_summary(builds, now), evidence=evidence, baseline=was_stuck),)


def _goes_on(
    alert: Alert,
    unfinished: Sequence[Unfinished],
    ended: Mapping[int, Ending],
    late: Mapping[int, Unfinished],
    now: datetime,
) -> tuple[Decision, ...]:
    """The alert fires already: it names what is stuck by now, and ends with the last of it.

    A build stays named while it goes on as it did, whatever the limits are by now.
    """
    still = {each.build_id: each for each in unfinished}
    builds, over = [], []
    for named in alert.evidence["builds"]:
        build = still.get(named["id"])
        if build is not None and build.status == named["status"]:
            builds.append(named)
        elif build is not None:  # it has left the queue
            left_at = build.since if build.since > _since(named) else now  # GitHub says when it was queued
            over.append({**named, "ended": f"started after {duration(left_at - _since(named))} in the queue"})
        else:
            over.append({**named, "ended": _ending(named, ended.get(named["id"]), now)})
    known = {named["id"] for named in builds}
    builds += [_named(each) for each in late.values() if each.build_id not in known]
    past = [*alert.evidence.get("ended", []), *over]
    if builds and all(now - _since(named) > FORGOTTEN and named["id"] not in late for named in builds):
        return (closed(alert, because=f"nothing was heard of it for {duration(FORGOTTEN)}", at=now),)
    if not builds:
        evidence = {**alert.evidence, "builds": over or alert.evidence["builds"], "ended": past}
        evidence |= _role("ended_by", past[-1])
        return (resolved(alert, at=now, summary=_how(past), evidence=evidence),)
    if not over and len(builds) == len(alert.evidence["builds"]):
        return ()
    evidence = {**_evidence(builds, None), "longest_seconds": alert.evidence.get("longest_seconds"), "ended": past}
    return continued(alert, summary=_summary(builds, now), evidence=evidence, grown=True)


def _named(build: Unfinished) -> dict[str, Any]:
    return {
        "id": build.build_id,
        "number": build.number,
        "generation": build.generation,
        "status": build.status.value,
        "since": build.since.isoformat(),
        "why": build.why,
    }


def named_in(alert: Alert) -> list[Unfinished]:
    """The builds that an alert names, as they were when it named them."""
    return [
        Unfinished(
            build_id=named["id"],
            number=named["number"],
            generation=named["generation"],
            status=Status(named["status"]),
            since=_since(named),
            why=named.get("why"),
        )
        for named in alert.evidence["builds"]
    ]


def called(named: Mapping[str, Any]) -> str:
    """`#812`; a build that has no number yet is `a build`."""
    return f"#{named['number']}" if named["number"] is not None else "a build"


def _since(named: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(named["since"])


def _evidence(builds: Sequence[Mapping[str, Any]], longest: timedelta | None) -> dict[str, Any]:
    return {
        "builds": list(builds),
        "longest_seconds": longest.total_seconds() if longest is not None else None,
        **_role("fired_by", next((build for build in builds if build["number"] is not None), builds[0])),
    }


def _role(role: str, named: Mapping[str, Any]) -> dict[str, Any]:
    """What other builds of the stream are compared with; what has no number is none."""
    if named["number"] is None:
        return {}
    return {role: {key: named[key] for key in ("id", "number", "generation")}}


def _summary(builds: Sequence[Mapping[str, Any]], now: datetime) -> str:
    """`#812 has been running for 3 h 2 m`, `2 builds are stuck: #812 running for 3 h, #813 queued for 40 m`."""
    if len(builds) == 1:
        (only,) = builds
        word = "waiting in the queue" if only["status"] == Status.QUEUED else "running"
        return f"{called(only)} has been {word} for {duration(now - _since(only))}"
    each = [f"{called(one)} {one['status']} for {duration(now - _since(one))}" for one in builds]
    return f"{plural(len(builds), 'build')} are stuck: {', '.join(each)}"


def _ending(named: Mapping[str, Any], ended: Ending | None, now: datetime) -> str:
    if named["number"] is None:
        return f"left the queue after {duration(now - _since(named))}"
    if ended is None:
        return "is not there any more"
    outcome, seconds = ended
    word = _ENDINGS.get(Outcome(outcome), "ended")
    return word if seconds is None else f"{word} after {duration(timedelta(seconds=seconds))}"


def _how(ended: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{called(one)} {one['ended']}" for one in ended)
