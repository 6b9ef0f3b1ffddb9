"""Intel's RAID (`metadata: imsm`) with real mdadm: a RAID 1 is made, loses a drive, is repaired; a second run plans
nothing. Looked at from outside, on the drives' files.

mdadm makes such arrays without Intel's firmware only when IMSM_NO_PLATFORM=1 is in its environment, which this test
puts there by a word of systemd's on the kernel command line.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from bootos.lab.disk import read_partition_filesystems
from bootos.lab.machine import Machine
from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.server import LabServer
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import DiskSpec, MachineSpec, NicSpec, boot_image

pytestmark = [pytest.mark.vm, pytest.mark.timeout(2400)]

DISKS = tuple(DiskSpec(name=f"d{n}", bus="scsi", serial=f"IMSM{n}", size_mib=256) for n in range(2))
TEMPLATE = {
    "name": "intel",
    "raid": {"arrays": [{"name": "os", "level": 1, "drives": "0,1", "metadata": "imsm"}]},
    "disks": [
        {
            "select": {"array": "os"},
            "partitions": [{"name": "root", "size": "rest", "filesystem": {"type": "ext4", "label": "root"}}],
        }
    ],
}
REBUILT = "for n in $(seq 120); do grep -q '\\[UU\\]' /proc/mdstat && break; sleep 1; done; cat /proc/mdstat"


def read_signature(path: Path) -> bytes:
    """What lies in the next to last sector, where Intel's metadata begins."""
    with path.open("rb") as file:
        file.seek(-1024, 2)
        return file.read(24)


def run_job(operator: Operator, machine: Machine) -> dict[str, list[str]]:
    """A job to its end; what each step did."""
    words = ("--machine", machine.spec.identity.serial, "--no-reboot", "--template", "intel")
    created = operator.command("job", "create", *words)
    job: dict[str, Any] = operator.wait_for_job(created["id"], ["done", "failed"], 900, machine=machine)
    assert job["state"] == "done", job["message"]
    steps = [step for step in job["report"]["steps"] if step["id"].startswith(("raid.", "disk."))]
    return {
        step["id"]: [action["summary"] for action in step["actions"]] for step in steps if step["actions"]
    }


def start(scenario: Scenario, server: LabServer, image: Path) -> Machine:
    append = (
        f"console=ttyS0,115200 SERVER_ADDR={server.guest_url} DEVELOPER=1 systemd.setenv=IMSM_NO_PLATFORM=1"
    )
    machine = scenario.add_machine(
        MachineSpec(
            name="intel",
            memory_mib=1536,
            disks=DISKS,
            nics=(NicSpec(mac="52:54:00:1a:51:01"),),
            boot=boot_image(image, append=append),
        )
    )
    machine.power_on()
    machine.wait_for_serial("waiting for an order", 600)
    return machine


def test_a_raid_1_of_intels_is_made_degraded_and_repaired(image: Path, output: Path) -> None:
    with Scenario(output / "run") as scenario:
        server = scenario.start_server(boot_files=image)
        operator = Operator(server.data)
        (output / "intel.json").write_text(json.dumps(TEMPLATE))
        operator.command("template", "add", output / "intel.json")
        machine = start(scenario, server, image)
        made = run_job(operator, machine)
        assert made["raid.mdadm"] == ["create array os: RAID 1 on /dev/sda, /dev/sdb (Intel's metadata)"]
        assert list(made) == ["raid.mdadm", "disk.partition", "disk.filesystem"]
        assert run_job(operator, machine) == {}
        machine.power_off()
        files = [machine.disk_path(disk.name) for disk in DISKS]
        for path in files:
            assert read_signature(path) == b"Intel Raid ISM Cfg Sig. "
            # a mirror lies at the beginning of its drives
            ((part, found),) = read_partition_filesystems(path)
            assert (part.name, found.label if found else "") == ("root", "root")

        size_bytes = files[1].stat().st_size
        files[1].unlink()
        with files[1].open("wb") as blank:
            blank.truncate(size_bytes)
        before = files[0].read_bytes()
        machine.power_on()
        machine.wait_for_serial("waiting for an order", 600)
        words = ("--machine", machine.spec.identity.serial, "--plan", "--template", "intel")
        planned = operator.command("job", "create", *words)
        job = operator.wait_for_job(planned["id"], ["planned"], 400, machine=machine)
        shown = [action["summary"] for step in job["report"]["steps"] for action in step["actions"]]
        assert shown == ["add /dev/sdb (drive 1, serial IMSM1) to array os"]
        assert files[0].read_bytes() == before, "looking at a degraded array has written to it"
        assert run_job(operator, machine) == {"raid.mdadm": shown}
        code, text = run_in_shell(machine, REBUILT, 300)
        assert code == 0 and "[2/2] [UU]" in text, text
        assert run_job(operator, machine) == {}
        code, text = run_in_shell(machine, "mdadm --stop --scan; cat /proc/mdstat", 100)
        assert code == 0, text
        machine.power_off()
        for path in files:
            assert read_signature(path) == b"Intel Raid ISM Cfg Sig. "
            ((part, found),) = read_partition_filesystems(path)
            assert (part.name, found.label if found else "") == ("root", "root")
