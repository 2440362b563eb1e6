"""What failing tests say of a failure that no rule knows by its logs: an unstable build ends without any error line."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from domain.details import Log
from domain.testreport import TestCase
from parsers.buckets import Explanation, classify
from parsers.excerpts import LINE_LIMIT, LINES, Excerpt
from parsers.logs import cut
from parsers.rules import Bucket, BucketRule
from parsers.secrets import redacted

_LINES_EACH = 6  # of the message of one test


def told_by_tests(
    found: Explanation,
    rules: Sequence[BucketRule],
    failing: Sequence[TestCase],
    *,
    provider: str,
    job: str,
    stage: str | None,
) -> Explanation:
    """The explanation with the bucket of failing tests, and what they say where the log has no line that says why.

    Rules of the file that fit the messages name it still: `rules` in their order, the others are those of the logs.
    """
    shown = _excerpt(failing)
    own = [rule for rule in rules if rule.sureness is None]
    log = Log(name=None, text=shown.text, whole=True)
    named = classify(own, provider=provider, job=job, stage=stage, logs=[log]) if own else None
    more = f" and {len(failing) - 1} more" if len(failing) > 1 else ""
    bucket = named or Bucket(
        reason="Test Failed", detail=f"{failing[0].name}{more} failed", kind="test", rule="Test Failed"
    )
    says_nothing = found.excerpt is None or found.excerpt.cause is None
    has_words = any(case.message for case in failing)
    return replace(found, bucket=bucket, excerpt=shown if says_nothing and has_words else found.excerpt)


def _excerpt(failing: Sequence[TestCase]) -> Excerpt:
    lines: list[str] = []
    with_words = [case for case in failing if case.message] or failing
    for case in with_words:
        said = list(_lines(case))
        if lines and len(lines) + len(said) > LINES:
            break
        lines += said
    clean = redacted("\n".join(lines)).split("\n")
    return Excerpt(lines=tuple(clean), cause=min(1, len(clean) - 1))


def _lines(case: TestCase) -> Iterator[str]:
    """The name of a test, and the beginning of what it says."""
    yield cut(f"{case.suite}: {case.name}".replace("\n", " "), LINE_LIMIT)
    said = [line.rstrip() for line in (case.message or "")[: _LINES_EACH * LINE_LIMIT].splitlines() if line.strip()]
    for line in said[:_LINES_EACH]:
        yield cut(f"  {line}", LINE_LIMIT)
