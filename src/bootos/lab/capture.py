"""What a boot card loaded, from the packets QEMU's filter-dump wrote: the proof from outside of who fetched what.

Pure parsing of classic pcap, Ethernet, IPv4, UDP, TCP; packets may be cut short. Formats: RFC 1350 (TFTP),
RFC 2131 (DHCP), the pcap-savefile manual page.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from bootos.errors import BootosError

_DHCP_MESSAGES = {
    1: "discover",
    2: "offer",
    3: "request",
    4: "decline",
    5: "ack",
    6: "nak",
    7: "release",
    8: "inform",
}


class Fetch(msgspec.Struct, frozen=True, kw_only=True):
    """A file the guest asked for: TFTP names are as sent, HTTP names are the path of the URL. Of a TLS connection only
    the peer is seen: its name is the address and port.

    `at_s` counts from the first packet. `found` is None while nothing was answered. `received_bytes` is what came
    for it, protocol headers above UDP and TCP and repeated packets included.
    """

    at_s: float
    protocol: Literal["tftp", "http", "tls"]
    name: str
    method: str = "GET"
    found: bool | None = None
    received_bytes: int = 0


class Dhcp(msgspec.Struct, frozen=True, kw_only=True):
    """A DHCP message on the card's network."""

    at_s: float
    message: str
    mac: str


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of interest on one card. `received_bytes` is the payload of TFTP and TCP sent to the guest."""

    fetches: tuple[Fetch, ...]
    dhcp: tuple[Dhcp, ...]
    received_bytes: int
    packets: int
    duration_s: float

    def read_boots(self, loader: str = "lpxelinux.0") -> list[tuple[Fetch, ...]]:
        """The fetches of each boot: a new one begins where the loader is asked for first."""
        boots: list[list[Fetch]] = []
        loading = False
        for fetch in self.fetches:
            is_loader = fetch.protocol == "tftp" and fetch.name.lstrip("/") == loader
            # A ROM asks for the loader twice, first for its size: that is one boot.
            if is_loader and not loading:
                boots.append([])
            loading = is_loader
            if boots:
                boots[-1].append(fetch)
        return [tuple(boot) for boot in boots]


class _Packet(msgspec.Struct, frozen=True):
    at_s: float
    protocol: int
    source: tuple[str, int]
    target: tuple[str, int]
    payload: bytes
    payload_bytes: int


def read_capture(path: Path) -> Capture:
    """Parse a pcap file, also one that is still being written. Raises BootosError."""
    try:
        return parse_capture(path.read_bytes())
    except OSError as cause:
        raise BootosError(f"the capture {path} cannot be read: {cause.strerror}") from cause


def has_asked(path: Path) -> bool:
    """Whether the guest has asked for a file or opened a connection, by the packets in a pcap file. DHCP is no such
    request. A file that is missing or empty, as before the first packet, holds none."""
    try:
        packets = list(_split_packets(path.read_bytes()))
    except (OSError, BootosError):
        return False
    return any(packet.protocol == 6 or packet.target[1] == 69 for packet in packets)


def parse_capture(content: bytes) -> Capture:
    """Parse the bytes of a pcap file. Raises BootosError when it is none."""
    packets = list(_split_packets(content))
    fetches: list[Fetch] = []
    dhcp: list[Dhcp] = []
    # Both have the key (IP protocol, guest's port). `waiting`: positions in `fetches` that have no answer yet.
    waiting: dict[tuple[int, int], list[int]] = {}
    latest: dict[tuple[int, int], int] = {}  # the position in `fetches` to which received bytes are added
    received: dict[int, int] = {}
    for packet in packets:
        key_to_host = (packet.protocol, packet.source[1])
        key_to_guest = (packet.protocol, packet.target[1])
        if packet.protocol == 17 and packet.target[1] == 69 and packet.payload[:2] == b"\0\1":
            name = packet.payload[2:].split(b"\0", 1)[0].decode(errors="replace")
            waiting[key_to_host] = [len(fetches)]
            latest[key_to_host] = len(fetches)
            fetches.append(Fetch(at_s=packet.at_s, protocol="tftp", name=name))
        elif packet.protocol == 17 and {packet.source[1], packet.target[1]} == {67, 68}:
            if message := _parse_dhcp(packet):
                dhcp.append(message)
        # a TFTP server answers from a port of its own choice
        elif packet.protocol == 17 and key_to_guest in latest:
            _count(received, latest, key_to_guest, max(0, packet.payload_bytes - 4))
            _settle(fetches, waiting, key_to_guest, found=packet.payload[:2] != b"\0\5")
        elif packet.protocol == 6 and (line := _parse_http_request(packet.payload)) is not None:
            waiting.setdefault(key_to_host, []).append(len(fetches))
            latest[key_to_host] = len(fetches)
            fetches.append(Fetch(at_s=packet.at_s, protocol="http", method=line[0], name=line[1]))
        elif packet.protocol == 6 and packet.payload[:2] == b"\x16\x03" and packet.payload[5:6] == b"\x01":
            latest[key_to_host] = len(fetches)  # a ClientHello (RFC 8446, sections 4 and 5.1)
            peer, port = packet.target
            fetches.append(Fetch(at_s=packet.at_s, protocol="tls", name=f"{peer}:{port}"))
        elif packet.protocol == 6 and key_to_guest in latest:
            _count(received, latest, key_to_guest, packet.payload_bytes)
            if packet.payload.startswith(b"HTTP/1."):
                _settle(fetches, waiting, key_to_guest, found=packet.payload[9:10] == b"2")
    return Capture(
        fetches=tuple(
            msgspec.structs.replace(fetch, received_bytes=received.get(position, 0))
            for position, fetch in enumerate(fetches)
        ),
        dhcp=tuple(dhcp),
        received_bytes=sum(received.values()),
        packets=len(packets),
        duration_s=packets[-1].at_s if packets else 0.0,
    )


def _count(
    received: dict[int, int], latest: dict[tuple[int, int], int], key: tuple[int, int], size_bytes: int
) -> None:
    """Add bytes to the latest request of this port."""
    if (position := latest.get(key)) is not None:
        received[position] = received.get(position, 0) + size_bytes


def _settle(
    fetches: list[Fetch], waiting: dict[tuple[int, int], list[int]], key: tuple[int, int], *, found: bool
) -> None:
    """Note the answer of the oldest open request of this port."""
    if open_positions := waiting.get(key):
        position = open_positions.pop(0)
        fetches[position] = msgspec.structs.replace(fetches[position], found=found)


def _split_packets(content: bytes) -> Iterator[_Packet]:
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}.get(content[:4])
    if order is None or len(content) < 24:
        raise BootosError("the capture is not a pcap file")
    offset = 24
    first: float | None = None
    while offset + 16 <= len(content):
        seconds, microseconds, kept, whole = struct.unpack_from(f"{order}IIII", content, offset)
        frame = content[offset + 16 : offset + 16 + kept]
        offset += 16 + kept
        at_s = seconds + microseconds / 1e6
        first = at_s if first is None else first
        if len(frame) == kept and (packet := _parse_frame(frame, whole, at_s - first)) is not None:
            yield packet


def _parse_frame(frame: bytes, whole_bytes: int, at_s: float) -> _Packet | None:
    """An IPv4 packet with UDP or TCP in it, else None. `whole_bytes` is the frame's length before it was cut."""
    if len(frame) < 34 or frame[12:14] != b"\x08\x00" or frame[14] >> 4 != 4:
        return None
    ip = frame[14:]
    header_bytes = (ip[0] & 0x0F) * 4
    total_bytes = int.from_bytes(ip[2:4], "big") or whole_bytes - 14
    protocol = ip[9]
    segment = ip[header_bytes:]
    if protocol not in (6, 17) or len(segment) < 8 or int.from_bytes(ip[6:8], "big") & 0x1FFF:
        return None
    source_port, target_port = struct.unpack_from("!HH", segment)
    if protocol == 6 and len(segment) < 20:
        return None
    skipped = 8 if protocol == 17 else (segment[12] >> 4) * 4
    return _Packet(
        at_s,
        protocol,
        (".".join(map(str, ip[12:16])), source_port),
        (".".join(map(str, ip[16:20])), target_port),
        segment[skipped : total_bytes - header_bytes],
        max(0, total_bytes - header_bytes - skipped),
    )


def _parse_http_request(payload: bytes) -> tuple[str, str] | None:
    """(method, path) of a request's first line, else None."""
    words = payload.split(b"\r\n", 1)[0].split(b" ")
    if len(words) < 2 or words[0] not in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH"):
        return None
    return words[0].decode(), words[1].decode(errors="replace")


def _parse_dhcp(packet: _Packet) -> Dhcp | None:
    """The message type (option 53) and client address of a DHCP packet."""
    payload = packet.payload
    mac = payload[28:34].hex(":")
    offset = 240
    while offset + 2 < len(payload) and payload[offset] != 255:
        if payload[offset] == 0:
            offset += 1
            continue
        if payload[offset] == 53:
            return Dhcp(
                at_s=packet.at_s,
                message=_DHCP_MESSAGES.get(payload[offset + 2], str(payload[offset + 2])),
                mac=mac,
            )
        offset += 2 + payload[offset + 1]
    return None
