"""A BMC for a lab machine: OpenIPMI's `ipmi_sim`, reached by the guest over KCS and LAN, by the host over LAN.

`Bmc` starts it with the files of `bmc_configuration` and keeps it alive, with what stands between it and those who ask
(`kcs`, `rmcp`, `sideband`); passes power requests on to the machine, and checks from outside what a guest configured
(`ipmitool -I lanplus`). Users, channels and cipher suites persist in the BMC's directory.
"""

import contextlib
import json
import socket
import socketserver
import tempfile
import threading
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.lab.bmc_configuration import CHANNEL, write_configuration
from bootos.lab.chassis import Chassis
from bootos.lab.ipmi import Request
from bootos.lab.kcs import KcsProxy
from bootos.lab.loopback import LOOPBACK, find_free_port
from bootos.lab.rmcp import RmcpDoor
from bootos.lab.rmcp_cipher import NETFN_TRANSPORT, SET_LAN, Ciphers
from bootos.lab.sideband import Sideband
from bootos.lab.socket_place import open_socket_place
from bootos.lab.spec import BmcSpec, Identity
from bootos.process import Child, Completed, run, start
from bootos.waiting import CLOCK, find_within

_START_DEADLINE_S = 15.0
_WRITE_S = 1.3
_VLAN, _VLAN_IS_ON = 20, 0x80  # LAN parameter, and the bit of its second byte


class BmcUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user of the BMC; `privilege` as ADMINISTRATOR, OPERATOR, USER, NO ACCESS."""

    id: int
    name: str
    privilege: str
    has_messaging: bool


def parse_users(text: str) -> tuple[BmcUser, ...]:
    """Parse `ipmitool -c user list`: id, name, callin, link authentication, messaging, privilege."""
    rows = [line.split(",") for line in text.splitlines() if line.count(",") >= 5]
    return tuple(
        BmcUser(id=int(row[0]), name=row[1], privilege=row[5], has_messaging=row[4] == "true")
        for row in rows
        if row[1]
    )


class Bmc:
    """One BMC with its state in `directory`. `start` and `stop` may be repeated; the state stays."""

    def __init__(self, spec: BmcSpec, directory: Path, *, identity: Identity) -> None:
        self.spec = spec
        self.directory = directory
        self.lan_port = find_free_port(socket.SOCK_DGRAM)
        self.boot_device = "default"
        self.chassis = Chassis()
        self._identity = identity
        self._ciphers = Ciphers(spec, directory / "ciphers.json")
        self._has_vlan = False  # ipmi_sim forgets a VLAN when it ends, too
        self._serial_port = find_free_port(socket.SOCK_STREAM)
        self._simulator_port = find_free_port(socket.SOCK_DGRAM)
        self._child: Child | None = None
        self._proxy: KcsProxy | None = None
        self._door: RmcpDoor | None = None
        self._sideband: Sideband | None = None
        self._control: _ControlServer | None = None
        self._sockets: tempfile.TemporaryDirectory[str] | None = None
        self._restarting = threading.Lock()
        self._stopped = threading.Event()

    @property
    def kcs_socket(self) -> Path:
        """Where QEMU's `ipmi-bmc-extern` connects."""
        if self._proxy is None:
            raise BootosError("the BMC is not started")
        return self._proxy.path

    @property
    def sideband_directory(self) -> str:
        """Where QEMU connects the boot card's filters; empty: the BMC is in another network."""
        return self._sockets.name if self._sockets is not None and self._sideband is not None else ""

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request the guest made over KCS."""
        return self._proxy.requests if self._proxy is not None else ()

    def start(self) -> None:
        """Start the simulator and wait until it answers over LAN. Raises BootosError."""
        self._stopped.clear()
        self._sockets = open_socket_place()
        sockets = Path(self._sockets.name)
        self._control = _ControlServer(str(sockets / "chassis"), self)
        threading.Thread(
            target=self._control.serve_forever, kwargs={"poll_interval": 0.05}, name="chassis", daemon=True
        ).start()
        write_configuration(
            self.spec,
            self._identity,
            self.directory,
            lan_port=self._simulator_port,
            serial_port=self._serial_port,
            control_socket=sockets / "chassis",
        )
        self._door = RmcpDoor(
            self.lan_port, simulator_port=self._simulator_port, find_limit=self._ciphers.find_limit
        )
        self._start_simulator()
        self._proxy = KcsProxy(
            sockets / "kcs",
            simulator_port=self._serial_port,
            on_cold_reset=self._begin_cold_reset,
            answer=self._answer,
            password_file=self.directory / "passwords.json",
        )
        if self.spec.shares_port:
            self._sideband = Sideband(
                sockets, mac=self.spec.mac, lan_port=self.lan_port, find_address=self._find_address
            )

    def stop(self) -> None:
        """End the simulator; nothing happens when it is not started."""
        self._stopped.set()
        with self._restarting:
            if self._proxy is not None:
                self._proxy.close()
                self._proxy = None
            self._stop_simulator()
        for side in (self._sideband, self._door):
            if side is not None:
                side.close()
        self._sideband = self._door = None
        if self._control is not None:
            self._control.shutdown()
            self._control.server_close()
            self._control = None
        if self._sockets is not None:
            self._sockets.cleanup()
            self._sockets = None

    def run_ipmitool(
        self,
        *words: str,
        user: str | None = None,
        password: str | None = None,
        suite: int = 3,
        timeout_s: float = 30.0,
    ) -> Completed:
        """Run `ipmitool -I lanplus` against this BMC, as its first user unless told otherwise; never raises for
        an exit code."""
        secret = self.spec.password if password is None else password
        login = ["-I", "lanplus", "-H", LOOPBACK, "-p", str(self.lan_port), "-N", "2", "-R", "2"]
        # The cipher suite is named: without it ipmitool asks ipmi_sim for its suites, and waits five seconds for
        # nothing.
        login += ["-C", str(suite)]
        login += ["-U", self.spec.user if user is None else user, "-E"]
        return run(
            ["ipmitool", *login, *words],
            timeout_s=timeout_s,
            check=False,
            secrets=[secret],
            env={"IPMI_PASSWORD": secret},
        )

    def check_login(self, user: str, password: str, *, suite: int = 3) -> bool:
        """Whether `user` gets a session over LAN with this cipher suite, and an answer in it.

        It does not prove the user's role: `ipmi_sim` gives every session the level it asks for. `read_users` does.
        """
        done = self.run_ipmitool("mc", "info", user=user, password=password, suite=suite)
        return done.returncode == 0 and "Device ID" in done.stdout

    def read_users(self) -> tuple[BmcUser, ...]:
        """The users that have a name, as `ipmitool user list` shows them over LAN. Raises BootosError."""
        done = self.run_ipmitool("-c", "user", "list", str(CHANNEL))
        if done.returncode != 0:
            raise BootosError(f"the BMC's users cannot be read: {done.stderr.strip()}")
        return parse_users(done.stdout)

    def read_lan(self) -> dict[str, str]:
        """What the LAN port is set to, as the BMC keeps it (`ip_addr`, `ip_addr_src`, `subnet_mask`, ...)."""
        settings: dict[str, str] = json.loads((self.directory / "lan.json").read_text())
        return settings

    def answer_chassis(self, name: str, value: str | None) -> str:
        """Do what a chassis command asks; returns the value asked for (`""` for what has none)."""
        if value is None:
            return {"power": str(int(self.chassis.is_on())), "boot": self.boot_device}.get(name, "")
        if name == "boot":
            self.boot_device = value
        elif name == "reset":
            self.chassis.reset()
        elif name == "shutdown":
            self.chassis.press_power_button()
        elif name == "power":
            # A QEMU that is ended waits for this answer over KCS, so the answer may not wait for the end of QEMU.
            action = self.chassis.power_on if value == "1" else self.chassis.power_off
            threading.Thread(target=action, name="power", daemon=True).start()
        return ""

    def _answer(self, request: Request) -> bytes | None:
        """What the guest asks of cipher suites; a VLAN is noted."""
        if (
            request.netfn == NETFN_TRANSPORT
            and request.command == SET_LAN
            and request.data[1:2] == bytes((_VLAN,))
        ):
            self._has_vlan = bool(request.data[3] & _VLAN_IS_ON)
        return self._ciphers.answer(request)

    def _find_address(self) -> str:
        """Where it answers in the network of the boot card, which has no VLANs."""
        return "" if self._has_vlan else self.read_lan()["ip_addr"]

    def _start_simulator(self) -> None:
        self._has_vlan = False
        argv = ["ipmi_sim", "-n", "-c", "lan.conf", "-f", "bmc.emu", "-s", "state"]
        self._child = start(argv, log_path=self.directory / "ipmi_sim.log", cwd=self.directory)
        child = self._child

        def is_decided() -> bool:
            return _is_answering(self.lan_port) or child.poll() is not None

        if not find_within(is_decided, _START_DEADLINE_S, pause_s=0.05) or child.poll() is not None:
            text = (self.directory / "ipmi_sim.log").read_text(errors="replace").strip()[-500:]
            child.stop()
            raise BootosError(f"ipmi_sim did not start: {text or 'it said nothing'}")

    def _stop_simulator(self) -> None:
        """End the simulator after it wrote its users, which it does at the next of its one-second ticks."""
        if self._child is not None:
            if self._child.poll() is None:
                CLOCK.sleep(_WRITE_S)
            self._child.stop()
            self._child = None

    def _begin_cold_reset(self) -> None:
        threading.Thread(target=self._reset_cold, name="cold reset", daemon=True).start()

    def _reset_cold(self) -> None:
        """Be gone for `reset_s` seconds, as a BMC that boots again."""
        with self._restarting:
            if self._stopped.is_set():
                return
            self._stop_simulator()
            if not self._stopped.wait(self.spec.reset_s):
                self._start_simulator()


class _ControlServer(socketserver.ThreadingUnixStreamServer):
    """Answers `bmc_program chassis`."""

    daemon_threads = True

    def __init__(self, path: str, bmc: Bmc) -> None:
        self.bmc = bmc
        super().__init__(path, _ControlHandler)


class _ControlHandler(socketserver.StreamRequestHandler):
    server: _ControlServer

    def handle(self) -> None:
        request: list[tuple[str, str | None]] = json.loads(self.rfile.readline())
        try:
            values = {name: self.server.bmc.answer_chassis(name, value) for name, value in request}
            answer: dict[str, object] = {"values": {name: v for name, v in values.items() if v != ""}}
        except BootosError as error:
            answer = {"error": str(error)}
        self.wfile.write(json.dumps(answer).encode() + b"\n")


def _is_answering(port: int) -> bool:
    """Whether an RMCP presence ping (ASF 2.0, section 3.2.4.2) is answered; waits a quarter of a second."""
    ping = bytes((0x06, 0x00, 0xFF, 0x06, 0x00, 0x00, 0x11, 0xBE, 0x80, 0x00, 0x00, 0x00))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.25)
        with contextlib.suppress(OSError):
            probe.connect((LOOPBACK, port))
            probe.send(ping)
            return probe.recv(64)[:4] == ping[:4]
    return False
