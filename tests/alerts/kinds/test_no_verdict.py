from dataclasses import replace
from typing import Any

from alerts.decision import Decision
from alerts.kinds.no_verdict import decide_no_verdict
from alerts.rules import NoVerdictRule
from domain.alert import Alert, AlertState, Reason, Scope
from domain.build import Verdict
from domain.stream import Ended
from tests.support.builders import NOON, minutes

SCOPE = Scope(provider="ci", pipeline="web/nightly", branch="main")
LETTERS = {"P": Verdict.PASSED, "F": Verdict.FAILED, "N": Verdict.NEUTRAL}


def stream(letters: str) -> list[Ended]:
    return [
        Ended(0, number, LETTERS[letter], minutes(10 * number), number, "cancelled")
        for number, letter in enumerate(letters, 1)
        if letter in LETTERS
    ]


def judge(letters: str, *stored: Alert, **changes: Any) -> tuple[Decision, ...]:
    values: dict[str, Any] = {"rule": NoVerdictRule(), "watched_since": NOON}
    return decide_no_verdict(scope=SCOPE, newest=stream(letters), stored=stored, now=minutes(999), **(values | changes))


def fired(letters: str = "PNNN") -> Alert:
    (decision,) = judge(letters)
    assert decision.reason is Reason.FIRST
    return replace(decision.alert, channels=("team",))


def test_three_in_a_row_fire_and_no_fewer() -> None:
    assert judge("") == judge("PNN") == judge("NNNP") == judge("NNFN") == ()
    alert = fired()
    assert alert.summary == "3 builds in a row neither passed nor failed (cancelled)"
    assert alert.started_at == minutes(20)
    assert judge("PNNNN", alert) == ()


def test_the_next_verdict_ends_it_whatever_it_is() -> None:
    for letter, word in (("P", "passed"), ("F", "failed")):
        (decision,) = judge("PNNNN" + letter, fired())
        assert (decision.alert.state, decision.reason) == (AlertState.RESOLVED, Reason.RESOLVED)
        assert decision.alert.summary == f"#6 {word}"


def test_a_late_verdict_between_them_ends_it_and_one_before_them_does_not() -> None:
    alert = fired("P.NNN")
    assert judge("PFNNN", alert) == ()
    (decision,) = judge("P.NPN", alert)
    assert decision.alert.state is AlertState.RESOLVED


def test_what_had_ended_before_we_met_it_is_baseline() -> None:
    (decision,) = judge("NNNN", watched_since=minutes(31))
    assert (decision.reason, decision.baseline) == (None, True)


def test_switched_off_it_is_closed() -> None:
    (decision,) = judge("PNNN", fired(), rule=None)
    assert decision.alert.state is AlertState.CLOSED
    assert judge("PNNN", rule=None) == ()
