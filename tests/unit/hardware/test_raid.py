from pathlib import Path

from bootos.hardware.capture import Capture, Replay, ToolOutput
from bootos.hardware.mdexamine import list_parts, parse_examine
from bootos.hardware.raid import build_md, find_members, read_examine, read_running
from bootos.hardware.tree import Tree
from bootos.wire.inventory import Disk, DiskType, RaidDrive

UUID = "5a1d3bbb:a24bd74a:9fc5fd4f:bc028fcf"


def build_disks(*names: str) -> list[Disk]:
    return [
        Disk(
            index=number,
            name=name,
            path=f"/dev/{name}",
            size_bytes=512 << 20,
            serial=f"S-{name}",
            type=DiskType.SSD,
        )
        for number, name in enumerate(names)
    ]


def test_members_and_spares_are_told_apart(golden: Path) -> None:
    blocks = parse_examine((golden / "mdadm/examine.txt").read_text())
    assert [(block.device, block.role) for block in blocks] == [
        ("/dev/vda2", "active 0"),
        ("/dev/vdc", "spare"),
        ("/dev/vdd", "active 0"),
    ]


def test_a_disk_with_a_partition_table_is_no_member(golden: Path) -> None:
    blocks = parse_examine((golden / "mdadm/examine.txt").read_text())
    assert "/dev/vda" not in [block.device for block in blocks]


def test_arrays_that_are_not_assembled_are_known_by_their_members(golden: Path) -> None:
    blocks = parse_examine((golden / "mdadm/examine.txt").read_text())
    md = build_md(blocks, [], build_disks("vda", "vdb", "vdc", "vdd"))
    assert md is not None
    old, new = md.arrays
    assert (new.name, new.level, new.uuid, new.state) == ("os", "1", UUID, "not assembled")
    assert (new.drives, new.hotspares, new.size_bytes) == (["/dev/vda2"], ["/dev/vdc"], 316416 * 1024)
    assert (old.name, old.level, old.uuid) == ("md126", "5", "d0263332:7e6d4a2f:3d186b3c:53958f34")


def test_a_member_tells_which_disk_it_is_or_is_a_partition_of(golden: Path) -> None:
    blocks = parse_examine((golden / "mdadm/examine.txt").read_text())
    md = build_md(blocks, [], build_disks("vda", "vdc"))
    assert md is not None
    drives = {drive.id: drive for drive in md.drives}
    assert drives["/dev/vda2"] == RaidDrive(
        id="/dev/vda2", serial="S-vda", size_bytes=632832 * 512, type=DiskType.SSD, state="active 0"
    )
    assert drives["/dev/vdc"].size_bytes == 512 << 20
    assert drives["/dev/vdd"] == RaidDrive(id="/dev/vdd", size_bytes=523776 * 1024, state="active 0")


def test_a_size_in_sectors_is_read_as_older_releases_print_it(golden: Path) -> None:
    text = (golden / "mdadm/examine.txt").read_text()
    assert "632832 sectors (" in text
    blocks = parse_examine(text.replace(" sectors (", " ("))
    md = build_md(blocks, [], build_disks("vda", "vdc"))
    assert md is not None
    assert {drive.id: drive.size_bytes for drive in md.drives}["/dev/vda2"] == 632832 * 512


def test_no_superblock_is_no_controller() -> None:
    assert build_md([], [], []) is None
    assert parse_examine("/dev/vda:\n   MBR Magic : aa55\n") == []


def test_nothing_is_asked_of_mdadm_when_no_device_may_be_a_member() -> None:
    assert read_examine([], Replay(Capture())) == []


def test_mdadms_exit_code_does_not_matter(golden: Path) -> None:
    text = (golden / "mdadm/examine.txt").read_text()
    tool = ToolOutput(argv=["mdadm", "--examine", "/dev/vda2", "/dev/vda"], returncode=1, stdout=text)
    assert len(read_examine(["/dev/vda2", "/dev/vda"], Replay(Capture(tools=[tool])))) == 3


def add_running(root: Path, state: str) -> None:
    place = root / "sys/block/md127/md"
    for member, member_state in (("vda2", "in_sync"), ("vdc", "spare")):
        (place / f"dev-{member}").mkdir(parents=True)
        (place / f"dev-{member}/state").write_text(member_state + "\n")
    for file, text in {
        "level": "raid1",
        "array_state": state,
        "degraded": "1",
        "sync_action": "recover",
    }.items():
        (place / file).write_text(text + "\n")
    (root / "sys/block/md127/size").write_text("632832\n")


def test_a_running_array_gets_its_path_and_state(tmp_path: Path, golden: Path) -> None:
    add_running(tmp_path, "clean")
    blocks = parse_examine((golden / "mdadm/examine.txt").read_text())
    md = build_md(blocks, read_running(Tree(tmp_path)), [])
    assert md is not None
    array = md.arrays[-1]
    assert (array.name, array.path, array.state) == ("os", "/dev/md127", "clean, degraded, recover")


def test_a_running_array_whose_superblocks_are_not_read_is_known_too(tmp_path: Path) -> None:
    add_running(tmp_path, "active")
    md = build_md([], read_running(Tree(tmp_path)), [])
    assert md is not None
    (array,) = md.arrays
    assert (array.name, array.level, array.drives, array.hotspares) == (
        "md127",
        "1",
        ["/dev/vda2"],
        ["/dev/vdc"],
    )


