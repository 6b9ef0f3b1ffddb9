"""Templates with bases, variables and pools: what a machine gets of them, and keeps."""

from typing import Any

import pytest
from serving import Agent, Running

TEMPLATE = """
name: node
base: common
variables: {rack: }
oob:
  network: {address: "<{pool:oob}>", gateway: "<{pool:oob:gateway}>"}
  users: [{name: "u-<{rack}>", password: {secret: ops}}]
"""
COMMON = """
name: common
variables: {domain: example.net}
description: common
oob: {network: {source: static, address: 10.9.9.9/24}, reset: true}
"""


def put(server: Running, name: str, text: str) -> None:
    server.operate("PUT", f"/templates/{name}", {"text": text, "format": "yaml"})


def add_pool(server: Running, name: str = "oob", addresses: str = "10.0.8.1-10.0.8.4/24", **more: str) -> Any:
    return server.operate("POST", "/pools", {"name": name, "addresses": addresses, **more})


def set_machine(server: Running, sn: str, **values: str) -> Any:
    return server.operate("PATCH", f"/machines/{sn}/settings", values)


@pytest.fixture
def node(server: Running) -> Running:
    put(server, "common", COMMON)
    server.operate("PUT", "/secrets/ops", {"value": "s3cret"})
    put(server, "node", TEMPLATE)
    add_pool(server, gateway="10.0.8.1")
    return server


def network(server: Running, sn: str) -> Any:
    job = server.create_job(machine=sn, template="node")
    server.operate("POST", f"/jobs/{job['id']}/cancel")
    return job["template_resolved"]["oob"]["network"]


def test_a_job_keeps_the_resolved_document_and_which_bases_it_took(node: Running) -> None:
    set_machine(node, "SN001", rack="r7")
    job = node.create_job(template="node")
    assert job["bases"] == [{"name": "common", "version": 1}]
    assert job["template_text"] == TEMPLATE
    put(node, "common", COMMON.replace("reset: true", "reset: false"))
    agent = Agent(node)
    agent.register()
    template = agent.order()["template"]
    assert template == {
        "name": "node",
        "oob": {
            "network": {"source": "static", "address": "10.0.8.2/24", "gateway": "10.0.8.1"},
            "reset": True,
            "users": [{"name": "u-r7", "password": {"secret": "ops"}}],
        },
    }
    resolved = node.operate("GET", "/templates/node/resolved")
    assert resolved["bases"] == [{"name": "common", "version": 2}]
    assert resolved["resolved"]["oob"]["reset"] is False


def test_a_machine_keeps_its_address_and_others_get_others(node: Running) -> None:
    for sn in ("A", "B"):
        set_machine(node, sn, rack="r1")
    assert network(node, "A")["address"] == "10.0.8.2/24"
    assert network(node, "B")["address"] == "10.0.8.3/24"
    assert network(node, "A")["address"] == "10.0.8.2/24"
    pool = node.operate("GET", "/pools/oob")
    assert (pool["used"], pool["free"]) == (2, 1)
    assert pool["held"] == [{"sn": "A", "address": "10.0.8.2"}, {"sn": "B", "address": "10.0.8.3"}]


def test_an_address_is_free_again_with_its_machine(node: Running) -> None:
    for sn in ("A", "B"):
        set_machine(node, sn, rack="r1")
    network(node, "A")
    node.operate("DELETE", "/machines/A")
    assert network(node, "B")["address"] == "10.0.8.2/24"
    assert node.refuse("DELETE", "/pools/oob").data["error"].startswith("1 machine(s) hold addresses")
    node.operate("DELETE", "/pools/oob/held/B")
    node.operate("DELETE", "/pools/oob")
    assert node.operate("GET", "/pools") == []


def test_an_address_that_was_set_by_hand_is_not_given_out(node: Running) -> None:
    set_machine(node, "other", address="10.0.8.2/24", manage_ip="10.0.8.3")
    set_machine(node, "A", rack="r1")
    assert network(node, "A")["address"] == "10.0.8.4/24"


def test_an_exhausted_pool_is_a_problem_at_its_place_and_nothing_is_made(node: Running) -> None:
    for sn in ("A", "B", "C", "D"):
        set_machine(node, sn, rack="r1")
    for sn in ("A", "B", "C"):
        network(node, sn)
    answer = node.refuse("POST", "/jobs", {"machine": "D", "template": "node"})
    (problem,) = answer.data["problems"]
    assert problem["path"] == "oob.network.address"
    assert "the pool 'oob' (10.0.8.1-10.0.8.4) is exhausted" in problem["message"]
    assert node.operate("GET", "/jobs?machine=D") == []


def test_a_job_without_a_value_is_refused_with_the_place_and_the_command(node: Running) -> None:
    answer = node.refuse("POST", "/jobs", {"machine": "SN001", "template": "node"})
    (problem,) = answer.data["problems"]
    assert problem == {
        "path": "oob.users[0].name",
        "message": "<{rack}> has no value for this machine",
        "hint": "bootos machine set id:1 rack=...",
    }


@pytest.mark.parametrize(
    ("addresses", "gateway", "said"),
    [
        ("10.0.8.4-10.0.8.9/24", "", "overlaps with the pool 'oob' (10.0.8.1-10.0.8.4)"),
        ("10.0.9.9-10.0.9.1/24", "", "runs backwards"),
        ("10.0.9.1-10.0.10.1/24", "", "10.0.10.1 is not in 10.0.9.0/24"),
        ("10.0.9.1", "", "is not a range of addresses"),
        ("10.0.9.1-10.0.9.9/33", "", "is not a range of addresses"),
        ("10.0.9.1-10.0.9.9/24", "10.0.8.1", "10.0.8.1 is not in 10.0.9.0/24"),
    ],
)
def test_a_pool_that_cannot_be_is_refused(node: Running, addresses: str, gateway: str, said: str) -> None:
    answer = node.refuse("POST", "/pools", {"name": "x", "addresses": addresses, "gateway": gateway})
    assert said in answer.data["problems"][0]["message"]


