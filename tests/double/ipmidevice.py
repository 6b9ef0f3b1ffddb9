"""What the kernel's IPMI device is to a guest, without a guest: ipmitool asks here, and the lab's KCS side is asked as
QEMU asks it.

ipmitool's interface `dummy` (`src/plugins/dummy` of its sources) sends a request as a C structure and its data to a
UNIX socket, whose path is in IPMI_DUMMY_SOCK, and reads an answer of the same kind.
"""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from bootos.lab.bmc import Bmc
from bootos.lab.kcs import MESSAGE_END, build_message, split_frames
from bootos.lab.loopback import LOOPBACK
from bootos.process import Command, Completed, Options, run

_GREETING = bytes.fromhex("ff01a1 080fa1")  # of QEMU: version 1, capabilities
_REQUEST = struct.Struct("<BBBBH2xQ")  # network function, LUN, command, -, bytes of data, a pointer
_ANSWER = struct.Struct(
    "<BBBBB3xi4xQ"
)  # network function, command, -, LUN, completion code, bytes of data, a pointer
_GOODBYE = 0x3F  # ipmitool's last request has this network function


class IpmiDevice:
    """For the BMC `bmc`, which is started; `place` is a directory for a socket."""

    def __init__(self, bmc: Bmc, place: Path) -> None:
        self._bmc = bmc
        self._path = place / "ipmi0"
        self._kcs = socket.socket(socket.AF_UNIX)
        self._kcs.settimeout(10)
        self._kcs.connect(os.fspath(bmc.kcs_socket))
        self._kcs.sendall(_GREETING)
        self._rest = b""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.fspath(self._path))
        self._listener.listen(1)
        threading.Thread(target=self._serve, name="ipmi device", daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # without it accept() takes one more connection
        self._listener.close()
        self._kcs.close()

    def run(self, argv: Sequence[str | os.PathLike[str]], **options: Unpack[Options]) -> Completed:
        """Run a command of the machine: ipmitool without an interface asks here, with one it asks the BMC where it is
        on the loopback, if that is the address that the BMC has."""
        program, *words = Command(argv, **options).words
        assert program == "ipmitool"
        options["env"] = {**(options.get("env") or {}), "IPMI_DUMMY_SOCK": os.fspath(self._path)}
        if "-H" in words:
            place = words.index("-H") + 1
            assert words[place] == self._bmc.read_lan()["ip_addr"]
            words[place : place + 1] = [LOOPBACK, "-p", str(self._bmc.lan_port)]
        else:
            words = ["-I", "dummy", *words]
        return run([program, *words], **options)

    def _serve(self) -> None:
        while True:
            try:
                asker, _ = self._listener.accept()
            except OSError:
                return
            with asker, contextlib.suppress(OSError):
                while head := asker.recv(_REQUEST.size, socket.MSG_WAITALL):
                    function, lun, command, _, size, _ = _REQUEST.unpack(head)
                    data = asker.recv(size, socket.MSG_WAITALL) if size else b""
                    if function == _GOODBYE:
                        break
                    code, *answer = self._ask(bytes((1, function << 2 | lun, command)) + data)
                    told = _ANSWER.pack(function | 1, command, 0, lun, code, len(answer), 0)
                    asker.sendall(told + bytes(answer))

    def _ask(self, request: bytes) -> bytes:
        """Completion code and data."""
        self._kcs.sendall(build_message(request))
        while True:
            frames, self._rest = split_frames(self._rest + self._kcs.recv(4096))
            for frame in frames:
                if frame.end == MESSAGE_END:
                    return frame.content[3:-1]
