import pytest

from metrics.growth import median_growth

MINUTE = 60_000


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        ([20 * MINUTE], [10 * MINUTE] * 5, (10 * MINUTE, 20 * MINUTE)),
        ([12 * MINUTE], [10 * MINUTE] * 5, (10 * MINUTE, 12 * MINUTE)),
        ([11 * MINUTE], [10 * MINUTE] * 5, None),  # a tenth
        ([50_000], [10_000] * 5, None),  # five times as long, and nobody waits for it
        ([20 * MINUTE], [10 * MINUTE] * 4, None),  # too few to compare with
        ([], [10 * MINUTE] * 5, None),
        ([5 * MINUTE, 20 * MINUTE, 21 * MINUTE], [10 * MINUTE] * 5, (10 * MINUTE, 20 * MINUTE)),
    ],
)
def test_growth_is_a_fifth_and_a_minute(
    now: list[int], before: list[int], expected: tuple[float, float] | None
) -> None:
    assert median_growth(now, before) == expected
