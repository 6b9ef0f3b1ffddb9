"""Where the segments of an initrd lie. Reads only; `layers.core` copies them, `layers.overlay` mounts them in place.

A segment is one cpio archive, compressed (the first, with `/init`) or not (one for each layer), and ends where the
next begins. All begin at a multiple of `cpio.ALIGNMENT`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from bootos.image.cpio import ALIGNMENT, HEADER_BYTES, Entry, is_header, read_cpio

LAYER_FILE = re.compile(r"rootfs/([^/]+)\.squashfs")
MICROCODE = "kernel/x86/microcode/"
_CHUNK_BYTES = 2048 * ALIGNMENT


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One segment, with the zeros behind it. Of a layer, `file_offset` is where its squashfs begins in the initrd."""

    name: str
    offset: int
    size_bytes: int
    file_offset: int = 0
    file_bytes: int = 0

    @property
    def is_layer(self) -> bool:
        """Whether it is one archive with one squashfs, which `/init` mounts."""
        return self.file_bytes > 0


def list_segments(initrd: Path) -> list[tuple[str, int, int]]:
    """(name, offset, size) of each segment, in their order; of a layer the name is that of its squashfs, as
    10-base. Raises BootosError: the initrd is damaged."""
    return [(segment.name, segment.offset, segment.size_bytes) for segment in read_segments(initrd)]


def read_segments(initrd: Path) -> list[Segment]:
    """The segments of an initrd. Raises BootosError: something in it is neither archive nor compressed archive."""
    size = initrd.stat().st_size
    with initrd.open("rb") as handle:
        starts = list(_find_starts(handle, size))
        found = []
        for (start, entries), (end, _) in zip(starts, [*starts[1:], (size, [])], strict=True):
            name, file_offset, file_bytes = "boot", 0, 0
            for entry in entries:
                layer = LAYER_FILE.fullmatch(entry.name)
                if layer:
                    name, file_offset, file_bytes = layer[1], entry.offset, entry.size_bytes
                elif name == "boot" and entry.size_bytes:
                    name = "microcode" if entry.name.startswith(MICROCODE) else entry.name
            found.append(
                Segment(
                    name=name,
                    offset=start,
                    size_bytes=end - start,
                    file_offset=file_offset,
                    file_bytes=file_bytes,
                )
            )
    return found


def _find_starts(handle: BinaryIO, size: int) -> Iterator[tuple[int, list[Entry]]]:
    """(where a segment starts, its entries); a compressed one shows none."""
    position = _skip_zeros(handle, 0, size)
    while position < size:
        handle.seek(position)
        if is_header(handle.read(HEADER_BYTES)):
            entries, end = read_cpio(handle, position)
            yield position, entries
            position = _skip_zeros(handle, end, size)
        else:
            yield position, []
            position = _find_archive(handle, position, size)


def _find_archive(handle: BinaryIO, position: int, size: int) -> int:
    """Where the first uncompressed archive behind `position` starts. That 110 bytes of compressed data look like a
    header of hexadecimal digits does not happen."""
    position = position // ALIGNMENT * ALIGNMENT + ALIGNMENT
    while position < size:
        handle.seek(position)
        chunk = handle.read(_CHUNK_BYTES + HEADER_BYTES)
        for inside in range(0, min(_CHUNK_BYTES, len(chunk)), ALIGNMENT):
            if is_header(chunk, inside):
                return position + inside
        position += _CHUNK_BYTES
    return size


def _skip_zeros(handle: BinaryIO, position: int, size: int) -> int:
    while position < size:
        handle.seek(position)
        chunk = handle.read(_CHUNK_BYTES)
        rest = chunk.lstrip(b"\0")
        if rest:
            return position + len(chunk) - len(rest)
        position += len(chunk)
    return size
