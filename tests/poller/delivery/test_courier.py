from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from alerts.channels._base import ChannelError
from domain.alert import Alert, AlertState, Delivery, Notification, Reason, Scope
from domain.message import Tone
from poller.delivery import courier as couriers
from poller.delivery.courier import Courier
from poller.running.failpoint import Failpoints
from poller.running.progress import Progress
from store import alerts, outbox, outcomes
from store.engine import Database, Session
from tests.support.builders import alert, message, notification
from tests.support.hands import Hands

AWAY = ChannelError("cannot be reached", channel_wide=True)


class Post:
    """A channel that does what it is told, in order; then it accepts everything. Its receipts are numbers."""

    min_interval = 0.0
    name = "team"

    def __init__(self, *answers: ChannelError | None, edits: bool = False) -> None:
        self.answers = list(answers)
        self.edits = edits
        self.sent: list[Notification] = []

    def send(self, notification: Notification) -> Mapping[str, Any]:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.sent.append(notification)
        return {"number": len(self.sent)}

    def probe(self) -> str:
        return "a post box"

    def close(self) -> None:
        """Nothing is open."""


class Scene:
    """Alerts of pipelines, and a courier that takes their messages to a channel, as the hands of two clocks move."""

    def __init__(self, database: Database, post: Post) -> None:
        self.database = database
        self.post = post
        self.hands = Hands()
        self.alerts: dict[str, Alert] = {}
        clock = self.hands.clock()
        self.courier = Courier(
            post, database=database, clock=clock, progress=Progress(clock.monotonic), failpoint=Failpoints()
        )
        self.courier.stop()  # so that nothing waits for real
        self.courier._is_new = False

    def breaks(self, *names: str, **about: Any) -> None:
        """These pipelines fail."""
        for name in names:
            self._write(name, Reason.FIRST, f"🔴 {name} failed", about)

    def heals(self, *names: str, **changes: Any) -> None:
        """These pipelines pass again."""
        for name in names:
            self._write(name, Reason.RESOLVED, f"🟢 {name} is fixed", changes)

    def goes_on(self, name: str, reason: Reason) -> None:
        self._write(name, reason, f"🔴 {name} is still failing", {})

    def _write(self, name: str, reason: Reason, headline: str, changes: dict[str, Any]) -> None:
        hold_until = changes.pop("hold_until", None)
        old = self.alerts.get(name)
        ended = {"state": AlertState.RESOLVED, "resolved_at": self.hands.wall} if reason is Reason.RESOLVED else {}
        transition = old.transition + 1 if old else 1
        changed = alert(
            scope=Scope(provider=changes.get("provider", name), pipeline=name, branch="main"),
            transition=transition,
            id=old.id if old else None,
            **ended,
        )

        def unit(session: Session) -> Alert:
            saved = alerts.save(session, changed)
            told = notification(
                alert_id=saved.id,
                transition=transition,
                reason=reason,
                message=message(headline=headline, tone=Tone.FIXED if ended else Tone.BROKEN),
                created_at=self.hands.wall,
                next_attempt_at=self.hands.wall,
                hold_until=hold_until,
                about={"name": name, "broken": "is fixed" if ended else "failed", **changes},
            )
            outbox.add(session, [told])
            return saved

        self.alerts[name] = self.database.transact(unit)

    def deliver(self, seconds: float = 0, times: int = 8) -> list[str]:
        """Let time pass, deliver what may go, and return the headlines that were sent."""
        self.hands.pass_by(seconds)
        before = len(self.post.sent)
        for _ in range(times):
            self.courier._held_until = 0.0
            self.courier.deliver_one()
        return [each.message.headline for each in self.post.sent[before:]]

    def rows(self) -> list[Notification]:
        """All rows, oldest first."""
        found: Sequence[Notification] = self.database.read(lambda session: outbox.listing(session, limit=1000))
        return list(reversed(found))


@pytest.fixture
def scene(database: Database) -> Scene:
    return Scene(database, Post())


@pytest.fixture
def editing(database: Database) -> Scene:
    return Scene(database, Post(edits=True))