def test_a_stopped_array_is_none(tmp_path: Path) -> None:
    add_running(tmp_path, "clear")
    assert read_running(Tree(tmp_path)) == []


def test_only_what_udev_does_not_know_to_be_something_else_is_examined(tmp_path: Path) -> None:
    disks = build_disks("sda", "sdb", "sdc")
    udev = tmp_path / "run/udev/data"
    udev.mkdir(parents=True)
    for number, (name, known) in enumerate(
        {
            "sda": "E:ID_FS_TYPE=linux_raid_member",
            "sdb": "E:ID_FS_TYPE=ext4",
            "sdb/sdb1": "",
            "sdc": None,
        }.items()
    ):
        place = tmp_path / "sys/block" / name
        place.mkdir(parents=True)
        (place / "dev").write_text(f"8:{number}\n")
        if "/" in name:
            (place / "partition").write_text("1\n")
        if known is not None:
            (udev / f"b8:{number}").write_text(f"E:ID_BUS=ata\n{known}\n")
    assert find_members(Tree(tmp_path), disks) == ["/dev/sda", "/dev/sdc"]


def test_a_ddf_member_that_is_not_assembled_is_shown_with_its_volume(golden: Path) -> None:
    (block,) = parse_examine((golden / "mdadm/ddf.txt").read_text())
    md = build_md([block], [], build_disks("vda", "vdb"))
    assert md is not None
    (array,) = md.arrays
    assert (array.name, array.level, array.size_bytes) == ("vol0", "1", 768 << 20)
    assert (array.drives, array.state) == (["/dev/vda"], "not assembled, DDF, optimal, consistent")
    assert [(drive.id, drive.state) for drive in md.drives] == [("/dev/vda", "active 0, DDF")]


def test_imsm_members_that_are_not_assembled_are_shown_with_their_volume(golden: Path) -> None:
    blocks = parse_examine((golden / "mdadm/imsm.txt").read_text())
    md = build_md(blocks, [], build_disks("sda", "sdb", "sdc", "sdd"))
    assert md is not None
    (array,) = md.arrays
    assert (array.name, array.level, array.state) == ("Data", "5", "not assembled, IMSM, degraded")
    assert array.uuid == "764aa814:831953a1:06cf2a07:1ca42b2e"
    assert array.size_bytes == 11135008768 * 512
    assert array.drives == ["/dev/sda", "/dev/sdc", "/dev/sdd"]
    states = {drive.id: drive.state for drive in md.drives}
    assert states == {
        "/dev/sda": "active 0, IMSM",
        "/dev/sdb": "spare, IMSM",
        "/dev/sdc": "active 2, IMSM",
        "/dev/sdd": "active 3, IMSM",
    }


def test_a_member_that_mdadm_cannot_tell_by_its_serial_number_is_no_spare(golden: Path) -> None:
    blocks = parse_examine((golden / "mdadm/imsm-of-no-name.txt").read_text())
    md = build_md(blocks, [], build_disks("sdc"))
    assert md is not None
    told = [(array.name, array.state, array.drives, array.hotspares) for array in md.arrays]
    assert told == [
        ("Volume1", "not assembled, IMSM, degraded", ["/dev/sdc"], []),
        ("Volume2", "not assembled, IMSM, degraded", ["/dev/sdc"], []),
    ]
    assert [drive.state for drive in md.drives] == ["member, IMSM"]


def test_a_running_volume_is_the_one_of_its_container_and_the_container_is_none(
    golden: Path, tmp_path: Path
) -> None:
    files = {
        "md126/md/array_state": "active", "md126/md/level": "raid5", "md126/md/degraded": "1",
        "md126/md/metadata_version": "external:/md127/0", "md126/size": "11135008768",
        "md126/md/dev-sda/state": "in_sync", "md126/md/dev-sdc/state": "in_sync",
        "md127/md/array_state": "inactive", "md127/md/metadata_version": "external:imsm",
        "md127/md/dev-sda/state": "spare", "md127/md/dev-sdc/state": "spare",
    }  # fmt: skip
    for name, text in files.items():
        place = tmp_path / "sys/block" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{text}\n")
    running = read_running(Tree(tmp_path))
    blocks = parse_examine((golden / "mdadm/imsm.txt").read_text())
    md = build_md(blocks, running, build_disks("sda", "sdb", "sdc", "sdd"))
    assert md is not None
    (array,) = md.arrays
    assert (array.name, array.path, array.state) == ("Data", "/dev/md126", "active, degraded")


def test_a_spare_that_mdadm_knows_by_its_serial_number_is_one(golden: Path) -> None:
    said = (golden / "mdadm/imsm-of-no-name.txt").read_text()
    own = "\n          Disk Serial : S1\n          State : spare\n"  # the device itself: mdadm gives it no number
    numbered = "\n  Disk02 Serial : S1\n          State : spare\n"
    before = said.replace("\n[Volume1]:", f"{numbered}\n[Volume1]:")
    for text in (before, said + own):
        (block,) = parse_examine(text)
        assert [(part.role, part.slot) for part in list_parts(block)] == [("spare", None)] * 2
    (block,) = parse_examine(said + numbered)  # another drive of the container
    assert [part.role for part in list_parts(block)] == ["member", "member"]
