"""Between whoever logs in over the LAN and `ipmi_sim`: lets RMCP+ sessions through as a real BMC does.

`ipmi_sim` has one list of cipher suites, and takes their levels for something else. Here a session is refused whose
suite may not be used, and one that asks for more than its suite's level, for a role that is none, or for a session that
nobody opened (IPMI 2.0, 13.17 to 13.24: Open Session and RAKP). Called by `bmc.Bmc`.
"""

import contextlib
import select
import socket
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from bootos.lab.loopback import LOOPBACK
from bootos.lab.udp_relay import UdpRelay

OPEN_SESSION, OPEN_SESSION_ANSWER, RAKP_1, RAKP_2, RAKP_3, RAKP_4 = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
# Table 13-15
INVALID_SESSION, INVALID_PAYLOAD, INVALID_ROLE, PRIVILEGE_REFUSED = 0x02, 0x03, 0x09, 0x0A
INVALID_NAME_LENGTH, NO_MATCHING_SUITE = 0x0C, 0x11
# Authentication, integrity and confidentiality algorithm -> cipher suite (table 22-20)
SUITES = {
    (0, 0, 0): 0, (1, 0, 0): 1, (1, 1, 0): 2, (1, 1, 1): 3, (1, 1, 2): 4, (1, 1, 3): 5, (2, 0, 0): 6, (2, 2, 0): 7,
    (2, 2, 1): 8, (2, 2, 2): 9, (2, 2, 3): 10, (2, 3, 0): 11, (2, 3, 1): 12, (2, 3, 2): 13, (2, 3, 3): 14,
    (3, 0, 0): 15, (3, 4, 0): 16, (3, 4, 1): 17,
}  # fmt: skip
_RMCP_HEAD = bytes((0x06, 0x00, 0xFF, 0x07))  # version 1.0, no ACK, class IPMI
_RMCP_PLUS = 0x06
_KIND_BITS = 0x3F  # of the payload type; the two above say that it is encrypted and authenticated
_NOBODY = bytes(4)
_MOST_ROLE, _MOST_NAME_BYTES = 5, 16
_HEAD_BYTES = 16  # of a session message without OEM payload
_MOST_SESSIONS = 256


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message: its payload type and payload. `is_protected`: it says that it is encrypted or authenticated, which
    nothing can be outside of a session."""

    kind: int
    payload: bytes
    is_protected: bool = False


def parse_message(datagram: bytes) -> Message | None:
    """None for all others: what is in a session is encrypted."""
    # the rest of the head is reserved or does not count for IPMI, and no simulator looks at it
    if len(datagram) < _HEAD_BYTES or (datagram[0], datagram[3]) != (_RMCP_HEAD[0], _RMCP_HEAD[3]):
        return None
    if datagram[4] & 0x0F != _RMCP_PLUS:
        return None
    size = int.from_bytes(datagram[14:16], "little")
    payload = datagram[_HEAD_BYTES : _HEAD_BYTES + size]
    if len(payload) != size:
        return None
    kind = datagram[5] & _KIND_BITS
    return Message(kind=kind, payload=payload, is_protected=kind != datagram[5])


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
        payload, status = message.payload, 0
        if message.kind == OPEN_SESSION and len(payload) >= 32:
            caller = payload[4:8]
            status = INVALID_PAYLOAD if message.is_protected else self._judge_opening(payload)
        elif (message.kind == RAKP_1 and len(payload) >= 28) or (
            message.kind == RAKP_3 and len(payload) >= 8
        ):
            limit, caller = self._sessions.get(payload[4:8], (0, _NOBODY))
            if message.is_protected:
                status = INVALID_PAYLOAD
            elif caller == _NOBODY:
                status = INVALID_SESSION
            elif message.kind == RAKP_1:
                status = _judge_role(payload, limit)
        if not status:
            return None
        return build_message(message.kind + 1, bytes((payload[0], status, 0, 0)) + caller)

    def _judge_opening(self, payload: bytes) -> int:
        """The status that refuses an Open Session Request (table 13-9), 0: none. It may leave the role open."""
        suite, caller = find_suite(payload), payload[4:8]
        if payload[1] & 0x0F > _MOST_ROLE:
            return INVALID_ROLE
        if caller == _NOBODY:
            return INVALID_SESSION
        if suite is None or self._find_limit(suite) == 0:
            return NO_MATCHING_SUITE
        self._proposed[caller] = suite
        _shorten(self._proposed)
        return 0

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


def _judge_role(payload: bytes, limit: int) -> int:
    """The status that refuses the role and the name of a RAKP Message 1 (table 13-11), 0: none."""
    role = payload[24] & 0x0F
    if role == 0 or role > _MOST_ROLE:
        return INVALID_ROLE
    if role > limit:
        return PRIVILEGE_REFUSED
    return INVALID_NAME_LENGTH if payload[27] > _MOST_NAME_BYTES else 0


def _shorten(sessions: dict[bytes, Any]) -> None:
    """Forget the oldest: sessions that nobody ended."""
    while len(sessions) > _MOST_SESSIONS:
        del sessions[next(iter(sessions))]
