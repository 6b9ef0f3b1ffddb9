from typing import Any

import pytest

from bootos.document import parse_document
from bootos.template.check import find_secrets, read_template

WHOLE = """
name: db-node
oob:
  network: {source: static, address: 10.0.8.21/24, gateway: 10.0.8.1}
  users: [{name: ops, role: administrator, password: {secret: oob-ops}}]
raid:
  clear: true
  arrays:
    - {name: os, level: 1, drives: "0,1"}
    - {name: data, level: 5, drives: "2-", hotspares: "6"}
disks:
  - select: {array: os}
    wipe: true
    table: gpt
    partitions:
      - {name: boot, size: 1GiB, filesystem: ext4}
      - {name: root, size: rest, filesystem: {type: xfs, label: root}}
"""


def find_problems(data: Any) -> dict[str, str]:
    _, problems = read_template(data)
    return {problem.path: problem.message for problem in problems}


def build(**parts: Any) -> dict[str, Any]:
    return {"name": "t", **parts}


def build_disk(*partitions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return build(disks=[{"select": {"drives": 0}, "partitions": list(partitions), **more}])


def test_the_documented_template_is_right() -> None:
    template, problems = read_template(parse_document(WHOLE, format="yaml"))
    assert problems == []
    assert template is not None
    assert find_secrets(template) == {"oob-ops"}


def test_all_mistakes_are_found_together_each_with_its_path() -> None:
    found = find_problems(
        {
            "name": "t",
            "nmae": "x",
            "raid": {"arrays": [{"name": "a", "level": 5, "drives": "0,1"}, {"name": "a", "level": 7}]},
            "disks": [
                {
                    "select": {"array": "a"},
                    "partitions": [
                        {"name": "p", "size": "2GiB", "start": "1MiB"},
                        {"name": "q", "size": "1GiB", "start": "1GiB"},
                        {"name": "r", "size": "10 apples"},
                    ],
                }
            ],
        }
    )
    assert found == {
        "nmae": "unknown key",
        "raid.arrays[1].level": "7 is not one of: 0, 1, 5, 6, 10, 50, 60",
        "raid.arrays[1].drives": "is required",
        "raid.arrays[0].drives": "RAID 5 needs at least 3 drives, not 2",
        "disks[0].partitions[1]": "overlaps disks[0].partitions[0], which ends at 2049 MiB",
        "disks[0].partitions[2].size": "'10 apples' has an unknown unit 'apples': "
        "use B, kB, MB, GB, TB or KiB, MiB, GiB, TiB",
    }


def test_paths_stay_right_behind_an_item_that_cannot_be_read() -> None:
    arrays = [{"level": 1}, {"name": "b", "level": 6, "drives": "0-2"}]
    assert "raid.arrays[1].drives" in find_problems(build(raid={"arrays": arrays}))


@pytest.mark.parametrize(
    ("level", "drives", "message"),
    [
        (1, "0", "RAID 1 needs at least 2 drives, not 1"),
        (6, "0-2", "RAID 6 needs at least 4 drives, not 3"),
        (10, "0,1", "RAID 10 needs at least 4 drives, not 2"),
        (10, "0-4", "RAID 10 needs an even number of drives, not 5"),
        (50, "0-4", "RAID 50 needs at least 6 drives, not 5"),
        (50, "0-6", "RAID 50 of 2 spans needs a multiple of 2 drives, not 7"),
        (60, "0-6", "RAID 60 needs at least 8 drives, not 7"),
    ],
)
def test_every_level_has_its_fewest_drives(level: int, drives: str, message: str) -> None:
    data = build(raid={"arrays": [{"name": "a", "level": level, "drives": drives}]})
    assert find_problems(data) == {"raid.arrays[0].drives": message}


def test_a_drive_cannot_be_in_two_arrays_nor_its_own_hot_spare() -> None:
    arrays = [
        {"name": "a", "level": 1, "drives": "0,1"},
        {"name": "b", "level": 1, "drives": "1,2", "hotspares": "2"},
    ]
    assert find_problems(build(raid={"arrays": arrays})) == {
        "raid.arrays[1].drives": "drive 1 is used by raid.arrays[0].drives already",
        "raid.arrays[1].hotspares": "drive 2 is used by raid.arrays[1].drives already",
    }


@pytest.mark.parametrize(
    ("more", "path", "message"),
    [
        ({"strip": "48KiB"}, "strip", "'48KiB' is not a power of two from 4KiB on"),
        ({"strip": "big"}, "strip", "'big' is not a size like 512MiB or 480GB"),
        ({"size": "30%"}, "size", "'30%' is not a size like 512MiB or 480GB"),
        ({"hotspares": "x"}, "hotspares", "'x' is not a drive: write 0, 1,2, 3-5, 6- or all"),
        ({"drives": "0-", "hotspares": "all"}, "hotspares", "drives and hotspares are both open"),
    ],
)
def test_the_details_of_an_array_are_checked(more: dict[str, Any], path: str, message: str) -> None:
    array = {"name": "a", "level": 5, "drives": "0-2", **more}
    assert find_problems(build(raid={"arrays": [array]}))[f"raid.arrays[0].{path}"].startswith(message)


def test_raid_0_has_no_hot_spare_and_raid_1_no_strip() -> None:
    arrays = [
        {"name": "a", "level": 0, "drives": "0,1", "hotspares": "2"},
        {"name": "b", "level": 1, "drives": "3,4", "strip": "64KiB"},
    ]
    assert set(find_problems(build(raid={"arrays": arrays}))) == {
        "raid.arrays[0].hotspares",
        "raid.arrays[1].strip",
    }


def test_the_rest_comes_last_and_once() -> None:
    found = find_problems(build_disk({"name": "a", "size": "rest"}, {"name": "b", "size": "rest"}))
    assert found == {
        "disks[0].partitions[1]": "nothing can follow disks[0].partitions[0], which takes the rest"
    }


def test_percentages_do_not_exceed_the_disk() -> None:
    found = find_problems(build_disk({"name": "a", "size": "60%"}, {"name": "b", "size": "50%"}))
    assert found == {"disks[0].partitions": "the percentages add up to 110 %"}


def test_an_mbr_holds_four_partitions_of_two_tebibytes() -> None:
    parts = [{"name": f"p{n}", "size": "1GiB"} for n in range(4)]
    found = find_problems(build_disk({"name": "x", "size": "3TiB"}, *parts, table="mbr"))
    assert found == {
        "disks[0].partitions": "5 partitions are too many: mbr holds 4",
        "disks[0].partitions[0].size": "is more than 2 TiB, the most that an MBR can describe",
    }


@pytest.mark.parametrize(
    ("table", "type", "ok"),
    [
        ("gpt", "efi", True),
        ("gpt", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", True),
        ("gpt", "83", False),
        ("mbr", "83", True),
        ("mbr", "0x8e", True),
        ("mbr", "bios-boot", False),
        ("mbr", "05", False),
        ("mbr", "linux", True),
    ],
)
def test_partition_types_are_names_guids_and_codes(table: str, type: str, ok: bool) -> None:
    found = find_problems(build_disk({"name": "a", "size": "1GiB", "type": type}, table=table))
    assert (set(found) == set()) if ok else (set(found) == {"disks[0].partitions[0].type"})


@pytest.mark.parametrize(
    ("filesystem", "key"),
    [
        ({"type": "ext4", "label": "x" * 17}, "label"),
        ({"type": "xfs", "label": "x" * 13}, "label"),
        ({"type": "btrfs", "label": "x" * 256}, "label"),
        ({"type": "vfat", "label": "X" * 12}, "label"),
        ({"type": "vfat", "label": "efi"}, "label"),
        ({"type": "swap", "label": "x" * 16}, "label"),
        ({"type": "ext4", "uuid": "12AB-34CD"}, "uuid"),
        ({"type": "vfat", "uuid": "3f6b1a52-8c1e-4c67-9b63-0d5f2a7e4c11"}, "uuid"),
        ({"type": "ext4", "options": ["-L", "x"]}, "options"),
        ({"type": "btrfs", "options": ["/dev/sdb"]}, "options"),
        ({"type": "xfs", "options": ["-l", "logdev=/dev/sdb"]}, "options"),
    ],
)
def test_labels_uuids_and_options_fit_the_file_system(filesystem: dict[str, Any], key: str) -> None:
    found = find_problems(build_disk({"name": "a", "size": "1GiB", "filesystem": filesystem}))
    assert set(found) == {f"disks[0].partitions[0].filesystem.{key}"}


def test_two_file_systems_cannot_have_one_uuid() -> None:
    filesystem = {"type": "ext4", "uuid": "3f6b1a52-8c1e-4c67-9b63-0d5f2a7e4c11"}
    parts = [{"name": name, "size": "1GiB", "filesystem": filesystem} for name in "ab"]
    assert set(find_problems(build_disk(*parts))) == {"disks[0].partitions[1].filesystem.uuid"}


def test_a_disk_that_asks_for_nothing_or_for_two_things_is_refused() -> None:
    found = find_problems(
        build(
            disks=[
                {"select": {}},
                {"select": {"drives": 0}, "table": "gpt", "filesystem": "ext4"},
                {"select": {"array": "a", "size": "1TB"}, "filesystem": "ext4"},
            ]
        )
    )
    assert set(found) == {
        "disks[0].select",
        "disks[0]",
        "disks[1].filesystem",
        "disks[2].select.array",
    }


def test_an_array_that_clear_would_delete_cannot_be_selected() -> None:
    data = build(raid={"clear": True}, disks=[{"select": {"array": "old"}, "filesystem": "ext4"}])
    assert set(find_problems(data)) == {"disks[0].select.array"}


@pytest.mark.parametrize(
    ("network", "key"),
    [
        ({"source": "static"}, "address"),
        ({"source": "static", "address": "10.0.8.21"}, "address"),
        ({"source": "static", "address": "10.0.8.0/24"}, "address"),
        ({"source": "static", "address": "10.0.8.300/24"}, "address"),
        ({"source": "static", "address": "10.0.8.21/24", "gateway": "10.0.9.1"}, "gateway"),
        ({"source": "static", "address": "10.0.8.21/24", "gateway": "10.0.8.21"}, "gateway"),
        ({"source": "static", "address": "10.0.8.21/24", "gateway": "gw"}, "gateway"),
        ({"source": "dhcp", "address": "10.0.8.21/24"}, "address"),
        ({"source": "dhcp", "vlan": 5000}, "vlan"),
    ],
)
def test_the_bmc_network_is_checked(network: dict[str, Any], key: str) -> None:
    assert set(find_problems(build(oob={"network": network}))) == {f"oob.network.{key}"}


def test_bmc_users_keep_the_limits_of_ipmi_and_passwords_stay_out_of_messages() -> None:
    users = [
        {"name": "ops", "password": "waytoolongforanyipmicontroller"},
        {"name": "ops", "password": "fine"},
        {"name": "a b", "password": "fine"},
    ]
    _, problems = read_template(build(oob={"users": users}))
    assert {problem.path for problem in problems} == {
        "oob.users[0].password",
        "oob.users[1].name",
        "oob.users[2].name",
    }
    assert "waytoolong" not in "".join(map(str, problems))


def test_something_that_is_no_template_at_all_gives_none() -> None:
    template, problems = read_template([1, 2])
    assert template is None
    assert problems


def test_bios_settings_are_checked_by_name_and_value_and_a_mistake_names_what_is_known() -> None:
    asked = {
        "virtualisation": "enabled",
        "turbo": "maybe",
        "numa": True,
        "vendor": {"Fan": 1.5, "Ac Loss ": "x"},
    }
    _, problems = read_template(build(bios=asked))
    found = {problem.path: problem for problem in problems}
    assert set(found) == {
        "bios.virtualisation",
        "bios.turbo",
        "bios.numa",
        "bios.vendor.Fan",
        "bios.vendor.Ac Loss ",
    }
    assert found["bios.virtualisation"].hint == "did you mean 'virtualization'?"
    assert found["bios.turbo"].message == "'maybe' is not one of: disabled, enabled"


def test_secure_boot_in_legacy_mode_and_one_raw_name_twice_are_contradictions() -> None:
    vendor = {"LogicalProc": "Enabled", "logicalproc": "Disabled"}
    asked = {"boot_mode": "legacy", "secure_boot": "enabled", "vendor": vendor}
    found = find_problems(build(bios=asked))
    assert found == {
        "bios.secure_boot": "does not go with boot_mode: legacy",
        "bios.vendor.logicalproc": "is given already as 'LogicalProc'",
    }


def test_the_secret_of_the_bios_setup_is_among_the_templates_secrets() -> None:
    template, problems = read_template(build(bios={"turbo": "enabled", "password": {"secret": "setup"}}))
    assert template is not None
    assert problems == []
    assert find_secrets(template) == {"setup"}


def volumes(disk: dict[str, Any], group: dict[str, Any]) -> list[str]:
    document = {"name": "t", "disks": [{"select": {"drives": 0}, **disk}], "volume_groups": [group]}
    return [f"{problem.path}: {problem.message}" for problem in read_template(document)[1]]


def test_every_mistake_in_volume_groups_has_its_path() -> None:
    parts = [
        {"name": "pv", "size": "rest", "volume_group": "vg0", "filesystem": "xfs", "type": "efi"},
        {"name": "lost", "size": "1GiB", "volume_group": "nowhere", "attributes": ["shiny"]},
    ]
    listed = [
        {"name": "a", "size": "rest"},
        {"name": "a", "size": "rest"},
        {"name": "snapshot1", "size": "10"},
        {"name": "b_tmeta", "size": "60%"},
        {"name": "c", "size": "60%", "encryption": {"passphrase": {"secret": "s"}, "label": "bootos.x"}},
    ]
    found = volumes(
        {"partitions": parts, "align": "3000KiB"}, {"name": "vg0", "extent": "3MiB", "volumes": listed}
    )
    for place in (
        "disks[0].align:",
        "disks[0].partitions[0].filesystem:",
        "disks[0].partitions[0].type:",
        "disks[0].partitions[1].volume_group:",
        "disks[0].partitions[1].attributes:",
        "volume_groups[0].extent:",
        "volume_groups[0].volumes[1].name:",
        "volume_groups[0].volumes[1].size:",
        "volume_groups[0].volumes[2].name:",
        "volume_groups[0].volumes[2].size:",
        "volume_groups[0].volumes[3].name:",
        "volume_groups[0].volumes[4].encryption.label:",
        "volume_groups[0].volumes: the percentages add up to 120 %",
    ):
        assert any(text.startswith(place) for text in found), (place, found)


def test_a_group_without_a_physical_volume_is_a_mistake() -> None:
    assert volumes({"filesystem": "xfs"}, {"name": "vg0"}) == ["volume_groups[0]: has no physical volume"]


MIRROR = {"name": "os", "level": 1, "drives": "0,1"}


def test_a_list_of_raid_sections_is_right_when_each_names_its_driver() -> None:
    listed = [
        {"driver": "raid.mvcli", "arrays": [{**MIRROR, "boot": True}]},
        {"driver": "raid.megaraid", "clear": True, "arrays": [{**MIRROR, "name": "data", "boot": True}]},
    ]
    assert find_problems(build(raid=listed)) == {}
    assert find_problems(build(raid=[{"arrays": [MIRROR]}])) == {}
    assert find_problems(build(raid=[])) == {}


def test_software_raid_stands_beside_no_other_section() -> None:
    """Its disks may be what another section makes an array of, or an array that it has made."""
    card = {"driver": "raid.megaraid", "mode": "hba"}
    software = {"driver": "raid.mdadm", "arrays": [MIRROR]}
    for listed in ([card, software], [software, card]):
        (message,) = find_problems(build(raid=listed)).values()
        assert message.startswith("raid.mdadm cannot stand beside another driver")
    assert find_problems(build(raid=[software])) == {}


def test_mistakes_in_a_list_of_raid_sections_have_the_place_in_the_list() -> None:
    found = find_problems(
        build(
            raid=[
                {"driver": "raid.mvcli", "arrays": [MIRROR]},
                5,
                {"arrays": [MIRROR, {"name": "x"}, {"name": "data", "level": 5, "drives": "0,0"}]},
                {"driver": "raid.mvcli", "mode": "hba", "hotspares": "9", "colour": 1},
            ]
        )
    )
    assert found == {
        "raid[1]": "must be a table, not a number 5",
        "raid[2].driver": "is required where raid is a list of sections",
        "raid[2].arrays[0].name": "'os' is raid[0].arrays[0] already",
        "raid[2].arrays[1].level": "is required",
        "raid[2].arrays[1].drives": "is required",
        "raid[2].arrays[2].drives": "drive 0 is listed twice in '0,0'",
        "raid[3].driver": "'raid.mvcli' is the driver of raid[0] already",
        "raid[3].hotspares": "a controller in HBA mode has no hotspares",
        "raid[3].colour": "unknown key",
    }
    assert find_problems(build(raid="all")) == {"raid": "must be a table, not text 'all'"}


@pytest.mark.parametrize(("clears", "is_told"), [((True, True), True), ((True, False), False)])
def test_a_disk_on_an_array_of_no_section_is_wrong_where_all_others_are_deleted(
    clears: tuple[bool, bool], is_told: bool
) -> None:
    names = ("raid.mvcli", "raid.megaraid")
    listed = [{"driver": name, "clear": clear} for name, clear in zip(names, clears, strict=True)]
    disk = {"select": {"array": "old"}, "filesystem": "ext4"}
    assert ("disks[0].select.array" in find_problems(build(raid=listed, disks=[disk]))) is is_told
