from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.policies import gathering
from alerts.policies.gathering import Manner, Parcel, next_parcel
from domain.alert import AlertKind, AlertState, Reason, Scope
from domain.waiting import Form, Told, Waiting
from tests.support.builders import NOON

PLAIN = Manner(edits=False, group_wait=timedelta(seconds=30))
EDITING = Manner(edits=True, group_wait=timedelta(seconds=30))
BOTH = pytest.mark.parametrize("manner", [PLAIN, EDITING], ids=["posts", "edits"])


def at(seconds: float) -> datetime:
    """So many seconds after NOON."""
    return NOON + timedelta(seconds=seconds)


def row(number: int, alert: int | None = None, seconds: float = 0, **changes: Any) -> Waiting:
    """Row `number`, of the alert with the same number unless said otherwise, written so many seconds after NOON."""
    alert = number if alert is None else alert
    about = {key: changes.pop(key) for key in ("bucket", "commit", "labels") if key in changes}
    values: dict[str, Any] = {
        "reason": Reason.FIRST,
        "kind": AlertKind.FAILURE,
        "scope": Scope(provider=changes.pop("provider", f"ci{alert}"), pipeline=f"job-{alert}", branch="main"),
        "state": AlertState.FIRING,
        "summary": "1 failure in a row",
    }
    return Waiting(id=number, alert_id=alert, created_at=at(seconds), about=about, **(values | changes))


def told(seconds: float, alert: int = 100, **changes: Any) -> Told:
    """A card that was sent so many seconds after NOON."""
    about = {key: changes.pop(key) for key in ("bucket", "commit") if key in changes}
    values: dict[str, Any] = {"reason": Reason.FIRST, "form": Form.SINGLE, "card": alert, "is_card": True}
    return Told(alert_id=alert, sent_at=at(seconds), about=about, **(values | changes))


def parcel(*rows: Waiting, before: tuple[Told, ...] = (), manner: Manner = PLAIN, now: float = 0) -> Parcel:
    """The parcel that goes out now."""
    found = next_parcel(rows, before, manner=manner, now=at(now))
    assert isinstance(found, Parcel), found
    return found


def wait(*rows: Waiting, before: tuple[Told, ...] = (), manner: Manner = PLAIN, now: float = 0) -> float:
    """After how many seconds since NOON to look again."""
    found = next_parcel(rows, before, manner=manner, now=at(now))
    assert isinstance(found, datetime), found
    return (found - NOON).total_seconds()


def ids(found: Parcel) -> list[int]:
    return [each.id for each in found.rows]


def over(number: int, alert: int, **changes: Any) -> Waiting:
    return row(number, alert, reason=Reason.RESOLVED, state=AlertState.RESOLVED, **changes)


@BOTH
def test_nothing_comes_of_nothing(manner: Manner) -> None:
    assert next_parcel([], (), manner=manner, now=NOON) is None


@BOTH
def test_the_first_message_goes_at_once(manner: Manner) -> None:
    found = parcel(row(1), manner=manner)
    assert (ids(found), found.form) == ([1], Form.SINGLE)


@BOTH
@pytest.mark.parametrize(
    ("count", "shared"),
    [
        (2, {"bucket": "helm"}),
        (2, {"commit": "0123456789abcdef"}),
        (3, {"labels": {"cloud": "aws"}}),
        (5, {"provider": "nsp"}),
    ],
    ids=["a bucket", "a commit", "a label", "a provider"],
)
def test_what_shares_a_cause_is_one_message_at_once(manner: Manner, count: int, shared: dict[str, Any]) -> None:
    found = parcel(*(row(number, **shared) for number in range(1, count + 1)), manner=manner)
    assert (ids(found), found.form) == (list(range(1, count + 1)), Form.GROUP)


def test_fewer_share_nothing() -> None:
    for count, shared in ((2, {"labels": {"cloud": "aws"}}), (4, {"provider": "nsp"})):
        assert ids(parcel(*(row(number, **shared) for number in range(1, count + 1)))) == [1]


def test_a_label_is_no_cause_when_others_with_another_value_fail_too() -> None:
    rows = [row(number, labels={"cloud": "aws"}) for number in (1, 2, 3)]
    assert ids(parcel(*rows, row(4))) == [1, 2, 3]
    assert ids(parcel(*rows, row(4, labels={"cloud": "gcp"}))) == [1]


def test_a_story_goes_before_what_does_not_belong_to_it() -> None:
    assert ids(parcel(row(1), row(2, bucket="helm"), row(3, bucket="helm"))) == [2, 3]


def test_many_are_one_message_whatever_their_causes() -> None:
    rows = [row(number, bucket="helm" if number < 4 else None) for number in range(1, 9)]
    assert (ids(parcel(*rows)), parcel(*rows).form) == (list(range(1, 9)), Form.GROUP)


def test_two_stories_are_two_messages() -> None:
    rows = [row(number, bucket="helm" if number < 7 else "network") for number in range(1, 12)]
    assert ids(parcel(*rows)) == [1, 2, 3, 4, 5, 6]


