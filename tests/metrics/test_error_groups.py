from domain.testreport import TestCase, TestStatus
from metrics.error_groups import error_groups


def failed(name: str, message: str | None) -> TestCase:
    return TestCase(suite="s", name=name, status=TestStatus.FAILED, message=message)


def signature(line: str) -> str | None:
    return line.translate({ord(digit): "<n>" for digit in "0123456789"}) if line != "?" else None


def test_tests_with_the_same_error_are_one_group() -> None:
    cases = [failed(f"t{number}", f"\n  timeout after {number} s\nat line {number}") for number in range(7)]
    cases += [failed("x", "boom"), failed("y", "boom"), failed("z", "alone"), failed("n", None), failed("u", "?")]
    found = error_groups(cases, signature)
    assert [(each.error, each.size) for each in found] == [("timeout after <n> s", 7), ("boom", 2)]
    assert found[0].tests == tuple(("s", f"t{number}") for number in range(5))


def test_of_very_many_different_messages_only_some_are_looked_at() -> None:
    asked: list[str] = []

    def counting(line: str) -> str:
        asked.append(line)
        return "same"

    (group,) = error_groups((failed(str(number), f"message {number}") for number in range(5000)), counting)
    assert (len(asked), group.size) == (2000, 2000)
