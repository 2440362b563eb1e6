"""The words of a message: what happened, readable on a lock screen, and the facts behind it.

All text is plain. Whatever came from a CI server stays text: each channel escapes it for its own format.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from alerts.wording import duration, failures, headline_reason, moment, nth, short_commit, shortened
from domain.alert import Alert, AlertKind, AlertState, Reason
from domain.build import Build, Pipeline
from domain.message import Fact, Link, Message, Tone

SIGNS = {Tone.BROKEN: "🔴", Tone.WORSE: "🟠", Tone.FIXED: "🟢", Tone.NOTE: "🔵"}
"""The first sign of every headline, so that its tone shows without colours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything a message is made of."""

    alert: Alert
    reason: Reason
    pipeline: Pipeline | None
    builds: Mapping[int, Build]
    now: datetime
    zone: tzinfo

    def build(self, role: str) -> Build | None:
        """The build with this role in the alert's evidence, when it is still known."""
        named = self.alert.evidence.get(role)
        return self.builds.get(named["id"]) if named else None

    def number(self, role: str) -> str | None:
        """`#812`, as people call the build with this role."""
        named = self.alert.evidence.get(role)
        return f"#{named['number']}" if named else None

    def where(self) -> str:
        """`web / main`: the pipeline, and the branch where there is one; for a provider its name."""
        scope = self.alert.scope
        if scope.pipeline is None:
            return scope.provider
        name = self.pipeline.name if self.pipeline is not None else scope.pipeline
        return f"{name} / {scope.branch}" if scope.branch else name

    def lasted(self) -> str | None:
        """How long the alert fired, once it is over; None when that says nothing."""
        ended = self.alert.resolved_at
        return duration(ended - self.alert.started_at) if ended and ended > self.alert.started_at else None

    @property
    def over(self) -> bool:
        """Whether the alert has ended."""
        return self.alert.state is not AlertState.FIRING


def compose(
    alert: Alert,
    reason: Reason,
    *,
    pipeline: Pipeline | None = None,
    builds: Mapping[int, Build],
    now: datetime,
    zone: tzinfo,
) -> Message:
    """The message about one transition of an alert.

    Args:
        alert: as it is now.
        reason: why it is spoken of.
        pipeline: the one in the alert's scope; None for an alert about a provider.
        builds: those named by `Decision.build_ids`, by their id; a missing one costs its facts only.
        now: aware UTC.
        zone: in which times are shown.
    """
    case = Case(alert=alert, reason=reason, pipeline=pipeline, builds=builds, now=now, zone=zone)
    tone = _tone(case)
    telling = _build_told(case)
    return Message(
        tone=tone,
        headline=f"{SIGNS[tone]} {case.where()} {_HEADLINES[alert.kind](case)}",
        facts=tuple(_facts(case, telling)),
        details=telling.log_excerpt if telling is not None and tone is Tone.BROKEN else None,
        links=tuple(_links(case, telling)),
        thread=thread_of(alert),
        at=now,
    )


def thread_of(alert: Alert) -> str:
    """The same for all messages of one alert: what it is about and when it began. Short, without spaces."""
    about = hashlib.blake2s(alert.fingerprint.encode(), digest_size=8).hexdigest()
    return f"{alert.kind}-{about}-{round(alert.started_at.timestamp() * 1000)}"


def _tone(case: Case) -> Tone:
    if case.alert.state is AlertState.RESOLVED:
        return Tone.FIXED
    if case.alert.state is AlertState.CLOSED or case.alert.kind is AlertKind.BASELINE:
        return Tone.NOTE
    broken = {AlertKind.FAILURE, AlertKind.PROVIDER_UNREACHABLE}
    return Tone.BROKEN if case.alert.kind in broken else Tone.WORSE


def _build_told(case: Case) -> Build | None:
    """The build that the message is about."""
    fixed = case.over and case.reason is not Reason.FIRST
    roles = ("fixed_by", "last_failed", "fired_by") if fixed else ("last_failed", "fired_by")
    return next((build for build in map(case.build, roles) if build is not None), None)


# --- the headline, after "web / main " -------------------------------------------------------------------------


def _failure(case: Case) -> str:
    evidence = case.alert.evidence
    if case.alert.state is AlertState.CLOSED:
        return f"is no longer watched for failures: {evidence.get('closed_because', 'closed')}"
    if case.over and case.reason is Reason.FIRST:
        return f"failed ({case.number('last_failed')}) and has recovered since"
    if case.over:
        lasted = case.lasted()
        again = " on re-run" if evidence.get("flaky") and _same_build(case) else ""
        how = "has recovered" if again else "is fixed"
        return f"{how}{again} after {failures(evidence['failures'])}" + (f" ({lasted})" if lasted else "")
    still = "is still failing" if case.reason is Reason.REMINDER else "failed"
    in_a_row = evidence["in_a_row"]
    return still + (f", {nth(in_a_row)} in a row" if in_a_row > 1 else "") + headline_reason(case.build("last_failed"))


def _same_build(case: Case) -> bool:
    evidence = case.alert.evidence
    fixed = evidence["fixed_by"]
    return any(fixed["number"] == evidence[role]["number"] for role in ("first_failed", "last_failed"))


