"""A message of every sort, about pipelines that do not exist: for `test-channel`, `check` and tests."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from alerts.writing.background import Background
from alerts.writing.message import baseline_message, compose
from alerts.writing.sample_summaries import digest, group, group_over, started, storm
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity
from domain.build import Build, Outcome, Pipeline, Status
from domain.details import Changes, Commit
from domain.message import Message
from domain.testreport import TestCase, TestReport, TestStatus

_WEB = Pipeline(
    provider="github",
    key="acme/web/.github/workflows/deploy.yml",
    name="web",
    url="https://github.com/acme/web/actions/workflows/deploy.yml",
)
_LOG = """\
Release "web" does not exist. Installing it now.
Pulled: registry.example.com/charts/web:4.2.0
Digest: sha256:9f2c1e7a
creating 14 resource(s)
beginning wait for 14 resources with timeout of 5m0s
Deployment is not ready: web/api. 0 out of 3 expected pods are ready
Error: INSTALLATION FAILED: timed out waiting for the condition
helm.go:84: [debug] timed out waiting for the condition
INSTALLATION FAILED
    helm.sh/helm/v3/cmd/helm/install.go:154
##[error]Process completed with exit code 1."""
_Given = tuple[AlertKind, str, Mapping[str, Any]]
_AWKWARD = '"quotes" & <tags> {{ braces }} \\ `ticks` | bars\nsecond line 🔥 <!channel> *bold*'


def sample_messages(now: datetime, zone: tzinfo = UTC) -> tuple[Message, Message]:
    """A firing and its resolved message in one thread, marked as a test: what `test-channel` sends."""
    firing, resolved = _failure(now, zone)
    return _marked(firing), _marked(resolved)


def samples(now: datetime, zone: tzinfo = UTC) -> Mapping[str, Message]:
    """A message of every kind of alert, firing and over, and of every summary, by name."""
    firing, resolved = _failure(now, zone)
    found: dict[str, Message] = {"failure": firing, "failure_resolved": resolved}
    for alert in _alerts(now):
        known = alert.scope.pipeline is not None
        pipeline = _WEB if known else None
        builds = {11: _build(812, Outcome.FAILURE, now), 12: _build(813, Outcome.SUCCESS, now)} if known else {}
        over = replace(alert, state=AlertState.RESOLVED, resolved_at=now, transition=2, evidence=_over(alert))
        over = replace(over, summary=_ENDS.get(alert.kind, alert.summary))
        for name, each, reason in (
            (alert.kind, alert, Reason.FIRST),
            (f"{alert.kind}_resolved", over, Reason.RESOLVED),
        ):
            found[name] = compose(each, reason, pipeline=pipeline, builds=builds, now=now, zone=zone)
    return found | {
        "baseline": baseline_message([_failure_alert(now)], {_WEB.key: _WEB}, now),
        "started": started(now),
        "group": group(now),
        "group_resolved": group_over(now),
        "storm": storm(now),
        "digest": digest(now, zone),
        "awkward": _awkward(firing),
    }


def _failure(now: datetime, zone: tzinfo) -> tuple[Message, Message]:
    failed, passed = _build(812, Outcome.FAILURE, now), _build(813, Outcome.SUCCESS, now)
    good = replace(_build(810, Outcome.SUCCESS, now), commit="89abcdef0123456789abcdef0123456789abcdef")
    builds = {9: good, 10: _build(811, Outcome.FAILURE, now), 11: failed, 12: passed}
    firing = _failure_alert(now)
    resolved = replace(
        firing,
        state=AlertState.RESOLVED,
        resolved_at=now,
        transition=2,
        evidence={**firing.evidence, "fixed_by": _of(12)},
    )
    background = Background(
        usual_duration=timedelta(minutes=4, seconds=10),
        bucket_class="infra",
        seen_in_7_days=3,
        failing_before=frozenset({("web.api", "test_health")}),
        changes=Changes(
            commits=(
                Commit(id="0123456789abcdef0123", title="Raise the memory limit", author="Ada"),
                Commit(id="4c5d6e7f8091a2b3c4d5", title="Retry the login on a timeout", author="Grace"),
            ),
            total=2,
        ),
    )
    fired = compose(firing, Reason.FIRST, pipeline=_WEB, builds=builds, now=now, zone=zone, background=background)
    return fired, compose(resolved, Reason.RESOLVED, pipeline=_WEB, builds=builds, now=now, zone=zone)


