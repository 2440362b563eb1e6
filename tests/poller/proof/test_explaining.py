"""What is said about one build: short, exact, and the same words whatever asks."""

from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from alerts.rules import Rules
from domain.alert import AlertKind, AlertState, Delivery, Reason
from domain.build import Outcome, Verdict
from domain.silence import Ends, Silence
from poller.proof.explaining import Facts, Streak, explain, judge
from poller.proof.fates import Fate, Said, Setting, Touched, of_alert, of_message
from store.builds import BuildView
from tests.support.builders import NOON, alert, build, minutes, notification

NOW = minutes(120)
LONG_AGO = NOON - timedelta(days=100)
OF_TOUCHED = {"role", "covers", "summary", "silence", "hidden_by", "hidden_told", "routed"}
SETTING = Setting(now=NOW, zone=UTC, channels=frozenset({"team", "wall"}))


def view(
    outcome: Outcome | None = Outcome.FAILURE, verdict: Verdict | None = Verdict.FAILED, **changes: Any
) -> BuildView:
    how = {key: changes.pop(key) for key in ("superseded", "flaky") if key in changes}
    return BuildView(
        build=build(4, outcome, id=7, **changes), verdict=verdict, **({"superseded": False, "flaky": False} | how)
    )


def facts(given: BuildView | None = None, **changes: Any) -> Facts:
    values: dict[str, Any] = {
        "view": given or view(),
        "rules": Rules(),
        "watched_since": LONG_AGO,
        "kept_since": LONG_AGO - timedelta(days=1),
        "streak": Streak(place=1, length=1, needed=1),
        "setting": SETTING,
    }
    return Facts(**(values | changes))


def said(delivery: Delivery = Delivery.SENT, *, together: int = 1, **changes: Any) -> Said:
    sent = {"sent_at": minutes(50)} if delivery is Delivery.SENT else {}
    return Said(notification=notification(delivery=delivery, id=33, **(sent | changes)), together=together)


def touched(*messages: Said, **changes: Any) -> Touched:
    how = {
        key: changes.pop(key)
        for key in ("role", "covers", "summary", "silence", "hidden_by", "hidden_told", "routed")
        if key in changes
    }
    return Touched(alert=alert(id=17, **changes), said=messages, **({"role": "its first failure"} | how))


@pytest.mark.parametrize(
    ("given", "fate", "words"),
    [
        (facts(view(None, None)), Fate.RUNNING, "Not told: it is still running"),
        (facts(view(Outcome.SUCCESS, Verdict.PASSED)), Fate.PASSED, "Not told: it passed"),
        (facts(view(Outcome.SUCCESS, Verdict.PASSED, flaky=True)), Fate.PASSED, "Not told: it passed on a re-run"),
        (
            facts(view(Outcome.CANCELLED, Verdict.NEUTRAL, raw_outcome="ABORTED")),
            Fate.NEUTRAL,
            "Not told: cancelled (ABORTED) is neutral, neither a failure nor a pass",
        ),
        (facts(view(is_fork=True)), Fate.FORK, "Not told: builds of forks are shown and never alert"),
        (
            facts(view(is_pull_request=True)),
            Fate.PULL_REQUEST,
            "Not told: builds of pull requests are shown and never alert",
        ),
        (facts(view(branch=None)), Fate.NO_BRANCH, "Not told: its branch is not known, so it belongs to no stream"),
        (facts(rules=None), Fate.NOT_WATCHED, "Not told: no entry of `pipelines:` watches this pipeline now"),
        (facts(watched=False), Fate.OTHER_BRANCH, "Not told: branch main is not watched, only the default branch is"),
        (
            facts(watched=False, branches=("release/*", "dev")),
            Fate.OTHER_BRANCH,
            "Not told: branch main is not watched, only release/*, dev is",
        ),
        (facts(rules=Rules(failure=None)), Fate.SWITCHED_OFF, "Not told: `failure` is switched off for this pipeline"),
        (
            facts(watched_since=minutes(60)),
            Fate.HISTORY,
            "Not told: it ended before buildwatch first saw this pipeline (2026-11-20 13:00 UTC)",
        ),
        (
            facts(kept_since=minutes(60)),
            Fate.FORGOTTEN,
            "Alerts that ended before 2026-11-20 13:00 UTC are not kept any more",
        ),
        (
            facts(streak=Streak(place=1, length=2, needed=3, ended_by=6)),
            Fate.BELOW_THRESHOLD,
            "Not told: below the threshold, 1 of `after: 3` failures in a row, then #6 passed",
        ),
        (
            facts(streak=Streak(place=2, length=2, needed=3)),
            Fate.BELOW_THRESHOLD,
            "Not told: below the threshold, 2 of `after: 3` failures in a row",
        ),
        (
            facts(watched_since=minutes(44), streak=Streak(place=1, length=1, needed=1, ended_by=5)),
            Fate.HISTORY,
            "Not told: it was over already at first contact with its branch",
        ),
        (
            facts(setting=replace(SETTING, configured_at=minutes(60))),
            Fate.CONFIGURED_SINCE,
            "Not told: another configuration was in use until 2026-11-20 13:00 UTC",
        ),
        (
            facts(streak=Streak(place=1, length=1, needed=1, ended_by=5, newer=18)),
            Fate.OVERTAKEN,
            "Not told: fixed by #5 before it was seen; the newer break was told instead (alert 18)",
        ),
        (
            facts(
                rules=Rules(rerun_wait=timedelta(minutes=5)),
                streak=Streak(place=1, length=1, needed=1, ended_by=5, rerun=True),
            ),
            Fate.FLAKY,
            "Not told: flaky, its re-run #5 passed on the same commit",
        ),
        (
            facts(),
            Fate.UNEXPLAINED,
            "Nobody was told and no reason is known: please report this as a defect of buildwatch",
        ),
    ],
)
def test_the_reason_why_nobody_was_told_is_exact(given: Facts, fate: Fate, words: str) -> None:
    assert judge(given) == (fate, words)
    answer = explain(given)
    assert (answer.fate, answer.answer, answer.lines[0]) == (fate, words, words)
    assert answer.alerts == []


