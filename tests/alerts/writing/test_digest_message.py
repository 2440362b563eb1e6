from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.policies.digest import DAILY, Digest, Open, Polls, Report, Slower, Strip, Tally, Unsteady
from alerts.writing.digest_message import compose
from domain.message import Message, Table, Tone
from domain.window import Window

KOLKATA = ZoneInfo("Asia/Kolkata")
SLOT = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)  # 10:00 there
DAY = timedelta(days=1)


def windows(span: timedelta = DAY, count: int = 15) -> list[Window]:
    return [Window(start=SLOT - back * span, end=SLOT - (back - 1) * span) for back in range(count, 0, -1)]


def report(now: Tally = Tally(95, 5), before: Tally = Tally(97, 3), **changes: Any) -> Report:  # noqa: B008 - frozen
    values: dict[str, Any] = {
        "digest": Digest(name="morning", cron="0 10 * * *", window=DAILY, to=("mail",)),
        "slot": SLOT,
        "windows": windows(),
        "tallies": [before] * 14 + [now],
        "days": windows()[-7:],
        "labels": {},
        "buckets": {},
    }
    return Report(**(values | changes))


def said(report: Report, late: timedelta = timedelta(seconds=5)) -> Message:
    return compose(report, now=SLOT + late, zone=KOLKATA)


def facts(message: Message) -> dict[str, str]:
    return {fact.name: fact.value for fact in message.facts}


def table(message: Message, title: str) -> Table:
    return next(each for each in message.tables if each.title.startswith(title))


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def strip(name: str, *rates: tuple[int, int]) -> Strip:
    days = tuple(Tally(*pair) for pair in rates)
    return Strip(name=name, days=days, now=days[-1])


FAILING = Open(name="web / main", url=None, what="2 failures in a row since #811", since=SLOT - timedelta(hours=3))


@pytest.mark.parametrize(
    ("now", "before", "open_", "headline", "tone"),
    [
        ((95, 5), (97, 3), [], "95 % of 100 builds passed, 2 points less than usual", Tone.NOTE),
        ((98, 2), (97, 3), [], "98 % of 100 builds passed, 1 point more than usual", Tone.NOTE),
        ((97, 3), (97, 3), [FAILING], "97 % of 100 builds passed, as usual, 1 still failing", Tone.NOTE),
        ((97, 3), (0, 0), [], "97 % of 100 builds passed", Tone.NOTE),
        ((110, 0), (97, 3), [], "nothing failed, 110 builds passed", Tone.FIXED),
        ((1, 0), (97, 3), [FAILING], "nothing failed, 1 build passed, 1 still failing", Tone.NOTE),
        ((0, 0), (97, 3), [], "no build ended", Tone.NOTE),
        ((0, 0, 4), (97, 3), [], "no build passed or failed", Tone.NOTE),
    ],
)
def test_the_first_line_says_how_it_is(
    now: tuple[int, ...], before: tuple[int, int], open_: list[Open], headline: str, tone: Tone
) -> None:
    message = said(report(Tally(*now), Tally(*before), open=open_))
    assert message.tone is tone
    assert message.headline[2:] == f"Digest morning: {headline}"


def test_a_name_made_of_its_times_is_not_shown() -> None:
    digest = Digest(name="0 10 * * * daily", cron="0 10 * * *", window=DAILY, to=())
    assert said(report(digest=digest)).headline == "🔵 Digest: 95 % of 100 builds passed, 2 points less than usual"


def test_a_quiet_digest_is_short_and_still_says_that_we_watched() -> None:
    polls = [Polls(provider="ci", made=1440, failed=0, longest_gap=timedelta(seconds=61))]
    message = said(report(Tally(10), Tally(0, 0), polls=polls, self_check="nothing untold"))
    assert [each.title for each in message.tables] == ["How we watched"]
    assert texts(message.tables[0]) == [["ci", "1,440", "0", "1 m 1 s"]]
    assert message.heats == ()
    assert message.charts == ()  # one point is no course
    assert facts(message) == {
        "Window": "Fri 20 Nov 10:00 to Sat 21 Nov 10:00 IST",
        "Builds": "10 passed, 0 failed",
        "Pass rate": "100 % (10 of 10)",
        "Self-check": "nothing untold",
    }


def test_the_window_is_compared_with_those_before_it() -> None:
    message = said(report(Tally(1200, 34, 5)))
    assert facts(message)["Before"] == "97 % the day before, 97 % over 7 days, 97 % over 14 days"
    assert facts(message)["Builds"] == "1,200 passed, 34 failed, 5 neither (cancelled, skipped)"
    (chart,) = message.charts
    assert (chart.columns[0], chart.columns[-1], len(chart.values)) == ("Fri 6", "Fri 20", 15)
    assert chart.usual == 97
    weekly = Digest(name="weekly", cron="0 10 * * mon", window=timedelta(days=7), to=())
    message = said(report(digest=weekly, windows=windows(timedelta(days=7))))
    assert facts(message)["Before"] == "97 % the window before, 97 % over 7 windows, 97 % over 14 windows"
    hourly = said(report(windows=windows(timedelta(hours=8))))
    assert hourly.charts[0].columns[-1] == "Sat 02:00"


