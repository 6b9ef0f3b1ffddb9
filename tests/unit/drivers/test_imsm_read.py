"""Intel's containers and volumes as mdadm and the kernel tell of them, and what Intel's firmware says of itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import pytest

from bootos.drivers.contract import Machine
from bootos.drivers.raid.imsmplatform import parse_platform, read_platform
from bootos.drivers.storage.imsm import Found, read_containers
from bootos.drivers.storage.md import Member, parse_mdstat
from bootos.hardware.mdexamine import parse_examine
from bootos.process import Command, Completed, Options, ToolError

GOLDEN = Path(__file__).parents[2] / "golden/drivers/raid.mdadm"
FORCED = b"PATH=/bin\0IMSM_NO_PLATFORM=1\0"


def read(root: Path, name: str, *, is_silent: bool = False) -> tuple[Found, list[list[str]]]:
    """What is read of a machine with the mdstat and the answers in this folder, and what was run."""
    (root / "proc").mkdir()
    (root / "proc/mdstat").write_text((GOLDEN / name / "mdstat.txt").read_text())
    calls: list[list[str]] = []

    def run(argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        calls.append(list(command.words))
        if "--examine" in command.words:
            return command.complete(1, (GOLDEN / name / "examine.txt").read_text())
        assert command.words[:3] == ("mdadm", "--detail", "--export")
        if is_silent and command.words[3] == "/dev/md125":
            raise ToolError("mdadm: cannot open /dev/md125")
        return command.complete(0, (GOLDEN / name / f"detail-{command.words[3][5:]}.txt").read_text())

    return read_containers(Machine(run=run, root=root), ["/dev/sda", "/dev/sdb"]), calls


def test_two_volumes_of_a_container_have_the_names_of_intels_metadata(tmp_path: Path) -> None:
    found, calls = read(tmp_path, "imsm")
    told = {
        array.name: (array.level, array.drive_count, array.subarray, array.node) for array in found.arrays
    }
    assert told == {"data": ("0", 2, "1", "/dev/md125"), "os": ("1", 2, "0", "/dev/md126")}
    (home,) = found.containers
    assert (home.node, home.members, home.failed) == ("/dev/md127", ("/dev/sdb", "/dev/sda"), ())
    assert {array.container for array in found.arrays} == {home.uuid}
    assert found.arrays[0].chunk_bytes == 128 * 1024
    assert not found.started and not [call for call in calls if "--assemble" in call]


def test_a_volume_of_which_mdadm_fails_hides_no_other(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "imsm", is_silent=True)
    told = {(array.node, array.uuid == "", array.level, array.drive_count) for array in found.arrays}
    assert told == {("/dev/md125", True, "0", 2), ("/dev/md126", False, "1", 2)}
    assert found.arrays[0].nodes == {"/dev/sda", "/dev/sdb"}
    assert found.notes == ["mdadm tells nothing of the array /dev/md125: mdadm: cannot open /dev/md125"]


def test_a_drive_that_failed_is_no_hot_spare_though_the_kernel_says_so(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "imsm-failed")
    (array,) = found.arrays
    assert array.members == (Member(node="/dev/sda", role=0), Member(node="/dev/sdb", faulty=True))
    assert found.containers[0].failed == ("/dev/sdb",)


def test_a_spare_belongs_to_no_container_by_itself() -> None:
    blocks = parse_examine((GOLDEN / "imsm-spare/examine.txt").read_text())
    assert [(block.device, list(block.volumes)) for block in blocks] == [
        ("/dev/sda", ["os", "data"]),
        ("/dev/sdb", ["os", "data"]),
        ("/dev/sdc", []),
    ]
    assert blocks[2].uuid == "00000000:00000000:00000000:00000000"


def test_a_member_that_mdadm_cannot_tell_by_its_serial_number_is_in_its_volumes(tmp_path: Path) -> None:
    said = (GOLDEN.parents[1] / "hardware/mdadm/imsm-of-no-name.txt").read_text()

    def run(argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        return Command(argv, **options).complete(0, said)

    machine = Machine(run=run, root=tmp_path)
    machine.only_looks = True
    found = read_containers(machine, ["/dev/sdc"])
    assert [(array.name, array.drive_count, sorted(array.nodes)) for array in found.arrays] == [
        ("Volume1", 2, ["/dev/sdc"]),
        ("Volume2", 2, ["/dev/sdc"]),
    ]


def test_the_kernel_says_which_container_a_volume_is_in() -> None:
    entries = {e.name: e for e in parse_mdstat((GOLDEN / "imsm/mdstat.txt").read_text())}
    assert [(e.metadata, e.container, e.subarray) for e in entries.values()] == [
        ("external:/md127/1", "md127", "1"),
        ("external:/md127/0", "md127", "0"),
        ("external:imsm", "", ""),
    ]


@pytest.mark.parametrize(
    ("golden", "name", "levels", "strips"),
    [
        ("vroc", "Intel(R) Virtual RAID on CPU", (0, 1, 5, 10), 6),
        ("rst", "Intel(R) Rapid Storage Technology", (0, 5, 10), 6),
    ],
)
def test_what_intels_firmware_can(golden: str, name: str, levels: tuple[int, ...], strips: int) -> None:
    found = parse_platform((GOLDEN / f"platform/{golden}.txt").read_text())
    assert (found.name, found.levels, len(found.strip_bytes), found.trouble) == (name, levels, strips, "")


def test_a_machine_without_it_says_why() -> None:
    found = parse_platform("", (GOLDEN / "platform/ahci.txt").read_text())
    assert found.trouble.startswith("mdadm: imsm capabilities not found for controller: /sys/devices/pci")
    assert parse_platform("").trouble


def test_one_controller_without_it_does_not_hide_another() -> None:
    text = (GOLDEN / "platform/ahci.txt").read_text() + (GOLDEN / "platform/rst.txt").read_text()
    assert parse_platform(text).name == "Intel(R) Rapid Storage Technology"


def test_the_word_that_overrules_it_is_mdadms_own(tmp_path: Path) -> None:
    def run(argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        return Command(argv, **options).complete(1, "", "mdadm: none\n")

    machine = Machine(run=run, root=tmp_path)
    assert read_platform(machine).trouble == "mdadm: none"
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/environ").write_bytes(FORCED.replace(b"=1", b"=0"))
    assert read_platform(machine).trouble == "mdadm: none"
    (tmp_path / "proc/self/environ").write_bytes(FORCED)
    assert read_platform(machine).trouble == ""
