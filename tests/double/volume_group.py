"""Read LVM from outside: the volume groups and logical volumes that physical volumes in image files describe.

The on-disk format as lvm2's lib/format_text/layout.h and lib/label/label.h have it. Changes nothing, and needs neither
device-mapper nor loop devices. Only linear and single-stripe segments have a place in one file.
"""

import re
import struct
from pathlib import Path
from typing import Any

import msgspec

from bootos.errors import BootosError

_SECTOR_BYTES = 512
_COMMENT = re.compile(r"(?m)(?:^|\t)#.*$")
_TOKEN = re.compile(r'\s*("(?:\\.|[^"\\])*"|[\w.+-]+|[{}\[\]=,])')


class LogicalVolume(msgspec.Struct, frozen=True, kw_only=True):
    """One logical volume; `offset_bytes` is where it begins in the file, None when it is not one piece of it."""

    name: str
    size_bytes: int
    offset_bytes: int | None


class VolumeGroup(msgspec.Struct, frozen=True, kw_only=True):
    """What one physical volume says about its group."""

    name: str
    extent_bytes: int
    volumes: tuple[LogicalVolume, ...]


def read_volume_group(path: Path, *, offset_bytes: int = 0) -> VolumeGroup | None:
    """The group of the physical volume at a place of a file; None when there is none or it is in no group.

    Raises BootosError for metadata that is not as lvm2 writes it.
    """
    text = read_metadata(path, offset_bytes)
    if text is None:
        return None
    try:
        return _build_group(parse_metadata(text), offset_bytes)
    except (KeyError, IndexError, TypeError, ValueError) as cause:
        raise BootosError(f"{path}: the LVM metadata is not understood: {cause!r}") from cause


def read_metadata(path: Path, offset_bytes: int = 0) -> str | None:
    """The newest metadata of a physical volume, as text; None when there is none."""
    with path.open("rb") as file:

        def read(place: int, size: int) -> bytes:
            file.seek(offset_bytes + place)
            return file.read(size)

        head = read(0, 4 * _SECTOR_BYTES)
        start = next((n for n in range(0, len(head), _SECTOR_BYTES) if head[n : n + 8] == b"LABELONE"), None)
        if start is None:
            return None
        header = start + struct.unpack_from("<I", head, start + 20)[0]
        place = header + 40  # the UUID (32 bytes) and the size of the device (8 bytes) are before it
        areas: list[tuple[int, int]] = []
        ends = 0
        while ends < 2:  # two lists, of data areas and of metadata areas; a zero offset ends a list
            area = struct.unpack_from("<QQ", head, place)
            place += 16
            if area[0] == 0:
                ends += 1
            elif ends == 1:
                areas.append(area)
        for begin, size in areas:
            offset, length = struct.unpack_from("<QQ", read(begin, _SECTOR_BYTES), 40)
            if length:
                text = read(begin + offset, min(length, size - offset))
                # a text that reaches the end of the area goes on after its first sector
                text += read(begin + _SECTOR_BYTES, length - len(text))
                return text.decode().rstrip("\0")
    return None


def parse_metadata(text: str) -> dict[str, Any]:
    """LVM's configuration text as nested dictionaries. Raises ValueError."""
    words = _TOKEN.findall(_COMMENT.sub("", text))
    value, used = _parse_section(words, 0)
    if used != len(words):
        raise ValueError("there is a } too many")
    return value


def _parse_section(words: list[str], at: int) -> tuple[dict[str, Any], int]:
    section: dict[str, Any] = {}
    while at < len(words) and words[at] != "}":
        name, sign = words[at], words[at + 1]
        if sign == "{":
            section[name], at = _parse_section(words, at + 2)
            at += 1
        elif sign == "=":
            section[name], at = _parse_value(words, at + 2)
        else:
            raise ValueError(f"{name} is followed by {sign}")
    return section, at


def _parse_value(words: list[str], at: int) -> tuple[Any, int]:
    if words[at] != "[":
        return _parse_word(words[at]), at + 1
    end = words.index("]", at)
    return [_parse_word(word) for word in words[at + 1 : end] if word != ","], end + 1


def _parse_word(word: str) -> str | int:
    return word[1:-1] if word.startswith('"') else int(word) if re.fullmatch(r"-?\d+", word) else word


def _build_group(metadata: dict[str, Any], offset_bytes: int) -> VolumeGroup:
    name, group = next((key, value) for key, value in metadata.items() if isinstance(value, dict))
    extent_bytes = group["extent_size"] * _SECTOR_BYTES
    volumes = []
    for title, volume in group.get("logical_volumes", {}).items():
        segments = [volume[f"segment{n + 1}"] for n in range(volume["segment_count"])]
        extents = sum(segment["extent_count"] for segment in segments)
        place = None
        if (
            len(segments) == 1
            and len(group["physical_volumes"]) == 1
            and segments[0].get("stripe_count") == 1
        ):
            physical, first = segments[0]["stripes"]
            begin = group["physical_volumes"][physical]["pe_start"] * _SECTOR_BYTES
            place = offset_bytes + begin + first * extent_bytes
        volumes.append(LogicalVolume(name=title, size_bytes=extents * extent_bytes, offset_bytes=place))
    return VolumeGroup(name=name, extent_bytes=extent_bytes, volumes=tuple(volumes))
