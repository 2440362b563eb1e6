from typing import Any, ClassVar

import pytest

from simulator.tree import Bean, ByDepth, Property, Record, Tree, TreeSyntaxError, export, parse


class _Job(Bean):
    class_name = "Job"
    properties: ClassVar = {
        "name": Property(lambda _: "api", 3),
        "color": Property(lambda _: "blue", 2),
        "builds": Property(lambda _: [Record("Run", {"number": n, "result": "SUCCESS"}) for n in (3, 2, 1)]),
        "hidden": Property(lambda _: [1], -2),
        "map": Property(lambda _: {"key": Record(None, {"a": 1, "b": 2})}),
    }


def _tree(expression: str) -> Any:
    return export(_Job(), parse(expression))


def test_only_named_properties_are_written_beside_the_class() -> None:
    assert _tree("name,color") == {"_class": "Job", "name": "api", "color": "blue"}


def test_an_object_named_without_brackets_shows_its_class_only() -> None:
    assert _tree("builds") == {"_class": "Job", "builds": [{"_class": "Run"}] * 3}


def test_unknown_names_are_ignored() -> None:
    assert _tree("nonsense[a],name") == {"_class": "Job", "name": "api"}


@pytest.mark.parametrize(
    ("range_", "numbers"),
    [("{0,2}", [3, 2]), ("{1,}", [2, 1]), ("{,2}", [3, 2]), ("{1}", [2]), ("{5,9}", []), ("", [3, 2, 1])],
)
def test_ranges_cut_arrays_half_open(range_: str, numbers: list[int]) -> None:
    assert [b["number"] for b in _tree(f"builds[number]{range_}")["builds"]] == numbers


def test_a_star_stands_for_every_name_that_is_not_said() -> None:
    assert _tree("builds[*]{0}")["builds"] == [{"_class": "Run", "number": 3, "result": "SUCCESS"}]
    assert _tree("*")["map"] == {"key": {}}


def test_properties_of_low_visibility_appear_when_they_are_named() -> None:
    assert _tree("hidden") == {"_class": "Job", "hidden": [1]}
    assert "hidden" not in export(_Job(), ByDepth(1))


def test_without_a_tree_properties_stay_visible_as_deep_as_they_say() -> None:
    top = export(_Job(), ByDepth(1))
    assert top["builds"] == [{"_class": "Run"}] * 3
    assert export(_Job(), ByDepth(0))["builds"][0] == {"_class": "Run", "number": 3, "result": "SUCCESS"}
    assert export(_Job(), ByDepth(3)) == {"_class": "Job", "name": "api"}


def test_an_inline_value_stays_on_the_level_of_its_object() -> None:
    record = Record("Report", {"child": Record(None, {"number": 7}, visibility=1)}, inline=True)
    assert export(record, ByDepth(1)) == {"_class": "Report", "child": {"number": 7}}


def test_a_name_said_twice_counts_as_it_was_said_last() -> None:
    assert parse("a[b],a[c]").children["a"].children.keys() == {"c"}


def test_an_older_server_does_not_know_a_property() -> None:
    assert export(_Job(), parse("name,color"), frozenset({"color"})) == {"_class": "Job", "name": "api"}


@pytest.mark.parametrize(
    "expression", ["", "a[", "a[b", "a]", "a,,b", "a{1", "a{x}", "a{}", "a[]", "a{1,2,3}", "[a]", "a}"]
)
def test_what_stapler_refuses_is_refused(expression: str) -> None:
    with pytest.raises(TreeSyntaxError, match="expected"):
        parse(expression)


def test_a_range_may_stand_without_brackets() -> None:
    assert parse("a{2,7}").children["a"] == Tree(start=2, end=7)
