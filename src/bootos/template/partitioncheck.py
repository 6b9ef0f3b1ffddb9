"""Static checks of partitions and file systems; `check` calls them. The machine's sizes are not known here."""

import re
import uuid as uuidlib
from fractions import Fraction

from bootos.errors import Problem, Problems
from bootos.template.model import DiskWanted, Encryption, Filesystem, FilesystemType, Partition, Table
from bootos.template.parttype import ATTRIBUTES, read_type, wanted_type
from bootos.template.place import claim_name
from bootos.template.size import Size, format_size, parse_size

LABEL_MOST_BYTES = {
    FilesystemType.EXT4: 16,
    FilesystemType.XFS: 12,
    FilesystemType.BTRFS: 255,
    FilesystemType.VFAT: 11,
    FilesystemType.SWAP: 15,  # mkswap needs the 16th byte for the end of the text
}

# Options of mkfs that set what the template sets by keys of its own; given here too, they could contradict each other.
OWN_OPTIONS = {
    FilesystemType.EXT4: {"-L": "label", "-U": "uuid", "-t": "type", "-T": ""},
    FilesystemType.XFS: {"-L": "label"},
    FilesystemType.BTRFS: {"-L": "label", "-U": "uuid"},
    FilesystemType.VFAT: {"-n": "label", "-i": "uuid"},
    FilesystemType.SWAP: {"-L": "label", "-U": "uuid"},
}

MBR_MOST_PARTITIONS = 4  # primary ones; logical partitions are not made: use GPT for more
GPT_MOST_PARTITIONS = 128
MBR_MOST_BYTES = 2 * 1024**4  # 32 bits of 512-byte sectors

_VFAT_ID = re.compile(r"^[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}$")


def check_partitions(disk: DiskWanted, at: str, indices: list[int], uuids: dict[str, str]) -> list[Problem]:
    """All partitions of one disk; `indices` are their places in the document."""
    problems = Problems()
    table = disk.table or Table.GPT
    most = MBR_MOST_PARTITIONS if table is Table.MBR else GPT_MOST_PARTITIONS
    if len(disk.partitions) > most:
        message = f"{len(disk.partitions)} partitions are too many: {table.value} holds {most}"
        problems.complain(f"{at}.partitions", message, "use table: gpt" if table is Table.MBR else "")
    names: dict[str, str] = {}
    rest_at: str | None = None
    spans: list[tuple[int, int, str]] = []
    share = Fraction(0)
    end: int | None = 0
    for index, part in zip(indices, disk.partitions, strict=False):
        here = f"{at}.partitions[{index}]"
        claim_name(part.name, here, names, problems)
        if rest_at is not None:
            message = f"nothing can follow {rest_at}, which takes the rest"
            problems.complain(here, message, "`size: rest` comes last, once")
        size = problems.parse(f"{here}.size", parse_size, part.size)
        start = _read_start(part, here, problems)
        if size is not None and size.rest and rest_at is None:
            rest_at = here
        if size is not None and size.share is not None:
            share += size.share
        problems += _check_mbr_size(table, size, f"{here}.size")
        # Begin and end of the partition, as far as they are known without the disk.
        if start is not None:
            begin: int | None = start.size_bytes
        else:
            begin = end if part.start is None else None
        known = size.size_bytes if size is not None else None
        end = None if begin is None or known is None else begin + known
        for other_begin, other_end, other in spans:
            if begin is not None and end is not None and begin < other_end and other_begin < end:
                message = f"overlaps {other}, which ends at {format_size(other_end)}"
                if begin < other_begin:
                    message = f"overlaps {other}, which begins at {format_size(other_begin)}"
                problems.complain(here, message)
                break
        if begin is not None and end is not None:
            spans.append((begin, end, here))
        problems += _check_type(part, table, here)
        problems += _check_attributes(part, table, here)
        if part.filesystem is not None:
            problems += check_filesystem(part.filesystem, f"{here}.filesystem", uuids)
        if part.volume_group is not None:
            problems += _check_member(part, table, here)
        if part.encryption is not None:
            problems += check_encryption(part.encryption, f"{here}.encryption")
    if share > 1:
        problems.complain(f"{at}.partitions", f"the percentages add up to {float(share * 100):g} %")
    if table is Table.MBR and sum(part.bootable for part in disk.partitions) > 1:
        problems.complain(f"{at}.partitions", "only one MBR partition can be bootable")
    return problems


def _read_start(part: Partition, here: str, problems: Problems) -> Size | None:
    if part.start is None:
        return None
    start = problems.parse(f"{here}.start", parse_size, part.start)
    if start is not None and start.rest:
        problems.complain(f"{here}.start", "must be a size or a percentage, not rest")
        return None
    if start is not None and start.size_bytes is not None and start.size_bytes < 1024**2:
        problems.complain(f"{here}.start", f"{part.start!r} is in the first 1 MiB, where the table is")
        return None
    return start


