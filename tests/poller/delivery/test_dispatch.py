import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from alerts.channels._base import ChannelError
from alerts.policies.gathering import Manner
from domain.alert import Delivery, Notification, Reason, Scope
from poller.delivery import courier as couriers
from poller.delivery import dispatch
from poller.delivery.courier import Courier, backoff
from poller.delivery.dispatch import Dispatcher
from poller.delivery.parcels import Claim, Pause, claim
from poller.running.clock import Clock
from poller.running.failpoint import Failpoints
from poller.running.progress import Progress
from poller.running.redaction import Redaction
from store import alerts, outbox
from store.engine import Database
from tests.support.builders import alert, message, notification
from tests.support.daemon import eventually
from tests.support.hands import Hands

AT_ONCE = Manner(edits=False, group_wait=timedelta(0))


class Post:
    """A channel that does what it is told, in order; then it accepts everything."""

    min_interval = 0.0

    def __init__(self, name: str = "mail", *answers: ChannelError | Exception) -> None:
        self.name = name
        self.answers = list(answers)
        self.sent: list[Notification] = []
        self.gate: threading.Event | None = None
        self.closed = False

    def send(self, notification: Notification) -> Mapping[str, Any]:
        if self.gate is not None:
            self.gate.wait(5)
        if self.answers:
            raise self.answers.pop(0)
        self.sent.append(notification)
        return {"number": len(self.sent)}

    def probe(self) -> str:
        return "a post box"

    def close(self) -> None:
        self.closed = True


def courier(database: Database, post: Post, clock: Clock) -> Courier:
    return Courier(post, database=database, clock=clock, progress=Progress(clock.monotonic), failpoint=Failpoints())


def put(database: Database, hands: Hands, *transitions: int, channel: str = "mail", kind: str = "web") -> None:
    """An alert with so many messages in the outbox."""

    def unit(session: Any) -> None:
        saved = alerts.save(session, alert(scope=Scope(provider="ci", pipeline=kind, branch="main")))
        notes = [
            notification(
                alert_id=saved.id,
                transition=number,
                channel=channel,
                created_at=hands.wall,
                next_attempt_at=hands.wall,
                message=message(headline=f"{kind} {number}"),
            )
            for number in transitions
        ]
        outbox.add(session, notes)

    database.transact(unit)


def only(database: Database) -> Notification:
    (found,) = database.read(outbox.listing)
    return found


def test_what_is_due_is_sent_once_and_marked(database: Database) -> None:
    hands, post = Hands(), Post()
    put(database, hands, 1)
    ours = courier(database, post, hands.clock())
    assert ours.deliver_due() == 1
    assert ours.deliver_due() == 0
    sent = only(database)
    assert (sent.delivery, sent.receipt, sent.attempts, sent.sent_at) == (Delivery.SENT, {"number": 1}, 1, hands.wall)


def test_a_refusal_that_may_pass_is_tried_again_later(database: Database) -> None:
    hands, post = Hands(), Post("mail", ChannelError("450 come back", ambiguous=True, progress={"delivered": ["a"]}))
    put(database, hands, 1)
    ours = courier(database, post, hands.clock())
    assert ours.deliver_one() == 0
    waiting = only(database)
    assert (waiting.delivery, waiting.last_error, waiting.ambiguous) == (Delivery.PENDING, "450 come back", True)
    assert timedelta(seconds=4) <= waiting.next_attempt_at - hands.wall <= timedelta(seconds=6)
    assert 0 < ours.deliver_one() <= 6
    hands.pass_by(6)
    ours.deliver_one()
    assert post.sent[0].progress == {"delivered": ["a"]}
    assert only(database).delivery is Delivery.SENT


def test_a_message_that_can_never_be_sent_is_a_dead_letter_and_the_next_one_goes_out(database: Database) -> None:
    hands, post = Hands(), Post("mail", ChannelError("550 no such user", permanent=True))
    put(database, hands, 1, 2)
    assert courier(database, post, hands.clock()).deliver_due() == 1
    found = database.read(outbox.listing)
    assert [(each.transition, each.delivery) for each in found] == [(2, Delivery.SENT), (1, Delivery.DEAD)]


def test_after_three_days_of_tries_a_message_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(couriers, "MOST_ATTEMPTS", 3)
    hands = Hands()
    post = Post("mail", *(ChannelError("421 busy") for _ in range(5)))
    put(database, hands, 1)
    ours = courier(database, post, hands.clock())
    for _ in range(5):
        ours.deliver_one()
        hands.pass_by(1000)
    assert only(database).delivery is Delivery.DEAD


