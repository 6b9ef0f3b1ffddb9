"""The one mechanism under every layer: read an image, pack a layer, put it in or take it out.

Used by `bootos image add`, `bootos driver add` and the lab. What is in a layer is its maker's business; the image's
files are replaced as whole files, so that an interruption leaves the old image or the new one.
"""

import fcntl
import hashlib
import io
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from bootos.errors import BootosError
from bootos.files import write_json
from bootos.image import release
from bootos.image.cpio import ALIGNMENT, write_cpio_entries, write_layer
from bootos.image.manifest import hash_file, read_manifest
from bootos.image.segment import read_segments
from bootos.image.squash import BLOCK_BYTES, SOURCE_DATE
from bootos.process import run
from bootos.wire.manifest import FileEntry, LayerEntry, Manifest

INITRD = "initrd.img"
KERNEL = "vmlinuz"
FIRST_NUMBER, LAST_NUMBER = 81, 99
"""Layers lie above 80-bootos and below nothing; two digits, because `/init` goes by name."""
COMPRESSION = {"zstd": ("-comp", "zstd", "-Xcompression-level", "9"), "xz": ("-comp", "xz")}
"""Somebody waits for a layer: of 16 MB of program code, level 9 made 3.06 MB in half a second of CPU, 12 the same in
1.8, and the 19 of the build took 12."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*")
BOOT_FILES = "modules/order"
"""The segment of `set_boot_files`; a segment that is no layer is called after its first file."""


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image directory whose files are those of its manifest."""

    directory: Path
    manifest: Manifest

    @property
    def initrd(self) -> Path:
        """The file that holds all layers."""
        return self.directory / INITRD


def read_image(directory: Path) -> Image:
    """Read an image and check that its files are those of its manifest. Raises BootosError."""
    path = directory / "manifest.json"
    if not path.is_file():
        raise BootosError(
            f"{directory} is not a built image: it has no manifest.json", hint="bootos image build"
        )
    try:
        manifest = read_manifest(directory)
    except msgspec.DecodeError as cause:
        raise BootosError(f"{path} cannot be used: {cause}", hint="build the image anew") from cause
    for entry in manifest.files:
        file = directory / entry.name
        if not file.is_file():
            raise BootosError(f"{directory} lacks {entry.name}", hint="build the image anew")
        if hash_file(file) != entry:
            message = (
                f"{file} is not the file that {path} describes ({entry.size_bytes} bytes, {entry.sha256})"
            )
            raise BootosError(message, hint="it was changed or half copied: build or copy the image anew")
    if INITRD not in {entry.name for entry in manifest.files}:
        raise BootosError(f"{path} names no {INITRD}", hint="build the image anew")
    return Image(directory=directory, manifest=manifest)


def pack_layer(
    tree: Path, target: Path, compression: str = "zstd", *, all_root: bool = True, keep_times: bool = False
) -> None:
    """Pack a tree as a layer's squashfs: owned by root and with one time everywhere, so that equal trees give equal
    bytes, unless these are turned off."""
    target.unlink(missing_ok=True)
    run(
        [
            *("mksquashfs", tree, target, "-b", str(BLOCK_BYTES), "-noappend", "-no-progress", "-quiet"),
            *COMPRESSION[compression],
            *("-no-xattrs", "-no-exports", "-mkfs-time", SOURCE_DATE),
            *([] if keep_times else ["-all-time", SOURCE_DATE]),
            *(["-all-root"] if all_root else []),
        ],
        timeout_s=3600,
    )


def add_layer(image: Image, squashfs: Path, entry: LayerEntry, *, number: int = 90) -> Manifest:
    """Put a layer at the end of the initrd, as `rootfs/NUMBER-NAME.squashfs`; one of the same name goes. Size and sum
    of the entry are set here. A higher number lies above a lower one. Raises BootosError."""
    if not NAME.fullmatch(entry.name):
        raise BootosError(
            f"{entry.name!r} cannot be the name of a layer", hint="letters, digits and . _ + ~ -"
        )
    if not FIRST_NUMBER <= number <= LAST_NUMBER:
        raise BootosError(f"a layer's number is {FIRST_NUMBER} to {LAST_NUMBER}, not {number}")
    file = hash_file(squashfs, f"{number}-{entry.name}")
    entry = msgspec.structs.replace(entry, size_bytes=file.size_bytes, sha256=file.sha256)
    return _write_layers(image, entry.name, (squashfs, file, entry))


def remove_layer(image: Image, name: str) -> Manifest:
    """Take an added layer out again. Raises BootosError: the image has none of that name."""
    return _write_layers(image, name, None)


