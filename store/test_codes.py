"""The results of a build's tests as bytes: a few hundred for thousands of tests, because most are as they were.

Results are the tests' numbers (as gaps of four bytes, little-endian) and then a byte of status each, compressed.
Durations stand in the same order, a byte each on a logarithmic scale: within 4 %, from a millisecond to a day.
"""

import math
import sys
import zlib
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

from domain.testreport import TestStatus

# Places are on disk: append only. The last: it passed, after it had failed in the same build.
TEST_STATUSES = (TestStatus.PASSED, TestStatus.FAILED, TestStatus.ERROR, TestStatus.SKIPPED, TestStatus.PASSED)

_CODES = {status: code for code, status in enumerate(TEST_STATUSES[:-1])}
_FLAKY = len(TEST_STATUSES) - 1
_BYTES_A_TEST = 5
_STEPS = 9.6  # of a duration that doubles: 254 of them reach beyond a day
_LARGEST = 255


def packed(results: Mapping[int, TestStatus], flaky: Collection[int] = ()) -> bytes:
    """Results by number of the test, as bytes. `flaky` are those that passed, and failed before in the same build."""
    numbers = sorted(results)
    gaps = array("I", (after - before for before, after in pairwise([0, *numbers])))
    if sys.byteorder == "big":
        gaps.byteswap()
    codes = bytes(_FLAKY if number in flaky else _CODES[results[number]] for number in numbers)
    return zlib.compress(gaps.tobytes() + codes, 9)


def unpacked(stored: bytes) -> dict[int, TestStatus]:
    """Results by number of the test, in the order of the numbers."""
    numbers, codes = _parts(stored)
    return dict(zip(numbers, map(TEST_STATUSES.__getitem__, codes), strict=True))


def unpacked_flaky(stored: bytes) -> set[int]:
    """The numbers of the tests that passed, and had failed before in the same build."""
    numbers, codes = _parts(stored)
    return {number for number, code in zip(numbers, codes, strict=True) if code == _FLAKY} if _FLAKY in codes else set()


def _parts(stored: bytes) -> tuple[Iterator[int], bytes]:
    plain = zlib.decompress(stored)
    count = len(plain) // _BYTES_A_TEST
    gaps = array("I")
    gaps.frombytes(plain[: count * 4])
    if sys.byteorder == "big":
        gaps.byteswap()
    return accumulate(gaps), plain[count * 4 :]


def packed_durations(seconds: Sequence[float | None]) -> bytes | None:
    """Durations in seconds, in the order of the tests' numbers; None when none is known."""
    codes = bytes(map(_duration_code, seconds))
    return zlib.compress(codes, 9) if any(codes) else None


def unpacked_durations(stored: bytes | None, count: int) -> list[float | None]:
    """Durations of so many tests, in seconds."""
    return [None] * count if stored is None else list(map(_SECONDS.__getitem__, zlib.decompress(stored)))


def _duration_code(seconds: float | None) -> int:
    """0: not known."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return 0
    return 1 + min(round(_STEPS * math.log2(1 + seconds * 1000)), _LARGEST - 1)


_SECONDS = (None, *((2 ** (step / _STEPS) - 1) / 1000 for step in range(_LARGEST)))
