"""`two-boots.pcap` was written by QEMU's filter-dump while a lab machine booted twice through pxelinux, then thinned
out: of each transfer only the request and its first two answers were kept."""

import socket
import struct
from pathlib import Path

import pytest

from bootos.errors import BootosError
from bootos.lab.capture import has_asked, parse_capture, read_capture

GOLDEN = Path(__file__).parents[2] / "golden/lab/capture/two-boots.pcap"


def test_tells_two_boots_apart_and_what_each_fetched() -> None:
    boots = read_capture(GOLDEN).read_boots()
    assert len(boots) == 2
    names = [(fetch.protocol, fetch.name) for fetch in boots[0]]
    assert names[:3] == [
        ("tftp", "lpxelinux.0"),
        ("tftp", "ldlinux.c32"),
        ("tftp", "pxelinux.cfg/01-52-54-00-00-00-02"),
    ]
    assert names[-4:] == [
        ("http", "/bootos/vmlinuz"),
        ("http", "/bootos/initrd.img"),
        ("http", "/hello"),
        ("http", "/task1"),
    ]
    assert [fetch.name for fetch in boots[1]][-2:] == ["/bootos/vmlinuz", "/bootos/initrd.img"]


def test_tells_a_file_that_was_there_from_one_that_was_not() -> None:
    found = {fetch.name: fetch.found for fetch in read_capture(GOLDEN).fetches}
    assert found["pxelinux.cfg/01-52-54-00-00-00-02"] is False
    assert found["pxelinux.cfg/default"] is True
    assert found["/bootos/vmlinuz"] is True


def test_counts_time_from_the_first_packet() -> None:
    capture = read_capture(GOLDEN)
    times = [fetch.at_s for fetch in capture.fetches]
    assert times == sorted(times)
    assert 3 < times[0] < 4
    assert capture.duration_s > 70


def test_reads_dhcp_messages_with_the_cards_address() -> None:
    dhcp = read_capture(GOLDEN).dhcp
    assert {message.mac for message in dhcp} == {"52:54:00:00:00:02"}
    assert [message.message for message in dhcp[:6]] == [
        "discover",
        "offer",
        "discover",
        "offer",
        "request",
        "ack",
    ]


def test_counts_bytes_by_what_was_asked_for() -> None:
    capture = read_capture(GOLDEN)
    assert all(fetch.received_bytes > 0 for fetch in capture.fetches if fetch.protocol == "http")
    assert sum(fetch.received_bytes for fetch in capture.fetches) == capture.received_bytes


def test_a_file_that_is_still_written_is_read_up_to_its_last_whole_packet() -> None:
    whole = GOLDEN.read_bytes()
    assert parse_capture(whole[:-5]).packets == parse_capture(whole).packets - 1
    assert parse_capture(whole[:24]).fetches == ()


@pytest.mark.parametrize("content", [b"", b"not a capture file at all, really"])
def test_refuses_what_is_no_capture(content: bytes) -> None:
    with pytest.raises(BootosError, match="not a pcap file"):
        parse_capture(content)


def test_a_request_is_a_file_asked_for_or_a_connection_and_not_dhcp(tmp_path: Path) -> None:
    content = GOLDEN.read_bytes()
    first_fetch = read_capture(GOLDEN).fetches[0]
    assert has_asked(GOLDEN)
    path = tmp_path / "dhcp.pcap"
    path.write_bytes(cut_before(content, first_fetch.at_s))
    assert read_capture(path).dhcp
    assert not has_asked(path)


def test_before_the_first_packet_nothing_was_asked(tmp_path: Path) -> None:
    (tmp_path / "empty.pcap").touch()
    assert not has_asked(tmp_path / "empty.pcap")
    assert not has_asked(tmp_path / "missing.pcap")


def test_of_a_tls_connection_the_peer_is_seen_and_how_much_came() -> None:
    hello, answer = b"\x16\x03\x01\x00\x05\x01hello", b"\x16\x03\x03\x00\x05\x02world, and more"
    guest, server = ("10.0.2.15", 40000), ("10.0.2.2", 8084)
    content = GOLDEN.read_bytes()[:24]
    for source, target, payload in ((guest, server, hello), (server, guest, answer)):
        content += build_packet(source, target, payload)
    (fetch,) = parse_capture(content).fetches
    assert (fetch.protocol, fetch.name) == ("tls", "10.0.2.2:8084")
    assert fetch.received_bytes == len(answer)


def build_packet(source: tuple[str, int], target: tuple[str, int], payload: bytes) -> bytes:
    """A TCP segment over IPv4 and Ethernet, as a packet of a pcap file."""
    tcp = struct.pack("!HHIIBBHHH", source[1], target[1], 0, 0, 5 << 4, 0x18, 0, 0, 0) + payload
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + addresses + tcp
    frame = bytes(12) + b"\x08\x00" + ip
    return struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame


def cut_before(content: bytes, at_s: float) -> bytes:
    """The capture up to the packet that came `at_s` seconds after the first."""
    offset, first = 24, None
    while offset < len(content):
        seconds, microseconds, kept = struct.unpack_from("<III", content, offset)
        now = seconds + microseconds / 1e6
        first = now if first is None else first
        if now - first >= at_s:
            break
        offset += 16 + kept
    return content[:offset]
