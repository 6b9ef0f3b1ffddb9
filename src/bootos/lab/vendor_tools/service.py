"""The way from a lab machine to its silicon: HTTP on the host's loopback, which the guest reaches as 10.0.2.2.

One service for all machines of a scenario; a machine is known by its serial number. Calls to one machine go one after
the other (`Silicon.lock`), and a program that hangs is never answered.
"""

import base64
import contextlib
import threading

import msgspec

from bootos.lab.loopback import LoopbackHandler, LoopbackServer
from bootos.lab.vendor_tools.script import PAYLOAD
from bootos.lab.vendor_tools.silicon import Output, Silicon
from bootos.lab.vendor_tools.tool import HangError, run_program


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A program that was started in a guest; `files` are base64 by path."""

    serial: str
    program: str
    argv: list[str]
    files: dict[str, str] = {}


class SiliconService:
    """Listens on a free port of the loopback from the start; `add` makes a machine known."""

    def __init__(self) -> None:
        self._silicon: dict[str, Silicon] = {}
        self._closing = threading.Event()
        service = self

        class Handler(LoopbackHandler):
            def do_POST(self) -> None:
                with contextlib.suppress(OSError):  # the program was ended meanwhile
                    status, body = service.handle(
                        self.path, self.rfile.read(int(self.headers["Content-Length"]))
                    )
                    self.send_response_only(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

        self._server = LoopbackServer(Handler)
        self._server.begin()

    @property
    def port(self) -> int:
        """Where machines reach it."""
        return self._server.server_port

    def add(self, serial: str, silicon: Silicon) -> None:
        """The machine with this serial number has this silicon."""
        self._silicon[serial] = silicon

    def handle(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The status and the answer to a POST; does not come back from a program that hangs before `close`."""
        if path != "/run":
            return 404, b"POST /run"
        try:
            call = msgspec.json.decode(body, type=Run)
            files = {name: base64.b64decode(content) for name, content in call.files.items()}
        except ValueError as error:
            return 400, str(error).encode()
        silicon = self._silicon.get(call.serial)
        if silicon is None:
            return 404, f"no machine has the serial number {call.serial!r}".encode()
        if call.program not in silicon.spec.programs and PAYLOAD not in files:
            output = Output(code=127, stderr=f"{call.program}: not installed on this machine\n")
            return 200, msgspec.json.encode(output)
        try:
            return 200, msgspec.json.encode(run_program(silicon, call.program, call.argv, files))
        except HangError:
            self._closing.wait()
            return 503, b"closing"

    def close(self) -> None:
        """End it; programs that hang end too."""
        self._closing.set()
        self._server.close()
