"""A machine that calls itself by the id of another one, or by its MAC, gets nothing that is meant for that one."""

import re
from pathlib import Path
from typing import Any

import pytest
from serving import INVENTORY, Agent, Running
from typer.testing import CliRunner

from bootos.cli import build_app
from bootos.server import auth
from bootos.server.command.client import AnswerError
from bootos.wire import cloudboot_v1 as v1

OTHER: dict[str, Any] = {"collected_at": "2026-01-01T00:00:00Z", "system": {"vendor": "x", "product": "x"}}
MAC = "52:54:00:00:00:02"


@pytest.fixture
def victim(server: Running) -> Agent:
    """Has the id 1."""
    agent = Agent(server)
    agent.register()
    assert server.operate("GET", "/machines/SN001")["id"] == 1
    return agent


@pytest.fixture
def attacker(server: Running, victim: Agent) -> Agent:
    """Says that its serial number is 1."""
    agent = Agent(server, sn="1", inventory=OTHER)
    assert agent.register().status == 200
    return agent


def run_bootos(server: Running, *words: str) -> tuple[int, str]:
    """On the server's host: its data directory tells address, authority and token."""
    done = CliRunner().invoke(
        build_app(list(words)), [*words, "--data", str(server.data)], catch_exceptions=False
    )
    return done.exit_code, done.output


def test_a_job_for_an_id_goes_to_the_machine_that_has_it(
    server: Running, victim: Agent, attacker: Agent
) -> None:
    server.put_template()
    assert server.create_job(machine="id:1")["sn"] == "SN001"
    assert attacker.order() is None
    assert victim.order() is not None


def test_every_call_about_an_id_is_about_the_machine_that_has_it(
    server: Running, victim: Agent, attacker: Agent
) -> None:
    server.put_template()
    server.create_job(machine="id:1")
    assert server.operate("GET", "/machines/id:1")["sn"] == "SN001"
    assert server.operate("GET", "/machines/ID:1")["sn"] == "SN001"
    assert server.operate("PATCH", "/machines/id:1/settings", {"hostname": "h"})["sn"] == "SN001"
    assert server.operate("POST", "/machines/id:1/acknowledge")["sn"] == "SN001"
    assert [job["sn"] for job in server.operate("GET", "/jobs?machine=id:1")] == ["SN001"]
    assert server.operate("GET", "/jobs?machine=1") == []
    server.operate("POST", "/pools", {"name": "p", "addresses": "10.0.0.10-10.0.0.20/24"})
    assert server.refuse("DELETE", "/pools/p/held/id:1").data["error"].count("SN001")
    server.operate("POST", "/jobs/1/cancel")
    server.operate("DELETE", "/machines/id:1")
    assert [machine["sn"] for machine in server.operate("GET", "/machines")] == ["1"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/machines/1", None),
        ("GET", "/machines/1/state", None),
        ("GET", "/machines/1/template", None),
        ("DELETE", "/machines/1", None),
        ("PATCH", "/machines/1/settings", {"hostname": "h"}),
        ("POST", "/machines/1/acknowledge", None),
        ("GET", "/jobs?machine=1", None),
        ("POST", "/jobs", {"machine": "1", "template": "t"}),
        ("POST", "/pins", {"machine": "1", "version": "local"}),
        ("DELETE", "/pools/p/held/1", None),
    ],
)
def test_a_number_that_is_no_serial_number_is_refused_with_the_way_to_write_an_id(
    server: Running, victim: Agent, method: str, path: str, body: Any
) -> None:
    server.put_template()
    answer = server.refuse(method, path, body)
    assert answer.status == 404
    assert "use id:1" in answer.data["hint"]
    assert [machine["sn"] for machine in server.operate("GET", "/machines")] == ["SN001"]


def test_a_number_is_a_serial_number(server: Running, victim: Agent, attacker: Agent) -> None:
    server.put_template()
    assert server.create_job(machine="1")["sn"] == "1"
    assert server.create_job(machine="90210")["sn"] == "90210"  # enrolled, as any other serial number
    assert server.operate("POST", "/import", [{"sn": "3", "values": {}}]) == {"count": 1, "new": 1}
    assert server.operate("GET", "/machines/3")["sn"] == "3"


