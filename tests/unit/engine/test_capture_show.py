"""`bootos capture show --tool`: raw outputs, understood by the readers and drivers of a machine."""

import gzip
import json
import random
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from capturetable import GOLDEN, NOTHING, list_goldens, show, tell

from bootos.engine.capture.source import MOST_BYTES, RawFile, read_files
from bootos.engine.capture.text import format_understood
from bootos.engine.capture.understand import TOOLS, Understood, understand_tool
from bootos.errors import BootosError
from bootos.wire.inventory import Inventory

MEGARAID = "drivers/raid.megaraid"


def understand(tool: str, *names: str) -> Understood:
    files, notes = read_files([GOLDEN / name for name in names])
    assert notes == []
    return understand_tool(tool, files)


@pytest.mark.parametrize(("name", "tool"), list(list_goldens()))
def test_something_is_understood_of_every_golden(name: str, tool: str) -> None:
    found = show(name, tool)
    as_json = json.loads(msgspec.json.encode(found))
    assert msgspec.convert(as_json["inventory"], Inventory) == found.inventory
    assert format_understood(found)
    assert tell(found) or found.notes


def test_all_goldens_but_refusals_and_lists_are_understood() -> None:
    told = {name: tell(show(name, tool)) for name, tool in list_goldens()}
    assert {name for name, said in told.items() if not said} >= NOTHING
    assert sum(map(bool, told.values())) >= 150


def test_the_drives_alone_show_the_drives_and_which_one_is_dead() -> None:
    found = understand("storcli", f"{MEGARAID}/mr9361.sall-dead-drive.json")
    (controller,) = found.inventory.raid
    assert [drive.id for drive in controller.drives] == ["8:0", "8:6", "8:14"]
    assert any("drive 8:14 is not shown" in note for note in found.notes)
    assert any("/c0/vall show all" in note for note in found.notes)
    (state,) = found.states["raid.megaraid"]["controllers"]
    assert [drive["state"] for drive in state["drives"]] == ["online", "online", "unusable"]


def test_what_arcconf_prints_of_a_controller_one_part_at_a_time_is_one_controller() -> None:
    said = (GOLDEN / "drivers/raid.adaptec/smartraid-3204-two-arrays.txt").read_text()
    parts = [f"Controllers found: 1{part}" for part in said.split("Controllers found: 1")[1:]]
    assert len(parts) == 4
    files = [RawFile(name=f"{number}.txt", data=part.encode()) for number, part in enumerate(parts)]
    whole = understand("arcconf", "drivers/raid.adaptec/smartraid-3204-two-arrays.txt")
    assert understand_tool("arcconf", files).states == whole.states
    again = understand_tool("arcconf", [*files, *files])
    assert [len(controller.arrays) for controller in again.inventory.raid] == [2, 2]


def show_parts(*parts: str) -> Understood:
    files = [RawFile(name=f"{number}.txt", data=part.encode()) for number, part in enumerate(parts)]
    return understand_tool("arcconf", files)


def tell_controllers(found: Understood) -> list[tuple[str | None, int, int]]:
    return [(card.model, len(card.arrays), len(card.drives)) for card in found.inventory.raid]


def cut_arcconf(name: str) -> dict[str, str]:
    """An output of `GETCONFIG 1 AL` as AD, LD, PD print it; a part for each section."""
    said = (GOLDEN / f"drivers/raid.adaptec/{name}.txt").read_text()
    heads = list(
        re.finditer(r"^-+\n(Controller|Logical device|Physical Device) information", said, re.MULTILINE)
    )
    ends = [*(head.start() for head in heads[1:]), len(said)]
    return {head[1][0]: said[head.start() : end] for head, end in zip(heads, ends, strict=True)}


