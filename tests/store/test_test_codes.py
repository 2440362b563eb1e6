import sys
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.testreport import TestStatus
from store.test_codes import packed, packed_durations, unpacked, unpacked_durations, unpacked_flaky

RESULTS = st.dictionaries(st.integers(0, 2**31 - 1), st.sampled_from(list(TestStatus)))


@given(results=RESULTS, order=st.sampled_from(["little", "big"]))
def test_results_are_read_back_in_the_order_of_the_numbers(results: Mapping[int, TestStatus], order: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "byteorder", order)
        found = unpacked(packed(results))
    assert list(found.items()) == sorted(results.items())


def test_thousands_of_tests_take_some_hundred_bytes() -> None:
    results = dict.fromkeys(range(100000, 105000), TestStatus.PASSED)
    results |= {number * 97 + 100_000: TestStatus.FAILED for number in range(20)}
    assert len(packed(results)) < 300


def test_retries_are_kept_beside_the_status() -> None:
    stored = packed({1: TestStatus.PASSED, 2: TestStatus.PASSED, 3: TestStatus.FAILED}, {2})
    assert unpacked_flaky(stored) == {2}
    assert unpacked(stored)[2] is TestStatus.PASSED
    assert unpacked_flaky(packed({1: TestStatus.PASSED})) == set()


@given(st.lists(st.none() | st.floats(0, 90_000)))
def test_durations_are_kept_within_four_per_cent(seconds: list[float | None]) -> None:
    stored = packed_durations(seconds)
    for given_, found in zip(seconds, unpacked_durations(stored, len(seconds)), strict=True):
        assert found == (None if given_ is None else pytest.approx(given_, rel=0.04, abs=0.001))


def test_what_is_no_duration_is_not_known() -> None:
    assert packed_durations([None, float("nan"), float("inf"), -1.0]) is None
    assert unpacked_durations(None, 2) == [None, None]
    (longest,) = unpacked_durations(packed_durations([1e12]), 1)
    assert longest is not None
    assert longest > 90_000
