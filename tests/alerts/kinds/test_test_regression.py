from dataclasses import replace
from typing import Any

from alerts.decide import decide
from alerts.decision import Decision
from alerts.kinds.test_regression import decide_test_regression, remembered
from alerts.rules import DEFAULT_RULES
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity
from domain.build import Verdict
from domain.testhistory import Checked, Gap, TestChanges, TestFate, TestStand
from tests.support.builders import NOON, alert, minutes

SCOPE = Scope(provider="ci", pipeline="web/deploy", branch="main")
FATES = {"F": TestFate.FAILING, "P": TestFate.FIXED, "S": TestFate.SKIPPED, "V": TestFate.VANISHED}


def after(number: int, new: str = "", *, flaky: str = "", verdict: Verdict = Verdict.FAILED, **fates: str) -> TestStand:
    """How tests of the suite `s` stand after a build; `new` ones are letters, `a="P"` is a fate."""
    failing = tuple(("s", name) for name in new)
    return TestStand(
        build_id=number,
        generation=0,
        number=number,
        finished_at=minutes(10 * number),
        verdict=verdict,
        changes=TestChanges(failing=failing, newly_failing=failing, compared=True),
        fates={("s", name): FATES.get(letter, TestFate.UNKNOWN) for name, letter in fates.items()},
        known_flaky=frozenset(("s", name) for name in flaky),
    )


def checked(number: int, *gaps: Gap) -> Checked:
    return Checked(build_id=number, generation=0, number=number, finished_at=minutes(10 * number), gaps=gaps)


MISSING, BROKEN = Gap("reports/*.xml", None), Gap("reports/a.xml", "line 7: not well-formed")


def judge(tests: TestStand | None, *stored: Alert, **changes: Any) -> tuple[Decision, ...]:
    values: dict[str, Any] = {"checked": None, "failing": False, "watched_since": NOON}
    return decide_test_regression(scope=SCOPE, tests=tests, stored=stored, **(values | changes))


def fired(new: str = "ab", number: int = 2, **changes: Any) -> Alert:
    (decision,) = judge(after(number, new), **changes)
    assert decision.reason is Reason.FIRST
    return replace(decision.alert, channels=("team",), id=1)


def named(alert: Alert, key: str) -> str:
    return "".join(name for _, name in alert.evidence.get(key, ()))


def test_newly_failing_tests_are_news_and_one_alert() -> None:
    alert = fired()
    assert (alert.kind, alert.state, alert.severity) == ("test_regression", AlertState.FIRING, Severity.CRITICAL)
    assert (alert.summary, alert.started_at) == ("2 tests fail since #2", minutes(20))
    assert alert.evidence["last_failed"] == alert.evidence["first_failed"] == {"id": 2, "number": 2, "generation": 0}
    assert named(alert, "tests") == named(alert, "still") == named(alert, "new") == "ab"
    assert remembered([alert]) == (("s", "a"), ("s", "b"))


def test_nothing_new_is_no_news_and_asked_again_nothing_is_decided() -> None:
    assert judge(None) == judge(after(2)) == judge(after(3, a="F")) == ()
    assert judge(after(2, "ab", a="F", b="F"), fired()) == ()


def test_a_build_that_passes_in_spite_of_new_failing_tests_is_a_warning() -> None:
    (decision,) = judge(after(2, "a", verdict=Verdict.PASSED), failing=True)
    assert decision.alert.severity is Severity.WARNING


def test_what_a_failure_alert_tells_is_not_told_twice() -> None:
    assert judge(after(2, "a"), failing=True) == ()
    told = alert(state=AlertState.RESOLVED, evidence={"last_failed": {"id": 2, "number": 2, "generation": 0}})
    assert judge(after(2, "a"), told) == ()
    assert len(judge(after(3, "a"), told)) == 1


def test_known_flaky_tests_do_not_fire_by_themselves() -> None:
    assert judge(after(2, "ab", flaky="ab")) == ()
    (decision,) = judge(after(2, "ab", flaky="a"))
    assert named(decision.alert, "tests") == "b"


def test_what_finished_before_we_met_the_pipeline_is_baseline() -> None:
    assert judge(after(2, "a"), watched_since=minutes(20)) == ()
    assert judge(None, checked=checked(2, MISSING), watched_since=minutes(20)) == ()


def test_more_tests_that_fail_are_an_update() -> None:
    (decision,) = judge(after(3, "c", a="F", b="P"), fired())
    assert decision.reason is Reason.UPDATE
    alert = decision.alert
    assert (named(alert, "tests"), named(alert, "still"), named(alert, "fixed")) == ("abc", "ac", "b")
    assert (named(alert, "new"), alert.evidence["last_failed"]["number"]) == ("c", 3)
    assert alert.summary == "2 tests fail since #2"


def test_a_test_that_comes_back_is_no_news() -> None:
    (decision,) = judge(after(3, a="F", b="P"), fired())
    assert decision.reason is Reason.REFRESH
    (again,) = judge(after(4, "b", a="F", b="F"), replace(decision.alert, transition=2))
    assert (again.reason, named(again.alert, "still")) == (Reason.REFRESH, "ab")


def test_it_is_over_when_none_of_its_tests_fails() -> None:
    (decision,) = judge(after(4, verdict=Verdict.PASSED, a="P", b="V"), fired())
    alert = decision.alert
    assert (alert.state, decision.reason, alert.resolved_at) == (AlertState.RESOLVED, Reason.RESOLVED, minutes(40))
    assert (named(alert, "fixed"), named(alert, "vanished"), alert.evidence["fixed_by"]["number"]) == ("a", "b", 4)
    assert alert.summary == "1 fixed, 1 vanished by #4"