def _rate_drop(case: Case) -> str:
    evidence = case.alert.evidence
    if case.alert.state is AlertState.CLOSED:
        return f"success rate: {evidence.get('closed_because', 'closed')}"
    if case.over:
        return f"success rate is back at {evidence['recovered_rate']} % (before the drop {evidence['baseline_rate']} %)"
    return case.alert.summary


def _rate_below(case: Case) -> str:
    evidence = case.alert.evidence
    if case.alert.state is AlertState.CLOSED:
        return f"success rate: {evidence.get('closed_because', 'closed')}"
    rate = f"{evidence['rate']} % ({evidence['passed']}/{evidence['runs']} in {evidence['window']})"
    return f"success rate is back at {rate}" if case.over else f"{case.alert.summary}"


def _unreachable(case: Case) -> str:
    evidence = case.alert.evidence
    lasted = case.lasted()
    if case.alert.state is AlertState.CLOSED:
        return f"is no longer watched: {evidence.get('closed_because', 'closed')}"
    if case.over:
        return "answers again" + (f" after {lasted}" if lasted else "")
    return case.alert.summary


def _missing(case: Case) -> str:
    if case.alert.state is AlertState.CLOSED:
        return f"is no longer looked for: {case.alert.evidence.get('closed_because', 'closed')}"
    return "is there again" if case.over else "is gone: it no longer exists on the server, or was renamed"


def _baseline(case: Case) -> str:
    return case.alert.summary


_HEADLINES: Mapping[AlertKind, Callable[[Case], str]] = {
    AlertKind.FAILURE: _failure,
    AlertKind.SUCCESS_RATE_DROP: _rate_drop,
    AlertKind.SUCCESS_RATE_BELOW: _rate_below,
    AlertKind.PROVIDER_UNREACHABLE: _unreachable,
    AlertKind.PIPELINE_MISSING: _missing,
    AlertKind.BASELINE: _baseline,
}


# --- the facts -------------------------------------------------------------------------------------------------


def _facts(case: Case, told: Build | None) -> list[Fact]:
    scope, evidence = case.alert.scope, case.alert.evidence
    facts = []
    if scope.pipeline is not None:
        name = case.pipeline.name if case.pipeline is not None else scope.pipeline
        full = name if name == scope.pipeline else f"{name} ({scope.pipeline})"
        facts.append(Fact(name="Pipeline", value=full, url=case.pipeline.url if case.pipeline is not None else None))
    else:
        facts.append(Fact(name="Provider", value=scope.provider))
    branch = scope.branch or (told.branch if told is not None else None)
    if branch:
        facts.append(Fact(name="Branch", value=branch))
    if told is not None:
        facts.append(Fact(name="Build", value=_attempted(told), url=told.url))
    if "in_a_row" in evidence:
        facts.append(Fact(name="Failures", value=f"{evidence['in_a_row']} in a row"))
    facts += [Fact(name=name, value=value) for name, value in _rate_facts(case)]
    facts.append(Fact(name="Since", value=moment(case.alert.started_at, case.zone)))
    if case.over and case.alert.resolved_at is not None:
        facts.append(Fact(name="Until", value=moment(case.alert.resolved_at, case.zone)))
    if told is not None:
        facts += [Fact(name=name, value=value) for name, value in _build_facts(told) if value]
    return facts + _neighbours(case, told)


def _rate_facts(case: Case) -> list[tuple[str, str]]:
    """What the kinds other than `failure` have measured; their evidence says it in `facts`, ready to be read."""
    return [(name, str(value)) for name, value in case.alert.evidence.get("facts", {}).items()]


def _build_facts(build: Build) -> list[tuple[str, str | None]]:
    commit = short_commit(build.commit)
    tests = build.tests
    return [
        ("Commit", f"{commit} {build.title}" if commit and build.title else commit or build.title),
        ("Triggered by", " by ".join(part for part in (build.trigger, build.actor) if part)),
        ("Duration", duration(build.duration) if build.duration is not None else None),
        ("Stage", build.failing_stage),
        ("Reason", shortened(build.reason, 500)),
        ("Cause", build.bucket),
        ("Tests", f"{tests.failed} failed, {tests.passed} passed, {tests.skipped} skipped" if tests else None),
    ]


def _neighbours(case: Case, told: Build | None) -> list[Fact]:
    """The other builds that matter: where it began, the last good one, the one that fixed it."""
    facts = []
    roles = (("first_failed", "First failed"), ("last_passed", "Last good build"), ("fixed_by", "Fixed by"))
    for role, name in roles:
        build, number = case.build(role), case.number(role)
        if number is not None and (told is None or number != f"#{told.number}"):
            facts.append(Fact(name=name, value=number, url=build.url if build is not None else None))
    return facts


def _attempted(build: Build) -> str:
    return f"#{build.number}" + (f", attempt {build.attempt}" if build.attempt > 1 else "")


def _links(case: Case, told: Build | None) -> list[Link]:
    good = case.build("last_passed")
    links = []
    if told is not None and told.url:
        links.append(Link(label=f"Build #{told.number}", url=told.url))
    if good is not None and good.url and not case.over:
        links.append(Link(label=f"Last good build #{good.number}", url=good.url))
    if not links and case.pipeline is not None and case.pipeline.url:
        links.append(Link(label="Pipeline", url=case.pipeline.url))
    return links
