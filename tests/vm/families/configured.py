"""One family from power on to the reboot at the end, as an operator does it; then the same templates once more.

Everything that is compared was read from outside the guest: disk files, the silicon, the BMC over LAN.
"""

import json
import logging
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from family import CONTENTS, OOB, OOB_USER, Family, check_redfish_login, read_redfish_address
from volume_group import read_volume_group

from bootos.lab.disk import read_filesystem, read_partition_filesystems
from bootos.lab.machine import Machine
from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.spec import boot_image
from bootos.lab.watch import while_on
from bootos.waiting import wait_for

BOOT_DEADLINE_S = 600.0
JOB_DEADLINE_S = 1500.0
log = logging.getLogger(__name__)


class Row(msgspec.Struct, kw_only=True):
    """What a family's run found; compared by the test, printed as a line of the table."""

    family: str
    job: str = ""
    message: str = ""
    reboots: int = 0  # reboots inside the job
    arrays: dict[str, tuple[str, int, int]] = {}
    contents: dict[str, list[tuple[str, str, str]]] = {}
    settings: dict[str, str] = {}
    versions: list[str] = []
    oob: tuple[str, ...] = ()
    login: bool = False
    again: list[str] | None = None  # what the second run plans
    took_s: float = 0.0


def configure(family: Family, image: Path, directory: Path) -> Row:
    """Run a family; raises BootosError where something does not happen at all."""
    row = Row(family=family.name)
    password = secrets.token_urlsafe(9)
    with Scenario(directory, needs=("machine", "pxe", "bmc", "disk")) as scenario:
        boot_files = scenario.build_boot_files(image, family.spec)
        server = scenario.start_server(
            boot_files=boot_files, append=f"DEVELOPER=1 {scenario.silicon_word}".strip()
        )
        operator = Operator(server.data)
        kernel = boot_image(
            boot_files,
            append=f"console=ttyS0,115200 SERVER_ADDR={server.guest_url} DEVELOPER=1 "
            f"BOOTIF=01-{family.spec.nics[0].mac.replace(':', '-')} {scenario.silicon_word}",
        )
        machine = scenario.add_machine(
            family.spec, tftp_root=server.tftp_root, on_line=lambda line: show(line.text)
        )
        operator.command("secret", "set", "oob-ops", "--file", "-", input=password)
        if family.spec.redfish is not None:
            operator.command("secret", "set", "oob-lab", "--file", "-", input=family.spec.redfish.password)
        files = server.data / "files"
        files.mkdir(parents=True, exist_ok=True)
        for name, content in family.build_packages().items():
            (files / name).write_bytes(content)
        names = []
        for template in family.build_templates(f"{server.guest_url}/bootos/files"):
            names.append(template["name"])
            path = scenario.directory / f"{names[-1]}.json"
            path.write_text(json.dumps(template))
            operator.command("template", "add", path)
        machine.power_on()
        job = run_jobs(names, machine, operator)
        row.job, row.message = job["state"], job["message"]
        starts = [line for line in machine.serial.lines if re.search(r"bootos: agent \S+ starts", line.text)]
        row.reboots = len(starts) - 1
        row.took_s = round(machine.elapsed_s())
        machine.power_off()
        if row.job != "done":
            return row
        look_from_outside(family, machine, row, password)
        machine.spec = msgspec.structs.replace(machine.spec, boot=kernel)
        machine.power_on()
        row.again = plan_again(names, machine, operator)
    return row


def show(text: str) -> None:
    if "bootos: " in text:
        log.info("%s", text)


def run_jobs(names: Sequence[str], machine: Machine, operator: Operator) -> dict[str, Any]:
    """A job for each template to its end, and the reboot after the last; or the first job that is not done."""
    serial = machine.spec.identity.serial
    find = while_on(machine, lambda: operator.find_machine(serial))
    wait_for(find, BOOT_DEADLINE_S, what="the registration", pause_s=1.0)
    job: dict[str, Any] = {}
    for name in names:
        reboot = "--reboot" if name == names[-1] else "--no-reboot"
        created = operator.command("job", "create", "--machine", serial, "--template", name, reboot)
        job = operator.wait_for_job(created["id"], ["done"], JOB_DEADLINE_S, machine=machine)
        if job["state"] != "done":
            return job
    machine.wait_for_serial(r"resetting the machine|reboot: Restarting system", 120)
    return job


