"""With the real QEMU and its BIOS: a BMC's virtual CD, told by Redfish, and what the machine boots from then."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bootsector import build_boot_cd, build_boot_sector
from webfiles import serve_files

from bootos.lab.machine import Machine
from bootos.lab.redfish_request import ask_redfish
from bootos.lab.scenario import Scenario
from bootos.lab.spec import DiskSpec, MachineSpec
from bootos.lab.vendor_tools.redfish_path import CD, SYSTEM
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec
from bootos.waiting import wait_for

pytestmark = pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="needs qemu-system-x86")

REDFISH = RedfishSpec(virtual_cd=True, tls=False)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "www").mkdir()
    (tmp_path / "www/cd.iso").write_bytes(build_boot_cd(b"CD BOOTED\n"))
    with serve_files(tmp_path / "www") as url:
        yield f"{url}/cd.iso"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    disk = tmp_path / "boot.raw"
    disk.write_bytes(build_boot_sector(b"DISK BOOTED\n").ljust(1024**2, b"\0"))
    disks = (DiskSpec(name="boot", bus="sata", path=str(disk)),)
    spec = MachineSpec(memory_mib=64, cpus=1, boot="disk", disks=disks, redfish=REDFISH)
    with Scenario(tmp_path / "run", needs=["machine"]) as scenario:
        yield scenario.add_machine(spec)


def ask(machine: Machine, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    assert machine.redfish is not None
    status, answer = ask_redfish(machine.redfish, REDFISH, method, path, body)
    assert status < 300, answer
    return answer


def insert(machine: Machine, url: str) -> None:
    ask(machine, "POST", f"{CD}/Actions/VirtualMedia.InsertMedia", {"Image": url})


def boot_cd(machine: Machine, enabled: str) -> None:
    boot = {"BootSourceOverrideEnabled": enabled, "BootSourceOverrideTarget": "Cd"}
    ask(machine, "PATCH", SYSTEM, {"Boot": boot})


def reset(machine: Machine, how: str) -> None:
    ask(machine, "POST", f"{SYSTEM}/Actions/ComputerSystem.Reset", {"ResetType": how})


def wait_for_boot(machine: Machine, *, after: int = 0) -> tuple[str, int]:
    """What was booted, and the number of the next line."""
    line = machine.wait_for_serial("(CD|DISK) BOOTED", 60, after=after)
    return ("CD" if "CD BOOTED" in line.text else "DISK"), line.number + 1


def wait_until_used_up(machine: Machine) -> None:
    wait_for(
        lambda: ask(machine, "GET", SYSTEM)["Boot"]["BootSourceOverrideEnabled"] == "Disabled",
        30,
        what="the end of the override",
    )


def test_a_machine_that_is_off_starts_from_the_cd_once(machine: Machine, url: str) -> None:
    insert(machine, url)
    boot_cd(machine, "Once")
    reset(machine, "On")
    booted, after = wait_for_boot(machine)
    assert booted == "CD"
    wait_until_used_up(machine)
    reset(machine, "ForceRestart")
    assert wait_for_boot(machine, after=after)[0] == "DISK"
    reset(machine, "ForceOff")
    reset(machine, "On")
    assert wait_for_boot(machine)[0] == "DISK"


def test_a_running_machine_gets_the_cd_and_resets_into_it_once(machine: Machine, url: str) -> None:
    reset(machine, "On")
    booted, after = wait_for_boot(machine)
    assert booted == "DISK"
    insert(machine, url)
    boot_cd(machine, "Once")
    reset(machine, "ForceRestart")
    booted, after = wait_for_boot(machine, after=after)
    assert booted == "CD"
    wait_until_used_up(machine)
    reset(machine, "ForceRestart")
    assert wait_for_boot(machine, after=after)[0] == "DISK"


def test_an_ejected_cd_is_not_booted(machine: Machine, url: str) -> None:
    reset(machine, "On")
    after = wait_for_boot(machine)[1]
    insert(machine, url)
    boot_cd(machine, "Once")
    ask(machine, "POST", f"{CD}/Actions/VirtualMedia.EjectMedia", {})
    reset(machine, "ForceRestart")
    assert wait_for_boot(machine, after=after)[0] == "DISK"


def test_a_continuous_override_holds_over_resets_and_power_cycles(machine: Machine, url: str) -> None:
    insert(machine, url)
    boot_cd(machine, "Continuous")
    reset(machine, "On")
    booted, after = wait_for_boot(machine)
    assert booted == "CD"
    reset(machine, "ForceRestart")
    assert wait_for_boot(machine, after=after)[0] == "CD"
    reset(machine, "ForceOff")
    reset(machine, "On")
    assert wait_for_boot(machine)[0] == "CD"