def unpack_layer(image: Image, name: str, target: Path) -> None:
    """Write the squashfs of a layer (10-base, or 90-igb) to `target`, as it lies in the initrd. Raises BootosError:
    there is none of that name."""
    for segment in read_segments(image.initrd):
        if segment.is_layer and segment.name == name:
            with image.initrd.open("rb") as source, target.open("wb") as output:
                _copy_range(source, output, segment.file_offset, segment.file_bytes)
            return
    raise BootosError(f"{image.directory} has no layer {name}")


def set_boot_files(image: Image, files: Mapping[str, Path]) -> Manifest:
    """Lay files over those of the boot segment, `BOOT_FILES` first, instead of what was laid there before; without any,
    the segment's own are used again. The kernel unpacks segments in their order: a later file replaces an earlier one.
    """
    old = tuple(s for s in image.manifest.segments if s.name != BOOT_FILES)
    if not files and old == image.manifest.segments:
        return image.manifest
    archive = io.BytesIO()
    if files:
        write_cpio_entries(archive, files.items())
    content = archive.getvalue()
    new = FileEntry(name=BOOT_FILES, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    manifest = _set_segments(image.manifest, (*old, new) if files else old)
    with _locked(image):
        return _write_initrd(image, {BOOT_FILES}, lambda output: output.write(content), manifest)


def _write_layers(image: Image, name: str, new: tuple[Path, FileEntry, LayerEntry] | None) -> Manifest:
    """The image without its added layer `name`, and with the new one."""
    added = {entry.name for entry in image.manifest.layers}
    if new is None and name not in added:
        known = ", ".join(sorted(added)) or "none"
        raise BootosError(f"{image.directory} has no added layer {name!r}", hint=f"added layers: {known}")
    with _locked(image):
        segments = read_segments(image.initrd)
        gone = {s.name for s in segments if s.is_layer and s.name.partition("-")[2] == name}
        if gone and name not in added:
            raise BootosError(
                f"{name!r} is a layer of the image itself ({', '.join(gone)})", hint="choose another name"
            )

        def append(output: BinaryIO) -> None:
            if new is not None:
                write_layer(output, new[1].name, new[0])

        kept = (s for s in image.manifest.segments if s.name not in gone)
        layers = (entry for entry in image.manifest.layers if entry.name != name)
        manifest = _set_segments(image.manifest, (*kept, *([new[1]] if new else [])))
        manifest = msgspec.structs.replace(manifest, layers=(*layers, *([new[2]] if new else [])))
        return _write_initrd(image, gone, append, manifest)


def _set_segments(old: Manifest, segments: tuple[FileEntry, ...]) -> Manifest:
    """The manifest with other segments, and the version they make; the initrd's own entry is still the old one."""
    parts = [*(entry for entry in old.files if entry.name == KERNEL), *segments]
    version = release.compute_version(old.bootos_version, [(part.name, part.sha256) for part in parts])
    return msgspec.structs.replace(old, version=version, segments=segments)


def _write_initrd(
    image: Image, gone: Collection[str], append: Callable[[BinaryIO], object], manifest: Manifest
) -> Manifest:
    """Write the initrd without the segments `gone` and with what `append` writes at its end, then the manifest."""
    unfinished = image.directory / f".{INITRD}.new"
    try:
        with image.initrd.open("rb") as source, unfinished.open("wb") as output:
            for segment in read_segments(image.initrd):
                if segment.name not in {*gone, release.NAME}:
                    _copy_range(source, output, segment.offset, segment.size_bytes)
                    output.write(b"\0" * (-output.tell() % ALIGNMENT))
            append(output)
        release.append_release(unfinished, manifest.name, manifest.version)
        initrd = hash_file(unfinished, INITRD)
        unfinished.replace(image.initrd)
    finally:
        unfinished.unlink(missing_ok=True)
    files = tuple(initrd if entry.name == INITRD else entry for entry in manifest.files)
    manifest = msgspec.structs.replace(manifest, files=files)
    write_json(image.directory / "manifest.json", manifest)
    return manifest


@contextmanager
def _locked(image: Image) -> Iterator[None]:
    """Hold the image's lock: nobody else changes the image. Raises BootosError when it was changed since it was
    read."""
    handle = os.open(image.directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if read_manifest(image.directory) != image.manifest:
            raise BootosError(f"{image.directory} was changed in the meantime", hint="run the command again")
        yield
    finally:
        os.close(handle)


def _copy_range(source: BinaryIO, output: BinaryIO, offset: int, size: int) -> None:
    source.seek(offset)
    left = size
    while left > 0:
        chunk = source.read(min(left, 1 << 20))
        if not chunk:
            raise BootosError(f"the initrd ends {left} bytes too early", hint="build the image anew")
        output.write(chunk)
        left -= len(chunk)