def plan_again(names: Sequence[str], machine: Machine, operator: Operator) -> list[str]:
    """What the same templates plan on the configured machine."""
    machine.wait_for_serial("waiting for an order", BOOT_DEADLINE_S)
    serial = machine.spec.identity.serial
    planned = []
    for name in names:
        created = operator.command("job", "create", "--machine", serial, "--template", name, "--plan")
        job = operator.wait_for_job(created["id"], ["planned"], JOB_DEADLINE_S, machine=machine)
        if job["state"] != "planned":
            return [f"{job['state']}: {job['message']}"]
        planned += [action["summary"] for step in job["report"]["steps"] for action in step["actions"]]
    return planned


def look_from_outside(family: Family, machine: Machine, row: Row, password: str) -> None:
    """Arrays, file systems, settings, firmware and BMC, without any help of the guest."""
    for name, array in family.find_arrays(machine, machine.directory).items():
        row.arrays[name] = (array.level, array.drives, array.hotspares)
        row.contents[name] = read_contents(array.view)
    if family.read_settings is not None:
        row.settings = family.read_settings(machine)
    if family.read_versions is not None:
        row.versions = family.read_versions(machine)
    if machine.bmc is not None:
        lan = machine.bmc.read_lan()
        row.oob = tuple(lan.get(key, "") for key in ("ip_addr", "subnet_mask", "default_gw_ip_addr"))
        row.login = machine.bmc.check_login(OOB_USER, password)
    else:
        row.oob = read_redfish_address(machine)
        row.login = check_redfish_login(machine, OOB_USER, password)


def read_contents(path: Path) -> list[tuple[str, str, str]]:
    """Name, type and label of what is in the partitions of a disk, and in the logical volumes in those."""
    contents, volumes = [], []
    for part, found in read_partition_filesystems(path):
        contents.append((part.name, found.type if found else "", found.label if found else ""))
        group = read_volume_group(path, offset_bytes=part.start_bytes)
        for volume in group.volumes if group is not None else ():
            inside = None
            if volume.offset_bytes is not None:
                inside = read_filesystem(path, offset_bytes=volume.offset_bytes, size_bytes=volume.size_bytes)
            name = f"{group.name}/{volume.name}" if group is not None else ""
            volumes.append((name, inside.type if inside else "", inside.label if inside else ""))
    return [*contents, *sorted(volumes)]


def find_differences(family: Family, row: Row) -> dict[str, tuple[Any, Any]]:
    """What differs from what the family shall be: (expected, found) by name. Empty: all is as wanted."""
    wanted = {
        "job": "done",
        "reboots": family.reboots,
        "arrays": family.arrays,
        "contents": CONTENTS,
        "settings": family.settings,
        "versions": family.versions,
        "oob": OOB,
        "login": True,
        "again": [],
    }
    return {key: (value, getattr(row, key)) for key, value in wanted.items() if getattr(row, key) != value}


def build_table(rows: Sequence[Row]) -> str:
    """The rows as the operator reads them."""
    head = (
        "family",
        "job",
        "arrays",
        "BIOS settings",
        "BIOS versions",
        "OOB",
        "reboots",
        "2nd run plans",
        "s",
    )
    lines = [head]
    for row in rows:
        arrays = [
            f"{name}: RAID {level}, {n} drives" + (f" + {spares} spare" if spares else "")
            for name, (level, n, spares) in row.arrays.items()
        ]
        lines.append(
            (
                row.family,
                row.job,
                "; ".join(arrays) or "-",
                ", ".join(f"{key}={value}" for key, value in row.settings.items()) or "-",
                " -> ".join(row.versions) or "-",
                f"{row.oob[0]}, {OOB_USER} logs in" if row.oob and row.login else "-",
                str(row.reboots),
                "nothing" if row.again == [] else "-" if row.again is None else "; ".join(row.again),
                f"{row.took_s:.0f}",
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
