"""Silences, from builds to the outbox."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.alert import AlertState, Reason
from domain.build import Outcome
from domain.silence import Ends
from poller.standing import tell_baseline
from poller.telling.handling import CannotHandleError, silence, silence_alert, unsilence
from store import silences
from store.engine import Database
from tests.support.builders import build, minutes, pipeline
from tests.support.desk import Desk, broken

FIRST, RESOLVED = ("desk", Reason.FIRST), ("desk", Reason.RESOLVED)


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    here = Desk(database, tmp_path)
    here.builds("P")
    return here


def test_a_break_under_a_silence_is_saved_and_not_told(desk: Desk) -> None:
    quiet = desk.quiet({"pipeline": "web/*"}, at=minutes(600))
    desk.builds("F")
    (saved,) = desk.alerts()
    assert saved.state is AlertState.FIRING
    assert saved.channels == ()
    assert saved.handling == {"silenced_by": quiet.id, "silenced_at": desk.now.isoformat()}
    assert desk.looks() == []
    desk.builds("FF")
    assert desk.looks() == []


def test_what_a_silence_does_not_cover_is_told(desk: Desk) -> None:
    desk.quiet({"pipeline": "lib/*"}, at=minutes(600))
    desk.quiet({"branch": "release/*"}, at=minutes(600))
    desk.quiet({"kind": "duration"}, at=minutes(600))
    desk.builds("F")
    assert desk.said() == [FIRST]


def test_what_fires_when_a_silence_ends_is_told_at_once_and_its_end_too(desk: Desk) -> None:
    quiet = desk.quiet(at=minutes(60))
    desk.builds("F")
    desk.now = minutes(59)
    assert desk.looks() == []
    desk.now = minutes(60)
    assert desk.looks() == [FIRST]
    assert desk.looks() == []
    (told,) = desk.alerts()
    assert told.channels == ("desk",)
    assert told.handling["woken"] == {"silence": quiet.id, "at": desk.now.isoformat()}
    assert told.handling["told_at"] == desk.now.isoformat()
    assert "silenced_by" not in told.handling
    assert desk.silence(quiet.id).ended_because == "its time was over"
    assert desk.silence(quiet.id).ended_at == desk.now
    desk.builds("P")
    assert desk.said() == [RESOLVED]


def test_what_came_and_went_under_a_silence_is_never_told(desk: Desk) -> None:
    desk.quiet(at=minutes(600))
    desk.builds("FP")
    desk.now = minutes(601)
    assert desk.looks() == []
    assert desk.alerts()[0].state is AlertState.RESOLVED


def test_a_time_that_is_over_silences_nothing_even_before_the_next_look(desk: Desk) -> None:
    desk.quiet(at=minutes(21))
    desk.now = minutes(22)
    desk.builds("F")
    assert desk.said() == [FIRST]


def test_the_end_of_what_was_told_before_a_silence_is_told_inside_it(desk: Desk) -> None:
    desk.builds("F")
    assert desk.said() == [FIRST]
    desk.quiet(at=minutes(600))
    desk.builds("F")
    desk.pass_by(minutes=1)
    assert desk.looks() == []
    desk.builds("P")
    assert desk.said() == [RESOLVED]
    desk.builds("F")
    assert desk.said() == []


def test_until_fixed_ends_with_the_last_break_that_it_covers(desk: Desk) -> None:
    desk.builds("F")
    other = {"pipeline": pipeline("web/shop")}
    desk.comes(build(1, **other))
    desk.comes(build(2, Outcome.FAILURE, **other))
    desk.said()
    quiet = desk.quiet({"pipeline": "web/*"}, fixed=True)
    desk.builds("P")
    assert desk.silence(quiet.id).ended_at is None
    desk.comes(build(3, **other))
    assert desk.silence(quiet.id).ended_because == "fixed"
    desk.builds("F")
    assert desk.said()[-1] == FIRST


def test_until_fixed_made_before_the_break_waits_for_it(desk: Desk) -> None:
    quiet = desk.quiet(fixed=True)
    desk.looks()
    desk.builds("F")
    desk.looks()
    assert desk.silence(quiet.id).ended_at is None
    desk.builds("P")
    assert desk.silence(quiet.id).ended_because == "fixed"
    assert desk.said() == []


def test_until_fixed_ends_too_when_nothing_can_be_fixed_any_more(desk: Desk) -> None:
    fires = desk.decides(broken(), Reason.FIRST)
    quiet = desk.quiet(fixed=True)
    desk.decides(replace(fires, state=AlertState.CLOSED, resolved_at=desk.now, transition=2), Reason.CLOSED)
    assert desk.silence(quiet.id).ended_because == "what it covered was closed"


def test_what_has_no_route_is_saved_and_not_told(desk: Desk) -> None:
    desk.configuration = replace(desk.configuration, routes=())
    desk.builds("F")
    (saved,) = desk.alerts()
    assert (desk.said(), saved.channels, "told_at" in saved.handling) == ([], (), False)
    desk.pass_by(days=3)
    assert desk.looks() == []


def test_until_build_ends_when_that_build_or_a_later_one_has_ended(desk: Desk) -> None:
    quiet = desk.quiet({"pipeline": "deploy", "branch": "main"}, build=4)
    desk.builds("FF")
    assert desk.looks() == []
    desk.builds("A")
    assert desk.looks() == []
    desk.comes(build(4, None))
    assert desk.looks() == []
    desk.comes(build(5, Outcome.FAILURE))
    assert desk.looks() == [FIRST]
    assert desk.silence(quiet.id).ended_because == "build 4 of deploy / main has come"


def test_until_build_looks_at_the_streams_that_are_covered(desk: Desk) -> None:
    quiet = desk.quiet({"pipeline": "web/deploy", "branch": "release/*"}, build=2)
    strict = desk.quiet({"pipeline": "web/deploy", "labels": {"team": "lib"}}, build=2)
    labelled = build(2, pipeline=pipeline(labels={"team": "web"}))
    desk.comes(labelled)
    desk.looks()
    assert (desk.silence(quiet.id).ended_at, desk.silence(strict.id).ended_at) == (None, None)


def test_a_new_cause_ends_a_silence_until_then_and_is_told(desk: Desk) -> None:
    desk.comes(build(2, Outcome.FAILURE, bucket="helm"))
    assert desk.said() == [FIRST]
    quiet = desk.quiet(new_bucket=True)
    assert quiet.ends.buckets == ("helm",)
    desk.comes(build(3))
    desk.comes(build(4, Outcome.FAILURE, bucket="helm"))
    assert desk.said() == [RESOLVED]
    desk.comes(build(5))
    desk.comes(build(6, Outcome.FAILURE, bucket="dns"))
    assert desk.said() == [FIRST]
    assert desk.silence(quiet.id).ended_because == "a new cause: dns"


def test_an_update_breaks_through_until_new_bucket_only(desk: Desk) -> None:
    known = desk.decides(broken(), Reason.FIRST)
    assert desk.said() == [FIRST]
    firm = desk.quiet(at=minutes(60))
    soft = desk.quiet(new_bucket=True)
    changed = desk.decides(replace(known, transition=2), Reason.UPDATE)
    assert desk.said() == []
    assert changed.handling["silenced_by"] == firm.id
    assert desk.silence(soft.id).ended_at is None
    desk.now = minutes(60)
    assert desk.looks() == [("desk", Reason.UPDATE)]  # what was new is told when the silence is over
    assert desk.silence(soft.id).ended_because == "a new cause or new failing tests"
    assert desk.looks() == []


def test_an_update_of_what_is_silenced_until_then_is_its_first_message(desk: Desk) -> None:
    soft = desk.quiet(new_bucket=True)
    silenced = desk.decides(broken(), Reason.FIRST)
    assert (desk.said(), silenced.handling["silenced_by"]) == ([], soft.id)
    desk.decides(replace(silenced, transition=2), Reason.UPDATE)
    assert desk.said() == [FIRST]


def test_several_ends_combine_and_the_first_counts(desk: Desk) -> None:
    quiet = desk.quiet(at=minutes(60), fixed=True)
    desk.builds("FP")
    assert desk.silence(quiet.id).ended_because == "fixed"


def test_another_silence_goes_on_where_one_ends(desk: Desk) -> None:
    desk.quiet(at=minutes(40))
    longer = desk.quiet(at=minutes(80))
    desk.builds("F")
    desk.now = minutes(40)
    assert desk.looks() == []
    assert desk.alerts()[0].handling["silenced_by"] == longer.id
    desk.now = minutes(80)
    assert desk.looks() == [FIRST]


def test_ending_a_silence_by_hand_has_what_fires_told(desk: Desk) -> None:
    quiet = desk.quiet(at=minutes(600))
    desk.builds("F")
    desk.database.transact(lambda session: unsilence(session, quiet.id or 0, desk.now, by="bob"))
    assert desk.looks() == [FIRST]
    assert desk.silence(quiet.id).ended_because == "ended by bob"
    with pytest.raises(CannotHandleError, match="over already: ended by bob"):
        desk.database.transact(lambda session: unsilence(session, quiet.id or 0, desk.now, by="bob"))
    with pytest.raises(CannotHandleError, match="there is no silence 99"):
        desk.database.transact(lambda session: unsilence(session, 99, desk.now, by="bob"))


def test_an_alert_is_silenced_for_what_it_is_about(desk: Desk) -> None:
    desk.builds("F")
    (known,) = desk.alerts()
    done = desk.database.transact(
        lambda session: silence_alert(session, known.id or 0, Ends(fixed=True), desk.now, reason="flaky network")
    )
    assert done.silence.match == {"provider": "ci", "pipeline": "web/deploy", "branch": "main", "kind": "failure"}
    assert [each.id for each in done.firing] == [known.id]
    with pytest.raises(CannotHandleError, match="there is no alert 99"):
        desk.database.transact(lambda session: silence_alert(session, 99, Ends(fixed=True), desk.now, reason="x"))


@pytest.mark.parametrize(
    ("match", "ends", "reason", "text"),
    [
        ({}, Ends(fixed=True), "freeze", "what it is about"),
        ({"pipeline": "web/*"}, Ends(fixed=True), "  ", "needs a reason"),
        ({"pipeline": "web/*"}, Ends(at=minutes(0)), "freeze", "over already"),
        ({"pipeline": "web/*"}, Ends(build=1), "freeze", "build 1 of deploy / main"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(
    desk: Desk, match: dict[str, str], ends: Ends, reason: str, text: str
) -> None:
    with pytest.raises(CannotHandleError, match=text):
        desk.database.transact(lambda session: silence(session, match, ends, desk.now, reason=reason))
    assert desk.database.read(silences.listing) == []


def test_what_was_broken_at_first_contact_is_silenced_too(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path)
    desk.quiet({"pipeline": "web/*"}, at=minutes(60))
    desk.comes(build(1, Outcome.FAILURE))
    desk.comes(build(1, Outcome.FAILURE, pipeline=pipeline("lib/x")))
    desk.database.transact(lambda session: tell_baseline(session, desk.configuration, desk.now))
    assert desk.said() == [("wall", Reason.FIRST)]
    desk.now = minutes(60)
    assert desk.looks() == [FIRST]


@pytest.mark.parametrize("match", [{"pipeline": "[z-a]"}, {"branch": "[z-a]"}, {"labels": {"cloud": "[z-a]"}}])
def test_a_pattern_that_nothing_can_be_compared_with_is_refused(desk: Desk, match: dict[str, Any]) -> None:
    with pytest.raises(CannotHandleError, match=r'"\[z-a\]" is not a pattern'):
        desk.database.transact(lambda session: silence(session, match, Ends(fixed=True), desk.now, reason="x"))
    desk.builds("F")
    assert desk.looks() == [FIRST]
