"""What differs between two built images: packages, kernel, modules, files, sizes. Prints nothing.

Used by `bootos image diff` and by the test that one recipe built twice gives one hash. Only segments whose bytes differ
are unpacked and compared file by file.
"""

import hashlib
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bootos.image.content import unpack_boot, unpack_layer
from bootos.image.kernel_module import COMPRESSED_SUFFIX, read_name
from bootos.image.layers.core import Image
from bootos.image.segment import Segment, read_segments


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One value on both sides; empty where it is missing."""

    name: str
    before: str = ""
    after: str = ""


class SegmentDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One segment of the initrd: its size on both sides (0: not there), and the files in it that differ."""

    name: str
    before_bytes: int
    after_bytes: int
    files: tuple[Change, ...] = ()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in which image B differs from image A. `segments` holds only those whose bytes differ."""

    is_same: bool
    before_bytes: int
    after_bytes: int
    kernel: Change | None = None
    packages: tuple[Change, ...] = ()
    modules: tuple[Change, ...] = ()
    segments: tuple[SegmentDifference, ...] = ()
    loaders: tuple[Change, ...] = ()
    """Boot loaders beside the image, by the beginning of their sha256."""
    layers: tuple[Change, ...] = ()
    """Drivers in layers, also beside the initrd: `igb of layer igb`, by version and the beginning of the sha256."""


def compare_maps(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """What was added, removed or changed, sorted by name."""
    return tuple(
        Change(name=name, before=before.get(name, ""), after=after.get(name, ""))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def compare_images(a: Image, b: Image) -> Difference:
    """Compare two images whose files are those of their manifests."""
    changed = []
    before = {segment.name: segment for segment in read_segments(a.initrd)}
    after = {segment.name: segment for segment in read_segments(b.initrd)}
    with tempfile.TemporaryDirectory(prefix="bootos-diff-") as work:
        for name in sorted({*before, *after}):
            found = _compare_segment(a.initrd, before.get(name), b.initrd, after.get(name), name, Path(work))
            if found is not None:
                changed.append(found)
    kernel = Change(name="kernel", before=a.manifest.kernel_release, after=b.manifest.kernel_release)
    loaders = compare_maps(*({e.name: e.sha256[:12] for e in i.manifest.loaders} for i in (a, b)))
    layers = compare_maps(*(_list_added_modules(i) for i in (a, b)))
    added = {entry.name for i in (a, b) for entry in i.manifest.layers if entry.modules}
    return Difference(
        is_same=a.manifest.files == b.manifest.files and not loaders and not layers,
        before_bytes=a.manifest.size_bytes,
        after_bytes=b.manifest.size_bytes,
        kernel=None if kernel.before == kernel.after else kernel,
        packages=compare_maps(a.manifest.all_packages, b.manifest.all_packages),
        modules=_compare_modules([s for s in changed if s.name.partition("-")[2] not in added]),
        segments=tuple(changed),
        loaders=loaders,
        layers=layers,
    )


def _list_added_modules(image: Image) -> dict[str, str]:
    return {
        f"{module} of layer {layer.name}": f"{version} ({layer.sha256[:12]})".lstrip()
        for layer in image.manifest.layers
        for module, version in layer.modules.items()
    }


def _compare_modules(segments: list[SegmentDifference]) -> tuple[Change, ...]:
    """Modules that one side has and the other has not, whatever directory they lie in."""
    sides: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for segment in segments:
        for change in segment.files:
            if "/lib/modules/" in f"/{change.name}" and COMPRESSED_SUFFIX.search(change.name):
                for side, value in zip(sides, (change.before, change.after), strict=True):
                    if value:
                        side[read_name(change.name)] = "present"
    return compare_maps(*sides)


def _compare_segment(
    a: Path, before: Segment | None, b: Path, after: Segment | None, name: str, work: Path
) -> SegmentDifference | None:
    if before and after and _hash_segment(a, before) == _hash_segment(b, after):
        return None
    trees = []
    for initrd, segment, side in ((a, before, "a"), (b, after, "b")):
        target = work / f"{side}-{name.replace('/', '_')}"
        target.mkdir()
        if segment is not None:
            (unpack_layer if segment.is_layer else unpack_boot)(initrd, segment, target)
        trees.append(describe_tree(target))
    return SegmentDifference(
        name=name,
        before_bytes=before.size_bytes if before else 0,
        after_bytes=after.size_bytes if after else 0,
        files=compare_maps(*trees),
    )


def _hash_segment(initrd: Path, segment: Segment) -> str:
    digest = hashlib.sha256()
    with initrd.open("rb") as handle:
        handle.seek(segment.offset)
        left = segment.size_bytes
        while left and (chunk := handle.read(min(left, 1 << 20))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def describe_tree(root: Path) -> dict[str, str]:
    """Path -> mode, owner, size and start of the sha256 (or target, or device number) of everything below `root`."""
    found = {}
    for path in sorted(root.rglob("*")):
        info = path.lstat()
        words = [stat.filemode(info.st_mode), f"{info.st_uid}:{info.st_gid}"]
        if stat.S_ISLNK(info.st_mode):
            words.append(f"-> {path.readlink()}")
        elif stat.S_ISREG(info.st_mode):
            with path.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
            words.append(f"{info.st_size} bytes sha256:{digest[:16]}")
        elif not stat.S_ISDIR(info.st_mode):
            words.append(f"device {info.st_rdev:x}")
        found[path.relative_to(root).as_posix()] = " ".join(words)
    return found