def test_the_tries_last_seventy_two_hours() -> None:
    total = sum((backoff(attempt, 0.5) for attempt in range(1, couriers.MOST_ATTEMPTS)), timedelta())
    assert timedelta(hours=71) < total < timedelta(hours=73)


def test_a_server_that_asks_for_patience_holds_the_whole_channel(database: Database) -> None:
    hands, post = Hands(), Post("mail", ChannelError("429", retry_after=90, channel_wide=True))
    put(database, hands, 1)
    put(database, hands, 1, kind="api")
    ours = courier(database, post, hands.clock())
    ours.stop()  # so that nothing waits for real
    ours.deliver_one()
    assert ours.status.state == "paused"
    ours.deliver_one()
    assert post.sent == []
    hands.pass_by(100)
    ours.deliver_one()
    ours.deliver_one()
    assert len(post.sent) == 2
    assert ours.status.state == "ok"


def test_a_broken_channel_keeps_its_queue(database: Database) -> None:
    hands, post = Hands(), Post("mail", ChannelError("invalid_auth", permanent=True, channel_wide=True))
    put(database, hands, 1)
    ours = courier(database, post, hands.clock())
    assert ours.deliver_due() == 0
    assert ours.status.state == "broken"
    assert ours.status.error == "invalid_auth"
    assert only(database).delivery is Delivery.PENDING


def test_a_defect_of_a_channel_loses_nothing(database: Database) -> None:
    hands, post = Hands(), Post("mail", ZeroDivisionError("oops"))
    put(database, hands, 1)
    ours = courier(database, post, hands.clock())
    ours.deliver_one()
    assert only(database).ambiguous
    hands.pass_by(10)
    ours.deliver_one()
    assert only(database).delivery is Delivery.SENT


def test_a_later_message_of_an_alert_waits_for_the_earlier_one(database: Database) -> None:
    hands, post = Hands(), Post("mail", ChannelError("450", ambiguous=True))
    put(database, hands, 1, 2)
    ours = courier(database, post, hands.clock())
    ours.deliver_one()
    ours.deliver_one()
    assert post.sent == []
    hands.pass_by(10)
    ours.deliver_due()
    assert [each.transition for each in post.sent] == [1, 2]
    assert post.sent[1].root == {"number": 1}


def test_what_was_under_way_when_the_process_died_is_sent_again_as_ambiguous(database: Database) -> None:
    hands, post = Hands(), Post()
    put(database, hands, 1)
    database.transact(lambda session: claim(session, "mail", AT_ONCE, hands.wall))
    dispatcher = Dispatcher(
        database=database, clock=hands.clock(), progress=Progress(hands.clock().monotonic), failpoint=Failpoints()
    )
    assert dispatcher.recover() == 1
    assert courier(database, post, hands.clock()).deliver_due() == 1
    assert post.sent[0].ambiguous


@pytest.fixture
def dispatcher(database: Database) -> Dispatcher:
    clock = Clock()
    return Dispatcher(database=database, clock=clock, progress=Progress(clock.monotonic), failpoint=Failpoints())


def test_a_channel_that_hangs_does_not_hold_up_another(database: Database, dispatcher: Dispatcher) -> None:
    stuck, fast = Post("stuck"), Post("fast")
    stuck.gate = threading.Event()
    dispatcher.use({"stuck": stuck, "fast": fast})
    hands = Hands()
    put(database, hands, 1, channel="stuck", kind="a")
    put(database, hands, 1, channel="fast", kind="b")
    dispatcher.wake(frozenset({"stuck", "fast", "unknown"}))
    eventually(lambda: fast.sent)
    assert stuck.sent == []
    stuck.gate.set()
    eventually(lambda: stuck.sent)
    assert {status.state for status in dispatcher.statuses().values()} == {"ok"}
    assert dispatcher.drain()
    assert stuck.closed


def test_a_replaced_channel_takes_over(database: Database, dispatcher: Dispatcher) -> None:
    old, new = Post("mail"), Post("mail")
    dispatcher.use({"mail": old})
    dispatcher.use({"mail": old})
    dispatcher.use({"mail": new})
    put(database, Hands(), 1)
    dispatcher.wake_all()
    eventually(lambda: new.sent)
    assert old.sent == []
    dispatcher.use({})
    assert dispatcher.drain()


def test_a_drain_gives_up_on_a_send_that_hangs(
    database: Database, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "DRAIN", 0.05)
    stuck = Post("mail")
    stuck.gate = threading.Event()
    put(database, Hands(), 1)
    dispatcher.use({"mail": stuck})
    eventually(lambda: only(database).delivery is Delivery.SENDING)
    assert not dispatcher.drain()
    stuck.gate.set()
    eventually(lambda: stuck.closed)


