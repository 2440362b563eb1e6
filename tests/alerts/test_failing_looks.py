"""While a stream is red, a failure that looks like none before is news at once."""

from typing import Any

from alerts.kinds.failing import decide_failure
from alerts.rules import FailureRule
from domain.alert import Reason
from domain.stream import Signature
from tests.support.builders import NOON
from tests.support.verdicts import LONG_AGO, SCOPE, Memory, tail

FIRST, UPDATE, REFRESH = Reason.FIRST, Reason.UPDATE, Reason.REFRESH


def looks(bucket: str | None = None, *tests: str) -> Signature:
    return Signature(bucket, frozenset(tests) if tests else None)


class Red(Memory):
    """A stream of failures that look like something."""

    def comes(self, letters: str, **signatures: Signature) -> list[Reason | None]:
        """See these builds; `b2=` is what build 2 looks like. Returns why anything was saved; twice says nothing."""
        known = {1000 + int(name[1:]): signature for name, signature in signatures.items()}
        values: dict[str, Any] = {
            "scope": SCOPE,
            "tail": tail(letters),
            "rule": FailureRule(),
            "watched_since": LONG_AGO,
            "now": NOON,
            "fresh": None,
            "signatures": known,
        }
        decisions = decide_failure(stored=self.stored(), **values)
        self.keep(decisions)
        assert decide_failure(stored=self.stored(), **values) == ()
        return [decision.reason for decision in decisions]

    def evidence(self, key: str) -> Any:
        return self.newest().evidence.get(key)


def test_a_new_bucket_while_red_is_told_at_once() -> None:
    red = Red()
    assert red.comes("PF", b2=looks("compile")) == [FIRST]
    assert red.comes("PFF", b3=looks("compile")) == [REFRESH]
    assert red.comes("PFFF", b4=looks("helm")) == [UPDATE]
    assert (red.evidence("bucket"), red.evidence("buckets")) == ("helm", ["compile", "helm"])
    assert red.newest().transition == 3


def test_a_bucket_that_was_told_before_is_no_news() -> None:
    red = Red()
    red.comes("PF", b2=looks("compile"))
    red.comes("PFF", b3=looks("helm"))
    assert red.comes("PFFF", b4=looks("compile")) == [REFRESH]
    assert red.evidence("bucket") == "compile"


def test_details_that_come_later_are_no_news() -> None:
    red = Red()
    assert red.comes("PF") == [FIRST]
    assert red.comes("PF", b2=looks("compile", "a::b")) == [None]
    assert red.comes("PFF") == [REFRESH]
    assert red.evidence("bucket") == "compile"
    assert red.comes("PFF", b3=looks("helm")) == [UPDATE]


def test_new_failing_tests_while_red_are_told_at_once() -> None:
    red = Red()
    red.comes("PF", b2=looks(None, "a::1", "a::2"))
    assert red.comes("PFF", b3=looks(None, "a::1")) == [REFRESH]  # one is fixed
    assert red.comes("PFFF", b4=looks(None, "a::1", "a::3")) == [UPDATE]
    assert (red.evidence("tests"), red.evidence("new_tests")) == (["a::1", "a::2", "a::3"], ["a::3"])
    assert red.comes("PFFFF", b5=looks(None, "a::2")) == [REFRESH]


def test_an_alert_remembers_only_so_many_tests() -> None:
    red = Red()
    red.comes("PF", b2=looks(None, *(f"a::{number:03}" for number in range(300))))
    assert len(red.evidence("tests")) == 200
    assert red.comes("PFF", b3=looks(None, "a::999")) == [REFRESH]


def test_what_a_break_looked_like_stays_in_its_ending_and_not_in_the_next_break() -> None:
    red = Red()
    red.comes("PF", b2=looks("compile"))
    red.comes("PFP")
    assert red.evidence("bucket") == "compile"
    assert red.comes("PFPF", b4=looks("helm")) == [FIRST]
    assert red.evidence("buckets") == ["helm"]


def test_what_one_build_looks_like_after_all_is_no_news() -> None:
    red = Red()
    red.comes("PF", b2=looks("compile", "a::b"))
    assert red.comes("PF", b2=looks("helm", "a::b", "a::c")) == [None]
    assert (red.evidence("bucket"), red.evidence("buckets")) == ("helm", ["helm"])
    assert red.comes("PFF", b3=looks("compile")) == [UPDATE]