def test_a_part_of_arcconf_that_may_be_of_several_controllers_is_of_none() -> None:
    one, other = cut_arcconf("5405"), cut_arcconf("8805")
    found = show_parts(one["C"], one["L"], other["C"], other["L"], other["P"])
    assert [drives for _, arrays, drives in tell_controllers(found) if arrays] == [0, 0]
    assert any("4.txt: which controller it is of is not told" in note for note in found.notes)
    hba = (GOLDEN / "drivers/raid.adaptec/hba-1100.txt").read_text()
    whole, arrays = tell_controllers(show_parts(hba, other["C"], other["L"], other["P"]))
    assert whole == tell_controllers(show_parts(hba))[0]
    assert arrays == tell_controllers(show_parts("".join(other.values())))[0]


def test_a_part_of_arcconf_without_a_title_takes_no_other_in() -> None:
    bare = "Logical device number 0\n   Logical device name : os\n   RAID level : 1\n"
    whole = (GOLDEN / "drivers/raid.adaptec/8805.txt").read_text()
    for parts in ((bare, whole), (whole, bare)):
        told = tell_controllers(show_parts(*parts))
        assert sorted(len_ for _, len_, _ in told) == [1, 1], told


@pytest.mark.parametrize("name", ["building", "degraded", "levels", "read-only", "imsm", "imsm-failed"])
def test_mdstat_without_indentation_says_what_it_says_with_it(name: str) -> None:
    said = (GOLDEN / f"drivers/raid.mdadm/{name}/mdstat.txt").read_text()
    bare = "\n".join(line.strip() for line in said.splitlines())
    whole, trimmed = (
        understand_tool("mdstat", [RawFile(name="mdstat", data=text.encode())]) for text in (said, bare)
    )
    assert (trimmed.states, format_understood(trimmed)) == (whole.states, format_understood(whole))


def test_the_virtual_drives_alone_show_arrays_and_their_members() -> None:
    found = understand("perccli", f"{MEGARAID}/mr9270.vall_show_all.json")
    (controller,) = found.inventory.raid
    (array,) = controller.arrays
    assert (array.level, array.state, len(array.drives)) == ("5", "Optl", 8)
    assert len(controller.drives) == 8


def test_the_foreign_list_alone_shows_that_there_is_something() -> None:
    found = understand("storcli", f"{MEGARAID}/rs3dc080.fall-two-foreign.json")
    (state,) = found.states["raid.megaraid"]["controllers"]
    assert state["foreign"][0]["trouble"]


def test_the_answers_of_one_controller_in_several_files_are_put_together() -> None:
    names = ("c0_show_all", "eall_sall_show_all", "vall_show_all", "c0_fall_show_all_absent")
    found = understand("storcli", *(f"{MEGARAID}/mr9270.{name}.json" for name in names))
    (controller,) = found.inventory.raid
    assert controller.model == "LSI MegaRAID SAS 9270CV-8i"
    assert all(drive.serial for drive in controller.drives)
    assert found.notes == []


def test_an_hba_and_its_refusal_are_an_hba() -> None:
    found = understand("storcli", f"{MEGARAID}/ucsc-m5hd.c0.json", f"{MEGARAID}/ucsc-m5hd.vall.json")
    assert [entry.driver for entry in found.inventory.raid] == [""]
    assert len(found.inventory.raid[0].drives) == 2
    assert any("an HBA" in note for note in found.notes)


def test_lan_print_alone_tells_how_the_levels_of_cipher_suites_are_read() -> None:
    found = understand("ipmitool-lan", "drivers/oob.ipmi/lan-print-supermicro.txt")
    assert found.states["oob.ipmi"]["service"]["ciphers"]["suites"] == (1, 2, 3, 6, 7, 8, 11, 12)
    assert any("go by number: 1, 2, 3, 6, 7, 8, 11, 12 may be used" in note for note in found.notes)
    alone = understand("ipmitool-lan", "drivers/oob.ipmi/lan-print-supermicro-suite-3.txt")
    assert any("is not certain (oob.cipher_index)" in note for note in alone.notes)
    both = understand(
        "ipmitool-lan",
        "drivers/oob.ipmi/lan-print-supermicro-suite-3.txt",
        "hardware/ipmitool/supermicro-mc-info-47488.txt",
    )
    assert any("go by number: 3 may be used" in note for note in both.notes)


