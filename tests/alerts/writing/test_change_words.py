from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from alerts.kinds.durations import WANTED
from alerts.kinds.window_regression import Tally, decide_window_regression
from alerts.rules import DurationRule, FlappingRule, Rules, WindowRegressionRule
from alerts.writing.message import compose
from domain.alert import Alert, Reason, Scope
from domain.message import Message, Tone
from domain.timed import Timed
from domain.window import Window
from tests.support.builders import NOON, pipeline
from tests.support.verdicts import Memory

ZONE = ZoneInfo("Asia/Kolkata")
NOTHING_ELSE = Rules(failure=None, success_rate_drop=None, flapping=None, duration=None)


def message(alert: Alert, reason: Reason = Reason.FIRST, *, about_label: bool = False) -> Message:
    web = None if about_label else pipeline(name="web")
    return compose(alert, reason, pipeline=web, builds={}, now=NOON, zone=ZONE)


def told(memory: Memory) -> list[Message]:
    return [message(alert, reason) for reason, alert in memory.told]


def facts(card: Message) -> dict[str, str]:
    return {fact.name: fact.value for fact in card.facts}


def test_flapping_is_told_in_plain_words() -> None:
    memory = Memory(replace(NOTHING_ELSE, flapping=FlappingRule()))
    line = "P" * 20 + "FPFPFPF"
    memory.see(line)
    memory.see(line + "P" * 17)
    first, last = told(memory)
    assert first.headline == "🟠 web / main is flapping: changed sides 7 times in 20 builds, 4 failed"
    assert facts(first)["Changes"] == "7 between passing and failing"
    assert facts(first)["Failed"] == "4 of 20 builds"
    assert (last.tone, last.headline) == (
        Tone.FIXED,
        "🟢 web / main has calmed down: 3 changes of sides in 20 builds",
    )


def slow(*seconds: float, queue: bool = False) -> list[Timed]:
    return [
        Timed(0, number, number, NOON, 60.0 if queue else took, took if queue else None)
        for number, took in enumerate(seconds, 1)
    ][-WANTED:]


def test_a_build_that_takes_longer_says_how_long_and_since_when() -> None:
    memory = Memory(replace(NOTHING_ELSE, duration=DurationRule()))
    memory.see("P" * 35, timed=slow(*[600.0] * 30, *[840.0] * 5))
    memory.see("P" * 38, timed=slow(*[600.0] * 30, *[840.0] * 5, *[630.0] * 3))
    first, last = told(memory)
    compared = "the last 5 builds that passed, the 30 before"
    assert first.headline == f"🟠 web / main takes 14 m, 40 % longer than 10 m before ({compared}), since #31"
    assert facts(first)["Time"] == "14 m, the median of the last 5 builds that passed"
    assert facts(first)["Before"] == "10 m, of the 30 before"
    assert facts(first)["Statistics"] == "by chance with a probability of 3.1e-06 (Mann-Whitney, one-sided)"
    assert "Stage that grew" not in facts(first)
    assert last.headline == "🟢 web / main takes 10 m 30 s again, it was 14 m"


def test_the_stage_that_grew_has_its_line_once_it_is_known() -> None:
    memory = Memory(replace(NOTHING_ELSE, duration=DurationRule()))
    memory.see("P" * 35, timed=slow(*[600.0] * 30, *[840.0] * 5))
    alert = memory.newest()
    known = replace(alert, evidence=dict(alert.evidence) | {"stage": "Deploy"})
    assert facts(message(known))["Stage that grew"] == "Deploy"


def test_waiting_is_told_apart_from_running() -> None:
    memory = Memory(replace(NOTHING_ELSE, duration=DurationRule()))
    memory.see("P" * 35, timed=slow(*[20.0] * 30, *[300.0] * 5, queue=True))
    memory.see("P" * 38, timed=slow(*[20.0] * 30, *[300.0] * 5, *[20.0] * 3, queue=True))
    first, last = told(memory)
    assert first.headline.startswith("🟠 web / main waits 5 m before it starts, it was 20 s (the last 5 builds")
    assert facts(first)["Time in the queue"] == "5 m, the median of the last 5 builds that passed"
    assert last.headline == "🟢 web / main waits 20 s before it starts, it was 5 m"


def test_what_became_normal_is_closed_and_says_so() -> None:
    memory = Memory(replace(NOTHING_ELSE, duration=DurationRule()))
    memory.see("P" * 35, timed=slow(*[600.0] * 30, *[840.0] * 5))
    memory.see("P" * 140, timed=slow(*[840.0] * 140))
    assert told(memory)[-1].headline == (
        "🔵 web / main duration alert closed: 14 m has held for 100 builds and is taken as normal from now on"
    )


def day(passed: int, failed: int, stored: list[Alert], number: int = 0, **facts_: object) -> Alert:
    """The alert of a label value after a reporting day."""
    start = NOON + timedelta(days=number)
    (decision,) = decide_window_regression(
        scope=Scope(provider="*", branch="cloud=aws"),
        window=Window(start=start, end=start + timedelta(days=1)),
        tally=Tally(passed, failed),
        before=[Tally(38, 2)] * 14,
        stored=stored,
        rule=WindowRegressionRule(),
        zone=ZONE,
        facts=facts_,
    )
    return replace(decision.alert, id=1, channels=("desk",))


def test_a_bad_day_of_a_label_names_it_and_the_pipelines_that_fail_most() -> None:
    worst = [{"pipeline": "web", "failed": 11, "runs": 20}, {"pipeline": "api", "failed": 4, "runs": 20}]
    alert = day(25, 15, [], worst=worst)
    card = message(alert, about_label=True)
    assert card.headline == (
        "🟠 cloud=aws success rate 95 % → 62 % "
        "(25/40 in the day until 2026-11-21 17:30 IST; 532/560 in the 14 days before)"
    )
    shown = facts(card)
    assert shown["Label"] == "cloud=aws"
    assert "Provider" not in shown
    assert shown["Success rate"] == "62 %: 25 of 40 passed in the day until 2026-11-21 17:30 IST"
    assert shown["Before"] == "95 %: 532 of 560 passed in the 14 days before"
    assert shown["Most failures"] == "web 11/20, api 4/20"
    assert shown["Statistics"] == "z -9.11, days differ by a factor 1 (phi)"
    over = message(day(38, 2, [alert], 1, worst=worst), Reason.RESOLVED, about_label=True)
    assert over.headline == (
        "🟢 cloud=aws success rate is back at 95 % "
        "(38/40 in the day until 2026-11-22 17:30 IST), it was 95 % before it fell"
    )
    assert "Most failures" not in facts(over)
