"""`two-boots.pcap` was written by QEMU's filter-dump while a lab machine booted twice through pxelinux, then thinned
out: of each transfer only the request and its first two answers were kept."""

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
