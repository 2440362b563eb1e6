from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import pytest

from domain.alert import Delivery, Notification, Reason
from domain.message import Fact, Link, Message, Tone
from domain.waiting import Form
from store import alerts, outbox, outcomes, waiting
from store.engine import Database, Session
from store.outbox import Counts
from tests.support.builders import NOON, alert, message, minutes, notification

T = TypeVar("T")


class Post:
    """The outbox of one database, a transaction for each call."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = next(getattr(module, name) for module in (outbox, outcomes, waiting) if hasattr(module, name))
        return lambda *given, **named: self.database.transact(lambda session: function(session, *given, **named))

    def put(self, *some: Notification) -> int:
        return self.database.transact(lambda session: outbox.add(session, some))

    def claim(self, channel: str, now: datetime) -> Notification | None:
        """Take the oldest row alone, or again what was attempted with it."""

        def unit(session: Session) -> Notification | None:
            again = waiting.attempted(session, channel, now)
            rows = waiting.waiting(session, channel, now)[:1]
            if again is not None:
                waiting.take_again(session, again.lead, now)
            elif rows:
                waiting.take(session, rows, Form.SINGLE, now)
            lead = again.lead if again else rows[0].id if rows else 0
            return outbox.get(session, lead)

        return self.database.transact(unit)

    def claimed(self, channel: str = "team", minute: float = 0) -> int | None:
        found: Notification | None = self.claim(channel, minutes(minute))
        return None if found is None else found.id


@pytest.fixture
def post(database: Database) -> Post:
    def some_alerts(session: Session) -> None:
        for number in range(3):
            alerts.save(session, alert(summary=str(number), scope=alert().scope.__class__(provider=f"ci{number}")))

    database.transact(some_alerts)
    return Post(database)


def test_a_notification_comes_back_as_it_was_added(post: Post) -> None:
    full = notification(
        reason=Reason.UPDATE,
        message=Message(
            tone=Tone.WORSE,
            headline="web / main: 12 % → 40 %",
            facts=(Fact(name="since", value="#812", url="https://ci/812"), Fact(name="bucket", value="helm")),
            details="line 1\nline 2",
            links=(Link(label="log", url="https://ci/812/log"),),
            thread="alert-1",
            at=minutes(3),
        ),
        progress={"told": ["ada@example.com"]},
        receipt={"ts": "1.2"},
    )
    assert post.put(full) == 1
    [found] = post.listing()
    assert found == full
    assert post.get(found.id) == full
    assert post.get(99) is None


def test_the_same_transition_is_never_told_twice_on_a_channel(post: Post) -> None:
    assert post.put(notification(), notification(channel="mail")) == 2
    assert post.put(notification(), notification(transition=2)) == 1
    assert post.put() == 0
    assert len(post.listing()) == 3


def test_a_claim_takes_the_oldest_due_notification(post: Post) -> None:
    post.put(notification(next_attempt_at=minutes(5)), notification(alert_id=2), notification(alert_id=3))
    taken = post.claim("team", NOON)
    assert (taken.id, taken.delivery, taken.attempts) == (2, Delivery.SENDING, 1)
    assert post.claimed() == 3
    assert post.claimed() is None
    assert post.claimed(minute=5) == 1


def test_channels_do_not_wait_for_each_other(post: Post) -> None:
    post.put(notification(), notification(channel="mail"))
    assert post.claimed("mail") == 2
    assert post.claimed("team") == 1
    assert post.claimed("nobody") is None


def test_a_later_message_of_an_alert_waits_for_the_earlier_one(post: Post) -> None:
    post.put(notification(), notification(transition=2), notification(alert_id=2))
    assert post.claimed() == 1
    assert post.claimed() == 3
    assert post.claimed() is None
    post.mark_retry(1, "503", minutes(10))
    assert post.claimed(minute=5) is None
    assert post.claimed(minute=10) == 1
    post.mark_sent(1, {}, minutes(10))
    assert post.claimed(minute=10) == 2


def test_a_dead_message_does_not_hold_up_the_next(post: Post) -> None:
    post.put(notification(), notification(transition=2))
    post.claimed()
    post.mark_dead(1, "no such channel", NOON)
    assert post.claimed() == 2


def test_the_receipt_of_the_first_sent_message_is_the_root_of_the_others(post: Post) -> None:
    post.put(notification(), notification(transition=2), notification(transition=3), notification(alert_id=2))
    assert post.claim("team", NOON).root == {}
    post.mark_dead(1, "refused", NOON)
    assert post.claim("team", NOON).root == {}
    post.mark_sent(2, {"ts": "2"}, NOON)
    third = post.claim("team", NOON)
    assert (third.id, third.root) == (3, {"ts": "2"})
    post.mark_sent(3, {"ts": "3"}, NOON)
    assert post.get(3).root == {"ts": "2"}
    assert post.claim("team", NOON).root == {}


def test_a_retry_remembers_error_progress_and_doubt(post: Post) -> None:
    post.put(notification())
    post.claimed()
    post.mark_retry(1, "no answer", minutes(1), ambiguous=True, progress={"told": ["ada"]})
    post.claimed(minute=1)
    post.mark_retry(1, "503", minutes(2))
    again = post.claim("team", minutes(2))
    assert (again.attempts, again.last_error, again.ambiguous, again.progress) == (3, "503", True, {"told": ["ada"]})
    post.mark_sent(1, {"ts": "1"}, minutes(3))
    sent = post.get(1)
    assert (sent.delivery, sent.receipt, sent.sent_at) == (Delivery.SENT, {"ts": "1"}, minutes(3))
    assert (sent.last_error, sent.ambiguous) == (None, False)


def test_every_attempt_is_kept_with_its_time_and_answer(post: Post) -> None:
    post.put(notification())
    for minute, answer in ((0, "503"), (1, "reset")):
        post.claimed(minute=minute)
        post.mark_retry(1, answer, minutes(minute + 1), ambiguous=answer == "reset")
    post.claimed(minute=2)
    post.mark_sent(1, {"ts": "1"}, minutes(3))
    tries = [(each.at, each.delivery, each.answer, each.ambiguous) for each in post.attempts_of(1)]
    assert tries == [
        (minutes(0), Delivery.PENDING, "503", False),
        (minutes(1), Delivery.PENDING, "reset", True),
        (minutes(2), Delivery.SENT, '{"ts":"1"}', False),
    ]


def test_what_was_being_sent_at_a_crash_is_pending_and_ambiguous(post: Post) -> None:
    post.put(notification(), notification(alert_id=2), notification(alert_id=3))
    post.claimed()
    post.claimed()
    post.mark_sent(2, {}, NOON)
    assert post.recover() == 1
    assert post.recover() == 0
    orphan = post.get(1)
    assert (orphan.delivery, orphan.ambiguous, orphan.attempts) == (Delivery.PENDING, True, 1)
    assert post.get(3).ambiguous is False
    [attempt] = post.attempts_of(1)
    assert (attempt.at, attempt.ambiguous) == (NOON, True)
    assert post.claimed() == 1


def test_the_next_due_time_is_that_of_the_first_message_that_may_go(post: Post) -> None:
    assert post.next_due("team", NOON) is None
    post.put(
        notification(next_attempt_at=minutes(9)),
        notification(transition=2, next_attempt_at=minutes(1)),
        notification(alert_id=2, next_attempt_at=minutes(5)),
        notification(alert_id=3, hold_until=minutes(7)),
    )
    assert post.next_due("team", NOON) == minutes(5)
    assert post.next_due("team", minutes(5)) == minutes(7)
    assert post.next_due("team", minutes(7)) == minutes(9)
    assert post.next_due("mail", NOON) is None


def test_a_person_may_have_a_dead_message_tried_again(post: Post) -> None:
    post.put(notification())
    post.claimed()
    assert post.retry(1, NOON) is False
    post.mark_dead(1, "refused", NOON)
    assert post.claimed(minute=60) is None
    assert post.retry(1, minutes(60)) is True
    assert post.claimed(minute=60) == 1
    assert post.retry(99, NOON) is False


def test_a_dropped_message_is_never_sent_and_never_added_again(post: Post) -> None:
    post.put(notification())
    assert post.drop(1, NOON) is True
    assert post.drop(1, NOON) is False
    assert post.drop(99, NOON) is False
    assert post.put(notification()) == 0
    assert post.claimed() is None
    [attempt] = post.attempts_of(1)
    assert (attempt.at, attempt.answer) == (NOON, "dropped by hand")


def test_counts_name_channels_with_something_waiting_or_dead(post: Post) -> None:
    post.put(notification(), notification(channel="mail"), notification(channel="mail", transition=2))
    post.claimed("team")
    post.claimed("mail")
    post.mark_dead(2, "refused", NOON)
    assert post.counts() == {"mail": Counts(pending=1, dead=1), "team": Counts(pending=1, dead=0)}
    post.mark_sent(1, {}, NOON)
    assert "team" not in post.counts()


def test_listing_filters_and_ends(post: Post) -> None:
    post.put(notification(), notification(channel="mail"), notification(transition=2))
    assert [each.id for each in post.listing()] == [3, 2, 1]
    assert [each.id for each in post.listing(channel="team", limit=1)] == [3]
    post.mark_dead(1, "refused", NOON)
    assert [each.id for each in post.listing(delivery=Delivery.DEAD)] == [1]


def test_a_message_keeps_its_emptiness(post: Post) -> None:
    post.put(notification(message=message(details=None)))
    assert post.get(1).message == message(details=None)


def test_what_was_planned_beyond_a_clock_that_was_set_back_is_due_now(post: Post) -> None:
    post.put(notification(next_attempt_at=minutes(600)), notification(alert_id=2, next_attempt_at=minutes(5)))
    post.bring_forward(NOON, minutes(15))
    assert post.get(1).next_attempt_at == NOON
    assert post.get(2).next_attempt_at == minutes(5)


def test_what_waits_for_a_channel_that_is_gone_is_given_up(post: Post) -> None:
    post.put(notification(), notification(channel="mail"), notification(channel="mail", alert_id=2))
    assert post.drop_channels(["team"], NOON) == 2
    assert post.drop_channels(["team"], NOON) == 0
    assert post.get(2).delivery is Delivery.DEAD
    assert post.claimed() == 1


def test_a_channel_can_be_hurried_and_no_other(post: Post) -> None:
    post.put(notification(channel="team"), notification(channel="mail"))
    for channel in ("team", "mail"):
        post.mark_retry(post.claimed(channel), "refused", minutes(15))
    post.hurry("team", minutes(1))
    assert post.claimed("team", 1) is not None
    assert post.claimed("mail", 1) is None
