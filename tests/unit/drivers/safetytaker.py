"""Who would take a place: the drivers and templates of the safety table."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from bootos.drivers.contract import Driver
from bootos.drivers.disk.filesystem import FilesystemDriver
from bootos.drivers.disk.luks import LuksDriver
from bootos.drivers.disk.lvm import LvmDriver
from bootos.drivers.disk.partition import PartitionDriver
from bootos.drivers.erase.erase import EraseDriver
from bootos.drivers.nvme.nvme import NvmeDriver
from bootos.drivers.raid.mdadm import MdadmDriver
from bootos.drivers.raid.megaraid import MegaraidDriver
from bootos.drivers.raid.mvcli import MvcliDriver
from bootos.drivers.raid.sas3ircu import SasIrcuDriver


class Taker(msgspec.Struct, frozen=True, kw_only=True):
    """One driver that takes a place of one kind. `act` begins the ids of the actions that write over it. `is_data`:
    what is taken is data itself, whatever lies in it. `needs_disk`: the system must show it; `chooses`: it selects a
    disk, and passes over those that cannot be read."""

    name: str
    place: str
    act: str
    word: str
    driver: Driver
    template: Callable[[bool], dict[str, Any]]
    needs_disk: bool = False
    chooses: bool = False
    is_data: bool = False
    always: bool = False  # its word cannot be left out
    never: bool = False  # no word allows it


FILESYSTEM = {"type": "xfs", "label": "new"}
ENCRYPTION = {"passphrase": {"secret": "pass"}, "label": "new"}
SDA = {"path": "/dev/sda"}


def on_disk(**wanted: Any) -> Callable[[bool], dict[str, Any]]:
    groups = [{"name": "data", "volumes": [{"name": "v", "size": "1GiB"}]}]
    more = {"volume_groups": groups} if wanted.get("volume_group") else {}
    return lambda wipe: {"disks": [{"select": SDA, "wipe": wipe, **wanted}], **more}


def on_partition(**wanted: Any) -> Callable[[bool], dict[str, Any]]:
    partitions = [{"name": "a", "size": "1GiB", **wanted}]
    groups = [{"name": "data", "volumes": [{"name": "v", "size": "500MiB"}]}]
    more = {"volume_groups": groups} if "volume_group" in wanted else {}
    return lambda wipe: {"disks": [{"select": SDA, "wipe": wipe, "partitions": partitions}], **more}


def on_volume(**wanted: Any) -> Callable[[bool], dict[str, Any]]:
    volumes = [{"name": "lv", "size": "1GiB", **wanted}]
    return lambda wipe: {
        "disks": [{"select": SDA, "volume_group": "vg"}],
        "volume_groups": [{"name": "vg", "wipe": wipe, "volumes": volumes}],
    }


def wanted_array(wipe: bool, drives: str = "0,1", **more: Any) -> dict[str, Any]:
    array = {"name": "new", "level": 1, "drives": drives, "wipe": wipe}
    return {"raid": {"arrays": [array], **more}}


def keep_array(wipe: bool) -> dict[str, Any]:
    return {"raid": {"arrays": [{"name": "keep", "level": 1, "drives": "0,1", "wipe": wipe}]}}


def list_cards() -> Iterator[Taker]:
    """What each card that hands drives in no array to the system may take."""
    for noun, driver in (
        ("a controller", MegaraidDriver()),
        ("BOSS", MvcliDriver()),
        ("an IR controller", SasIrcuDriver()),
    ):
        yield Taker(
            name=f"delete an array of {noun} (clear)",
            place="virtual",
            act=f"{driver.name}:delete:",
            word="raid.clear",
            driver=driver,
            template=lambda clear: wanted_array(False, clear=clear),
            is_data=True,
        )
        yield Taker(
            name=f"delete an array of {noun} (wipe)",
            place="virtual",
            act=f"{driver.name}:delete:",
            word="raid.arrays[0].wipe",
            driver=driver,
            template=wanted_array,
            is_data=True,
        )
        yield Taker(
            name=f"take a single drive for an array of {noun}",
            place="jbod",
            act=f"{driver.name}:jbod-off:",
            word="raid.arrays[0].wipe",
            driver=driver,
            template=wanted_array,
        )


NVME = {"path": "/dev/nvme0n1"}
TAKERS = (
    Taker(
        name="partition a disk",
        place="disk",
        act="disk.partition:write:",
        word="disks[0].wipe",
        driver=PartitionDriver(),
        template=on_disk(partitions=[{"name": "root", "size": "2GiB"}]),
        chooses=True,
    ),
    Taker(
        name="partition an md array",
        place="array",
        act="disk.partition:write:",
        word="disks[0].wipe",
        driver=PartitionDriver(),
        template=lambda wipe: {
            "disks": [
                {
                    "select": {"array": "old"},
                    "wipe": wipe,
                    "partitions": [{"name": "root", "size": "2GiB"}],
                }
            ]
        },
        needs_disk=True,
    ),
    Taker(
        name="format a disk",
        place="disk",
        act="disk.filesystem:make:",
        word="disks[0].wipe",
        driver=FilesystemDriver(),
        template=on_disk(filesystem=FILESYSTEM),
        chooses=True,
    ),
    Taker(
        name="format a partition",
        place="partition",
        act="disk.filesystem:make:",
        word="disks[0].wipe",
        driver=FilesystemDriver(),
        template=on_partition(filesystem=FILESYSTEM),
    ),
    Taker(
        name="format a volume",
        place="volume",
        act="disk.filesystem:make:",
        word="volume_groups[0].wipe",
        driver=FilesystemDriver(),
        template=on_volume(filesystem=FILESYSTEM),
    ),
    Taker(
        name="encrypt a partition",
        place="partition",
        act="disk.luks:make:",
        word="disks[0].wipe",
        driver=LuksDriver(),
        template=on_partition(encryption=ENCRYPTION, filesystem=FILESYSTEM),
    ),
    Taker(
        name="encrypt a volume",
        place="volume",
        act="disk.luks:make:",
        word="volume_groups[0].wipe",
        driver=LuksDriver(),
        template=on_volume(encryption=ENCRYPTION, filesystem=FILESYSTEM),
    ),
    Taker(
        name="make a disk a physical volume",
        place="disk",
        act="disk.lvm:create:",
        word="disks[0].wipe",
        driver=LvmDriver(),
        template=on_disk(volume_group="data"),
        chooses=True,
    ),
    Taker(
        name="make a partition a physical volume",
        place="partition",
        act="disk.lvm:create:",
        word="disks[0].wipe",
        driver=LvmDriver(),
        template=on_partition(volume_group="data"),
    ),
    Taker(
        name="create an md array",
        place="member",
        act="raid.mdadm:create:",
        word="raid.arrays[0].wipe",
        driver=MdadmDriver(),
        template=wanted_array,
        chooses=True,
    ),
    Taker(
        name="create an array of Intel's",
        place="member",
        act="raid.mdadm:create:",
        word="raid.arrays[0].wipe",
        driver=MdadmDriver(),
        template=lambda wipe: {
            "raid": {
                "arrays": [{"name": "new", "level": 1, "drives": "0,1", "metadata": "imsm", "wipe": wipe}]
            }
        },
        chooses=True,
    ),
    Taker(
        name="add a drive to an md array",
        place="addition",
        act="raid.mdadm:add:",
        word="raid.arrays[0].wipe",
        driver=MdadmDriver(),
        template=keep_array,
        chooses=True,
    ),
    Taker(
        name="delete an md array (clear)",
        place="array",
        act="raid.mdadm:delete:",
        word="raid.clear",
        driver=MdadmDriver(),
        template=lambda clear: wanted_array(False, clear=clear),
        is_data=True,
    ),
    Taker(
        name="delete an md array (wipe)",
        place="array",
        act="raid.mdadm:delete:",
        word="raid.arrays[0].wipe",
        driver=MdadmDriver(),
        template=wanted_array,
        is_data=True,
    ),
    Taker(
        name="delete an md array (wipe of one of its drives)",
        place="array",
        act="raid.mdadm:delete:",
        word="raid.arrays[0].wipe",
        driver=MdadmDriver(),
        template=lambda wipe: wanted_array(wipe, "0,2"),
        is_data=True,
        never=True,
    ),
    Taker(
        name="delete a controller's array (wipe of one of its drives)",
        place="virtual",
        act="raid.megaraid:delete:",
        word="raid.arrays[0].wipe",
        driver=MegaraidDriver(),
        template=lambda wipe: wanted_array(wipe, "0,2"),
        is_data=True,
        never=True,
    ),
    Taker(
        name="switch a controller with arrays to HBA",
        place="virtual",
        act="raid.megaraid:delete:",
        word="raid.clear",
        driver=MegaraidDriver(),
        template=lambda clear: {"raid": {"mode": "hba", "clear": clear}},
        is_data=True,
    ),
    *list_cards(),
    Taker(
        name="format an NVMe namespace",
        place="namespace",
        act="disk.nvme:format:",
        word="nvme[0].wipe",
        driver=NvmeDriver(),
        template=lambda wipe: {"nvme": [{"select": NVME, "sector_bytes": 4096, "wipe": wipe}]},
        needs_disk=True,
        chooses=True,
    ),
    Taker(
        name="delete an NVMe namespace",
        place="namespace",
        act="disk.nvme:namespaces:",
        word="nvme[0].wipe",
        driver=NvmeDriver(),
        template=lambda wipe: {
            "nvme": [{"select": {"serial": "NVME1"}, "namespaces": [{"size": "10GiB"}], "wipe": wipe}]
        },
    ),
    Taker(
        name="erase a disk",
        place="disk",
        act="disk.erase:erase:",
        word="erase[0].confirm",
        driver=EraseDriver(),
        template=lambda confirm: {"erase": [{"select": SDA, "confirm": "lose-all-data"}]},
        chooses=True,
        is_data=True,
        always=True,
    ),
)