def _failure_alert(now: datetime) -> Alert:
    return Alert(
        kind=AlertKind.FAILURE,
        scope=Scope(provider=_WEB.provider, pipeline=_WEB.key, branch="main"),
        severity=Severity.CRITICAL,
        state=AlertState.FIRING,
        started_at=now - timedelta(hours=2, minutes=10),
        summary="2 failures in a row since #811",
        evidence={
            "after": 1,
            "in_a_row": 2,
            "failures": 2,
            "first_failed": _of(10),
            "last_failed": _of(11),
            "last_passed": _of(9),
        },
    )


def _alerts(now: datetime) -> list[Alert]:
    """One of each kind besides failure, with the evidence that its rule gives."""
    given = [*_rates(now), *_courses(now), *_of_the_daemon()]
    return [_alert(kind, summary, evidence, now - timedelta(hours=2)) for kind, summary, evidence in given]


def _rates(now: datetime) -> Iterator[_Given]:
    rate = {"passed": 17, "runs": 25, "baseline_passed": 188, "baseline_runs": 200}
    window = {"start": (now - timedelta(days=1)).isoformat(), "end": now.isoformat()}
    yield (
        AlertKind.SUCCESS_RATE_DROP,
        "success rate 94 % → 68 % (17/25 since #788; baseline 188/200), started between #785 and #788",
        rate | {"fired_by": _of(11), "onset": _of(-13)},
    )
    yield (
        AlertKind.SUCCESS_RATE_BELOW,
        "success rate 68 % (17/25) in the last 24 h, the line is 90 %",
        {"passed": 17, "runs": 25, "window": "the last 24 h", "line": 90.0, "fired_by": _of(11)},
    )
    yield (
        AlertKind.WINDOW_REGRESSION,
        "success rate 68 % (17/25) in the day, 94 % (188/200) in the 14 days before",
        rate
        | {"window": window, "day": "2026-11-20", "baseline_windows": 14, "phi": 1.4, "windows_since": 0}
        | {"z": -4.2, "points": 26.0},
    )


def _courses(now: datetime) -> Iterator[_Given]:
    three_hours_ago, a_day_ago = (now - timedelta(hours=count) for count in (3, 26))
    yield (
        AlertKind.DURATION,
        "takes 14 m, 40 % longer than 10 m before (the last 5 builds that passed, the 30 before), since #788",
        {"measure": "execution", "before": 600.0, "after": 840.0, "at_firing": 840.0, "builds_before": 30, "p": 1e-4}
        | {"stage": None, "onset": _of(-13), "fired_by": _of(11)},
    )
    yield (
        AlertKind.STALE,
        "no build for 26 h, expected every 24 h: the workflow is disabled",
        {"expected": "every 24 h", "due": now.isoformat(), "grace_seconds": 7200.0, "waited": "26 h"}
        | {"because": "the workflow is disabled", "since": a_day_ago.isoformat(), "last_build": _of(9)},
    )
    stuck = {**_of(11), "status": "running", "since": three_hours_ago.isoformat()}
    yield (
        AlertKind.STUCK,
        "#812 has been running for 3 h",
        {"builds": [stuck], "longest_seconds": 1500.0, "fired_by": _of(11)},
    )
    yield (
        AlertKind.FLAPPING,
        "changed sides 9 times in 20 builds, 8 failed",
        {"changes": 9, "builds": 20, "failed": 8, "onset": _of(-13), "fired_by": _of(11)},
    )
    yield (
        AlertKind.NO_VERDICT,
        "3 builds in a row neither passed nor failed (cancelled, skipped)",
        {"in_a_row": 3, "words": "cancelled, skipped", "onset": _of(9), "fired_by": _of(11)},
    )
    new, other = ["web.api", "test_health"], ["web.api", "test_login"]
    yield (
        AlertKind.TEST_REGRESSION,
        "2 tests fail since #812",
        {"tests": [new, other], "still": [new, other], "new": [new, other], "failing": 2}
        | {"first_failed": _of(11), "last_failed": _of(11)},
    )
    yield AlertKind.PIPELINE_MISSING, "is gone", {}


