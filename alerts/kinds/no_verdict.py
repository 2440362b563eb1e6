"""The kind `no_verdict`: builds come and end, and none of them says whether the pipeline works.

Only where builds are expected (`expect:`): there, three cancelled or skipped builds in a row are silence too.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from alerts.decision import Decision, closed, decision, firing, order_of, resolved
from alerts.rules import NoVerdictRule
from alerts.wording import plural
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity
from domain.build import Verdict

KIND = AlertKind.NO_VERDICT


class Ended(NamedTuple):
    """A finished build that counts, neutral ones included."""

    generation: int
    number: int
    verdict: Verdict
    finished_at: datetime
    build_id: int
    word: str  # how it ended, in the provider's word or ours


def decide_no_verdict(
    *,
    scope: Scope,
    newest: Sequence[Ended],
    stored: Sequence[Alert],
    rule: NoVerdictRule | None,
    watched_since: datetime,
    now: datetime,
) -> tuple[Decision, ...]:
    """What becomes of the alert of one stream. `newest` are its newest finished builds in order, oldest first.

    `rule` is None when it is switched off. What had ended before we met the pipeline is baseline.
    """
    current = firing(stored, KIND)
    if rule is None:
        return () if current is None else (closed(current, because=f"{KIND} is switched off", at=now),)
    decided = [each for each in newest if each.verdict is not Verdict.NEUTRAL]
    if current is not None:
        last = decided[-1] if decided else None
        began = order_of(current, "onset")
        if last is None or (began is not None and (last.generation, last.number) < began):
            return ()
        evidence = {**current.evidence, "ended_by": _reference(last)}
        return (resolved(current, at=now, summary=f"#{last.number} {last.verdict}", evidence=evidence),)
    streak = newest[newest.index(decided[-1]) + 1 :] if decided else newest
    if len(streak) < rule.after:
        return ()
    words = ", ".join(dict.fromkeys(each.word for each in streak))
    alert = Alert(
        kind=KIND,
        scope=scope,
        severity=Severity.WARNING,
        state=AlertState.FIRING,
        started_at=min(streak[0].finished_at, now),
        summary=f"{plural(len(streak), 'build')} in a row neither passed nor failed ({words})",
        evidence={
            "in_a_row": len(streak),
            "words": words,
            "onset": _reference(streak[0]),
            "fired_by": _reference(streak[-1]),
        },
    )
    old = streak[rule.after - 1].finished_at <= watched_since
    return (decision(alert, None if old else Reason.FIRST, baseline=old),)


def _reference(ended: Ended) -> dict[str, int]:
    return {"id": ended.build_id, "number": ended.number, "generation": ended.generation}