def _check_mbr_size(table: Table, size: Size | None, path: str) -> list[Problem]:
    if table is Table.MBR and size is not None and (size.size_bytes or 0) > MBR_MOST_BYTES:
        message = "is more than 2 TiB, the most that an MBR can describe"
        return [Problem(path=path, message=message, hint="use table: gpt")]
    return []


def _check_type(part: Partition, table: Table, here: str) -> list[Problem]:
    try:
        read_type(wanted_type(part), table)
    except ValueError as cause:
        return [Problem(path=f"{here}.type", message=str(cause))]
    if table is Table.GPT and len(part.name.encode("utf-16-le")) > 72:
        return [Problem(path=f"{here}.name", message="is longer than the 36 characters of a GPT name")]
    if '"' in part.name or "\\" in part.name or not part.name.isprintable():
        message = "must be printable, without quotation marks and backslashes"
        return [Problem(path=f"{here}.name", message=message)]
    return []


def _check_attributes(part: Partition, table: Table, here: str) -> list[Problem]:
    at = f"{here}.attributes"
    if part.attributes and table is Table.MBR:
        return [Problem(path=at, message="an MBR has none", hint="use table: gpt, or bootable: true")]
    unknown = [word for word in part.attributes if word not in ATTRIBUTES]
    hint = f"known: {', '.join(ATTRIBUTES)}"
    return [Problem(path=at, message=f"{word!r} is not an attribute", hint=hint) for word in unknown]


def _check_member(part: Partition, table: Table, here: str) -> list[Problem]:
    """A partition that is a physical volume is nothing else."""
    problems = Problems()
    for key in ("filesystem", "encryption"):
        if getattr(part, key) is not None:
            message = "is a physical volume: file systems and encryption belong to volume_groups[].volumes"
            problems.complain(f"{here}.{key}", message)
    try:
        if part.type is not None and read_type(part.type, table) != read_type("lvm", table):
            problems.complain(f"{here}.type", "a physical volume has type lvm")
    except ValueError:
        pass  # this is reported elsewhere
    return problems


def check_encryption(wanted: Encryption, at: str) -> list[Problem]:
    """The label of a LUKS2 header holds 47 bytes and a zero."""
    label = wanted.label
    if label is None:
        return []
    if not label or len(label.encode()) > 47 or not label.isprintable() or label.startswith("bootos."):
        message = f"{label!r} is not 1 to 47 printable bytes, or begins with `bootos.`"
        return [Problem(path=f"{at}.label", message=message)]
    return []


def check_filesystem(wanted: Filesystem | FilesystemType, at: str, uuids: dict[str, str]) -> list[Problem]:
    """Label, UUID and options of one file system; `uuids` collects those of the whole template."""
    if isinstance(wanted, FilesystemType):
        return []
    problems = Problems()
    if wanted.label is not None:
        most = LABEL_MOST_BYTES[wanted.type]
        length = len(wanted.label.encode())
        if not wanted.label:
            problems.complain(f"{at}.label", "is empty", "leave it out")
        elif length > most:
            message = f"{wanted.label!r} has {length} bytes: a {wanted.type.value} label holds {most}"
            problems.complain(f"{at}.label", message)
        elif not wanted.label.isprintable() or wanted.label != wanted.label.strip():
            problems.complain(f"{at}.label", "must be printable, without spaces at its ends")
        elif wanted.type is FilesystemType.VFAT and wanted.label != wanted.label.upper():
            message = f"{wanted.label!r}: vfat labels are upper case"
            problems.complain(f"{at}.label", message, f"write {wanted.label.upper()}")
    if wanted.uuid is not None:
        problems += _check_uuid(wanted, at)
        key = wanted.uuid.lower().replace("-", "")
        if key in uuids:
            problems.complain(f"{at}.uuid", f"is the same as {uuids[key]}.uuid")
        uuids.setdefault(key, at)
    for option in wanted.options:
        if "/" in option:
            message = f"{option!r} names a path: mkfs gets the template's device and no other"
            problems.complain(f"{at}.options", message)
        key_name = OWN_OPTIONS[wanted.type].get(option)
        if key_name is not None:
            hint = f"use {key_name}: instead" if key_name else ""
            problems.complain(f"{at}.options", f"{option} is not allowed here", hint)
    return problems


def _check_uuid(wanted: Filesystem, at: str) -> list[Problem]:
    text = wanted.uuid or ""
    if wanted.type is FilesystemType.VFAT:
        if not _VFAT_ID.match(text):
            message = f"{text!r} is not a vfat volume id"
            return [Problem(path=f"{at}.uuid", message=message, hint="eight hexadecimal digits: 12AB-34CD")]
        return []
    try:
        valid = str(uuidlib.UUID(text)) == text.lower()
    except ValueError:
        valid = False
    if not valid:
        message = f"{text!r} is not a UUID"
        return [Problem(path=f"{at}.uuid", message=message, hint="as 3f6b1a52-8c1e-4c67-9b63-0d5f2a7e4c11")]
    return []
