"""`VLAN=` and `ip=` in the image: what leaves the card is tagged, as a capture outside the machine shows."""

from pathlib import Path

import pytest

from bootos.lab.scenario import Scenario
from bootos.lab.spec import MachineSpec, NicSpec, boot_image
from bootos.waiting import wait_for

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(1200)]

MAC = "52:54:00:aa:00:31"
TAGGED_ARP = bytes.fromhex("8100 0064 0806")  # IEEE 802.1Q, VLAN 100, then ARP


def test_a_static_address_on_a_vlan_sends_tagged_frames(image: Path, output: Path) -> None:
    with Scenario(output / "run") as scenario:
        words = f"SERVER_ADDR=http://10.0.2.2:9 BOOTIF=01-{MAC} VLAN=100 ip=10.0.2.15::10.0.2.2:255.255.255.0"
        spec = MachineSpec(
            name="vlan",
            nics=(NicSpec(mac=MAC, boot=True),),
            boot=boot_image(
                image,
                append=f"console=ttyS0,115200 {words}",
            ),
        )
        machine = scenario.add_machine(spec)
        machine.power_on()
        machine.wait_for_serial(
            rf"eth0\.100 {MAC} \(10\.0\.2\.15/24\) has an address but does not reach", 400
        )
        asked = bytes.fromhex(MAC.replace(":", "")) + TAGGED_ARP
        assert wait_for(
            lambda: asked in machine.capture_path.read_bytes(), 30, what="a tagged question for the gateway"
        )