def test_numbers_are_counted_by_group_and_kept(server: Running) -> None:
    for sn, group in (("A", "web"), ("B", "web"), ("C", "db"), ("A", "web")):
        set_machine(server, sn, group=group, hostname="<{group}>-<{number:03}>")
    names = {row["sn"]: row["hostname"] for row in server.operate("GET", "/machines")}
    assert names == {"A": "web-001", "B": "web-002", "C": "db-001"}


def test_a_variable_that_looks_like_a_misspelt_setting_is_refused(server: Running) -> None:
    answer = server.refuse("PATCH", "/machines/SN001/settings", {"hostnme": "x"})
    assert answer.data["problems"][0]["hint"] == "did you mean 'hostname'?"


def test_a_base_that_others_need_is_not_removed(node: Running) -> None:
    answer = node.refuse("DELETE", "/templates/common")
    assert answer.data["error"] == "the template 'common' is a base of node"


def test_a_missing_base_and_a_cycle_are_problems_of_the_check(server: Running) -> None:
    def check(text: str) -> str:
        return str(server.operate("POST", "/templates/check", {"text": text, "format": "yaml"})["problems"])

    assert "there is no template 'gone': t -> gone" in check("{name: t, base: gone}")
    put(server, "a", "name: a")
    put(server, "b", "{name: b, base: a}")
    answer = server.refuse("PUT", "/templates/a", {"text": "{name: a, base: b}", "format": "yaml"})
    assert "a -> b -> a" in answer.data["problems"][0]["message"]


def test_a_list_of_machines_is_taken_in_whole_or_not_at_all(server: Running) -> None:
    add_pool(server)
    rows = [
        {
            "sn": f"S{number}",
            "line": number + 2,
            "values": {"hostname": "n-<{number:02}>", "rack": "r1", "empty": ""},
        }
        for number in range(3)
    ]
    wrong = {"sn": "S9", "line": 9, "values": {"hostname": "no name"}}
    answer = server.refuse("POST", "/import", [*rows, wrong, {"sn": "s0", "line": 10, "values": {}}])
    assert [problem["path"] for problem in answer.data["problems"]] == ["line 9: hostname", "line 10"]
    assert server.operate("GET", "/machines") == []
    set_machine(server, "S0", rack="old")
    assert server.operate("POST", "/import", rows) == {"count": 3, "new": 2}
    machine = server.operate("GET", "/machines/S2")
    assert (machine["settings"], machine["variables"]) == ({"hostname": "n-03"}, {"rack": "r1"})


def test_every_mistake_of_a_row_is_told(server: Running) -> None:
    rows = [
        {"sn": "S1", "line": 2, "mac": "52:54:00:12:34:5", "values": {"address": "10.0.0.999"}},
        {"sn": " ", "line": 3, "values": {"rack": "r1"}},
        {"sn": "", "line": 4, "values": {"rack": "r1"}},
    ]
    problems = server.refuse("POST", "/import", rows).data["problems"]
    assert [problem["path"] for problem in problems] == ["line 2: address", "line 2", "line 3", "line 4"]
    assert "52:54:00:12:34:5" in problems[1]["message"]
    assert {problem["hint"] for problem in problems[2:]} == {"fill the column sn"}


@pytest.mark.parametrize("names", [("hostname", "rack"), ("rack", "hostname")])
def test_a_value_may_ask_for_another_one_of_its_row(server: Running, names: tuple[str, str]) -> None:
    set_machine(server, "S0", rack="old")
    values = {"hostname": "<{rack}>-<{number:03}>", "rack": "r12"}
    rows = [{"sn": sn, "line": 2, "values": {name: values[name] for name in names}} for sn in ("S0", "S1")]
    server.operate("POST", "/import", rows)
    machines = [server.operate("GET", f"/machines/{sn}") for sn in ("S0", "S1")]
    assert [machine["settings"]["hostname"] for machine in machines] == ["r12-001", "r12-002"]
    assert set_machine(server, "S0", hostname="<{hostname}>-b")["settings"]["hostname"] == "r12-001-b"


def test_a_word_that_no_value_is_for_is_told_without_an_id(server: Running) -> None:
    """The machine of the row is none yet, so no command finds it by an id."""
    row = {"sn": "S1", "line": 2, "values": {"hostname": "<{rack}>"}}
    (problem,) = server.refuse("POST", "/import", [row]).data["problems"]
    assert problem == {
        "path": "line 2: hostname",
        "message": "<{rack}> is not known",
        "hint": "say it here, too: rack=...; in a list by a column rack",
    }
    set_machine(server, "S1", rack="r1")
    answer = server.refuse("PATCH", "/machines/S1/settings", {"hostname": "<{rack}>", "rack": ""})
    assert answer.data["problems"][0]["message"] == "<{rack}> is not known"


def test_a_pool_of_millions_of_addresses_is_counted_and_not_walked(server: Running) -> None:
    server.operate("POST", "/pools", {"name": "wide", "addresses": "0.0.0.0-255.255.255.255/0"})
    for number in (1, 2):
        view = server.operate("PATCH", f"/machines/SN00{number}/settings", {"manage_ip": "<{pool:wide:ip}>"})
        assert view["settings"]["manage_ip"] == f"0.0.0.{number}"
    pool = server.operate("GET", "/pools/wide")
    assert (pool["used"], pool["free"]) == (2, 2**32 - 4)
