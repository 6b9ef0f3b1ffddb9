"""What modules say of themselves."""

import shutil
import struct
from pathlib import Path

import pytest
from kernelmodule import LABNIC, LABSCSI, PCI_ID, RELEASE, SIGNER, VERMAGIC, build_module

from bootos.errors import BootosError
from bootos.image.driver.module_file import (
    SIGNATURE_MARK,
    find_signer,
    parse_module,
    parse_pci_alias,
    parse_versions,
)
from bootos.process import run

NIC, SCSI = parse_module(LABNIC, "labnic.ko"), parse_module(LABSCSI, "labscsi.ko")


@pytest.mark.skipif(not shutil.which("modinfo"), reason="needs kmod")
def test_kmod_reads_the_made_modules_as_we_do(tmp_path: Path) -> None:
    file = tmp_path / "labscsi.ko"
    file.write_bytes(LABSCSI)
    assert run(["modinfo", "-F", "vermagic", file]).stdout == f"{VERMAGIC}\n"
    assert run(["modinfo", "-F", "signer", file]).stdout == f"{SIGNER}\n"
    lines = run(["modprobe", "--dump-modversions", file]).stdout.splitlines()
    assert {name: int(version, 16) for version, name in map(str.split, lines)} == SCSI.needs


@pytest.mark.parametrize("module", [LABNIC, LABSCSI])
def test_a_damaged_module_is_refused_and_never_a_crash(module: bytes) -> None:
    refused = 0
    damaged = [module[:size] for size in range(0, len(module), 41)]
    damaged += [module[:at] + b"\xff" + module[at + 1 :] for at in range(0, len(module), 3)]
    damaged += [module[:at] + b"\xff" * 8 + module[at + 8 :] for at in range(0, len(module), 8)]
    for data in damaged:
        try:
            parse_module(data, "damaged.ko")
        except BootosError:
            refused += 1
    assert refused > len(module) // 41


def test_a_module_says_for_which_kernel_and_devices_it_is() -> None:
    module = SCSI
    assert module.kernel_release == RELEASE
    assert module.vermagic == VERMAGIC.strip()
    assert module.pci_ids == (PCI_ID,)
    assert module.depends == ("labcore", "scsi_mod")
    assert (module.license, module.is_in_tree) == ("GPL", True)
    assert module.version == "1.00"
    assert module.label == "1.00"
    assert module.signed_by == SIGNER


def test_a_module_without_a_version_is_known_by_its_source() -> None:
    assert (NIC.version, NIC.label, NIC.pci_ids) == ("", "0123456789ABCDEF0123456", ())
    bare = parse_module(build_module("bare"), "bare.ko")
    assert (bare.label, bare.signed_by, bare.has_versions) == ("", "", False)


def test_what_it_needs_and_offers_has_versions() -> None:
    assert SCSI.has_versions
    assert SCSI.needs["labcore_register"] == 0xC0E1
    assert not SCSI.offers
    assert NIC.offers == {"labnic_start": 0x5001, "labnic_restart": 0x5002, "labnic_check_link": 0x5003}


def test_a_needed_symbol_without_a_version_is_known_by_name() -> None:
    module = build_module("bare", versions={"kfree": 1}, undefined=["kfree", "printk"])
    assert parse_module(module, "bare.ko").needs == {"kfree": 1, "printk": 0}


def test_symbols_may_be_left_alone() -> None:
    module = parse_module(LABNIC, "labnic.ko", symbols=False)
    assert not module.offers
    assert module.needs == NIC.needs


@pytest.mark.parametrize("length", [0, 3, 64, 500, 1000])
def test_a_module_that_is_cut_short_is_said_to_be_one(length: int) -> None:
    with pytest.raises(BootosError, match=r"no kernel module|cut short|broken"):
        parse_module(LABNIC[:length], "labnic.ko")


def test_another_machine_s_module_is_refused() -> None:
    data = bytearray(LABNIC)
    struct.pack_into("<H", data, 18, 183)  # AArch64
    with pytest.raises(BootosError, match="x86-64"):
        parse_module(bytes(data), "labnic.ko")


def test_a_stripped_signature_is_no_signature() -> None:
    data = LABNIC
    assert data.endswith(SIGNATURE_MARK)
    assert find_signer(data[: -len(SIGNATURE_MARK)]) == ""


@pytest.mark.parametrize(
    ("alias", "found"),
    [
        ("pci:v00008086d000010D3sv*sd*bc*sc*i*", "8086:10d3"),
        ("pci:v00001000d0000005Dsv00001028sd00001F49bc*sc*i*", "1000:005d"),
        ("pci:v00008086d*sv*sd*bc02sc00i*", None),
        ("pci:v*d*sv*sd*bc01sc06i01*", None),
        ("virtio:d00000001v*", None),
    ],
)
def test_ids_come_from_aliases_that_name_one_device(alias: str, found: str | None) -> None:
    assert parse_pci_alias(alias) == found


def test_versions_are_records_of_64_bytes() -> None:
    record = struct.pack("<Q56s", 0x1234, b"printk")
    assert parse_versions(record + record[:10]) == {"printk": 0x1234}
