"""What `bootos capture show` prints for people: only what was printed by a tool, once, and whole."""

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from capturetable import GOLDEN, show

from bootos.engine.capture.source import RawFile
from bootos.engine.capture.text import format_understood
from bootos.engine.capture.understand import Understood, understand_tool
from bootos.engine.offline import build_offline_run
from bootos.engine.plan import JobPlan, plan_job
from bootos.wire.saved import SavedState

# A disk of 4096-byte sectors with one partition, and its table as sfdisk prints it.
DISK: dict[str, Any] = {"name": "sda", "type": "disk", "size": 26843545600}
PARTED: dict[str, Any] = {**DISK, "children": [{"name": "sda1", "type": "part", "size": 5242880000}]}
PART = {"node": "/dev/sda1", "start": 256, "size": 1280000, "type": "0FC63DAF-8483-4772-8E79-3D69D8477DE4"}
TABLE = RawFile(
    name="sfdisk.json",
    data=json.dumps(
        {
            "partitiontable": {
                "label": "gpt", "device": "/dev/sda", "unit": "sectors", "lastlba": 6553594, "sectorsize": 4096,
                "partitions": [PART],
            }
        }
    ).encode(),
)  # fmt: skip


def build_lsblk(rows: list[dict[str, Any]]) -> RawFile:
    """What `lsblk -J` prints of these rows."""
    return RawFile(name="lsblk.json", data=json.dumps({"blockdevices": rows}).encode())


def tell_text(name: str, tool: str) -> str:
    return "\n".join(format_understood(show(name, tool)))


def test_a_disk_of_which_nobody_said_size_or_kind_has_none() -> None:
    said = tell_text("hardware/smartctl/ssd-intel-s3520.json", "smartctl")
    assert "0: size unknown SSDSCKJB240G7R" in said
    assert "HDD" not in said and "0 B" not in said


def test_a_disk_that_says_that_it_turns_is_an_hdd_and_the_maker_is_said_once() -> None:
    said = tell_text("hardware/smartctl/sas-seagate-uncorrected.json", "smartctl")
    assert "0: 73.4 GB HDD SEAGATE ST373453LC" in said


def test_the_drives_of_a_raid_0_are_counted_as_they_are() -> None:
    said = tell_text("drivers/raid.mdadm/levels/mdstat.txt", "mdstat")
    assert "RAID 0   2 drives" in said and "of 0 drives" not in said
    assert "RAID 10  4 of 4 drives" in said


def test_an_array_that_does_not_run_is_named_with_its_drives_and_a_container_is_none() -> None:
    text = """\
Personalities : [raid1]
md126 : inactive sdb[0]
      468320256 blocks super external:/md127/0

md127 : inactive sdb[0](S)
      531288 blocks super external:ddf

md5 : inactive sdm[0](S) sdn[1](S)
      1000 blocks super 1.2

unused devices: <none>
"""
    notes = understand_tool("mdstat", [RawFile(name="mdstat", data=text.encode())]).notes
    assert notes[1:] == ["md126 does not run: /dev/sdb.", "md5 does not run: /dev/sdm, /dev/sdn."]


def test_an_hba_that_its_driver_reads_is_told_once() -> None:
    lines = tell_text("drivers/raid.adaptec/hba-1100.txt", "arcconf").splitlines()
    assert sum("HBA 1100-16i" in line for line in lines) == 1


def test_an_hba_of_the_inventory_is_called_one() -> None:
    said = tell_text("drivers/raid.megaraid/hba9500.c0.json", "storcli")
    assert "HBA: HBA 9500-8i, serial AAAA0009" in said


def test_a_controller_of_which_nothing_was_said_has_no_mode() -> None:
    said = tell_text("drivers/raid.adaptec/inaccessible.txt", "arcconf")
    assert "RAID controller 0: model not known" in said
    assert "mode" not in said.replace("model", "")
    assert "mode raid" in tell_text("drivers/raid.adaptec/8805.txt", "arcconf")


