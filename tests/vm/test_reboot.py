"""The end of a job, seen by the BMC: boot from the network next, as UEFI does it, and a reset."""

from pathlib import Path

import pytest

from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.spec import BmcSpec, MachineSpec, NicSpec, boot_image
from bootos.waiting import wait_for

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(1800)]

MAC = "52:54:00:aa:00:21"
CHASSIS, CONTROL, SET_BOOT_OPTIONS = 0x00, 0x02, 0x08
BOOT_FLAGS, RESET = 5, 3  # IPMI 2.0, table 28-14 and 28.3
VALID, EFI, PXE = 0x80, 0x20, 0x04


def test_a_machine_booted_by_uefi_is_told_to_boot_from_the_network_by_uefi(image: Path, output: Path) -> None:
    with Scenario(output / "run") as scenario:
        server = scenario.start_server(boot_files=image)
        operator = Operator(server.data)
        append = f"console=ttyS0,115200 SERVER_ADDR={server.guest_url} BOOTIF=01-{MAC.replace(':', '-')}"
        spec = MachineSpec(
            name="reboot",
            firmware="uefi",
            bmc=BmcSpec(),
            nics=(NicSpec(mac=MAC),),
            boot=boot_image(image, append=append),
        )
        machine = scenario.add_machine(spec)
        machine.power_on()
        machine.wait_for_serial("waiting for an order", 600)
        (output / "empty.yaml").write_text("name: empty\n")
        operator.command("template", "add", output / "empty.yaml")
        words = ("--machine", spec.identity.serial, "--template", "empty", "--skip-hardware")
        operator.command("job", "create", *words)
        bmc = machine.bmc
        assert bmc is not None

        def find(command: int) -> list[bytes]:
            return [item.data for item in bmc.requests if (item.netfn, item.command) == (CHASSIS, command)]

        wait_for(lambda: find(CONTROL), 300, what="the reset")
        assert find(CONTROL)[-1] == bytes([RESET])
        flags = [data for data in find(SET_BOOT_OPTIONS) if data[0] & 0x7F == BOOT_FLAGS]
        assert flags[-1][1:3] == bytes([VALID | EFI, PXE])
