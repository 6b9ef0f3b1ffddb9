"""The server of a lab run: `bootos serve` as a process like any other; nothing of it is imported."""

import csv
import http.client
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from bootos.errors import BootosError
from bootos.files import read_json
from bootos.lab.loopback import HOST_ADDRESS, LOOPBACK, find_free_port
from bootos.lab.network import LabNetwork
from bootos.lab.operator import Operator
from bootos.lab.spec import MachineSpec
from bootos.process import Child, start
from bootos.waiting import wait_for
from bootos.wire.identity import choose_identity

_DEADLINE_S = 60.0


class LabServer:
    """A `bootos serve` process with its data in `data`. It can be killed and started again on the same ports.

    Whom it takes for a machine it decides as everywhere: a machine is confirmed by its row of an operator's list
    (`expect`), or else it is new."""

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
        self.tls_port = find_free_port(socket.SOCK_STREAM) if network is None else 443
        self.log_path = data.parent / "server.log"
        self._arguments = tuple(arguments)
        self._env = dict(env or {})
        self._child: Child | None = None
        self._expected: dict[str, tuple[str, ...]] = {}  # the MACs of each machine, by what it is known by
        self._is_told = True

    @property
    def url(self) -> str:
        """Where the host reaches it (in its network, if it has one)."""
        if self.network is not None:
            return f"http://{self.network.address}"
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def tls_url(self) -> str:
        """The same over TLS."""
        return f"https://{LOOPBACK if self.network is None else self.network.address}:{self.tls_port}"

    @property
    def operator_url(self) -> str:
        """Where operators reach it; the running server wrote it down. Raises OSError when none was started."""
        return str(read_json(self.data / "server.json")["operators"])

    @property
    def guest_url(self) -> str:
        """Where a lab machine reaches it."""
        if self.network is not None:
            return self.url
        return f"http://{HOST_ADDRESS}:{self.port}"

    @property
    def guest_tls_url(self) -> str:
        """The same over TLS."""
        return f"https://{HOST_ADDRESS}:{self.tls_port}" if self.network is None else self.tls_url

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

    def start(self, *, deadline_s: float = _DEADLINE_S) -> None:
        """Start it and wait until it answers HTTP. Raises BootosError with the end of its log."""
        argv = [*(self.network.prefix if self.network else ()), sys.executable, "-m", "bootos.cli", "serve"]
        argv += ["--data", str(self.data)]
        if self.network is None:
            argv += ["--listen", f"{LOOPBACK}:{self.port}", "--tls-listen", f"{LOOPBACK}:{self.tls_port}"]
        argv += ["--operator-listen", f"{LOOPBACK}:0"]
        argv += self._arguments
        self._child = start(argv, log_path=self.log_path, env={"PYTHONUNBUFFERED": "1", **self._env})
        child = self._child

        def is_up() -> bool:
            if child.poll() is not None:
                raise BootosError(f"the server ended with exit code {child.poll()}: {self._read_log_end()}")
            # this process is outside of that network, so the server's log tells that it listens
            if self.network is not None:
                return "listening on http" in self._read_log_end()
            return is_answering(self.url)

        try:
            wait_for(is_up, deadline_s, what=f"an answer from the server at {self.url}")
            self._tell()
        except BootosError:
            self.stop()
            raise

    def expect(self, spec: MachineSpec) -> None:
        """Put a machine on the operator's list: the server learns of it now, or when it starts. A machine without a
        card, or with nothing to be known by, is left out."""
        name, macs = find_name(spec), tuple(nic.mac for nic in spec.nics)
        if not name or not macs or self._expected.get(name) == macs:
            return
        self._expected[name] = macs
        self._is_told = False
        if self.pid is not None:
            self._tell()

    def _tell(self) -> None:
        """Import the list, as an operator does. Raises BootosError."""
        if self._is_told:
            return
        path = self.data.parent / "machines.csv"
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("sn", "mac"))
            rows.writerows((name, " ".join(macs)) for name, macs in self._expected.items())
        Operator(self.data, self.network).command("machine", "import", path)
        self._is_told = True

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


def find_name(spec: MachineSpec) -> str:
    """What a machine will be known by, of what its firmware will tell; empty: by nothing that is known before."""
    boots = spec.boot_nic or next(iter(spec.nics), None)
    told, mac = spec.identity, boots.mac if boots is not None else None
    chosen = choose_identity(serial=told.serial, uuid=told.told_uuid, board=told.board_serial, mac=mac)
    return chosen.name or ""


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
