"""The kind `duration`: the builds that pass take longer than they did, or wait longer before they start.

They are compared after each build, and so chance is given many chances: what is told at once is beyond doubt, and
else the next two builds that pass must say the same.

While an alert fires, the times from before are frozen in its evidence. It ends when half of the increase is gone, and
is closed when the builds have taken so long a hundred times: then that is normal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from alerts.decision import Decision, Order, closed, continued, ended, firing, opened, order_of, reference, resolved
from alerts.kinds.mannwhitney import p_greater
from alerts.rules import DurationRule
from alerts.wording import duration
from domain.alert import Alert, AlertKind, Scope
from domain.build import Verdict
from domain.stream import Settled
from domain.timed import Timed

KIND = AlertKind.DURATION
RECENT = 5  # builds whose median is compared
BEFORE = 30  # with that of so many before them
ENOUGH = 20  # of which there must be at least so many
_LOOKS = 3  # at the newest builds after each of so many, where chance is possible
WANTED = RECENT + BEFORE + _LOOKS - 1  # builds that a decision looks at

_SURE = 50  # so many times less likely than it must be, and the first look is enough
_REBASE = 100  # builds that passed after which the longer time is the new normal
_MEASURES = ("execution", "queue")  # from start to end; from queueing to start


def decide_duration(
    *,
    scope: Scope,
    timed: Sequence[Timed],
    tail: Sequence[Settled],
    stored: Sequence[Alert],
    rule: DurationRule,
    hidden: bool,
    watched_since: datetime,
    now: datetime,
) -> tuple[Decision, ...]:
    """Follow the increase that was told, or look for a new one.

    Args:
        scope: the stream.
        timed: its newest builds that passed, oldest first; `WANTED` of them are enough.
        tail: its newest settled verdicts, oldest first.
        stored: its alerts.
        rule: how much longer is too long.
        hidden: the stream is failing. Then no alert opens; one that is open already goes on.
        watched_since: what finished until then is baseline.
        now: aware UTC.
    """
    current = firing(stored, KIND)
    if current is not None:
        return _follow(current, timed, tail, now)
    if hidden:
        return ()
    since = max((end for alert in ended(stored, KIND) if (end := order_of(alert, "ended_by"))), default=None)
    for measure in _MEASURES:
        measured = _measured(measure, timed)
        increase = _told(measured, rule, since)
        if increase is not None:
            before = [each for each in measured if each[0].finished_at <= watched_since]
            baseline = _increase(before[-RECENT:], before[:-RECENT], rule, since) is not None
            return (_opened(scope, measure, increase, baseline=baseline),)
    return ()


def _measured(measure: str, timed: Sequence[Timed]) -> list[tuple[Timed, float]]:
    """The builds whose time is known, and this time in seconds."""
    return [
        (each, seconds)
        for each in timed
        if (seconds := each.execution if measure == "execution" else each.queue) is not None
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Increase:
    """Builds take longer. Times in seconds."""

    before: float
    after: float
    builds_before: int
    p: float
    onset: Timed
    newest: Timed


def _told(measured: Sequence[tuple[Timed, float]], rule: DurationRule, since: Order | None) -> _Increase | None:
    """The increase, once it is certain enough to be told.

    The looks before the last one compare with the same builds as the last: what is slow since does not count as usual.
    """
    increase = _increase(measured[-RECENT:], measured[:-RECENT], rule, since)
    if increase is not None and increase.p < rule.p / _SURE:
        return increase
    before = measured[: -RECENT - _LOOKS + 1]
    ends = range(len(measured), len(measured) - _LOOKS, -1)
    looks = [_increase(measured[max(end - RECENT, 0) : end], before, rule, since) for end in ends]
    return looks[0] if all(looks) else None


def _increase(
    new: Sequence[tuple[Timed, float]], past: Sequence[tuple[Timed, float]], rule: DurationRule, since: Order | None
) -> _Increase | None:
    """Compare some builds with those before; None when nothing has grown, or nobody can tell.

    They must all have come after the end of an earlier alert, `since`.
    """
    old = past[-BEFORE:]
    if len(old) < ENOUGH or (since is not None and new[0][0][:2] <= since):
        return None
    before, after = median(seconds for _, seconds in old), median(seconds for _, seconds in new)
    grown = after - before
    if grown < rule.at_least.total_seconds() or grown < before * rule.percent / 100:
        return None
    p = p_greater([seconds for _, seconds in new], [seconds for _, seconds in old])
    if p >= rule.p:
        return None
    onset = _onset([*past, *new], before + grown / 2)
    return _Increase(before=before, after=after, builds_before=len(old), p=p, onset=onset, newest=new[-1][0])


def _onset(measured: Sequence[tuple[Timed, float]], half_way: float) -> Timed:
    """Where it began: the first build from which on at least two in three take longer than half-way to the new time."""
    slow, onset = 0, measured[-1][0]
    for count, (timed, seconds) in enumerate(reversed(measured), 1):
        if seconds > half_way:
            slow += 1
            onset = timed if slow * 3 >= count * 2 else onset
    return onset


def _opened(scope: Scope, measure: str, increase: _Increase, *, baseline: bool) -> Decision:
    evidence = {
        "measure": measure,
        "before": round(increase.before, 3),
        "after": round(increase.after, 3),
        "at_firing": round(increase.after, 3),
        "builds_before": increase.builds_before,
        "p": float(f"{increase.p:.2g}"),
        "stage": None,  # the one that grew, once stages are known
        "onset": reference(increase.onset),
        "fired_by": reference(increase.newest),
    }
    return opened(
        KIND,
        scope,
        at=increase.onset.finished_at,
        summary=_summary(evidence),
        evidence=evidence | ({"baseline": True} if baseline else {}),
        baseline=baseline,
    )


def _follow(alert: Alert, timed: Sequence[Timed], tail: Sequence[Settled], now: datetime) -> tuple[Decision, ...]:
    """Whether half of the increase is gone, or the longer time has become normal."""
    measured, fired_by = _measured(alert.evidence["measure"], timed), order_of(alert, "fired_by")
    if not measured or fired_by is None or measured[-1][0][:2] <= fired_by:
        return ()
    newest, after = measured[-1][0], median(seconds for _, seconds in measured[-RECENT:])
    evidence = dict(alert.evidence) | {"after": round(after, 3)}
    ending = evidence | {"ended_by": reference(newest)}
    if after < (evidence["before"] + evidence["at_firing"]) / 2:
        return (resolved(alert, at=newest.finished_at, summary=_summary(evidence), evidence=ending),)
    passed = sum(settled.verdict is Verdict.PASSED and settled[:2] > fired_by for settled in tail)
    if passed >= _REBASE:
        because = f"{told(after)} has held for {_REBASE} builds and is taken as normal from now on"
        return (closed(replace(alert, evidence=ending), because=because, at=now),)
    return continued(alert, summary=_summary(evidence), evidence=evidence)


def told(seconds: float) -> str:
    """A time of builds as people say it: `14 m 10 s`."""
    return duration(timedelta(seconds=seconds))


def _summary(evidence: Mapping[str, Any]) -> str:
    """`takes 14 m, 40 % longer than 10 m before (the last 5 builds that passed, the 30 before), since #812`."""
    before, after = evidence["before"], evidence["after"]
    compared = f"the last {RECENT} builds that passed, the {evidence['builds_before']} before"
    since = f"since #{evidence['onset']['number']}"
    if evidence["measure"] == "queue":
        return f"waits {told(after)} before it starts, it was {told(before)} ({compared}), {since}"
    change = f"{100 * (after - before) / before:.0f} % longer than" if before else "it was"
    return f"takes {told(after)}, {change} {told(before)} before ({compared}), {since}"
