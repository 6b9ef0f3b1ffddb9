"""Between QEMU's KCS device and `ipmi_sim`: passes every message on, notes the requests, answers a cold reset.

`ipmi_sim` does not know the Cold Reset command; a real BMC acknowledges it and is gone for a while. Here it is
acknowledged, `on_cold_reset` restarts the simulator, and until it is back every request is answered with "BMC
initialization in progress". `ipmi_sim` also says yes to every Test Password; here the passwords that the guest has
set are remembered, and a test of one is answered as a real BMC does. What else `ipmi_sim` shall not answer, `answer`
does. Called by `bmc.Bmc`.

The framing is OpenIPMI's VM protocol (lanserv/README.vm): a message is `seq, netfn<<2|lun, cmd, data, checksum,
0xa0`, a control command ends with 0xa1, 0xaa escapes a byte by clearing its bit 4.
"""

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bootos.lab.ipmi import Request
from bootos.lab.loopback import LOOPBACK

MESSAGE_END, COMMAND_END, ESCAPE = 0xA0, 0xA1, 0xAA
NETFN_APP = 0x06
COLD_RESET, WARM_RESET = 0x02, 0x03
SET_USER_PASSWORD, SETS, TESTS = 0x47, 0x02, 0x03  # IPMI 2.0, 22.30: command and two of its operations
PASSWORD_DIFFERS, PASSWORD_SIZE_DIFFERS = 0x80, 0x81
INITIALIZATION_IN_PROGRESS = 0xD2  # the completion code of a BMC that is starting
VERSION, CAPABILITIES = b"\xff", b"\x08"  # control commands by which QEMU introduces itself


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One frame: its bytes as sent, its ending and its content without escapes."""

    raw: bytes
    end: int
    content: bytes


def split_frames(buffer: bytes) -> tuple[list[Frame], bytes]:
    """The whole frames at the start of `buffer`, and what is left."""
    frames: list[Frame] = []
    start = 0
    for index, byte in enumerate(buffer):
        if byte in (MESSAGE_END, COMMAND_END):
            frames.append(
                Frame(raw=buffer[start : index + 1], end=byte, content=bytes(_unescape(buffer[start:index])))
            )
            start = index + 1
    return frames, buffer[start:]


def _unescape(raw: bytes) -> Iterator[int]:
    escaped = False
    for byte in raw:
        if byte == ESCAPE and not escaped:
            escaped = True
            continue
        yield byte & ~0x10 if escaped else byte
        escaped = False


def build_message(content: bytes) -> bytes:
    """A message frame: content, checksum (all bytes add up to 0), escapes, ending."""
    raw = bytearray()
    for byte in [*content, -sum(content) & 0xFF]:
        raw += bytes((ESCAPE, byte | 0x10)) if byte in (MESSAGE_END, COMMAND_END, ESCAPE) else bytes((byte,))
    return bytes(raw) + bytes((MESSAGE_END,))


def parse_request(frame: Frame, *, at_s: float) -> tuple[int, Request] | None:
    """(sequence number, request) of a message frame with a right checksum, else None."""
    if frame.end != MESSAGE_END or len(frame.content) < 4 or sum(frame.content) & 0xFF:
        return None
    sequence, head, command, *data = frame.content[:-1]
    return sequence, Request(at_s=at_s, netfn=head >> 2, command=command, data=bytes(data))


def is_reset(request: Request) -> bool:
    """Whether it resets the BMC."""
    return request.netfn == NETFN_APP and request.command in (COLD_RESET, WARM_RESET)


class KcsProxy:
    """Listens for QEMU on a unix socket and passes its messages to `ipmi_sim`'s TCP port."""

    def __init__(
        self,
        path: Path,
        *,
        simulator_port: int,
        on_cold_reset: Callable[[], None],
        answer: Callable[[Request], bytes | None] = lambda request: None,
        password_file: Path | None = None,
    ) -> None:
        self.path = path
        self._answer = answer
        self._port = simulator_port
        self._on_cold_reset = on_cold_reset
        self._requests: list[Request] = []
        self._password_file = password_file
        self._passwords = read_passwords(password_file)
        self._stopping = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(4)
        self._listener.settimeout(0.25)
        self._thread = threading.Thread(target=self._serve, name="kcs", daemon=True)
        self._thread.start()

    @property
    def requests(self) -> tuple[Request, ...]:
        """What the guest asked the BMC so far, outside evidence of what was configured."""
        return tuple(self._requests)

    def close(self) -> None:
        """Stop listening and end the connection."""
        self._stopping.set()
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                guest, _ = self._listener.accept()
            except TimeoutError:
                continue
            with guest, contextlib.suppress(OSError):
                _Conversation(guest, self._connect, self._note).hold(self._stopping)

    def _connect(self) -> socket.socket | None:
        with contextlib.suppress(OSError):
            return socket.create_connection((LOOPBACK, self._port), timeout=5)
        return None

    def _note(self, request: Request) -> bytes | None:
        """Keep a request; returns the completion code and data when it is answered here."""
        self._requests.append(request)
        if is_reset(request):
            self._on_cold_reset()
            return b"\0"
        if request.netfn != NETFN_APP:
            return self._answer(request)
        if request.command == SET_USER_PASSWORD and len(request.data) in (18, 22):
            code = self._note_password(request.data[0] & 0x3F, request.data[1] & 0x03, request.data[2:])
            return None if code is None else bytes((code,))
        return None

    def _note_password(self, user: int, operation: int, password: bytes) -> int | None:
        known = self._passwords.get(user)
        if operation == SETS:
            self._passwords[user] = password
            write_passwords(self._password_file, self._passwords)
        if operation != TESTS or known is None:
            return None
        if len(known) != len(password):
            return PASSWORD_SIZE_DIFFERS
        return 0 if known == password else PASSWORD_DIFFERS