NINE = ("lsblk", "wipefs", "sfdisk-nvme1n1", "sfdisk-sdc", "sfdisk-md126")


def read_disks(*names: str) -> Understood:
    folder = GOLDEN / "drivers/disk.partition/nine-disks"
    files = [RawFile(name=name, data=(folder / f"{name}.json").read_bytes()) for name in names]
    return understand_tool("lsblk", files)


def tell_disks(*names: str) -> str:
    return "\n".join(format_understood(read_disks(*names)))


def test_disks_are_told_by_their_devices_with_partitions_and_what_lies_on_them() -> None:
    said = tell_disks(*NINE)
    assert re.search(r"^  /dev/nvme0n1 +839 MB +ext4 \"whole\"$", said, re.MULTILINE)
    assert re.search(
        r"^  /dev/sdc +734 MB +MBR table$\n^    /dev/sdc1 +100 MB +contents not known$", said, re.MULTILINE
    )
    assert re.search(r"^    /dev/nvme1n1p2 +252 MB +\"p1\", contents not known$", said, re.MULTILINE)
    assert re.search(r"^  /dev/vde +1.05 MB +read-only, contents not known$", said, re.MULTILINE)


def test_where_tables_are_missing_partitions_are_told_as_lsblk_lists_them() -> None:
    said = " ".join(tell_disks("lsblk", "wipefs").split())
    assert "/dev/sdc 734 MB" in said
    assert "/dev/sdc: dos, /dev/sdc1 (100 MB), /dev/sdc2 (419 MB)." in said
    assert '/dev/sda: linux_raid_member "any:data5", /dev/md127 (1.47 GB).' in said


def flatten(items: list[dict[str, Any]], parent: str | None) -> list[dict[str, Any]]:
    """A tree of lsblk as `-l` prints it."""
    rows: list[dict[str, Any]] = []
    for item in items:
        rows.append({key: value for key, value in item.items() if key != "children"} | {"pkname": parent})
        rows += flatten(item.get("children", []), item["name"])
    return rows


def test_a_flat_list_of_devices_says_what_their_tree_says() -> None:
    tree = json.loads((GOLDEN / "drivers/disk.partition/nine-disks/lsblk.json").read_text())["blockdevices"]
    in_tree, flat = (understand_tool("lsblk", [build_lsblk(rows)]) for rows in (tree, flatten(tree, None)))
    assert format_understood(flat) == format_understood(in_tree)
    assert flat.states == in_tree.states


def test_a_disk_of_a_flat_list_without_parents_holds_its_partitions() -> None:
    said = " ".join(tell_text("drivers/disk.partition/flat-list/lsblk.json", "lsblk").split())
    assert (
        "/dev/sda 60 GB INTEL_SSDSC2CT060A3 sda123 contents not known /dev/sda2 59.2 GB contents not known "
        "/dev/sda3 650 MB contents not known /dev/sda1 210 MB" in said
    )
    assert (
        "/dev/sdc 1 TB ST1000DM003-1CH162 sdc123 contents not known /dev/sdc1 900 GB contents not known"
        in said
    )
    assert "On which disks dm-0 (mpath)" in said


def test_sizes_of_partitions_count_the_sectors_of_their_disk() -> None:
    told = format_understood(understand_tool("lsblk", [TABLE]))
    assert [line.split()[:3] for line in told if line.startswith("  ") and "/dev/sda" in line] == [
        ["/dev/sda", "26.8", "GB"],
        ["/dev/sda1", "5.24", "GB"],
    ]


def test_of_what_wipefs_alone_lists_no_size_is_known() -> None:
    said = " ".join(tell_disks("wipefs").split())
    assert "512 B" not in said and "/dev/sda size unknown" in said
    assert '/dev/nvme0n1: ext4 "whole".' in said


