"""Of a build that ended unstable its tests say what is wrong, for its log does not."""

from domain.testreport import TestCase, TestStatus
from parsers.buckets import Explanation, explain
from parsers.builtin_rules import builtin_rules
from parsers.excerpts import LINES, Excerpt
from parsers.failing_tests import told_by_tests
from parsers.rules import BucketRule


def case(name: str, message: str | None = None) -> TestCase:
    return TestCase(suite="cart", name=name, status=TestStatus.FAILED, message=message)


def told(*failing: TestCase, excerpt: Excerpt | None = None, rules: tuple[BucketRule, ...] = ()) -> Explanation:
    found = Explanation(bucket=None, excerpt=excerpt)
    return told_by_tests(found, (*rules, *builtin_rules()), failing, provider="ci", job="web", stage=None)


def text(found: Explanation) -> str:
    assert found.excerpt is not None
    return found.excerpt.text


def test_the_bucket_names_the_first_of_them_and_says_how_many_more() -> None:
    found = told(case("totals", "expected 1"), case("taxes"))
    assert found.bucket is not None
    assert (found.bucket.reason, found.bucket.detail, found.bucket.kind) == (
        "Test Failed",
        "totals and 1 more failed",
        "test",
    )
    assert explain((), provider="ci", job="web", stage=None, logs=()).bucket is None


def test_what_they_say_is_shown_where_the_log_says_nothing() -> None:
    tail = Excerpt(lines=("Recording test results", "done"), cause=None)
    found = told(case("silent"), case("totals", "expected 1\n\n  got 2\n"), excerpt=tail)
    assert text(found) == "cart: totals\n  expected 1\n    got 2"
    cause = Excerpt(lines=("Error: goose",), cause=0)
    assert text(told(case("totals", "expected 1"), excerpt=cause)) == "Error: goose"
    assert text(told(case("silent"), excerpt=tail)) == "Recording test results\ndone"


def test_of_very_many_a_few_are_shown_without_secrets() -> None:
    token = "ghp_" + "a1B2" * 9
    found = told(*(case(f"t{n}\nx", f"{token}\n" + "line\n" * 100) for n in range(500)))
    assert len(text(found).split("\n")) <= LINES
    assert token not in text(found)
    assert found.bucket is not None
    assert (found.bucket.detail or "").endswith("and 499 more failed")


def test_rules_of_the_file_may_name_it_otherwise() -> None:
    rule = BucketRule(name="Geese", contains=("goose",), kind="env")
    found = told(case("totals", "a goose was loose"), rules=(rule,))
    assert found.bucket is not None
    assert found.bucket.reason == "Geese"