def test_unrelated_failures_after_a_message_wait_for_a_second_only() -> None:
    before = (told(0),)
    assert wait(row(1, seconds=2), row(2, seconds=2.5), before=before, now=2.6) == 3
    assert ids(parcel(row(1, seconds=2), row(2, seconds=2.5), before=before, now=3)) == [1]
    assert ids(parcel(row(1, seconds=2), before=(told(-31),), now=2)) == [1]


def test_a_crowd_waits_until_the_time_for_company_is_over() -> None:
    before = (told(0),)
    rows = [row(number, seconds=number / 10) for number in range(1, 6)]
    assert wait(*rows, before=before, now=3) == 30
    assert ids(parcel(*rows, before=before, now=30)) == [1, 2, 3, 4, 5]


def test_a_crowd_that_still_grows_is_waited_for_twice_as_long_at_most() -> None:
    rows = [row(number, seconds=number) for number in range(1, 61)]
    assert wait(*rows[:29], before=(told(0),), now=29.5) == 30
    assert wait(*rows[:29], before=(told(0),), now=30) == 34
    assert len(ids(parcel(*rows[:29], before=(told(0),), now=34))) == 29
    assert wait(*rows, before=(told(0),), now=59.5) == 60
    assert len(ids(parcel(*rows, before=(told(0),), now=60))) == 60


def test_a_crowd_never_waits_longer_than_the_time_for_company() -> None:
    before = tuple(told(seconds) for seconds in (0, 6, 12, 18, 24))
    assert wait(row(1, seconds=25), before=before, now=25) == 30
    assert ids(parcel(row(1, seconds=-40), before=before, now=25)) == [1]


def test_what_belongs_to_a_message_just_sent_waits_or_joins_its_card() -> None:
    before = (told(0, bucket="helm"),)
    assert wait(row(1, seconds=5, bucket="helm"), before=before, now=5) == 30
    joining = parcel(row(1, seconds=5, bucket="helm"), row(2, seconds=5), before=before, manner=EDITING, now=5)
    assert (ids(joining), joining.form, joining.joins) == ([1], Form.JOIN, 100)
    assert ids(parcel(row(1, seconds=5, bucket="helm"), before=before, now=31)) == [1]


def test_after_ten_cards_in_five_minutes_there_is_one_for_all() -> None:
    before = tuple(told(-200 + number) for number in range(10))
    found = parcel(row(1), row(2), before=before)
    assert (ids(found), found.form) == ([1, 2], Form.STORM)
    assert parcel(row(1), row(2), before=before[1:]).form is Form.SINGLE


def test_a_storm_is_told_again_after_five_minutes_or_its_card_is_edited() -> None:
    before = (*(told(-200 + number) for number in range(10)), told(0, 50, form=Form.STORM, card=50))
    assert wait(row(1, seconds=60), before=before, now=60) == 300
    joining = parcel(row(1, seconds=60), before=before, manner=EDITING, now=60)
    assert (joining.form, joining.joins) == (Form.STORM, 50)


def test_a_break_that_is_over_before_it_was_told_is_one_note() -> None:
    rows = (row(1), row(2, 1, reason=Reason.UPDATE), over(3, 1))
    found = parcel(*rows)
    assert (ids(found), found.form, found.units[0].over) == ([1, 2, 3], Form.FOLD, True)


def test_updates_that_waited_with_the_first_message_are_in_it() -> None:
    found = parcel(row(1), row(2, 1, reason=Reason.UPDATE), row(3, 1, reason=Reason.THREADED))
    assert (ids(found), found.form) == ([1, 2], Form.FOLD)


def test_a_row_that_was_refused_in_company_goes_alone() -> None:
    found = parcel(row(1, bucket="helm"), row(2, bucket="helm", alone=True))
    assert (ids(found), found.form) == ([2], Form.SINGLE)


@pytest.mark.parametrize("kind", sorted(gathering._OWN_MESSAGES))
def test_what_is_about_more_than_a_pipeline_is_never_gathered(kind: AlertKind) -> None:
    rows = [row(number) for number in range(1, 8)]
    assert ids(parcel(*rows, row(8, kind=kind), before=(told(0),), now=5)) == [8]


def test_endings_of_one_group_are_told_together_and_those_that_follow_wait() -> None:
    assert ids(parcel(over(11, 1, card=1), over(12, 2, card=1), over(13, 3, card=3))) == [11, 12]
    before = (told(0, 9, reason=Reason.RESOLVED, card=1, is_card=False),)
    assert wait(over(11, 1, card=1), before=before, now=5) == 30
    assert ids(parcel(over(13, 3, card=3), before=before, now=5)) == [13]


def test_the_end_of_an_alert_never_waits_for_what_was_said_about_itself() -> None:
    before = (told(0, 1, reason=Reason.UPDATE, card=1, is_card=False),)
    assert ids(parcel(over(11, 1, card=1), before=before, now=2)) == [11]


def test_many_endings_are_one_message_where_cards_cannot_be_edited() -> None:
    rows = [over(number + 10, number, card=number) for number in range(1, 9)]
    assert len(ids(parcel(*rows))) == 8
    assert len(ids(parcel(*rows, manner=EDITING))) == 1


