"""Channels that misbehave: nothing is lost, nothing comes twice, the order holds, the other channel goes on."""

import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

import alerts.channels._slack_bot
import alerts.channels._smtp_session
import alerts.channels.smtp
import poller.delivery.courier
from alerts.channels._slack_http import exchange
from domain.alert import Delivery, Notification
from simulator import faults
from simulator.house import Simulator
from store import outbox
from tests.support.daemon import Running, eventually, running
from tests.support.scene import cards, mail, replies, save, scene, subjects

CALL = 1.0
A, B = "a@example.com", "b@example.com"


@pytest.fixture
def impatient(hurried: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Calls give up after a second; what waits is tried again within one."""
    monkeypatch.setattr(poller.delivery.courier, "LONGEST_WAIT", timedelta(seconds=0.5))
    monkeypatch.setattr(alerts.channels._slack_bot, "CALL_SECONDS", CALL)
    monkeypatch.setitem(exchange.__kwdefaults__, "seconds", CALL)
    for module in (alerts.channels.smtp, alerts.channels._smtp_session):
        monkeypatch.setattr(module, "GREYLISTED", 0.3)


@pytest.fixture
def daemon(house: Simulator, tmp_path: Path, impatient: None) -> Iterator[Running]:  # noqa: ARG001
    """The daemon on two green jobs, with a bot, a webhook and mail to two people."""
    for job in ("api", "worker"):
        house.world.jenkins.job(job).build("SUCCESS")
    house.world.github.repo("acme/web").run("success")
    configuration = scene(house, f"sqlite:///{tmp_path / 'store.db'}")
    configuration["channels"]["mail"] = mail(house, to=[A, B], timeout=CALL)
    configuration["channels"]["hook"] = {"kind": "slack", "webhook_url": house.slack_webhook_url}
    with running(save(tmp_path / "config.yaml", configuration)) as found:
        eventually(found.daemon.first_round_done)
        yield found


def tell_three(house: Simulator, told: Callable[[int], object]) -> None:
    """Two breaks and a fix, one after the other; `told` says whether so many messages have come."""
    jobs = house.world.jenkins.job
    for count, (job, result) in enumerate((("api", "FAILURE"), ("worker", "FAILURE"), ("api", "SUCCESS")), start=1):
        jobs(job).build(result)
        eventually(partial(told, count), within=10)


def assert_told_once_in_order(found: list[str]) -> None:
    """Both breaks and the fix, each once, and the fix after its break."""
    places = {
        word: [n for n, text in enumerate(found) if word in text] for word in ("api failed", "worker", "is fixed")
    }
    assert [len(each) for each in places.values()] == [1, 1, 1], found
    assert places["api failed"] < places["is fixed"], found


def waiting(daemon: Running, channel: str, delivery: Delivery | None = None) -> list[Notification]:
    """What is in the outbox of a channel, oldest first; without `delivery` what was not sent yet."""
    found = daemon.database.read(lambda session: outbox.listing(session, channel=channel, delivery=delivery))
    return [each for each in reversed(found) if delivery or each.delivery is not Delivery.SENT]


def attempts(daemon: Running, notification: Notification) -> int:
    """How often a notification was tried."""
    number = notification.id or 0
    return len(daemon.database.read(lambda session: outbox.attempts_of(session, number)))


SLACK = {
    "asks for patience": faults.rate_limited(1),
    "answers 500": faults.answer(500, "oops"),
    "hangs": faults.hang(),
    "takes a message and closes": faults.accept_then_close(),
    "takes a message and hangs": faults.accept_then_hang(),
    "closes": faults.drop(),
    "resets": faults.reset(),
    "shows a login page": faults.html(),
    "redirects": faults.redirect("http://127.0.0.1:9/"),
}
DOUBTLESS = ("asks for patience", "shows a login page", "redirects")  # nobody can think that it took the message


@pytest.mark.parametrize("name", SLACK)
def test_a_slack_that(name: str, daemon: Running, house: Simulator) -> None:
    house.slack.fault(SLACK[name], path="/api/chat.*")
    tell_three(house, lambda count: len(subjects(house)) == count)
    if not name.startswith("takes"):  # then the next attempt finds what was posted
        assert len(waiting(daemon, "bot")) == 3
    house.slack.heal()
    eventually(lambda: not waiting(daemon, "bot"))
    assert len(cards(house)) == 2
    assert len(cards(house, "worker failed")) == 1
    if name in DOUBTLESS:  # nothing was accepted: a break and its end are one note
        assert len([each for each in cards(house, "api failed") if "and has recovered since" in each]) == 1
        assert replies(house) == []
    else:
        assert len(cards(house, "api is fixed")) == 1
        assert len(replies(house, "is fixed")) == len(replies(house)) == 1
    assert all("repeat" not in card for card in cards(house))


def test_a_revoked_token_breaks_the_channel_and_a_new_one_tells_everything(daemon: Running, house: Simulator) -> None:
    house.slack.revoked = True
    tell_three(house, lambda count: len(subjects(house)) == count)
    first = waiting(daemon, "bot")[0]
    assert "token_revoked" in str(first.last_error)
    assert daemon.daemon._dispatcher.statuses()["bot"].state == "broken"
    house.slack.revoked = False
    eventually(lambda: not waiting(daemon, "bot"))
    assert len(cards(house)) == 2
    assert daemon.daemon._dispatcher.statuses()["bot"].state == "ok"


def test_a_message_that_slack_refuses_for_good_is_a_dead_letter_and_the_others_go_on(
    daemon: Running, house: Simulator
) -> None:
    refusal = faults.answer(200, '{"ok": false, "error": "invalid_arguments"}', {"Content-Type": "application/json"})
    house.slack.fault(refusal, path="/api/chat.postMessage", times=2)  # whichever form it has
    tell_three(house, lambda count: len(subjects(house)) == count)
    eventually(lambda: len(waiting(daemon, "bot", Delivery.DEAD)) == 1)
    dead = waiting(daemon, "bot", Delivery.DEAD)[0]
    assert "invalid_arguments" in str(dead.last_error)
    assert attempts(daemon, dead) == 1
    assert daemon.database.read(outbox.counts)["bot"].dead == 1
    eventually(lambda: cards(house, "worker failed"))
    eventually(lambda: cards(house, "api is fixed"))  # without a card to edit it is one of its own


@pytest.mark.parametrize("name", ["asks for patience", "answers 500", "shows a login page", "closes", "hangs"])
def test_a_webhook_that(name: str, daemon: Running, house: Simulator) -> None:
    house.slack.fault(SLACK[name], path="/services/*")
    tell_three(house, lambda count: len(subjects(house)) == count and len(cards(house)) == min(count, 2))
    assert cards(house, room="web") == []
    house.slack.heal()
    eventually(lambda: not waiting(daemon, "hook"))
    found = cards(house, room="web")
    if name in {*DOUBTLESS, "answers 500"}:
        told = {(text.split()[1], "and has recovered since" in text) for text in found}
        assert told == {("api", True), ("worker", False)}
        assert len(found) == 2
    else:
        assert_told_once_in_order(found)
    if name not in {"closes", "hangs"}:  # only silence leaves a doubt
        assert not any("repeat" in card for card in found)


def test_a_webhook_that_takes_a_message_and_closes_repeats_it_and_says_so(daemon: Running, house: Simulator) -> None:
    house.slack.fault(faults.accept_then_close(), path="/services/*", times=1)
    house.world.jenkins.job("api").build("FAILURE")
    eventually(lambda: len(cards(house, room="web")) == 2)
    eventually(lambda: not waiting(daemon, "hook"))
    first, second = cards(house, room="web")
    assert "repeat" not in first
    assert "repeat" in second


def mails(house: Simulator, to: str) -> list[str]:
    """What one person got."""
    return [each.subject for each in house.smtp.mails if to in each.recipients]


def slack_has(house: Simulator, count: int) -> bool:
    """Whether the bot has said so much: two cards, then an edit."""
    return len(cards(house)) + len(replies(house)) == count


@pytest.mark.parametrize("reply", ["451 4.7.1 greylisted", "421 4.3.2 closing", "452 4.2.2 mailbox full"])
def test_a_recipient_who_is_put_off_gets_all_of_it_later_and_the_others_get_it_once(
    reply: str, daemon: Running, house: Simulator
) -> None:
    house.smtp.replies[B] = reply
    tell_three(house, partial(slack_has, house))
    assert mails(house, B) == []
    house.smtp.replies.clear()
    eventually(lambda: not waiting(daemon, "mail"))
    assert_told_once_in_order(mails(house, A))
    assert_told_once_in_order(mails(house, B))


def test_a_recipient_who_does_not_exist_takes_nothing_from_the_others(daemon: Running, house: Simulator) -> None:
    house.smtp.replies[B] = "550 5.1.1 no such user"
    tell_three(house, lambda count: len(mails(house, A)) == count)
    assert_told_once_in_order(mails(house, A))
    sent = waiting(daemon, "mail", Delivery.SENT)
    assert all(B in each.receipt["refused"] for each in sent)


def test_mail_that_nobody_accepts_is_a_dead_letter(daemon: Running, house: Simulator) -> None:
    house.smtp.replies |= dict.fromkeys((A, B), "550 5.7.1 rejected")
    tell_three(house, partial(slack_has, house))
    eventually(lambda: len(waiting(daemon, "mail", Delivery.DEAD)) == 3)
    assert "rejected" in str(waiting(daemon, "mail", Delivery.DEAD)[0].last_error)
    dead = waiting(daemon, "mail", Delivery.DEAD)[0].id or 0
    house.smtp.replies.clear()
    daemon.database.transact(lambda session: outbox.retry(session, dead, daemon.daemon._clock.now()))
    daemon.daemon._dispatcher.wake_all()
    eventually(lambda: len(mails(house, A)) == 1)


def test_a_mail_server_that_takes_calls_and_says_nothing_holds_nobody_up(daemon: Running, house: Simulator) -> None:
    house.smtp.stop()
    with socket.create_server((house.smtp.host, house.smtp.port)):
        tell_three(house, partial(slack_has, house))
        assert len(waiting(daemon, "mail")) == 3
    house.smtp.start()
    eventually(lambda: not waiting(daemon, "mail"))
    assert_told_once_in_order(mails(house, A))


@pytest.mark.parametrize("name", ["is closed", "refuses every mail for now", "takes no mail"])
def test_a_mail_server_that(name: str, daemon: Running, house: Simulator) -> None:
    if name == "is closed":
        house.smtp.stop()
    else:
        house.smtp.data_reply = "451 later" if name == "refuses every mail for now" else "554 5.3.2 not accepting now"
    tell_three(house, partial(slack_has, house))
    if name == "takes no mail":
        eventually(lambda: len(waiting(daemon, "mail", Delivery.DEAD)) == 3)
        return
    assert len(waiting(daemon, "mail")) == 3
    house.smtp.data_reply = "250 OK"
    if name == "is closed":
        house.smtp.start()
    eventually(lambda: not waiting(daemon, "mail"))
    assert_told_once_in_order(mails(house, A))
    assert_told_once_in_order(mails(house, B))


def test_a_mail_server_that_takes_mail_and_says_nothing_gets_it_again_with_the_same_id(
    daemon: Running, house: Simulator
) -> None:
    house.smtp.accept_then_silent = True
    house.world.jenkins.job("api").build("FAILURE")
    eventually(lambda: len(house.smtp.mails) >= 2)
    house.smtp.accept_then_silent = False
    eventually(lambda: not waiting(daemon, "mail"))
    assert len({each.message["Message-ID"] for each in house.smtp.mails}) == 1
