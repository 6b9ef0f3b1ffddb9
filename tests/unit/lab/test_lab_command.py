import json

import pytest
import typer
from typer.testing import CliRunner

from bootos.lab.command import app, build_spec, guest_url
from bootos.lab.netboot import build_default_menu


def test_the_words_of_the_command_line_become_a_machine() -> None:
    spec = build_spec(
        memory="2G", cpus=4, disks=["virtio:2G", "nvme"], nics=["e1000:isolated", "virtio:boot"], bmc=True
    )
    assert (spec.memory_mib, spec.cpus) == (2048, 4)
    assert [(disk.name, disk.bus, disk.size_mib) for disk in spec.disks] == [
        ("disk0", "virtio", 2048),
        ("disk1", "nvme", 1024),
    ]
    assert [(nic.model, nic.boot, nic.isolated) for nic in spec.nics] == [
        ("e1000", False, True),
        ("virtio", True, False),
    ]
    assert spec.bmc is not None


def test_the_first_card_boots_when_none_is_marked() -> None:
    spec = build_spec(memory="1G", cpus=1, disks=[], nics=["e1000", "virtio"], bmc=False)
    assert [nic.boot for nic in spec.nics] == [True, False]
    assert build_spec(memory="1G", cpus=1, disks=[], nics=[], bmc=False).nics[0].boot


@pytest.mark.parametrize(
    ("disks", "nics"), [(["floppy:1G"], []), (["virtio:big"], []), ([], ["e100"]), ([], ["virtio:fast"])]
)
def test_words_it_cannot_read_are_wrong_usage(disks: list[str], nics: list[str]) -> None:
    with pytest.raises(typer.BadParameter):
        build_spec(memory="1G", cpus=1, disks=disks, nics=nics, bmc=False)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://127.0.0.1:8083", "http://10.0.2.2:8083"),
        ("http://localhost:8083/", "http://10.0.2.2:8083"),
        ("https://boot.example:8443/x/", "https://boot.example:8443/x"),
    ],
)
def test_a_guest_reaches_this_hosts_loopback_under_another_address(url: str, seen: str) -> None:
    assert guest_url(url) == seen


def test_check_prints_one_json_document() -> None:
    result = CliRunner().invoke(app, ["check", "--json"])
    facts = json.loads(result.stdout)
    assert facts["ok"] is (result.exit_code == 0)
    assert {entry["part"] for entry in facts["requirements"]} == {
        "machine",
        "pxe",
        "uefi",
        "bmc",
        "disk",
        "layer",
    }


def test_wrong_usage_ends_with_2() -> None:
    assert CliRunner().invoke(app, ["run", "--disk", "floppy:1G", "--kernel-only"]).exit_code == 2
    assert CliRunner().invoke(app, ["run", "--no-such-option"]).exit_code == 2


def test_the_menu_is_the_documented_one() -> None:
    menu = build_default_menu("http://osinstall.idcos.com/bootos", append="console=tty0 SERVER_ADDR=http://x")
    assert menu == (
        "DEFAULT menu.c32\nPROMPT 0\nTIMEOUT 30\n\nLABEL bootos\nMENU LABEL ^BootOS\nMENU DEFAULT\n"
        "KERNEL http://osinstall.idcos.com/bootos/vmlinuz\n"
        "APPEND initrd=http://osinstall.idcos.com/bootos/initrd.img console=tty0 SERVER_ADDR=http://x\n"
        "IPAPPEND 2\n"
    )
