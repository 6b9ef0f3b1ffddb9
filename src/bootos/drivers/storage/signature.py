"""What `wipefs` and `blkid` find on a device, and how it is called in words an operator understands. Pure."""

import msgspec

MD_SIGNATURE = "linux_raid_member"
IMSM_SIGNATURE = "isw_raid_member"
LVM_SIGNATURE = "LVM2_member"
LUKS_SIGNATURE = "crypto_LUKS"
TABLES = {"gpt": "gpt", "dos": "mbr"}  # partition tables, as `wipefs` and as templates call them


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """What `wipefs` finds: a file system, a RAID member, a partition table (`gpt`, `dos`), ..."""

    type: str
    label: str = ""
    uuid: str = ""
    half_made: bool = False  # a file system that was not made to its end; checked only where that is possible


def name_signature(signature: Signature) -> str:
    """`ext4 file system "data"`."""
    label = f' "{signature.label}"' if signature.label else ""
    special = {
        "swap": "swap space",
        "LVM2_member": "LVM physical volume",
        "crypto_LUKS": "LUKS-encrypted volume",
        "zfs_member": "member of ZFS pool",
        IMSM_SIGNATURE: "member of an Intel firmware RAID",
        "ddf_raid_member": "member of a DDF firmware RAID",
        "bcache": "bcache device",
        "ceph_bluestore": "Ceph OSD",
        "drbd": "DRBD device",
        "VMFS_volume_member": "VMFS volume",
        "suspend": "hibernation image",
    }
    if signature.type in special:
        return special[signature.type] + label
    if signature.type.endswith(("_member", "_raid_member")):
        return f"{signature.type} signature{label}"
    return f"{signature.type} file system{label}"
