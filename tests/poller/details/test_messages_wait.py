"""A first message waits a moment for the details of its build; what comes later follows up, once."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from domain.alert import Delivery, Notification, Reason
from domain.build import Outcome
from domain.details import Details
from domain.waiting import FOR_DETAILS, Form
from poller.details.catching_up import COMPANY, CROWD
from poller.proof.explaining import explain
from poller.proof.inquiry import Inquiry
from store import builds, outbox, outcomes, waiting
from store.engine import Database, Session
from tests.support.builders import NOON, build, pipeline
from tests.support.configurations import loaded
from tests.support.desk import editing
from tests.support.teller import COMPILE, HELM, ExplainedDesk, changes, log

WAIT = timedelta(seconds=20)


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> ExplainedDesk:
    return ExplainedDesk(database, tmp_path)


def due_rows(desk: ExplainedDesk, channel: str = "desk") -> list[int]:
    """What a channel may be told now."""
    return [row.id for row in desk.database.read(lambda session: waiting.waiting(session, channel, desk.now))]


def send(desk: ExplainedDesk, channel: str = "desk") -> None:
    """The channel takes everything that is due, one by one."""

    def unit(session: object) -> None:
        for row in waiting.waiting(session, channel, desk.now):  # type: ignore[arg-type]
            waiting.take(session, [row], Form.SINGLE, desk.now)  # type: ignore[arg-type]
            outcomes.mark_sent(session, row.id, {"ts": "1"}, desk.now)  # type: ignore[arg-type]

    desk.database.transact(unit)


def last(desk: ExplainedDesk, channel: str = "desk") -> Notification:
    return [row for row in desk.rows() if row.channel == channel][-1]


def test_a_first_message_waits_for_details_and_says_them(desk: ExplainedDesk) -> None:
    desk.builds("PF")
    (row,) = desk.rows()
    assert (row.held, row.hold_until) == (FOR_DETAILS, desk.now + WAIT)
    assert due_rows(desk) == []
    desk.pass_by(seconds=0.3)
    assert desk.explains().told == {"desk"}
    (row,) = desk.rows()
    assert due_rows(desk) == [row.id]
    assert row.message.headline == '🔴 deploy / main failed: "Compile Error: src/cart.ts" in stage Build'
    assert "error TS2322" in (row.message.details or "")
    assert row.about["bucket"] == "Compile Error"
    assert row.reason is Reason.FIRST


def test_after_the_wait_it_goes_without_them_and_one_follow_up_says_what_is_known(desk: ExplainedDesk) -> None:
    desk.builds("PF")
    desk.pass_by(seconds=20)
    send(desk)
    assert last(desk).message.headline == "🔴 deploy / main failed"
    desk.pass_by(seconds=5)
    desk.explains()
    first, second = desk.rows()
    assert (first.delivery, second.reason) == (Delivery.SENT, Reason.UPDATE)
    assert "Compile Error" in second.message.headline
    assert any("What is known now" in note for note in second.message.notes)
    assert first.about["bucket"] == "Compile Error"
    desk.builds("F")
    desk.explains()
    assert [row.reason for row in desk.rows()] == [Reason.FIRST, Reason.UPDATE]  # the same cause is no news


def test_a_channel_that_edits_gets_its_card_refreshed(desk: ExplainedDesk) -> None:
    editing(desk)
    desk.builds("PF")
    desk.pass_by(seconds=20)
    send(desk)
    send(desk, "bot")
    desk.explains()
    assert [(row.channel, row.reason) for row in desk.rows()] == [
        ("desk", Reason.FIRST),
        ("bot", Reason.FIRST),
        ("bot", Reason.REFRESH),
        ("desk", Reason.UPDATE),
    ]
    assert "Compile Error" in last(desk, "bot").message.headline


def test_details_without_substance_are_not_worth_a_message(desk: ExplainedDesk) -> None:
    desk.teller.usual = Details(failing_stage="Build")
    desk.builds("PF")
    desk.pass_by(seconds=20)
    send(desk)
    desk.explains()
    assert [row.reason for row in desk.rows()] == [Reason.FIRST]


def test_a_message_without_a_cause_waits_for_what_is_read_again_in_time(desk: ExplainedDesk) -> None:
    full = desk.teller.usual
    desk.teller.usual = Details(reason="Process completed with exit code 2.", later=True)
    desk.builds("PF")
    desk.explains(again=desk.now + timedelta(seconds=4))
    (row,) = desk.rows()
    assert ("exit code" in row.message.headline, row.hold_until) == (True, desk.now + WAIT)
    desk.pass_by(seconds=4)
    desk.teller.usual = full
    desk.explains()
    assert len(due_rows(desk)) == 1
    assert "Compile Error" in last(desk).message.headline


def test_a_word_of_the_server_is_no_other_cause_while_the_log_may_come(desk: ExplainedDesk) -> None:
    desk.builds("PF")
    desk.explains()
    send(desk)
    full = desk.teller.usual
    desk.teller.usual = Details(reason="Process completed with exit code 2.", later=True)
    desk.builds("F")
    desk.explains(again=desk.now + timedelta(seconds=4))
    desk.teller.usual = full
    desk.explains()
    assert [row.reason for row in desk.rows()] == [Reason.FIRST]


@pytest.mark.parametrize(("text", "seconds"), [("", 20), (COMPILE, 4)])
def test_a_message_goes_when_the_rest_will_not_come_in_time_or_would_say_less(
    desk: ExplainedDesk, text: str, seconds: int
) -> None:
    desk.teller.usual = Details(failing_stage="Build", later=True, logs=log(text) if text else ())
    desk.builds("PF")
    desk.explains(again=desk.now + timedelta(seconds=seconds))
    assert len(due_rows(desk)) == 1


def test_what_is_read_again_and_tells_nothing_new_is_no_news(desk: ExplainedDesk) -> None:
    editing(desk)
    desk.builds("PF")
    for channel in ("desk", "bot"):
        desk.explains(2, again=desk.now)
        send(desk, channel)
    desk.explains()
    assert [(row.channel, row.reason) for row in desk.rows()] == [("desk", Reason.FIRST), ("bot", Reason.FIRST)]


def test_another_cause_of_a_later_failure_is_told_at_once(desk: ExplainedDesk) -> None:
    desk.builds("PF")
    desk.explains()
    send(desk)
    desk.builds("F")
    desk.teller.by_number[3] = Details(failing_stage="Deploy", logs=log(HELM))
    desk.explains()
    assert [row.reason for row in desk.rows()] == [Reason.FIRST, Reason.UPDATE]
    assert "2nd in a row" in last(desk).message.headline
    assert "Deploy" in last(desk).message.headline


def test_what_began_together_goes_together_when_all_details_have_come(desk: ExplainedDesk) -> None:
    shops = [pipeline("web/a"), pipeline("web/b")]
    desk.comes(*(build(1, pipeline=shop) for shop in shops))
    desk.now = NOON + timedelta(minutes=30)
    desk.comes(*(build(2, Outcome.FAILURE, pipeline=shop, commit=None) for shop in shops))
    first, second = desk.due()
    desk.explains(first)
    assert due_rows(desk) == []
    assert sorted(row.hold_until - desk.now for row in desk.rows() if row.hold_until) == [COMPANY, WAIT]
    desk.explains(second)
    assert len(due_rows(desk)) == 2
    assert {row.about["bucket"] for row in desk.rows()} == {"Compile Error"}


def test_company_is_waited_for_a_second_at_most(desk: ExplainedDesk) -> None:
    shops = [pipeline("web/a"), pipeline("web/b")]
    desk.comes(*(build(1, pipeline=shop) for shop in shops))
    desk.now = NOON + timedelta(minutes=30)
    desk.comes(*(build(2, Outcome.FAILURE, pipeline=shop) for shop in shops))
    desk.explains(desk.due()[0])
    desk.pass_by(seconds=1)
    assert len(due_rows(desk)) == 1


def test_a_fix_does_not_overtake_a_message_that_waits(desk: ExplainedDesk) -> None:
    desk.builds("PF")
    desk.comes(build(3, finished_at=desk.now))
    assert due_rows(desk) == []
    desk.explains()
    assert len(due_rows(desk)) == 2


def test_a_restart_lets_nothing_go_early(desk: ExplainedDesk) -> None:
    desk.builds("PF")
    desk.database.transact(lambda session: outbox.hurry(session, "desk", desk.now))
    assert due_rows(desk) == []
    desk.pass_by(hours=-2)
    desk.database.transact(lambda session: outbox.bring_forward(session, desk.now, desk.now))
    assert len(due_rows(desk)) == 1  # but a clock that was set back does


def test_nothing_waits_without_details(database: Database, tmp_path: Path) -> None:
    for more in ("details: off\n", "details: {wait: 0}\n"):
        desk = ExplainedDesk(database, tmp_path, more)
        desk.builds("PF", pipeline=pipeline(f"web/{len(more)}"))
        assert len(due_rows(desk)) == len(desk.rows())


def test_quiet_hours_hold_longer(database: Database, tmp_path: Path) -> None:
    desk = ExplainedDesk(database, tmp_path, 'quiet_hours: [{start: "12:00", end: "20:00"}]\n')
    desk.builds("PF")
    desk.explains()
    (row,) = desk.rows()
    assert row.held != FOR_DETAILS
    assert "Compile Error" in row.message.headline
    assert due_rows(desk) == []


@pytest.fixture
def routed(database: Database, tmp_path: Path) -> ExplainedDesk:
    """A desk with a route for one cause."""
    desk = ExplainedDesk(database, tmp_path)
    routes = "routes:\n  - {match: {bucket: Compile Error}, to: [wall]}\n"
    text = (tmp_path / "config.yaml").read_text().replace("routes:\n", routes)
    desk.configuration = loaded(tmp_path / "config.yaml", text)
    return desk


def test_who_is_told_may_depend_on_the_cause(routed: ExplainedDesk) -> None:
    desk = routed
    desk.builds("PF")
    assert [row.channel for row in desk.rows()] == ["desk"]
    desk.explains()
    assert [row.channel for row in desk.rows()] == ["wall"]
    assert desk.alerts()[-1].channels == ("wall",)
    assert len(due_rows(desk, "wall")) == 1


def test_who_was_told_already_stays_told(routed: ExplainedDesk) -> None:
    desk = routed
    desk.builds("PF")
    desk.pass_by(seconds=20)
    send(desk)
    desk.explains()
    assert desk.alerts()[-1].channels == ("desk", "wall")
    assert [(row.channel, row.reason) for row in desk.rows()] == [
        ("desk", Reason.FIRST),
        ("wall", Reason.FIRST),
        ("desk", Reason.UPDATE),
    ]


def test_suspects_are_those_before_the_first_failure_in_a_row(desk: ExplainedDesk) -> None:
    desk.teller.by_number[2] = Details(logs=log(COMPILE), changes=changes("ada"))
    desk.teller.by_number[3] = Details(logs=log(HELM), changes=changes("eve"))
    desk.builds("PF")
    desk.explains()
    send(desk)
    desk.builds("F")
    desk.explains()
    tables = last(desk).message.tables
    assert last(desk).reason is Reason.UPDATE
    assert [cell.text for cell in tables[0].rows[0]] == ["ada", "00000000 Change 0"]
    first, second = desk.teller.asked
    assert first[1].since is not None
    assert first[1].since.number == 1
    assert second[1].since is None
    assert COMPILE in desk.teller.by_number[2].logs[0].text


def test_explain_says_what_was_read_and_that_a_message_waited(desk: ExplainedDesk) -> None:
    def lines() -> str:
        def unit(session: Session) -> str:
            view = builds.get(session, [2])[2]
            return "\n".join(explain(Inquiry(session, desk.configuration, desk.now).facts(view)).lines)

        return desk.database.read(unit)

    desk.builds("PF")
    assert "details: still to be read" in lines()
    desk.teller.usual = replace(desk.teller.usual, notes=("the log of deploy is gone (404)",))
    desk.explains()
    send(desk)
    assert "details: read at 2026-11-20 12:25 UTC: Compile Error (code), stage Build\n" in lines()
    assert "  the log of deploy is gone (404)" in lines()
    assert "after it had waited for the details of the build" in lines()


def test_a_card_is_edited_once_for_a_failure_and_its_details(desk: ExplainedDesk) -> None:
    editing(desk)
    desk.builds("PF")
    desk.explains()
    send(desk, "bot")
    desk.builds("F")
    assert due_rows(desk, "bot") == []
    desk.explains()
    assert len(due_rows(desk, "bot")) == 1
    assert last(desk, "bot").reason is Reason.REFRESH
    assert "2nd in a row" in last(desk, "bot").message.headline
    assert "Compile Error" in last(desk, "bot").message.headline


def test_a_route_for_a_cause_adds_to_who_is_told(desk: ExplainedDesk) -> None:
    routes = desk.configuration.routes
    cause = replace(
        routes[0], match=replace(routes[-1].match, bucket="Compile Error"), to=("wall",), then_continue=True
    )
    desk.configuration = replace(desk.configuration, routes=(cause, *routes))
    desk.builds("PF")
    desk.explains()
    assert [row.channel for row in desk.rows()] == ["desk", "wall"]
    assert desk.alerts()[-1].channels == ("desk", "wall")


def test_of_a_crowd_nobody_waits_for_details(desk: ExplainedDesk) -> None:
    shops = [pipeline(f"web/{number}") for number in range(CROWD + 2)]
    desk.comes(*(build(1, pipeline=shop) for shop in shops))
    desk.now = NOON + timedelta(minutes=30)
    desk.comes(*(build(2, Outcome.FAILURE, pipeline=shop, commit=None) for shop in shops))
    first, *others = desk.due()
    desk.explains(first)
    assert len(due_rows(desk)) == len(shops)
    rows = desk.database.transact(lambda session: waiting.waiting(session, "desk", desk.now))

    def unit(session: Session) -> None:
        lead = waiting.take(session, rows, Form.GROUP, desk.now)
        outcomes.mark_sent(session, lead, {"ts": "1"}, desk.now)

    desk.database.transact(unit)
    desk.explains(*others)
    assert {row.reason for row in desk.rows()} == {Reason.FIRST}  # and nobody gets a message for each of them
    assert {row.about["bucket"] for row in desk.rows()} == {"Compile Error"}


def test_a_pull_request_is_explained_and_nobody_is_told(desk: ExplainedDesk) -> None:
    desk.builds("P")
    desk.comes(build(2, Outcome.FAILURE, is_pull_request=True))
    desk.explains()
    found = desk.database.read(lambda session: builds.get(session, [2]))
    assert found[2].build.bucket == "Compile Error"
    assert desk.rows() == []


CAUSE = "{match: {bucket: Compile Error}, to: [wall]}"
RUNNER = "{match: {labels: {runner: agent-7}}, to: [wall]}"


@pytest.mark.parametrize("route", [CAUSE, RUNNER])
def test_who_is_told_may_depend_on_what_details_say(database: Database, tmp_path: Path, route: str) -> None:
    desk = ExplainedDesk(database, tmp_path)
    desk.with_text(tmp_path, "routes:\n", f"routes:\n  - {route}\n")
    desk.teller.usual = replace(desk.teller.usual, labels={"runner": "agent-7"})
    desk.builds("PF")
    assert [row.channel for row in desk.rows()] == ["desk"]
    desk.explains()
    assert [row.channel for row in desk.rows()] == ["wall"]


@pytest.mark.parametrize("route", [CAUSE, RUNNER])
def test_whom_only_the_details_name_is_told_when_they_come(database: Database, tmp_path: Path, route: str) -> None:
    desk = ExplainedDesk(database, tmp_path)
    desk.with_text(tmp_path, "  - {to: [desk]}\n", f"  - {route}\n")
    desk.teller.usual = replace(desk.teller.usual, labels={"runner": "agent-7"})
    desk.builds("PF")
    assert desk.rows() == []
    assert desk.explains().told == {"wall"}
    assert [(row.channel, row.reason) for row in desk.rows()] == [("wall", Reason.FIRST)]
    assert "Compile Error" in last(desk, "wall").message.headline
    desk.builds("FP")
    desk.explains()
    assert [(row.channel, row.reason) for row in desk.rows()][1:] == [("wall", Reason.RESOLVED)]


def test_what_was_so_at_first_contact_is_left_to_its_summary(database: Database, tmp_path: Path) -> None:
    desk = ExplainedDesk(database, tmp_path)
    desk.with_text(tmp_path, "  - {to: [desk]}\n", f"  - {CAUSE}\n")
    desk.comes(build(1, Outcome.FAILURE, finished_at=desk.now - timedelta(days=1)))
    desk.explains()
    assert [alert.channels for alert in desk.alerts()] == [()]
    assert desk.rows() == []