def test_a_group_is_one_message_and_each_of_its_rows_is_sent(scene: Scene) -> None:
    scene.breaks("web", "api", "lib", bucket="helm", labels={"cloud": "aws"})
    assert scene.deliver() == ["🔴 3 pipelines failed, same cause: helm"]
    assert [(each.delivery, each.batch, each.receipt) for each in scene.rows()] == [
        (Delivery.SENT, 1, {"number": 1})
    ] * 3
    (table,) = scene.post.sent[0].message.tables
    assert [row[0].text for row in table.rows] == ["web", "api", "lib"]


def test_its_endings_are_told_with_what_still_fails(scene: Scene) -> None:
    scene.breaks("web", "api", "lib", "app", bucket="helm")
    scene.deliver()
    scene.heals("api", "web")
    assert scene.deliver(60) == ["🟢 2 of 4 are fixed: api, web; 2 still failing: lib, app"]
    scene.heals("lib")
    assert scene.deliver(5) == [], "what follows waits for company"
    scene.heals("app")
    assert scene.deliver(26) == ["🟢 All 4 are fixed, now lib, app"]


def test_one_ending_says_which_of_how_many_it_is(scene: Scene) -> None:
    scene.breaks("web", "api", "lib", bucket="helm")
    scene.deliver()
    scene.heals("api")
    assert scene.deliver(60) == ["🟢 api is fixed (1 of 3)"]


def test_a_group_card_shows_all_its_alerts_whichever_of_them_changed(editing: Scene) -> None:
    editing.breaks("web", "api", "lib", bucket="helm")
    editing.deliver()
    editing.heals("api")
    assert editing.deliver(60) == ["🟢 api is fixed (1 of 3)"]
    told = editing.post.sent[-1]
    assert told.root == {"number": 1}
    assert told.card is not None
    assert told.card.headline == "🔴 2 of 3 still failing"
    assert [table.title for table in told.card.tables] == ["Broken", "Over"]
    editing.heals("web", "lib")
    editing.deliver(60)
    assert editing.post.sent[-1].card is not None
    assert editing.post.sent[-1].card.headline == "🟢 All 3 are fixed"


def test_what_belongs_to_a_card_just_sent_joins_it(editing: Scene) -> None:
    editing.breaks("web", bucket="helm")
    editing.deliver()
    editing.breaks("api", bucket="helm")
    assert editing.deliver(5) == ["🔴 2 pipelines failed, same cause: helm"]
    joined = editing.post.sent[-1]
    assert (joined.reason, joined.root) == (Reason.FIRST, {"number": 1})
    editing.goes_on("web", Reason.REFRESH)
    editing.deliver(5)
    assert editing.post.sent[-1].reason is Reason.REFRESH
    assert editing.post.sent[-1].card is not None


def test_a_break_that_was_over_before_it_was_told_is_one_note(scene: Scene) -> None:
    scene.post.answers = [ChannelError("slow down", retry_after=30, channel_wide=True)]
    scene.breaks("web")
    scene.deliver(times=1)
    scene.heals("web")
    assert scene.deliver(40) == ["🟢 web failed, and has recovered since"]
    assert {each.delivery for each in scene.rows()} == {Delivery.SENT}


def test_a_break_that_may_have_been_told_is_told_again_and_its_end_after_it(scene: Scene) -> None:
    scene.post.answers = [ChannelError("no answer", ambiguous=True)]
    scene.breaks("web")
    scene.deliver(times=1)
    scene.heals("web")
    assert scene.deliver(40) == ["🔴 web failed", "🟢 web is fixed"]


def test_a_group_that_may_have_been_told_keeps_its_name_and_its_members(scene: Scene) -> None:
    scene.post.answers = [ChannelError("no answer", ambiguous=True)]
    scene.breaks("web", "api", bucket="helm")
    scene.deliver(times=1)
    scene.breaks("lib", bucket="helm")
    scene.heals("web")
    assert scene.deliver(10, times=1) == ["🔴 2 pipelines failed, same cause: helm"]
    again = scene.post.sent[0]
    assert (again.id, again.ambiguous, again.attempts) == (1, True, 2)


