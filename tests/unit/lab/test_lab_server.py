"""The lab's server runs with the defaults of `bootos serve`, and knows the machines of its run as from an operator's
list."""

import csv
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from failing_qemu import PROGRAM
from handclock import StillClock

from bootos.agent.host.cmdline import parse_cmdline
from bootos.agent.host.host import Host
from bootos.agent.search import wait_for_server
from bootos.agent.sequence import claim_session
from bootos.agent.session.client import Client
from bootos.drivers.contract import Machine
from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.server import LabServer
from bootos.lab.spec import Identity, MachineSpec, NicSpec
from bootos.wire.inventory import Inventory, Nic, System

pytestmark = pytest.mark.skipif(not shutil.which(PROGRAM), reason="needs qemu-system-x86")

MACS = ("52:54:00:1a:b0:01", "52:54:00:1a:b0:02")
SERIAL, PASSWORD = "LAB, 0007", "correct-horse"
SPEC = MachineSpec(
    name="known",
    identity=Identity(serial=SERIAL),
    nics=(NicSpec(mac=MACS[0], isolated=True), NicSpec(mac=MACS[1], boot=True)),
)
TEMPLATE = """
name: oob
oob: {users: [{name: ops, role: administrator, password: {secret: oob-ops}}]}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    with Scenario(tmp_path / "run", needs=("machine",)) as scenario:
        yield scenario


@pytest.fixture
def server(scenario: Scenario) -> LabServer:
    """Not started yet."""
    return scenario.prepare_server(arguments=["--no-tftp"])


def enter(
    root: Path, addr: str, serial: str, mac: str, system_uuid: str | None = None
) -> tuple[Host, Client]:
    """A machine whose agent has registered."""
    host = Host(Machine(root=root), f"boot of {mac}", clock=StillClock())
    host.directory.mkdir(parents=True)
    host.cmdline = msgspec.structs.replace(parse_cmdline(f"SERVER_ADDR={addr} DEVELOPER=1"), pxe_mac=mac)
    host.inventory = Inventory(
        collected_at="2026-01-01T00:00:00Z",
        system=System(serial=serial, uuid=system_uuid),
        nics=[Nic(name="eth0", mac=mac, addresses=["10.0.2.15/24"], is_pxe=True)],
    )
    client = wait_for_server(host)
    assert client is not None
    claim_session(host, client, "10.0.2.15")
    return host, client


def test_a_machine_of_the_run_is_confirmed_by_its_row_and_gets_a_secret_over_the_tls_end_that_it_was_told(
    scenario: Scenario, server: LabServer, tmp_path: Path
) -> None:
    scenario.add_machine(SPEC)
    server.start()
    operator = Operator(server.data)
    operator.command("secret", "set", "oob-ops", "--file", "-", input=PASSWORD)
    (tmp_path / "oob.yaml").write_text(TEMPLATE)
    operator.command("template", "add", tmp_path / "oob.yaml")
    host, client = enter(tmp_path / "root", server.url, SERIAL, MACS[1])
    shown = operator.command("machine", "show", SERIAL)
    assert shown["confirmed_by"] == "import"
    assert client.server_addr == server.tls_url
    assert len(shown["words"].split()) == 4 and shown["words"] == host.status.view.words
    operator.command("job", "create", "--machine", SERIAL, "--template", "oob")
    order = client.fetch_order(20)
    assert order is not None and order.secrets == {"oob-ops": PASSWORD}


def test_a_machine_that_is_added_to_a_running_server_is_in_its_list_and_others_are_new(
    scenario: Scenario, server: LabServer, tmp_path: Path
) -> None:
    server.start()
    scenario.add_machine(SPEC)
    scenario.add_machine(
        msgspec.structs.replace(SPEC, name="strange", identity=Identity(serial="STRANGE")), is_known=False
    )
    with (scenario.directory / "machines.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["sn", "mac"], [SERIAL, " ".join(MACS)]]
    enter(tmp_path / "strange", server.url, "STRANGE", MACS[0])
    operator = Operator(server.data)
    assert [row["sn"] for row in operator.command("machine", "new")] == ["STRANGE"]


def test_a_second_machine_of_a_server_has_a_uuid_of_its_own_and_is_confirmed_too(
    scenario: Scenario, server: LabServer, tmp_path: Path
) -> None:
    server.start()
    second = MachineSpec(
        name="second",
        identity=Identity(serial="SECOND"),
        nics=(NicSpec(mac="52:54:00:1a:b0:03", boot=True),),
    )
    for spec in (SPEC, second):
        scenario.add_machine(spec)
        told, mac = spec.identity, spec.nics[-1].mac
        assert uuid.UUID(told.told_uuid).version == 5
        enter(tmp_path / spec.name, server.url, told.serial, mac, told.told_uuid)
        assert Operator(server.data).command("machine", "show", told.serial)["confirmed_by"] == "import"
    assert second.identity.told_uuid == Identity(serial="SECOND", vendor="Acme").told_uuid


def test_a_machine_without_a_serial_number_is_in_the_list_by_its_uuid(
    scenario: Scenario, server: LabServer
) -> None:
    server.start()
    nameless = Identity(serial="To Be Filled By O.E.M.", uuid="b0075000-0000-4000-8000-00000000000a")
    scenario.add_machine(msgspec.structs.replace(SPEC, identity=nameless))
    shown = Operator(server.data).command("machine", "show", nameless.uuid)
    assert shown["state"] == "expected"
