"""What is done to a machine that is on, over QMP: its buttons, the virtual CD, the order of boot, cables and disks.

A part of `machine.Machine`, which knows how to reach QEMU.
"""

import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from bootos.errors import BootosError
from bootos.lab.chassis import Chassis
from bootos.lab.qemu import VIRTUAL_CD, find_boot_order
from bootos.lab.qmp import Qmp
from bootos.lab.spec import DiskSpec, MachineSpec


class MachineControl(Chassis, ABC):
    """The controls of a machine. Raises BootosError when the machine is off; the methods of `Chassis` for its virtual
    CD and its order of boot do nothing then."""

    def __init__(self, spec: MachineSpec) -> None:
        self.spec = spec
        self._switching = threading.RLock()  # held by whoever switches the machine on or off

    @abstractmethod
    def _find_qmp(self) -> Qmp | None:
        """The connection to the QEMU that runs; None when none does."""

    def press_power_button(self) -> None:
        """Press the ACPI power button; the guest decides what follows."""
        self._ask("system_powerdown")

    def reset(self) -> None:
        """Press the reset button."""
        self._ask("system_reset")

    def insert_medium(self, path: Path) -> None:
        """See `Chassis`."""
        with self._switching:
            if self.is_on():
                how = {"format": "raw", "read-only-mode": "read-only", "force": True}
                self._ask("blockdev-change-medium", id=VIRTUAL_CD, filename=str(path.resolve()), **how)

    def eject_medium(self) -> None:
        """See `Chassis`."""
        with self._switching:
            if self.is_on():
                self._ask("eject", id=VIRTUAL_CD, force=True)

    def set_boot_device(self, target: str) -> None:
        """See `Chassis`."""
        with self._switching:
            if not self.is_on():
                return
            order = find_boot_order(self.spec, target)
            # QEMU refuses an index that is in use, even for the device that has it: so all are taken away first.
            free = dict.fromkeys(order, -1)
            for device, index in (*free.items(), *((name, i) for name, i in order.items() if i >= 0)):
                path = f"/machine/peripheral/{device}"
                self._ask("qom-set", path=path, property="bootindex", value=index)

    def read_status(self) -> str:
        """QEMU's run state: `running`, `shutdown`, `guest-panicked`, ..."""
        return str(self._ask("query-status")["status"])

    def read_registers(self) -> str:
        """The processor's registers, as QEMU's monitor prints them."""
        return str(self._ask("human-monitor-command", **{"command-line": "info registers"}))

    def cut_network(self, mac: str) -> None:
        """Pull the cable of a card."""
        self._set_link(mac, up=False)

    def restore_network(self, mac: str) -> None:
        """Plug the cable of a card in again."""
        self._set_link(mac, up=True)

    def remove_disk(self, name: str, *, deadline_s: float = 20.0) -> None:
        """Take a disk away from the running machine. virtio, nvme and scsi disks disappear from the guest; a sata disk
        stays and fails every request from then on."""
        disk = self._find_disk(name)
        qmp = self._need_qmp()
        if disk.bus == "sata":
            qmp.execute("human-monitor-command", {"command-line": f"drive_del drive-{name}"})
            return
        seen = len(qmp.events)
        qmp.execute("device_del", {"id": name})
        qmp.wait_for_event("DEVICE_DELETED", deadline_s, after=seen, device=name)

    def _find_disk(self, name: str) -> DiskSpec:
        for disk in self.spec.disks:
            if disk.name == name:
                return disk
        known = ", ".join(disk.name for disk in self.spec.disks) or "none"
        raise BootosError(f"{self.spec.name} has no disk {name!r}", hint=f"its disks: {known}")

    def _set_link(self, mac: str, *, up: bool) -> None:
        for index, nic in enumerate(self.spec.nics):
            if nic.mac == mac:
                self._ask("set_link", name=f"nic{index}", up=up)
                return
        raise BootosError(f"{self.spec.name} has no card {mac}")

    def _need_qmp(self) -> Qmp:
        if (qmp := self._find_qmp()) is None:
            raise BootosError(f"{self.spec.name} is off")
        return qmp

    def _ask(self, command: str, **arguments: Any) -> Any:
        return self._need_qmp().execute(command, arguments)