def read_passwords(path: Path | None) -> dict[int, bytes]:
    """What a BMC that was switched off and on again still knows: password by user number; empty without a file."""
    if path is None or not path.exists():
        return {}
    return {int(user): bytes.fromhex(password) for user, password in json.loads(path.read_text()).items()}


def write_passwords(path: Path | None, passwords: dict[int, bytes]) -> None:
    """Keep the passwords for `read_passwords`, readable by the owner only."""
    if path is None:
        return
    path.touch(mode=0o600)
    path.write_text(json.dumps({str(user): password.hex() for user, password in passwords.items()}))


class _Conversation:
    """One connection of QEMU, as long as it lasts; the simulator's side may go and come back meanwhile.

    QEMU must never see its connection close: its device aborts the whole machine when a command was not yet sent
    (`ipmi_bmc_extern_handle_command`). So while the simulator is away, requests are answered from here.
    """

    def __init__(
        self,
        guest: socket.socket,
        connect: Callable[[], socket.socket | None],
        note: Callable[[Request], bytes | None],
    ) -> None:
        self._guest = guest
        self._connect = connect
        self._note = note
        self._simulator: socket.socket | None = None
        self._greeting: list[bytes] = []
        self._rest = b""

    def hold(self, stopping: threading.Event) -> None:
        """Pass messages until the guest's side ends."""
        try:
            while not stopping.is_set():
                if self._simulator is None and (connected := self._connect()) is not None:
                    self._simulator = connected
                    connected.sendall(b"".join(self._greeting))
                sides = [side for side in (self._guest, self._simulator) if side is not None]
                ready, _, _ = select.select(sides, [], [], 0.25)
                if self._simulator in ready:
                    self._take_from_simulator()
                if self._guest in ready:
                    chunk = self._guest.recv(4096)
                    if not chunk:
                        return
                    frames, self._rest = split_frames(self._rest + chunk)
                    for frame in frames:
                        self._take_from_guest(frame)
        finally:
            self._drop_simulator()

    def _take_from_simulator(self) -> None:
        assert self._simulator is not None
        try:
            chunk = self._simulator.recv(4096)
        except OSError:
            chunk = b""
        if chunk:
            self._guest.sendall(chunk)
        else:
            self._drop_simulator()

    def _drop_simulator(self) -> None:
        if self._simulator is not None:
            self._simulator.close()
            self._simulator = None

    def _take_from_guest(self, frame: Frame) -> None:
        parsed = parse_request(frame, at_s=time.monotonic())
        answer = self._note(parsed[1]) if parsed is not None else None
        if parsed is not None and answer is not None:
            if is_reset(parsed[1]):
                self._drop_simulator()
            self._answer(*parsed, answer)
        elif self._simulator is not None:
            try:
                self._simulator.sendall(frame.raw)
            except OSError:
                self._drop_simulator()
        elif parsed is not None:
            self._answer(*parsed, bytes((INITIALIZATION_IN_PROGRESS,)))
        if frame.end == COMMAND_END and frame.content[:1] in (VERSION, CAPABILITIES):
            self._greeting.append(frame.raw)

    def _answer(self, sequence: int, request: Request, answer: bytes) -> None:
        head = bytes((sequence, (request.netfn | 1) << 2, request.command))
        self._guest.sendall(build_message(head + answer))
