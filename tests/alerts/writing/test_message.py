from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.decide import closed, decide
from alerts.kinds.missing import decide_missing
from alerts.kinds.reachability import decide_unreachable
from alerts.rules import RateBelowRule, RateDropRule, Rules, UnreachableRule
from alerts.verdict import verdict_of
from alerts.writing.message import baseline_message, compose, thread_of
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope
from domain.build import Build, Outcome, Pipeline
from domain.message import SIGNS, Message, Tone
from domain.stream import Settled
from domain.testreport import TestReport
from tests.support.builders import NOON, build, builds, minutes, pipeline
from tests.support.verdicts import LONG_AGO, SCOPE, Polls, failing_only

KOLKATA = ZoneInfo("Asia/Kolkata")
WEB = pipeline(name="web")


def known(letters: str, **changes: Any) -> list[Build]:
    """Builds as the store gives them back: with ids and links."""
    return [
        replace(each, id=1000 + each.number, url=f"https://ci.example.com/web/{each.number}/", **changes)
        for each in builds(letters, pipeline=WEB)
    ]


def settled(line: Sequence[Build]) -> list[Settled]:
    found = []
    for each in line:
        verdict, finished_at = verdict_of(each), each.finished_at
        assert verdict is not None
        assert finished_at is not None
        found.append(Settled(0, each.number, verdict, finished_at, each.id or 0, each.attempt, each.attempt > 1))
    return found


def story(line: Sequence[Build], *steps: int, rules: Rules | None = None, scope: Scope = SCOPE) -> list[Message]:
    """All messages, looking after so many builds."""
    stored: list[Alert] = []
    messages = []
    for step in steps:
        decisions = decide(
            scope=scope,
            tail=settled(line[:step]),
            stored=stored,
            rules=rules or failing_only(),
            watched_since=LONG_AGO,
            now=minutes(10 * step),
        )
        for decision in decisions:
            alert = replace(decision.alert, id=1, channels=("team",))
            stored = [alert]
            if decision.reason is not None:
                named = {each.id: each for each in line if each.id is not None and each.id in decision.build_ids}
                messages.append(
                    compose(alert, decision.reason, pipeline=WEB, builds=named, now=minutes(10 * step), zone=KOLKATA)
                )
    return messages


def shown(message: Message) -> dict[str, str]:
    return {fact.name: fact.value for fact in message.facts}


def test_the_first_line_says_it_all_on_a_lock_screen() -> None:
    line = known("PFF", reason="Helm install failed", failing_stage="Deploy")
    (message,) = story(line, 3)
    assert message.headline == '🔴 web / main failed, 2nd in a row: "Helm install failed" in stage Deploy'
    assert message.tone is Tone.BROKEN


def test_the_card_holds_pipeline_branch_number_link_and_how_many_in_a_row() -> None:
    line = known("PFF", title="Raise the memory limit", tests=TestReport(passed=30, failed=2, skipped=1))
    (message,) = story(line, 3)
    assert shown(message) == {
        "Pipeline": "web (web/deploy)",
        "Branch": "main",
        "Build": "#3",
        "Failures": "2 in a row",
        "Since": "2026-11-20 17:55 IST",
        "Commit": "00000000 Raise the memory limit",
        "Triggered by": "push by ada",
        "Duration": "5 m",
        "Tests": "2 tests failed, 30 passed, 1 skipped",
        "First failed": "#2",
        "Last good": "#1",
    }
    urls = {fact.name: fact.url for fact in message.facts if fact.url}
    assert urls["Build"] == "https://ci.example.com/web/3/"
    assert urls["Last good"] == "https://ci.example.com/web/1/"
    assert [(link.label, link.url) for link in message.links] == [
        ("Build #3", "https://ci.example.com/web/3/"),
        ("Last good build #1", "https://ci.example.com/web/1/"),
    ]


def test_the_first_failure_of_all_has_no_last_good_build() -> None:
    (message,) = story(known("F"), 1)
    assert message.headline == "🔴 web / main failed"
    assert shown(message)["Failures"] == "1 in a row"
    assert "Last good" not in shown(message)


