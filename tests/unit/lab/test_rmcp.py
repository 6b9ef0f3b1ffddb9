"""Which RMCP+ sessions of the lab's BMC begin; ipmitool's own are tried in `contract/test_oob_lab.py`."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from bootos.lab.loopback import find_free_port
from bootos.lab.rmcp import RAKP_1, RAKP_2, RAKP_3, RAKP_4, RmcpDoor, build_message, find_suite, parse_message
from bootos.lab.rmcp_cipher import build_levels, parse_levels

CALLER, SESSION = b"\xa0\xa1\xa2\xa3", b"\x02\x00\x02\x00"
OPEN_SESSION, OPENED = 0x10, 0x11


def build_request(
    authentication: int, integrity: int, confidentiality: int, *, role: int = 0, caller: bytes = CALLER
) -> bytes:
    """The payload of an Open Session Request (IPMI 2.0, table 13-9)."""
    algorithms = enumerate((authentication, integrity, confidentiality))
    records = b"".join(bytes((kind, 0, 0, 8, number, 0, 0, 0)) for kind, number in algorithms)
    return bytes((7, role, 0, 0)) + caller + records


def build_rakp_1(privilege: int, *, session: bytes = SESSION, name_bytes: int = 0) -> bytes:
    return bytes((8, 0, 0, 0)) + session + bytes(16) + bytes((privilege, 0, 0, name_bytes))


def build_rakp_3(session: bytes) -> bytes:
    return bytes((9, 0, 0, 0)) + session + bytes(20)


def build_raw(kind: int, payload: bytes, *, head: str = "0600ff07", authentication: int = 6) -> bytes:
    """A datagram whose payload type has its flags (IPMI 2.0, table 13-8)."""
    size = len(payload).to_bytes(2, "little")
    return bytes.fromhex(head) + bytes((authentication, kind)) + bytes(8) + size + payload


def read_refusal(datagram: bytes) -> tuple[int, int, bytes]:
    """Payload type, status and the caller's number of a session."""
    message = parse_message(datagram)
    assert message is not None and len(message.payload) == 8
    return message.kind, message.payload[1], message.payload[4:8]


