"""`bootos image inspect`, `diff` and `extract`: look at built images. Prints; reading is in `content`, `difference`."""

import shutil
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import msgspec
import typer

from bootos.errors import BootosError
from bootos.image.content import Entry, list_files, read_layers, unpack_layer
from bootos.image.difference import Change, Difference, compare_images
from bootos.image.layers.core import Image, read_image
from bootos.image.manifest import hash_file
from bootos.image.segment import list_segments
from bootos.screen import Screen, build_table, print_json

BIGGEST = 15
"""How many of the largest files are shown."""
PACKAGE_LISTS = "var/lib/dpkg/info/*.list"

ImageArgument = Annotated[Path, typer.Argument(help="Directory with vmlinuz, initrd.img and manifest.json.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]


def inspect(
    image: ImageArgument,
    path: Annotated[str, typer.Argument(help="A file or directory inside, as /usr/bin.")] = "",
    json: Json = False,
) -> None:
    """Show what an image is made of; with PATH, what lies there and which layer and package it comes from.

    Example: bootos image inspect build/image /usr/sbin/ipmitool
    """
    built = read_image(image)
    if path:
        found = inspect_path(built, path)
        print_json(found) if json else _print_path(found)
    else:
        overview = inspect_image(built)
        print_json(overview) if json else _print_overview(built, overview)


def diff(
    a: Annotated[Path, typer.Argument(help="Directory of the one image.")],
    b: Annotated[Path, typer.Argument(help="Directory of the other.")],
    files: Annotated[int, typer.Option(help="How many differing files of a segment are shown.")] = 20,
    json: Json = False,
) -> None:
    """Show in what image B differs from image A: packages, kernel, modules, files, sizes.

    Example: bootos image diff build/image.old build/image
    """
    difference = compare_images(read_image(a), read_image(b))
    print_json(msgspec.to_builtins(difference)) if json else _print_difference(difference, files)


def extract(
    image: ImageArgument,
    target: Annotated[Path, typer.Argument(help="New or empty directory to write to.")],
    paths: Annotated[list[str] | None, typer.Argument(help="Only these, as /etc /usr/bin/rpm.")] = None,
    json: Json = False,
) -> None:
    """Write the files of an image, all layers merged, into a directory. Without root, they belong to the caller.

    Example: bootos image extract build/image /tmp/rootfs /etc /usr/lib/bootos
    """
    count = extract_image(read_image(image), target, paths or ())
    if json:
        print_json({"directory": str(target), "files": count})
    else:
        Screen().print(f"{count} files in {target}")


def inspect_image(image: Image) -> dict[str, Any]:
    """Everything `inspect` shows of a whole image."""
    entries = list_files(image.initrd)
    files = [entry for entry in entries.values() if entry.kind == "file"]
    modules = [entry for entry in files if "/lib/modules/" in entry.path and ".ko" in entry.path]
    manifest = image.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "kernel_release": manifest.kernel_release,
        "size_bytes": manifest.size_bytes,
        "budget_bytes": manifest.budget_bytes,
        "files": msgspec.to_builtins(manifest.files),
        "segments": [
            {"name": name, "offset": offset, "size_bytes": size}
            for name, offset, size in list_segments(image.initrd)
        ],
        "layers": msgspec.to_builtins(manifest.layers),
        "packages": manifest.all_packages,
        "modules": len(modules),
        "unpacked_bytes": sum(entry.size_bytes for entry in files),
        "unpacked_files": len(files),
        "biggest": [
            {"path": entry.path, "size_bytes": entry.size_bytes, "layer": entry.layer}
            for entry in sorted(files, key=lambda entry: (-entry.size_bytes, entry.path))[:BIGGEST]
        ],
    }


def inspect_path(image: Image, path: str) -> dict[str, Any]:
    """What lies at a path: the entry itself, of a file its sha256 and package, of a directory what is in it."""
    entries = list_files(image.initrd)
    place = "/" + path.strip("/")
    entry = entries.get(place) or entries.get(_follow(entries, place))
    if entry is None and place != "/":
        raise BootosError(
            f"the image has no {place}", hint=f"bootos image inspect {image.directory} {_parent(place)}"
        )
    found: dict[str, Any] = {"path": "/"} if entry is None else msgspec.to_builtins(entry)
    if entry is None or entry.kind == "directory":
        above = "/" if entry is None else f"{entry.path}/"
        inside = [e for p, e in entries.items() if p.startswith(above) and "/" not in p[len(above) :]]
        sizes = {e.path: _sum_below(entries, e) for e in inside}
        found["entries"] = [{**msgspec.to_builtins(e), "size_bytes": sizes[e.path]} for e in inside]
        return found
    found["package"] = _find_package(image, entry)
    if entry.kind == "file":
        found["sha256"] = _hash_inside(image, entry)
    return found


def extract_image(image: Image, target: Path, paths: Sequence[str]) -> int:
    """Write an image's merged files; returns how many. Raises BootosError."""
    if target.exists() and any(target.iterdir()):
        raise BootosError(f"{target} is not empty", hint="name a new directory")
    entries = list_files(image.initrd)
    wanted = [_follow(entries, "/" + path.strip("/")) for path in paths]
    for place in wanted:
        if place not in entries:
            raise BootosError(
                f"the image has no {place}", hint=f"bootos image inspect {image.directory} {_parent(place)}"
            )
    target.mkdir(parents=True, exist_ok=True)
    for layer in read_layers(image.initrd):
        unpack_layer(image.initrd, layer, target, wanted)
    _remove_hidden(target, set(entries))
    return sum(1 for path in target.rglob("*") if path.is_symlink() or path.is_file())


def _remove_hidden(target: Path, known: set[str]) -> None:
    """What a whiteout of an upper layer removes, and the whiteouts themselves."""
    for path in sorted(target.rglob("*"), reverse=True):
        if "/" + path.relative_to(target).as_posix() in known:
            continue
        is_directory = stat.S_ISDIR(path.lstat().st_mode)
        shutil.rmtree(path) if is_directory else path.unlink()


def _follow(entries: dict[str, Entry], place: str) -> str:
    """The path with symlinked parents resolved: /lib and /bin are links into /usr."""
    resolved = PurePosixPath("/")
    for part in PurePosixPath(place).parts[1:-1]:
        resolved /= part
        entry = entries.get(str(resolved))
        if entry is not None and entry.kind == "symlink":
            resolved = PurePosixPath("/", resolved.parent, entry.target)
    return str(resolved / PurePosixPath(place).name)


def _parent(place: str) -> str:
    return str(PurePosixPath(place).parent)


def _sum_below(entries: dict[str, Entry], entry: Entry) -> int:
    if entry.kind != "directory":
        return entry.size_bytes
    return sum(other.size_bytes for path, other in entries.items() if path.startswith(f"{entry.path}/"))


def _find_package(image: Image, entry: Entry) -> str:
    """The Debian package that installed a file; empty: none of them did."""
    # dpkg knows some files by the path that they had before /usr was merged.
    names = {
        entry.path,
        entry.path.removeprefix("/usr"),
    }
    with tempfile.TemporaryDirectory(prefix="bootos-inspect-") as work:
        for layer in read_layers(image.initrd):
            if layer.name == entry.layer:
                unpack_layer(image.initrd, layer, Path(work) / "tree", [PACKAGE_LISTS])
        for path in sorted((Path(work) / "tree").glob(PACKAGE_LISTS)):
            if names & set(path.read_text().splitlines()):
                return path.name.removesuffix(".list").partition(":")[0]
    return ""


def _hash_inside(image: Image, entry: Entry) -> str:
    with tempfile.TemporaryDirectory(prefix="bootos-inspect-") as work:
        for layer in read_layers(image.initrd):
            if layer.name == entry.layer:
                unpack_layer(image.initrd, layer, Path(work), [entry.path])
        return hash_file(Path(work) / entry.path.lstrip("/")).sha256


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes:,} B"


