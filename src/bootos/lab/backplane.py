"""The virtual drives of a machine's controllers as disks of QEMU: plugged in and out while it runs, by QMP.

Used by `machine.Machine` and `qemu`. Each is a file `vd-NAME.raw` in the machine's directory, which tests read from
outside; it lives as long as the virtual drive.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bootos.lab.qmp import Qmp
from bootos.lab.vendor_tools.silicon import VirtualDrive

BUS = "backplane"
_UNPLUG_DEADLINE_S = 20.0
_WWN_LENGTH = len("0x") + 16  # QEMU's have 64 bits


def build_block_node(drive: VirtualDrive, path: Path) -> dict[str, Any]:
    """QEMU's block node for a drive's file."""
    return {
        "driver": "raw",
        "node-name": f"node-{drive.name}",
        # What was written to a raw file is in the host's page cache even when QEMU is killed, so syncs are not needed.
        "cache": {"no-flush": True},
        "discard": "unmap",
        "detect-zeroes": "unmap",
        "file": {"driver": "file", "filename": str(path), "discard": "unmap", "cache": {"no-flush": True}},
    }


def build_device(drive: VirtualDrive) -> dict[str, Any]:
    """QEMU's SCSI disk for a drive; SCSI has 8 characters for the vendor, 16 for the product. Of a world
    wide name of 128 bits the disk has the first half."""
    return {
        "driver": "scsi-hd",
        "id": f"vd-{drive.name}",
        "drive": f"node-{drive.name}",
        "bus": f"{BUS}.0",
        "wwn": int(drive.wwn[:_WWN_LENGTH], 16),
        "vendor": drive.vendor[:8],
        "product": drive.model[:16],
        "serial": drive.serial[:36],
    }


class QemuBackplane:
    """`find_qmp` is the way to the running QEMU; None while the machine is off."""

    def __init__(self, directory: Path, find_qmp: Callable[[], Qmp | None]) -> None:
        self.directory = directory
        self._find_qmp = find_qmp

    def find_path(self, name: str) -> Path:
        """The file that holds a virtual drive."""
        return self.directory / f"vd-{name}.raw"

    def plug(self, drive: VirtualDrive) -> None:
        """A new and empty disk appears."""
        path = self.find_path(drive.name)
        with path.open("wb") as file:
            file.truncate(drive.size_bytes)
        if (qmp := self._find_qmp()) is not None:
            qmp.execute("blockdev-add", build_block_node(drive, path.resolve()))
            qmp.execute("device_add", build_device(drive))

    def unplug(self, name: str) -> None:
        """The disk disappears, and what was on it is gone."""
        if (qmp := self._find_qmp()) is not None:
            seen = len(qmp.events)
            qmp.execute("device_del", {"id": f"vd-{name}"})
            qmp.wait_for_event("DEVICE_DELETED", _UNPLUG_DEADLINE_S, after=seen, device=f"vd-{name}")
            qmp.execute("blockdev-del", {"node-name": f"node-{name}"})
        self.find_path(name).unlink(missing_ok=True)
