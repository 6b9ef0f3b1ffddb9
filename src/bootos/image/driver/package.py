"""Unpack what brings kernel modules (an rpm, a Debian package, a single module) as a tree for a layer.

None of a package's scripts is run: they are written for installed systems and would build an initramfs or look for a
boot loader. What they are there for, `add` does itself. Called by `add`.
"""

import gzip
import lzma
import re
import shutil
import stat
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import msgspec

from bootos.errors import BootosError
from bootos.image.archive import extract_package, read_package_version
from bootos.image.cpio import Entry, read_cpio
from bootos.image.driver.elf import DOWNLOAD
from bootos.image.driver.module_file import ModuleFile, parse_module
from bootos.process import ToolError, run

_MODULE = re.compile(r"(?P<stem>.+\.ko)(?P<compression>\.xz|\.zst|\.gz)?(?:\.new)?")
"""Specs of Intel's drivers give the file's name a `.new` that their script takes away at installation."""
_RELEASE = re.compile(r"usr/lib/modules/(?P<release>[^/]+)/(?P<inside>.+)")
_PLACES = ("updates", "extra", "extramodules", "weak-updates", "kernel", "misc")
"""First directories below a release. Whatever is not in kernel/ goes to updates/, which modprobe looks into first."""
LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/lib/.build-id", "usr/src", "boot")


class Unpacked(msgspec.Struct, frozen=True, kw_only=True):
    """What a file brought. `modules`: path below the tree -> what the module says of itself."""

    name: str
    version: str = ""
    is_package: bool = False
    tree: Path
    modules: dict[str, ModuleFile]


def unpack(source: Path, tree: Path) -> Unpacked:
    """Unpack `source` into `tree`, its modules uncompressed and below updates/. Raises BootosError."""
    if not source.is_file():
        raise BootosError(f"{source} is no file", hint="give an rpm, a Debian package or a module (.ko)")
    tree.mkdir(parents=True)
    name, version = _extract(source, tree)
    for directory in ("lib", "lib64", "bin", "sbin"):
        _merge_into_usr(tree, directory)
    for directory in LEFT_OUT:
        check_inside(tree, (tree / directory).parent)
        shutil.rmtree(tree / directory, ignore_errors=True)
    modules = {}
    for path in sorted(tree.rglob("*")):
        if path.is_file() and _MODULE.fullmatch(path.name):
            placed = place_module(path, tree)
            modules[placed.relative_to(tree).as_posix()] = read_module(placed)
    if not modules:
        raise BootosError(
            f"{source.name} brings no kernel module", hint="packages are added with: bootos image add"
        )
    _remove_tables(tree)
    directories = (item for item in tree.rglob("*") if item.is_dir() and not item.is_symlink())
    for path in sorted(directories, reverse=True):
        path.chmod(0o755)  # where layers have the same directory, the mode of the upper one counts
        if not any(path.iterdir()):
            path.rmdir()
    tree.chmod(0o755)
    first = next(iter(modules.values()))
    return Unpacked(
        name=name or first.name,
        version=version or first.label,
        is_package=bool(name),
        tree=tree,
        modules=modules,
    )


def read_module(path: Path) -> ModuleFile:
    """Read an uncompressed module file. Raises BootosError with its name."""
    return _parse(path.read_bytes(), path.name)