def _print_overview(image: Image, found: dict[str, Any]) -> None:
    screen = Screen()
    title = f"{found['name']} {found['version']}, kernel {found['kernel_release']}"
    screen.print(title, soft_wrap=True)
    table = build_table("part", "size")
    table.columns[1].justify = "right"
    for entry in found["files"]:
        table.add_row(entry["name"], _megabytes(entry["size_bytes"]))
        for segment in found["segments"] if entry["name"] == "initrd.img" else ():
            table.add_row(f"  {segment['name']}", _megabytes(segment["size_bytes"]))
    budget = found["budget_bytes"]
    share = f" ({found['size_bytes'] / budget:.0%} of {_megabytes(budget)})" if budget else ""
    table.add_row("together", _megabytes(found["size_bytes"]) + share)
    screen.print(table)
    screen.print(
        f"{len(found['packages'])} packages, {found['modules']} kernel modules, {found['unpacked_files']} files, "
        f"{_megabytes(found['unpacked_bytes'])} unpacked",
        highlight=False,
    )
    if image.manifest.layers:
        layers = build_table("added layer", "kind", "size", "for kernel", "brings")
        for layer in image.manifest.layers:
            brings = ", ".join([*layer.packages, *layer.modules])
            kernel = layer.kernel_release or "any"
            layers.add_row(layer.name, layer.kind, _megabytes(layer.size_bytes), kernel, brings)
        screen.print(layers)
    biggest = build_table("biggest file", "size unpacked", "layer")
    biggest.columns[1].justify = "right"
    for item in found["biggest"]:
        biggest.add_row(item["path"], _megabytes(item["size_bytes"]), item["layer"])
    screen.print(biggest)