def test_a_beginning_goes_before_an_ending() -> None:
    assert ids(parcel(over(11, 1, card=1), row(12))) == [12]


def test_news_of_an_alert_goes_out() -> None:
    assert ids(parcel(row(11, 1, reason=Reason.REMINDER, card=1))) == [11]
    assert ids(parcel(row(11, 1, reason=Reason.FIRST, card=1))) == [11], "told again, after a silence"


def test_what_can_only_be_edited_or_threaded_is_left_out_elsewhere() -> None:
    rows = (row(11, 1, reason=Reason.REFRESH, card=1), row(12, 2, reason=Reason.THREADED, card=2))
    assert (ids(parcel(*rows)), parcel(*rows).form) == ([11, 12], Form.SILENT)
    assert ids(parcel(*rows, manner=EDITING)) == [11]
    assert ids(parcel(rows[1], manner=EDITING)) == [12]
    cardless = row(11, 1, reason=Reason.REFRESH)
    assert parcel(cardless, manner=EDITING).form is Form.SILENT


def test_what_is_threaded_comes_one_by_one() -> None:
    rows = (row(11, 1, reason=Reason.THREADED, card=1), row(12, 1, reason=Reason.THREADED, card=1))
    assert ids(parcel(*rows, manner=EDITING)) == [11]


def test_edits_of_one_card_are_one() -> None:
    rows = [row(number + 10, number, reason=Reason.REFRESH, card=1) for number in (1, 2, 3)]
    assert ids(parcel(*rows, row(20, 9, reason=Reason.REFRESH, card=9), manner=EDITING)) == [11, 12, 13]


def test_what_waited_for_hours_is_one_summary_and_a_single_old_row_is_not() -> None:
    old = [row(number, seconds=-3 * 3600 + number) for number in (1, 2)]
    found = parcel(*old, row(3), over(4, 9, card=9))
    assert (ids(found), found.form) == ([1, 2, 3, 4], Form.AWAY)
    assert ids(parcel(*old, over(4, 9, card=9), manner=EDITING)) == [1, 2]
    assert parcel(old[0], row(3)).form is Form.SINGLE


def test_what_quiet_hours_held_is_one_summary() -> None:
    held = [row(number, seconds=-8 * 3600, hold_until=NOON) for number in (1, 2)]
    found = parcel(*held, row(3))
    assert (ids(found), found.form) == ([1, 2], Form.QUIET)
    assert parcel(held[0]).form is Form.SINGLE


def test_without_time_for_company_everything_goes_now() -> None:
    now = Manner(edits=False, group_wait=timedelta(0))
    rows = [row(number) for number in range(1, 4)]
    assert ids(parcel(*rows, before=(told(0),), manner=now)) == [1]


@BOTH
def test_parts_of_a_provider_are_gathered_and_providers_are_not(manner: Manner) -> None:
    kind = AlertKind.PROVIDER_UNREACHABLE
    parts = [row(number, kind=kind, scope=Scope(provider="gh", branch=f"acme/{number}")) for number in (1, 2, 3, 4, 5)]
    assert ids(parcel(*parts, manner=manner)) == [1, 2, 3, 4, 5]
    whole = [row(number, kind=kind, scope=Scope(provider=f"gh{number}")) for number in (1, 2)]
    assert ids(parcel(*whole, manner=manner)) == [1]


@BOTH
def test_a_stream_that_breaks_anew_joins_no_card_of_its_last_break(manner: Manner) -> None:
    place = {"provider": "ci", "pipeline": "web", "branch": "main", "kind": "failure", "bucket": "helm"}
    again = replace(row(2, 2, seconds=5), about=place)
    before = replace(told(0, 1), about=place)
    assert parcel(again, before=(before,), manner=manner, now=7).joins is None
    other = replace(again, about={**place, "pipeline": "api"})
    found = next_parcel((other,), (before,), manner=manner, now=at(7))
    assert isinstance(found, Parcel) is manner.edits  # it joins, or waits for company


def test_failing_tests_of_two_pipelines_are_two_stories() -> None:
    rows = [replace(each, about={"bucket": "Test Failed", "bucket_class": "test"}) for each in (row(1), row(2))]
    assert ids(parcel(*rows)) == [1]
    shared = [replace(each, about={"bucket": "Disk Full", "bucket_class": "infra"}) for each in rows]
    assert ids(parcel(*shared)) == [1, 2]


@pytest.mark.parametrize(
    "bucket", ["script returned exit code <n>", "Process completed with exit code <n>", "make: *** [all] Error <n>"]
)
def test_that_commands_fail_is_no_cause_that_they_share(bucket: str) -> None:
    rows = [replace(each, about={"bucket": bucket, "bucket_class": None}) for each in (row(1), row(2))]
    assert ids(parcel(*rows)) == [1]
    ruled = [replace(each, about={"bucket": bucket, "bucket_class": "infra"}) for each in rows]  # people named it so
    assert ids(parcel(*ruled)) == [1, 2]
