"""The first line of a message, after `web / main`: what has happened, in a few words."""

from collections.abc import Callable, Mapping

from alerts.wording import headline_reason, nth, percent, plural
from alerts.writing import change_words, test_words, waiting_words
from alerts.writing.case import Case
from domain.alert import AlertKind, AlertState, Reason


def headline(case: Case) -> str:
    """`failed, 2nd in a row: "Helm install failed" in stage Deploy`, `is fixed after 3 failures (2 h 10 m)`, ..."""
    if case.alert.state is AlertState.CLOSED:
        about = _ABOUT.get(case.alert.kind, "alert")
        return f"{about} alert closed: {case.evidence.get('closed_because', 'nobody asks any more')}"
    words = _WORDS.get(case.alert.kind)
    return words(case) if words is not None else case.alert.summary


def _failure(case: Case) -> str:
    evidence = case.evidence
    if case.over and case.reason is Reason.FIRST:
        return f"failed ({case.number('last_failed')}) and has recovered since"
    if case.over:
        how = "has recovered on re-run" if _by_rerun(case) else "is fixed"
        lasted = f" ({case.lasted})" if case.lasted else ""
        return f"{how} after {plural(evidence['failures'], 'failure')}{lasted}"
    still = "is still failing" if case.reason is Reason.REMINDER else "failed"
    in_a_row = f", {nth(evidence['in_a_row'])} in a row" if evidence["in_a_row"] > 1 else ""
    return still + in_a_row + headline_reason(case.build("last_failed"))


def _by_rerun(case: Case) -> bool:
    """Whether the very build that had failed has passed since, or a newer one of the same commit."""
    if not case.evidence.get("flaky"):
        return False
    failed, passed = case.build("first_failed"), case.build("fixed_by")
    same_commit = failed is not None and passed is not None and failed.commit == passed.commit is not None
    return same_commit or case.number("fixed_by") in (case.number("first_failed"), case.number("last_failed"))


def _rate_drop(case: Case) -> str:
    if not case.over:
        return case.alert.summary
    before = percent(case.evidence["baseline_passed"], case.evidence["baseline_runs"])
    return f"success rate is back to normal ({before} % before it dropped)"


def _rate_below(case: Case) -> str:
    if not case.over:
        return case.alert.summary
    passed, runs = case.evidence["passed"], case.evidence["runs"]
    return f"success rate is back at {percent(passed, runs)} % ({passed}/{runs} in {case.evidence['window']})"


def _unreachable(case: Case) -> str:
    if case.over:
        again = "answers again" if case.alert.scope.branch is None else "can be read again"
        return again + (f" after {case.lasted}" if case.lasted else "")
    return case.alert.summary


def _undelivered(case: Case) -> str:
    error = case.evidence.get("error")
    return f"{case.alert.summary}: {error}" if error and not case.over else case.alert.summary


def _missing(case: Case) -> str:
    return "is there again" if case.over else "is gone: deleted, renamed, or not to be seen by our account any more"


_WORDS: Mapping[AlertKind, Callable[[Case], str]] = {
    AlertKind.FAILURE: _failure,
    AlertKind.SUCCESS_RATE_DROP: _rate_drop,
    AlertKind.SUCCESS_RATE_BELOW: _rate_below,
    AlertKind.PROVIDER_UNREACHABLE: _unreachable,
    AlertKind.DELIVERY_FAILED: _undelivered,
    AlertKind.PIPELINE_MISSING: _missing,
    AlertKind.WINDOW_REGRESSION: change_words.window_regression,
    AlertKind.DURATION: change_words.duration,
    AlertKind.FLAPPING: change_words.flapping,
    AlertKind.STALE: waiting_words.stale,
    AlertKind.STUCK: waiting_words.stuck,
    AlertKind.NO_VERDICT: waiting_words.no_verdict,
    AlertKind.TEST_REGRESSION: test_words.test_regression,
}

_ABOUT = {
    AlertKind.FAILURE: "failure",
    AlertKind.SUCCESS_RATE_DROP: "success rate",
    AlertKind.SUCCESS_RATE_BELOW: "success rate",
    AlertKind.PROVIDER_UNREACHABLE: "provider",
    AlertKind.DELIVERY_FAILED: "delivery",
    AlertKind.CONFIGURATION_BROKEN: "configuration",
    AlertKind.PIPELINE_MISSING: "missing pipeline",
    AlertKind.WINDOW_REGRESSION: "success rate",
    AlertKind.DURATION: "duration",
    AlertKind.FLAPPING: "flapping",
    AlertKind.STALE: "stale pipeline",
    AlertKind.STUCK: "stuck build",
    AlertKind.NO_VERDICT: "missing verdict",
    AlertKind.TEST_REGRESSION: "test regression",
}