def test_an_open_suite_0_is_a_finding() -> None:
    text = "RMCP+ Cipher Suites     : 0,1,2,3\nCipher Suite Priv Max   : aaaaXXXXXXXXXXX\n"
    found = understand_tool("ipmitool-lan", [RawFile(name="lan.txt", data=text.encode())])
    assert found.inventory.bmc is not None
    assert found.inventory.bmc.suite_0_open
    assert any("cipher suite 0 is open" in note for note in found.notes)


def test_users_of_older_releases_of_ipmitool_have_no_flag_in_their_privilege() -> None:
    head = "ID  Name             {}Callin  Link Auth  IPMI Msg   Channel Priv Limit\n"
    older = (
        head.format("Enabled ") + "2   root             true    true    true       true       ADMINISTRATOR\n"
    )
    newer = head.format("") + "4   true             true    false      true       OPERATOR\n"
    row = older.partition("\n")[2]  # it alone, as of a screen
    rights = (2, "root", "ADMINISTRATOR"), (2, "root", "ADMINISTRATOR"), (4, "true", "OPERATOR")
    for table, right in zip((older, row, newer), rights, strict=True):
        found = understand_tool("ipmitool-user", [RawFile(name="users", data=table.encode())])
        users = found.states["oob.ipmi"]["users"]
        assert [(user["slot"], user["name"], user["privilege"]) for user in users] == [right]


def test_a_user_of_a_newer_release_beside_an_older_one_keeps_the_whole_name() -> None:
    newer = (
        "ID  Name             Callin  Link Auth  IPMI Msg   Channel Priv Limit\n"
        "2   real true        true    true       true       ADMINISTRATOR\n"
    )
    older = (
        "ID  Name             Enabled Callin  Link Auth  IPMI Msg   Channel Priv Limit\n"
        "3   ops              true    true    true       true       OPERATOR\n"
    )
    for text in (newer + older, older + newer):
        found = understand_tool("ipmitool-user", [RawFile(name="users", data=text.encode())])
        assert {user["name"] for user in found.states["oob.ipmi"]["users"]} == {"real true", "ops"}


def test_what_follows_a_list_of_arrays_is_of_none_of_them() -> None:
    said = (
        "md1 : active raid0 sdd[1] sdc[0]\n      1953260544 blocks 512k chunks\n\n"
        "[root@h ~]# mdadm --detail /dev/md9\n   State : [4/3] [UUU_]\n"
    )
    (array,) = understand_tool("mdstat", [RawFile(name="mdstat", data=said.encode())]).states["raid.mdadm"][
        "arrays"
    ]
    assert (len(array["members"]), array["drive_count"]) == (2, 0)  # of a RAID 0 mdstat prints no number


def test_lines_that_nearly_are_arrays_do_not_take_for_ever() -> None:
    said = "md0 : active raid1 sda[1] sdb[0]\n" + ("md" + "x" * 100 + "\n") * 20_000
    found = understand_tool("mdstat", [RawFile(name="mdstat", data=said.encode())])
    assert [array["name"] for array in found.states["raid.mdadm"]["arrays"]] == ["md0"]


def test_users_are_read_as_a_table_and_as_csv() -> None:
    table = (
        "ID  Name             Callin  Link Auth  IPMI Msg   Channel Priv Limit\n"
        "1                    true    false      false      Unknown (0x00)\n"
        "2   ADMIN            true    false      true       ADMINISTRATOR\n"
    )
    found = understand_tool("ipmitool-user", [RawFile(name="users", data=table.encode())])
    users = found.states["oob.ipmi"]["users"]
    assert [(user["slot"], user["name"], user["privilege"]) for user in users] == [
        (1, "", "Unknown (0x00)"),
        (2, "ADMIN", "ADMINISTRATOR"),
    ]


def test_neutral_names_are_told_with_the_settings_that_they_mean() -> None:
    found = understand("redfish", "drivers/redfish.trees/hpe-a42-bios.json")
    assert found.names["iommu"] == {"settings": {"ProcAmdIoVt": "Enabled"}, "value": "enabled"}
    assert found.template["bios"]["iommu"] == "enabled"