def test_a_volume_is_told_with_what_lies_on_it() -> None:
    volume = {"name": "vg-root", "path": "/dev/mapper/vg-root", "type": "lvm", "size": 10**9, "fstype": "xfs"}
    part = {"name": "sda1", "type": "part", "size": 2 * 10**9, "fstype": "LVM2_member", "children": [volume]}
    disk = {"name": "sda", "type": "disk", "size": 4 * 10**9, "pttype": "gpt", "children": [part]}
    said = tell_rows([disk])
    assert "/dev/sda: gpt, /dev/sda1 (2 GB, LVM2_member), /dev/mapper/vg-root (1 GB, xfs)." in said


def test_a_controller_of_which_only_its_name_was_printed_has_no_mode() -> None:
    assert "mode" not in tell_text("drivers/raid.smartarray/p410-short.txt", "ssacli")
    assert ", mode" not in tell_text("drivers/raid.megaraid/cisco-24g.show.json", "storcli")
    assert "mode raid" in tell_text("drivers/raid.smartarray/p440-erasing.txt", "ssacli")


def test_of_one_missing_answer_it_is_said_once_what_is_not_shown() -> None:
    hba = " ".join(tell_text("drivers/raid.megaraid/hba9500.c0.json", "storcli").split())
    assert hba.count("`storcli64 /c0/eall/sall show all J` is not among the files") == 1
    assert "its drives are not all shown" in hba and "its drives are not shown" not in hba
    volumes = " ".join(tell_text("drivers/raid.megaraid/mr9560.vall.json", "storcli").split())
    assert volumes.count("/c0/eall/sall show all J` is not among the files") == 1
    listed = " ".join(tell_text("drivers/raid.megaraid/cisco-24g.show.json", "storcli").split())
    assert listed.count("its arrays are not shown") == 1


def test_an_array_without_a_label_is_told_on_its_drives_by_the_end_of_its_number() -> None:
    said = tell_text("drivers/raid.smartarray/p816i-a.txt", "ssacli")
    assert "  array  600508B1001CCD7B72DB95E459CDDCCC" in said
    assert said.count("online, of ...59CDDCCC") == 4 and "of 600508B1001C" not in said


def test_persistent_memory_is_called_so_once() -> None:
    said = tell_text("hardware/smbios/supermicro-sys-2029u.dmi", "dmidecode")
    assert "126 GiB  persistent  Intel" in said and "non-volatile" not in said


def test_why_a_foreign_configuration_cannot_be_imported_is_said_once() -> None:
    said = tell_text("drivers/raid.megaraid/rs3dc080.fall-two-foreign.json", "storcli")
    line = next(line for line in said.splitlines() if line.startswith("  foreign:"))
    assert line.count("Incomplete foreign configuration") == 1


def test_settings_without_a_name_in_templates_are_counted_and_said_to_have_none() -> None:
    said = tell_text("drivers/bios.racadm/serial-comm.txt", "racadm")
    assert "BIOS settings: 5, of which none has a name in templates" in said


def test_values_of_settings_are_written_as_the_machine_writes_them() -> None:
    assert "EnableSMMU = true" in tell_text("drivers/redfish.trees/bluefield-bios.json", "redfish")


def test_no_line_of_the_machine_is_cut() -> None:
    said = tell_text("hardware/smbios/supermicro-sys-2029u.dmi", "dmidecode")
    assert "8 x 126 GiB persistent 2666 MT/s, 16 of 24 slots" in said


def test_what_is_missing_of_a_controller_is_said_once() -> None:
    notes = show("drivers/raid.megaraid/mr9560.vall.json", "storcli").notes
    assert sum("/c0/fall show all J" in note for note in notes) == 1
    assert sum("/c0 show all J" in note for note in notes) == 1
    hba = show("drivers/raid.megaraid/hba9500.c0.json", "storcli").notes
    assert not any("vall" in note or "fall" in note for note in hba)
    mvcli = show("drivers/raid.mvcli/boss-s1.pd.txt", "mvcli").notes
    assert sum("info -o vd" in note for note in mvcli) == 1
    assert sum("info -o hba" in note for note in mvcli) == 1


