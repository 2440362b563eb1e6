"""The kind `provider_unreachable`: one alert for a CI server that does not answer, not one for each of its pipelines.

While it fires nothing is known about the pipelines behind it: their alerts stay as they are.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from alerts.decision import Decision, closed, continued, decision, firing, resolved
from alerts.rules import UnreachableRule
from alerts.wording import plural
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity

KIND = AlertKind.PROVIDER_UNREACHABLE

_REFUSALS = frozenset({"auth"})
_REFUSED_ENOUGH = 2  # polls: a refusal does not pass by itself, and such a server is polled rarely
_LONG_WAIT = timedelta(hours=2)  # GitHub's quota is renewed every hour: who waits longer never gets any
_WAITS = frozenset({"rate limit", "paced"})  # it answers, and asks for patience; or we hold back by ourselves

_WORDS = {
    "auth": "refuses our credentials",
    "rate limit": "has had us waiting for its rate limit",
    "paced": "has not been read for long, because we hold back",
    "not found": "does not have what we ask for",
    "tls": "cannot be trusted: its certificate is not accepted",
    "timeout": "does not answer in time",
    "connection": "cannot be reached",
    "server error": "answers with errors",
    "not json": "answers, but not as a CI server does",
    "too large": "sends answers that are too large",
    "redirect": "redirects us elsewhere",
    "suspicious": "answers as if everything were gone",
}


class Facts(Protocol):
    """How a provider is, as its polls have shown."""

    @property
    def name(self) -> str:
        """As in config.yaml."""
        ...

    @property
    def failing_since(self) -> datetime | None:
        """The first failed poll since the last good one; None while all is well."""
        ...

    @property
    def failures(self) -> int:
        """Failed polls in a row."""
        ...

    @property
    def trouble(self) -> str | None:
        """Why, in a word (`Trouble`)."""
        ...

    @property
    def text(self) -> str | None:
        """Why, in a sentence without secrets."""
        ...


def decide_unreachable(
    *, facts: Facts, stored: Sequence[Alert], rule: UnreachableRule | None, pipelines: int, now: datetime
) -> tuple[Decision, ...]:
    """What becomes of the alert about a provider after a poll.

    It fires after `rule.after` failed polls in a row (two for refused credentials) that last for `rule.lasting`;
    waiting for a rate limit is no failure until it has taken two hours. The first good poll resolves it.
    `pipelines` is how many are watched there.
    """
    current = firing(stored, KIND)
    if rule is None:
        return () if current is None else (closed(current, because=f"{KIND} is switched off", at=now),)
    if facts.failing_since is None:
        if current is None:
            return ()
        return (resolved(current, at=now, summary="answers again", evidence=current.evidence),)
    trouble = facts.trouble or "connection"
    evidence = {
        "trouble": trouble,
        "text": facts.text or "",
        "since": facts.failing_since.isoformat(),
        "failures": facts.failures,
        "frozen": pipelines,
    }
    frozen = f"; {plural(pipelines, 'pipeline')} frozen" if pipelines else ""
    summary = _WORDS.get(trouble, f"cannot be read ({trouble})") + frozen
    if current is not None:
        return continued(current, summary=summary, evidence=evidence)
    if not _is_due(facts.failing_since, facts.failures, trouble, rule, now):
        return ()
    alert = Alert(
        kind=KIND,
        scope=Scope(provider=facts.name),
        severity=Severity.CRITICAL,
        state=AlertState.FIRING,
        started_at=facts.failing_since,
        summary=summary,
        evidence=evidence,
    )
    return (decision(alert, Reason.FIRST),)


def _is_due(since: datetime, failures: int, trouble: str, rule: UnreachableRule, now: datetime) -> bool:
    if trouble in _WAITS:
        return now - since >= max(rule.lasting, _LONG_WAIT)
    needed = min(rule.after, _REFUSED_ENOUGH) if trouble in _REFUSALS else rule.after
    return failures >= needed and now - since >= rule.lasting