def waiting(**changes: Any) -> Facts:
    rules = Rules(rerun_wait=timedelta(minutes=90))
    return facts(awaited=True, rules=rules, **changes)


def test_a_failure_that_waits_for_its_re_run_says_until_when() -> None:
    assert judge(waiting()) == (
        Fate.AWAITING_RERUN,
        "Not told yet: a re-run is awaited until 2026-11-20 14:15 UTC",
    )
    again = view(None, None, attempt=2)
    assert judge(waiting(attempts=(view(), again))) == (
        Fate.AWAITING_RERUN,
        "Not told yet: attempt 2 is running, awaited until 2026-11-20 18:45 UTC",
    )
    assert judge(waiting(unreachable=True)) == (
        Fate.FROZEN,
        "Not told yet: ci does not answer, so nothing of it is judged",
    )
    assert judge(waiting(setting=replace(SETTING, now=NOW + timedelta(days=1))))[0] is Fate.UNEXPLAINED


def test_a_superseded_attempt_names_the_one_that_counts() -> None:
    first = view(superseded=True)
    passed = view(Outcome.SUCCESS, Verdict.PASSED, attempt=2, flaky=True)
    answer = explain(facts(first, attempts=(first, passed)))
    assert (answer.fate, answer.answer) == (Fate.SUPERSEDED, "Not told: attempt 2 counts, and passed")
    assert answer.because == "failed, its outcome is failure; it does not count: attempt 2 counts, and passed"
    assert explain(facts(passed, attempts=(first, passed))).because == (
        "passed, its outcome is success; flaky: an earlier attempt failed"
    )
    assert explain(facts(first)).answer == "Not told: another attempt counts"
    failed = view(attempt=2)
    assert explain(facts(first, attempts=(first, failed))).answer == "Not told: attempt 2 counts, and failed"


def test_unstable_says_what_made_it_so() -> None:
    unstable = view(Outcome.UNSTABLE)
    assert explain(facts(unstable)).because == "failed, its outcome is unstable, and unstable counts as failed"
    passes = view(Outcome.UNSTABLE, Verdict.PASSED)
    assert explain(facts(passes, unstable_passes=True)).because == (
        "passed, its outcome is unstable, and `unstable: passed` is set"
    )
    assert explain(facts(view(None, None))).because == "none yet, it is running"


def test_the_stream_is_named_with_why_it_is_not_watched() -> None:
    assert explain(facts()).placed == "deploy / main, watched"
    assert explain(facts(view(is_fork=True))).placed == "none: builds of forks are shown and never alert"
    other = explain(facts(watched=False))
    assert (other.watched, other.placed) == (
        False,
        "deploy / main, branch main is not watched, only the default branch is",
    )


