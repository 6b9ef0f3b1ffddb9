"""What real services show, read as the drivers read it."""

import json
from pathlib import Path
from typing import Any

import pytest

from bootos.drivers.firmware.redfishinventory import parse_inventory
from bootos.drivers.oob.redfishresource import find_interface
from bootos.wire.inventory import Bmc, Inventory

GOLDEN = Path(__file__).parents[2] / "golden/drivers/redfish"


def read(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("name", "interface", "vlan"), [("dmtf", "eth0", 101), ("hpe", "1", 0), ("supermicro", "eth0", 0)]
)
def test_the_port_to_the_outside_is_found_among_those_into_the_machine(
    name: str, interface: str, vlan: int
) -> None:
    found = find_interface(read(f"{name}-interfaces"), Inventory(collected_at="", bmc=Bmc()))
    assert found is not None
    assert (found.name, found.lan.vlan) == (interface, vlan)


def test_the_port_that_ipmi_knows_is_the_one() -> None:
    bodies = read("hpe-interfaces")
    mac = bodies[1]["MACAddress"].lower()
    found = find_interface(bodies, Inventory(collected_at="", bmc=Bmc(mac=mac)))
    assert found is not None
    assert found.name == bodies[1]["Id"]


@pytest.mark.parametrize("name", ["dmtf", "hpe"])
def test_bios_and_bmc_are_found_in_the_inventory(name: str) -> None:
    found = {part.component: part.version for part in parse_inventory(read(f"{name}-firmware"))}
    assert {"bios", "bmc"} <= set(found)
    assert all(found.values())
