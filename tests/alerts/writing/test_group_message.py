from typing import Any

import pytest

from alerts.policies.gathering import Parcel, units_of
from alerts.writing.group_message import card_message, folded_message, group_message, name_of
from domain.alert import AlertKind, AlertState, Reason, Scope
from domain.message import Message, Tone
from domain.waiting import Form, Standing, Waiting
from tests.support.builders import NOON, message, minutes


def row(number: int, name: str | None = None, **changes: Any) -> Waiting:
    """The first row of alert `number`, about a pipeline of this name."""
    alert = changes.pop("alert", number)
    values: dict[str, Any] = {
        "reason": Reason.FIRST,
        "created_at": NOON,
        "kind": AlertKind.FAILURE,
        "scope": Scope(provider=f"ci{number}", pipeline=f"job-{alert}", branch="main"),
        "state": AlertState.FIRING,
        "summary": "1 failure in a row",
        "about": {"name": name or f"job-{alert}", "broken": "failed"},
    }
    return Waiting(id=number, alert_id=alert, **(values | changes))


def said(
    *rows: Waiting, form: Form = Form.GROUP, standing: Standing | None = None, joins: int | None = None
) -> Message:
    parcel = Parcel(units=tuple(units_of(rows)), form=form, joins=joins)
    return group_message(parcel, message(), standing, minutes(1))


def of(kind: AlertKind, number: int, **changes: Any) -> Waiting:
    return row(number, kind=kind, **changes)


@pytest.mark.parametrize(
    ("rows", "headline"),
    [
        ([row(1), row(2)], "🔴 2 pipelines failed within a minute"),
        ([row(1), row(2, created_at=minutes(5))], "🔴 2 pipelines failed"),
        ([of(AlertKind.STALE, 1), of(AlertKind.STALE, 2)], "🟠 2 pipelines need attention: no build when one was due"),
        (
            [of(AlertKind.PROVIDER_UNREACHABLE, n, scope=Scope(provider="gh", branch=f"a/{n}")) for n in range(1, 7)],
            "🔴 6 parts cannot be read within a minute on gh",
        ),
        ([row(1), of(AlertKind.DURATION, 2), row(3)], "🔴 3 pipelines need attention: 2 failed, 1 slower"),
    ],
    ids=["at once", "one after the other", "another kind", "parts", "several kinds"],
)
def test_a_headline_counts_what_has_happened(rows: list[Waiting], headline: str) -> None:
    assert said(*rows).headline == headline


def test_branches_of_a_pipeline_are_counted_as_such() -> None:
    scope = {branch: Scope(provider="ci", pipeline="web", branch=branch) for branch in ("main", "dev")}
    found = said(row(1, scope=scope["main"]), row(2, scope=scope["dev"]))
    assert found.headline.startswith("🔴 2 branches of 1 pipeline failed")


def test_thirty_have_a_line_and_all_a_name() -> None:
    found = said(*(row(number, f"job-{number:03}") for number in range(1, 301)))
    lines, *others = found.tables
    assert (lines.title, len(lines.rows), others[0].title) == ("Broken", 30, "And 270 more")
    named = ", ".join(cell.text for table in others for each in table.rows for cell in each).split(", ")
    assert named == [f"job-{number:03}" for number in range(31, 301)]


def test_more_than_can_be_named_are_counted() -> None:
    standing = Standing(total=9000, over=0, members=tuple(row(number) for number in range(1, 31)))
    found = card_message(standing, message(), NOON)
    assert found.headline.startswith("🔴 9000 pipelines failed")
    assert [table.title for table in found.tables] == ["Broken", "And 8970 more"]


def test_a_card_of_warnings_is_no_red_one() -> None:
    members = (of(AlertKind.STALE, 1), of(AlertKind.STALE, 2, state=AlertState.RESOLVED))
    found = card_message(Standing(total=2, over=1, members=members), message(), NOON)
    assert (found.tone, found.headline) == (Tone.WORSE, "🟠 1 of 2 still need attention")


def test_a_storm_counts_by_kind() -> None:
    ended = row(4, alert=3, reason=Reason.RESOLVED, state=AlertState.RESOLVED)
    found = said(row(1), of(AlertKind.STUCK, 2), row(3), ended, form=Form.STORM)
    assert found.headline == "🔴 Too much at once, 3 alerts in one message: 1 failed, 1 stuck, 1 over"


def test_what_joins_a_card_makes_it_anew() -> None:
    standing = Standing(total=3, over=0, members=(row(1), row(2), row(3)))
    assert said(row(3), form=Form.JOIN, standing=standing, joins=1).headline.startswith("🔴 3 pipelines failed")


def test_news_of_several_that_go_on() -> None:
    rows = [row(number, reason=Reason.REMINDER, card=number) for number in (1, 2)]
    assert said(*rows, form=Form.NEWS).headline == "🔴 2 still failing: job-1, job-2"


def test_endings_of_several_cards_are_counted_and_a_few_named() -> None:
    rows = [row(number, reason=Reason.RESOLVED, card=number) for number in range(1, 7)]
    assert said(*rows[:2], form=Form.NEWS).headline == "🟢 2 pipelines are fixed: job-1, job-2"
    assert said(*rows, form=Form.NEWS).headline == "🟢 6 pipelines are fixed"
    closed = row(7, reason=Reason.CLOSED, card=7)
    assert said(rows[0], closed, form=Form.NEWS).headline == "🟢 2 pipelines are over: job-1, job-7"


def test_quiet_hours_and_absences_say_what_is_left() -> None:
    old = row(9, alert=8, reason=Reason.RESOLVED, card=1)
    found = said(row(1), row(2), row(3, alert=2, reason=Reason.RESOLVED), old, form=Form.QUIET)
    assert found.headline == "🔴 During quiet hours: still broken: job-1; 1 broke and recovered; 1 fixed"
    assert [table.title for table in found.tables] == ["Broken", "Broke and recovered", "Over"]
    assert said(row(1), row(2), form=Form.AWAY).headline.startswith("🔴 While this channel was away: still broken")


def test_all_that_recovered_before_it_was_told_is_green() -> None:
    rows = [row(1), row(2), row(3, alert=1, reason=Reason.RESOLVED), row(4, alert=2, reason=Reason.CLOSED)]
    found = said(*rows)
    assert (found.tone, found.headline.endswith("; all recovered since")) == (Tone.FIXED, True)


def test_a_closed_alert_that_was_never_told_is_one_note() -> None:
    first, last = message(headline="🔴 web failed"), message(headline="🔵 web: closed", tone=Tone.NOTE)
    assert folded_message(first, last, Reason.CLOSED).headline == "🔵 web failed, and the alert is closed since"
    assert folded_message(first, last, Reason.UPDATE) is last


def test_rows_of_an_older_version_have_the_names_of_their_scope() -> None:
    assert name_of(row(1, about={})) == "job-1 / main"
    assert name_of(row(1, about={}, scope=Scope(provider="ci"))) == "ci"