def test_retries_planned_for_another_time_are_brought_forward(database: Database, dispatcher: Dispatcher) -> None:
    hands = Hands()
    hands.pass_by(10 * 365 * 86400)  # planned before the clock was set back
    put(database, hands, 1)
    dispatcher.clock_jumped()
    assert only(database).next_attempt_at < hands.wall


def test_a_clock_that_is_set_back_by_minutes_delays_no_message(database: Database, dispatcher: Dispatcher) -> None:
    hands = Hands()
    hands.wall = Clock().now() + timedelta(minutes=50)  # as it was before
    put(database, hands, 1)
    dispatcher.clock_jumped()
    assert only(database).next_attempt_at <= Clock().now()


def test_a_store_that_is_away_is_waited_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from store.errors import StoreUnavailable  # noqa: PLC0415

    monkeypatch.setattr(couriers, "DAMAGED_STORE_WAIT", 0.01)
    troubles: list[Exception] = [StoreUnavailable("locked"), ZeroDivisionError("a defect")]

    def claiming(*given: Any) -> Claim | Pause | None:
        if troubles:
            raise troubles.pop(0)
        return claim(*given)

    monkeypatch.setattr(couriers, "claim", claiming)
    post = Post()
    put(database, Hands(), 1)
    ours = courier(database, post, Clock())
    ours.start()
    eventually(lambda: post.sent)
    ours.stop()
    assert ours.join(5)
    assert post.sent[0].reason is Reason.FIRST


@pytest.mark.parametrize("refusals", [[], [ChannelError("421 busy")]], ids=["accepted", "refused"])
def test_what_became_of_a_message_is_written_as_soon_as_the_store_is_back(
    database: Database, monkeypatch: pytest.MonkeyPatch, refusals: list[ChannelError]
) -> None:
    from store.errors import StoreUnavailable  # noqa: PLC0415

    monkeypatch.setattr(couriers, "DAMAGED_STORE_WAIT", 0.01)
    monkeypatch.setattr(couriers, "FIRST_WAIT", timedelta(milliseconds=1))
    troubles: list[Exception] = [StoreUnavailable("locked"), StoreUnavailable("locked")]
    transact = database.transact

    def refusing(unit: Any, **options: Any) -> Any:
        if only(database).delivery is Delivery.SENDING and troubles:
            raise troubles.pop(0)
        return transact(unit, **options)

    post = Post("mail", *refusals)
    put(database, Hands(), 1)
    monkeypatch.setattr(database, "transact", refusing)
    ours = courier(database, post, Clock())
    ours.start()
    eventually(lambda: not troubles and only(database).delivery is Delivery.SENT)
    ours.stop()
    assert ours.join(5)
    assert len(post.sent) == 1, "it was not sent again"


def test_a_claim_of_which_nobody_knows_whether_it_was_stored_is_taken_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from store.errors import StoreUnavailable  # noqa: PLC0415

    monkeypatch.setattr(couriers, "DAMAGED_STORE_WAIT", 0.01)
    troubles: list[Exception] = [StoreUnavailable("a commit was interrupted")]
    transact = database.transact

    def forgetting(unit: Any, **options: Any) -> Any:
        result = transact(unit, **options)
        if troubles:
            raise troubles.pop(0)
        return result

    post = Post("mail")
    put(database, Hands(), 1)
    monkeypatch.setattr(database, "transact", forgetting)
    ours = courier(database, post, Clock())
    ours.start()
    eventually(lambda: post.sent)
    ours.stop()
    assert ours.join(5)


def test_what_waits_for_a_broken_channel_goes_out_as_soon_as_its_settings_change(
    database: Database, dispatcher: Dispatcher
) -> None:
    put(database, Hands(), 1)
    dispatcher.use({"mail": Post("mail", ChannelError("token_revoked", permanent=True, channel_wide=True))})
    eventually(lambda: dispatcher.statuses()["mail"].state == "broken")
    healed = Post("mail")
    dispatcher.use({"mail": healed})
    eventually(lambda: len(healed.sent) == 1)
    assert dispatcher.drain()


def test_what_a_server_says_about_our_secrets_is_not_kept(database: Database) -> None:
    hands = Hands()
    put(database, hands, 1)
    clock = hands.clock()
    post = Post("mail", ChannelError("550 your password is s3cret"))
    hidden = Courier(
        post,
        database=database,
        clock=clock,
        progress=Progress(clock.monotonic),
        failpoint=Failpoints(),
        redact=Redaction(["s3cret"]).redact,
    )
    hidden.deliver_one()
    assert only(database).last_error == "550 your password is [hidden]"