def test_a_group_under_way_when_the_process_died_keeps_its_name_and_its_members(scene: Scene) -> None:
    scene.breaks("web", "api", bucket="helm")
    scene.courier._claim()
    assert scene.database.transact(outcomes.recover) == 2
    scene.breaks("lib", bucket="helm")
    assert scene.deliver(1, times=1) == ["🔴 2 pipelines failed, same cause: helm"]
    assert (scene.post.sent[0].id, scene.post.sent[0].ambiguous) == (1, True)


def test_a_group_that_nobody_took_is_gathered_anew(scene: Scene) -> None:
    scene.post.answers = [ChannelError("slow down", retry_after=20, channel_wide=True)]
    scene.breaks("web", "api", bucket="helm")
    scene.deliver(times=1)
    scene.heals("web")
    scene.breaks("lib", bucket="helm")
    assert scene.deliver(30) == ["🔴 3 pipelines failed, same cause: helm; 1 recovered since"]


def test_a_group_that_is_refused_for_good_is_told_one_by_one(scene: Scene) -> None:
    scene.post.answers = [ChannelError("554 spam", permanent=True), None, ChannelError("554 spam", permanent=True)]
    scene.breaks("web", "api", "lib", bucket="helm")
    assert scene.deliver(60) == ["🔴 web failed", "🔴 lib failed"]
    assert [each.delivery for each in scene.rows()] == [Delivery.SENT, Delivery.DEAD, Delivery.SENT]


def test_only_what_was_tried_for_three_days_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(couriers, "MOST_ATTEMPTS", 2)
    scene.post.answers = [ChannelError("421 busy"), ChannelError("421 busy")]
    scene.breaks("web", bucket="helm")
    scene.deliver(times=1)
    scene.breaks("api", bucket="helm")
    scene.deliver(10, times=1)
    assert [each.delivery for each in scene.rows()] == [Delivery.DEAD, Delivery.PENDING]
    assert scene.deliver(60) == ["🔴 api failed"]


def test_a_night_without_the_channel_is_one_summary(scene: Scene) -> None:
    scene.post.answers = [AWAY]
    for number in range(300):
        scene.breaks(f"job-{number:03}")
    scene.heals(*(f"job-{number:03}" for number in range(100)))
    scene.deliver(times=1)
    (headline,) = scene.deliver(8 * 3600)
    assert headline == (
        "🔴 While this channel was away: still broken: job-100, job-101, job-102, job-103 and 196 more; "
        "100 broke and recovered"
    )
    assert {each.delivery for each in scene.rows()} == {Delivery.SENT}
    assert scene.post.sent[0].message.tables[0].rows[0][1].text == "failed (8 h ago)"


def test_a_single_old_message_says_its_age(scene: Scene) -> None:
    scene.breaks("web")
    assert scene.deliver(3 * 3600) == ["🔴 web failed (3 h ago)"]


def test_quiet_hours_end_with_one_summary(scene: Scene) -> None:
    until = scene.hands.wall + timedelta(hours=8)
    scene.breaks("web", hold_until=until)
    scene.breaks("api", hold_until=until)
    scene.heals("api", hold_until=until)
    scene.database.transact(lambda session: outbox.hurry(session, "team", scene.hands.wall))
    assert scene.deliver(3600) == []
    assert scene.deliver(7 * 3600) == ["🔴 During quiet hours: still broken: web; 1 broke and recovered"]


def test_what_a_channel_cannot_show_is_left_out_and_said_so(scene: Scene) -> None:
    scene.breaks("web")
    scene.deliver()
    scene.goes_on("web", Reason.REFRESH)
    scene.goes_on("web", Reason.THREADED)
    assert scene.deliver() == []
    assert [each.receipt for each in scene.rows()][1:] == [couriers.LEFT_OUT] * 2
    scene.heals("web")
    scene.deliver()
    assert scene.post.sent[-1].root == {"number": 1}


def test_rows_that_wait_for_company_are_not_looked_at_at_every_call(scene: Scene) -> None:
    scene.breaks("web")
    scene.deliver()
    scene.breaks(*"abcdefgh")
    scene.courier._held_until = 0.0
    assert 25 < scene.courier.deliver_one() <= 30
    assert scene.courier._held_until > scene.hands.seconds
    assert scene.deliver(31) == ["🔴 8 pipelines failed within a minute"]
