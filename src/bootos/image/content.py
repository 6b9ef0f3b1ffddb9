"""The files of a built image, listed and taken out without mounting anything: needs no root and no loop device.

Used by `inspect`, `diff` and `extract`. Knows how `/init` stacks the layers: by name, later ones on top.
"""

import io
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.image.cpio import is_header, read_cpio
from bootos.image.segment import Segment, read_segments
from bootos.process import run

_LINE = re.compile(
    r"(?P<mode>[-dlcbps][-rwxsStT]{9}) (?P<uid>\d+)/(?P<gid>\d+)\s+"
    r"(?:(?P<major>\d+),\s*(?P<minor>\d+)|(?P<size>\d+)) \S+ \S+ (?P<path>.*)"
)
_KINDS = {
    "-": "file",
    "d": "directory",
    "l": "symlink",
    "c": "device",
    "b": "device",
    "p": "fifo",
    "s": "socket",
}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One name in an image; `mode` as ls shows it, `target` of a symlink, `layer` where it comes from."""

    path: str
    kind: str
    mode: str
    owner: str
    size_bytes: int = 0
    target: str = ""
    layer: str = ""
    is_whiteout: bool = False


def parse_listing(printed: str, layer: str) -> list[Entry]:
    """Parse what `unsquashfs -lln` (unsquashfs(1)) prints into entries of `layer`; the root directory itself is left
    out."""
    entries = []
    for line in printed.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        path, target = found["path"], ""
        kind = _KINDS[found["mode"][0]]
        if kind == "symlink":
            path, _, target = path.partition(" -> ")
        if not path.strip("/"):
            continue
        entries.append(
            Entry(
                path=path,
                kind=kind,
                mode=found["mode"],
                owner=f"{found['uid']}:{found['gid']}",
                size_bytes=int(found["size"] or 0) if kind == "file" else 0,
                target=target,
                layer=layer,
                is_whiteout=found["mode"][0] == "c" and found["major"] == found["minor"] == "0",
            )
        )
    return entries


def merge_layers(layers: Iterable[Sequence[Entry]]) -> dict[str, Entry]:
    """Path -> entry as the running system sees it: an upper layer's name hides the lower one's, a whiteout removes it
    with all below it."""
    merged: dict[str, Entry] = {}
    for entries in layers:
        for entry in entries:
            below = merged.get(entry.path)
            if entry.is_whiteout or (below and below.kind == "directory" and entry.kind != "directory"):
                for path in [p for p in merged if p == entry.path or p.startswith(f"{entry.path}/")]:
                    del merged[path]
            if not entry.is_whiteout:
                merged[entry.path] = entry
    return dict(sorted(merged.items()))


def read_layers(initrd: Path) -> list[Segment]:
    """The segments of an initrd that are layers, lowest first. Raises BootosError: it is damaged."""
    return sorted((s for s in read_segments(initrd) if s.is_layer), key=lambda segment: segment.name)


def list_layer(initrd: Path, layer: Segment) -> list[Entry]:
    """Everything in one layer."""
    printed = run(["unsquashfs", "-lln", *_place(layer), "-dest", "", initrd], timeout_s=120).stdout
    return parse_listing(printed, layer.name)


def list_files(initrd: Path) -> dict[str, Entry]:
    """Everything in an image, as the running system sees it."""
    return merge_layers(list_layer(initrd, layer) for layer in read_layers(initrd))


def unpack_layer(initrd: Path, layer: Segment, target: Path, paths: Sequence[str] = ()) -> None:
    """Unpack a layer, or only `paths` of it, into `target`, over what is there; without root, for the caller.
    Raises BootosError: it is damaged."""
    argv = ["unsquashfs", "-quiet", "-no-progress", "-no-xattrs", "-force", *_place(layer)]
    done = run(
        [*argv, "-dest", target, initrd, *(path.strip("/") for path in paths)], timeout_s=900, check=False
    )
    # 2: an attribute could not be set, for example a device's number without root
    if done.returncode not in (0, 2):
        raise BootosError(f"layer {layer.name} cannot be unpacked: {done.stderr.strip().splitlines()[-1:]}")


def unpack_boot(initrd: Path, segment: Segment, target: Path) -> None:
    """Unpack a segment that is no layer: the compressed one that holds `/init`, or early microcode. Raises BootosError:
    it is damaged, or a name in it leads out of `target`."""
    target.mkdir(parents=True, exist_ok=True)
    with initrd.open("rb") as source:
        source.seek(segment.offset)
        content = source.read(segment.size_bytes)
    if not is_header(content):
        content = _decompress(content)
    for name, mode, offset, size_bytes in read_cpio(io.BytesIO(content))[0]:
        path, data = target / name, content[offset : offset + size_bytes]
        if not path.parent.resolve().is_relative_to(target.resolve()) or path.name == "..":
            raise BootosError(
                f"segment {segment.name} holds {name!r}, which would be written outside {target}"
            )
        # the later of two entries counts, as for the kernel, and not through the earlier one
        if path.is_symlink():
            path.unlink()
        if stat.S_ISDIR(mode):
            path.mkdir(parents=True, exist_ok=True)
        elif stat.S_ISLNK(mode):
            path.symlink_to(os.fsdecode(data))
        elif stat.S_ISREG(mode):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(stat.S_IMODE(mode))


def _decompress(content: bytes) -> bytes:
    with tempfile.TemporaryDirectory(prefix="bootos-segment-") as work:
        packed, unpacked = Path(work) / "packed", Path(work) / "unpacked"
        packed.write_bytes(content)
        # --pass-through: zeros after the compressed part are not an error
        run(["zstd", "-q", "-d", "--pass-through", packed, "-o", unpacked], timeout_s=120)
        return unpacked.read_bytes()


def _place(layer: Segment) -> list[str]:
    return ["-offset", str(layer.file_offset)]
