"""One stream is judged: what is stored of it goes to the rules, and what they decide comes back."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from alerts.decide import Decision, decide
from alerts.durations import WANTED
from alerts.rules import Rules
from domain.alert import Scope
from domain.build import Verdict
from domain.stream import Settled
from metrics.windows import daily, rolling
from poller.config import Configuration
from store import alerts, streams
from store.durations import newest_passed
from store.engine import Session

BEFORE_EVERYTHING = datetime(1970, 1, 1, tzinfo=UTC)  # after first contact whatever arrives is news


def judge_stream(
    session: Session,
    scope: Scope,
    rules: Rules,
    *,
    configuration: Configuration,
    now: datetime,
    watched_since: datetime = BEFORE_EVERYTHING,
    fresh: Collection[int] | None = None,
) -> tuple[Decision, ...]:
    """What becomes of the alerts of one stream, from what is stored of it.

    Args:
        session: an open transaction.
        scope: provider, pipeline and stream.
        rules: those of the pipeline's entry.
        configuration: for the zone of windows.
        now: aware UTC.
        watched_since: what finished until then is baseline.
        fresh: the builds whose verdict is new or different, by id; None: not known.
    """
    where = session, scope.provider, scope.pipeline or "", scope.branch or ""
    tail = streams.tail(*where)
    return decide(
        scope=scope,
        tail=tail,
        stored=alerts.of_scope(session, scope),
        rules=rules,
        counts=_counts(session, scope, rules, configuration, now),
        timed=newest_passed(*where, limit=WANTED) if rules.duration and _passed(tail, fresh) else None,
        watched_since=watched_since,
        now=now,
        fresh=fresh,
        signatures=streams.signatures(session, [each.build_id for each in tail[-1:] if each.verdict is Verdict.FAILED]),
    )


def _passed(tail: Sequence[Settled], fresh: Collection[int] | None) -> bool:
    """Whether a build that passed is new, as far as anything is known to be: else the times of builds are the same."""
    return not fresh or any(each.verdict is Verdict.PASSED and each.build_id in fresh for each in tail)


def _counts(
    session: Session, scope: Scope, rules: Rules, configuration: Configuration, now: datetime
) -> tuple[int, int] | None:
    rule = rules.success_rate_below
    if rule is None:
        return None
    where = session, scope.provider, scope.pipeline or "", scope.branch or ""
    if isinstance(rule.window, int):
        return streams.counts(*where, last=rule.window)
    if isinstance(rule.window, timedelta):
        return streams.counts(*where, window=rolling(now, rule.window))
    return streams.counts(*where, window=daily(now, configuration.day_starts_at, configuration.timezone))
