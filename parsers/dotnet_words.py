"""Words and names that the test tools of .NET share."""

from domain.testreport import TestStatus

_PASSED, _FAILED, _ERROR, _SKIPPED = TestStatus.PASSED, TestStatus.FAILED, TestStatus.ERROR, TestStatus.SKIPPED
_WORDS = {
    "passed": _PASSED,  # NUnit 3, .trx
    "success": _PASSED,  # NUnit 2
    "pass": _PASSED,  # xUnit.net
    "warning": _PASSED,
    "completed": _PASSED,
    "passedbutrunaborted": _PASSED,
    "failed": _FAILED,
    "failure": _FAILED,
    "fail": _FAILED,
    "error": _ERROR,
    "cancelled": _ERROR,
    "invalid": _ERROR,
    "notrunnable": _ERROR,
    "timeout": _ERROR,
    "aborted": _ERROR,
    "disconnected": _ERROR,
    "skipped": _SKIPPED,
    "skip": _SKIPPED,
    "ignored": _SKIPPED,
    "inconclusive": _SKIPPED,  # the test itself says that it proved nothing
    "notexecuted": _SKIPPED,
    "notrun": _SKIPPED,
    "pending": _SKIPPED,
    "inprogress": _ERROR,  # the run ended before it did
}


def _at_last_dot(full: str) -> tuple[str, str]:
    """`Shop.CartTests.Add(1.5)` is `Add(1.5)` in `Shop.CartTests`."""
    end = full.partition("(")[0].rfind(".")
    return (full[:end], full[end + 1 :]) if end > 0 else ("", full)


def parted(kind: str | None, full: str) -> tuple[str, str]:
    """A class where it is told, and the name without it."""
    if not kind:
        return _at_last_dot(full)
    return kind, full.removeprefix(f"{kind}.")


def status_of(word: str) -> TestStatus:
    """What a `result` or `outcome` means. An unknown word is no pass."""
    return _WORDS.get(word.lower(), _ERROR)
