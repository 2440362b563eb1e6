"""One name for failures that are the same."""

import pytest

from parsers.signatures import LIMIT, signature


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Error: build 17 failed after 3.2s", "Error: build 18 failed after 41s"),
        ("commit 9f86d081884c7d65 not found", "commit 0123abcd4567ef89 not found"),
        (
            "no such container 123e4567-e89b-12d3-a456-426614174000",
            "no such container 00000000-e89b-12d3-a456-426614174fff",
        ),
        ("cannot read /tmp/tmpab12/x.log", "cannot read /tmp/tmpzz99/y.log"),
        ("/home/ci/ws-1/src/cart.py: broken", "/home/ada/ws-2/src/cart.py: broken"),
        ("at 0x7f3822083810 it broke", "at 0x10 it broke"),
        ("2026-11-21 09:00:01,123 boom", "2027-01-02T10:00:00Z boom"),
        ("10.0.0.5:5432 said no", "10.1.2.3:80 said no"),
        ("used 12.5 GiB of 16GB", "used 1 MiB of 2GB"),
        ("C:\\ws\\a1\\cart.cs is locked", "D:\\build\\x\\cart.cs is locked"),
        (f"value '{'a' * 40}' is wrong", f"value '{'b' * 60}' is wrong"),
    ],
)
def test_what_differs_from_build_to_build_is_folded(first: str, second: str) -> None:
    assert signature(first) == signature(second)
    assert signature(first)


def test_what_is_different_stays_different_and_readable() -> None:
    assert signature("KeyError: 'region'") == "KeyError: 'region'"
    assert signature("KeyError: 'region'") != signature("KeyError: 'zone'")
    assert signature("  ERROR - worker 7: lost the thread ") == "ERROR - worker <n>: lost the thread"


def test_it_is_never_too_long_and_never_about_nothing() -> None:
    assert len(signature("word " * 500) or "") <= LIMIT
    assert signature("-- 12:00:00 --") is None
    assert signature("") is None
