import pytest

from domain.testreport import TestCase, TestReport, TestStatus
from poller.details.test_reports import errors, harmless


def case(name: str, message: str | None, status: TestStatus = TestStatus.FAILED) -> TestCase:
    return TestCase(suite="s", name=name, status=status, message=message)


def report(*cases: TestCase) -> TestReport:
    return TestReport(passed=0, failed=len(cases), skipped=0, cases=cases, notes=("hunter2 left out",))


def test_a_report_is_stored_without_secrets() -> None:
    asked: list[str] = []

    def redact(text: str) -> str:
        asked.append(text)
        return text.replace("hunter2", "***")

    cases = case("a", "login as hunter2 failed"), case("b", "login as hunter2 failed"), case("c", None)
    found = harmless(report(*cases, case("d", "fine hunter2", TestStatus.PASSED)), redact)
    assert [each.message for each in found.cases] == ["login as *** failed", "login as *** failed", None, None]
    assert found.notes == ("*** left out",)
    assert asked.count("login as hunter2 failed") == 1


def test_what_looks_like_a_secret_goes_too() -> None:
    token = "ghp_" + "a1B2" * 9
    (found,) = harmless(report(case("a", f"401 for {token}")), str).cases
    assert token not in (found.message or "")


@pytest.mark.parametrize("status", TestStatus)
def test_the_names_of_tests_hold_no_secrets_either(status: TestStatus) -> None:
    token = "ghp_" + "a1B2" * 9
    named = TestCase(suite=f"login {token}", name=f"test_login[{token}-hunter2]", status=status)
    (found,) = harmless(report(named), lambda text: text.replace("hunter2", "***")).cases
    assert found.test == ("login [redacted]", "test_login[[redacted]-***]")


def test_several_tests_that_fail_with_the_same_error_are_one_group() -> None:
    (group,) = errors(report(*(case(str(n), f"TimeoutError: no answer within {n} s") for n in range(37))))
    assert (group.size, "TimeoutError: no answer within" in group.error) == (37, True)