class Peer:
    """Stands for the simulator, which opens every session, and for the caller. `limits`: privilege by cipher suite."""

    def __init__(self, ending: ExitStack) -> None:
        self.limits = {3: 4, 1: 2}
        self.seen: list[bytes] = []
        self.simulator = ending.enter_context(closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
        self.simulator.bind(("127.0.0.1", 0))
        self.simulator.settimeout(0.1)
        self.stopping = threading.Event()
        thread = threading.Thread(target=self.answer)
        thread.start()
        ending.callback(thread.join, 10)
        ending.callback(self.stopping.set)
        port = find_free_port(socket.SOCK_DGRAM)
        door = RmcpDoor(
            port,
            simulator_port=self.simulator.getsockname()[1],
            find_limit=lambda suite: self.limits.get(suite, 0),
        )
        ending.enter_context(closing(door))
        self.caller = ending.enter_context(closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
        self.caller.connect(("127.0.0.1", port))
        self.caller.settimeout(10)

    def answer(self) -> None:
        while not self.stopping.is_set():
            try:
                datagram, client = self.simulator.recvfrom(4096)
            except TimeoutError:
                continue
            self.seen.append(datagram)
            message = parse_message(datagram)
            if message is not None and message.kind == OPEN_SESSION:
                opened = build_message(OPENED, bytes((7, 0, 4, 0)) + CALLER + SESSION + bytes(24))
                self.simulator.sendto(opened, client)
            else:
                self.simulator.sendto(b"simulator", client)

    def ask(self, datagram: bytes) -> bytes:
        self.caller.send(datagram)
        return self.caller.recv(4096)


@pytest.fixture
def peer() -> Iterator[Peer]:
    with ExitStack() as ending:
        yield Peer(ending)


@pytest.mark.parametrize(
    ("algorithms", "suite"),
    [((0, 0, 0), 0), ((1, 1, 1), 3), ((2, 3, 1), 12), ((3, 4, 1), 17), ((1, 2, 1), None)],
)
def test_three_algorithms_are_a_cipher_suite(algorithms: tuple[int, int, int], suite: int | None) -> None:
    assert find_suite(build_request(*algorithms)) == suite
    assert find_suite(build_request(*algorithms)[:-1]) is None


def test_a_session_begins_with_a_suite_that_may_be_used_alone(peer: Peer) -> None:
    allowed = parse_message(peer.ask(build_message(OPEN_SESSION, build_request(1, 1, 1))))
    refused = parse_message(peer.ask(build_message(OPEN_SESSION, build_request(2, 0, 0))))
    unknown = parse_message(peer.ask(build_message(OPEN_SESSION, build_request(1, 2, 1))))
    assert allowed is not None and allowed.payload[1] == 0
    for message in (refused, unknown):
        assert message is not None
        assert (message.kind, message.payload) == (OPENED, bytes((7, 0x11, 0, 0)) + CALLER)
    assert len(peer.seen) == 1


@pytest.mark.parametrize(("privilege", "passes"), [(2, True), (3, False), (4, False)])
def test_a_session_goes_up_to_the_level_of_its_suite(peer: Peer, privilege: int, passes: bool) -> None:
    peer.ask(build_message(OPEN_SESSION, build_request(1, 0, 0)))
    answer = peer.ask(build_message(RAKP_1, build_rakp_1(privilege)))
    refused = build_message(RAKP_2, bytes((8, 0x0A, 0, 0)) + CALLER)
    assert answer == (b"simulator" if passes else refused)


@pytest.mark.parametrize(
    "datagram", [b"x", b"\x06\x00\xff\x06\x00\x00\x11\xbe\x80\x00\x00\x00", b"\x06" * 40]
)
def test_all_else_is_the_simulators(peer: Peer, datagram: bytes) -> None:
    assert peer.ask(datagram) == b"simulator"


def test_many_callers_are_told_apart(peer: Peer) -> None:
    callers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(100)]
    with ExitStack() as ending:
        for number, caller in enumerate(callers):
            ending.enter_context(closing(caller))
            caller.connect(peer.caller.getpeername())
            caller.settimeout(10)
            caller.send(str(number).encode())
            assert caller.recv(64) == b"simulator"
    assert peer.seen == [str(number).encode() for number in range(100)]


@pytest.mark.parametrize("levels", ["XcuoaOXcuoaOXcu", "a" * 15])
def test_levels_are_stored_two_to_a_byte(levels: str) -> None:
    assert parse_levels(build_levels(levels)) == levels
    assert build_levels("XaXXXXXXXXXXXXX")[0] == 0x40  # the second one is the upper half


@pytest.mark.parametrize("flags", [0x40, 0x80, 0xC0])
def test_nobody_begins_a_session_with_a_payload_that_is_encrypted_or_authenticated(
    peer: Peer, flags: int
) -> None:
    opening = peer.ask(build_raw(OPEN_SESSION | flags, build_request(1, 1, 1)))
    assert read_refusal(opening) == (OPENED, 0x03, CALLER)
    assert peer.seen == []
    peer.ask(build_message(OPEN_SESSION, build_request(1, 1, 1)))
    first = peer.ask(build_raw(RAKP_1 | flags, build_rakp_1(4)))
    third = peer.ask(build_raw(RAKP_3 | flags, build_rakp_3(SESSION)))
    assert read_refusal(first) == (RAKP_2, 0x03, CALLER)
    assert read_refusal(third) == (RAKP_4, 0x03, CALLER)
    assert len(peer.seen) == 1


@pytest.mark.parametrize(("head", "authentication"), [("0601ff07", 6), ("06000007", 6), ("0600ff07", 0xF6)])
def test_reserved_bits_open_no_way_around(peer: Peer, head: str, authentication: int) -> None:
    datagram = build_raw(OPEN_SESSION, build_request(2, 0, 0), head=head, authentication=authentication)
    assert read_refusal(peer.ask(datagram)) == (OPENED, 0x11, CALLER)


def test_nobody_logs_in_to_a_session_that_was_not_opened(peer: Peer) -> None:
    unknown = b"\x09\x00\x09\x00"
    first = peer.ask(build_message(RAKP_1, build_rakp_1(2, session=unknown)))
    third = peer.ask(build_message(RAKP_3, build_rakp_3(unknown)))
    assert read_refusal(first) == (RAKP_2, 0x02, bytes(4))
    assert read_refusal(third) == (RAKP_4, 0x02, bytes(4))
    assert peer.seen == []


def test_a_session_that_was_refused_is_none(peer: Peer) -> None:
    peer.ask(build_message(OPEN_SESSION, build_request(2, 0, 0)))
    first = peer.ask(build_message(RAKP_1, build_rakp_1(2)))
    assert read_refusal(first) == (RAKP_2, 0x02, bytes(4))


@pytest.mark.parametrize("role", [0, 6, 15])
def test_a_role_that_is_reserved_is_refused(peer: Peer, role: int) -> None:
    peer.ask(build_message(OPEN_SESSION, build_request(1, 1, 1)))
    first = peer.ask(build_message(RAKP_1, build_rakp_1(role)))
    assert read_refusal(first) == (RAKP_2, 0x09, CALLER)


def test_the_role_of_a_login_by_name_alone_is_looked_at_too(peer: Peer) -> None:
    peer.ask(build_message(OPEN_SESSION, build_request(1, 1, 1)))
    assert read_refusal(peer.ask(build_message(RAKP_1, build_rakp_1(0x10)))) == (RAKP_2, 0x09, CALLER)
    assert peer.ask(build_message(RAKP_1, build_rakp_1(0x14))) == b"simulator"


def test_a_session_may_leave_its_role_open_and_not_ask_for_one_that_is_none(peer: Peer) -> None:
    refused = peer.ask(build_message(OPEN_SESSION, build_request(1, 1, 1, role=6)))
    assert read_refusal(refused) == (OPENED, 0x09, CALLER)
    opened = parse_message(peer.ask(build_message(OPEN_SESSION, build_request(1, 1, 1, role=0))))
    assert opened is not None and opened.payload[1] == 0


def test_a_session_of_nobody_is_not_opened(peer: Peer) -> None:
    refused = peer.ask(build_message(OPEN_SESSION, build_request(1, 1, 1, caller=bytes(4))))
    assert read_refusal(refused) == (OPENED, 0x02, bytes(4))


def test_a_name_that_is_too_long_is_refused(peer: Peer) -> None:
    peer.ask(build_message(OPEN_SESSION, build_request(1, 1, 1)))
    long = peer.ask(build_message(RAKP_1, build_rakp_1(4, name_bytes=17) + bytes(17)))
    assert read_refusal(long) == (RAKP_2, 0x0C, CALLER)
    whole = peer.ask(build_message(RAKP_1, build_rakp_1(4, name_bytes=16) + bytes(16)))
    assert whole == b"simulator"
    assert peer.ask(build_message(RAKP_3, build_rakp_3(SESSION))) == b"simulator"
