"""Whole machines: each capture in `machines/` gives the inventory beside it.

`RENEW_GOLDENS=1 pytest tests/unit/hardware` writes the inventories again; read the difference before keeping it.
"""

import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

import msgspec
import pytest
from captured import MACHINES, NAMES, build_machine, read_machine

from bootos.hardware.capture import RecordingRunner, RecordingTree, Replay, build_capture
from bootos.hardware.health import has_health
from bootos.hardware.inventory import collect_from, collect_inventory
from bootos.process import Command, Completed, Options
from bootos.wire.inventory import Inventory


def test_there_are_captured_machines() -> None:
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_captured_machine_gives_its_inventory(name: str, tmp_path: Path) -> None:
    inventory = read_machine(name, tmp_path)
    text = msgspec.json.format(msgspec.json.encode(inventory), indent=1) + b"\n"
    golden = MACHINES / f"{name}.inventory.json"
    if os.environ.get("RENEW_GOLDENS"):
        golden.write_bytes(text)
    assert text.decode() == golden.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_each_disk_is_asked_for_its_health_once(name: str, tmp_path: Path) -> None:
    root, capture = build_machine(name, tmp_path)
    replay, asked = Replay(capture), list[str]()

    def run(argv: Sequence[str | PathLike[str]], **options: Unpack[Options]) -> Completed:
        if str(argv[0]) in ("smartctl", "nvme"):
            asked.append(str(argv[-1]))
        return replay(argv, **options)

    disks = collect_inventory(root, run).disks
    assert sorted(asked) == sorted(disk.path for disk in disks if has_health(disk))


@pytest.mark.parametrize("name", NAMES)
def test_the_inventory_survives_the_wire(name: str, tmp_path: Path) -> None:
    inventory = read_machine(name, tmp_path)
    assert msgspec.json.decode(msgspec.json.encode(inventory), type=Inventory) == inventory


def test_the_inventory_equals_what_qemu_was_given(tmp_path: Path) -> None:
    """The arguments of the captured machine are in its `about`."""
    inventory = read_machine("server-six-disks", tmp_path, pxe_mac="52:54:00:aa:00:02")
    system = inventory.system
    assert (system.vendor, system.product, system.serial) == ("Dell Inc.", "PowerEdge R740", "7XK2P03")
    assert system.uuid == "4c4c4544-0058-4b10-8032-b7c04f503033"
    assert (inventory.board.product, inventory.board.serial) == ("06WXJT", ".7XK2P03.CNFCP0088J00G8.")
    assert (inventory.chassis.serial, inventory.chassis.asset_tag) == ("7XK2P03", "RACK-A-12")
    assert (inventory.bios.version, inventory.bios.boot_mode) == ("2.19.1", "bios")
    (dimm,) = inventory.memory.dimms
    assert (dimm.size_bytes, dimm.part, dimm.speed_mts) == (1536 << 20, "HMA82GR7CJR8N-XN", 2933)
    assert (inventory.cpu.sockets, inventory.cpu.threads, inventory.virtual) == (1, 2, None)
    assert [(disk.index, disk.transport, disk.serial, disk.size_bytes >> 30) for disk in inventory.disks] == [
        (0, "nvme", "NVME1", 6),
        (1, "virtio", "VIRT1", 2),
        (2, "virtio", "VIRT0", 1),
        (3, "nvme", "NVME0", 5),
        (4, "sata", "SATA1", 4),
        (5, "sata", "SATA3", 3),
    ]
    turning = inventory.disks[5]
    assert (turning.model, turning.wwn) == ("ST4000NM0035-1V4107 long", "0x5000c500a1b2c3d4")
    assert (turning.type, inventory.disks[4].type) == ("hdd", "ssd")
    first, second = inventory.nics
    assert (first.mac, first.driver, first.speed_mbps) == ("52:54:00:aa:00:01", "e1000e", 1000)
    assert first.lldp is not None
    assert (first.lldp.system_name, first.lldp.port_id) == ("tor-a1", "Ethernet7")
    assert (second.mac, second.permanent_mac) == ("02:11:22:33:44:55", "52:54:00:aa:00:02")
    assert [nic.is_pxe for nic in inventory.nics] == [False, True]
    assert inventory.bmc is not None
    assert (inventory.bmc.address, inventory.bmc.netmask) == ("10.0.9.21", "255.255.255.0")
    assert inventory.notes == []


