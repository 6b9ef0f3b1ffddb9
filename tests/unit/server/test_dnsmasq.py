"""The configuration of dnsmasq, and dnsmasq's own word on it."""

import ipaddress
import os
import shutil
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from bootos.errors import BootosError
from bootos.process import Child, run, start
from bootos.server.netboot.dnsmasq import parse_range, read_address, render_dnsmasq
from bootos.server.netboot.loader import Offer
from bootos.server.settings import Settings
from bootos.waiting import wait_for

ADDRESS = ipaddress.IPv4Interface("10.0.0.1/24")
URL = "http://10.0.0.1"
NATIVE = Offer(bios="lpxelinux.0", uefi="shimx64.efi", http="ipxe.efi")


def build_settings(directory: Path, **more: str) -> Settings:
    settings = Settings(data=directory, netboot="eth1")
    return msgspec.structs.replace(settings, **more)


def read_rules(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("dhcp-", "pxe-"))]


def test_each_client_gets_its_loader(tmp_path: Path) -> None:
    settings = build_settings(tmp_path, dhcp_range="10.0.0.100-10.0.0.200")
    assert read_rules(render_dnsmasq(settings, ADDRESS, URL, NATIVE)) == [
        f"dhcp-leasefile={tmp_path}/dnsmasq.leases",
        "dhcp-userclass=set:ipxe,iPXE",
        "dhcp-match=set:bios,option:client-arch,0",
        "dhcp-match=set:uefi,option:client-arch,7",
        "dhcp-match=set:uefi,option:client-arch,9",
        "dhcp-match=set:http,option:client-arch,16",
        "dhcp-range=10.0.0.100,10.0.0.200,255.255.255.0,1h",
        "dhcp-boot=tag:ipxe,http://10.0.0.1/bootos/netboot/boot.ipxe",
        "dhcp-boot=tag:bios,tag:!ipxe,lpxelinux.0",
        "dhcp-boot=tag:uefi,tag:!ipxe,shimx64.efi",
        "dhcp-boot=tag:http,tag:!ipxe,http://10.0.0.1/bootos/netboot/ipxe.efi",
        "dhcp-option-force=tag:http,tag:!ipxe,60,HTTPClient",
    ]


def test_a_client_whose_loader_is_missing_is_not_sent_for_it(tmp_path: Path) -> None:
    offer = msgspec.structs.replace(NATIVE, uefi="", http="")
    for dhcp_range in ("10.0.0.100-10.0.0.200", ""):
        text = render_dnsmasq(build_settings(tmp_path, dhcp_range=dhcp_range), ADDRESS, URL, offer)
        assert "lpxelinux.0\n" in text and "/boot.ipxe\n" in text
        assert ".efi" not in text and "EFI,BootOS" not in text and "HTTPClient" not in text


def test_beside_another_dhcp_server_no_address_is_given_out(tmp_path: Path) -> None:
    text = render_dnsmasq(build_settings(tmp_path), ADDRESS, URL, NATIVE)
    assert "dhcp-range=10.0.0.0,proxy,255.255.255.0\n" in text
    assert "pxe-service=tag:!ipxe,x86PC,BootOS,lpxelinux.0\n" in text
    assert "pxe-service=tag:!ipxe,X86-64_EFI,BootOS,shimx64.efi\n" in text


@pytest.mark.skipif(
    shutil.which("dnsmasq", path="/usr/sbin:/usr/bin") is None, reason="dnsmasq is not installed"
)
@pytest.mark.parametrize("dhcp_range", ["", "10.0.0.100-10.0.0.200"])
def test_dnsmasq_accepts_it(tmp_path: Path, dhcp_range: str) -> None:
    path = tmp_path / "dnsmasq.conf"
    path.write_text(render_dnsmasq(build_settings(tmp_path, dhcp_range=dhcp_range), ADDRESS, URL, NATIVE))
    assert "syntax check OK" in run(["/usr/sbin/dnsmasq", "--test", f"--conf-file={path}"]).stderr


@pytest.mark.parametrize("text", ["", "10.0.0.1", "10.0.0.9-10.0.0.2", "10.0.0.1-x"])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BootosError) as caught:
        parse_range(text)
    assert "FIRST-LAST" in caught.value.hint


def test_a_range_outside_the_network_is_refused(tmp_path: Path) -> None:
    settings = build_settings(tmp_path, dhcp_range="10.0.0.100-10.0.1.2")
    with pytest.raises(BootosError, match=r"10\.0\.1\.2 is not in 10\.0\.0\.0/24"):
        render_dnsmasq(settings, ADDRESS, URL, NATIVE)


def test_an_interface_that_is_not_there_is_said() -> None:
    with pytest.raises(BootosError, match="there is no interface 'none0'"):
        read_address("none0")
    assert str(read_address("lo").ip) == "127.0.0.1"


BUSY_S = 200.0  # a busy host imports the server slowly
SERVER = """
import sys, threading
from pathlib import Path
from bootos.server.netboot.dnsmasq import run_dnsmasq
from bootos.server.settings import Settings
with run_dnsmasq(Settings(data=Path(sys.argv[1]), netboot="lo"), "http://127.0.0.1"):
    print("serving", flush=True)
    threading.Event().wait()
"""


def start_serving(tmp_path: Path, log_path: Path, script: str) -> Child:
    """A process that runs a dnsmasq, which is this script of a shell."""
    dnsmasq = tmp_path / "bin/dnsmasq"
    dnsmasq.parent.mkdir()
    dnsmasq.write_text(f"#!/bin/sh\n{script}\n")
    dnsmasq.chmod(0o755)
    path = f"{dnsmasq.parent}:{os.environ['PATH']}"
    return start([sys.executable, "-c", SERVER, tmp_path], env={"PATH": path}, log_path=log_path)


def wait_for_serving(log_path: Path) -> None:
    wait_for(lambda: "serving" in log_path.read_text(), BUSY_S, what=f"the server's start ({log_path})")


def test_loaders_that_come_later_are_offered(tmp_path: Path) -> None:
    started, log_path = tmp_path / "started", tmp_path / "server.log"
    (tmp_path / "tftp").mkdir()
    script = f"cat {tmp_path}/dnsmasq.conf >> {started}\necho TFTP root is here\nexec sleep 600"
    server = start_serving(tmp_path, log_path, script)
    try:
        wait_for_serving(log_path)
        assert "shimx64.efi" not in started.read_text()
        for name in ("grubx64.efi", "shimx64.efi"):
            (tmp_path / "tftp" / name).write_bytes(b"MZ")
        wait_for(
            lambda: "X86-64_EFI,BootOS,shimx64.efi" in started.read_text(), BUSY_S, what="the loader's offer"
        )
    finally:
        server.stop()


def test_dnsmasq_ends_with_a_server_that_is_killed(tmp_path: Path) -> None:
    ended, log_path = tmp_path / "ended", tmp_path / "server.log"
    script = f"trap 'touch {ended}; kill $!; exit' TERM\nsleep 600 &\necho TFTP root is here\nwait"
    server = start_serving(tmp_path, log_path, script)
    try:
        wait_for_serving(log_path)
        os.kill(server.pid, signal.SIGKILL)
        assert wait_for(ended.exists, BUSY_S, what="the end of dnsmasq")
    finally:
        server.stop()
