"""Put the finished stages together: the initrd, what describes it, and the directory they are published in.

Called by `build`, and no stage: it takes seconds, and is done each time.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bootos import __version__, loader
from bootos.errors import BootosError
from bootos.files import read_json, write_json
from bootos.image.cache import Stage, compute_key
from bootos.image.cpio import write_layer
from bootos.image.lock import Lock
from bootos.image.manifest import hash_file
from bootos.image.recipe import Loaded
from bootos.image.release import append_release, compute_version
from bootos.image.report import build_report
from bootos.image.sbom import (
    Component,
    build_package_list,
    build_sbom,
    collect_components,
    find_copyrights,
)
from bootos.image.steps import microcode
from bootos.image.steps import rpmdb as rpmdb_step
from bootos.wire.ability import OURS
from bootos.wire.manifest import SCHEMA, FileEntry, Manifest


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The finished stages an image is put together from."""

    base: Stage
    kernel: Stage
    rpmdb: Stage
    root: Stage
    modules: Stage
    boot: Stage
    layer: Stage
    loader: Stage
    estimate: Stage


def assemble_image(loaded: Loaded, lock: Lock, parts: Parts, work_dir: Path, output_dir: Path) -> Manifest:
    """Write the image into a new directory below `work_dir`, then put its files into `output_dir`; returns its
    manifest. Raises BootosError: it is larger than its recipe allows."""
    with tempfile.TemporaryDirectory(prefix="unfinished-image-", dir=work_dir) as place:
        work = Path(place)
        segments = write_initrd(parts, work / "initrd.img")
        shutil.copyfile(parts.kernel.directory / "vmlinuz", work / "vmlinuz")
        shutil.copytree(parts.loader.directory / loader.DIRECTORY, work / loader.DIRECTORY)
        version = write_release(loaded, segments, work)
        manifest = build_manifest(loaded, parts, segments, version, work)
        check_budget(loaded, manifest)
        write_json(work / "manifest.json", manifest)
        write_sbom(manifest, lock, parts, work)
        estimates = read_json(parts.estimate.directory / "estimate.json")
        (work / "report.html").write_text(build_report(manifest, work / "initrd.img", estimates))
        publish(work, output_dir)
    return manifest


def list_layers(parts: Parts) -> list[tuple[str, Path]]:
    """The squashfs files of the initrd, lowest first: `/init` stacks them in the order of their names."""
    layers = [
        ("10-base", parts.root.directory / "root.squashfs"),
        ("11-base-hot", parts.root.directory / "root-hot.squashfs"),
        ("20-kernel", parts.modules.directory / "modules.squashfs"),
        ("21-kernel-hot", parts.modules.directory / "modules-hot.squashfs"),
        ("40-packages", parts.rpmdb.directory / rpmdb_step.PACKAGES),
        ("80-bootos", parts.layer.directory / "layer.squashfs"),
    ]
    return [(name, path) for name, path in layers if path.is_file()]


def write_initrd(parts: Parts, path: Path) -> Sequence[FileEntry]:
    """Concatenate the segments: early microcode, the boot segment, then one uncompressed archive for each layer;
    returns their entries for the manifest."""
    early = [
        ("microcode", parts.kernel.directory / microcode.ARCHIVE),
        ("boot", parts.boot.directory / "boot.cpio.zst"),
    ]
    early = [(name, segment) for name, segment in early if segment.is_file()]
    with path.open("wb") as output:
        for _, segment in early:
            with segment.open("rb") as source:
                shutil.copyfileobj(source, output)
        for name, layer in list_layers(parts):
            write_layer(output, name, layer)
    return [hash_file(segment, name) for name, segment in (*early, *list_layers(parts))]


def write_release(loaded: Loaded, segments: Sequence[FileEntry], work: Path) -> str:
    """Let the image in `work` know its version; returns it."""
    entries = [hash_file(work / "vmlinuz"), *segments]
    version = compute_version(__version__, [(entry.name, entry.sha256) for entry in entries])
    append_release(work / "initrd.img", loaded.recipe.name, version)
    return version


def build_manifest(
    loaded: Loaded, parts: Parts, segments: Sequence[FileEntry], version: str, work: Path
) -> Manifest:
    """The manifest of the image in `work`, whose segments and version are given."""
    kernel = read_json(parts.kernel.directory / "kernel.json")
    root = read_json(parts.root.directory / "root.json")
    return Manifest(
        schema=SCHEMA,
        abilities=OURS,
        name=loaded.recipe.name,
        version=version,
        bootos_version=__version__,
        recipe_sha256=compute_key("recipe", {"recipe": loaded.recipe, "files": loaded.find_files()}),
        kernel_release=kernel["release"],
        kernel_modules=kernel["modules"],
        firmware_files=kernel["firmware_files"],
        files=(hash_file(work / "vmlinuz"), hash_file(work / "initrd.img")),
        segments=tuple(segments),
        root_uncompressed_bytes=root["uncompressed_bytes"],
        packages={
            **root["packages"],
            **kernel["packages"],
            **{item.name: item.version for item in read_own_packages(parts)},
        },
        budget_bytes=loaded.recipe.budget_mb * 1_000_000,
        loaders=tuple(hash_file(path) for path in sorted((work / loader.DIRECTORY).iterdir())),
    )


def read_own_packages(parts: Parts) -> list[Component]:
    """The recipe's .deb and .rpm files."""
    return msgspec.convert(read_json(parts.rpmdb.directory / "packages.json"), list[Component])


def write_sbom(manifest: Manifest, lock: Lock, parts: Parts, work: Path) -> None:
    """The list of packages with their licenses: `packages.txt` for people, `sbom.spdx.json` (SPDX 2.3) for tools."""
    copyrights = find_copyrights(
        parts.base.directory / "root", parts.kernel.directory, parts.loader.directory
    )
    own = {item.name: item for item in read_own_packages(parts)}
    locked = collect_components(lock, set(manifest.packages) - set(own), copyrights)
    components = sorted((*locked, *own.values()), key=lambda item: item.name)
    write_json(work / "sbom.spdx.json", build_sbom(manifest, components))
    (work / "packages.txt").write_text(build_package_list(components))


def check_budget(loaded: Loaded, manifest: Manifest) -> None:
    """Raises BootosError: the image grew beyond its recipe's budget. It is not published then."""
    if manifest.size_bytes > loaded.recipe.budget_mb * 1_000_000:
        parts = ", ".join(f"{entry.name} {entry.size_bytes / 1e6:.1f} MB" for entry in manifest.segments)
        raise BootosError(
            f"the image has {manifest.size_bytes / 1e6:.1f} MB, its budget is {loaded.recipe.budget_mb} MB ({parts})",
            hint="drop packages or modules from the recipe, or raise its budget_mb",
        )


def publish(work: Path, output_dir: Path) -> None:
    """Put the files in place, each in one step; the manifest comes last."""
    loaders = sorted(path.name for path in (work / loader.DIRECTORY).iterdir())
    (output_dir / loader.DIRECTORY).mkdir(parents=True, exist_ok=True)
    for path in (output_dir / loader.DIRECTORY).iterdir():
        if path.name not in loaders:
            path.unlink()
    files = ("vmlinuz", "initrd.img", "sbom.spdx.json", "packages.txt", "report.html", "manifest.json")
    for name in (*(f"{loader.DIRECTORY}/{name}" for name in loaders), *files):
        target = output_dir / name
        unfinished = target.with_name(f".{target.name}.new")
        shutil.copyfile(work / name, unfinished)
        unfinished.replace(target)
