"""`firmware.fwupd`: cabinets (.cab) by fwupdtool, from a local file: no daemon, no D-Bus, no internet.

fwupd knows the devices, their versions and whether a reboot is needed; the parts of the machine that it does not know
are listed too, so that the plan can say so. fwupdtool(1): exit codes 0 done, 1 failed, 2 nothing to do, 3 not found.
"""

import json
import logging
from collections.abc import Sequence
from typing import Any

from bootos.drivers.contract import Action, DriverError, Forecast, Machine, Planned
from bootos.drivers.firmware.download import fetched_package
from bootos.drivers.firmware.flasher import ProgramFlasher
from bootos.drivers.firmware.plan import Hop, Recipe, plan_firmware
from bootos.drivers.firmware.settle import MOST_S, USUAL_S, tell_hop
from bootos.drivers.firmware.state import FirmwareState, Installed
from bootos.drivers.firmware.version import compare_versions
from bootos.errors import Problem
from bootos.process import Completed, ToolError
from bootos.template.firmware import Component, FirmwareWanted
from bootos.template.model import Template
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)

PROGRAM = "fwupdtool"
READ_TIMEOUT_S = 180.0
# An update by these plugins may be repeated after it was interrupted. A capsule is only stored until the reboot. An
# NVMe drive stores firmware in a slot, and commits it in one step (NVM Express, Firmware Commit).
SAFE_PLUGINS = ("uefi_capsule", "nvme")
# Components by plugin. Those of `redfish` and `uefi_capsule` are found by their names.
PLUGINS: dict[str, Component] = {
    "nvme": "drive",
    "ata": "drive",
    "scsi": "drive",
    "bcm57xx": "nic",
    "bnxt": "nic",
    "mlx": "nic",
}
EXIT_MEANINGS = {2: "fwupd found nothing to do", 3: "the device is not there"}


class FwupdDriver(ProgramFlasher):
    name = "firmware.fwupd"
    section = "firmware.fwupd"
    title = "Firmware by fwupd"
    method = "fwupd"
    program = PROGRAM
    layer = "fwupd"
    why = "cabinets are fwupd's"

    def read(self, machine: Machine, inventory: Inventory) -> FirmwareState:
        state = super().read(machine, inventory)
        if state.obstacle:
            return state
        done = machine.run([PROGRAM, "get-devices", "--json"], timeout_s=READ_TIMEOUT_S, check=False)
        if done.returncode not in (0, 2):
            state.obstacle = f"fwupd cannot list the devices: {find_reason(done)}"
            return state
        try:
            state.installed = add_devices(state.installed, parse_devices(done.stdout))
        except ValueError as cause:
            state.obstacle = f"{PROGRAM} printed something else than its devices: {cause}"
        return state

    def plan(
        self, state: FirmwareState, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        return plan_firmware(self.name, self.method, state, template.firmware, build_recipe)

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        hop: Hop = action.detail
        with fetched_package(machine, hop.package) as path:
            for part in hop.parts:
                words = [PROGRAM, "install", str(path), part.target or "", "--no-reboot-check", "--json"]
                if compare_versions(hop.package.version, part.version or "", hop.component) == -1:
                    words.append("--allow-older")
                try:
                    done = machine.run(words, timeout_s=hop.recipe.timeout_s, check=False)
                except ToolError as cause:
                    raise DriverError(f"{tell_hop(hop)}: fwupd did not come to an end: {cause}") from cause
                if done.returncode != 0:
                    raise DriverError(f"{tell_hop(hop)}: {part.title}: fwupd says: {find_reason(done)}")


def build_recipe(item: FirmwareWanted, parts: Sequence[Installed]) -> Recipe | Problem:
    """How fwupd takes an item. Pure."""
    unknown = [part.title for part in parts if part.target is None]
    if unknown:
        message = f"fwupd knows no updatable device for {', '.join(unknown)}"
        return Problem(path="method", message=message, hint="fwupdtool get-devices lists what it knows")
    if any("needs-shutdown" in part.traits for part in parts):
        message = "takes effect only when the machine is switched off, which a job does not do"
        return Problem(path="method", message=message)
    return Recipe(
        reboot=any("needs-reboot" in part.traits for part in parts) if item.reboot is None else item.reboot,
        estimate_s=USUAL_S[item.component],
        timeout_s=float(item.timeout_s or MOST_S[item.component]),
        resumable=all(any(f"plugin:{name}" in part.traits for name in SAFE_PLUGINS) for part in parts),
    )


def parse_devices(text: str) -> list[Installed]:
    """The devices of `fwupdtool get-devices --json` that can be updated and are a component. Raises ValueError."""
    start = text.find("{")  # some versions print other text before the JSON
    found, _ = json.JSONDecoder().raw_decode(text[max(start, 0) :])
    if not isinstance(found, dict) or not isinstance(found.get("Devices", []), list):
        raise ValueError("there is no list of devices")
    parts = []
    for device in [entry for entry in found.get("Devices", []) if isinstance(entry, dict)]:
        component = find_component(device)
        if component is None or "updatable" not in device.get("Flags", []):
            continue
        serial = device.get("Serial") or ""
        known = f"drive:{serial}" if component == "drive" and serial else ""
        parts.append(
            Installed(
                component=component,
                id=component if component in ("bios", "bmc") else known or f"fwupd:{device['DeviceId']}",
                title=str(device.get("Name") or component),
                version=device.get("Version"),
                source="fwupd",
                model=device.get("Name"),
                target=device["DeviceId"],
                traits=[f"plugin:{device.get('Plugin')}", *device["Flags"]],
            )
        )
    return parts


def find_component(device: dict[str, Any]) -> Component | None:
    """The component of the template that a device of `fwupdmgr get-devices --json` is; None: none of them."""
    plugin, name = device.get("Plugin"), str(device.get("Name") or "").lower()
    if plugin == "uefi_capsule":
        return "bios" if name == "system firmware" else None
    if plugin == "redfish":
        if any(word in name for word in ("bmc", "idrac", "ilo", "xcc")):
            return "bmc"
        return "bios" if any(word in name for word in ("bios", "uefi", "system rom")) else None
    return PLUGINS.get(str(plugin))


def add_devices(installed: Sequence[Installed], devices: Sequence[Installed]) -> list[Installed]:
    """What fwupd says of the parts it knows, in the place of what else was read of them; the same id is the same
    part. NICs cannot be told apart by what it says: if it knows any, they are the ones."""
    known = {device.id: device for device in devices}
    names_nics = any(device.component == "nic" for device in devices)
    whole: list[Installed] = []
    for part in installed:
        device = known.pop(part.id, None)
        if device is not None:
            part.version, part.source = device.version, device.source
            part.target, part.traits = device.target, device.traits
        if part.component != "nic" or not names_nics:
            whole.append(part)
    return whole + list(known.values())


def find_reason(done: Completed) -> str:
    """Why fwupd refused, in its words."""
    for text in (done.stdout, done.stderr):
        start = text.find("{")
        try:
            found = json.JSONDecoder().raw_decode(text[start:])[0] if start >= 0 else {}
        except ValueError:
            continue
        error = found.get("Error") if isinstance(found, dict) else None
        if isinstance(error, dict) and error.get("Message"):
            return str(error["Message"])
    said = " ".join((done.stderr.strip() or done.stdout.strip()).split())[-400:]
    meaning = EXIT_MEANINGS.get(done.returncode, f"exit code {done.returncode}")
    return f"{meaning}: {said}" if said else meaning
