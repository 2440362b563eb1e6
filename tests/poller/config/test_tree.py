from pathlib import Path

import pytest

from poller.config.tree import plain, read_tree

FILE = Path("config.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10:00", "10:00"),
        ("off", "off"),
        ("yes", "yes"),
        ("true", True),
        ("0o14", 12),
        ("012", 12),
        ("-5", -5),
        ("1_000", 1000),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("null", None),
        ("~", None),
        ("2020-99-99", "2020-99-99"),
        ("2026-11-21", "2026-11-21"),
        ("!!str 5", "5"),
        ("!!int five", "five"),
        ("9" * 5000, "9" * 5000),
        ("=", "="),
        ('"5"', "5"),
    ],
)
def test_scalars_are_read_as_yaml_1_2_says(text: str, value: object) -> None:
    tree, problems = read_tree(f"a: {text}", FILE)
    assert (plain(tree), problems) == ({"a": value}, [])


def test_every_key_value_and_item_knows_its_place() -> None:
    tree, _ = read_tree("a:\n  - b: 1\n    c: [x,\n      y]\n", FILE)
    item = tree["a"][0]
    assert tree.keys_at["a"][1:] == (1, 1)
    assert tree["a"].items_at[0][1:] == (2, 5)
    assert (item.keys_at["c"][1:], item.values_at["c"][1:]) == ((3, 5), (3, 8))
    assert item["c"].items_at[1][1:] == (4, 7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", '3:1: duplicate key "a", first given in line 1'),
        ("{a: 1, a: 2}", '1:8: duplicate key "a", first given in line 1'),
        ("a: [1\nb: 2", "2:2: not valid YAML: expected ',' or ']', but got ':' while parsing a flow sequence"),
        (
            "\ta: 1",
            "1:1: not valid YAML: found character '\\t' that cannot start any token while scanning for the next",
        ),
        ("a:\n\tb: 1", "(indent with spaces, not with tabs)"),
        ("a: *z", "1:4: not valid YAML: found undefined alias 'z'"),
        ("a: &x [*x]", "1:4: an anchor cannot contain itself"),
        ("a: &x {<<: *x}", "1:4: an anchor cannot contain itself"),
        ("a: !!python/object:os.system x", "1:4: the tag tag:yaml.org,2002:python/object:os.system is not supported"),
        ("a: !foo {b: 1}", "1:4: the tag !foo is not supported"),
        ("a: !foo [b]", "1:4: the tag !foo is not supported"),
        ("? [a]\n: 1", "1:3: a key must be a plain word"),
        ("<<: 1", "1:5: `<<` takes a mapping or a list of mappings"),
        ("<<: [1, 2]", "1:6: `<<` takes a mapping or a list of mappings"),
        ("- 1", "1:1: the configuration must be a mapping"),
        ("just words", "1:1: the configuration must be a mapping"),
        ("a: 1\n---\nb: 2", "2:1: not valid YAML: but found another document"),
        ("a: 1\nb: \x00", "2:4: not valid YAML: a control character that YAML does not allow"),
        ("a: \ud800", "1:4: not valid YAML: a control character"),
        ("[" * 3000, "1:65: not valid YAML: nested too deeply"),
        ("%YAML x\n---\na: 1", "not valid YAML"),
        ('a: "\\q"', "1:6: not valid YAML: found unknown escape character 'q'"),
    ],
)
def test_what_is_wrong_has_a_place(text: str, expected: str) -> None:
    _, problems = read_tree(text, FILE)
    assert any(expected in str(problem) for problem in problems), list(map(str, problems))


def test_a_bomb_of_aliases_is_cut_off() -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    _, (problem,) = read_tree(text, FILE)
    assert "too many values: an alias repeats too much" in str(problem)


def test_merge_keys_lose_against_own_keys_and_against_earlier_ones() -> None:
    tree, problems = read_tree("a: &a {k: 1, l: 1}\nb: &b {l: 2, m: 2}\nc: {<<: [*a, *b], k: 3}\nd: {<<: }", FILE)
    assert not problems
    assert plain(tree)["c"] == {"k": 3, "l": 1, "m": 2}
    assert tree["c"].keys_at["m"][1:] == (2, 14)
    assert plain(tree)["d"] == {}


def test_an_empty_file_is_an_empty_mapping() -> None:
    assert read_tree("# nothing\n", FILE) == ({}, [])


def test_an_alias_gives_a_copy_of_its_own() -> None:
    tree, _ = read_tree("a: &a {k: 1}\nb: *a", FILE)
    assert tree["a"] is not tree["b"]
