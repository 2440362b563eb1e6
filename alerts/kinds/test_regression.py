"""The kind `test_regression`: tests fail that did not fail before, or a report that must be there is not.

Sets are compared, never counts: which tests fail now, and which of them did before. One card a stream. What a
`failure` alert of the stream tells is not told twice: its card shows the new tests. A build that failed before its
tests says nothing of them, and so hides what it might hide. Known-flaky tests alone are no news.

    decide_test_regression(
        scope=scope, tests=TestStand | None, checked=Checked | None, stored=alerts of the stream,
        failing=whether a failure alert fires on it, watched_since=...,
    ) -> tuple[Decision, ...]

Who has read a build's report records it (`store.tests.record`) and has its stream judged
(`poller.intake.judging.judge_streams`, with the build among `Line.fresh`): that finds `tests`. What `require` asks
for and a build did not leave goes in as `Line.checked`, for builds that passed, or failed after their tests.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from alerts.decision import Decision, Order, continued, ended, firing, opened, order, order_of, reference, resolved
from alerts.wording import plural
from domain.alert import Alert, AlertKind, Scope, Severity
from domain.build import Verdict
from domain.testhistory import Checked, TestFate, TestStand
from domain.testreport import Test

KIND = AlertKind.TEST_REGRESSION

Evidence = dict[str, Any]

_KEPT = 200  # tests that an alert remembers; beyond that no test is new to it
_STILL = frozenset({TestFate.FAILING, TestFate.UNKNOWN})
_ENDS = {"fixed": TestFate.FIXED, "skipped": TestFate.SKIPPED, "vanished": TestFate.VANISHED}
_GAP = ("missing", "unreadable", "reason", "fired_by")
_NEVER = (-1, -1)


def decide_test_regression(
    *,
    scope: Scope,
    tests: TestStand | None,
    checked: Checked | None,
    stored: Sequence[Alert],
    failing: bool,
    watched_since: datetime,
) -> tuple[Decision, ...]:
    """What becomes of the alert of one stream.

    Args:
        scope: provider, pipeline and branch.
        tests: what is known after its newest build that says anything of its tests, with the fates of the tests
            that are `remembered`; None: nothing new is known.
        checked: a build whose files were looked for; None: none was.
        stored: the stream's alerts.
        failing: whether a `failure` alert fires on the stream, which tells the new tests itself.
        watched_since: what finished until then is baseline, and told in the summary of what was failing.
    """
    current = firing(stored, KIND)
    news = _news(tests, stored, failing=failing, watched_since=watched_since)
    if current is not None:
        return _follow(current, tests, checked, news)
    over = ended(stored, KIND)
    evidence: Evidence = {}
    if tests is not None and news and not _is_told(over, tests, news):
        evidence |= _with_tests({}, tests, news)
    if checked is not None and checked.finished_at > watched_since and not _is_past(over, checked):
        evidence |= _gap(checked)
    if not evidence:
        return ()
    began = [each.finished_at for each in (tests, checked) if each is not None and each.build_id in _ids(evidence)]
    passed = tests is not None and tests.verdict is Verdict.PASSED and "fired_by" not in evidence
    severity = Severity.WARNING if passed else Severity.CRITICAL
    return (opened(KIND, scope, at=min(began), summary=_summary(evidence), evidence=evidence, severity=severity),)


def remembered(stored: Sequence[Alert]) -> tuple[Test, ...]:
    """The tests whose fate the alert that fires depends on."""
    current = firing(stored, KIND)
    return () if current is None else named(current.evidence, "tests")


def named(evidence: Mapping[str, Any], key: str) -> tuple[Test, ...]:
    """Tests as evidence names them: `tests` (all), `still`, `new`, `fixed`, `skipped`, `vanished`."""
    return tuple((suite, name) for suite, name in evidence.get(key, ()))


def _news(
    tests: TestStand | None, stored: Sequence[Alert], *, failing: bool, watched_since: datetime
) -> tuple[Test, ...]:
    """The tests whose failing is news that nobody else tells."""
    if tests is None or tests.finished_at <= watched_since:
        return ()
    told = any(order_of(each, "last_failed") == order(tests) for each in stored if each.kind is AlertKind.FAILURE)
    if tests.verdict is Verdict.FAILED and (failing or told):
        return ()
    return tuple(test for test in tests.changes.newly_failing if test not in tests.known_flaky)


def _is_told(over: Sequence[Alert], tests: TestStand, news: Sequence[Test]) -> bool:
    """Whether an alert that is over has dealt with a later build, or with this one and these tests."""
    place = order(tests)
    return any(
        place < _end(alert) or (place == _end(alert) and set(news) <= set(named(alert.evidence, "tests")))
        for alert in over
    )


def _is_past(over: Sequence[Alert], checked: Checked) -> bool:
    """Whether an alert that is over has dealt with this build, or a later one."""
    return any(order(checked) <= _end(alert) for alert in over)


def _end(alert: Alert) -> Order:
    """The newest build that an alert has judged."""
    places = (order_of(alert, role) for role in ("first_failed", "last_failed", "fired_by", "fixed_by"))
    return max((place for place in places if place is not None), default=_NEVER)


def _follow(
    alert: Alert, tests: TestStand | None, checked: Checked | None, news: Sequence[Test]
) -> tuple[Decision, ...]:
    """What has become of an alert that was firing. What an older build says, and comes late, changes nothing."""
    before: Evidence = dict(alert.evidence)
    evidence, judges = before, list[TestStand | Checked]()
    if tests is not None and order(tests) >= (order_of(alert, "last_failed") or _NEVER):
        evidence = _with_tests(evidence, tests, news)
        judges.append(tests)
    if checked is not None and order(checked) >= (order_of(alert, "fired_by") or _NEVER):
        evidence = {key: value for key, value in evidence.items() if key not in _GAP} | _gap(checked)
        judges.append(checked)
    if not judges:
        return ()
    summary = _summary(evidence)
    if evidence.get("still") or "fired_by" in evidence:
        heard = {*named(before, "tests")}
        is_news = any(test not in heard for test in named(evidence, "tests")) or bool(_what(evidence) - _what(before))
        grown = evidence.get("still") != before.get("still")
        return continued(alert, summary=summary, evidence=evidence, grown=grown, news=is_news)
    last = max(judges, key=order)
    evidence["fixed_by"] = reference(last)
    return (resolved(alert, at=last.finished_at, summary=_summary(evidence), evidence=evidence),)


def _with_tests(before: Evidence, tests: TestStand, news: Sequence[Test]) -> Evidence:
    """The evidence after a build: what has become of the tests it names, and those that are new."""
    known = named(before, "tests")
    countless = len(known) >= _KEPT
    new = () if countless else tuple(test for test in news if test not in set(known))
    if not known and not new:
        return before
    fates = {test: tests.fates.get(test, TestFate.UNKNOWN) for test in known}
    still = {*(test for test, fate in fates.items() if fate in _STILL), *new}
    if countless:
        still.update(tests.changes.failing)
    evidence: Evidence = {key: value for key, value in before.items() if key not in _ENDS}
    evidence |= {
        "tests": _listed({*known, *new}),
        "still": _listed(still),
        "failing": len(still),
    }
    for key, end in _ENDS.items():
        if ended_so := [test for test, fate in fates.items() if fate is end]:
            evidence[key] = _listed(ended_so)
    if new:
        evidence["new"] = _listed(new)
    if new or TestFate.FAILING in fates.values():
        evidence |= {"last_failed": reference(tests)}
        evidence.setdefault("first_failed", reference(tests))
    return evidence


def _listed(tests: Sequence[Test] | set[Test]) -> list[list[str]]:
    return [list(test) for test in sorted(tests)[:_KEPT]]


def _gap(checked: Checked) -> Evidence:
    """What evidence says of the first file that is not as it must be; nothing when all are."""
    if not checked.gaps:
        return {}
    gap = checked.gaps[0]
    what = {"missing": gap.artifact} if gap.reason is None else {"unreadable": gap.artifact, "reason": gap.reason}
    return {**what, "fired_by": reference(checked)}


def _what(evidence: Evidence) -> set[tuple[str, str]]:
    """What is missing or unreadable."""
    return {(key, evidence[key]) for key in ("missing", "unreadable") if key in evidence}


def _ids(evidence: Evidence) -> set[int]:
    return {evidence[role]["id"] for role in ("last_failed", "fired_by") if role in evidence}


def _summary(evidence: Evidence) -> str:
    if "fixed_by" in evidence:
        ends = ", ".join(f"{len(evidence[key])} {key}" for key in _ENDS if key in evidence)
        return f"{ends or 'its report is there again'} by #{evidence['fixed_by']['number']}"
    parts = [f"{what} is {key}" for key, what in sorted(_what(evidence))]
    if evidence.get("still"):
        failing = evidence["failing"]
        since = evidence["first_failed"]["number"]
        parts.append(f"{plural(failing, 'test')} {'fails' if failing == 1 else 'fail'} since #{since}")
    return ", ".join(reversed(parts))
