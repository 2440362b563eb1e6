"""The geometry of small pictures."""

import re

from hypothesis import given
from hypothesis import strategies as st

from web.dashboard.drawing import TILES, arcs, line, strip, tiles, waffle

COUNTS = st.lists(st.integers(0, 10**6), min_size=3, max_size=3)


@given(COUNTS)
def test_tiles_are_a_hundred_at_most_and_none_is_lost(counts: list[int]) -> None:
    given_ = tiles(counts)
    assert sum(given_) == min(sum(counts), TILES)
    for tile, count in zip(given_, counts, strict=True):
        assert (tile > 0) is (count > 0)


@given(COUNTS)
def test_regions_of_a_waffle_cover_as_many_tiles_as_there_are(counts: list[int]) -> None:
    regions = waffle(list(zip("abc", counts, strict=True)))
    areas = [int(w) * int(h) for region in regions for w, h in re.findall(r"h(\d+)v(\d+)", region.path)]
    assert sum(areas) == sum(tiles(counts))


@given(COUNTS)
def test_arcs_close_the_circle(counts: list[int]) -> None:
    found = arcs(list(zip("abc", counts, strict=True)))
    assert len(found) == sum(count > 0 for count in counts)
    assert not found or abs(sum(each.length for each in found) - 100) < 0.1


def test_a_waffle_is_filled_row_by_row() -> None:
    assert [region.path for region in waffle([("failed", 3), ("passed", 19)])] == [
        "M0 0h3v1h-3z",
        "M3 0h7v1h-7zM0 1h10v1h-10zM0 2h2v1h-2z",
    ]


def test_a_line_is_broken_where_nothing_is_known() -> None:
    assert line([0.0, None, 1.0, 0.5], 30, 10, 1) == "M0.0 10.0M20.0 0.0L30.0 5.0"
    assert line([], 30, 10, 1) == ""


def test_bars_of_one_kind_are_one_path() -> None:
    assert strip(["a", "b", "a"], {"a": 20, "b": 10}) == [("a", "M0 0h3v20h-3zM8 0h3v20h-3z"), ("b", "M4 10h3v10h-3z")]