def test_a_list_of_controllers_that_is_missing_is_named_and_not_called_empty() -> None:
    notes = show("drivers/raid.sas3ircu/sas2008-raid1.status.txt", "sas3ircu").notes
    assert any("`sas3ircu LIST` is not among the files" in note for note in notes)
    assert not any("lists no controllers" in note for note in notes)


def test_levels_that_mean_the_same_either_way_are_not_called_uncertain() -> None:
    (note,) = (
        note
        for note in show("hardware/ipmitool/hpe-lan-print-2.txt", "ipmitool-lan").notes
        if "privilege levels" in note
    )
    assert "1, 2, 3 may be used" in note and "not certain" not in note


def test_the_text_of_storcli_is_said_to_be_none_of_its_json() -> None:
    found = understand_tool("storcli", [RawFile(name="c0.txt", data=b"Controller = 0\nStatus = Success\n")])
    assert any(
        note.startswith("c0.txt: it is no answer of storcli in JSON; a J at the end") for note in found.notes
    )


def test_what_happens_when_the_mains_come_back_is_said_in_the_words_of_templates() -> None:
    said = tell_text("drivers/redfish.trees/lenovo-power-restore.json", "redfish")
    assert "when mains power comes back: last, Restore" in said


def test_a_part_whose_name_is_its_identity_is_called_by_it_once() -> None:
    said = tell_text("drivers/redfish.trees/cisco-c240-m5.json", "redfish")
    assert "XL710-slot-4" in said and "XL710-slot-4 (XL710-slot-4)" not in said


def test_why_a_driver_read_nothing_is_kept_for_the_plan() -> None:
    assert "sfdisk --json" in read_disks("lsblk", "wipefs").unread["disk.partition"]
    assert "lsblk" in read_disks("wipefs").unread["disk.partition"]


def test_an_nvme_drive_is_called_so_once() -> None:
    assert "NVME NVME" not in tell_text("drivers/raid.mvcli/88nr2241.pd.txt", "mvcli").upper()


def test_schemas_beside_the_resources_of_a_service_are_one_note() -> None:
    schemas = [
        RawFile(name=f"schemas/{name}.json", data=b'{"$id": "http://x", "definitions": {}}')
        for name in ("Bios", "Chassis", "Fabric", "Manager", "Power")
    ]
    system = b'{"@odata.id": "/redfish/v1/Systems/1", "@odata.type": "#ComputerSystem.v1_0_0.ComputerSystem"}'
    notes = understand_tool("redfish", [*schemas, RawFile(name="1.json", data=system)]).notes
    said = "No resource of Redfish: schemas/Bios.json, schemas/Chassis.json, schemas/Fabric.json and 2 more."
    assert [note for note in notes if "schemas/" in note] == [said]


def test_a_drive_that_is_being_rebuilt_does_not_count_as_one_that_works() -> None:
    """mdstat says [3/2] and [UU_] of both."""
    for name in ("degraded", "building"):
        said = tell_text(f"drivers/raid.mdadm/{name}/mdstat.txt", "mdstat")
        assert "at most 2 of 3 drives" in said and "3 of 3 drives" not in said


def tell_lines(*lists: list[dict[str, Any]], others: Sequence[RawFile] = ()) -> list[str]:
    """What is told of these lists of lsblk, each a file of its own, and of `others` beside them."""
    return format_understood(understand_tool("lsblk", [*map(build_lsblk, lists), *others]))


def tell_rows(*lists: list[dict[str, Any]], others: Sequence[RawFile] = ()) -> str:
    """The same in one line."""
    return " ".join(" ".join(tell_lines(*lists, others=others)).split())


