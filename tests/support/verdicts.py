"""Streams of verdicts written as letters, and a store of alerts that lives in memory."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from alerts.decide import Decision, decide
from alerts.rules import DEFAULT_RULES, FailureRule, Rules
from domain.alert import Alert, AlertState, Reason, Scope
from domain.build import Verdict
from domain.stream import Settled
from domain.timed import Timed
from tests.support.builders import NOON

SCOPE = Scope(provider="ci", pipeline="web/deploy", branch="main")
LONG_AGO = NOON - timedelta(days=365)

_VERDICTS = {"P": Verdict.PASSED, "F": Verdict.FAILED, "R": Verdict.PASSED}


def settled(number: int, letter: str, **changes: Any) -> Settled:
    """A build with the id 1000 + number that finished `number` hours after NOON: P passed, F failed, R on re-run."""
    values: dict[str, Any] = {
        "generation": 0,
        "number": number,
        "verdict": _VERDICTS[letter],
        "finished_at": NOON + timedelta(hours=number),
        "build_id": 1000 + number,
        "attempt": 2 if letter == "R" else 1,
        "flaky": letter == "R",
    }
    return Settled(**(values | changes))


def tail(letters: str, first: int = 1) -> list[Settled]:
    """Consecutive builds from their letters; a dot is a build that has not arrived."""
    return [settled(number, letter) for number, letter in enumerate(letters, first) if letter != "."]


def failing_only(after: Any = 1, resolve_after: int = 1) -> Rules:
    """Rules that look for failures alone."""
    return Rules(
        failure=FailureRule(after=after, resolve_after=resolve_after),
        success_rate_drop=None,
        duration=None,
        flapping=None,
    )


class Memory:
    """Keeps alerts as the store does: JSON evidence, one firing per fingerprint, all firing and 20 ended."""

    def __init__(self, rules: Rules = DEFAULT_RULES, watched_since: datetime = LONG_AGO) -> None:
        self.rules = rules
        self.watched_since = watched_since
        self.alerts: dict[int, Alert] = {}
        self.told: list[tuple[Reason, Alert]] = []

    def stored(self) -> list[Alert]:
        """As `store.alerts.of_scope` gives them."""
        firing = [alert for alert in self.alerts.values() if alert.state is AlertState.FIRING]
        ended = [alert for alert in self.alerts.values() if alert.state is not AlertState.FIRING]
        return firing + ended[::-1][:20]

    def see(
        self,
        stream: str | Sequence[Settled],
        *,
        counts: tuple[int, int] | None = None,
        timed: Sequence[Timed] | None = None,
        now: datetime = NOON,
        fresh: Collection[int] | None = None,
    ) -> list[str]:
        """Evaluate a stream, keep what is decided, and return the reasons for which people are told."""
        line = tail(stream) if isinstance(stream, str) else stream
        decisions = decide(
            scope=SCOPE,
            tail=line,
            stored=self.stored(),
            rules=self.rules,
            counts=counts,
            timed=timed,
            watched_since=self.watched_since,
            now=now,
            fresh=fresh,
        )
        self.keep(decisions)
        return [decision.reason for decision in decisions if decision.reason not in {None, Reason.REFRESH}]

    def keep(self, decisions: Iterable[Decision]) -> None:
        """Save alerts in the given order, as the poller does; a first message goes to the channel `team`."""
        for decision in decisions:
            alert = decision.alert
            if decision.reason is Reason.FIRST:
                alert = replace(alert, channels=("team",))
            number = alert.id if alert.id is not None else len(self.alerts) + 1
            kept = replace(alert, id=number, evidence=json.loads(json.dumps(dict(alert.evidence))))
            self.alerts[number] = kept
            if decision.reason not in {None, Reason.REFRESH}:
                self.told.append((decision.reason, kept))
            firing = [each.fingerprint for each in self.alerts.values() if each.state is AlertState.FIRING]
            assert len(firing) == len(set(firing)), "two alerts with one fingerprint are firing"

    def firing(self) -> list[Alert]:
        """What fires now."""
        return [alert for alert in self.alerts.values() if alert.state is AlertState.FIRING]

    def newest(self) -> Alert:
        """The alert that was saved last."""
        return self.alerts[max(self.alerts)]


@dataclass(frozen=True, kw_only=True)
class Polls:
    """How the polls of a provider went."""

    name: str = "nsp"
    failing_since: datetime | None = NOON
    failures: int = 3
    trouble: str | None = "timeout"
    text: str | None = "ci.example.com did not answer within 30 s"
