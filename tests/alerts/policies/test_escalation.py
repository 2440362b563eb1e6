from dataclasses import replace
from datetime import timedelta
from typing import Any

from alerts.policies.escalation import Escalation, due, trace
from tests.support.builders import NOON, alert, minutes

HOUR = timedelta(hours=1)
BOSS = Escalation(after=HOUR, to=("boss",))
ACKED = {"acknowledged": {"by": "ada"}}


def found(*entries: Escalation, after: float = 60, handling: dict[str, Any] | None = None) -> list[Escalation]:
    return list(due(entries, alert(handling=handling or {}), told_at=NOON, now=minutes(after)))


def test_an_escalation_is_due_when_it_has_been_told_for_so_long() -> None:
    assert found(BOSS, after=59) == []
    assert found(BOSS) == [BOSS]


def test_each_entry_is_due_once_even_when_the_list_changes() -> None:
    done = {"escalated": [trace(BOSS, NOON)]}
    other = Escalation(after=HOUR, to=("pager",))
    assert found(other, BOSS, handling=done) == [other]


def test_an_acknowledgement_stops_it_unless_the_entry_says_otherwise() -> None:
    always = replace(BOSS, unless_acked=False)
    assert found(BOSS, always, handling=ACKED) == [always]