def test_one_resource_of_redfish_is_enough() -> None:
    tree = json.loads((GOLDEN / "drivers/redfish.trees/dell-r750-firmware.json").read_text())
    path = next(path for path in tree if "FirmwareInventory/Installed" in path)
    found = understand_tool("redfish", [RawFile(name="one.json", data=json.dumps(tree[path]).encode())])
    (part,) = found.states["firmware.redfish"]["installed"]
    assert part["version"] == tree[path]["Version"]


def test_a_directory_of_a_mockup_is_a_tree(tmp_path: Path) -> None:
    tree = json.loads((GOLDEN / "drivers/redfish.trees/no-accounts.json").read_text())
    for path, body in tree.items():
        (tmp_path / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
        (tmp_path / path.lstrip("/") / "index.json").write_text(json.dumps(body))
    files, _ = read_files([tmp_path])
    found = understand_tool("redfish", files)
    assert found.states == understand("redfish", "drivers/redfish.trees/no-accounts.json").states


def test_a_mockup_of_five_thousand_files_is_read_to_its_last_one(tmp_path: Path) -> None:
    for number in range(5090):
        (tmp_path / f"{number:04}.json").write_text("{}")
    files, notes = read_files([tmp_path])
    assert (len(files), files[-1].name, notes) == (5090, "5089.json", [])


def test_an_nvme_disk_is_understood_by_smartctl_alone() -> None:
    golden = json.loads((GOLDEN / "hardware/smartctl/nvme-samsung-pm1725.json").read_text())
    (disk,) = understand("smartctl", "hardware/smartctl/nvme-samsung-pm1725.json").inventory.disks
    log = golden["nvme_smart_health_information_log"]
    assert disk.health is not None
    assert (disk.health.passed, disk.health.power_on_hours) == (
        golden["smart_status"]["passed"],
        log["power_on_hours"],
    )
    assert (disk.health.percentage_used, disk.health.media_errors) == (
        log["percentage_used"],
        log["media_errors"],
    )


@pytest.mark.parametrize(
    ("more", "size", "sector"),
    [
        ({"nvme_total_capacity": 3840755982336}, 3840755982336, 512),
        (
            {"nvme_namespaces": [{"id": 1, "size": {"bytes": 4096000}, "formatted_lba_size": 4096}]},
            4096000,
            4096,
        ),
        ({"nvme_namespaces": [], "user_capacity": {"bytes": 512000}, "logical_block_size": 512}, 512000, 512),
        ({"nvme_namespaces": [{"size": 3}], "nvme_total_capacity": None}, 0, 512),
    ],
)
def test_the_size_of_an_nvme_disk_is_what_smartctl_says(more: dict[str, Any], size: int, sector: int) -> None:
    golden = json.loads((GOLDEN / "hardware/smartctl/nvme-samsung-pm1725.json").read_text())
    found = understand_tool("smartctl", [RawFile(name="one.json", data=json.dumps(golden | more).encode())])
    assert [(disk.size_bytes, disk.logical_sector_bytes) for disk in found.inventory.disks] == [
        (size, sector)
    ]


def test_an_nvme_disk_that_smartctl_cannot_open_says_why() -> None:
    refused = json.loads((GOLDEN / "hardware/smartctl/cannot-open.json").read_text())
    refused |= {"device": {"name": "/dev/nvme0n1", "protocol": "NVMe"}}
    found = understand_tool("smartctl", [RawFile(name="one.json", data=json.dumps(refused).encode())])
    assert [disk.health for disk in found.inventory.disks] == [None]
    assert any("health of nvme0n1: not read: smartctl says" in note for note in found.notes)


def test_the_list_of_smartctls_devices_is_no_disk() -> None:
    listed = {"smartctl": {"version": [7, 1]}, "devices": [{"name": "/dev/sda", "type": "scsi"}]}
    found = understand_tool("smartctl", [RawFile(name="scan.json", data=json.dumps(listed).encode())])
    assert found.inventory.disks == []
    assert found.notes == ["scan.json: it is no output of `smartctl --json` of a disk."]


def show_text(tool: str, *values: dict[str, Any]) -> Understood:
    return understand_tool(
        tool,
        [
            RawFile(name=f"{number}.json", data=json.dumps(value).encode())
            for number, value in enumerate(values)
        ],
    )


@pytest.mark.parametrize("path", ["Systems/1/BIOS", "systems/1/bios/", "Systems/437XR1138R2/Bios"])
def test_a_single_resource_is_found_however_its_path_is_written(path: str) -> None:
    bios = {
        "@odata.id": f"/redfish/v1/{path}",
        "@odata.type": "#Bios.v1_0_6.Bios",
        "Attributes": {"ProcTurboMode": "Enabled"},
    }
    found = show_text("redfish", bios)
    (setting,) = found.states["bios.redfish"]["settings"]
    assert (setting["name"], setting["current"]) == ("ProcTurboMode", "Enabled")


def test_resources_whose_paths_are_written_in_several_ways_are_all_found() -> None:
    accounts = [
        {
            "@odata.id": f"/redfish/v1/{path}",
            "@odata.type": "#ManagerAccount.v1_3_0.ManagerAccount",
            "Id": number, "UserName": f"user{number}", "RoleId": "Administrator", "Enabled": True,
        }
        for path, number in (("AccountService/Accounts/1", "1"), ("accountservice/accounts/2", "2"))
    ]  # fmt: skip
    users = show_text("redfish", *accounts).states["oob.redfish"]["accounts"]
    assert sorted(user["name"] for user in users) == ["user1", "user2"]


def test_disks_of_which_lsblk_says_no_size_are_shown() -> None:
    row = {"name": "/dev/sda", "model": "MTFDDAV240TDU", "serial": "S1", "rev": "2B6Q", "tran": "sata"}
    other = {"name": "sdb", "size": "465.8G", "type": "disk", "rota": "1", "serial": "S2"}
    third = {"name": "sdc", "size": "465,8G", "type": "disk", "serial": "S3"}  # as in German
    found = show_text("lsblk", {"blockdevices": [row, other, third]})
    assert [(disk.path, disk.serial, disk.size_bytes) for disk in found.inventory.disks] == [
        ("/dev/sda", "S1", 0),
        ("/dev/sdb", "S2", int(465.8 * 1024**3) // 512 * 512),
        ("/dev/sdc", "S3", int(465.8 * 1024**3) // 512 * 512),
    ]
    assert any("says no size of /dev/sda" in note for note in found.notes)


OLD_LIST = {
    "Devices": [
        {
            "NameSpace": 1,
            "DevicePath": f"/dev/nvme{number}n1",
            "Firmware": "AGGA4104",
            "Index": number,
            "ModelNumber": "KXG60ZNV256G TOSHIBA",
            "SerialNumber": f"SN{number} ",
            "UsedBytes": 1,
            "MaximumLBA": 500118192,
            "PhysicalSize": 256060514304,
            "SectorSize": 512,
        }
        for number in range(2)
    ]
}
NEW_LIST = {
    "Devices": [
        {
            "HostNQN": "nqn",
            "Subsystems": [
                {
                    "Subsystem": f"nvme-subsys{number}",
                    "Controllers": [
                        {
                            "Controller": f"nvme{number}",
                            "SerialNumber": f"SN{number}",
                            "ModelNumber": "KXG60ZNV256G TOSHIBA",
                            "Firmware": "AGGA4104",
                            "Namespaces": [
                                {
                                    "NameSpace": f"nvme{number}n1",
                                    "NSID": 1,
                                    "PhysicalSize": 256060514304,
                                    "SectorSize": 512,
                                }
                            ],
                            "Paths": [],
                        }
                    ],
                    "Namespaces": [],
                }
                for number in range(2)
            ],
        }
    ]
}


@pytest.mark.parametrize("listed", [OLD_LIST, NEW_LIST], ids=["flat", "by subsystems"])
def test_drives_that_nvme_lists_are_understood(listed: dict[str, Any]) -> None:
    disks = show_text("nvme", listed).inventory.disks
    assert [(disk.path, disk.model, disk.serial, disk.firmware, disk.size_bytes) for disk in disks] == [
        (f"/dev/nvme{number}n1", "KXG60ZNV256G TOSHIBA", f"SN{number}", "AGGA4104", 256060514304)
        for number in range(2)
    ]


def test_what_is_said_of_one_of_several_drives_is_of_that_one() -> None:
    log = {"critical_warning": 0, "temperature": 310, "percent_used": 3, "power_on_hours": 77}
    mine = {"mn": "KXG60ZNV256G TOSHIBA", "sn": "SN1", "fr": "AGGA4104", "cntlid": 1, "oacs": 0}
    first, second = show_text("nvme", OLD_LIST, log, mine).inventory.disks
    assert (first.health, second.health and second.health.power_on_hours) == (None, 77)
    unknown = show_text("nvme", OLD_LIST, log)
    assert [disk.health for disk in unknown.inventory.disks] == [None, None]
    assert "Which of the drives that are listed the other files are of is not known." in unknown.notes


@pytest.mark.parametrize(
    "value", [{"Devices": []}, {"Devices": 3}, {"Devices": [{"Subsystems": [4, {"Controllers": 5}]}, 6]}]
)
def test_a_list_without_drives_says_so(value: dict[str, Any]) -> None:
    found = show_text("nvme", value)
    assert (found.inventory.disks, found.notes[:1]) == ([], ["0.json: it lists no drive."])


def test_a_tool_that_is_not_known_is_an_error() -> None:
    with pytest.raises(BootosError, match="not a tool"):
        understand_tool("lspci", [])


def build_hostile() -> dict[str, bytes]:
    deep = "[" * 200_000 + "]" * 200_000
    nested = '{"Controllers":' * 400 + "1" + "}" * 400
    number = '{"nsze": 1e999, "flbas": ' + "9" * 5000 + "}"
    wrong: Any = [{"Command Status": 5, "Response Data": [1, {"PD LIST": {"a": [None]}}]}, "x", None, [[]]]
    return {
        "empty.json": b" \n",
        "binary": bytes(range(256)) * 20,
        "broken.json": b'{"Controllers": [{"Command Status": {"Controller": 0',
        "deep.json": deep.encode(),
        "nested.json": nested.encode(),
        "number.json": number.encode(),
        "wrong.json": json.dumps({"Controllers": wrong, "Members": wrong, "blockdevices": wrong}).encode(),
        "null.json": b'{"smartctl": null, "device": 3, "Attributes": {}, "RegistryEntries": {"Attributes": 4}}',
        "utf16.json": '{"Controllers": []}'.encode("utf-16"),
        "latin.txt": "Größe : 5\nHandle 0x9999, DMI type 17, 255 bytes\n\tSize: 9999999 TB\n".encode(
            "latin-1"
        ),
        "long.txt": b"md0 : active raid5 " + b"sda[0] " * 5000,
        "surrogate.json": b'{"/redfish/v1": {"Systems": {"@odata.id": "\\ud800"}}}',
        "self.json": b'{"/redfish/v1": {"Systems": {"@odata.id": "/redfish/v1"}, "Members": [{"@odata.id": "/"}]}}',
        "entity.xml": b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><BiosCfg>&b;</BiosCfg>',
    }


@pytest.mark.parametrize("tool", TOOLS)
def test_nothing_that_a_file_holds_raises(tool: str, tmp_path: Path) -> None:
    for name, data in build_hostile().items():
        (tmp_path / name).write_bytes(data)
        files, notes = read_files([tmp_path / name])
        found = understand_tool(tool, files)
        msgspec.json.encode(found)
        assert format_understood(found)
        assert notes or found.notes or found.states or tell(found), name


@pytest.mark.parametrize(("name", "tool"), list(list_goldens())[::4])
def test_a_golden_that_is_cut_or_damaged_raises_nothing(name: str, tool: str) -> None:
    data = (GOLDEN / name).read_bytes()
    rng = random.Random(name)
    for _ in range(3):
        place = rng.randrange(len(data))
        damaged = [data[:place], data[:place] + rng.randbytes(8) + data[place + 8 :]]
        for part in damaged:
            found = understand_tool(tool, [RawFile(name=Path(name).name, data=part)] if part.strip() else [])
            assert msgspec.json.encode(found)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "large.json").write_bytes(b" " * (MOST_BYTES + 1))
    (tmp_path / "cut.json.gz").write_bytes(b"\x1f\x8b\x08\x00")
    files, notes = read_files([tmp_path / "large.json", tmp_path / "absent.json", tmp_path / "cut.json.gz"])
    assert files == []
    assert [note.partition(" ")[0] for note in notes] == ["large.json", "absent.json", "cut.json.gz"]


def test_a_broken_archive_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"x" * 1000)[:12] + b"\xff" * 40)
    files, notes = read_files([tmp_path / "a.gz"])
    assert files == []
    assert notes[0].startswith("a.gz cannot be read: ")


