"""What can lie in a place of a machine: the contents of the safety table, as plain states."""

from collections.abc import Callable
from typing import Any

import msgspec

from bootos.drivers.raid.imsmplatform import MdState
from bootos.drivers.storage import md, volume
from bootos.drivers.storage.mark import UNFINISHED, draw_uuid
from bootos.drivers.storage.signature import Signature
from bootos.drivers.storage.state import Block, Layout, Slice, Storage
from bootos.wire.inventory import Disk, DiskType

GIB = 1024**3
SIZE = 100 * GIB
OWNER = "SN001 7"
OTHER = "8d0ad1a4-54ef-4d4b-9f8c-3c1e6c1f8a10"  # somebody else's UUID
MOUNTED, SWAPPED = "mounted on /mnt", "in use as swap"
WHOLE = frozenset(
    {"disk", "member", "array", "virtual", "jbod", "namespace"}
)  # a disk of the system, or an array
ANY = WHOLE | {"partition", "volume"}


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a place. `holds`: it is data, or nobody knows. `told` is what a plan must say of it; `own_of` are
    the takers whose own half-made work it is; `around` adds what it needs elsewhere on the machine."""

    name: str
    holds: bool = True
    is_used: bool = False
    told: str = "precious"
    places: frozenset[str] = ANY
    own_of: frozenset[str] = frozenset()
    signatures: tuple[Signature, ...] = ()
    slices: tuple[Slice, ...] | None = None  # of its partition table; None: there is none that can be read
    strays: tuple[Slice, ...] = ()
    table_id: str = ""
    is_unseen: bool = False
    used_by: tuple[str, ...] = ()
    is_unreadable: bool = False
    is_hidden: bool = False  # the system shows no disk of it
    kind: str = "linear"  # of a logical volume
    is_active: bool = False
    is_unfinished: bool = False
    begun: frozenset[str] = frozenset()
    around: Callable[["World", str], None] | None = None


class World:
    """A machine with two blank disks of its own."""

    def __init__(self) -> None:
        self.disks: list[Disk] = []
        self.blocks: dict[str, Block] = {}
        self.arrays: list[md.Array] = []
        self.groups: list[volume.Group] = []
        self.loose: list[volume.Member] = []
        self.begun: frozenset[str] = frozenset()

    def add_disk(self, path: str, block: Block | None, type: DiskType = DiskType.SSD) -> None:
        index, name = len(self.disks), path.removeprefix("/dev/")
        self.disks.append(
            Disk(index=index, name=name, path=path, serial=f"S{index}", size_bytes=SIZE, type=type)
        )
        if block is not None:
            self.blocks[path] = block

    def build(self) -> Storage:
        return MdState(
            disks=tuple(self.disks),
            blocks=self.blocks,
            arrays=tuple(self.arrays),
            groups=tuple(self.groups),
            loose=tuple(self.loose),
            owner=OWNER,
            begun=self.begun,
        )


def build_block(device: str, content: Content | None = None) -> Block:
    if content is None:
        return Block(device=device, node=device, size_bytes=SIZE)
    layout = None
    if content.slices is not None:
        layout = Layout(table="gpt", id=content.table_id, unseen=content.is_unseen, slices=content.slices)
    return Block(
        device=device,
        node=device,
        size_bytes=SIZE,
        signatures=content.signatures,
        layout=layout,
        strays=content.strays,
        used_by=content.used_by,
        unreadable=content.is_unreadable,
    )


def sign(type: str, label: str = "precious", uuid: str = OTHER, **more: Any) -> tuple[Signature, ...]:
    return (Signature(type=type, label=label, uuid=uuid, **more),)


TABLE = (Signature(type="gpt"), Signature(type="PMBR"))
SLICE = Slice(
    number=1, device="/dev/x1", start=2048, sectors=2**21, type="83", name="a", signatures=sign("ext4")
)


def add_group(world: World, device: str, *, is_active: bool = False, other: str = "") -> None:
    member = volume.Member(device=device, uuid=OTHER, size_bytes=SIZE)
    others = (volume.Member(device=other, uuid="other", size_bytes=SIZE),) if other else ()
    held = volume.Volume(
        name="v", uuid=OTHER, size_bytes=GIB, active=is_active, signatures=sign("xfs", "precious")
    )
    world.groups.append(
        volume.Group(
            name="theirs",
            uuid=OTHER,
            extent_bytes=4 * 1024**2,
            extent_count=1000,
            free_count=10,
            members=(member, *others),
            volumes=(held,),
        )
    )


def add_array(world: World, device: str, used_by: tuple[str, ...] = (), *, is_running: bool = True) -> None:
    found = md.Array(
        name="precious",
        device="/dev/md/precious",
        node="/dev/md126" if is_running else "",
        uuid=OTHER,
        level="1",
        drive_count=1,
        members=(md.Member(node=device, role=0),),
    )
    world.arrays.append(found)
    if is_running:
        inside = Content(name="", signatures=sign("ext4"), used_by=used_by)
        world.blocks[found.device] = build_block(found.device, inside)


def add_own_array(world: World, device: str) -> None:
    uuid = draw_uuid(OWNER, "/dev/md/new")
    members = (md.Member(node=device), md.Member(node="/dev/sdb"))
    world.arrays.append(
        md.Array(
            name="new", device="/dev/md/new", node="", uuid=uuid, level="1", drive_count=2, members=members
        )
    )
    half = Content(name="", signatures=sign("linux_raid_member", "any:new", uuid))
    world.blocks["/dev/sdb"] = build_block("/dev/sdb", half)


def add_loose(world: World, device: str, uuid: str) -> None:
    world.loose.append(volume.Member(device=device, uuid=uuid, size_bytes=SIZE))


MD = sign("linux_raid_member", "any:precious")
LVM = sign("LVM2_member", "")
DEVICES = WHOLE | {"partition"}
CONTENTS = (
    Content(name="nothing", holds=False),
    Content(name="an empty table", holds=False, signatures=TABLE, slices=(), places=WHOLE),
    Content(name="partitions", signatures=TABLE, slices=(SLICE,), places=WHOLE),
    Content(name="partitions of a table that was overwritten", strays=(SLICE,), places=WHOLE),
    Content(
        name="partitions that an empty table does not have",
        signatures=TABLE,
        slices=(),
        is_unseen=True,
        strays=(SLICE,),
        places=WHOLE,
    ),
    Content(
        name="blank partitions of a table that was overwritten",
        holds=False,
        strays=(msgspec.structs.replace(SLICE, signatures=()),),
        places=WHOLE,
    ),
    Content(name="a table that cannot be read", signatures=TABLE, told="cannot be read", places=WHOLE),
    Content(name="what is left of a table", signatures=TABLE[1:], told="cannot be read", places=WHOLE),
    Content(
        name="a table inside",
        signatures=sign("dos", "", ""),
        told="",
        places=frozenset({"partition", "volume"}),
    ),
    Content(
        name="what looks like the table of an Atari",
        signatures=sign("atari", "", ""),
        told="",
        places=frozenset({"partition", "volume"}),
    ),
    *(
        Content(name=name, signatures=sign(kind))
        for name, kind in (
            ("a file system", "ext4"),
            ("swap space", "swap"),
            ("an encrypted volume", "crypto_LUKS"),
            ("a member of a ZFS pool", "zfs_member"),
            ("a bcache device", "bcache"),
            ("a Ceph OSD", "ceph_bluestore"),
            ("a DRBD device", "drbd"),
            ("a VMFS volume", "VMFS_volume_member"),
            ("a member of an Intel RAID", "isw_raid_member"),
            ("a member of a DDF RAID", "ddf_raid_member"),
            ("a signature of tomorrow", "tomorrowfs"),
            ("several signatures at once", "ambiguous"),
        )
    ),
    Content(name="a file system and more", signatures=(*sign("iso9660", "a"), *sign("ext4"))),
    Content(name="a volume group", signatures=LVM, places=DEVICES, around=lambda w, d: add_group(w, d)),
    Content(
        name="a volume group in use",
        is_used=True,
        signatures=LVM,
        used_by=("in use by /dev/mapper/theirs-v (lvm)",),
        places=DEVICES,
        around=lambda w, d: add_group(w, d, is_active=True),
    ),
    Content(
        name="a volume group in use on another disk",
        is_used=True,
        signatures=LVM,
        places=DEVICES,
        around=lambda w, d: add_group(w, d, is_active=True, other="/dev/sdz"),
    ),
    Content(
        name="a physical volume of somebody",
        signatures=LVM,
        told="LVM physical volume",
        places=DEVICES,
        around=lambda w, d: add_loose(w, d, OTHER),
    ),
    Content(
        name="a physical volume that this job just made",
        holds=False,
        signatures=LVM,
        places=DEVICES,
        around=lambda w, d: add_loose(w, d, volume.format_uuid(draw_uuid(OWNER, d))),
    ),
    Content(name="a member of an array", signatures=MD, places=DEVICES, around=lambda w, d: add_array(w, d)),
    Content(
        name="a member of a mounted array",
        is_used=True,
        signatures=MD,
        places=DEVICES,
        around=lambda w, d: add_array(w, d, (MOUNTED,)),
    ),
    Content(
        name="a member of a running array, and its superblock is gone",
        places=DEVICES,
        around=lambda w, d: add_array(w, d),
    ),
    Content(
        name="a member of a mounted array, and its superblock is gone",
        is_used=True,
        places=DEVICES,
        around=lambda w, d: add_array(w, d, (MOUNTED,)),
    ),
    Content(
        name="a member of an array that does not start",
        signatures=MD,
        places=DEVICES,
        around=lambda w, d: add_array(w, d, is_running=False),
    ),
    Content(name="a member of an array that is not there", signatures=MD, places=DEVICES),
    Content(
        name="a mounted file system",
        is_used=True,
        signatures=sign("ext4"),
        used_by=(MOUNTED,),
        is_active=True,
    ),
    Content(name="swap in use", is_used=True, signatures=sign("swap"), used_by=(SWAPPED,), is_active=True),
    Content(name="in use, and nothing to see", is_used=True, holds=False, used_by=(MOUNTED,), is_active=True),
    Content(
        name="cannot be read",
        is_unreadable=True,
        told="cannot be read",
    ),
    Content(
        name="a volume of a kind that cannot be looked at",
        kind="thin",
        told="cannot be read",
        places=frozenset({"volume"}),
    ),
    Content(name="an unfinished volume", holds=False, is_unfinished=True, places=frozenset({"volume"})),
    Content(
        name="no disk of it is seen",
        is_hidden=True,
        told="",
        places=frozenset({"array", "virtual", "jbod", "namespace"}),
    ),
    Content(
        name="a table that this job began",
        signatures=TABLE,
        slices=(SLICE,),
        table_id=draw_uuid(OWNER, "/dev/sda").upper(),
        is_unseen=True,
        begun=frozenset({"disk.partition:write:/dev/sda"}),
        own_of=frozenset({"partition a disk"}),
        places=frozenset({"disk", "member"}),
    ),
    Content(
        name="a table that this job began, in use",
        is_used=True,
        signatures=TABLE,
        slices=(SLICE,),
        table_id=draw_uuid(OWNER, "/dev/sda"),
        is_unseen=True,
        used_by=(MOUNTED,),
        begun=frozenset({"disk.partition:write:/dev/sda"}),
        own_of=frozenset({"partition a disk"}),
        places=frozenset({"disk", "member"}),
    ),
    Content(
        name="a table that another job began",
        signatures=TABLE,
        slices=(SLICE,),
        table_id=OTHER,
        is_unseen=True,
        begun=frozenset({"disk.partition:write:/dev/sda"}),
        places=frozenset({"disk", "member"}),
    ),
    *(
        Content(
            name=f"a file system that {who} job began",
            signatures=sign("xfs", "precious", uuid, half_made=True),
            begun=frozenset({f"disk.filesystem:make:{device}"}),
            own_of=own,
            places=frozenset({place}),
        )
        for place, device in (("disk", "/dev/sda"), ("partition", "/dev/sda1"))
        for who, uuid, own in (
            ("this", draw_uuid(OWNER, device), frozenset({"format a disk", "format a partition"})),
            ("another", OTHER, frozenset[str]()),
        )
    ),
    Content(
        name="an array that this job began",
        signatures=sign("linux_raid_member", "any:new", draw_uuid(OWNER, "/dev/md/new")),
        told="new",
        begun=frozenset({"raid.mdadm:create:new"}),
        own_of=frozenset({"create an md array", "create an array of Intel's"}),
        places=frozenset({"member"}),
        around=add_own_array,
    ),
    Content(
        name="an array that another job began",
        signatures=sign("linux_raid_member", "any:new", draw_uuid(OWNER, "/dev/md/new")),
        told="new",
        places=frozenset({"member"}),
        around=add_own_array,
    ),
    Content(
        name="a container without content",
        signatures=sign("crypto_LUKS", UNFINISHED),
        told=UNFINISHED,
        own_of=frozenset({"encrypt a partition", "encrypt a volume"}),
        places=frozenset({"disk", "partition", "volume"}),
    ),
    Content(
        name="a container without content, and more",
        signatures=(*sign("crypto_LUKS", UNFINISHED), *sign("ext4")),
        places=frozenset({"disk", "partition", "volume"}),
    ),
)
