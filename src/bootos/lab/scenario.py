"""Building blocks of a lab run: a directory, a server, BMCs and machines, all ended when the run ends.

Used by the demo, the VM tests, the benchmark and `bootos lab run`. The server is a process like any other; nothing
of it is imported.
"""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from bootos.errors import BootosError
from bootos.lab.bmc import LOOPBACK, Bmc, find_free_port
from bootos.lab.layer import build_boot_files
from bootos.lab.machine import Machine
from bootos.lab.network import BRIDGE, DHCP_RANGE, LabNetwork
from bootos.lab.preflight import Part, check_host
from bootos.lab.qemu import HOST_ADDRESS
from bootos.lab.redfish import RedfishService
from bootos.lab.serial import SerialLine
from bootos.lab.spec import MachineSpec
from bootos.lab.vendor_tools.catalog import TOOLS
from bootos.lab.vendor_tools.redfish import RedfishTool, start_redfish
from bootos.lab.vendor_tools.service import SiliconService
from bootos.lab.vendor_tools.silicon import Silicon, SiliconSpec
from bootos.process import Child, start
from bootos.waiting import wait_for

SERIAL_CONSOLE = "console=ttyS0,115200"

_SERVER_DEADLINE_S = 60.0


class LabServer:
    """A `bootos serve` process with its data in `data`. It can be killed and started again on the same port."""

    def __init__(
        self,
        data: Path,
        *,
        arguments: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        network: LabNetwork | None = None,
    ) -> None:
        self.data = data
        self.network = network
        self.port = find_free_port(socket.SOCK_STREAM) if network is None else 80
        self.log_path = data.parent / "server.log"
        self._arguments = tuple(arguments)
        self._env = dict(env or {})
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where the host reaches it (in its network, if it has one)."""
        if self.network is not None:
            return f"http://{self.network.address}"
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def guest_url(self) -> str:
        """Where a lab machine reaches it."""
        if self.network is not None:
            return self.url
        return f"http://{HOST_ADDRESS}:{self.port}"

    @property
    def tftp_root(self) -> Path:
        """The directory the server lays out for PXE."""
        return self.data / "tftp"

    @property
    def pid(self) -> int | None:
        """The process id, or None when it does not run."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def add_arguments(self, *words: str) -> None:
        """More words for the command line of the next start."""
        self._arguments = (*self._arguments, *words)

    def start(self, *, deadline_s: float = _SERVER_DEADLINE_S) -> None:
        """Start it and wait until it answers HTTP. Raises BootosError with the end of its log."""
        argv = [*(self.network.prefix if self.network else ()), sys.executable, "-m", "bootos.cli", "serve"]
        argv += ["--data", str(self.data)]
        argv += ["--listen", f"{LOOPBACK}:{self.port}"] if self.network is None else []
        argv += self._arguments
        self._child = start(argv, log_path=self.log_path, env={"PYTHONUNBUFFERED": "1", **self._env})
        child = self._child

        def is_up() -> bool:
            if child.poll() is not None:
                raise BootosError(f"the server ended with exit code {child.poll()}: {self._read_log_end()}")
            if self.network is not None:  # it cannot be asked from here, but says when it can be
                return "listening on http" in self._read_log_end()
            return is_answering(self.url)

        try:
            wait_for(is_up, deadline_s, what=f"an answer from the server at {self.url}")
        except BootosError:
            self.stop()
            raise

    def stop(self) -> None:
        """Ask it to end, and see that it does."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL, no farewell."""
        if self._child is not None:
            self._child.signal(signal.SIGKILL)
            self._child.wait(10)
            self._child = None

    def _read_log_end(self) -> str:
        if not self.log_path.exists():
            return "it said nothing"
        return self.log_path.read_text(errors="replace").strip()[-2000:] or "it said nothing"


def is_answering(url: str) -> bool:
    """Whether something answers HTTP there, with whatever status."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except (OSError, http.client.HTTPException):
        return False


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
    ) -> Machine:
        """Make a machine, still off, in a directory of its own; its BMC, if it has one, is started."""
        directory = self.directory / spec.name
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