def test_the_fixed_message_says_after_how_many_failures_and_how_long() -> None:
    first, fixed = story(known("PFFFP"), 2, 5)
    assert fixed.headline == "🟢 web / main is fixed after 3 failures (30 m)"
    assert fixed.tone is Tone.FIXED
    assert fixed.thread == first.thread
    assert shown(fixed)["Build"] == "#5"
    assert shown(fixed)["Until"] == "2026-11-20 18:25 IST"
    assert [link.label for link in fixed.links] == ["Build #5"]
    assert fixed.details is None


def test_two_breaks_of_one_stream_are_two_threads() -> None:
    messages = story(known("PFPFP"), 2, 3, 4, 5)
    assert len({message.thread for message in messages}) == 2
    assert all(" " not in message.thread and len(message.thread) < 64 for message in messages)


def test_what_broke_and_recovered_unseen_is_one_message_about_the_failure() -> None:
    (message,) = story(known("PFP"), 3)
    assert message.headline == "🟢 web / main failed (#2) and has recovered since"
    assert shown(message)["Build"] == "#2"
    assert shown(message)["Fixed by"] == "#3"


def test_a_pass_on_re_run_is_called_that() -> None:
    line = known("PF")
    again = replace(build(2, pipeline=WEB, attempt=2, external_id="2"), id=2002)
    stored = story(line, 2)
    assert stored[0].headline.startswith("🔴")
    alert = decide(scope=SCOPE, tail=settled(line), stored=[], rules=failing_only(), watched_since=LONG_AGO, now=NOON)[
        0
    ].alert
    (decision,) = decide(
        scope=SCOPE,
        tail=settled([line[0], again]),
        stored=[replace(alert, id=1, channels=("team",))],
        rules=failing_only(),
        watched_since=LONG_AGO,
        now=NOON,
    )
    assert decision.reason is Reason.RESOLVED
    message = compose(decision.alert, decision.reason, pipeline=WEB, builds={2002: again}, now=NOON, zone=UTC)
    assert message.headline.startswith("🟢 web / main has recovered on re-run after 1 failure")
    assert shown(message)["Build"] == "#2, attempt 2"


def test_the_log_is_shown_while_it_is_broken() -> None:
    first, fixed = story(known("FP", log_excerpt="Error: timed out\n  at deploy.sh:7"), 1, 2)
    assert first.details == "Error: timed out\n  at deploy.sh:7"
    assert fixed.details is None


def test_stage_or_reason_alone_are_told_too() -> None:
    (stage,) = story(known("F", failing_stage="Deploy"), 1)
    assert stage.headline == "🔴 web / main failed: stage Deploy"
    (reason,) = story(known("F", reason="\n\n  timed out\nand more"), 1)
    assert reason.headline == '🔴 web / main failed: "timed out"'
    (bucket,) = story(known("F", bucket="startup_failure"), 1)
    assert bucket.headline == '🔴 web / main failed: "startup_failure"'
    (long,) = story(known("F", reason="x" * 500), 1)
    assert len(long.headline) < 160


def test_a_plain_job_has_no_branch_in_its_name_and_shows_the_one_it_built() -> None:
    scope = Scope(provider="ci", pipeline="web/deploy", branch="")
    (message,) = story(known("F"), 1, scope=scope)
    assert message.headline == "🔴 web failed"
    assert shown(message)["Branch"] == "main"
    (bare,) = story(known("F", branch=None, commit=None, actor=None, trigger=None), 1, scope=scope)
    assert not {"Branch", "Commit", "Triggered by"} & set(shown(bare))


def test_foreign_text_stays_text() -> None:
    nasty = "<!channel> *bold* {{ 7*7 }} <script>"
    scope = Scope(provider="ci", pipeline="web/deploy", branch=nasty)
    (message,) = story(known("F", branch=nasty, reason=nasty, title=nasty), 1, scope=scope)
    assert nasty in message.headline
    assert shown(message)["Branch"] == nasty


