from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alerts.kinds.missing import decide_missing
from alerts.kinds.reachability import decide_unreachable
from alerts.rules import UnreachableRule
from domain.alert import AlertKind, AlertState, Reason, Scope
from tests.support.builders import NOON, minutes
from tests.support.verdicts import Memory, Polls

OK = Polls(failing_since=None, failures=0, trouble=None, text=None)


def judge(memory: Memory, polls: Polls, now: datetime, rule: UnreachableRule | None = None) -> list[Reason]:
    decisions = decide_unreachable(
        facts=polls, stored=memory.stored(), rule=rule or UnreachableRule(), pipelines=7, now=now
    )
    memory.keep(decisions)
    return [decision.reason for decision in decisions if decision.reason is not None]


def test_three_failed_polls_that_last_ten_minutes_fire_and_the_first_good_one_resolves() -> None:
    memory = Memory()
    assert judge(memory, Polls(failures=3), minutes(9)) == []
    assert judge(memory, Polls(failures=2), minutes(11)) == []
    assert judge(memory, Polls(failures=3), minutes(11)) == [Reason.FIRST]
    assert judge(memory, Polls(failures=4), minutes(12)) == []
    assert judge(memory, OK, minutes(30)) == [Reason.RESOLVED]
    assert judge(memory, OK, minutes(31)) == []
    alert = memory.newest()
    assert (alert.kind, alert.state) == (AlertKind.PROVIDER_UNREACHABLE, AlertState.RESOLVED)
    assert (alert.started_at, alert.resolved_at) == (NOON, minutes(30))


def test_the_evidence_says_why_since_when_and_what_is_frozen() -> None:
    memory = Memory()
    judge(memory, Polls(), minutes(11))
    assert memory.newest().evidence == {
        "trouble": "timeout",
        "text": "ci.example.com did not answer within 30 s",
        "since": NOON.isoformat(),
        "failures": 3,
        "frozen": 7,
    }
    assert memory.newest().summary == "does not answer in time; 7 pipelines frozen"


def test_asking_again_decides_nothing() -> None:
    memory = Memory()
    judge(memory, Polls(), minutes(11))
    before = dict(memory.alerts)
    assert judge(memory, Polls(), minutes(12)) == []
    assert memory.alerts == before


def test_two_refusals_are_enough_because_a_refusal_does_not_pass_by_itself() -> None:
    memory = Memory()
    assert judge(memory, Polls(trouble="auth", failures=1), minutes(15)) == []
    assert judge(memory, Polls(trouble="auth", failures=2), minutes(15)) == [Reason.FIRST]


@pytest.mark.parametrize("trouble", ["rate limit", "paced"])
def test_waiting_is_no_failure_until_it_takes_hours(trouble: str) -> None:
    memory = Memory()
    assert judge(memory, Polls(trouble=trouble, failures=99), minutes(119)) == []
    assert judge(memory, Polls(trouble=trouble, failures=99), minutes(120)) == [Reason.FIRST]


def test_a_trouble_without_a_name_is_still_told() -> None:
    memory = Memory()
    judge(memory, Polls(trouble="gremlins"), minutes(11))
    assert memory.newest().summary == "cannot be read (gremlins); 7 pipelines frozen"
    unnamed = Memory()
    judge(unnamed, Polls(trouble=None, text=None), minutes(11))
    assert unnamed.newest().evidence["trouble"] == "connection"


def test_a_server_without_pipelines_freezes_none() -> None:
    decision = decide_unreachable(facts=Polls(), stored=[], rule=UnreachableRule(), pipelines=0, now=minutes(11))[0]
    assert decision.alert.summary == "does not answer in time"


def test_the_thresholds_can_be_chosen() -> None:
    rule = UnreachableRule(after=1, lasting=timedelta(seconds=1))
    assert judge(Memory(), Polls(failures=1), minutes(1), rule) == [Reason.FIRST]


def test_switching_it_off_closes_its_alert() -> None:
    memory = Memory()
    judge(memory, Polls(), minutes(11))
    decisions = decide_unreachable(facts=Polls(), stored=memory.stored(), rule=None, pipelines=7, now=minutes(12))
    assert [decision.reason for decision in decisions] == [Reason.CLOSED]
    memory.keep(decisions)
    assert not decide_unreachable(facts=Polls(), stored=memory.stored(), rule=None, pipelines=7, now=minutes(12))


def test_a_pipeline_that_is_gone_is_told_once_and_so_is_its_return() -> None:
    memory = Memory()
    scope = Scope(provider="nsp", pipeline="web/deploy")
    told = []
    for count, missing in enumerate((False, True, True, False, False)):
        decisions = decide_missing(scope=scope, missing=missing, stored=memory.stored(), now=minutes(count))
        memory.keep(decisions)
        told.append([decision.reason for decision in decisions])
    assert told == [[], [Reason.FIRST], [], [Reason.RESOLVED], []]
    assert memory.newest().scope == scope


def test_a_notice_that_went_to_nobody_ends_silently() -> None:
    scope = Scope(provider="nsp", pipeline="web/deploy")
    alert = decide_missing(scope=scope, missing=True, stored=[], now=NOON)[0].alert
    (decision,) = decide_missing(scope=scope, missing=False, stored=[replace(alert, id=1)], now=minutes(1))
    assert decision.reason is None