def test_a_late_digest_says_when_it_was_due() -> None:
    assert "Late" not in facts(said(report()))
    assert facts(said(report(), late=timedelta(hours=2)))["Late"] == "was due at 10:00, when buildwatch was not running"


def test_what_is_not_delivered_is_said() -> None:
    assert facts(said(report(waiting=2)))["Messages"] == "2 waiting"
    both = facts(said(report(waiting=2, given_up=1)))["Messages"]
    assert both == "2 waiting, 1 given up, see buildwatch outbox"


def test_what_is_open_stands_by_age_with_what_people_did_about_it() -> None:
    old = Open(
        name="api / main",
        url="https://ci.example.com/api",
        what="9 failures in a row",
        since=SLOT - timedelta(days=3, hours=2),
        handling="acknowledged by ada: on it",
    )
    rate = Open(name="lib", url=None, what="success rate 94 % → 68 %", since=SLOT - timedelta(hours=20), failing=False)
    many = [FAILING] * 20
    message = said(report(open=[*many, rate, old]))
    assert message.headline.endswith("21 still failing, 1 other alert")
    found = table(message, "Still open")
    assert texts(found)[:2] == [
        ["api / main", "3 d", "9 failures in a row; acknowledged by ada: on it"],
        ["lib", "20 h", "success rate 94 % → 68 %"],
    ]
    assert [row[0].tone for row in found.rows[:2]] == [Tone.BROKEN, Tone.WORSE]
    assert (len(found.rows), found.more) == (15, 7)


def test_strips_show_the_worst_first_and_leave_out_what_never_failed() -> None:
    pipelines = [
        strip("calm", (5, 0), (5, 0)),
        strip("bad", (5, 0), (1, 4)),
        strip("was bad", (1, 4), (5, 0)),
        strip("asleep", (1, 4), (0, 0)),
        *(strip(f"p{number:02}", (4, 1), (5, 0)) for number in range(20)),
    ]
    (heat,) = said(report(pipelines=pipelines)).heats
    assert heat.title == "Pipelines, the worst first (and 11 better)"
    assert [(row.name, row.value) for row in heat.rows[:2]] == [("bad", "20 % of 5"), ("was bad", "100 % of 5")]
    assert heat.rows[0].shares == (1.0, 0.2)
    assert heat.columns == ("Sat 14", "Sun 15", "Mon 16", "Tue 17", "Wed 18", "Thu 19", "Fri 20")
    (alone,) = said(report(pipelines=[strip("asleep", (1, 4), (0, 0))])).heats
    assert (alone.rows[0].value, alone.rows[0].shares[-1]) == ("no builds", None)


def test_each_label_has_strips_of_its_values() -> None:
    labels = {"cloud": [strip("gcp", (5, 0)), strip("aws", (1, 4))], "scheduler": [strip("S1", (5, 0))]}
    heats = said(report(labels=labels)).heats
    assert [(each.title, [row.name for row in each.rows]) for each in heats] == [
        ("By cloud", ["aws", "gcp"]),
        ("By scheduler", ["S1"]),
    ]


def test_buckets_are_ranked_with_the_share_of_the_unclassified() -> None:
    assert not [each for each in said(report(unclassified=5)).tables if each.title.startswith("Why")]
    buckets = {"disk": 2, "helm": 5, **{f"rare {number}": 1 for number in range(5)}}
    found = table(said(report(buckets=buckets, unclassified=8)), "Why builds failed")
    assert texts(found)[:2] == [["helm", "5", "25 %"], ["disk", "2", "10 %"]]
    assert texts(found)[-1] == ["unclassified", "8", "40 %"]
    assert found.more == 2


def test_the_flakiest_and_the_slower_are_ranked() -> None:
    unsteady = [
        Unsteady(name="back and forth", url=None, reruns=0, changes=7, builds=40),
        Unsteady(name="rerun", url=None, reruns=4, changes=1, builds=12),
        *(Unsteady(name=f"u{number}", url=None, reruns=0, changes=3, builds=9) for number in range(6)),
    ]
    slower = [
        Slower(name="a bit", url=None, before=timedelta(minutes=10), now=timedelta(minutes=12)),
        Slower(name="much", url=None, before=timedelta(minutes=10), now=timedelta(minutes=30)),
    ]
    message = said(report(unsteady=unsteady, slower=slower))
    flaky = table(message, "Flakiest, in 7 days")
    assert texts(flaky)[:2] == [
        ["rerun", "4", "1 time in 12 builds"],
        ["back and forth", "0", "7 times in 40 builds"],
    ]
    assert (len(flaky.rows), flaky.more) == (5, 3)
    assert texts(table(message, "Slower than in the 7 days before")) == [
        ["much", "30 m", "10 m", "+200 %"],
        ["a bit", "12 m", "10 m", "+20 %"],
    ]


def test_failed_polls_and_unknown_gaps_are_seen() -> None:
    polls = [Polls(provider="ci", made=0, failed=3, longest_gap=None)]
    (row,) = table(said(report(polls=polls)), "How we watched").rows
    assert [cell.text for cell in row] == ["ci", "0", "3", "unknown"]
    assert row[2].tone is Tone.WORSE


def test_all_messages_of_one_slot_share_a_thread_and_no_others() -> None:
    assert said(report()).thread == said(report(Tally(1), open=[FAILING])).thread
    assert said(report()).thread != said(report(slot=SLOT + DAY)).thread