def _print_path(found: dict[str, Any]) -> None:
    screen = Screen()
    if "entries" in found:
        table = build_table("name", "mode", "size", "layer", title=found["path"], title_justify="left")
        table.columns[2].justify = "right"
        for entry in found["entries"]:
            name = PurePosixPath(entry["path"]).name
            shown = f"{name} -> {entry['target']}" if entry["target"] else name
            table.add_row(shown, entry["mode"], _megabytes(entry["size_bytes"]), entry["layer"])
        screen.print(table)
        return
    for key in ("path", "target", "mode", "owner", "size_bytes", "sha256", "layer", "package"):
        if found.get(key) not in (None, ""):
            screen.print(f"{key:10} {found[key]}", soft_wrap=True)


def _print_difference(difference: Difference, most: int) -> None:
    screen = Screen()
    if difference.is_same:
        screen.print("the images are equal, byte for byte")
        return
    grown = difference.after_bytes - difference.before_bytes
    screen.print(
        f"{_megabytes(difference.before_bytes)} -> {_megabytes(difference.after_bytes)} ({grown:+,} bytes)"
    )
    if difference.kernel:
        screen.print(f"kernel {difference.kernel.before} -> {difference.kernel.after}")
    listed = {
        "package": difference.packages,
        "module": difference.modules,
        "added driver": difference.layers,
        "boot loader": difference.loaders,
    }
    for title, changes in listed.items():
        _print_changes(screen, title, changes, len(changes))
    for segment in difference.segments:
        sizes = f"{_megabytes(segment.before_bytes)} -> {_megabytes(segment.after_bytes)}"
        _print_changes(screen, f"{segment.name}: {sizes}", segment.files, most)
        if not segment.files:
            screen.print(f"{segment.name}: {sizes}; the same files, packed otherwise")


def _print_changes(screen: Screen, title: str, changes: Sequence[Change], most: int) -> None:
    if not changes:
        return
    table = build_table(title, "before", "after")
    for change in changes[:most]:
        table.add_row(change.name, change.before or "-", change.after or "-")
    screen.print(table)
    if len(changes) > most:
        screen.print(f"and {len(changes) - most} more (--files {len(changes)} shows all)")
