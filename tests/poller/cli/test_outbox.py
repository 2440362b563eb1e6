from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from domain.alert import Delivery, Scope
from domain.waiting import Form
from store import waiting
from store.engine import Database, Session
from store.schema import outbox
from tests.support.commands import Commands


def test_the_list_holds_what_is_not_sent(buildwatch: Commands, told: Callable[..., object]) -> None:
    told(Delivery.SENT, kind="failure")
    assert buildwatch("outbox").out == "nothing waits, nothing was given up\n"
    assert buildwatch("outbox", "--json").json == []
    (sent,) = buildwatch("outbox", "list", "--all", "--json").json
    assert (sent["state"], sent["channel"], sent["receipt"]) == ("sent", "team", {"ts": "1.2"})
    assert "deploy / main failed" in buildwatch("outbox", "--all").out


def test_a_dead_letter_shows_its_attempts_and_can_be_tried_again(
    buildwatch: Commands, told: Callable[..., object]
) -> None:
    told(Delivery.DEAD)
    shown = buildwatch("outbox", "show", "1", "--json").json
    assert (shown["state"], shown["last_error"]) == ("dead", "channel_not_found")
    assert [(each["state"], each["answer"]) for each in shown["attempted"]] == [("dead", "channel_not_found")]
    text = buildwatch("outbox", "show", "1").out
    assert "channel_not_found" in text
    assert "🔴 deploy / main failed" in text
    assert buildwatch("outbox", "drop", "1").status == 1
    ran = buildwatch("outbox", "retry", "1")
    assert (ran.status, "due now" in ran.out) == (0, True)
    (left,) = buildwatch("outbox", "--json").json
    assert left["state"] == "pending"


def test_a_waiting_message_can_be_dropped_once(buildwatch: Commands, told: Callable[..., object]) -> None:
    told(Delivery.PENDING)
    assert "not tried yet" in buildwatch("outbox", "show", "1").out
    assert buildwatch("outbox", "drop", "1", "--json").json["done"] is True
    again = buildwatch("outbox", "drop", "1")
    assert (again.status, again.err) == (1, "message 1 is dead: drop is for one that waits\n")


@pytest.mark.parametrize("action", ["show", "retry", "drop"])
def test_a_message_that_is_not_there_is_said(buildwatch: Commands, told: Callable[..., object], action: str) -> None:
    told()
    ran = buildwatch("outbox", action, "99")
    assert (ran.status, ran.err) == (1, "there is no message 99: `buildwatch outbox --all` lists them\n")


def test_an_action_wants_its_id(buildwatch: Commands) -> None:
    assert buildwatch("outbox", "show").status == 2
    assert buildwatch("outbox", "burn").status == 2


def test_what_was_told_together_is_said(
    buildwatch: Commands, told: Callable[..., object], store: Database, now: datetime
) -> None:
    for name in ("web", "api"):
        told(Delivery.PENDING, scope=Scope(provider="ci", pipeline=name, branch="main"))

    def together(session: Session) -> None:
        waiting.take(session, waiting.waiting(session, "team", now), Form.GROUP, now)

    store.transact(together)
    shown = buildwatch("outbox", "show", "1", "--json").json
    assert (shown["batch"], shown["sent_with"]) == (1, [2])
    assert "one message with 2; all of them say" in buildwatch("outbox", "show", "1").out
    assert "(in 1)" in buildwatch("outbox").out


def test_what_is_held_says_until_when_and_why(
    buildwatch: Commands, told: Callable[..., object], store: Database, now: datetime
) -> None:
    told(Delivery.PENDING)
    until = now + timedelta(hours=2)
    held = update(outbox).values(hold_until=until, held="quiet hours until 07:00")
    store.transact(lambda session: session.execute(held))
    assert buildwatch("outbox", "--json").json[0]["held"] == "quiet hours until 07:00"
    assert "held, in " in buildwatch("outbox").out
    assert "quiet hours until 07:00" in buildwatch("outbox", "show", "1").out
    assert "due now" in buildwatch("outbox", "retry", "1").out
    assert buildwatch("outbox", "--json").json[0]["hold_until"] is None
