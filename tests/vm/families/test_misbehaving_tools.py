"""Vendor tools that misbehave on a running machine: each job fails by the name of the array, setting or component, or
the hardware really is as wanted. All kinds on all tools are in tests/contract/test_knobs.py; here are the agent, the
server and a real reboot between them and the operator.
"""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from family import BIOS, DELL, DELL_SETTINGS, find_megaraid_arrays, get_silicon, read_bios_settings

from bootos.lab.machine import Machine
from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.spec import boot_image
from bootos.lab.vendor_tools.firmware_package import PROGRAM, build_package, list_history
from bootos.lab.vendor_tools.silicon import Knob

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(3600)]
log = logging.getLogger(__name__)

ARRAY = "os"
NEW = "2.19.1"
PACKAGE = build_package("bios", NEW)
RAID = {"clear": True, "arrays": [{"name": ARRAY, "level": 1, "drives": "0,1"}]}


class Case(msgspec.Struct, frozen=True):
    """What is asked, how the tool misbehaves, one of the names the message shall have, and how it looks when done."""

    section: str
    knob: Knob
    names: tuple[str, ...]
    is_wanted: Callable[[Machine], bool]


def has_array(machine: Machine) -> bool:
    found = find_megaraid_arrays(machine, machine.directory)
    return [(name, array.level, array.drives) for name, array in found.items()] == [(ARRAY, "1", 2)]


def has_settings(machine: Machine) -> bool:
    return read_bios_settings(*DELL_SETTINGS)(machine) == DELL_SETTINGS


def has_version(machine: Machine) -> bool:
    return list_history(get_silicon(machine)) == [NEW]


CASES = (
    Case("raid", Knob(tool="perccli64", when="add vd", kind="ignore"), (ARRAY,), has_array),
    Case("raid", Knob(tool="perccli64", when="add vd", kind="fail-half"), (ARRAY,), has_array),
    Case("raid", Knob(tool="perccli64", when="add vd", kind="junk"), (ARRAY,), has_array),
    Case("raid", Knob(tool="perccli64", when="add vd", kind="wrong-exit"), (ARRAY,), has_array),
    Case("bios", Knob(tool="racadm", when="set", kind="hang"), tuple(DELL_SETTINGS), has_settings),
    Case("bios", Knob(tool="racadm", when="create", kind="ignore"), tuple(DELL_SETTINGS), has_settings),
    Case("firmware", Knob(tool=PROGRAM, kind="ignore"), ("bios", "BIOS"), has_version),
    Case("firmware", Knob(tool=PROGRAM, kind="wrong-exit"), ("bios", "BIOS"), has_version),
)


def build_sections(files_url: str) -> dict[str, Any]:
    item = {
        "component": "bios",
        "version": NEW,
        "package": f"{files_url}/BIOS.BIN",
        "sha256": hashlib.sha256(PACKAGE).hexdigest(),
        "format": "dell-dup",
    }
    return {"raid": RAID, "bios": BIOS, "firmware": [item]}


def test_no_job_is_done_because_a_tool_says_so(image: Path, output: Path) -> None:
    rows: list[str] = []
    wrong: list[str] = []
    with Scenario(output / "run", needs=("machine", "bmc", "disk")) as scenario:
        boot_files = scenario.build_boot_files(image, DELL.spec)
        server = scenario.start_server(boot_files=boot_files)
        operator = Operator(server.data)
        words = f"console=ttyS0,115200 SERVER_ADDR={server.guest_url} DEVELOPER=1 {scenario.silicon_word}"
        kernel = boot_image(boot_files, append=words)
        machine = scenario.add_machine(msgspec.structs.replace(DELL.spec, boot=kernel))
        files = server.data / "files"
        files.mkdir(parents=True, exist_ok=True)
        (files / "BIOS.BIN").write_bytes(PACKAGE)
        for section, asked in build_sections(f"{server.guest_url}/bootos/files").items():
            path = scenario.directory / f"{section}.json"
            path.write_bytes(msgspec.json.encode({"name": section, section: asked}))
            operator.command("template", "add", path)
        machine.power_on()
        machine.wait_for_serial("waiting for an order", 600)
        for case in CASES:
            get_silicon(machine).knobs[:] = [case.knob]
            options = ("--machine", DELL.spec.identity.serial, "--template", case.section, "--no-reboot")
            created = operator.command("job", "create", *options)
            job = operator.wait_for_job(created["id"], ["done", "failed"], 900, machine=machine)
            rows.append(
                f"{case.knob.tool} {case.knob.when or '-'}, {case.knob.kind}: {job['state']}, {job['message']}"
            )
            log.info("%s", rows[-1])
            is_named = any(name in job["message"] for name in case.names)
            if not (case.is_wanted(machine) if job["state"] == "done" else is_named):
                wrong.append(rows[-1])
    log.info("misbehaving tools:\n%s", "\n".join(rows))
    assert not wrong
