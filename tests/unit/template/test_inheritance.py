"""`base:` of a template: how documents are merged, and what cannot be resolved."""

from typing import Any

import pytest

from bootos.template.inheritance import BaseTaken, Resolved, merge, resolve_bases


def resolve(document: dict[str, Any], **stored: dict[str, Any]) -> Resolved:
    return resolve_bases(document, lambda name: (stored[name], 3) if name in stored else None)


@pytest.mark.parametrize(
    ("base", "own", "merged"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 9}}, {"a": 1, "b": {"c": 9, "d": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}, "c": 2}, {"a": None}, {"c": 2}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        (
            {"l": [{"name": "os", "level": 1, "drives": "0,1"}, {"name": "data", "level": 5}]},
            {"l": [{"name": "more", "level": 0}, {"name": "os", "drives": "2,3"}]},
            {
                "l": [
                    {"name": "os", "level": 1, "drives": "2,3"},
                    {"name": "data", "level": 5},
                    {"name": "more", "level": 0},
                ]
            },
        ),
        ({"l": [{"name": "a"}]}, {"l": [{"select": 1}]}, {"l": [{"select": 1}]}),
        ({"l": [{"name": "a"}, {"name": "a"}]}, {"l": [{"name": "b"}]}, {"l": [{"name": "b"}]}),
        ({"l": [{"name": "a"}]}, {"l": []}, {"l": []}),
        (
            {"variables": {"rack": None}},
            {"variables": {"row": None}},
            {"variables": {"rack": None, "row": None}},
        ),
    ],
)
def test_tables_merge_named_items_merge_and_everything_else_is_replaced(
    base: Any, own: Any, merged: Any
) -> None:
    assert merge(base, own) == merged


def test_later_bases_go_over_earlier_ones_and_the_template_over_all() -> None:
    found = resolve(
        {"name": "t", "base": ["one", "two"], "bios": {"c": 3}},
        one={"name": "one", "description": "first", "bios": {"a": 1, "b": 1, "c": 1}},
        two={"name": "two", "base": "deep", "bios": {"b": 2, "c": 2}},
        deep={"name": "deep", "bios": {"a": 0, "d": 0}},
    )
    assert found.problems == []
    assert found.document == {"name": "t", "bios": {"a": 0, "b": 2, "c": 3, "d": 0}}
    assert found.bases == [BaseTaken(name=name, version=3) for name in ("one", "deep", "two")]


def test_a_base_of_two_bases_is_no_cycle() -> None:
    found = resolve(
        {"name": "t", "base": ["a", "b"]}, a={"base": "c"}, b={"base": "c"}, c={"oob": {"reset": True}}
    )
    assert found.problems == []
    assert found.document["oob"] == {"reset": True}


def test_a_cycle_names_its_chain() -> None:
    (problem,) = resolve({"name": "t", "base": "a"}, a={"base": "b"}, b={"base": "a"}).problems
    assert str(problem) == "base: a template cannot be its own base: t -> a -> b -> a"
    (own,) = resolve({"name": "t", "base": "t"}).problems
    assert "t -> t" in own.message


def test_a_missing_base_names_its_chain() -> None:
    (problem,) = resolve({"name": "t", "base": "a"}, a={"base": "gone"}).problems
    assert "there is no template 'gone': t -> a -> gone" in problem.message


@pytest.mark.parametrize("wrong", [3, [1], {"name": "x"}, [""]])
def test_a_base_is_a_name_or_a_list_of_names(wrong: Any) -> None:
    (problem,) = resolve({"name": "t", "base": wrong}).problems
    assert problem.path == "base"


def test_lists_of_raid_sections_are_merged_by_driver() -> None:
    base = {
        "name": "base",
        "raid": [{"driver": "a", "arrays": [{"name": "os", "level": 1}]}, {"driver": "b"}],
    }
    own = [{"driver": "c"}, {"driver": "a", "clear": True, "arrays": [{"name": "os", "level": 0}]}]
    assert resolve({"name": "t", "base": "base", "raid": own}, base=base).document["raid"] == [
        {"driver": "a", "arrays": [{"name": "os", "level": 0}], "clear": True},
        {"driver": "b"},
        {"driver": "c"},
    ]
    assert resolve({"name": "t", "base": "base"}, base=base).document["raid"] == base["raid"]


@pytest.mark.parametrize("own", [[{"clear": True}], {"driver": "a"}, [{"driver": "a"}, {"driver": "a"}], []])
def test_any_other_raid_replaces_a_list_of_sections(own: Any) -> None:
    base = {"name": "base", "raid": [{"driver": "a", "clear": True}]}
    assert resolve({"name": "t", "base": "base", "raid": own}, base=base).document["raid"] == own