def test_builds_that_are_gone_cost_their_facts_only() -> None:
    alert = decide(
        scope=SCOPE, tail=settled(known("PF")), stored=[], rules=failing_only(), watched_since=LONG_AGO, now=NOON
    )[0].alert
    message = compose(alert, Reason.FIRST, pipeline=WEB, builds={}, now=NOON, zone=UTC)
    assert message.headline == "🔴 web / main failed"
    assert [link.url for link in message.links] == ["https://ci.example.com/web/deploy/"]
    assert shown(message)["First failed"] == "#2"
    bare = compose(alert, Reason.FIRST, builds={}, now=NOON, zone=UTC)
    assert bare.headline == "🔴 web/deploy / main failed"
    assert bare.links == ()
    assert shown(bare)["Pipeline"] == "web/deploy"


def test_a_reminder_says_that_it_still_fails() -> None:
    alert = decide(
        scope=SCOPE, tail=settled(known("PFF")), stored=[], rules=failing_only(), watched_since=LONG_AGO, now=NOON
    )[0].alert
    message = compose(alert, Reason.REMINDER, pipeline=WEB, builds={}, now=NOON, zone=UTC)
    assert message.headline == "🔴 web / main is still failing, 2nd in a row"


@pytest.mark.parametrize("kind", list(AlertKind))
def test_a_closed_alert_says_why_whatever_its_kind(kind: AlertKind) -> None:
    alert = Alert(
        kind=kind,
        scope=SCOPE,
        severity="warning",  # type: ignore[arg-type]
        state=AlertState.FIRING,
        started_at=NOON,
        summary="",
        channels=("team",),
        evidence={"in_a_row": 1, "failures": 1, "passed": 1, "runs": 2, "window": "the last 24 h", "line": 90}
        | {"baseline_passed": 1, "baseline_runs": 1, "trouble": "tls", "text": "no", "frozen": 1},
    )
    decision = closed(alert, because="no longer watched", at=minutes(5))
    assert decision.reason is Reason.CLOSED
    message = compose(decision.alert, decision.reason, pipeline=WEB, builds={}, now=minutes(5), zone=UTC)
    assert message.headline.startswith("🔵 web / main ")
    assert message.headline.endswith("alert closed: no longer watched")
    assert message.tone is Tone.NOTE


def test_a_kind_without_words_of_its_own_tells_its_summary() -> None:
    alert = replace(_missing(), kind=AlertKind.BASELINE, summary="something else")
    message = compose(alert, Reason.FIRST, pipeline=WEB, builds={}, now=NOON, zone=UTC)
    assert message.headline == "🟠 web something else"


def test_a_drop_of_the_success_rate_is_told_with_its_evidence() -> None:
    rules = Rules(failure=None, success_rate_drop=RateDropRule())
    first, back = story(known("P" * 100 + "FP" * 3 + "P" * 60), 106, 166, rules=rules)
    assert first.headline == (
        "🟠 web / main success rate 100 % → 50 % (3/6 since #101; baseline 100/100), started between #93 and #101"
    )
    assert shown(first)["Success rate"] == "50 %: 3 of 6 passed since #101"
    assert shown(first)["Before"] == "100 %: 100 of 100 passed"
    assert first.links[0].label == "Build #105"
    assert back.headline == "🟢 web / main success rate is back to normal (100 % before it dropped)"
    assert back.tone is Tone.FIXED
    assert back.links[0].label == shown(back)["Build"].replace("#", "Build #")


def test_a_rate_under_the_line_is_told_with_the_line() -> None:
    rule = RateBelowRule(percent=90, window=20)
    rules = Rules(failure=None, success_rate_drop=None, success_rate_below=rule)
    headlines: list[str] = []
    stored: list[Alert] = []
    for counts in ((17, 3), (19, 1)):
        (decision,) = decide(
            scope=SCOPE,
            tail=settled(known("PF")),
            stored=stored,
            rules=rules,
            counts=counts,
            watched_since=LONG_AGO,
            now=NOON,
        )
        assert decision.reason is not None
        stored = [replace(decision.alert, id=1, channels=("team",))]
        message = compose(stored[0], decision.reason, pipeline=WEB, builds={}, now=NOON, zone=UTC)
        headlines.append(message.headline)
        assert shown(message)["Line"] == "90 %"
    assert headlines == [
        "🟠 web / main success rate 85 % (17/20) in the last 20 builds, the line is 90 %",
        "🟢 web / main success rate is back at 95 % (19/20 in the last 20 builds)",
    ]


