from datetime import UTC
from typing import Any

import pytest

from alerts.policies.routing import Subject
from alerts.policies.silence import about, broken_by, conditions, covers, holds, until
from domain.alert import AlertKind, Scope, Severity
from domain.silence import Ends, Silence
from poller.telling.subject import subject_of
from tests.support.builders import NOON, alert, minutes, pipeline


def silence(match: dict[str, Any] | None = None, **ends: Any) -> Silence:
    return Silence(match=match or {}, ends=Ends(**(ends or {"fixed": True})), reason="freeze", created_at=NOON)


def subject(**changes: Any) -> Subject:
    values = {"provider": "ci", "pipeline": "web/deploy", "name": "deploy", "branch": "main"}
    return Subject(**{**values, "kind": AlertKind.FAILURE, "severity": Severity.CRITICAL, **changes})


def test_a_silence_needs_an_end() -> None:
    with pytest.raises(ValueError, match="needs an end"):
        Ends()


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, True),
        ({"pipeline": "web/*"}, True),
        ({"pipeline": "deploy"}, True),
        ({"pipeline": "web"}, False),
        ({"branch": "release/*"}, False),
        ({"labels": {"cloud": "a*"}}, True),
        ({"labels": {"cloud": "gcp"}}, False),
        ({"kind": "duration"}, False),
        ({"provider": "ci", "pipeline": "web/*", "kind": "failure"}, True),
    ],
)
def test_it_covers_what_meets_all_conditions(match: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    assert covers(silence(match), subject(labels={"cloud": "aws"})) is expected


def test_it_holds_until_its_time_or_until_it_is_ended() -> None:
    assert holds(silence(at=minutes(10)), minutes(9.9))
    assert not holds(silence(at=minutes(10)), minutes(10))
    assert holds(silence(), minutes(100_000))
    over = Silence(match={}, ends=Ends(fixed=True), reason="freeze", created_at=NOON, ended_at=NOON)
    assert not holds(over, minutes(1))


def test_a_new_cause_breaks_through_a_silence_until_then() -> None:
    known = silence(new_bucket=True, buckets=("helm",))
    assert broken_by(known, subject(bucket="helm")) is None
    assert broken_by(known, subject()) is None
    assert broken_by(known, subject(bucket="dns")) == "a new cause: dns"
    assert broken_by(known, subject(bucket="helm"), update=True) == "a new cause or new failing tests"
    assert broken_by(silence(new_bucket=True), subject(bucket="dns")) is None  # none was known
    assert broken_by(silence(), subject(bucket="dns"), update=True) is None


def test_what_an_alert_is_about_is_its_kind_in_its_place() -> None:
    odd = alert(scope=Scope(provider="ci", pipeline="web/[x]*", branch="fix?"))
    its = silence(about(odd))
    assert covers(its, subject_of(odd, pipeline("web/[x]*")))
    assert not covers(its, subject(pipeline="web/xy", name="xy", branch="fixa"))
    assert not covers(its, subject(pipeline="web/[x]*", branch="fix?", kind=AlertKind.DURATION))


def test_a_plain_job_and_a_provider_have_no_branch() -> None:
    plain = alert(scope=Scope(provider="ci", pipeline="nightly", branch=""))
    assert covers(silence(about(plain)), subject_of(plain, None))
    server = alert(kind=AlertKind.PROVIDER_UNREACHABLE, scope=Scope(provider="ci"))
    assert about(server) == {"provider": "ci", "kind": "provider_unreachable"}


def test_an_alert_about_a_label_value_has_that_label_and_no_branch() -> None:
    cloud = alert(kind=AlertKind.WINDOW_REGRESSION, scope=Scope(provider="*", branch="cloud=aws"))
    its = subject_of(cloud, None)
    assert (its.branch, its.labels) == (None, {"cloud": "aws"})
    assert covers(silence({"labels": {"cloud": "aws"}}), its)
    assert covers(silence(about(cloud)), its)
    other = alert(kind=AlertKind.WINDOW_REGRESSION, scope=Scope(provider="*", branch="cloud=gcp"))
    assert not covers(silence(about(cloud)), subject_of(other, None))
    assert subject_of(alert(scope=Scope(provider="*", branch="team")), None).branch == "team"  # a first summary's


def test_a_silence_is_described_in_words() -> None:
    whole = silence(
        {"pipeline": "web/*", "labels": {"cloud": "aws"}}, at=minutes(30), fixed=True, build=815, new_bucket=True
    )
    assert conditions(whole) == "pipeline web/*, label cloud aws"
    assert until(whole, UTC) == (
        "until 2026-11-20 12:30 UTC, or until it is fixed, or until build 815 has passed or failed, "
        "or until something else is wrong"
    )
    assert conditions(silence()) == "everything"
