import pytest

from parsers.labels import read_labels


def test_texts_numbers_and_truth_values_are_labels() -> None:
    data = b'{"cloud": {"name": " blr-cloud4 "}, "size": 3, "dry": false, "ratio": 0.5}'
    wanted = {"cloud": "cloud.name", "size": "size", "dry": "dry", "ratio": "$.ratio"}
    assert read_labels(data, wanted).labels == {"cloud": "blr-cloud4", "size": "3", "dry": "false", "ratio": "0.5"}


def test_values_are_harmless_and_short() -> None:
    found = read_labels(b'{"a": "x\\u001b[31m' + b"y" * 1000 + b'"}', {"a": "a"}).labels["a"]
    assert (len(found), found.isprintable()) == (255, True)


@pytest.mark.parametrize(
    ("data", "path", "note"),
    [
        (b"<html>", "a", "it is not JSON"),
        (b"{}", "a", "x: nothing stands at a"),
        (b'{"a": {}}', "a", "x: no text stands at a"),
        (b'{"a": null}', "a", "x: no text stands at a"),
        (b'{"a": " "}', "a", "x: no text stands at a"),
        (b"{}", "a..b", 'x: "a..b" is no path'),
    ],
)
def test_what_a_file_does_not_tell_is_noted(data: bytes, path: str, note: str) -> None:
    found = read_labels(data, {"x": path})
    assert found.labels == {}
    assert found.notes[0].startswith(note)