@pytest.mark.parametrize("sn", ["id:1", "ID:1", " id:1 ", "id:7"])
def test_a_serial_number_that_looks_like_an_id_is_refused_everywhere(
    server: Running, victim: Agent, sn: str
) -> None:
    assert Agent(server, sn=sn, inventory=OTHER).register().status == 422
    said = server.call("POST", f"{v1.PREFIX}/report/deviceProductInfo", {"Sn": sn, "Company": "x"})
    assert said.data["Status"] == "error"
    assert server.refuse("POST", "/import", [{"sn": sn, "values": {}}]).status == 422
    assert [machine["sn"] for machine in server.operate("GET", "/machines")] == ["SN001"]


def test_an_id_that_there_is_not_enrols_nobody(server: Running, victim: Agent) -> None:
    server.put_template()
    for word in ("id:2", "id:999999999"):
        assert server.refuse("POST", "/jobs", {"machine": word, "template": "t"}).status == 404
        assert server.refuse("PATCH", f"/machines/{word}/settings", {"hostname": "h"}).status == 404
    assert [machine["sn"] for machine in server.operate("GET", "/machines")] == ["SN001"]


def test_the_pages_link_to_a_machine_by_its_id(server: Running, victim: Agent, attacker: Agent) -> None:
    cookie = {
        "Cookie": f"{auth.COOKIE}={auth.build_cookie(server.context.operator_token)}",
        "Accept": "text/html",
    }
    server.put_template()
    listed = server.request("GET", "/", headers=cookie).data.decode()
    links = re.findall(r'href="(/machines/[^"]*)">([^<]*)<', listed)
    assert sorted(links) == [("/machines/id:1", "SN001"), ("/machines/id:2", "1")]
    page = server.request("GET", "/machines/id:1", headers=cookie).data.decode()
    assert set(re.findall(r'action="(/machines/[^"]*)"', page)) == {"/machines/id:1/jobs"}
    assert "SN001" in page
    gone = server.request("GET", "/machines/3", headers=cookie)
    assert gone.status == 404


def test_a_page_that_was_linked_by_a_bare_id_says_how_an_id_is_written(
    server: Running, victim: Agent
) -> None:
    cookie = {
        "Cookie": f"{auth.COOKIE}={auth.build_cookie(server.context.operator_token)}",
        "Accept": "text/html",
    }
    page = server.request("GET", "/machines/1", headers=cookie)
    assert page.status == 404
    assert "use id:1" in page.data.decode()


def test_the_commands_show_ids_as_they_take_them(
    server: Running, victim: Agent, attacker: Agent, tmp_path: Path
) -> None:
    status, listed = run_bootos(server, "machine", "list")
    assert status == 0
    assert re.search(r"^id:1 +SN001 ", listed, re.MULTILINE)
    assert re.search(r"^id:2 +1 ", listed, re.MULTILINE)
    status, shown = run_bootos(server, "machine", "show", "id:1")
    assert (status, "SN001" in shown, "id:1" in shown) == (0, True, True)
    with pytest.raises(AnswerError) as refused:
        run_bootos(server, "machine", "show", "2")
    assert "use id:2" in refused.value.hint


def test_a_mac_as_serial_number_gets_nothing_of_the_machine_that_has_it(server: Running) -> None:
    """v1 takes a MAC where a serial number stands; the machine that showed the MAC is the one that is meant."""
    Agent(server, inventory=INVENTORY).register()
    server.operate("PATCH", "/machines/SN001/settings", {"hostname": "victim"})
    said = server.call("POST", f"{v1.PREFIX}/report/deviceProductInfo", {"Sn": MAC, "Company": "x"})
    assert said.data["Status"] == "success"
    server.operate("PATCH", f"/machines/{MAC}/settings", {"hostname": "attacker"})
    answer = server.call("GET", f"{v1.PREFIX}/device/getNetworkBySn?sn={MAC}")
    assert 'HOSTNAME="victim"' in answer.data
