"""What BootOS understands of a machine of which only some outputs are known: inventory, states of drivers, notes. The
readers are those that run on a machine.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bootos.drivers.bios.names import find_meanings
from bootos.drivers.bios.setting import Setting
from bootos.drivers.contract import Machine
from bootos.engine.capture import bios, block, health, ipmi, md, raidtext, redfish, smbios, storcli
from bootos.engine.capture.scene import Scene, SceneRunner
from bootos.engine.capture.source import FAILURES, RawFile
from bootos.engine.export import build_template
from bootos.engine.savedstate import leave_out
from bootos.errors import BootosError, read_chain
from bootos.hardware.inventory import collect_inventory
from bootos.template.check import read_template
from bootos.wire.inventory import Bmc, Inventory

TOOLS: dict[str, Callable[[list[RawFile]], Scene]] = {
    "storcli": storcli.build_scene,
    "perccli": storcli.build_scene,
    "ssacli": raidtext.build_ssacli,
    "arcconf": raidtext.build_arcconf,
    "mvcli": raidtext.build_mvcli,
    "sas3ircu": raidtext.build_sasircu,
    "mdstat": md.build_mdstat,
    "mdadm-examine": md.build_examine,
    "dmidecode": smbios.build_dmidecode,
    "lsblk": block.build_lsblk,
    "smartctl": health.build_smartctl,
    "nvme": health.build_nvme,
    "ipmitool-lan": ipmi.build_scene,
    "ipmitool-user": ipmi.build_scene,
    "ipmitool-mc": ipmi.build_scene,
    "sum": bios.build_sum,
    "racadm": bios.build_racadm,
    "redfish": redfish.build_scene,
}
"""The words of `--tool`, and who makes a machine of their outputs."""


class Understood(msgspec.Struct, kw_only=True):
    """`states` are plain values, by the names of the drivers that read them; `template` says in the words of a template
    what they hold, and `names` which BIOS settings its neutral names mean. `unread` says why a driver read nothing.
    `notes` are all sentences: what cannot be read, what is missing, what was found."""

    inventory: Inventory
    states: dict[str, Any] = {}
    unread: dict[str, str] = {}
    notes: list[str] = []
    template: dict[str, Any] = {}
    names: dict[str, Any] = {}


def understand_tool(tool: str, files: Sequence[RawFile]) -> Understood:
    """The raw outputs of one tool. Raises BootosError for a tool that is not known; never for what the files hold."""
    build = TOOLS.get(tool)
    if build is None:
        raise BootosError(f"{tool!r} is not a tool whose outputs are read", hint=", ".join(TOOLS))
    try:
        scene = build(list(files))
    except FAILURES as cause:
        scene = Scene(notes=[f"{', '.join(file.name for file in files)}: not understood: {_tell(cause)}."])
    return understand_scene(scene)


def understand_scene(scene: Scene) -> Understood:
    """Read the machine as `bootos-agent` would."""
    runner = SceneRunner(scene)
    with tempfile.TemporaryDirectory(prefix="bootos-capture-") as folder:
        root = Path(folder)
        nothing = _collect(root / "nothing", SceneRunner(Scene()))
        for path, data in scene.files.items():
            (root / "machine" / path).parent.mkdir(parents=True, exist_ok=True)
            (root / "machine" / path).write_bytes(data)
        inventory = _collect(root / "machine", runner)
        inventory.notes = [note for note in inventory.notes if note not in nothing.notes]
        inventory.system.vendor = inventory.system.vendor or scene.vendor or None
        inventory.bmc = inventory.bmc or (Bmc() if scene.resources else None)
        found = Understood(inventory=inventory)
        states = _read_states(scene, Machine(run=runner, root=root / "machine"), found)
    if scene.finish is not None:
        try:
            found.notes += scene.finish(inventory, states)
        except FAILURES as cause:
            found.notes.append(f"Not understood: {_tell(cause)}.")
    found.notes = list(dict.fromkeys([*inventory.notes, *found.notes, *scene.notes]))
    if (
        not found.notes
        and not found.states
        and msgspec.structs.replace(inventory, notes=nothing.notes) == nothing
    ):
        found.notes.append("Nothing is understood of it.")
    return make_readable(found)


def make_readable(found: Understood) -> Understood:
    """The same, without what nobody can write: halves of characters (`\\ud800` in JSON)."""
    try:
        msgspec.json.encode(found)
    except ValueError:
        return msgspec.convert(_replace_halves(msgspec.to_builtins(found)), Understood)
    return found


def add_names(found: Understood) -> None:
    """Which settings the neutral names of BIOS settings mean, by the states that hold settings."""
    for state in found.states.values():
        if "settings" in state and "vendor" in state:
            settings = msgspec.convert(state["settings"], list[Setting])
            found.names |= msgspec.to_builtins(find_meanings(settings, state["vendor"]))


def _replace_halves(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_replace_halves(key): _replace_halves(item) for key, item in value.items()}
    return [_replace_halves(item) for item in value] if isinstance(value, list | tuple) else value


def _collect(root: Path, runner: SceneRunner) -> Inventory:
    """The inventory, without what this host would say in the place of the machine."""
    root.mkdir(exist_ok=True)
    try:
        inventory = collect_inventory(root, runner)
    except FAILURES as cause:
        inventory = Inventory(collected_at="", notes=[f"The inventory is not read: {_tell(cause)}."])
    if not (root / "proc/sys/kernel/osrelease").exists():
        inventory.kernel = None
    if not (root / "proc/cpuinfo").exists():
        inventory.cpu.architecture = None
    inventory.collected_at = ""
    return inventory


def _read_states(scene: Scene, machine: Machine, found: Understood) -> dict[str, Any]:
    """The states by the names of their drivers; as plain values in `found`."""
    if scene.document:
        machine.template = read_template(scene.document)[0]
    machine.resources = scene.resources
    states: dict[str, Any] = {}
    pairs = []
    for driver in scene.drivers:
        try:
            with machine.looking():
                state = driver.read(machine, found.inventory)
            found.states[driver.name] = msgspec.to_builtins(state, enc_hook=leave_out, str_keys=True)
            states[driver.name] = state
            pairs.append((driver, state))
        except FAILURES as cause:
            found.unread[driver.name] = _tell(cause)
            found.notes.append(f"{driver.title} ({driver.name}): {_tell(cause)}.")
    try:
        add_names(found)
        template, _ = build_template(found.inventory, pairs)
        found.template = {
            key: part for key, part in template.items() if key not in ("name", "description", "expect")
        }
    except FAILURES as cause:
        found.notes.append(f"It cannot be said as a template: {_tell(cause)}.")
    return states


def _tell(cause: BaseException) -> str:
    return "; ".join(read_chain(cause)).strip().rstrip(".")[:2000]
