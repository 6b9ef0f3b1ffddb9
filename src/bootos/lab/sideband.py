"""A BMC that shares its machine's network port, as by NC-SI: it answers the guest at the address that it was given.

QEMU hands each frame of the guest to `Sideband` before the network has it (two `filter-redirector` objects on the boot
card, see `qemu`). What is for the BMC, ARP and RMCP, is taken out, wherever the guest thinks that address is; all else
goes on. The rest of the way is `rmcp`, as for whoever asks on the loopback. Called by `bmc.Bmc`.

On each of the three sockets a frame comes after its length in four bytes (QEMU's net/filter-mirror.c).
"""

import contextlib
import ipaddress
import select
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bootos.lab.udp_relay import UdpRelay

FROM_GUEST, TO_NETWORK, TO_GUEST = "from-guest", "to-network", "to-guest"
RMCP_PORT = 623
_ARP, _IPV4, _UDP = b"\x08\x06", b"\x08\x00", 17
_ARP_ASKS, _ARP_ANSWERS = 1, 2
_ARP_HEAD = bytes((0, 1, 8, 0, 6, 4))  # Ethernet and IPv4
_SHORTEST_BYTES = 60
_NEVER_FRAGMENT = 0x4000
_TIME_TO_LIVE = 64
_MOST_BYTES = 1 << 18


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Where the guest asks from, and what it takes for the BMC's address."""

    mac: bytes
    address: bytes
    port: int
    bmc_address: bytes


def split_frames(buffer: bytes) -> tuple[list[bytes], bytes]:
    """The whole frames at the start of `buffer`, and what is left."""
    frames: list[bytes] = []
    start = 0
    while len(buffer) >= start + 4:
        end = start + 4 + int.from_bytes(buffer[start : start + 4], "big")
        if len(buffer) < end:
            break
        frames.append(buffer[start + 4 : end])
        start = end
    return frames, buffer[start:]


def pack_frame(frame: bytes) -> bytes:
    """The reverse, for one."""
    return len(frame).to_bytes(4, "big") + frame


def find_question(frame: bytes) -> bytes | None:
    """The address that an ARP request asks for."""
    asks = _ARP_HEAD + _ARP_ASKS.to_bytes(2, "big")
    return frame[38:42] if frame[12:14] == _ARP and frame[14:22] == asks else None


def build_arp_answer(question: bytes, mac: bytes) -> bytes:
    """That `mac` has the address that `question` asks for."""
    asker, asker_address, wanted = question[22:28], question[28:32], question[38:42]
    body = _ARP_HEAD + _ARP_ANSWERS.to_bytes(2, "big") + mac + wanted + asker + asker_address
    return (asker + mac + _ARP + body).ljust(_SHORTEST_BYTES, b"\0")


def parse_rmcp(frame: bytes) -> tuple[Caller, bytes] | None:
    """Who asks, and the datagram, of a frame to the port of RMCP; None: it is none, or a part of one."""
    if frame[12:14] != _IPV4 or len(frame) < 42 or frame[23] != _UDP:
        return None
    begin = 14 + (frame[14] & 0x0F) * 4
    if int.from_bytes(frame[20:22], "big") & 0x3FFF or frame[begin + 2 : begin + 4] != RMCP_PORT.to_bytes(
        2, "big"
    ):
        return None
    caller = Caller(
        mac=frame[6:12],
        address=frame[26:30],
        port=int.from_bytes(frame[begin : begin + 2], "big"),
        bmc_address=frame[30:34],
    )
    size = int.from_bytes(frame[begin + 4 : begin + 6], "big")
    return caller, frame[begin + 8 : begin + size]


def build_rmcp(caller: Caller, mac: bytes, datagram: bytes) -> bytes:
    """The frame with an answer. UDP over IPv4 may go without a checksum (RFC 768)."""
    udp = RMCP_PORT.to_bytes(2, "big") + caller.port.to_bytes(2, "big")
    udp += (8 + len(datagram)).to_bytes(2, "big") + bytes(2) + datagram
    head = bytearray((0x45, 0))
    head += (20 + len(udp)).to_bytes(2, "big") + bytes(2) + _NEVER_FRAGMENT.to_bytes(2, "big")
    head += bytes((_TIME_TO_LIVE, _UDP, 0, 0)) + caller.bmc_address + caller.address
    head[10:12] = _sum_up(bytes(head)).to_bytes(2, "big")
    return (caller.mac + mac + _IPV4 + bytes(head) + udp).ljust(_SHORTEST_BYTES, b"\0")


