"""What the messages about test regressions say: which tests, and what has become of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alerts.kinds.test_regression import named
from alerts.wording import plural, shortened
from alerts.writing.case import Case
from domain.alert import AlertKind, Reason
from domain.message import Fact
from domain.testreport import Test

_SHOWN = 5  # tests in a line of the card
_IN_HEADLINE = 2
_NAME_LIMIT = 80  # characters
_REASON_LIMIT = 120


def test_regression(case: Case) -> str:
    """`has 2 new failing tests: a, b`; `ran, but its artifact *.xml is missing`; `is well again: 2 tests fixed`."""
    evidence = case.evidence
    if case.over:
        return _over(evidence) + (f" ({case.lasted})" if case.lasted else "")
    tests, gap = _begun(evidence, case.reason), _gap(evidence)
    if tests and gap:
        return f"{tests}; and its artifact {gap}"
    return tests or (f"ran, but its artifact {gap}" if gap else case.alert.summary)


def _begun(evidence: Mapping[str, Any], reason: Reason) -> str | None:
    still, new = named(evidence, "still"), named(evidence, "new")
    if reason is Reason.FIRST:  # who reads it has not heard of any of them
        new = still
    if not still:
        return None
    if reason not in (Reason.FIRST, Reason.UPDATE) or not new:
        return f"still has {plural(evidence['failing'], 'failing test')}"
    more = reason is Reason.UPDATE and len(new) < len(still)
    count = evidence["failing"] if len(new) == len(still) else len(new)
    what = plural(count, "more failing test" if more else "new failing test")
    return f"has {what}: {_list(new, count, _IN_HEADLINE)}"


def _gap(evidence: Mapping[str, Any]) -> str | None:
    if "missing" in evidence:
        return f"{evidence['missing']} is missing"
    if "unreadable" in evidence:
        return f"{evidence['unreadable']} cannot be read: {shortened(evidence['reason'], _REASON_LIMIT)}"
    return None


def _over(evidence: Mapping[str, Any]) -> str:
    ends = [(key, len(named(evidence, key))) for key in ("fixed", "skipped", "vanished") if key in evidence]
    if not ends:
        return "has its artifacts again"
    words = [plural(count, "test") if not place else str(count) for place, (_, count) in enumerate(ends)]
    return "is well again: " + ", ".join(f"{word} {key}" for word, (key, _) in zip(words, ends, strict=True))


def test_facts(case: Case) -> Iterator[Fact]:
    """The lines of the card that only this kind has."""
    evidence = case.evidence
    if case.alert.kind is not AlertKind.TEST_REGRESSION:
        return
    listed = case.told is not None and case.told.tests is not None and bool(case.told.tests.failing)
    for key, name in (("still", "Failing"), ("fixed", "Fixed"), ("skipped", "Skipped now"), ("vanished", "Vanished")):
        tests = named(evidence, key)
        if tests and not (key == "still" and (case.over or listed)):
            yield Fact(name=name, value=_list(tests, evidence["failing"] if key == "still" else len(tests), _SHOWN))
    gap = _gap(evidence)
    if gap is not None and not case.over:
        yield Fact(name="Artifact", value=gap)


def _list(tests: Sequence[Test], count: int, most: int) -> str:
    shown = [shortened(f"{suite}: {name}" if suite else name, _NAME_LIMIT) or "?" for suite, name in tests[:most]]
    more = count - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
