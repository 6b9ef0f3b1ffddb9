"""A lab machine that can be powered on, watched, typed to and broken: QEMU as a process, its serial line and QMP.

One `Machine` may be powered on again and again; its disks, its UEFI variables and its logs stay in its directory.
"""

import contextlib
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.lab.accelerator import Accelerator, AcceleratorChoice, LabHost
from bootos.lab.backplane import QemuBackplane
from bootos.lab.bmc import Bmc
from bootos.lab.capture import has_asked
from bootos.lab.control import MachineControl
from bootos.lab.disk_file import create_disk
from bootos.lab.emulator import Emulator, End, MachineEnded
from bootos.lab.firmware import create_variables, find_code
from bootos.lab.loadwatch import start_watch
from bootos.lab.loopback import HOST_ADDRESS
from bootos.lab.network import LabNetwork
from bootos.lab.qemu import RunPaths, build_argv
from bootos.lab.qmp import Event, Qmp, QmpEnded
from bootos.lab.redfish import RedfishService
from bootos.lab.serial import SerialLine, SerialLog
from bootos.lab.smbios import build_host_interface
from bootos.lab.spec import KernelBoot, MachineSpec, check_spec
from bootos.lab.vendor_tools.redfish_remote import find_boot_target, find_medium, use_up_override
from bootos.lab.vendor_tools.redfish_state import find_state
from bootos.lab.vendor_tools.silicon import Silicon

PXELINUX_GAVE_UP = "Boot failed: press a key to retry"
_PANICKED = "---[ end Kernel panic"  # Linux says so (kernel/panic.c) when it will not restart by itself
_FIRMWARE_BOOTS = re.compile(r"Booting from |BdsDxe: loading Boot")  # SeaBIOS's and OVMF's words

# How long it may take to find out how a run has ended; this includes a start anew with tcg.
_SETTLE_S = 60.0


