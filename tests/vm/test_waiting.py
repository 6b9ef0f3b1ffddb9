"""A machine that lacks something says what it waits for, keeps its shell usable, and goes on when it is there."""

from pathlib import Path

import pytest

from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import MachineSpec, NicSpec, boot_image
from bootos.waiting import wait_for

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(1200)]

MAC = "52:54:00:aa:00:02"


def test_no_address_no_link_no_server_are_each_said_and_outlived(image: Path, output: Path) -> None:
    with Scenario(output / "run") as scenario:
        server = scenario.prepare_server(boot_files=image)
        append = f"console=tty0 console=ttyS0,115200 BOOTIF=01-{MAC.replace(':', '-')} SERVER_ADDR=10.0.2.2"
        spec = MachineSpec(
            name="waiting",
            nics=(NicSpec(mac=MAC, model="e1000", connected=False),),
            boot=boot_image(image, append=append),
        )
        machine = scenario.add_machine(spec)
        machine.power_on()
        machine.wait_for_serial("'10.0.2.2' is not an http or https URL", 400)
        machine.wait_for_serial("waiting for SERVER_ADDR", 60)
        # the page is no line of the log, and is only in the raw bytes
        line = machine.directory / "serial.raw"
        wait_for(lambda: b"waits for SERVER_ADDR" in line.read_bytes(), 60, what="the status page")
        code, _ = run_in_shell(machine, f"echo SERVER_ADDR={server.guest_url} > /run/bootos/cmdline")
        assert code == 0
        machine.wait_for_serial(r"waiting for a DHCP answer: eth0 .* link DOWN", 300)
        machine.restore_network(MAC)
        machine.wait_for_serial(r"eth0 .* gets to the host of", 300)
        machine.wait_for_serial("waiting for the server", 300)
        code, text = run_in_shell(machine, "bootos-agent inventory")
        assert code == 0
        assert spec.identity.serial in text
        server.start()
        machine.wait_for_serial("waiting for an order", 300)
        operator = Operator(server.data)
        assert wait_for(lambda: operator.find_machine(spec.identity.serial), 60, what="the registration")
        run_in_shell(machine, "systemctl stop bootos-agent")
        wait_for(
            lambda: b"is NOT RUNNING, is started again" in line.read_bytes(),
            60,
            what="the page without the agent",
        )
        code, _ = run_in_shell(machine, "systemctl start bootos-agent")
        assert code == 0
        machine.wait_for_serial("waiting for an order", 300, after=len(machine.serial.lines))