def test_it_is_over_on_a_red_build_too() -> None:
    (decision,) = judge(after(4, a="P", b="S"), fired())
    assert (decision.alert.state, decision.alert.summary) == (AlertState.RESOLVED, "1 fixed, 1 skipped by #4")


def test_a_build_that_did_not_come_to_its_tests_ends_nothing() -> None:
    alert = fired()
    assert judge(None, alert) == judge(after(3, a="U", b="U"), alert) == ()
    (decision,) = judge(after(3, a="U", b="P"), alert)
    assert (decision.alert.state, named(decision.alert, "still")) == (AlertState.FIRING, "a")


def test_what_an_older_build_says_changes_nothing() -> None:
    assert judge(after(1, "z", a="P", b="P"), fired()) == ()
    (ended,) = judge(after(4, a="P", b="P"), fired())
    assert judge(after(3, "z"), ended.alert) == ()
    assert judge(after(4, "a"), ended.alert) == ()
    assert len(judge(after(4, "z"), ended.alert)) == len(judge(after(5, "a"), ended.alert)) == 1


def test_tests_that_a_failure_alert_tells_are_not_added() -> None:
    (decision,) = judge(after(3, "c", a="F", b="F"), fired(), failing=True)
    assert (decision.reason, named(decision.alert, "tests")) == (None, "ab")


def test_of_a_thousand_failing_tests_some_are_remembered() -> None:
    many = tuple(("s", f"{number:04}") for number in range(1000))
    stand = replace(after(2), changes=TestChanges(failing=many, newly_failing=many, compared=True))
    (decision,) = judge(stand)
    assert (len(decision.alert.evidence["tests"]), decision.alert.evidence["failing"]) == (200, 1000)
    alert = replace(decision.alert, channels=("team",))
    fates = dict.fromkeys(many[:200], TestFate.FAILING)
    assert judge(replace(stand, fates=fates), alert) == ()
    (decision,) = judge(replace(after(3), changes=TestChanges(failing=many[500:]), fates={}), alert)
    assert (decision.alert.state, decision.alert.evidence["failing"]) == (AlertState.FIRING, 700)
    (decision,) = judge(replace(after(3), fates=dict.fromkeys(many[:200], TestFate.FIXED)), alert)
    assert decision.alert.state is AlertState.RESOLVED


def test_a_missing_file_is_a_failure_of_its_own() -> None:
    (decision,) = judge(None, checked=checked(2, MISSING))
    alert = replace(decision.alert, channels=("team",))
    assert (decision.reason, alert.severity, alert.started_at) == (Reason.FIRST, Severity.CRITICAL, minutes(20))
    assert (alert.summary, alert.evidence["missing"]) == ("reports/*.xml is missing", "reports/*.xml")
    assert judge(None, alert, checked=checked(2, MISSING)) == ()
    assert judge(after(3, a="P"), alert) == ()
    (over,) = judge(None, alert, checked=checked(3))
    assert (over.alert.state, over.alert.summary) == (AlertState.RESOLVED, "its report is there again by #3")


def test_a_file_that_cannot_be_read_is_told_with_the_reason() -> None:
    (decision,) = judge(None, checked=checked(2, BROKEN))
    evidence = decision.alert.evidence
    assert (evidence["unreadable"], evidence["reason"]) == ("reports/a.xml", "line 7: not well-formed")
    (update,) = judge(None, replace(decision.alert, channels=("team",)), checked=checked(3, MISSING))
    assert (update.reason, update.alert.summary) == (Reason.UPDATE, "reports/*.xml is missing")
    assert "unreadable" not in update.alert.evidence


def test_an_older_build_that_has_its_files_ends_nothing() -> None:
    (decision,) = judge(None, checked=checked(5, MISSING))
    assert judge(None, decision.alert, checked=checked(4)) == ()
    (over,) = judge(None, replace(decision.alert, channels=("team",)), checked=checked(6))
    assert judge(None, over.alert, checked=checked(5, MISSING)) == ()


def test_tests_and_files_are_one_alert_that_ends_with_both() -> None:
    (update,) = judge(None, fired(), checked=checked(3, MISSING))
    assert update.reason is Reason.UPDATE
    assert update.alert.summary == "2 tests fail since #2, reports/*.xml is missing"
    alert = replace(update.alert, id=1)
    (half,) = judge(after(4, a="P", b="P"), alert)
    assert half.alert.state is AlertState.FIRING
    (over,) = judge(None, half.alert, checked=checked(5))
    assert (over.alert.state, over.alert.evidence["fixed_by"]["number"]) == (AlertState.RESOLVED, 5)


def test_switched_off_it_is_closed() -> None:
    rules = replace(DEFAULT_RULES, test_regression=False)
    given: dict[str, Any] = {"scope": SCOPE, "tail": [], "watched_since": NOON, "now": minutes(99)}
    (decision,) = decide(**given, stored=[fired()], rules=rules, tests=after(3, "c"))
    assert decision.alert.state is AlertState.CLOSED
    (new,) = decide(**given, stored=[], rules=DEFAULT_RULES, tests=after(3, "c"))
    assert new.alert.kind is AlertKind.TEST_REGRESSION
