"""The kind `provider_unreachable`: one alert for a CI server that does not answer, not one for each of its pipelines.

While it fires nothing is known about the pipelines behind it: their alerts stay as they are. A part of a server (a
repository, a job) that cannot be read while the rest can has an alert of its own: its scope names the part in the
place of a branch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, Self

from alerts.decision import Decision, closed, continued, firing, opened, resolved
from alerts.rules import UnreachableRule
from alerts.wording import plural, shortened
from domain.alert import Alert, AlertKind, Scope, Severity

KIND = AlertKind.PROVIDER_UNREACHABLE

_REFUSALS = frozenset({"auth"})
_REFUSED_ENOUGH = 2  # polls: a refusal does not pass by itself, and such a server is polled rarely
_LONG_WAIT = timedelta(hours=2)  # GitHub's quota is renewed every hour: who waits longer never gets any
_WAITS = frozenset({"rate limit", "paced"})  # it answers, and asks for patience; or we hold back by ourselves

_TEXT_LIMIT = 200

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


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What cannot be read as far as it was told: whole providers, and parts of others."""

    providers: frozenset[str]
    parts: frozenset[tuple[str, str]]  # of a provider, in lower case

    @classmethod
    def of(cls, firing_alerts: Iterable[Alert]) -> Self:
        """By the alerts that fire."""
        scopes = [alert.scope for alert in firing_alerts if alert.kind is KIND]
        return cls(
            frozenset(scope.provider for scope in scopes if scope.branch is None),
            frozenset((scope.provider, scope.branch.casefold()) for scope in scopes if scope.branch is not None),
        )

    def covers(self, provider: str, pipeline: str | None) -> bool:
        """Whether nothing is known of a pipeline by now."""
        if provider in self.providers:
            return True
        if not self.parts or pipeline is None:
            return False
        steps = pipeline.casefold().split("/")
        return any((provider, "/".join(steps[:end])) in self.parts for end in range(1, len(steps) + 1))


def decide_unreachable(
    *,
    facts: Facts,
    stored: Sequence[Alert],
    rule: UnreachableRule | None,
    pipelines: int,
    now: datetime,
    part: str | None = None,
) -> tuple[Decision, ...]:
    """What becomes of the alert about a provider, or a `part` of one, after a poll.

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
        again = "answers again" if part is None else "can be read again"
        return (resolved(current, at=now, summary=again, evidence=current.evidence),)
    trouble = facts.trouble or "connection"
    evidence = {
        "trouble": trouble,
        "text": facts.text or "",
        "since": facts.failing_since.isoformat(),
        "failures": facts.failures,
        "frozen": pipelines,
    }
    frozen = f"; {plural(pipelines, 'pipeline')} frozen" if pipelines else ""
    words = _WORDS.get(trouble, f"cannot be read ({trouble})")
    if part is not None:
        words = f"cannot be read: {shortened(facts.text, _TEXT_LIMIT) or trouble}"
    summary = words + frozen
    if current is not None:
        return continued(current, summary=summary, evidence=evidence)
    if not is_due(facts, rule, now):
        return ()
    scope, severity = Scope(provider=facts.name, branch=part), Severity.CRITICAL
    return (opened(KIND, scope, at=facts.failing_since, summary=summary, evidence=evidence, severity=severity),)


def is_due(facts: Facts, rule: UnreachableRule, now: datetime) -> bool:
    """Whether it has failed often and long enough to be told."""
    since, failures, trouble = facts.failing_since, facts.failures, facts.trouble or "connection"
    if since is None or not failures:
        return False
    if trouble in _WAITS:
        return now - since >= max(rule.lasting, _LONG_WAIT)
    needed = min(rule.after, _REFUSED_ENOUGH) if trouble in _REFUSALS else rule.after
    return failures >= needed and now - since >= rule.lasting