def test_many_large_files_are_read_up_to_a_bound(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.gz").write_bytes(gzip.compress(b"x" * 600_000))
    (tmp_path / "small").write_bytes(b"x")
    files, notes = read_files([tmp_path], 1024**2)
    assert [file.name for file in files] == ["0.gz", "small"]
    assert notes == [f"{number}.gz is not read: all together have more than 1 MiB." for number in (1, 2)]


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        ("storcli", "\n" * 1_000_000),
        ("storcli", "{\n" * 500_000),
        ("storcli", '["\n' * 300_000),
        ("storcli", " " * 1_000_000),
        ("redfish", json.dumps({"/redfish/v1" + "/a" * 100_000: {}})),
        ("redfish", json.dumps({f"/redfish/v1/Chassis/{number}": {} for number in range(20_000)})),
    ],
)
def test_what_is_made_to_take_long_does_not(tool: str, text: str) -> None:
    """Nobody would wait for the end of it, if it did."""
    assert understand_tool(tool, [RawFile(name="a.json", data=text.encode())]).notes


def test_the_blocks_of_mvcli_are_no_drives() -> None:
    """`mvcli info -o blk` of glensc's nagios-plugin-check_raid (`mvcli-92`): both drives are in the array VD0."""
    part = "Block id: {0}\nPD id: {0}\nVD id: 0\nBlock status: assigned\nSize: 3906936640 K\nStarting offset: 16384 K\n"
    text = "Block Information\n-----------------\n" + "\n".join(part.format(number) for number in (0, 1))
    alone = understand_tool("mvcli", [RawFile(name="blk.txt", data=text.encode())])
    assert alone.inventory.raid == []
    golden = (GOLDEN / "drivers/raid.mvcli/88se9230.pd-free.txt").read_bytes()
    drives = understand_tool("mvcli", [RawFile(name="all.txt", data=text.encode() + b"\n" + golden)])
    (state,) = drives.states["raid.mvcli"]["controllers"]
    assert [drive["size_bytes"] > 0 for drive in state["drives"]] == [True]


def test_the_schemas_of_a_mockup_are_one_note() -> None:
    """As the mockups of NVIDIA's libredfish have them, 150 beside the resources of a GH200."""
    system = {
        "@odata.id": "/redfish/v1/Systems/1",
        "@odata.type": "#ComputerSystem.v1_0_0.ComputerSystem",
        "Id": "1",
    }
    files = [RawFile(name="system.json", data=json.dumps(system).encode())]
    files += [RawFile(name=f"schema/{number}.xml", data=b"<?xml?><edmx:Edmx/>") for number in range(9)]
    (note,) = (note for note in understand_tool("redfish", files).notes if "schema/" in note)
    assert note == "No JSON, and not read: schema/0.xml, schema/1.xml, schema/2.xml and 6 more."