@pytest.mark.parametrize(
    ("message", "fate", "words"),
    [
        (said(), Fate.TOLD, "sent to team at 2026-11-20 12:50 UTC"),
        (said(batch=31, together=7), Fate.TOLD, "sent to team at 2026-11-20 12:50 UTC, in message 31 with 6 others"),
        (said(batch=33), Fate.TOLD, "sent to team at 2026-11-20 12:50 UTC"),
        (said(reason=Reason.REFRESH), Fate.TOLD, "brought up to date on team at 2026-11-20 12:50 UTC"),
        (said(reason=Reason.THREADED), Fate.TOLD, "sent into the thread on team at 2026-11-20 12:50 UTC"),
        (said(receipt={"left_out": "x"}), Fate.TOLD, "left out for team, which cannot edit what it was told"),
        (
            said(Delivery.DEAD, attempts=2, last_error="channel_not_found"),
            Fate.DEAD,
            "given up for team after 2 tries: channel_not_found",
        ),
        (
            said(Delivery.PENDING, hold_until=minutes(600), held="quiet hours until 22:00"),
            Fate.HELD,
            "held for team until 2026-11-20 22:00 UTC: quiet hours until 22:00",
        ),
        (said(Delivery.SENDING), Fate.WAITING, "being sent to team"),
        (
            said(Delivery.PENDING, attempts=2, last_error="429 Too Many Requests", next_attempt_at=minutes(130)),
            Fate.RETRYING,
            "not accepted by team: 429 Too Many Requests; try 3 at 2026-11-20 14:10 UTC",
        ),
        (
            said(Delivery.PENDING, attempts=1, last_error="timed out", ambiguous=True, next_attempt_at=minutes(130)),
            Fate.RETRYING,
            "not accepted by team, which may have accepted it: timed out; try 2 at 2026-11-20 14:10 UTC",
        ),
        (
            said(Delivery.PENDING),
            Fate.WAITING,
            "waits for team since 2026-11-20 12:00 UTC, due 2026-11-20 12:00 UTC",
        ),
    ],
)
def test_the_fate_of_a_message_is_exact(message: Said, fate: Fate, words: str) -> None:
    assert of_message(message, SETTING) == (fate, words)


def quiet(**changes: Any) -> Silence:
    values: dict[str, Any] = {"match": {"pipeline": "web/*"}, "ends": Ends(at=minutes(240)), "reason": "the move"}
    return Silence(id=3, created_at=NOON, **(values | {"author": "ada"} | changes))


SILENCED = {"channels": (), "handling": {"silenced_by": 3}}
HIDDEN = {"channels": (), "handling": {"hidden_by": 16}}


