"""The kind `no_verdict`: builds come and end, and none of them says whether the pipeline works.

Only where builds are expected (`expect:`): there, three cancelled or skipped builds in a row are silence too.
"""

from collections.abc import Sequence
from datetime import datetime

from alerts.decision import Decision, closed, firing, opened, order, order_of, reference, resolved
from alerts.rules import NoVerdictRule
from alerts.wording import plural
from domain.alert import Alert, AlertKind, Scope
from domain.build import Verdict
from domain.stream import Ended

KIND = AlertKind.NO_VERDICT


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
        if last is None or (began is not None and order(last) < began):
            return ()
        evidence = {**current.evidence, "ended_by": reference(last)}
        return (resolved(current, at=now, summary=f"#{last.number} {last.verdict}", evidence=evidence),)
    streak = newest[newest.index(decided[-1]) + 1 :] if decided else newest
    if len(streak) < rule.after:
        return ()
    words = ", ".join(dict.fromkeys(each.word for each in streak))
    begun = opened(
        KIND,
        scope,
        at=min(streak[0].finished_at, now),
        summary=f"{plural(len(streak), 'build')} in a row neither passed nor failed ({words})",
        evidence={
            "in_a_row": len(streak),
            "words": words,
            "onset": reference(streak[0]),
            "fired_by": reference(streak[-1]),
        },
        baseline=streak[rule.after - 1].finished_at <= watched_since,
    )
    return (begun,)
