"""The configuration of dnsmasq, and dnsmasq's own word on it."""

import ipaddress
import shutil
from pathlib import Path

import msgspec
import pytest

from bootos.errors import BootosError
from bootos.process import run
from bootos.server.netboot.dnsmasq import parse_range, read_address, render_dnsmasq
from bootos.server.settings import Settings

ADDRESS = ipaddress.IPv4Interface("10.0.0.1/24")
URL = "http://10.0.0.1"


def build_settings(directory: Path, **more: str) -> Settings:
    settings = Settings(data=directory, netboot="eth1")
    return msgspec.structs.replace(settings, **more)


def read_rules(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("dhcp-", "pxe-"))]


def test_each_client_gets_its_loader(tmp_path: Path) -> None:
    settings = build_settings(tmp_path, dhcp_range="10.0.0.100-10.0.0.200")
    assert read_rules(render_dnsmasq(settings, ADDRESS, URL, "ipxe.efi")) == [
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


def test_all_firmware_gets_ipxe_when_it_was_chosen(tmp_path: Path) -> None:
    settings = build_settings(tmp_path, dhcp_range="10.0.0.100-10.0.0.200", boot_loader="ipxe")
    text = render_dnsmasq(settings, ADDRESS, URL, "ipxe.efi")
    assert "dhcp-boot=tag:bios,tag:!ipxe,undionly.kpxe\n" in text
    assert "dhcp-boot=tag:uefi,tag:!ipxe,ipxe.efi\n" in text


def test_beside_another_dhcp_server_no_address_is_given_out(tmp_path: Path) -> None:
    text = render_dnsmasq(build_settings(tmp_path), ADDRESS, URL, "ipxe.efi")
    assert "dhcp-range=10.0.0.0,proxy,255.255.255.0\n" in text
    assert "pxe-service=tag:!ipxe,x86PC,BootOS,lpxelinux.0\n" in text
    assert "pxe-service=tag:!ipxe,X86-64_EFI,BootOS,shimx64.efi\n" in text


@pytest.mark.skipif(
    shutil.which("dnsmasq", path="/usr/sbin:/usr/bin") is None, reason="dnsmasq is not installed"
)
@pytest.mark.parametrize("dhcp_range", ["", "10.0.0.100-10.0.0.200"])
def test_dnsmasq_accepts_it(tmp_path: Path, dhcp_range: str) -> None:
    path = tmp_path / "dnsmasq.conf"
    path.write_text(render_dnsmasq(build_settings(tmp_path, dhcp_range=dhcp_range), ADDRESS, URL, "ipxe.efi"))
    assert "syntax check OK" in run(["/usr/sbin/dnsmasq", "--test", f"--conf-file={path}"]).stderr


@pytest.mark.parametrize("text", ["", "10.0.0.1", "10.0.0.9-10.0.0.2", "10.0.0.1-x"])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BootosError) as caught:
        parse_range(text)
    assert "FIRST-LAST" in caught.value.hint


def test_a_range_outside_the_network_is_refused(tmp_path: Path) -> None:
    settings = build_settings(tmp_path, dhcp_range="10.0.0.100-10.0.1.2")
    with pytest.raises(BootosError, match=r"10\.0\.1\.2 is not in 10\.0\.0\.0/24"):
        render_dnsmasq(settings, ADDRESS, URL, "ipxe.efi")


def test_an_interface_that_is_not_there_is_said() -> None:
    with pytest.raises(BootosError, match="there is no interface 'none0'"):
        read_address("none0")
    assert str(read_address("lo").ip) == "127.0.0.1"
