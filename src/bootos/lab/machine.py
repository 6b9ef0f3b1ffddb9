"""A lab machine that can be powered on, watched, typed to and broken: QEMU as a process, its serial line and QMP.

One `Machine` may be powered on again and again; its disks, its UEFI variables and its logs stay in its directory.
"""

import contextlib
import os
import re
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bootos.errors import BootosError
from bootos.lab.accelerator import choose_accelerator
from bootos.lab.backplane import QemuBackplane
from bootos.lab.bmc import Bmc
from bootos.lab.chassis import Chassis
from bootos.lab.network import LabNetwork
from bootos.lab.qemu import (
    HOST_ADDRESS,
    VIRTUAL_CD,
    RunPaths,
    build_argv,
    build_host_interface,
    find_boot_order,
)
from bootos.lab.qmp import Event, Qmp
from bootos.lab.redfish import RedfishService
from bootos.lab.serial import SerialLine, SerialLog
from bootos.lab.spec import DiskSpec, MachineSpec, check_spec
from bootos.lab.vendor_tools.redfish import find_state
from bootos.lab.vendor_tools.redfish_remote import find_boot_target, find_medium, use_up_override
from bootos.lab.vendor_tools.silicon import Silicon
from bootos.process import Child, run, start

UEFI_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
UEFI_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
SECURE_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd")
SECURE_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.ms.fd")

PXELINUX_GAVE_UP = "Boot failed: press a key to retry"
_FIRMWARE_BOOTS = re.compile(r"Booting from |BdsDxe: loading Boot")  # SeaBIOS's and OVMF's words