@pytest.mark.parametrize(
    ("given", "fate", "words"),
    [
        (touched(said()), Fate.TOLD, "sent to team at 2026-11-20 12:50 UTC"),
        (touched(), Fate.UNEXPLAINED, "no message to team was ever written"),
        (touched(said(reason=Reason.REFRESH)), Fate.UNEXPLAINED, "no message to team was ever written"),
        (touched(said(), channels=("team", "wall")), Fate.UNEXPLAINED, "no message to wall was ever written"),
        (touched(channels=("gone",)), Fate.CHANNEL_GONE, "gone is not in config.yaml any more"),
        (touched(channels=()), Fate.NO_ROUTE, "no route matched, so nobody is told"),
        (touched(channels=(), routed=("wall",)), Fate.UNEXPLAINED, "nobody was told, and it should have gone to wall"),
        (
            touched(silence=quiet(), **SILENCED),
            Fate.SILENCED,
            'silenced by #3 "the move" by ada, until 2026-11-20 16:00 UTC',
        ),
        (
            touched(silence=quiet(author=None, ends=Ends(fixed=True, build=9, new_bucket=True)), **SILENCED),
            Fate.SILENCED,
            'silenced by #3 "the move", until it is fixed or build #9 or it fails in another way',
        ),
        (
            touched(silence=quiet(ended_at=minutes(60), ended_because="its time has come"), **SILENCED),
            Fate.SILENCED,
            'silenced by #3 "the move" by ada, which ended 2026-11-20 13:00 UTC (its time has come)',
        ),
        (
            touched(silence=quiet(ended_at=minutes(60)), **SILENCED),
            Fate.SILENCED,
            'silenced by #3 "the move" by ada, which ended 2026-11-20 13:00 UTC',
        ),
        (
            touched(**SILENCED),
            Fate.UNEXPLAINED,
            "silence #3 is said to have kept it from being told, and there is none",
        ),
        (touched(**HIDDEN), Fate.UNEXPLAINED, "alert 16 is said to hide it, and there is none"),
        (
            touched(hidden_by=alert(kind=AlertKind.FLAPPING, summary="7 of 20"), hidden_told=[said()], **HIDDEN),
            Fate.HIDDEN,
            "hidden by alert 16 (flapping: 7 of 20), sent to team at 2026-11-20 12:50 UTC",
        ),
        (
            touched(hidden_by=alert(kind=AlertKind.FLAPPING, summary="7 of 20"), **HIDDEN),
            Fate.HIDDEN,
            "hidden by alert 16 (flapping: 7 of 20)",
        ),
        (
            touched(channels=(), evidence={"baseline": True}),
            Fate.BASELINE,
            "it was failing already at first contact: the summary of that is due, or has no route",
        ),
        (
            touched(evidence={"baseline": True}, state=AlertState.RESOLVED),
            Fate.BASELINE,
            "it was failing already at first contact, which is told in one summary",
        ),
        (touched(summary=[said()]), Fate.TOLD, "sent to team at 2026-11-20 12:50 UTC"),
    ],
)
def test_the_fate_of_an_alert_is_exact(given: Touched, fate: Fate, words: str) -> None:
    assert of_alert(given, SETTING) == (fate, words)


def test_a_channel_that_was_not_told_under_another_configuration_is_no_defect() -> None:
    setting = replace(SETTING, configured_at=minutes(30))
    assert of_alert(touched(channels=(), routed=("wall",)), setting)[0] is Fate.CONFIGURED_SINCE


def test_one_message_that_arrived_is_enough() -> None:
    both = touched(said(Delivery.DEAD, channel="wall"), said(), channels=("team", "wall"))
    assert of_alert(both, SETTING)[0] is Fate.TOLD


def test_a_failure_is_answered_by_the_alert_that_covers_it() -> None:
    silenced = touched(silence=quiet(), **SILENCED)
    told = touched(said(), evidence={}, summary=())
    answer = explain(facts(touched=(silenced, told)))
    assert (answer.fate, answer.answer) == (Fate.TOLD, "Sent to team at 2026-11-20 12:50 UTC (alert 17)")
    assert answer.lines == [
        "Sent to team at 2026-11-20 12:50 UTC (alert 17)",
        "verdict: failed, its outcome is failure",
        "stream: deploy / main, watched",
        "alert 17 (failure, firing): deploy / main failed; this build is its first failure",
        '  silenced by #3 "the move" by ada, until 2026-11-20 16:00 UTC',
        "alert 17 (failure, firing): deploy / main failed; this build is its first failure",
        "  message 33 (first): sent to team at 2026-11-20 12:50 UTC",
    ]


def test_an_alert_that_only_names_a_build_is_mentioned() -> None:
    drop = touched(said(), covers=False, role="the one it fired at", kind=AlertKind.SUCCESS_RATE_DROP)
    off = facts(rules=Rules(failure=None), touched=(drop,))
    assert judge(off) == (
        Fate.SWITCHED_OFF,
        "Not told: `failure` is switched off for this pipeline; named in alert 17, which people were told",
    )
    assert judge(facts(touched=(drop,)))[0] is Fate.UNEXPLAINED


def test_an_acknowledgement_is_told() -> None:
    known = {"acknowledged": {"by": "ada", "at": minutes(60).isoformat(), "reason": "on it"}}
    lines = explain(facts(touched=(touched(said(), handling=known),))).lines
    assert lines[-1] == '  acknowledged by ada at 2026-11-20 13:00 UTC: "on it"; no reminders'
    silent = explain(facts(touched=(touched(channels=("team",)),))).lines
    assert silent[-1] == "  no message to team was ever written"


def test_a_missing_message_is_named_beside_those_that_are_there() -> None:
    lines = explain(facts(touched=(touched(said(), channels=("team", "wall")),))).lines
    assert lines[-2:] == [
        "  message 33 (first): sent to team at 2026-11-20 12:50 UTC",
        "  no message to wall was ever written",
    ]
