"""Every golden output of a tool, shown by `bootos capture show --tool`, as a table.

`python tests/unit/engine/capturetable.py` prints it: the golden, the tool, what was understood of that one file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bootos.engine.capture.source import read_files
from bootos.engine.capture.understand import Understood, understand_tool
from bootos.wire.inventory import Inventory

GOLDEN = Path(__file__).parents[2] / "golden"
FOLDERS = {
    "drivers/raid.megaraid": "storcli",
    "drivers/raid.smartarray": "ssacli",
    "drivers/raid.adaptec": "arcconf",
    "drivers/raid.mvcli": "mvcli",
    "drivers/raid.sas3ircu": "sas3ircu",
    "drivers/oob.ipmi": "ipmitool-lan",
    "drivers/bios.sum": "sum",
    "drivers/bios.racadm": "racadm",
    "drivers/redfish": "redfish",
    "drivers/redfish.trees": "redfish",
    "drivers/disk.partition/nine-disks": "lsblk",
    "drivers/disk.partition/flat-list": "lsblk",
    "drivers/disk.nvme": "nvme",
    "drivers/raid.mdadm/building": "mdstat",
    "drivers/raid.mdadm/degraded": "mdstat",
    "drivers/raid.mdadm/levels": "mdstat",
    "drivers/raid.mdadm/read-only": "mdstat",
    "hardware/ipmitool": "ipmitool-lan",
    "hardware/mdadm": "mdadm-examine",
    "hardware/nvme": "nvme",
    "hardware/smartctl": "smartctl",
    "hardware/smbios": "dmidecode",
    "lab/mdadm-examine": "mdadm-examine",
}
# By the beginning of the file's name, where a folder holds outputs of several tools.
NAMES = {"detail-": "", "examine-": "mdadm-examine", "sfdisk-": "lsblk", "wipefs": "lsblk", "create-ns": ""}
# What says nothing of a machine: a refusal, a list of which nothing is read. A note says so.
NOTHING = frozenset(
    {
        "drivers/raid.megaraid/mr9660.jbod-fail.json",
        "drivers/raid.megaraid/perccli.no-controller.json",
        "drivers/raid.megaraid/storcli2.no-controller.json",
        "drivers/raid.megaraid/ucsc-m5hd.vall.json",
        "drivers/raid.adaptec/list-3204.txt",
        "drivers/raid.adaptec/status-build.txt",
        "drivers/raid.adaptec/status-none.txt",
        "drivers/raid.adaptec/status-rebuild.txt",
        "drivers/raid.adaptec/status-two-tasks.txt",
        "drivers/raid.sas3ircu/sas2008-raid1.status.txt",
        "drivers/raid.sas3ircu/sas2008-ready.status.txt",
        "drivers/oob.ipmi/channel-info-1.txt",
        "drivers/oob.ipmi/channel-info-15.txt",
        "drivers/bios.racadm/jobqueue-scheduled.txt",
        "drivers/disk.partition/nine-disks/sfdisk-md126.json",
        "drivers/disk.partition/nine-disks/wipefs-md126.json",
        "hardware/ipmitool/ipmi_sim-channel-info-1.txt",
    }
)


def list_goldens() -> Iterator[tuple[str, str]]:
    """(file below `golden`, tool)."""
    for folder, tool in FOLDERS.items():
        for file in sorted((GOLDEN / folder).glob("*.*")):
            own = next((other for begin, other in NAMES.items() if file.name.startswith(begin)), tool)
            if own:
                yield str(file.relative_to(GOLDEN)), own


def show(name: str, tool: str) -> Understood:
    """What is understood of this one file."""
    files, notes = read_files([GOLDEN / name])
    assert not notes
    return understand_tool(tool, files)


def tell(found: Understood) -> str:
    """What was understood, in counts; empty: nothing."""
    told = [*_tell_inventory(found.inventory), *_tell_states(found.states)]
    return ", ".join(told)


def _tell_inventory(inventory: Inventory) -> Iterator[str]:
    nothing = Inventory(collected_at="", identity=inventory.identity, notes=inventory.notes)
    for part in ("system", "board", "chassis", "bios", "bmc"):
        value = getattr(inventory, part)
        if value is not None and value not in (getattr(nothing, part), type(value)()):
            yield part
    if inventory.memory.dimms:
        yield f"{len(inventory.memory.dimms)} DIMM slots"
    if inventory.disks:
        healthy = sum(disk.health is not None for disk in inventory.disks)
        yield f"{len(inventory.disks)} disks" + (f", health of {healthy}" if healthy else "")
    for entry in inventory.raid:
        yield f"{entry.name}: {len(entry.arrays)} arrays, {len(entry.drives)} drives"


def _tell_states(states: dict[str, Any]) -> Iterator[str]:
    for driver, state in states.items():
        counts = {
            part: len(state[part])
            for part in (
                "controllers",
                "arrays",
                "blocks",
                "settings",
                "installed",
                "accounts",
                "users",
                "namespaces",
            )
            if state.get(part)
        }
        if counts:
            yield f"{driver}: " + ", ".join(f"{count} {part}" for part, count in counts.items())
        lan = state.get("lan") or {}
        if lan.get("address"):
            yield f"{driver}: LAN {lan['address']}"
        if (state.get("service") or {}).get("ciphers"):
            yield f"{driver}: {len(state['service']['ciphers']['suites'])} cipher suites"
        if state.get("interface"):
            yield f"{driver}: LAN {state['interface']['lan']['address']}"


def main() -> None:
    understood = 0
    rows = list(list_goldens())
    for name, tool in rows:
        found = show(name, tool)
        msgspec.json.encode(found)
        told = tell(found)
        understood += bool(told)
        notes = (
            f" [{len(found.notes)} notes]" if told else f"- {found.notes[0] if found.notes else 'NOTHING'}"
        )
        print(f"{name:64} {tool:14} {told}{notes}")
    print(f"{len(rows)} goldens, {understood} understood, {len(NOTHING)} that say nothing of a machine")


if __name__ == "__main__":
    main()