def place_module(path: Path, tree: Path) -> Path:
    """Put a module where the image wants it: uncompressed, below updates/; returns its new path."""
    content = decompress(path)
    inside = path.relative_to(tree).as_posix()
    stem = _MODULE.fullmatch(path.name)
    assert stem is not None
    path.unlink()
    target = tree / place_path(inside, _parse(content, path.name).kernel_release)
    check_inside(tree, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    target.chmod(0o644)
    return target


def place_path(inside: str, release: str) -> str:
    """`usr/lib/modules/R/extra/a/b.ko.xz` -> `usr/lib/modules/R/updates/a/b.ko`. A module anywhere else, as DKMS's in
    a plain directory, goes to the top of updates/."""
    match = _RELEASE.fullmatch(inside)
    directory, _, name = (match["inside"] if match else inside.rsplit("/", 1)[-1]).rpartition("/")
    stem = _MODULE.fullmatch(name)
    parts = [part for part in directory.split("/") if part]
    if parts and parts[0] in _PLACES:
        parts = parts[1:]
    place = "/".join(["updates", *parts, stem["stem"] if stem else name])
    return f"usr/lib/modules/{match['release'] if match else release}/{place}"


def decompress(path: Path) -> bytes:
    """A module's content, without its compression, which is told by its first bytes and not by its name. Raises
    BootosError: it is damaged."""
    content = path.read_bytes()
    try:
        if content.startswith(b"\xfd7zXZ\0"):
            return lzma.decompress(content)
        if content.startswith(b"\x1f\x8b"):
            return gzip.decompress(content)
        if content.startswith(b"\x28\xb5\x2f\xfd"):
            plain = path.with_name(f"{path.name}.plain")
            run(["zstd", "-q", "-d", "-f", path, "-o", plain])
            content = plain.read_bytes()
            plain.unlink()
    except (lzma.LZMAError, zlib.error, gzip.BadGzipFile, EOFError, ToolError):
        raise BootosError(f"{path.name} cannot be decompressed: it is damaged", hint=DOWNLOAD) from None
    return content


def _parse(content: bytes, name: str) -> ModuleFile:
    try:
        return parse_module(content, name)
    except BootosError as cause:
        raise BootosError(f"{name}: {cause}", hint=cause.hint) from None


def _extract(source: Path, tree: Path) -> tuple[str, str]:
    """(name, version) of the package; both empty for a single module."""
    with source.open("rb") as handle:
        magic = handle.read(8)
    try:
        if magic.startswith(b"\xed\xab\xee\xdb"):
            query = [
                "rpm",
                "--query",
                "--nosignature",
                "--queryformat",
                "%{NAME}\\t%{VERSION}-%{RELEASE}",
                "-p",
            ]
            name, _, version = run([*query, source]).stdout.partition("\t")
            _extract_rpm(source, tree)
            return name, version.strip()
        if magic.startswith(b"!<arch>"):
            extract_package(source, tree)
            return read_package_version(source)
    except ToolError as cause:
        said = cause.completed.stderr.strip().splitlines() if cause.completed is not None else []
        reason = said[-1].removeprefix("error: ") if said else cause.message
        raise BootosError(f"{source.name} cannot be unpacked: {reason}", hint=DOWNLOAD) from None
    if not _MODULE.fullmatch(source.name):
        raise BootosError(f"{source.name} is neither an rpm, a Debian package nor a kernel module (.ko)")
    shutil.copyfile(source, tree / source.name)
    return "", ""


def _extract_rpm(source: Path, tree: Path) -> None:
    """Unpack an rpm's files, running none of its scripts. Raises BootosError, ToolError."""
    payload = tree.with_name(f"{tree.name}.cpio")
    try:
        run(["sh", "-c", 'rpm2cpio "$1" >"$2"', "-", source.resolve(), payload.resolve()])
        with payload.open("rb") as handle:
            check_entries(read_cpio(handle)[0])
        unpack_payload = 'cpio -idm --quiet --no-absolute-filenames <"$1"'
        run(["sh", "-c", unpack_payload, "-", payload.resolve()], cwd=tree)
    finally:
        payload.unlink(missing_ok=True)


def check_entries(entries: Iterable[Entry]) -> None:
    """Check that no name of an archive leads out of the directory it is unpacked into, by `..` or by a link that came
    before it: cpio 2.13 follows such links. Raises BootosError."""
    links = set[PurePosixPath]()
    for entry in entries:
        path = PurePosixPath(entry.name.lstrip("/"))
        if ".." in path.parts or links.intersection(path.parents):
            raise BootosError(f"the package holds {entry.name!r}, which would be written outside of it")
        if stat.S_ISLNK(entry.mode):
            links.add(path)


def check_inside(tree: Path, path: Path) -> None:
    """Check that what is written or removed at this path of an unpacked package lies in it: a package may have a link
    to anywhere in the place of a directory. Raises BootosError."""
    if not path.resolve().is_relative_to(tree.resolve()):
        inside = path.relative_to(tree)
        raise BootosError(f"the package has a link in the path {inside}, which leads out of the package")


def check_over(tree: Path, root: Path) -> None:
    """Check that an unpacked package can lie over an image's root: its directories are no links or files there, and its
    files no directories. They would hide what the image has behind that name. Raises BootosError, with the path."""
    for path in sorted(tree.rglob("*")):
        inside = path.relative_to(tree)
        below = root / inside
        mine, other = _tell_kind(path), _tell_kind(below)
        if other and mine != other and "a directory" in (mine, other):
            to = f" to {below.readlink()}" if below.is_symlink() else ""
            raise BootosError(
                f"the package has {mine} in the place of /{inside}, which is {other}{to} in the image",
                hint="pack it with its files where the image has them",
            )


def _tell_kind(path: Path) -> str:
    """What a path is, in words; empty: there is nothing."""
    if path.is_symlink():
        return "a link"
    return "a directory" if path.is_dir() else "a file" if path.exists() else ""


def _merge_into_usr(tree: Path, name: str) -> None:
    """`/lib` is a link to `/usr/lib` in the image: a directory of a layer would hide it."""
    source = tree / name
    if not source.is_dir() or source.is_symlink():
        return
    for path in (source, *source.rglob("*")):
        check_inside(tree, tree / "usr" / path.relative_to(tree))
    shutil.copytree(source, tree / "usr" / name, symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(source)


def _remove_tables(tree: Path) -> None:
    """A package's own modules.dep and the like: `index` makes those of the whole image."""
    for path in tree.glob("usr/lib/modules/*/modules.*"):
        check_inside(tree, path.parent)
        path.unlink()
