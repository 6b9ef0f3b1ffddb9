"""The test is QEMU: it connects to the three sockets, sends what a guest sends, and sees where it goes."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bootos.lab.sideband import (
    FROM_GUEST,
    TO_GUEST,
    TO_NETWORK,
    Caller,
    Sideband,
    build_rmcp,
    pack_frame,
    parse_rmcp,
    split_frames,
)
from bootos.lab.socket_place import open_socket_place
from bootos.waiting import wait_for

GUEST, GATEWAY, BMC = (bytes.fromhex(text) for text in ("525400000001", "52550a000202", "525400b00c01"))
GUEST_ADDRESS, BMC_ADDRESS = bytes((10, 0, 2, 15)), bytes((10, 0, 9, 21))
ARP_REQUEST = bytes.fromhex("0001080006040001")


def build_udp(address: bytes, data: bytes, *, port: int = 623, fragment: int = 0) -> bytes:
    """A frame of the guest to its gateway's MAC; its header has four bytes of options."""
    udp = struct.pack(">HHHH", 40001, port, 8 + len(data), 0) + data
    head = struct.pack(">BBHHHBBH", 0x46, 0, 24 + len(udp), 1, fragment, 64, 17, 0) + GUEST_ADDRESS + address
    return GATEWAY + GUEST + b"\x08\x00" + head + bytes(4) + udp


def build_question(address: bytes) -> bytes:
    return b"\xff" * 6 + GUEST + b"\x08\x06" + ARP_REQUEST + GUEST + GUEST_ADDRESS + bytes(6) + address


class Wire:
    """The three connections of QEMU, and the BMC's port on the loopback, which answers in capitals."""

    def __init__(self, directory: Path, ending: ExitStack) -> None:
        self.address = "10.0.9.21"
        listener = ending.enter_context(closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.1)
        self.stopping = threading.Event()
        thread = threading.Thread(target=self.answer, args=[listener])
        thread.start()
        ending.callback(thread.join, 10)
        ending.callback(self.stopping.set)
        port = listener.getsockname()[1]
        ending.enter_context(
            closing(
                Sideband(directory, mac="52:54:00:b0:0c:01", lan_port=port, find_address=lambda: self.address)
            )
        )
        self.directory = directory
        self.connect(ending)

    def connect(self, ending: ExitStack) -> None:
        self.guest, self.network, self.to_guest = (
            ending.enter_context(closing(self.open(name))) for name in (FROM_GUEST, TO_NETWORK, TO_GUEST)
        )

    def open(self, name: str) -> socket.socket:
        one = socket.socket(socket.AF_UNIX)
        one.settimeout(10)
        one.connect(str(self.directory / name))
        return one

    def answer(self, listener: socket.socket) -> None:
        while not self.stopping.is_set():
            try:
                datagram, client = listener.recvfrom(4096)
            except TimeoutError:
                continue
            listener.sendto(datagram.upper(), client)

    def wait_until_passed(self, frame: bytes) -> None:
        """Send a frame until it comes through: QEMU's connections may not have been taken yet."""
        self.network.settimeout(0.1)

        def is_passed() -> bool:
            self.guest.sendall(pack_frame(frame))
            try:
                return self.network.recv(4096) != b""
            except TimeoutError:
                return False

        wait_for(is_passed, 10, what="a frame on the other side")
        self.network.settimeout(10)
        self.read_rest()

    def read_rest(self) -> None:
        """What was sent more than once."""
        self.network.setblocking(False)
        marker = build_udp(GUEST_ADDRESS, b"marker", port=9)
        self.guest.sendall(pack_frame(marker))
        seen = b""

        def is_there() -> bool:
            nonlocal seen
            try:
                seen += self.network.recv(4096)
            except BlockingIOError:
                return False
            return seen.endswith(marker)

        wait_for(is_there, 10, what="the marker", pause_s=0.01)
        self.network.settimeout(10)


def read_frame(side: socket.socket) -> bytes:
    size = int.from_bytes(side.recv(4, socket.MSG_WAITALL), "big")
    return side.recv(size, socket.MSG_WAITALL)


