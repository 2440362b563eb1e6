"""From the settled verdicts of one stream and what is stored about it, to what is to be saved and said.

Precedence: what is in front hides what is behind it, so that one break is told once. A failing stream hides that its
rate drops and that its builds take longer; what is hidden and still true is told when the failure is over. Two more
hide without being known here: an unreachable provider everything, because no build of it comes and no timer looks at
it, and a stale pipeline its rates, because the build that would be judged is the one that ends the staleness.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from alerts.decision import Decision, closed, firing
from alerts.kinds.durations import decide_duration
from alerts.kinds.failing import decide_failure
from alerts.kinds.flapping import decide_flapping
from alerts.kinds.rate_below import decide_rate_below
from alerts.kinds.rate_drop import decide_rate_drop
from alerts.kinds.test_regression import decide_test_regression
from alerts.rules import Rules
from alerts.settling import without_turned_around
from domain.alert import Alert, AlertKind, Scope
from domain.stream import Settled, Signature
from domain.testhistory import Checked, TestStand
from domain.timed import Timed

__all__ = ["Decision", "closed", "decide"]

_LONG = frozenset({AlertKind.FLAPPING, AlertKind.SUCCESS_RATE_DROP, AlertKind.DURATION})
"""What many builds show together."""


def decide(
    *,
    scope: Scope,
    tail: Sequence[Settled],
    stored: Sequence[Alert],
    rules: Rules,
    counts: tuple[int, int] | None = None,
    timed: Sequence[Timed] | None = None,
    watched_since: datetime,
    met: datetime | None = None,
    now: datetime,
    fresh: Collection[int] | None = None,
    signatures: Mapping[int, Signature] | None = None,
    tests: TestStand | None = None,
    checked: Checked | None = None,
) -> tuple[Decision, ...]:
    """What becomes of a stream's alerts. Pure; asked again with nothing new, it decides nothing.

    Args:
        scope: provider, pipeline and branch (`""` for a plain job).
        tail: the newest settled verdicts of the stream, at most 600, oldest first, neutral ones left out.
        stored: its alerts, all that fire and the newest that ended.
        rules: the parameters in force.
        counts: passed and failed builds in the window of `success_rate_below`; None when it is switched off.
        timed: the newest builds that passed, at most `durations.WANTED`, oldest first; None when none has come.
        watched_since: when we first met the pipeline. What finished until then is baseline.
        met: the same where `watched_since` takes whatever arrives for news. What builds from before it show together
            (a backfill brings many of them) is saved silently.
        now: aware UTC.
        fresh: ids of the builds whose verdict is new or different in this evaluation. A break that is over
            already when it is discovered is told only when one of its failures is among them. None: not known.
        signatures: what failures look like, by the id of the build: at least of the newest one, where it is known.
        tests: how its tests stand, when something new is known of them.
        checked: a build that was searched for the files it must leave; None when none was.

    Returns:
        To be saved in this order: an alert that ends comes before the one that takes its place, and flapping
        before the failure that is told in its thread.
    """
    decisions: tuple[Decision, ...] = ()
    known_from = max(met or watched_since, watched_since)
    line = without_turned_around(tail) if rules.rerun_wait else tail
    if rules.flapping is None:
        decisions += _switched_off(stored, AlertKind.FLAPPING, now)
    else:
        decisions += decide_flapping(
            scope=scope, tail=line, stored=stored, rule=rules.flapping, watched_since=known_from
        )
    if rules.failure is None:
        decisions += _switched_off(stored, AlertKind.FAILURE, now)
    else:
        decisions += decide_failure(
            scope=scope,
            tail=tail,
            stored=stored,
            rule=rules.failure,
            watched_since=watched_since,
            now=now,
            fresh=fresh,
            signatures=signatures,
        )
    failing = _still_failing(stored, decisions)
    if not rules.test_regression:
        decisions += _switched_off(stored, AlertKind.TEST_REGRESSION, now)
    elif tests is not None or checked is not None:
        decisions += decide_test_regression(
            scope=scope,
            tests=tests,
            checked=checked,
            stored=stored,
            failing=failing,
            watched_since=watched_since,
        )
    if rules.success_rate_drop is None:
        decisions += _switched_off(stored, AlertKind.SUCCESS_RATE_DROP, now)
    else:
        decisions += decide_rate_drop(
            scope=scope,
            tail=line,
            stored=stored,
            rule=rules.success_rate_drop,
            hidden=failing,
            watched_since=known_from,
            now=now,
        )
    if rules.success_rate_below is None:
        decisions += _switched_off(stored, AlertKind.SUCCESS_RATE_BELOW, now)
    elif counts is not None:
        decisions += decide_rate_below(
            scope=scope,
            tail=tail,
            stored=stored,
            rule=rules.success_rate_below,
            counts=counts,
            watched_since=watched_since,
            now=now,
        )
    if rules.duration is None:
        decisions += _switched_off(stored, AlertKind.DURATION, now)
    elif timed is not None:
        decisions += decide_duration(
            scope=scope,
            timed=timed,
            tail=tail,
            stored=stored,
            rule=rules.duration,
            hidden=failing,
            watched_since=known_from,
            now=now,
        )
    return _silent(decisions, known_from > watched_since)


def _silent(decisions: tuple[Decision, ...], is_later: bool) -> tuple[Decision, ...]:  # noqa: FBT001
    """After first contact its summary is said already: what is baseline then is saved and nobody hears of it."""
    if not is_later:
        return decisions
    return tuple(replace(each, baseline=False) if each.alert.kind in _LONG else each for each in decisions)


def _still_failing(stored: Sequence[Alert], decisions: Sequence[Decision]) -> bool:
    """Whether a failure alert fires on the stream after these decisions."""
    decided = [each.alert for each in decisions if each.alert.kind is AlertKind.FAILURE]
    return firing(decided or stored, AlertKind.FAILURE) is not None


def _switched_off(stored: Sequence[Alert], kind: AlertKind, now: datetime) -> tuple[Decision, ...]:
    alert = firing(stored, kind)
    return () if alert is None else (closed(alert, because=f"{kind} is switched off", at=now),)
