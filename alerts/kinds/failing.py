"""The kind `failure`: so many failed builds in a row on one stream.

The state is a pure fold over the settled verdicts in the provider's order, so the order in which builds arrive
cannot change it. An alert keeps the `after` that it fired with: changing the threshold while it fires neither
fires again nor leaves it behind.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from alerts.decision import Decision, closed, continued, decision, ended, firing, order, order_of, reference, resolved
from alerts.rules import FailureRule
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity
from domain.build import Verdict
from domain.stream import Settled, Signature

KIND = AlertKind.FAILURE

_ENOUGH_TO_ADAPT = 20  # builds
_MOST = 5  # failures in a row that `after: auto` may ask for
_DAYS_A_MONTH = 30.0
_TESTS_KEPT = 200  # failing tests that an alert remembers; beyond that no test is new to it
_NEW_TESTS_SHOWN = 5


@dataclass(slots=True)
class Episode:
    """A time of failing: from the first failure of the streak that was long enough to the pass that ended it."""

    failures: list[Settled]
    in_a_row: int  # failures in the streak that ends with the last failure
    last_passed: Settled | None  # the build before the first failure
    fixed_by: Settled | None = None  # the pass that ended it; None while it goes on
    passes: int = field(default=0, repr=False)  # in a row since the last failure


def episodes(tail: Sequence[Settled], *, after: int, resolve_after: int) -> list[Episode]:
    """Every time of failing in a stream, oldest first: `after` failures begin one, `resolve_after` passes end it."""
    found: list[Episode] = []
    streak: Episode | None = None  # becomes an episode when it is long enough
    last_passed: Settled | None = None
    failed = Verdict.FAILED  # looking it up on the enumeration would take most of the time
    for settled in tail:
        if settled.verdict is failed:
            if streak is None:
                streak = Episode(failures=[], in_a_row=0, last_passed=last_passed)
            streak.in_a_row = 1 if streak.passes else streak.in_a_row + 1
            streak.passes = 0
            streak.failures.append(settled)
            if len(streak.failures) == after:
                found.append(streak)
            continue
        last_passed = settled
        if streak is not None:
            streak.passes += 1
            if len(streak.failures) < after:
                streak = None
            elif streak.passes == resolve_after:
                streak.fixed_by, streak = settled, None
    return found


def threshold(rule: FailureRule, tail: Sequence[Settled]) -> int:
    """`after` as a number. `auto`: the smallest n up to 5 with (failure rate)^n * (builds a month) <= 1.

    The streak that is going on does not count towards the failure rate: it is what is being judged.
    """
    if rule.after != "auto":
        return rule.after
    end = len(tail)
    while end and tail[end - 1].verdict is Verdict.FAILED:
        end -= 1
    past = tail[:end]
    if len(past) < _ENOUGH_TO_ADAPT:
        return 1
    failed = sum(settled.verdict is Verdict.FAILED for settled in past)
    if not failed:
        return 1
    days = max((past[-1].finished_at - past[0].finished_at).total_seconds() / 86400, 1.0)
    needed = math.log(days / (_DAYS_A_MONTH * len(past))) / math.log(failed / len(past))
    return min(max(math.ceil(needed - 1e-9), 1), _MOST)


def decide_failure(
    *,
    scope: Scope,
    tail: Sequence[Settled],
    stored: Sequence[Alert],
    rule: FailureRule,
    watched_since: datetime,
    now: datetime,
    fresh: Collection[int] | None,
    signatures: Mapping[int, Signature] | None = None,
) -> tuple[Decision, ...]:
    """First what becomes of the alert that is firing, then whether a new one is due.

    `signatures` tell by build id what failures look like, as far as that is known: one that differs from all that
    people were told is news.
    """
    current = firing(stored, KIND)
    decisions: tuple[Decision, ...] = ()
    if current is not None:
        decisions = _follow(current, tail, rule, signatures or {}, now)
        current = decisions[0].alert if decisions else current
        if current.state is AlertState.FIRING:
            return decisions
    over = [*ended(stored, KIND), *([current] if current is not None else [])]
    after = threshold(rule, tail)
    found = episodes(tail, after=after, resolve_after=rule.resolve_after)
    new = _discovered(scope, found, over, after=after, watched_since=watched_since, fresh=fresh)
    return decisions + tuple(_with_looks(each, signatures or {}) for each in new)


def _follow(
    alert: Alert, tail: Sequence[Settled], rule: FailureRule, signatures: Mapping[int, Signature], now: datetime
) -> tuple[Decision, ...]:
    """What has become of an alert that was firing. The threshold it fired with decides whether it still stands."""
    if not tail:
        return ()
    absent = _absent(alert, tail)
    line = sorted([*tail, *absent], key=order) if absent else tail
    after = 1 if absent else alert.evidence["after"]
    own = [each for each in episodes(line, after=after, resolve_after=rule.resolve_after) if _touch(each, alert)]
    if not own:
        return _unsupported(alert, tail, now)
    episode = own[-1]
    evidence = _evidence(episode, after=alert.evidence["after"]) | _kept(alert, episode, tail)
    newest = evidence["last_failed"]["id"]
    looks, news = _looks(alert.evidence, newest, signatures.get(newest))
    evidence |= looks
    if episode.fixed_by is None:
        grown = evidence["last_failed"] != alert.evidence.get("last_failed")
        return continued(alert, summary=_summary(evidence), evidence=evidence, grown=grown, news=news)
    return (resolved(alert, at=episode.fixed_by.finished_at, summary=_summary(evidence), evidence=evidence),)


def _touch(episode: Episode, alert: Alert) -> bool:
    """Whether the episode shares builds with what the alert knows of; late builds may have cut or stretched it."""
    first, last = order_of(alert, "first_failed"), order_of(alert, "last_failed")
    return (
        first is not None
        and last is not None
        and order(episode.failures[0]) <= last
        and order(episode.failures[-1]) >= first
    )


def _unsupported(alert: Alert, tail: Sequence[Settled], now: datetime) -> tuple[Decision, ...]:
    """The builds that an alert fired for no longer make a streak: re-run and passed, or a late pass lies between.

    With `after` above 1 a late pass can take the ground from under an alert while the newest build is a failure.
    Then nothing was fixed, and the alert is closed with just these words.
    """
    first, last = order_of(alert, "first_failed"), order_of(alert, "last_failed")
    known = [each for each in tail if first is not None and last is not None and first <= order(each) <= last]
    if not any(each.verdict is Verdict.FAILED for each in known):
        fixed_by = max(known, key=lambda each: each.finished_at, default=tail[-1])
    elif tail[-1].verdict is Verdict.PASSED:
        fixed_by = tail[-1]
    else:
        return (closed(alert, because=f"never {alert.evidence['after']} in a row, a late build passed", at=now),)
    ending = {"fixed_by": reference(fixed_by), "flaky": fixed_by.flaky, "withdrawn": True}
    evidence = dict(alert.evidence) | ending
    return (resolved(alert, at=fixed_by.finished_at, summary=_summary(evidence), evidence=evidence),)


def _discovered(
    scope: Scope,
    found: Sequence[Episode],
    over: Sequence[Alert],
    *,
    after: int,
    watched_since: datetime,
    fresh: Collection[int] | None,
) -> tuple[Decision, ...]:
    """A new alert for the episode that goes on; failing that, one for the newest that came and went unseen."""
    if not found:
        return ()
    newest = found[-1]
    if newest.fixed_by is None:
        if any(_knows(alert, newest) for alert in over):
            return ()
        baseline = _before(newest, watched_since)
        new = _alert(scope, newest, after=after, baseline=baseline)
        return (decision(new, None if baseline else Reason.FIRST, baseline=baseline),)
    unseen = [each for each in found if _is_news(each, over, fresh) and not _before(each, watched_since)]
    if not unseen:
        return ()
    return (decision(_alert(scope, unseen[-1], after=after, baseline=False), Reason.FIRST),)


def _knows(alert: Alert, episode: Episode) -> bool:
    """Whether an alert that is over has dealt with all that an open episode consists of.

    So it is when `resolve_after` was raised behind it. A failure later than those it knew of is news, and an
    alert that lost its ground proves nothing.
    """
    if alert.evidence.get("withdrawn"):
        return False
    last, fixed_by = order_of(alert, "last_failed"), order_of(alert, "fixed_by")
    newest = order(episode.failures[-1])
    return last is not None and fixed_by is not None and newest <= last and newest < fixed_by


def _is_news(episode: Episode, over: Sequence[Alert], fresh: Collection[int] | None) -> bool:
    """Whether nobody heard of an episode that is closed already.

    Known is what an alert covered. Beyond that, one of its failures must have arrived just now; without this
    knowledge, everything older than the newest alert is taken as known.
    """
    start, end = order(episode.failures[0]), order(episode.failures[-1])
    if fresh is not None and not any(failed.build_id in fresh for failed in episode.failures):
        return False
    for alert in over:
        first = order_of(alert, "first_failed")
        last = order_of(alert, "fixed_by") or order_of(alert, "last_failed")
        if first is not None and last is not None and start <= last and (fresh is None or end >= first):
            return False
    return True


def _before(episode: Episode, watched_since: datetime) -> bool:
    """Whether all its failures are older than our acquaintance with the pipeline."""
    return all(failed.finished_at <= watched_since for failed in episode.failures)


def _alert(scope: Scope, episode: Episode, *, after: int, baseline: bool) -> Alert:
    evidence = _evidence(episode, after=after) | ({"baseline": True} if baseline else {})
    started_at = episode.failures[0].finished_at
    over = episode.fixed_by is not None
    return Alert(
        kind=KIND,
        scope=scope,
        severity=Severity.CRITICAL,
        state=AlertState.RESOLVED if over else AlertState.FIRING,
        started_at=started_at,
        resolved_at=max(episode.fixed_by.finished_at, started_at) if episode.fixed_by else None,
        summary=_summary(evidence),
        evidence=evidence,
    )


def _evidence(episode: Episode, *, after: int) -> dict[str, Any]:
    evidence: dict[str, Any] = {
        "after": after,
        "in_a_row": episode.in_a_row,
        "failures": len(episode.failures),
        "first_failed": reference(episode.failures[0]),
        "last_failed": reference(episode.failures[-1]),
    }
    if episode.last_passed is not None:
        evidence["last_passed"] = reference(episode.last_passed)
    if episode.fixed_by is not None:
        evidence |= {"fixed_by": reference(episode.fixed_by), "flaky": episode.fixed_by.flaky}
    return evidence


def _looks(told: Mapping[str, Any], build_id: int, signature: Signature | None) -> tuple[dict[str, Any], bool]:
    """What evidence says of how the failures look, and whether the newest one looks like none that was told.

    What was unknown until now, because details come later, is no news; nor is what the same build looks like after
    all. What an alert has looked like before is none either: two causes that take turns would never end.
    """
    keys = ("bucket", "buckets", "bucket_of", "tests", "new_tests", "tests_of")
    looks = {key: told[key] for key in keys if key in told}
    news = False
    if signature is not None and signature.bucket is not None:
        again = looks.get("bucket_of") == build_id and looks.get("bucket") != signature.bucket
        known = [each for each in looks.get("buckets", ()) if not (again and each == looks.get("bucket"))]
        news = bool(known) and not again and signature.bucket not in known
        looks |= {"bucket": signature.bucket, "buckets": list(dict.fromkeys([*known, signature.bucket]))}
        looks["bucket_of"] = build_id
    if signature is not None and signature.tests is not None:
        failing = set(looks.get("tests", signature.tests))
        new = signature.tests - failing if len(failing) < _TESTS_KEPT else frozenset()
        if new and looks.get("tests_of") != build_id:
            news, looks["new_tests"] = True, sorted(new)[:_NEW_TESTS_SHOWN]
        looks["tests"] = sorted(failing | new)[:_TESTS_KEPT]
        looks["tests_of"] = build_id
    return looks, news


def _with_looks(new: Decision, signatures: Mapping[int, Signature]) -> Decision:
    """With what the newest failure of a new alert looks like."""
    newest = new.alert.evidence["last_failed"]["id"]
    looks, _ = _looks({}, newest, signatures.get(newest))
    return replace(new, alert=replace(new.alert, evidence={**new.alert.evidence, **looks})) if looks else new


def _kept(alert: Alert, episode: Episode, tail: Sequence[Settled]) -> dict[str, Any]:
    """What the alert remembers of its episode from before the beginning of the tail."""
    kept = {"baseline": True} if alert.evidence.get("baseline") else {}
    if episode.last_passed is None and "last_passed" in alert.evidence:
        kept["last_passed"] = alert.evidence["last_passed"]
    first, last = order_of(alert, "first_failed"), order_of(alert, "last_failed")
    if first is None or last is None or first >= order(tail[0]):
        return kept
    new = sum(order(failed) > last for failed in episode.failures)
    unbroken = episode.in_a_row == len(episode.failures)
    return kept | {
        "failures": alert.evidence["failures"] + new,
        "in_a_row": alert.evidence["in_a_row"] + new if unbroken else episode.in_a_row,
        "last_failed": reference(episode.failures[-1]) if new else alert.evidence["last_failed"],
    }


def _absent(alert: Alert, tail: Sequence[Settled]) -> list[Settled]:
    """The first and the last failure that an alert knows of, where they are not in the tail.

    The tail reaches back only so far, and a build that is run again, and its server counts no attempts, has no
    verdict meanwhile. Neither is a reason to fall silent: the alert remembers them as failures.
    """
    present = {order(settled) for settled in tail}
    named = {order_of(alert, role): alert.evidence[role]["id"] for role in ("first_failed", "last_failed")}
    return [
        Settled(
            generation=place[0],
            number=place[1],
            verdict=Verdict.FAILED,
            finished_at=alert.started_at,
            build_id=build_id,
            attempt=1,
            flaky=False,
        )
        for place, build_id in named.items()
        if place is not None and place not in present
    ]


def _summary(evidence: dict[str, Any]) -> str:
    failures, first = evidence["failures"], evidence["first_failed"]["number"]
    if "fixed_by" in evidence:
        return f"{failures} failed since #{first}, fixed by #{evidence['fixed_by']['number']}"
    return f"{evidence['in_a_row']} failed in a row since #{first}"