class Machine(MachineControl):
    """A machine in `directory`. `tftp_root` is what its boot card loads from; `bmc` must be started by the caller.
    `kernel`: the image's, if it will boot one over the network; what accelerator is chosen depends on it.

    A machine that kvm fails before its guest asked a server anything is started anew with tcg, and a line that begins
    with `lab: ` says so; waits go on. When the machine ends for another reason, every wait ends."""

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
        kernel: Path | None = None,
        host: LabHost | None = None,
    ) -> None:
        check_spec(spec)
        super().__init__(spec)
        self.directory = directory
        self.tftp_root = tftp_root
        self.bmc = bmc
        self.on_line = on_line
        self.silicon = silicon
        self.redfish = redfish
        self.network = network
        self.kernel = kernel
        self.host = host or LabHost()
        self._tap = network.add_tap() if network is not None else ""
        self._backplane = QemuBackplane(directory, self._find_qmp)
        self._serial: SerialLog | None = None
        self._emulator: Emulator | None = None
        self._choice: AcceleratorChoice | None = None  # what it runs with, or ran with last
        self._remote = ("", "")
        self._power_ons = 0
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
        return self._emulator.qmp.events if self._emulator is not None else ()

    @property
    def pid(self) -> int | None:
        """QEMU's process id, or None when the machine is off."""
        return self._emulator.pid if self._emulator is not None else None

    @property
    def choice(self) -> AcceleratorChoice:
        """What QEMU runs it with, and why. Raises BootosError before the first power-on."""
        if self._choice is None:
            raise BootosError(f"{self.spec.name} was never powered on")
        return self._choice

    @property
    def accelerator(self) -> Accelerator:
        """What QEMU runs it with; see `choice`."""
        return self.choice.accelerator

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
        """Seconds since the last power-on (since the start anew, if there was one); 0 before the first."""
        return time.monotonic() - self._emulator.began if self._emulator is not None else 0.0

    def is_on(self) -> bool:
        """Whether QEMU runs, or is started anew."""
        return self._emulator is not None and self._emulator.end is None

    @property
    def end(self) -> End | None:
        """How it went off; None while it is on, and before the first power-on."""
        return self._emulator.end if self._emulator is not None else None

    def check_on(self) -> None:
        """Raises MachineEnded, with the reason and the last lines of the serial line, when the machine is not on."""
        if not self.is_on():
            why = self.end.words if self.end is not None else "it was never powered on"
            tail = (
                f"; its serial line ended with\n{self._serial.read_tail()}"
                if self._serial is not None
                else ""
            )
            raise MachineEnded(f"{self.spec.name}: {why}{tail}")

    def power_on(self) -> None:
        """Start QEMU; nothing happens when it runs. Raises BootosError with QEMU's words when it does not start."""
        if self._emulator is not None and self._emulator.pid is None:
            # QEMU has just ended, and the machine may be started anew
            self._emulator.wait_until_settled(_SETTLE_S)
        with self._switching:
            if self.is_on():
                return
            for disk in self.spec.disks:
                create_disk(disk, self.disk_path(disk.name))
            self._power_ons += 1
            self._emulator = None
            self._remote = self._read_remote()
            self._serial = SerialLog(
                self.directory / self._numbered("serial"),
                read_cpu_s=self.read_cpu_s,
                on_line=self._hear_line,
                find_end=lambda: self.end.words if self.end is not None else "",
            )
            self._start()
            if self.spec.boot_nic:
                number = self._power_ons
                start_watch(
                    self, self.serial, self.capture_path, lambda: self._power_ons == number and self.is_on()
                )
        # Without the lock: a tool that runs now may want to switch the machine, and the silicon waits for the tool.
        if self.silicon is not None:
            self.silicon.boot()

    def power_off(self) -> None:
        """Pull the plug: QEMU ends at once, the disks keep what was written."""
        with self._switching:
            if self._emulator is not None:
                self._emulator.stop()

    def wait_for_exit(self, deadline_s: float) -> int:
        """Wait up to `deadline_s` seconds until QEMU ended by itself (the guest powered off); returns its exit code.
        Raises BootosError when it still runs then, MachineEnded when it ended by an error."""
        until = time.monotonic() + deadline_s
        while (emulator := self._emulator) is not None:
            if not emulator.wait_until_settled(max(0.0, until - time.monotonic())):
                raise BootosError(f"{self.spec.name} (pid {emulator.pid}) still runs after {deadline_s:g} s")
            if (end := emulator.end) is not None:
                if end.kind != "off":
                    self.check_on()
                return end.code
        raise BootosError(f"{self.spec.name} is not on")

    def wait_for_serial(self, pattern: str, deadline_s: float, *, after: int = 0) -> SerialLine:
        """Wait for a line that matches; see `SerialLog.wait_for`."""
        return self.serial.wait_for(pattern, deadline_s, after=after)

    def wait_for_event(self, name: str, deadline_s: float, *, after: int = 0) -> Event:
        """Wait up to `deadline_s` seconds for an event of QEMU from number `after` on, as RESET. Raises BootosError
        when none came, MachineEnded when the machine went off meanwhile."""
        until = time.monotonic() + deadline_s
        while True:
            self.check_on()
            emulator = self._emulator
            assert emulator is not None
            try:
                return emulator.qmp.wait_for_event(name, max(0.0, until - time.monotonic()), after=after)
            except QmpEnded:
                emulator.wait_until_settled(_SETTLE_S)

    def type_text(self, text: str) -> None:
        """Type into the serial line, as to the shell there; a command ends with a newline."""
        self.serial.send(text)

    def read_cpu_s(self) -> float:
        """CPU seconds QEMU has used since it started; the last value when it has ended, 0 before the first start."""
        return self._emulator.read_cpu_s() if self._emulator is not None else 0.0

    def read_memory_bytes(self) -> dict[str, int]:
        """What QEMU's process holds on the host now and held at most: `resident`, `peak`. Raises BootosError."""
        self.check_on()
        return self._emulator.read_memory_bytes() if self._emulator is not None else {}

    def _numbered(self, name: str) -> str:
        """`name` for the first power-on, `name-2` for the second."""
        return name if self._power_ons <= 1 else f"{name}-{self._power_ons}"

    def _hear_line(self, line: SerialLine) -> None:
        """Pass a console line on. When PXELINUX gave up a load, press the key it asks for, as it would itself reset
        the machine after minutes: its TCP now and then loses a large load from QEMU's user network."""
        if PXELINUX_GAVE_UP in line.text:
            self.type_text("\r")
        if _PANICKED in line.text and self._emulator is not None:
            self._emulator.report_panic()
        if self.redfish is not None and _FIRMWARE_BOOTS.search(line.text):
            threading.Thread(
                target=self._use_up_override, args=[line.at_s], name="silicon", daemon=True
            ).start()
        if self.on_line is not None:
            self.on_line(line)

    def _hear_event(self, event: Event) -> None:
        """With a reset, what is pending in the silicon takes effect; in a thread, as the silicon may be at work."""
        if event.name == "RESET" and self.silicon is not None:
            threading.Thread(target=self.silicon.boot, name="silicon", daemon=True).start()

    def _find_qmp(self) -> Qmp | None:
        emulator = self._emulator
        return emulator.qmp if emulator is not None and emulator.pid is not None else None

    def _use_up_override(self, at_s: float) -> None:
        """Not with a RESET: firmware resets itself on its way, SeaBIOS twice for one reset from outside. `at_s` is
        when the firmware said what it boots: its line may be heard late."""
        assert self.silicon is not None and self._emulator is not None
        with contextlib.suppress(BootosError):  # the machine went off meanwhile
            use_up_override(self.silicon, find_state(self.silicon)["tree"], self._emulator.began + at_s)

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

    def _start(self) -> None:
        """Start QEMU with what the host is able to; with tcg where kvm cannot even start it."""
        self._choice = self._choice or self.host.judge(self._find_kernel())
        try:
            self._run(self.accelerator)
        except BootosError as error:
            if self.accelerator != "kvm":
                raise
            self._run("tcg")  # when this fails too, the reason is not kvm
            self._leave_kvm(str(error))

    def _run(self, accelerator: Accelerator) -> None:
        """Start QEMU and let go of the one before. Raises BootosError with its words when it does not start."""
        drives = self.silicon.block.drives if self.silicon is not None else {}

        def build(serial_socket: str, qmp_socket: str) -> list[str]:
            argv = build_argv(
                self.spec,
                self._find_paths(serial_socket, qmp_socket),
                accelerator=accelerator,
                drives={self._backplane.find_path(name).resolve(): drive for name, drive in drives.items()},
            )
            return [*(self.network.prefix if self.network else ()), *argv]

        self._emulator = Emulator(
            build,
            log_path=self.directory / "qemu.log",
            serial=self.serial,
            env=self.host.env,
            on_event=self._hear_event,
            on_end=self._hear_end,
            earlier=self.events,
        )
        for nic in self.spec.nics:
            if not nic.connected:
                self.cut_network(nic.mac)

    def _hear_end(self, emulator: Emulator, end: End) -> End | None:
        """Start again with tcg when kvm failed before the first request to a server; later it would be a power cut."""
        with self._switching:
            if end.kind != "error" or self.accelerator != "kvm" or self._emulator is not emulator:
                return end
            # Packets are recorded on the boot card. A machine without one may have asked as soon as its kernel ran.
            if has_asked(self.capture_path) if self.spec.boot_nic else self.serial.has("Linux version"):
                self.host.remember_failure(end.words)
                words = f"kvm failed after the machine's first request to the server: {end.words}"
                return msgspec.structs.replace(end, words=words)
            self._leave_kvm(end.words)
            try:
                self._run("tcg")
            except BootosError as error:
                return msgspec.structs.replace(end, words=f"{end.words}; then, with tcg: {error}")
            return None

    def _leave_kvm(self, words: str) -> None:
        """Use tcg from now on, for this machine and, remembered, on this host."""
        self._choice = AcceleratorChoice(accelerator="tcg", reason=f"kvm failed: {words}")
        self.host.remember_failure(words)
        self.serial.note(f"lab: kvm failed ({words}); the machine starts anew with tcg")

    def _find_kernel(self) -> Path | None:
        """The kernel that it will run, as far as that is known before."""
        return Path(self.spec.boot.kernel) if isinstance(self.spec.boot, KernelBoot) else self.kernel

    def _find_paths(self, serial_socket: str, qmp_socket: str) -> RunPaths:
        return RunPaths(
            serial_socket=serial_socket,
            qmp_socket=qmp_socket,
            kcs_socket=str(self.bmc.kcs_socket) if self.bmc is not None else "",
            sideband=self.bmc.sideband_directory if self.bmc is not None else "",
            tftp_root=str(self.tftp_root.resolve()) if self.tftp_root is not None else "",
            capture=str(self.capture_path.resolve()),
            disks={disk.name: str(self.disk_path(disk.name).resolve()) for disk in self.spec.disks},
            uefi_code=str(find_code(self.spec)),
            uefi_variables=str(create_variables(self.spec, self.directory).resolve()),
            host_interface=self._write_host_interface(),
            tap=self._tap,
            medium=str(Path(self.spec.medium).resolve()) if self.spec.medium else "",
            virtual_medium=self._remote[0],
            boot_target=self._remote[1],
        )