def test_partitions_are_in_their_disk_where_no_type_was_asked_for() -> None:
    disk = {"name": "sda", "size": 100_000_000_000}
    part = {"name": "sda1", "size": 50_000_000_000, "mountpoint": "/"}
    for rows in ([disk, part], [disk, {**part, "pkname": "sda"}], [{**disk, "children": [part]}]):
        said = tell_rows(rows)
        assert "/dev/sda 100 GB contents not known, mounted on / /dev/sda1 50 GB" in said, rows
        assert "in use by" not in said
    said = tell_rows([disk, {"name": "dm-0", "size": 50_000_000_000}])
    assert "On which disks dm-0 (unknown) lie is not told" in said


def test_a_flat_list_beside_a_tree_and_one_given_twice_are_read() -> None:
    part = {"name": "sda1", "type": "part", "size": 50_000_000_000}
    tree = [{"name": "sda", "type": "disk", "size": 100_000_000_000, "children": [part]}]
    flat = [
        {"name": "sdb", "type": "disk", "size": 80_000_000_000},
        {"name": "sdb1", "type": "part", "size": 40_000_000_000},
    ]
    said = tell_rows(tree, flat)
    assert "/dev/sda1 50 GB" in said and "/dev/sdb1 40 GB" in said and "1: 80 GB Disks" in said
    assert tell_rows([*flat, *flat]) == tell_rows(flat)


def test_sectors_of_a_disk_are_those_of_its_partition_table_where_lsblk_was_not_asked() -> None:
    said = tell_rows([{**PARTED, "pttype": "gpt"}], others=[TABLE])
    assert "/dev/sda1 5.24 GB" in said


def plan_rows(path: str, rows: list[dict[str, Any]], *others: RawFile) -> JobPlan:
    """The plan of a partition table on a disk, without a word that it may be wiped."""
    found = understand_tool("lsblk", [build_lsblk(rows), *others])
    saved = SavedState(
        saved_at="", inventory=found.inventory, states=found.states, unread=found.unread, notes=found.notes
    )
    disk = {"select": {"path": path}, "partitions": [{"name": "root", "size": "rest"}]}
    return plan_job(build_offline_run({"name": "t", "disks": [disk]}, saved, {}))


def test_a_disk_of_which_nobody_asked_what_lies_on_it_is_not_planned() -> None:
    disk = {"name": "sda", "type": "disk", "size": 100_000_000_000}
    part = {"name": "sda1", "type": "part", "size": 50_000_000_000}
    other = {"name": "vg-data", "kname": "dm-0", "pkname": "sdb", "type": "lvm", "size": 150_000_000_000}
    second = {**disk, "name": "sdb"}
    asked = {"fstype": None}
    for rows in (
        [disk],
        [disk, part],
        [{**disk, "children": [part]}],
        [disk, second, other],  # a list names one of the disks that it lies on
        [{**disk, **asked, "children": [{**part, **asked}]}],  # PTTYPE was not asked
        [{**disk, **asked}],  # nor here, and `lsblk -d` leaves partitions out
    ):
        refused = plan_rows("/dev/sda", rows)
        told = [problem.message for problem in refused.problems]
        assert told == ["/dev/sda (drive 0) cannot be used: it cannot be read"], rows
        assert not any(driver.planned.actions for driver in refused.drivers)
    asked = {**asked, "pttype": None}
    blank = plan_rows("/dev/sda", [{**disk, **asked}])
    assert blank.problems == [] and [driver.planned.actions[0].destroys for driver in blank.drivers] == [()]
    wiped = build_wipefs(sdb="ext4")
    (problem,) = plan_rows("/dev/sda", [{**disk, "fstype": "ext4"}], wiped).problems
    assert "ext4" in problem.message  # lsblk knows what wipefs was not asked about
    assert plan_rows("/dev/sda", [{**disk, **asked}], wiped).problems == []


def build_wipefs(**kinds: str) -> RawFile:
    """What wipefs says of devices; of one that is blank it says nothing."""
    signatures = [{"device": device, "type": kind} for device, kind in kinds.items()]
    return RawFile(name="wipefs.json", data=json.dumps({"signatures": signatures}).encode())