def _sum_up(head: bytes) -> int:
    """The checksum of an IP header (RFC 791) whose own field is zero."""
    total = sum(int.from_bytes(head[place : place + 2], "big") for place in range(0, len(head), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Sideband:
    """Listens for QEMU on three sockets in `directory`. `find_address` says what address the BMC has now, empty: none;
    `lan_port` is where it is asked on the loopback."""

    def __init__(self, directory: Path, *, mac: str, lan_port: int, find_address: Callable[[], str]) -> None:
        self._mac = bytes.fromhex(mac.replace(":", ""))
        self._find_address = find_address
        self._relay: UdpRelay[Caller] = UdpRelay(lan_port)
        self._from_guest = _Stream(directory / FROM_GUEST)
        self._to_network = _Stream(directory / TO_NETWORK)
        self._to_guest = _Stream(directory / TO_GUEST)
        self._streams = (self._from_guest, self._to_network, self._to_guest)
        self._rest = b""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="sideband", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; the guest has no network then."""
        self._stopping.set()
        self._thread.join(5)
        for stream in self._streams:
            stream.close()
        self._relay.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            readers = [reader for stream in self._streams for reader in stream.readers]
            writers = [writer for stream in self._streams for writer in stream.writers]
            ready, free, _ = select.select([*readers, *self._relay.sockets], writers, [], 0.25)
            for stream in self._streams:
                heard = stream.receive(ready)
                if stream is self._from_guest and heard is not None:
                    self._take(heard)
                stream.flush(free)
            for caller, answer in self._relay.receive(ready):
                self._to_guest.send(pack_frame(build_rmcp(caller, self._mac, answer)))

    def _take(self, heard: bytes) -> None:
        """Frames of the guest; none at all when QEMU has just come."""
        frames, self._rest = split_frames(self._rest + heard) if heard else ([], b"")
        self._to_network.send(b"".join(pack_frame(frame) for frame in frames if not self._is_ours(frame)))

    def _is_ours(self, frame: bytes) -> bool:
        """Whether a frame is for the BMC; then it is seen to."""
        question, asked = find_question(frame), parse_rmcp(frame)
        if question is not None and question == self._read_address():
            self._to_guest.send(pack_frame(build_arp_answer(frame, self._mac)))
            return True
        if asked is not None and asked[0].bmc_address == self._read_address():
            self._relay.send(*asked)
            return True
        return False

    def _read_address(self) -> bytes:
        address = self._find_address()
        return ipaddress.IPv4Address(address).packed if address not in ("", "0.0.0.0") else b""


class _Stream:
    """One of the sockets, with QEMU's connection while there is one. Nothing here blocks: QEMU waits while it writes,
    and so may not be waited for."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(4)
        self._listener.setblocking(False)
        self._connection: socket.socket | None = None
        self._unsent = b""

    @property
    def readers(self) -> list[socket.socket]:
        return [self._listener, *([self._connection] if self._connection is not None else [])]

    @property
    def writers(self) -> list[socket.socket]:
        return [self._connection] if self._connection is not None and self._unsent else []

    def receive(self, ready: list[socket.socket]) -> bytes | None:
        """What came; nothing of a new connection (empty), or because nothing came (None)."""
        if self._listener in ready:
            self._drop()
            with contextlib.suppress(BlockingIOError):
                self._connection, _ = self._listener.accept()
                self._connection.setblocking(False)
            return b""
        if self._connection is None or self._connection not in ready:
            return None
        try:
            heard = self._connection.recv(_MOST_BYTES)
        except OSError:
            heard = b""
        if not heard:
            self._drop()
        return heard

    def send(self, data: bytes) -> None:
        """Send as soon as QEMU reads; lost where there is none."""
        self._unsent += data if self._connection is not None else b""
        self.flush([self._connection])

    def flush(self, free: Sequence[socket.socket | None]) -> None:
        """Send what is left, if the connection is one of those that can take it."""
        if self._connection is None or self._connection not in free or not self._unsent:
            return
        try:
            self._unsent = self._unsent[self._connection.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._drop()

    def close(self) -> None:
        self._drop()
        self._listener.close()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._unsent = None, b""