def test_a_provider_is_told_by_its_name_with_trouble_and_what_is_frozen() -> None:
    facts = Polls(trouble="not json", text="HTML instead of JSON")
    (fired,) = decide_unreachable(facts=facts, stored=[], rule=UnreachableRule(), pipelines=7, now=minutes(11))
    alert = replace(fired.alert, id=1, channels=("team",))
    message = compose(alert, Reason.FIRST, builds={}, now=minutes(11), zone=UTC)
    assert message.headline == "🔴 nsp answers, but not as a CI server does; 7 pipelines frozen"
    assert shown(message)["Trouble"] == "not json: HTML instead of JSON"
    assert shown(message)["Pipelines"].startswith("7 are frozen")
    (over,) = decide_unreachable(
        facts=Polls(failing_since=None), stored=[alert], rule=UnreachableRule(), pipelines=7, now=minutes(130)
    )
    assert over.reason is Reason.RESOLVED
    back = compose(over.alert, over.reason, builds={}, now=minutes(130), zone=UTC)
    assert back.headline == "🟢 nsp answers again after 2 h 10 m"
    assert shown(back)["Pipelines"] == "7 are watched again"


def _missing() -> Alert:
    scope = Scope(provider="ci", pipeline="web/deploy")
    (decision,) = decide_missing(scope=scope, missing=True, stored=[], now=NOON)
    return replace(decision.alert, id=1, channels=("team",))


def test_a_pipeline_that_is_gone_is_told_and_so_is_its_return() -> None:
    gone = compose(_missing(), Reason.FIRST, pipeline=WEB, builds={}, now=NOON, zone=UTC)
    assert gone.headline == "🟠 web is gone: deleted, renamed, or not to be seen by our account any more"
    (decision,) = decide_missing(scope=_missing().scope, missing=False, stored=[_missing()], now=minutes(5))
    assert decision.reason is not None
    back = compose(decision.alert, decision.reason, pipeline=WEB, builds={}, now=NOON, zone=UTC)
    assert back.headline == "🟢 web is there again"


def _already_failing(count: int) -> list[Alert]:
    return [
        replace(_missing(), scope=Scope(provider="ci", pipeline=f"job-{number:02}", branch="main"), summary="3 failed")
        for number in range(count)
    ]


def test_what_was_failing_at_first_contact_is_one_summary() -> None:
    named: dict[str, Pipeline] = {"job-00": pipeline("job-00", name="zero")}
    message = baseline_message(_already_failing(3)[::-1], named, NOON)
    assert message.headline == (
        "🔵 3 pipelines already need attention at first contact; from now on only changes are told"
    )
    (table,) = message.tables
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["zero / main", "3 failed"],
        ["job-01 / main", "3 failed"],
        ["job-02 / main", "3 failed"],
    ]
    assert table.rows[0][0].url == "https://ci.example.com/job-00/"


def test_a_long_summary_is_cut_and_a_short_one_reads_well() -> None:
    assert baseline_message(_already_failing(32), {}, NOON).tables[0].more == 2
    assert "1 pipeline already needs" in baseline_message(_already_failing(1), {}, NOON).headline


def test_the_thread_follows_the_alert_not_its_state() -> None:
    alert = _missing()
    ended = replace(alert, state=AlertState.RESOLVED, resolved_at=minutes(9), transition=2, summary="x")
    assert thread_of(alert) == thread_of(ended)
    assert thread_of(alert) != thread_of(replace(alert, started_at=NOON + timedelta(seconds=1)))
    assert set(SIGNS) == set(Tone)


def test_times_are_shown_in_summer_and_winter_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for month, expected in ((1, "13:00 CET"), (7, "14:00 CEST")):
        alert = replace(_missing(), started_at=datetime(2026, month, 1, 12, tzinfo=UTC))
        message = compose(alert, Reason.FIRST, pipeline=WEB, builds={}, now=NOON, zone=berlin)
        assert shown(message)["Since"] == f"2026-0{month}-01 {expected}"


def test_every_outcome_of_a_build_can_be_told() -> None:
    for outcome in Outcome:
        if verdict_of(build(1, outcome)) == "failed":
            (message,) = story([replace(build(1, outcome, pipeline=WEB), id=1)], 1)
            assert message.headline == "🔴 web / main failed"