def _of_the_daemon() -> Iterator[_Given]:
    yield (
        AlertKind.PROVIDER_UNREACHABLE,
        "does not answer; 7 pipelines frozen",
        {"trouble": "timeout", "text": "no answer within 30 s", "failures": 4, "frozen": 7},
    )
    yield (
        AlertKind.DELIVERY_FAILED,
        "takes no messages",
        {"channel": "team", "error": "invalid_auth", "given_up": 0},
    )
    yield (
        AlertKind.CONFIGURATION_BROKEN,
        "config.yaml is broken, the old configuration stays in use",
        {"problems": 'config.yaml:12:3: unknown key "chanels", did you mean "channels"?'},
    )


_OF_THE_DAEMON = frozenset({AlertKind.DELIVERY_FAILED, AlertKind.CONFIGURATION_BROKEN})
_ENDS = {
    AlertKind.DELIVERY_FAILED: "takes messages again",
    AlertKind.CONFIGURATION_BROKEN: "config.yaml is valid again and in use",
}


def _alert(kind: AlertKind, summary: str, evidence: Mapping[str, Any], started_at: datetime) -> Alert:
    scope = Scope(provider=_WEB.provider, pipeline=_WEB.key, branch="main")
    if kind is AlertKind.PROVIDER_UNREACHABLE or kind in _OF_THE_DAEMON:
        channel = "team" if kind is AlertKind.DELIVERY_FAILED else None
        scope = Scope(provider="buildwatch" if kind in _OF_THE_DAEMON else _WEB.provider, branch=channel)
    return Alert(
        kind=kind,
        scope=scope,
        severity=Severity.WARNING,
        state=AlertState.FIRING,
        started_at=started_at,
        summary=summary,
        evidence=evidence,
    )


def _over(alert: Alert) -> Mapping[str, Any]:
    ended: dict[str, Any] = {} if alert.scope.pipeline is None else {"ended_by": _of(12)}
    if alert.kind is AlertKind.STUCK:
        over = [{**each, "ended": "passed after 3 h 5 m"} for each in alert.evidence["builds"]]
        ended |= {"builds": over, "ended": over}
    if alert.kind is AlertKind.TEST_REGRESSION:
        ended |= {"fixed": alert.evidence["still"], "still": []}
    return {**alert.evidence, **ended}


def _of(identity: int) -> dict[str, int]:
    return {"id": identity, "number": 801 + identity, "generation": 0}


def _build(number: int, outcome: Outcome, now: datetime) -> Build:
    failed = outcome is Outcome.FAILURE
    failing = [TestCase(suite="web.api", name=name, status=TestStatus.FAILED) for name in ("test_health", "test_login")]
    return Build(
        pipeline=_WEB,
        external_id=str(number),
        number=number,
        attempt=2 if failed else 1,
        status=Status.FINISHED,
        outcome=outcome,
        branch="main",
        commit="0123456789abcdef0123456789abcdef01234567",
        title="Raise the memory limit",
        trigger="push",
        actor="ada",
        started_at=now - timedelta(minutes=6),
        finished_at=now - timedelta(minutes=1),
        url=f"https://github.com/acme/web/actions/runs/{number}",
        failing_stage="Deploy" if failed else None,
        bucket="helm-timeout" if failed else None,
        reason="Helm install failed" if failed else None,
        log_excerpt=_LOG if failed else None,
        tests=TestReport(passed=418, failed=2, skipped=4, cases=tuple(failing)) if failed else None,
        id=number - 801,
    )


def _awkward(message: Message) -> Message:
    """With what names may hold, where names are."""
    facts = tuple(replace(fact, value=_AWKWARD) for fact in message.facts)
    return replace(message, headline=f"{message.headline} {_AWKWARD}", facts=facts, details=_AWKWARD)


def _marked(message: Message) -> Message:
    """So that nobody takes it for real."""
    return replace(message, headline=f"{message.headline} (a test of this channel; nothing is wrong)")
