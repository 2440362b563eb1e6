import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.measurement import BUILT_IN
from parsers.numbers import LONGEST_NAME, MOST_NUMBERS, read_figures

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


def data(value: Any) -> bytes:
    return json.dumps(value).encode()


def read_numbers(document: bytes, wanted: dict[str, str]) -> dict[str, float]:
    return dict(read_figures(document, wanted).numbers)


def test_numbers_are_read_where_they_stand() -> None:
    report = {"totals": {"coverage": 81.5, "files": 7}, "runs": [{"time": 1.5}, {"time": 2}], "quoted": " 3.25 "}
    wanted = {"coverage": "totals.coverage", "last run": "runs[-1].time", "quoted": "quoted"}
    assert read_numbers(data(report), wanted) == {"coverage": 81.5, "last run": 2.0, "quoted": 3.25}


def test_without_names_every_number_is_taken_under_its_path() -> None:
    report = {"totals": {"coverage": 81.5}, "runs": [1, {"time": 2}], "text": "3", "ok": True, "none": None}
    assert read_numbers(data(report), {}) == {"totals.coverage": 81.5, "runs.0": 1.0, "runs.1.time": 2.0}
    assert read_numbers(b"7", {}) == {"value": 7.0}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "true is not a number"),
        (False, "false is not a number"),
        (None, "null is not a number"),
        (float("nan"), "nan is not a number"),
        (float("inf"), "inf is not a number"),
        ("fast", '"fast" is not a number'),
        ("1" * 30, "is not a number"),
        ({}, "an object is not a number"),
        ([1], "a list is not a number"),
        (1e18, "the number is too large"),
        (10**60, "the number is too large"),
        (-(10**17) * 10, "the number is too large"),
    ],
)
def test_what_is_no_sane_number_is_left_out_with_a_note(value: Any, said: str) -> None:
    found = read_figures(data({"odd": value, "good": 1}), {"odd": "odd", "good": "good", "none": "no.where"})
    assert found.numbers == {"good": 1}
    assert said in found.notes[0]
    assert found.notes[0].startswith("odd: ")
    assert found.notes[1] == "none: nothing stands at no.where"


def test_names_that_mean_something_else_are_not_taken() -> None:
    taken = dict.fromkeys(BUILT_IN, 1)
    assert read_numbers(data({**taken, "size": 2}), {}) == {"size": 2}
    assert read_numbers(data({"a": 1}), dict.fromkeys(BUILT_IN, "a")) == {}


def test_a_path_that_is_none_is_noted() -> None:
    assert read_figures(b'{"a": 1}', {"x": "a..b"}).notes == (
        'x: "a..b" is no path: write it like totals.coverage or runs[0].time',
    )


def test_so_many_numbers_are_taken_and_no_more() -> None:
    found = read_figures(data({f"n{number}": number for number in range(MOST_NUMBERS + 50)}), {})
    assert len(found.numbers) == MOST_NUMBERS
    assert "more than 200 numbers" in found.notes[0]


def test_notes_are_few() -> None:
    notes = read_figures(b"{}", {f"n{number}": "none" for number in range(100)}).notes
    assert len(notes) == 11
    assert notes[-1] == "and 90 more"


def test_names_are_harmless_and_short() -> None:
    [name] = read_numbers(data({"a\x1b[31m\n" + "b" * 500: 1}), {})
    assert len(name) == LONGEST_NAME
    assert name.isprintable()


def test_what_lies_very_deep_is_not_looked_for() -> None:
    assert read_figures(b'{"a":' * 100 + b"1" + b"}" * 100, {}).numbers == {}


@pytest.mark.parametrize(
    ("content", "said"), [(b"<html>", "it is not JSON"), (b"", "it is empty"), (b"{}", "no numbers")]
)
def test_a_file_without_numbers_is_noted(content: bytes, said: str) -> None:
    found = read_figures(content, {})
    assert (found.numbers, said in found.notes[0]) == ({}, True)


@given(VALUES, st.dictionaries(st.text(max_size=4), st.text("ab.[]0-", max_size=6), max_size=3))
def test_whatever_a_file_holds_the_figures_are_finite_and_few(value: Any, wanted: dict[str, str]) -> None:
    for found in (read_figures(data(value), wanted), read_figures(data(value), {})):
        assert all(math.isfinite(number) and abs(number) < 1e18 for number in found.numbers.values())
        assert len(found.numbers) <= MOST_NUMBERS
