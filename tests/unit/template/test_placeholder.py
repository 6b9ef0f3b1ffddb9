"""Placeholders in templates: what they become, and what is said of those that become nothing."""

from typing import Any

import pytest

from bootos.template.check import read_template
from bootos.template.draft import Draft, check_draft
from bootos.template.placeholder import Find, build_finder, check_variables, fill_document

FACTS = {"sn": "SN001", "mac": "52:54:00:00:00:01", "product": "PowerEdge R740", "uuid": None}


def finder(variables: dict[str, Any] | None = None, **given: str) -> Find:
    return build_finder(
        variables or {}, given, FACTS, lambda word: {"pool:oob": "10.0.8.21/24", "number:03": "007"}[word]
    )


def fill(document: dict[str, Any], **given: str) -> tuple[dict[str, Any], list[str]]:
    filled, problems = fill_document(document, finder(document.get("variables"), **given))
    return filled, [str(problem) for problem in problems]


def oob(**network: Any) -> dict[str, Any]:
    return {"name": "t", "oob": {"network": {"source": "static", **network}}}


def test_every_text_of_the_document_is_filled_in() -> None:
    filled, problems = fill(
        {
            "name": "<{kept}>",
            "variables": {"rack": "r1", "host": "node-<{number:03}>"},
            "oob": {"users": [{"name": "<{host}>"}], "network": {"address": "<{pool:oob}>"}},
            "disks": [{"select": {"serial": "<{sn}>-<{rack}>"}}],
        }
    )
    assert problems == []
    assert filled == {
        "name": "<{kept}>",
        "oob": {"users": [{"name": "node-007"}], "network": {"address": "10.0.8.21/24"}},
        "disks": [{"select": {"serial": "SN001-r1"}}],
    }


def test_the_machine_goes_over_the_template_and_that_over_nothing() -> None:
    document = {"name": "t", "variables": {"rack": "r1"}, "description": "<{rack}>"}
    assert fill(document)[0]["description"] == "r1"
    assert fill(document, rack="r9")[0]["description"] == "r9"


def test_one_placeholder_alone_becomes_the_number_or_truth_that_the_template_wants() -> None:
    filled, problems = fill(
        {"name": "t", "oob": {"reset": "<{reset}>", "network": {"source": "dhcp", "vlan": "<{vlan}>"}}},
        reset="true",
        vlan="12",
    )
    assert problems == []
    assert filled["oob"] == {"reset": True, "network": {"source": "dhcp", "vlan": 12}}
    assert read_template(filled)[1] == []


def test_a_text_that_looks_like_a_number_stays_a_text_where_a_text_is_wanted() -> None:
    filled, _ = fill({"name": "t", "disks": [{"select": {"serial": "<{serial}>"}}]}, serial="0042")
    assert filled["disks"][0]["select"]["serial"] == "0042"


def test_in_scripts_values_are_quoted_and_secrets_stay() -> None:
    script = "hostname <{product}> <{rack}>; oob.sh -p <{secret:root}>"
    filled, problems = fill(
        {"name": "t", "scripts": [{"name": "g", "scripts": [{"name": "s", "script": script}]}]}, rack="r1"
    )
    assert problems == []
    assert (
        filled["scripts"][0]["scripts"][0]["script"]
        == "hostname 'PowerEdge R740' r1; oob.sh -p <{secret:root}>"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<{nothing}>", "description: <{nothing}> is not known (bootos machine set MACHINE nothing=...)"),
        ("<{uuid}>", "description: <{uuid}> is not known of this machine"),
        ("<{secret:x}>", "description: <{secret:x}> stands in scripts only (write {secret: x} as the value)"),
        ("<{ring}>", "needs itself: ring -> loop -> ring"),
        ("<{must}>", "description: <{must}> has no value for this machine"),
        ("<{sn:3}>", "is not a word that can be filled in"),
    ],
)
def test_what_has_no_value_is_a_problem_at_its_place(text: str, said: str) -> None:
    variables = {"ring": "<{loop}>", "loop": "<{ring}>", "must": None}
    _, problems = fill({"name": "t", "variables": variables, "description": text})
    assert len(problems) == 1
    assert said in problems[0]


def test_a_document_with_words_left_in_it_is_not_carried_out() -> None:
    _, problems = read_template({"name": "t", "description": "<{rack}>", "base": "x"})
    assert [problem.path for problem in problems] == ["base", "description"]


@pytest.mark.parametrize("name", ["sn", "pool", "number", "with space", "9"])
def test_a_variable_cannot_have_every_name(name: str) -> None:
    assert check_variables({"variables": {name: 1}})[0].path == f"variables.{name}"


def check(document: dict[str, Any]) -> Draft:
    return check_draft(document, lambda name: None, known=["manage_ip"])


def test_a_draft_may_wait_for_values_and_is_checked_as_far_as_it_goes() -> None:
    document = oob(address="<{oob_address}>", gateway="10.0.8.1", vlan="<{vlan}>")
    document["variables"] = {"oob_address": None, "vlan": 5000}
    assert [str(problem) for problem in check(document).problems] == [
        "oob.network.vlan: 5000 is not a VLAN (1 to 4094, or 0 for none)"
    ]


def test_a_draft_with_a_type_that_waits_has_no_problems_that_follow_from_it() -> None:
    document = {
        "name": "t",
        "variables": {"level": None},
        "raid": {"arrays": [{"name": "os", "level": "<{level}>", "drives": "0,1"}]},
        "disks": [{"select": {"array": "os"}, "filesystem": "xfs"}],
    }
    assert check(document).problems == []


def test_a_word_that_nobody_declared_is_a_problem_of_the_draft() -> None:
    document = {
        "name": "t",
        "description": "<{manage_ip}> <{sn}> <{rakc}> <{pool:x}>",
        "variables": {"rack": "r1"},
    }
    assert [str(problem) for problem in check(document).problems] == [
        "description: <{rakc}> is not known (declare it in the template (variables: {rakc: }), or mend its name)"
    ]