_CONNECT_DEADLINE_S = 30.0
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Machine(Chassis):
    """A machine in `directory`. `tftp_root` is what its boot card loads from; `bmc` must be started by the caller."""

    def __init__(
        self,
        spec: MachineSpec,
        directory: Path,
        *,
        tftp_root: Path | None = None,
        bmc: Bmc | None = None,
        on_line: Callable[[SerialLine], None] | None = None,
        silicon: Silicon | None = None,
        redfish: RedfishService | None = None,
        network: LabNetwork | None = None,
    ) -> None:
        check_spec(spec)
        self.spec = spec
        self.directory = directory
        self.tftp_root = tftp_root
        self.bmc = bmc
        self.on_line = on_line
        self.silicon = silicon
        self.redfish = redfish
        self.network = network
        self._tap = network.add_tap() if network is not None else ""
        self._backplane = QemuBackplane(directory, lambda: self._qmp if self.is_on() else None)
        self._child: Child | None = None
        self._serial: SerialLog | None = None
        self._qmp: Qmp | None = None
        self._began = 0.0
        self._power_ons = 0
        self._switching = threading.RLock()
        self._last_cpu_s = 0.0
        directory.mkdir(parents=True, exist_ok=True)
        if bmc is not None:
            bmc.chassis = self
        if silicon is not None:
            silicon.block.backplane = self._backplane
            silicon.chassis = self

    @property
    def serial(self) -> SerialLog:
        """The serial line since the last power-on; still readable after the machine went off."""
        if self._serial is None:
            raise BootosError(f"{self.spec.name} was never powered on")
        return self._serial

    @property
    def events(self) -> tuple[Event, ...]:
        """What QEMU told since the last power-on (RESET for each reboot, SHUTDOWN, ...)."""
        return self._qmp.events if self._qmp is not None else ()

    @property
    def pid(self) -> int | None:
        """QEMU's process id, or None when the machine is off."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    @property
    def capture_path(self) -> Path:
        """The packets of the boot card since the last power-on, for `capture.read_capture`."""
        return self.directory / f"{self._numbered('boot-nic')}.pcap"

    def disk_path(self, name: str) -> Path:
        """The file that holds a disk. Raises BootosError for a disk that is not in the specification."""
        disk = self._find_disk(name)
        return Path(disk.path) if disk.path else self.directory / f"{disk.name}.{disk.format}"

    def virtual_drive_path(self, name: str) -> Path:
        """The file that holds a virtual drive of a stand-in controller."""
        return self._backplane.find_path(name)

    def elapsed_s(self) -> float:
        """Seconds since the last power-on."""
        return time.monotonic() - self._began

    def is_on(self) -> bool:
        """Whether QEMU runs."""
        return self.pid is not None

    def power_on(self) -> None:
        """Start QEMU; nothing happens when it runs. Raises BootosError with QEMU's words when it does not start."""
        with self._switching:
            if self.is_on():
                return
            self._close()
            self._create_files()
            with tempfile.TemporaryDirectory(prefix="bootos-lab-") as sockets:
                self._start(Path(sockets))
        if self.silicon is not None:  # not while switching: a tool that is at work may want to switch
            self.silicon.boot()

    def power_off(self) -> None:
        """Pull the plug: QEMU ends at once, the disks keep what was written."""
        with self._switching:
            if self._child is not None:
                self._last_cpu_s = self.read_cpu_s()
                self._child.stop(grace_s=0.0)
            self._close()

    def press_power_button(self) -> None:
        """Send the ACPI power button; what the guest does with it is its affair."""
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
            free = dict.fromkeys(order, -1)  # first, as an index that is taken is refused, also to its owner
            for device, index in (*free.items(), *((name, i) for name, i in order.items() if i >= 0)):
                path = f"/machine/peripheral/{device}"
                self._ask("qom-set", path=path, property="bootindex", value=index)

    def wait_for_exit(self, deadline_s: float) -> int:
        """Wait until QEMU ended by itself (the guest powered off); returns its exit code. Raises ToolError."""
        if self._child is None:
            raise BootosError(f"{self.spec.name} is not on")
        code = self._child.wait(deadline_s)
        with self._switching:
            self._close()
        return code

    def wait_for_serial(self, pattern: str, deadline_s: float, *, after: int = 0) -> SerialLine:
        """Wait for a line that matches; see `SerialLog.wait_for`."""
        return self.serial.wait_for(pattern, deadline_s, after=after)

    def wait_for_event(self, name: str, deadline_s: float, *, after: int = 0) -> Event:
        """Wait for an event of QEMU from number `after` on, as RESET."""
        return self._need_qmp().wait_for_event(name, deadline_s, after=after)

    def type_text(self, text: str) -> None:
        """Type into the serial line, as to the shell there; a command ends with a newline."""
        self.serial.send(text)

    def press_keys(self, *keys: str) -> None:
        """Press keys of the keyboard together, by QEMU's names (`ctrl`, `alt`, `f12`, `ret`)."""
        self._ask("send-key", keys=[{"type": "qcode", "data": key} for key in keys])

    def dump_screen(self, path: Path) -> None:
        """Write the screen as PPM to `path`; the machine needs `display = "vga"`."""
        self._ask("screendump", filename=str(path.resolve()))

    def read_status(self) -> str:
        """QEMU's run state: `running`, `shutdown`, `guest-panicked`, ..."""
        return str(self._ask("query-status")["status"])

    def read_cpu_s(self) -> float:
        """CPU seconds QEMU has used since it started; the last value when it has ended."""
        if (pid := self.pid) is not None:
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                self._last_cpu_s = (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS
            except (OSError, IndexError):
                pass  # it ended between the two
        return self._last_cpu_s

    def read_registers(self) -> str:
        """The processor's registers, as QEMU's monitor prints them."""
        return str(self._ask("human-monitor-command", **{"command-line": "info registers"}))

    def read_memory_bytes(self) -> dict[str, int]:
        """What QEMU's process holds on the host now and held at most: `resident`, `peak`. Raises BootosError."""
        if (pid := self.pid) is None:
            raise BootosError(f"{self.spec.name} is not on")
        names = {"VmRSS": "resident", "VmHWM": "peak"}
        lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return {names[words[0][:-1]]: int(words[1]) * 1024 for words in lines if words[0][:-1] in names}

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

    def _numbered(self, name: str) -> str:
        """`name` for the first power-on, `name-2` for the second."""
        return name if self._power_ons <= 1 else f"{name}-{self._power_ons}"

    def _hear_line(self, line: SerialLine) -> None:
        """Pass a console line on. When PXELINUX gave up a load, press the key it asks for, as it would itself reset
        the machine after minutes: its TCP now and then loses a large load from QEMU's user network."""
        if PXELINUX_GAVE_UP in line.text:
            self.type_text("\r")
        if self.redfish is not None and _FIRMWARE_BOOTS.search(line.text):
            threading.Thread(target=self._use_up_override, name="silicon", daemon=True).start()
        if self.on_line is not None:
            self.on_line(line)

    def _hear_event(self, event: Event) -> None:
        """With a reset, what is pending in the silicon takes effect; in a thread, as the silicon may be at work."""
        if event.name == "RESET" and self.silicon is not None:
            threading.Thread(target=self.silicon.boot, name="silicon", daemon=True).start()

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
        if self._qmp is None or not self.is_on():
            raise BootosError(f"{self.spec.name} is off")
        return self._qmp

    def _ask(self, command: str, **arguments: Any) -> Any:
        return self._need_qmp().execute(command, arguments)

    def _create_files(self) -> None:
        for disk in self.spec.disks:
            path = self.disk_path(disk.name)
            if path.exists():
                continue
            if disk.path:
                raise BootosError(f"disk {disk.name}: {disk.path} does not exist")
            if disk.format == "raw":
                with path.open("wb") as file:
                    file.truncate(disk.size_mib * 1024**2)
            else:
                run(["qemu-img", "create", "-q", "-f", disk.format, path, f"{disk.size_mib}M"])
        variables = self.directory / "uefi-variables.fd"
        if self.spec.firmware != "bios" and not variables.exists():
            secure = self.spec.firmware == "uefi-secure"
            shutil.copyfile(SECURE_VARIABLES if secure else UEFI_VARIABLES, variables)

    def _use_up_override(self) -> None:
        """Not with a RESET: firmware resets itself on its way, SeaBIOS twice for one reset from outside."""
        assert self.silicon is not None
        with contextlib.suppress(BootosError):  # the machine went off meanwhile
            use_up_override(self.silicon, find_state(self.silicon)["tree"])

    def _read_remote(self) -> tuple[str, str]:
        """The ISO in the BMC's drive and what the BMC wants booted; empty: none, and the usual."""
        if self.silicon is None or self.redfish is None:
            return "", ""
        tree = find_state(self.silicon)["tree"]
        medium = find_medium(self.silicon, tree)
        return str(medium.resolve()) if medium is not None else "", find_boot_target(tree)

    def _write_host_interface(self) -> str:
        """The file with the SMBIOS structure that tells the guest where its Redfish service is; empty: it has none."""
        if self.redfish is None:
            return ""
        path = self.directory / "smbios-42.bin"
        path.write_bytes(build_host_interface(HOST_ADDRESS, self.redfish.port))
        return str(path.resolve())

    def _start(self, sockets: Path) -> None:
        self._power_ons += 1
        virtual_medium, boot_target = self._read_remote()
        paths = RunPaths(
            serial_socket=str(sockets / "serial"),
            qmp_socket=str(sockets / "qmp"),
            kcs_socket=str(self.bmc.kcs_socket) if self.bmc is not None else "",
            tftp_root=str(self.tftp_root.resolve()) if self.tftp_root is not None else "",
            capture=str(self.capture_path.resolve()),
            disks={disk.name: str(self.disk_path(disk.name).resolve()) for disk in self.spec.disks},
            uefi_code=str(SECURE_CODE if self.spec.firmware == "uefi-secure" else UEFI_CODE),
            uefi_variables=str((self.directory / "uefi-variables.fd").resolve()),
            host_interface=self._write_host_interface(),
            tap=self._tap,
            medium=str(Path(self.spec.medium).resolve()) if self.spec.medium else "",
            virtual_medium=virtual_medium,
            boot_target=boot_target,
        )
        drives = self.silicon.block.drives if self.silicon is not None else {}
        argv = build_argv(
            self.spec,
            paths,
            accelerator=choose_accelerator(),
            drives={self._backplane.find_path(name).resolve(): drive for name, drive in drives.items()},
        )
        log_path = self.directory / "qemu.log"
        with _listen(sockets / "serial") as serial, _listen(sockets / "qmp") as qmp:
            self._began = time.monotonic()
            self._last_cpu_s = 0.0
            child = start([*(self.network.prefix if self.network else ()), *argv], log_path=log_path)
            until = self._began + _CONNECT_DEADLINE_S
            serial_connection = _accept(serial, child, until)
            qmp_connection = _accept(qmp, child, until)
        self._serial = SerialLog(
            serial_connection,
            self.directory / self._numbered("serial"),
            began=self._began,
            read_cpu_s=self.read_cpu_s,
            on_line=self._hear_line,
        )
        try:
            self._qmp = Qmp(qmp_connection, began=self._began, on_event=self._hear_event)
        except BootosError as cause:
            child.stop()
            raise BootosError(f"QEMU did not start: {_read_end(log_path)}") from cause
        self._child = child  # the last, so that a machine that is on has its serial line
        for nic in self.spec.nics:
            if not nic.connected:
                self.cut_network(nic.mac)

    def _close(self) -> None:
        """Let go of the connections of a QEMU that has ended; the serial lines stay readable."""
        if self._serial is not None:
            self._serial.close()
        if self._qmp is not None:
            self._qmp.close()
        self._child = None


def _accept(listener: socket.socket, child: Child, until: float) -> socket.socket:
    """QEMU's connection. Raises BootosError with QEMU's words when it ended, and ends it when it is too slow."""
    while True:
        try:
            connection, _ = listener.accept()
        except TimeoutError as cause:
            if child.poll() is None and time.monotonic() < until:
                continue
            child.stop(grace_s=0.0)
            words = _read_end(child.log_path) if child.log_path is not None else ""
            raise BootosError(f"QEMU did not start: {words}") from cause
        connection.settimeout(None)
        return connection


def _read_end(path: Path) -> str:
    """The end of a log, for an error message."""
    return path.read_text(errors="replace").strip()[-1000:] or "it said nothing"


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    listener.settimeout(0.1)
    return listener