def test_a_controllers_volumes_and_a_stick_are_numbered_after_the_rule(tmp_path: Path) -> None:
    inventory = read_machine("server-controllers", tmp_path)
    assert [disk.serial for disk in inventory.disks] == [
        *(f"VIRT{number}" for number in range(6)), "MEGA1", "MEGA3", "SAS2", "VSCSI", "NVMP", "USBSTICK",
    ]  # fmt: skip
    assert inventory.bios.boot_mode == "uefi"
    assert [array.name for entry in inventory.raid for array in entry.arrays] == ["md126", "os"]
    assert any("RAID controller" in note for note in inventory.notes)


class NoTools:
    """A machine on which every tool is missing."""

    def __call__(self, argv: Sequence[str | PathLike[str]], **options: Unpack[Options]) -> Completed:
        raise Command(argv, **options).build_missing()


@pytest.mark.parametrize("name", NAMES)
def test_missing_tools_are_notes_and_everything_else_is_read(name: str, tmp_path: Path) -> None:
    whole = read_machine(name, tmp_path / "a")
    root, _ = build_machine(name, tmp_path / "b")
    bare = collect_inventory(root, NoTools())
    assert [disk.serial for disk in bare.disks] == [disk.serial for disk in whole.disks]
    assert [nic.mac for nic in bare.nics] == [nic.mac for nic in whole.nics]
    assert bare.system == whole.system
    assert all(disk.health is None for disk in bare.disks)
    assert [note for note in bare.notes if "smartctl is not installed" in note] != []


def test_disks_that_miss_the_same_tool_are_one_note(tmp_path: Path) -> None:
    root, _ = build_machine("server-six-disks", tmp_path)
    notes = collect_inventory(root, NoTools()).notes
    assert len([note for note in notes if "nvme" in note.split(": not read: ")[1]]) == 1


class Garbage:
    """A machine whose tools print something that nobody expects."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, argv: Sequence[str | PathLike[str]], **_: Any) -> Completed:
        return Completed(argv=("x",), returncode=0, stdout=self.text, stderr="", duration_s=0)


@pytest.mark.parametrize(
    "text", ["", "null", "[[]]", '{"Neighbors": 3}', "\0\xff", '[{"ifname": "eth0", "addr_info": 1}]']
)
def test_no_output_of_a_tool_stops_the_inventory(tmp_path: Path, text: str) -> None:
    root, _ = build_machine("server-six-disks", tmp_path)
    assert len(collect_inventory(root, Garbage(text)).disks) == 6


def test_an_empty_root_gives_an_empty_inventory_and_says_so(tmp_path: Path) -> None:
    inventory = collect_inventory(tmp_path, NoTools())
    assert (inventory.disks, inventory.nics, inventory.pci, inventory.bmc) == ([], [], [], None)
    assert any("no SMBIOS table" in note for note in inventory.notes)


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_of_a_captured_machine_is_the_same_capture(name: str, tmp_path: Path) -> None:
    root, capture = build_machine(name, tmp_path)
    tree, runner = RecordingTree(root), RecordingRunner(Replay(capture), root)
    collect_from(tree, runner)
    again = build_capture(tree, runner)
    assert again.links == capture.links
    assert again.files == capture.files
    assert again.tools == capture.tools


def test_the_real_machine_is_read() -> None:
    inventory = collect_inventory()
    assert inventory.cpu.threads
    assert inventory.memory.usable_bytes
