"""The `volume_groups` section, and who belongs to a group: mistakes that need no machine. Called by
`check.read_template`."""

from fractions import Fraction

from bootos.errors import Problem, Problems
from bootos.template.model import LogicalVolume, Template, VolumeGroup
from bootos.template.partitioncheck import check_encryption, check_filesystem
from bootos.template.place import Places, claim_name
from bootos.template.size import parse_bytes, parse_size

# Names that LVM does not allow, as it uses them itself (lvm(8)).
KEPT_NAMES = ("snapshot", "pvmove")
KEPT_PARTS = (
    "_cdata",
    "_cmeta",
    "_corig",
    "_mimage",
    "_mlog",
    "_rimage",
    "_rmeta",
    "_tdata",
    "_tmeta",
    "_vorigin",
)


def find_members(template: Template) -> dict[str, list[str]]:
    """The places of the physical volumes of each group, in the order of the template."""
    found: dict[str, list[str]] = {}
    for index, disk in enumerate(template.disks):
        if disk.volume_group is not None:
            found.setdefault(disk.volume_group, []).append(f"disks[{index}]")
        for number, part in enumerate(disk.partitions):
            if part.volume_group is not None:
                found.setdefault(part.volume_group, []).append(f"disks[{index}].partitions[{number}]")
    return found


def check_volumes(template: Template, places: Places, uuids: dict[str, str]) -> list[Problem]:
    """`uuids` collects the UUIDs of file systems."""
    problems = Problems()
    members = find_members(template)
    names: dict[str, str] = {}
    indices = places.indices(VolumeGroup, "volume_groups")
    for index, group in zip(indices, template.volume_groups, strict=False):
        at = f"volume_groups[{index}]"
        claim_name(group.name, at, names, problems)
        if group.name not in members:
            hint = f"give a partition or a disk volume_group: {group.name}"
            problems.complain(at, "has no physical volume", hint)
        problems += _check_extent(group, at)
        problems += _check_list(
            group, at, uuids, places.indices(LogicalVolume, "volume_groups", index, "volumes")
        )
    for name in members.keys() - names.keys():
        for place in members[name]:
            problems.complain(f"{place}.volume_group", f"{name!r} is not in volume_groups")
    return problems


def _check_extent(group: VolumeGroup, at: str) -> list[Problem]:
    if group.extent is None:
        return []
    try:
        extent_bytes = parse_bytes(group.extent)
    except ValueError as cause:
        return [Problem(path=f"{at}.extent", message=str(cause))]
    if extent_bytes < 1024**2 or extent_bytes > 1024**3 or extent_bytes & (extent_bytes - 1):
        message = f"{group.extent!r} is not a power of two from 1MiB to 1GiB"
        return [Problem(path=f"{at}.extent", message=message)]
    return []


def _check_list(group: VolumeGroup, at: str, uuids: dict[str, str], indices: list[int]) -> list[Problem]:
    problems = Problems()
    names: dict[str, str] = {}
    rest_at = ""
    share = Fraction(0)
    for index, volume in zip(indices, group.volumes, strict=False):
        here = f"{at}.volumes[{index}]"
        claim_name(volume.name, here, names, problems)
        if volume.name.startswith(KEPT_NAMES) or any(part in volume.name for part in KEPT_PARTS):
            problems.complain(f"{here}.name", f"LVM keeps names like {volume.name!r} for itself")
        size = problems.parse(f"{here}.size", parse_size, volume.size)
        if size is not None and size.rest:
            if rest_at:
                problems.complain(f"{here}.size", f"{rest_at} takes the rest already")
            rest_at = rest_at or here
        share += (size.share or 0) if size is not None else 0
        if volume.filesystem is not None:
            problems += check_filesystem(volume.filesystem, f"{here}.filesystem", uuids)
        if volume.encryption is not None:
            problems += check_encryption(volume.encryption, f"{here}.encryption")
    if share > 1:
        problems.complain(f"{at}.volumes", f"the percentages add up to {float(share * 100):g} %")
    return problems
