"""Between whoever logs in over the LAN and `ipmi_sim`: lets RMCP+ sessions through as a real BMC does.

`ipmi_sim` has one list of cipher suites, and takes their levels for something else. Here a session is refused whose
suite may not be used, and one that asks for more than its suite's level (IPMI 2.0, 13.17 to 13.24: Open Session, RAKP 1
and 2). Called by `bmc.Bmc`.
"""

import contextlib
import select
import socket
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from bootos.lab.loopback import LOOPBACK
from bootos.lab.rmcp_cipher import ADMINISTRATOR
from bootos.lab.udp_relay import UdpRelay

OPEN_SESSION, OPEN_SESSION_ANSWER, RAKP_1, RAKP_2 = 0x10, 0x11, 0x12, 0x13
NO_MATCHING_SUITE, PRIVILEGE_REFUSED = 0x11, 0x0A  # table 13-15
# Authentication, integrity and confidentiality algorithm -> cipher suite (table 22-20)
SUITES = {
    (0, 0, 0): 0, (1, 0, 0): 1, (1, 1, 0): 2, (1, 1, 1): 3, (1, 1, 2): 4, (1, 1, 3): 5, (2, 0, 0): 6, (2, 2, 0): 7,
    (2, 2, 1): 8, (2, 2, 2): 9, (2, 2, 3): 10, (2, 3, 0): 11, (2, 3, 1): 12, (2, 3, 2): 13, (2, 3, 3): 14,
    (3, 0, 0): 15, (3, 4, 0): 16, (3, 4, 1): 17,
}  # fmt: skip
_RMCP_HEAD = bytes((0x06, 0x00, 0xFF, 0x07))  # version 1.0, no ACK, class IPMI
_RMCP_PLUS = 0x06
_HEAD_BYTES = 16  # of a session message without OEM payload
_MOST_SESSIONS = 256


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message outside of a session: its payload type and payload."""

    kind: int
    payload: bytes


def parse_message(datagram: bytes) -> Message | None:
    """None for all others: what is in a session is encrypted."""
    if len(datagram) < _HEAD_BYTES or datagram[:4] != _RMCP_HEAD or datagram[4] != _RMCP_PLUS:
        return None
    size = int.from_bytes(datagram[14:16], "little")
    payload = datagram[_HEAD_BYTES : _HEAD_BYTES + size]
    return Message(kind=datagram[5], payload=payload) if len(payload) == size else None


def build_message(kind: int, payload: bytes) -> bytes:
    """The reverse."""
    head = _RMCP_HEAD + bytes((_RMCP_PLUS, kind)) + bytes(8)
    return head + len(payload).to_bytes(2, "little") + payload


def find_suite(payload: bytes) -> int | None:
    """The cipher suite that an Open Session Request proposes; None: it is none."""
    if len(payload) < 32:
        return None
    return SUITES.get((payload[12] & 0x3F, payload[20] & 0x3F, payload[28] & 0x3F))


class RmcpDoor:
    """Listens on `port` of the loopback. `find_limit` says up to which privilege a cipher suite may be used, 0: not."""

    def __init__(self, port: int, *, simulator_port: int, find_limit: Callable[[int], int]) -> None:
        self._find_limit = find_limit
        self._relay: UdpRelay[tuple[str, int]] = UdpRelay(simulator_port)
        self._proposed: dict[bytes, int] = {}  # suite by the caller's number of a session
        # By the BMC's number of a session: its privilege, and the caller's number
        self._sessions: dict[bytes, tuple[int, bytes]] = {}
        self._stopping = threading.Event()
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._listener.bind((LOOPBACK, port))
        self._listener.setblocking(False)
        self._thread = threading.Thread(target=self._serve, name="rmcp", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._stopping.set()
        self._thread.join(5)
        self._listener.close()
        self._relay.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            ready, _, _ = select.select([self._listener, *self._relay.sockets], [], [], 0.25)
            with contextlib.suppress(OSError):  # whoever asked is gone
                if self._listener in ready:
                    self._take(*self._listener.recvfrom(4096))
                for client, answer in self._relay.receive(ready):
                    self._note_answer(answer)
                    self._listener.sendto(answer, client)

    def _take(self, datagram: bytes, client: tuple[str, int]) -> None:
        message = parse_message(datagram)
        refusal = self._judge(message) if message is not None else None
        if refusal is None:
            self._relay.send(client, datagram)
        else:
            self._listener.sendto(refusal, client)

    def _judge(self, message: Message) -> bytes | None:
        """The answer that refuses it; None: the simulator answers."""
        payload = message.payload
        if message.kind == OPEN_SESSION and len(payload) >= 32:
            suite, caller = find_suite(payload), payload[4:8]
            if suite is None or self._find_limit(suite) == 0:
                return build_message(OPEN_SESSION_ANSWER, _build_refusal(payload, NO_MATCHING_SUITE, caller))
            self._proposed[caller] = suite
            _shorten(self._proposed)
        elif message.kind == RAKP_1 and len(payload) >= 28:
            limit, caller = self._sessions.get(payload[4:8], (ADMINISTRATOR, bytes(4)))
            if payload[24] & 0x0F > limit:
                return build_message(RAKP_2, _build_refusal(payload, PRIVILEGE_REFUSED, caller))
        return None

    def _note_answer(self, datagram: bytes) -> None:
        """Which session of the BMC has which suite."""
        message = parse_message(datagram)
        if message is None or message.kind != OPEN_SESSION_ANSWER or len(message.payload) < 12:
            return
        caller = message.payload[4:8]
        suite = self._proposed.pop(caller, None)
        if suite is not None and message.payload[1] == 0:
            self._sessions[message.payload[8:12]] = (self._find_limit(suite), caller)
            _shorten(self._sessions)


def _build_refusal(request: bytes, status: int, session: bytes) -> bytes:
    return bytes((request[0], status, 0, 0)) + session


def _shorten(sessions: dict[bytes, Any]) -> None:
    """Forget the oldest: sessions that nobody ended."""
    while len(sessions) > _MOST_SESSIONS:
        del sessions[next(iter(sessions))]
