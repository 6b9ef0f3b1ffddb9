"""The state of a machine where a content lies in a place of some kind, for the safety table."""

from typing import Any

import msgspec
from controllermodel import build_controller, build_drive
from safetycontent import GIB, OTHER, SIZE, SLICE, TABLE, Content, World, build_block, sign

from bootos.drivers.contract import Forecast, PartitionForecast
from bootos.drivers.nvme.lbaformat import LbaFormat
from bootos.drivers.nvme.namespace import Held, NvmeDrive
from bootos.drivers.nvme.nvme import Namespace, NvmeState
from bootos.drivers.storage import md, volume
from bootos.drivers.storage.controller import Array, ControllerState
from bootos.drivers.storage.state import Storage
from bootos.wire.inventory import Disk, DiskType


def build_place(place: str, content: Content) -> tuple[Any, Forecast]:
    """The state in which the content lies in a place of this kind, and what earlier drivers made of it."""
    world, forecast = World(), Forecast()
    world.begun = content.begun
    device = {
        "partition": "/dev/sda1",
        "array": "/dev/md/old",
        "virtual": "/dev/sdc",
        "jbod": "/dev/sdc",
        "namespace": "/dev/nvme0n1",
        "volume": "/dev/vg/lv",
    }.get(place, "/dev/sda")
    own = build_block("/dev/sda", content) if device == "/dev/sda" else build_block("/dev/sda")
    world.add_disk("/dev/sda", own)
    world.add_disk("/dev/sdb", build_block("/dev/sdb"))
    state: Any = None
    if place == "partition":
        part = msgspec.structs.replace(
            SLICE, device=device, signatures=content.signatures, unreadable=content.is_unreadable
        )
        table = Content(name="", signatures=TABLE, slices=(part,), used_by=content.used_by)
        world.blocks["/dev/sda"] = build_block("/dev/sda", table)
        forecast.partitions.append(
            PartitionForecast(
                path="disks[0].partitions[0]", disk="/dev/sda", device=device, size_bytes=GIB, kept=True
            )
        )
    elif place == "array":
        members = (md.Member(node="/dev/sda", role=0), md.Member(node="/dev/sdb", role=1))
        world.arrays.append(
            md.Array(
                name="old",
                device=device,
                node="" if content.is_hidden else "/dev/md127",
                uuid=OTHER,
                level="1",
                drive_count=2,
                members=members,
            )
        )
        world.add_disk("/dev/sdc", build_block("/dev/sdc"))
        for node in ("/dev/sda", "/dev/sdb"):
            member = Content(name="", signatures=sign("linux_raid_member", "any:old"))
            world.blocks[node] = build_block(node, member)
        if not content.is_hidden:
            world.blocks[device] = build_block(device, content)
    elif place == "addition":
        keep = md.Array(
            name="keep",
            device="/dev/md/keep",
            node="/dev/md125",
            uuid=OTHER,
            level="1",
            drive_count=2,
            members=(md.Member(node="/dev/sdb", role=0),),
        )
        world.arrays.append(keep)
        world.blocks[keep.device] = build_block(keep.device)
    elif place == "volume":
        held = volume.Volume(
            name="lv",
            uuid=OTHER,
            size_bytes=GIB,
            kind=content.kind,
            active=content.is_active,
            unfinished=content.is_unfinished,
            signatures=content.signatures,
            unreadable=content.is_unreadable,
        )
        physical = volume.Member(device="/dev/sda", uuid=OTHER, size_bytes=SIZE)
        group = volume.Group(
            name="vg",
            uuid=OTHER,
            extent_bytes=4 * 1024**2,
            extent_count=1000,
            free_count=10,
            members=(physical,),
            volumes=(held,),
        )
        world.groups.append(group)
        forecast.partitions.append(
            PartitionForecast(
                path="volume_groups[0].volumes[0]",
                disk="/dev/vg",
                device=device,
                size_bytes=GIB,
                kept=not content.is_unfinished,
            )
        )
    elif place in ("virtual", "jbod", "namespace") and not content.is_hidden:
        world.add_disk(device, build_block(device, content), DiskType.NVME)
    if content.around is not None:
        content.around(world, device)
    storage = world.build()
    shown = "" if content.is_hidden else device
    if place == "virtual":
        state = build_virtual(storage, shown)
    elif place == "jbod":
        single = build_drive(0, state="jbod", device=shown)
        state = ControllerState(
            controllers=(build_controller(drives=(single, build_drive(1))),), storage=storage
        )
    elif place == "namespace":
        state = build_nvme(storage, shown)
    return state if state is not None else storage, forecast


def build_virtual(storage: Storage, device: str) -> ControllerState:
    drives = (*(build_drive(number, state="online") for number in range(2)), build_drive(2))
    array = Array(
        id="0",
        name="old",
        level="1",
        drives=("252:0", "252:1"),
        drive_count=2,
        state="optimal",
        device=device,
    )
    return ControllerState(controllers=(build_controller(drives=drives, arrays=(array,)),), storage=storage)


def build_nvme(storage: Storage, device: str) -> NvmeState:
    formats = (
        LbaFormat(index=0, sector_bytes=512, metadata_bytes=0, performance=1),
        LbaFormat(index=1, sector_bytes=4096, metadata_bytes=0, performance=0),
    )
    space = Namespace(current=0, formats=formats, can_format=True, formats_all=False)
    whole = Disk(
        index=9, name="nvme0", path="/dev/nvme0n1", serial="NVME1", size_bytes=SIZE, type=DiskType.NVME
    )
    drive = NvmeDrive(
        node="/dev/nvme0",
        disk=whole,
        manages=True,
        controller=1,
        most=8,
        total_bytes=SIZE,
        free_bytes=0,
        formats=formats,
        held=(Held(nsid=1, size_bytes=SIZE, sector_bytes=512, device=device, attached=(1,)),),
    )
    return NvmeState(storage=storage, namespaces={device: space} if device else {}, drives=(drive,))
