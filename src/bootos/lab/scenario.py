"""Building blocks of a lab run: a directory, a server, BMCs and machines, all ended when the run ends.

Used by the demo, the VM tests, the benchmark and `bootos lab run`.
"""

import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from bootos.errors import BootosError
from bootos.lab.bmc import Bmc
from bootos.lab.layer import build_boot_files
from bootos.lab.loopback import HOST_ADDRESS
from bootos.lab.machine import Machine
from bootos.lab.network import BRIDGE, DHCP_RANGE, LabNetwork
from bootos.lab.preflight import Part, check_host
from bootos.lab.redfish import RedfishService
from bootos.lab.serial import SerialLine
from bootos.lab.server import LabServer
from bootos.lab.spec import MachineSpec
from bootos.lab.vendor_tools.catalog import TOOLS
from bootos.lab.vendor_tools.redfish import RedfishTool
from bootos.lab.vendor_tools.redfish_state import start_redfish
from bootos.lab.vendor_tools.service import SiliconService
from bootos.lab.vendor_tools.silicon import Silicon, SiliconSpec
from bootos.process import Child, start

SERIAL_CONSOLE = "console=ttyS0,115200"


def _raise_exit(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


class Scenario:
    """A run in `directory`, used as a context manager. It ends what it started, in reverse order, also after an error.
    After SIGKILL, QEMU and the other programs go on running.

    With `keep` an existing directory is used as it is; without it the directory is emptied first, if a run made it.
    """

    def __init__(
        self, directory: Path, *, keep: bool = False, needs: Sequence[Part] = ("machine", "pxe")
    ) -> None:
        self.directory = directory
        self._keep = keep
        self._needs = tuple(needs)
        self._ending = contextlib.ExitStack()
        self._silicon_service: SiliconService | None = None
        self._kernel: Path | None = None
        self._server: LabServer | None = None

    def __enter__(self) -> "Scenario":
        check_host(*self._needs)
        mark = self.directory / ".bootos-lab"
        if self.directory.exists() and not self._keep:
            if not mark.exists() and any(self.directory.iterdir()):
                raise BootosError(
                    f"{self.directory} is not empty and was not made by a lab run",
                    hint="name another directory",
                )
            shutil.rmtree(self.directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        mark.touch()
        self._end_on_signals()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def _end_on_signals(self) -> None:
        """Let SIGTERM and SIGHUP end the run as Ctrl-C does, through `__exit__`; only the main thread may ask so."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGHUP):
            before = signal.signal(number, _raise_exit)
            self._ending.callback(signal.signal, number, before)

    def start_server(
        self,
        *,
        boot_files: Path | None = None,
        append: str = "",
        arguments: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> LabServer:
        """Start `bootos serve` with its data in this run's directory and wait until it answers.

        `append` is added to the kernel's command line after SERIAL_CONSOLE.
        """
        server = self.prepare_server(boot_files=boot_files, arguments=arguments, env=env)
        server.add_arguments(
            "--public-url", server.guest_url, "--append", f"{SERIAL_CONSOLE} {append}".strip()
        )
        server.start()
        return server

    def add_network(self) -> LabNetwork:
        """A network of its own, in which `start_netboot_server` answers DHCP."""
        network = LabNetwork()
        self._ending.callback(network.close)
        return network

    def start_netboot_server(
        self, network: LabNetwork, *, boot_files: Path, append: str = "", arguments: Sequence[str] = ()
    ) -> LabServer:
        """`bootos serve --netboot` in that network, on port 80, giving out addresses."""
        self._kernel = boot_files / "vmlinuz"
        words = ["--netboot", BRIDGE, "--dhcp-range", DHCP_RANGE, "--boot-files", str(boot_files.resolve())]
        words += ["--append", f"{SERIAL_CONSOLE} {append}".strip(), *arguments]
        server = LabServer(self.directory / "server", arguments=words, network=network)
        self._server = server
        self._ending.callback(server.stop)
        server.start(deadline_s=600)
        return server

    def prepare_server(
        self,
        *,
        boot_files: Path | None = None,
        arguments: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> LabServer:
        """The server, not started: its address is known before, for arguments that need it."""
        words: list[str] = []
        if boot_files is not None:
            words = ["--boot-files", str(boot_files.resolve())]
            self._kernel = boot_files / "vmlinuz"
        server = LabServer(self.directory / "server", arguments=[*words, *arguments], env=env)
        self._server = server
        self._ending.callback(server.stop)
        return server

    def build_boot_files(self, image: Path, *specs: MachineSpec) -> Path:
        """A copy of an image's boot files in which the stand-ins of these machines are laid in."""
        check_host("layer")
        return build_boot_files(image, self.directory / "boot-files", specs)

    @property
    def silicon_word(self) -> str:
        """The word of the kernel's command line that tells stand-in programs where their silicon is."""
        return f"LAB_SILICON=http://{HOST_ADDRESS}:{self._serve_silicon().port}"

    def _serve_silicon(self) -> SiliconService:
        if self._silicon_service is None:
            self._silicon_service = SiliconService()
            self._ending.callback(self._silicon_service.close)
        return self._silicon_service

    def add_machine(
        self,
        spec: MachineSpec,
        *,
        tftp_root: Path | None = None,
        on_line: Callable[[SerialLine], None] | None = None,
        network: LabNetwork | None = None,
        is_known: bool = True,
    ) -> Machine:
        """Make a machine, still off, in a directory of its own; its BMC, if it has one, is started. `is_known`: it
        stands in the list of the run's server, if there is one, and is confirmed by that; else it is new there."""
        directory = self.directory / spec.name
        if self._server is not None and is_known:
            self._server.expect(spec)
        bmc = None
        if spec.bmc is not None:
            check_host("bmc")
            bmc = Bmc(spec.bmc, directory / "bmc", identity=spec.identity)
            self._ending.callback(bmc.stop)
            bmc.start()
        silicon = None
        if spec.silicon is not None or spec.redfish is not None:
            tools = (*TOOLS, RedfishTool())
            silicon = Silicon(spec.silicon or SiliconSpec(), directory / "silicon.json", tools=tools)
            self._serve_silicon().add(spec.identity.serial, silicon)
        redfish = None
        if spec.redfish is not None and silicon is not None:
            start_redfish(silicon, spec.redfish, spec.identity)
            redfish = RedfishService(silicon, tls=spec.redfish.tls)
            self._ending.callback(redfish.close)
        machine = Machine(
            spec,
            directory,
            tftp_root=tftp_root,
            bmc=bmc,
            on_line=on_line,
            silicon=silicon,
            redfish=redfish,
            network=network,
            kernel=self._kernel,
        )
        self._ending.callback(machine.power_off)
        return machine

    def at_end(self, end: Callable[[], object]) -> None:
        """Call `end` when the run ends, before what was started earlier is ended."""
        self._ending.callback(end)

    def start_process(self, argv: Sequence[str | os.PathLike[str]], *, name: str) -> Child:
        """Start another process of the run; its output goes to `<name>.log`."""
        child = start(argv, log_path=self.directory / f"{name}.log")
        self._ending.callback(child.stop)
        return child
