"""From the settled verdicts of one stream and what is stored about it, to what is to be saved and said."""

from collections.abc import Collection, Sequence
from datetime import datetime

from alerts.decision import Decision, closed, firing
from alerts.failing import decide_failure
from alerts.rate_below import decide_rate_below
from alerts.rate_drop import decide_rate_drop
from alerts.rules import Rules
from domain.alert import Alert, AlertKind, Scope
from domain.stream import Settled

__all__ = ["Decision", "closed", "decide"]


def decide(
    *,
    scope: Scope,
    tail: Sequence[Settled],
    stored: Sequence[Alert],
    rules: Rules,
    counts: tuple[int, int] | None = None,
    watched_since: datetime,
    now: datetime,
    fresh: Collection[int] | None = None,
) -> tuple[Decision, ...]:
    """What becomes of a stream's alerts. Pure; asked again with nothing new, it decides nothing.

    Args:
        scope: provider, pipeline and branch (`""` for a plain job).
        tail: the newest settled verdicts of the stream, at most 600, oldest first, neutral ones left out.
        stored: its alerts, all that fire and the newest that ended.
        rules: the parameters in force.
        counts: passed and failed builds in the window of `success_rate_below`; None when it is switched off.
        watched_since: when we first met the pipeline. What finished until then is baseline.
        now: aware UTC.
        fresh: ids of the builds whose verdict is new or different in this evaluation. A break that is over
            already when it is discovered is told only when one of its failures is among them. None: not known.

    Returns:
        To be saved in this order: an alert that ends comes before the one that takes its place.
    """
    decisions: tuple[Decision, ...] = ()
    if rules.failure is not None:
        decisions += decide_failure(
            scope=scope, tail=tail, stored=stored, rule=rules.failure, watched_since=watched_since, now=now, fresh=fresh
        )
    else:
        decisions += _switched_off(stored, AlertKind.FAILURE, now)
    if rules.success_rate_drop is not None:
        decisions += decide_rate_drop(
            scope=scope,
            tail=tail,
            stored=stored,
            rule=rules.success_rate_drop,
            hidden=_still_failing(stored, decisions),
            watched_since=watched_since,
            now=now,
        )
    else:
        decisions += _switched_off(stored, AlertKind.SUCCESS_RATE_DROP, now)
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
    return decisions


def _still_failing(stored: Sequence[Alert], decisions: Sequence[Decision]) -> bool:
    """Whether a failure alert fires on the stream after these decisions."""
    latest = [each.alert for each in decisions] or [each for each in stored if each.kind is AlertKind.FAILURE]
    return firing(latest, AlertKind.FAILURE) is not None


def _switched_off(stored: Sequence[Alert], kind: AlertKind, now: datetime) -> tuple[Decision, ...]:
    alert = firing(stored, kind)
    return () if alert is None else (closed(alert, because=f"{kind} is switched off", at=now),)
