"""Whoever sends an inventory without a login runs no script in an operator's browser, and none in an installer."""

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from serving import INVENTORY, Agent, Running

from bootos.process import run
from bootos.server.app import build_machine_app
from bootos.server.cloudboot.answer import Variables, format_variables
from bootos.server.cloudboot.api import build_calls
from bootos.server.store.machine import find_machine
from bootos.wire import cloudboot_v1 as v1

SCRIPT = "<script>fetch('/api/operator/jobs')</script>"
MAC = "52:54:00:00:00:02"
TYPES = ("text/plain; charset=utf-8", "application/json; charset=utf-8", "application/json")
SHELL = [
    'x"; touch owned; "',
    "$(touch owned)",
    "`touch owned`",
    "a\ntouch owned",
    "a\u2028b",
    "x\\",
    "${IFS}",
]


def check_no_browser_runs(answer: Any) -> None:
    assert answer.headers["content-type"] in TYPES
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "sandbox"} <= set(policy)


def list_requests(server: Running) -> Iterator[tuple[str, str]]:
    """(method, path) of every call of v1, as the application routes them, of calls that there are not, and of methods
    that are wrong."""
    posts, gets = build_calls(server.context)
    calls = [*posts, *gets, "device/none"]
    for route in build_machine_app(server.context).routes:
        if not route.path.startswith(v1.PREFIX):
            continue
        for path in [route.path.replace("{call:path}", call) for call in calls]:
            for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"):
                yield method, path


def test_every_answer_of_v1_is_text_that_no_browser_runs(server: Running) -> None:
    Agent(server).register()
    seen = set()
    for method, path in list_requests(server):
        for body in (b'{"Sn": "SN001", "Company": "x", "Mac": "52:54:00:00:00:02"}', b"[", b"{" + b"x" * 100):
            query = "?sn=SN001&type=raw" if method in ("GET", "HEAD") else ""
            answer = server.request(method, path + query, body if method in ("POST", "PUT") else None)
            assert answer.headers["x-content-type-options"] == "nosniff", (method, path)
            assert "sandbox" in answer.headers["content-security-policy"], (method, path)
            if answer.data:
                check_no_browser_runs(answer)
            seen.add((path, answer.status))
    assert {status for _, status in seen} >= {200, 404, 405}
    assert len({path for path, _ in seen}) >= 10


def test_a_body_that_is_too_large_is_answered_with_text_that_no_browser_runs(server: Running) -> None:
    size = server.context.settings.limits.body_bytes + 1
    answer = server.request("POST", f"{v1.PREFIX}/report/deviceMacInfo", b" " * size)
    assert answer.status == 413
    check_no_browser_runs(answer)


@pytest.mark.parametrize("kind", ["raw", "json"])
@pytest.mark.parametrize("mac", [SCRIPT, *SHELL])
def test_a_mac_of_a_v2_inventory_that_is_none_comes_back_nowhere(
    server: Running, mac: str, kind: str
) -> None:
    nics = [{"name": "eth0", "mac": mac, "permanent_mac": mac, "addresses": ["10.0.2.15/24"]}]
    assert Agent(server, inventory={**INVENTORY, "nics": nics}).register().status == 200

    answer = server.request("GET", f"{v1.PREFIX}/device/getNetworkBySn?sn=SN001&type={kind}")

    check_no_browser_runs(answer)
    assert ('HWADDR=""' if kind == "raw" else '"HWADDR": ""') in answer.data.decode()
    machine = server.operate("GET", "/machines/SN001")
    assert [(nic["name"], nic["mac"], nic["permanent_mac"]) for nic in machine["inventory"]["nics"]] == [
        ("eth0", "", None)
    ]
    assert (
        f"NIC 'eth0': {mac!r} is not the MAC address of a NIC and was left out"
        in machine["inventory"]["notes"]
    )


@pytest.mark.parametrize("mac", [SCRIPT, *SHELL])
def test_a_mac_of_a_v1_report_that_is_none_comes_back_nowhere(server: Running, mac: str) -> None:
    nics = [
        {"Name": "eth0", "Mac": mac, "Ip": SCRIPT},
        {"Name": "eth1", "Mac": MAC.upper(), "Ip": "10.0.0.9"},
    ]
    body = {"Sn": "SN001", "Company": SCRIPT, "Mac": mac, "Ip": SCRIPT, "Nic": nics}
    said = server.call("POST", f"{v1.PREFIX}/report/deviceProductInfo", body)
    assert said.data["Status"] == "success"

    answer = server.request("GET", f"{v1.PREFIX}/device/getNetworkBySn?sn=SN001")

    assert answer.data.decode() == f'HWADDR="{MAC}"'
    machine = server.operate("GET", "/machines/SN001")
    assert [(nic["name"], nic["mac"], nic["addresses"]) for nic in machine["inventory"]["nics"]] == [
        ("eth0", "", []),
        ("eth1", MAC, ["10.0.0.9"]),
    ]
    assert machine["address"] == "10.0.0.9"
    assert f"NIC 'eth0': {SCRIPT!r} is not an address and was left out" in machine["inventory"]["notes"]


def test_an_inventory_that_was_stored_before_macs_were_checked_does_no_harm(server: Running) -> None:
    Agent(server).register()
    with server.context.store.write() as session:
        machine = find_machine(session, "SN001")
        nics = [{"name": "eth0", "mac": SCRIPT, "addresses": ["10.0.2.15/24"]}]
        machine.inventory = {**INVENTORY, "nics": nics}

    answer = server.request("GET", f"{v1.PREFIX}/device/getNetworkBySn?sn=SN001")

    check_no_browser_runs(answer)
    assert answer.data.decode() == 'HWADDR="52:54:00:00:00:01"'


@pytest.mark.parametrize("scope", ["fe80::1%$(touch owned)", "fe80::1%`id`", "fe80::1%eth0"])
def test_an_address_with_a_scope_is_refused_as_a_setting(server: Running, scope: str) -> None:
    Agent(server).register()
    answer = server.refuse("PATCH", "/machines/SN001/settings", {"gateway": scope, "address": scope})
    assert {problem["path"] for problem in answer.data["problems"]} == {"gateway", "address"}


@pytest.mark.parametrize("value", SHELL)
def test_a_shell_that_sources_the_values_reads_them_and_runs_nothing(tmp_path: Any, value: str) -> None:
    """The values are checked where they come in; should one get past that, the file is still no program."""
    file = tmp_path / "network"
    file.write_text(format_variables(Variables({"Bonding": value, "IPADDR": "10.0.0.5"})))
    script = f'cd {shlex.quote(str(tmp_path))}; . ./network; printf "%s|%s" "$Bonding" "$IPADDR"'

    for shell in ("sh", "bash"):
        done = run([shell, "-c", script], timeout_s=20)
        kept = "" if "\n" in value or "\u2028" in value else value
        assert done.stdout == f"{kept}|10.0.0.5"
    assert [path.name for path in tmp_path.iterdir()] == ["network"]