@pytest.fixture
def wire() -> Iterator[Wire]:
    with ExitStack() as ending:
        one = Wire(Path(ending.enter_context(open_socket_place())), ending)
        one.wait_until_passed(b"\x00" * 60)
        yield one


def test_what_is_not_for_the_bmc_goes_on_unchanged_and_in_order(wire: Wire) -> None:
    frames = [
        build_udp(BMC_ADDRESS, b"dns", port=53),
        build_udp(bytes((10, 0, 9, 22)), b"rmcp"),
        build_question(bytes((10, 0, 2, 2))),
        b"\x01",
        build_udp(BMC_ADDRESS, b"a part", fragment=0x2000),
    ]
    sent = b"".join(pack_frame(frame) for frame in frames)
    wire.guest.sendall(sent[:50])
    wire.guest.sendall(sent[50:])
    assert [read_frame(wire.network) for _ in frames] == frames


def test_the_bmc_answers_at_its_address_and_the_network_sees_nothing_of_it(wire: Wire) -> None:
    wire.guest.sendall(pack_frame(build_udp(BMC_ADDRESS, b"\x06ping")))
    frame = read_frame(wire.to_guest)
    parsed = frame[14:34]
    assert (frame[:6], frame[6:12]) == (GUEST, BMC)
    assert (
        sum(struct.unpack(">10H", parsed)) % 0xFFFF == 0
    )  # RFC 791: with its checksum the header sums up to nothing
    assert (parsed[12:16], parsed[16:20]) == (BMC_ADDRESS, GUEST_ADDRESS)
    assert struct.unpack(">HHH", frame[34:40]) == (623, 40001, 13)
    assert frame[42:47] == b"\x06PING"
    wire.guest.sendall(pack_frame(b"\x02" * 60))
    assert read_frame(wire.network) == b"\x02" * 60


def test_who_asks_for_the_address_of_the_bmc_is_told_its_mac(wire: Wire) -> None:
    wire.guest.sendall(pack_frame(build_question(BMC_ADDRESS)))
    frame = read_frame(wire.to_guest)
    assert (frame[:6], frame[6:12], frame[20:22]) == (GUEST, BMC, b"\x00\x02")
    assert (frame[22:28], frame[28:32], frame[38:42]) == (BMC, BMC_ADDRESS, GUEST_ADDRESS)


@pytest.mark.parametrize("address", ["0.0.0.0", "", "10.0.9.99"])
def test_a_bmc_without_this_address_says_nothing(wire: Wire, address: str) -> None:
    wire.address = address
    frame = build_udp(BMC_ADDRESS, b"rmcp")
    wire.guest.sendall(pack_frame(frame))
    assert read_frame(wire.network) == frame


def test_a_machine_that_is_switched_on_again_has_its_network(wire: Wire) -> None:
    wire.guest.sendall(pack_frame(b"\x03" * 60)[:20])  # it ends within a frame
    for side in (wire.guest, wire.network, wire.to_guest):
        side.close()
    with ExitStack() as ending:
        wire.connect(ending)
        wire.wait_until_passed(b"\x04" * 60)
        wire.guest.sendall(pack_frame(build_udp(BMC_ADDRESS, b"again")))
        assert read_frame(wire.to_guest)[42:47] == b"AGAIN"


def test_a_frame_is_read_as_it_was_built() -> None:
    caller = Caller(mac=GUEST, address=GUEST_ADDRESS, port=623, bmc_address=BMC_ADDRESS)
    frame = build_rmcp(caller, BMC, b"x" * 100)
    parsed = parse_rmcp(frame)
    assert parsed is not None
    assert (parsed[0].address, parsed[0].bmc_address, parsed[1]) == (BMC_ADDRESS, GUEST_ADDRESS, b"x" * 100)
    assert split_frames(pack_frame(frame) + b"\x00\x00") == ([frame], b"\x00\x00")


@pytest.mark.parametrize("length", range(0, 47, 3))
def test_a_frame_that_is_cut_off_is_no_error(length: int) -> None:
    frame = build_udp(BMC_ADDRESS, b"rmcp")[:length]
    assert parse_rmcp(frame) is None or length >= 42
