"""Several network cards and no BOOTIF: the one that reaches the server is used, and it is the server's PXE card."""

from pathlib import Path

import pytest

from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.spec import MachineSpec, NicSpec, boot_image
from bootos.waiting import wait_for

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1200)]

WRONG, UNPLUGGED, RIGHT = "52:54:00:aa:00:11", "52:54:00:aa:00:12", "52:54:00:aa:00:13"


def test_an_address_on_the_wrong_network_and_a_late_link_do_not_keep_a_machine_from_its_server(
    image: Path, output: Path
) -> None:
    with Scenario(output / "run") as scenario:
        server = scenario.start_server(boot_files=image)
        operator = Operator(server.data)
        append = (
            f"console=ttyS0,115200 SERVER_ADDR={server.guest_url} PRE={server.guest_url}/bootos/files/pre.sh"
        )
        files = server.data / "files"
        files.mkdir(exist_ok=True)
        (files / "pre.sh").write_text("#!/bin/bash\necho before $SN\nexit 3\n")
        spec = MachineSpec(
            name="cards",
            nics=(
                NicSpec(mac=WRONG, model="e1000", isolated=True),
                NicSpec(mac=UNPLUGGED, model="e1000", connected=False),
                NicSpec(mac=RIGHT, model="virtio", connected=False),
            ),
            boot=boot_image(image, append=append),
        )
        machine = scenario.add_machine(spec)
        machine.power_on()
        machine.wait_for_serial(f"{WRONG} .* has an address but does not reach", 400)
        machine.restore_network(RIGHT)
        # The line of the log names all cards. The status page shows only the chosen one.
        machine.wait_for_serial(f"eth. {RIGHT} .* reaches {server.guest_url}; .*{WRONG}", 120)
        machine.wait_for_serial(f"PRE . before {spec.identity.serial}", 120)
        machine.wait_for_serial("waiting for an order", 300)
        found = wait_for(lambda: operator.find_machine(spec.identity.serial), 60, what="the registration")
        cards = {nic["mac"]: nic for nic in found["inventory"]["nics"]}
        assert [mac for mac, nic in cards.items() if nic.get("is_pxe")] == [RIGHT]
