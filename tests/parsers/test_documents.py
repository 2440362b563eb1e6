import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.documents import MOST_BYTES, MOST_VALUES, read_json, steps, values_at

DOCUMENT = {
    "totals": {"coverage": 81.5, "lines": [1, 2, {"hit": 3}]},
    "http.p95": 12,
    "a": {"b": 1},
    "a.b": {"c": 2},
    "list": [[1, 2], [3]],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("totals.coverage", 81.5),
        ("$.totals.coverage", 81.5),
        ("totals.lines.1", 2),
        ("totals.lines[1]", 2),
        ("totals.lines[-1].hit", 3),
        ("list[0][1]", 2),
        ("http.p95", 12),
        ("a.b", 1),
        ("a.b.c", 2),
    ],
)
def test_a_path_leads_to_a_value(path: str, value: Any) -> None:
    assert values_at(DOCUMENT, steps(path)) == (value,)


@pytest.mark.parametrize(
    "path", ["none", "totals.none", "totals.lines.7", "totals.lines[-4]", "totals.lines.x", "a.b.c.d"]
)
def test_a_path_may_lead_nowhere(path: str) -> None:
    assert values_at(DOCUMENT, steps(path)) == ()


@pytest.mark.parametrize("path", ["", ".", "a..b", "a.", "$", ".".join("a" * 13)])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        steps(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_files_are_read_in_the_encodings_that_people_write(encoding: str) -> None:
    assert read_json('{"grün": 1}'.encode(encoding)) == {"grün": 1}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"<html>", r"it is not JSON: .* \(line 1, column 1\)"),
        (b'{"a": 1', "it is not JSON"),
        (b'{"a": \xff}', "it is not JSON"),
        (b"\xff\xfe\xff", "it is not UTF-16 text"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[NaN," + b"[" * 100_000, "it is nested too deep"),
        (b"[NaN," + b"1" * 5000 + b"]", "a number without end"),
        (b"[NaN, oops]", "it is not JSON"),
        (b"[" + b"[]," * MOST_VALUES + b"1]", "it holds more than 500,000 values"),
        (b'"' + b"a" * MOST_BYTES + b'"', "it has 8,388,610 bytes"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_json(data)


@pytest.mark.parametrize("unit", [b"[],", b"{},", b"1,", b'"a",', b'{"a":1},'])
def test_hostile_files_take_little_memory(unit: bytes) -> None:
    commas = unit.count(b",") + unit.count(b"[") + unit.count(b"{")
    data = b"[" + unit * (MOST_VALUES // commas - 2) + b"1]"
    tracemalloc.start()
    read_json(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80 << 20


def test_what_python_writes_for_no_number_is_read() -> None:
    found = read_json(json.dumps({"a": float("nan"), "b": [float("-inf"), 2]}).encode())
    assert (str(found["a"]), found["b"]) == ("nan", [float("-inf"), 2])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read_json(data)
    except ValueError as error:
        assert str(error)  # noqa: PT017
