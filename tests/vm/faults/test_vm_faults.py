"""Every fault before every action, on a virtual machine with real tools; the fast suite is tests/faults.

One boot serves many cells: jobs without a reboot apply two templates in turn, so that each has work to do.
"""

import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import AFTERWARDS, BOOT_DEADLINE_S, FAULTS, Bench
from fault_proxy import FaultProxy
from table import Cell, format_table, write_table

from bootos.errors import BootosError
from bootos.lab.loopback import HOST_ADDRESS
from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.spec import DiskSpec, MachineSpec, NicSpec, boot_image

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(9000)]
log = logging.getLogger(__name__)

MAC = "52:54:00:aa:00:09"
OUTPUT = Path(__file__).parents[3] / "build/faults-vm"


def build_template(name: str, level: int, *filesystems: str) -> dict[str, object]:
    partitions = [
        {"name": f"p{number}", "size": "100MiB", "filesystem": {"type": type, "label": name.upper()}}
        for number, type in enumerate(filesystems)
    ]
    scripts = [{"name": "once", "script": "echo once; sync"}]
    return {
        "name": name,
        "raid": {"clear": True, "arrays": [{"name": name, "level": level, "drives": "0-2", "wipe": True}]},
        "disks": [{"select": {"array": name}, "wipe": True, "table": "gpt", "partitions": partitions}],
        "scripts": [{"name": "tuning", "scripts": scripts}],
    }


TEMPLATES = {
    "alpha": build_template("alpha", 5, "ext4", "vfat"),
    "beta": build_template("beta", 1, "ext4", "swap"),
}
BEFORE = {"alpha": "beta", "beta": "alpha"}


def name_boundaries(template: str) -> dict[str, str]:
    """What the table calls a step, and the id whose beginning is held."""
    return {
        "clear": f"raid.mdadm:delete:{BEFORE[template]}",
        "array": f"raid.mdadm:create:{template}",
        "table": f"disk.partition:write:/dev/md/{template}",
        "file system": f"disk.filesystem:make:/dev/md/{template}1",
        "script": "script.0.0",
        "mac": "mac",
        "end": "end",
    }


STEPS = ["array", "table", "file system", "script", "end"]
# A kill and a power cut are tried at every step. Each power cut needs a boot, which takes minutes.
SPECIAL = {
    "agent killed": list(name_boundaries("alpha")),
    "power cut": ["array", "script"],
    "power cut in it": ["array", "file system"],
    "disk vanished": ["array", "table"],
}
# A job that goes on without one of its drives is wrong, even if all the rest is right.
MUST_FAIL = {"disk vanished"}
# With BOOTOS_FAULTS="power cut,disk vanished" only these run.
WANTED = [name for name in os.environ.get("BOOTOS_FAULTS", "").split(",") if name] or list(FAULTS)
MATRIX = [(fault, step) for fault in WANTED for step in SPECIAL.get(fault, STEPS)]


@pytest.fixture(scope="module")
def bench(image: Path) -> Iterator[Bench]:
    with Scenario(OUTPUT / "run") as scenario:
        # By http all along: where the server had a TLS end, the machine would change over to that of the proxy.
        server = scenario.start_server(boot_files=image, arguments=("--tls-listen", "off"))
        proxy = FaultProxy(server.port)
        try:
            operator = Operator(server.data)
            for name, template in TEMPLATES.items():
                file = OUTPUT / f"{name}.json"
                file.write_text(json.dumps(template))
                operator.command("template", "add", file)
            url = f"http://{HOST_ADDRESS}:{proxy.listening_port}"
            append = f"console=ttyS0,115200 biosdevname=0 SERVER_ADDR={url} BOOTIF=01-{MAC} DEVELOPER=1"
            spec = MachineSpec(
                name="faults",
                disks=tuple(DiskSpec(name=f"d{number}", size_mib=320) for number in range(3)),
                nics=(NicSpec(mac=MAC),),
                boot=boot_image(image, append=append),
            )
            machine = scenario.add_machine(spec)
            machine.power_on()
            machine.wait_for_serial("waiting for an order", BOOT_DEADLINE_S)
            yield Bench(server, operator, machine, proxy)
        finally:
            proxy.close()


def run_cell(bench: Bench, template: str, fault: str, step: str) -> Cell:
    began = time.monotonic()
    cell = Cell(fault=fault, step=step, outcome="WRONG")
    try:
        bench.reach(bench.machine.spec.identity.serial, template, name_boundaries(template)[step])
        FAULTS[fault](bench)
        job = bench.wait_for_end()
        cell.reason = job["message"] if job["state"] != "done" else ""
        cell.outcome = {"done": "recovered", "failed": "failed", "refused": "failed"}.get(
            job["state"], "WRONG"
        )
        if fault in MUST_FAIL and cell.outcome == "recovered":
            cell.outcome = "WRONG"
        cell.lost, cell.doubled = bench.count_lost(), bench.count_doubled()
        if fault in AFTERWARDS:
            AFTERWARDS[fault](bench)
    except (BootosError, TimeoutError) as error:
        cell.outcome, cell.reason = "WRONG", f"{type(error).__name__}: {error}"
        bench.go_on()
    cell.seconds = round(time.monotonic() - began, 1)
    return cell


def run_matrix(bench: Bench, wanted: list[tuple[str, str]]) -> list[Cell]:
    """The first job makes what the others clear."""
    serial = bench.machine.spec.identity.serial
    assert bench.run_through(serial, "alpha")["state"] == "done"
    table: list[Cell] = []
    present = "alpha"
    for fault, step in wanted:
        template = BEFORE[present]
        cell = run_cell(bench, template, fault, step)
        table.append(cell)
        log.info("%s", cell)
        write_table(table, OUTPUT / "table.txt")
        # the next cell needs a machine on which all of the job's work is to be done
        if cell.outcome != "recovered":
            job = bench.run_through(serial, template)
            assert job["state"] == "done", job["message"]
        present = template
    return table


def test_every_fault_before_every_action_is_outlived_or_told(bench: Bench) -> None:
    table = run_matrix(bench, MATRIX)
    log.info("the fault matrix:\n%s", format_table(table))
    wrong = [cell for cell in table if cell.outcome == "WRONG" or cell.lost or cell.doubled]
    assert not wrong, format_table(wrong)