def test_a_disk_that_wipefs_does_not_name_is_not_blank() -> None:
    """Whether it was asked about that disk is not known."""
    for row in (DISK, PARTED, {**PARTED, "fstype": None}):  # PTTYPE was not asked
        refused = plan_rows("/dev/sda", [row], build_wipefs(sdb="ext4"))
        told = [problem.message for problem in refused.problems]
        assert told == ["/dev/sda (drive 0) cannot be used: it cannot be read"], row
    (problem,) = plan_rows("/dev/sda", [DISK], build_wipefs(sda="ext4")).problems
    assert "ext4" in problem.message
    note = "What lies on /dev/sda is not told, and no plan takes it for blank"
    assert note in tell_rows([DISK], others=[build_wipefs(sdb="ext4")])
    assert note not in tell_rows([DISK], others=[build_wipefs(sda="ext4")])


def test_a_partition_that_wipefs_does_not_name_is_not_blank() -> None:
    rows, own = [PARTED], build_wipefs(sda="gpt")
    (problem,) = plan_rows("/dev/sda", rows, TABLE, own).problems
    assert "what cannot be read on /dev/sda1" in problem.message
    note = "What lies on /dev/sda1 is not told, and no plan takes it for blank"
    assert note in tell_rows(rows, others=[TABLE, own])
    (problem,) = plan_rows("/dev/sda", rows, TABLE, build_wipefs(sda="gpt", sda1="ext4")).problems
    assert "cannot be read" not in problem.message and "ext4" in problem.message
    (problem,) = plan_rows("/dev/sda", rows, TABLE, build_wipefs(sda1="ext4")).problems
    assert problem.message == "/dev/sda (drive 0) cannot be used: it cannot be read"
    (problem,) = plan_rows("/dev/sda", [], TABLE).problems  # nor does sfdisk tell what lies in a partition
    assert problem.message == "/dev/sda (drive 0) cannot be used: it cannot be read"


def test_a_mapping_that_is_called_as_a_disk_takes_none_of_its_partitions() -> None:
    rows = [
        {"name": "sdb", "path": "/dev/mapper/sdb", "kname": "dm-0", "type": "crypt", "size": 1_000_000_000,
         "pkname": "sda3"},
        {"name": "sdb1", "kname": "sdb1", "pkname": "sdb", "type": "part", "size": 1_000_004_096,
         "mountpoint": "/"},
        {"name": "sda", "kname": "sda", "type": "disk", "size": 1_000_000_000_000},
        {"name": "sda3", "kname": "sda3", "pkname": "sda", "type": "part", "size": 10_000_000_000},
        {"name": "sdb", "kname": "sdb", "type": "disk", "size": 1_000_000_000_000},
    ]  # fmt: skip
    told = {line.split()[0]: line for line in tell_lines(rows) if line.startswith("  /dev/sd")}
    assert "mounted on /" in told["/dev/sdb"] and "mounted on" not in told["/dev/sda"]


def test_sizes_that_no_disk_has_are_none() -> None:
    for size in (10**4000, "9" * 310 + "G", "9" * 19 + "G", "1e5G", -1):
        said = tell_rows([{"name": "sda", "type": "disk", "size": size}])
        assert "size unknown" in said and "says no size of /dev/sda" in said, str(size)[:20]


def test_a_list_deeper_than_any_machine_is_told_and_ends() -> None:
    names = ["sda", *(f"d{number}" for number in range(900))]
    rows = [{"name": "sda", "type": "disk", "size": 1_000_000_000, "fstype": None}]
    rows += [
        {"name": name, "type": "crypt", "size": 1_000_000, "pkname": above, "fstype": None}
        for above, name in pairwise(names)
    ]
    found = understand_tool("lsblk", [build_lsblk(rows[::-1])])
    (note,) = (note for note in found.notes if note.startswith("On which disks"))
    assert "d899 (crypt)" in note and "and 857 more lie is not told" in note
    assert list(found.states["disk.partition"]["blocks"]) == ["/dev/sda"]
