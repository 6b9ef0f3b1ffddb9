"""Build an image: `build_image` is the table of contents, each stage is in `bootos.image.steps`.

A stage whose inputs did not change is taken from the cache, so a change in the agent costs seconds.
Called by `bootos image build`; runs as root, on Debian or Ubuntu.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import msgspec

from bootos import loader
from bootos.errors import BootosError
from bootos.image import archive, cpio, kernel_module, package_store, squash
from bootos.image import lock as lock_file
from bootos.image.archive import KEYRING, Archive, Mirrors, read_host_mirrors
from bootos.image.cache import Cache, Event, Report, Stage, compute_key
from bootos.image.cpio import write_layer
from bootos.image.document_file import read_json, write_json
from bootos.image.layers import chroot, origin, package, upper
from bootos.image.lock import Lock, check_answers, read_lock, write_lock
from bootos.image.manifest import hash_file
from bootos.image.package_store import PackageStore
from bootos.image.recipe import Debian, Loaded
from bootos.image.release import append_release, compute_version
from bootos.image.report import build_report
from bootos.image.sbom import (
    Component,
    build_package_list,
    build_sbom,
    collect_components,
    find_copyrights,
)
from bootos.image.steps import boot as boot_step
from bootos.image.steps import bytecode, estimate, microcode, repeated, site
from bootos.image.steps import debian as debian_step
from bootos.image.steps import kernel as kernel_step
from bootos.image.steps import layer as layer_step
from bootos.image.steps import loader as loader_step
from bootos.image.steps import root as root_step
from bootos.image.steps import rpmdb as rpmdb_step
from bootos.image.steps import snapshot as snapshot_step
from bootos.wire.manifest import SCHEMA, FileEntry, Manifest

HOST_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "mksquashfs": "squashfs-tools",
    "zstd": "zstd",
    "unsquashfs": "squashfs-tools",
    "depmod": "kmod",
    "modinfo": "kmod",
    "mount": "mount",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
}
"""Programs a build needs on the host, and the Debian packages that bring them."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The finished stages an image is put together from."""

    kernel: Stage
    rpmdb: Stage
    root: Stage
    modules: Stage
    boot: Stage
    layer: Stage
    loader: Stage


def build_image(
    loaded: Loaded,
    output_dir: Path,
    cache_dir: Path,
    report: Report,
    *,
    lock_path: Path | None = None,
    update: bool = False,
) -> Manifest:
    """Build `vmlinuz`, `initrd.img` and `manifest.json` into `output_dir`. With `lock_path` the packages are those of
    that lock, which is written when it is not there; with `update` they are the archive's newest.
    Raises BootosError."""
    check_host()
    os.umask(0o022)  # modes are part of the image
    cache = Cache(cache_dir.resolve(), report)
    with cache.locked():
        lock = make_lock(loaded, cache, lock_path, update=update)
        store = fetch_packages(loaded, cache, lock)
        base = make_base(loaded, cache, lock, store)
        kernel = make_kernel(loaded, cache, lock, store)
        rpmdb = make_rpmdb(loaded, cache, base)
        parts = Parts(
            kernel=kernel,
            rpmdb=rpmdb,
            root=make_root(loaded, cache, base),
            modules=make_modules(loaded, cache, kernel),
            boot=make_boot(loaded, cache, kernel),
            layer=make_layer(loaded, cache, base, rpmdb),
            loader=make_loader(cache, lock, store),
        )
        with tempfile.TemporaryDirectory(prefix="unfinished-image-", dir=cache.directory) as work:
            segments = write_initrd(parts, Path(work) / "initrd.img")
            shutil.copyfile(kernel.directory / "vmlinuz", Path(work) / "vmlinuz")
            shutil.copytree(parts.loader.directory / loader.DIRECTORY, Path(work) / loader.DIRECTORY)
            version = write_release(loaded, segments, Path(work))
            manifest = build_manifest(loaded, parts, segments, version, Path(work))
            check_budget(loaded, manifest)
            write_json(Path(work) / "manifest.json", manifest)
            write_sbom(manifest, lock, parts, base, Path(work))
            estimates = read_json(make_estimate(cache, base, kernel).directory / "estimate.json")
            (Path(work) / "report.html").write_text(
                build_report(manifest, Path(work) / "initrd.img", estimates)
            )
            publish(Path(work), output_dir)
    report(Event(stage="image", state="done", detail=f"{manifest.size_bytes / 1e6:.1f} MB in {output_dir}"))
    return manifest


def check_host() -> None:
    """Say everything the build host lacks, at once, and how to install it."""
    missing = sorted({package for tool, package in HOST_TOOLS.items() if shutil.which(tool) is None})
    if not KEYRING.is_file():
        missing.append("debian-archive-keyring")
    if missing:
        raise BootosError(
            f"the build host lacks: {', '.join(missing)}", hint=f"apt-get install {' '.join(missing)}"
        )


def make_lock(loaded: Loaded, cache: Cache, path: Path | None, *, update: bool = False) -> Lock:
    """Which packages: those of the lock file, else what the archive offered when the recipe's list last changed."""
    recipe = loaded.recipe
    asked = compute_key("asked", snapshot_step.list_question(recipe), ())
    if path is not None and path.exists() and not update:
        lock = read_lock(path)
        check_answers(lock, asked, path)
        return lock
    mirrors = choose_mirrors(recipe.debian)
    stage = cache.make(
        "snapshot",
        {"asked": asked, "mirrors": mirrors},
        (snapshot_step, archive, lock_file),
        lambda directory: snapshot_step.build_snapshot(recipe, asked, mirrors, directory),
        renew=update,
    )
    lock = read_lock(stage.directory / "lock.json")
    if path is not None:
        write_lock(path, lock)
    return lock


def choose_mirrors(debian: Debian) -> Mirrors:
    """The recipe's mirrors, else those of the build host."""
    host = read_host_mirrors()
    return Mirrors(
        main=debian.mirror or host.main,
        security=debian.security_mirror or ("" if debian.mirror else host.security),
    )


def fetch_packages(loaded: Loaded, cache: Cache, lock: Lock) -> PackageStore:
    """Have every package of the lock on this host, downloading what is missing."""
    store = PackageStore(cache.directory / "debs")
    sources = snapshot_step.add_backports(lock.sources, loaded.recipe)

    def show(what: str, done_bytes: int, total_bytes: int) -> None:
        detail = f"{done_bytes / 1e6:.0f} of {total_bytes / 1e6:.0f} MB, {what}"
        share = done_bytes / total_bytes
        cache.report(Event(stage="packages", state="progress", detail=detail, share=share))

    with tempfile.TemporaryDirectory(prefix="unfinished-apt-", dir=cache.directory) as work:
        store.fetch([*lock.base, *lock.kernel, *lock.loaders], lambda: Archive(Path(work), sources), show)
    return store


def make_base(loaded: Loaded, cache: Cache, lock: Lock, store: PackageStore) -> Stage:
    """Debian, installed and uncut."""
    debian = loaded.recipe.debian
    return cache.make(
        "base",
        {"debian": debian, "packages": lock.base, "sources": lock.sources},
        (debian_step, package_store),
        lambda directory: debian_step.build_base(debian, lock, store, directory, _say(cache, "base")),
    )


def make_kernel(loaded: Loaded, cache: Cache, lock: Lock, store: PackageStore) -> Stage:
    """Kernel, modules, firmware, busybox."""
    recipe = loaded.recipe
    return cache.make(
        "kernel",
        {"packages": lock.kernel, "modules": recipe.modules, "firmware": recipe.firmware},
        (kernel_step, kernel_module, microcode),
        lambda directory: kernel_step.build_kernel(recipe, lock, store, directory, _say(cache, "kernel")),
    )


def make_root(loaded: Loaded, cache: Cache, base: Stage) -> Stage:
    """The base, cut, compiled and packed."""
    recipe = loaded.recipe
    return cache.make(
        "root",
        {
            "base": base,
            "cut": recipe.cut,
            "boot": recipe.boot,
            "hot": recipe.hot,
            "compression": recipe.compression,
        },
        (root_step, bytecode, repeated, squash),
        lambda directory: root_step.build_root(
            recipe, base.directory / "root", directory, _say(cache, "root")
        ),
    )


def make_modules(loaded: Loaded, cache: Cache, kernel: Stage) -> Stage:
    """Kernel modules and firmware, packed as a layer of their own."""
    compression, hot = loaded.recipe.compression, loaded.recipe.hot.paths
    return cache.make(
        "modules",
        {"kernel": kernel, "compression": compression, "hot": hot},
        (squash,),
        lambda directory: squash.build_layers(
            kernel.directory / "root", directory, "modules", compression, hot, all_root=True, programs=False
        ),
    )


def make_boot(loaded: Loaded, cache: Cache, kernel: Stage) -> Stage:
    """The segment the kernel starts from."""
    info = read_json(kernel.directory / "kernel.json")
    shell = loaded.recipe.shell == "on"
    return cache.make(
        "boot",
        {"kernel": kernel, "init": boot_step.INIT, "shell": shell},
        (boot_step, cpio),
        lambda directory: boot_step.build_boot(
            kernel.directory, info["release"], info["boot_modules"], directory, shell=shell
        ),
    )


def make_rpmdb(loaded: Loaded, cache: Cache, base: Stage) -> Stage:
    """The recipe's .deb and .rpm files, and what rpm has to know of the base."""
    recipe, version = loaded.recipe, metadata.version("bootos")
    packages = [*loaded.debs, *loaded.rpms]
    own = {"packages": packages, "boot": recipe.boot, "compression": recipe.compression} if packages else {}
    return cache.make(
        "rpmdb",
        {
            "base": base,
            "cut": recipe.cut,
            "version": version,
            **own,
            "keys": list(loaded.keys),
        },
        (rpmdb_step, chroot, upper, package, origin),
        lambda directory: rpmdb_step.build_rpmdb(
            loaded, base.directory / "root", version, directory, _say(cache, "rpmdb")
        ),
    )


def make_layer(loaded: Loaded, cache: Cache, base: Stage, rpmdb: Stage) -> Stage:
    """The agent, BootOS's units and settings, and the recipe's overlay."""
    project = layer_step.find_project()
    return cache.make(
        "layer",
        {
            "base": base,
            "rpmdb": rpmdb,
            "agent": list(layer_step.collect_agent_sources(project)),
            "rootfs": layer_step.ROOTFS,
            "repositories": loaded.recipe.repositories,
            "files": loaded.find_files(),
            "system": loaded.recipe.system,
            "shell": loaded.recipe.shell,
        },
        (layer_step, site, chroot, upper, bytecode, squash),
        lambda directory: layer_step.build_layer(
            loaded,
            project,
            base.directory / "root",
            rpmdb.directory / "root",
            rpmdb.directory / rpmdb_step.PACKAGES,
            directory,
        ),
    )


def make_loader(cache: Cache, lock: Lock, store: PackageStore) -> Stage:
    """What lies beside the image: the boot loaders."""
    return cache.make(
        "loader",
        {"packages": lock.loaders, "loaders": {**loader.LOADERS, **loader.MEDIUM_LOADERS}},
        (loader_step,),
        lambda directory: loader_step.build_loaders(lock, store, directory, _say(cache, "loader")),
    )


def make_estimate(cache: Cache, base: Stage, kernel: Stage) -> Stage:
    """How well each file packs."""
    return cache.make(
        "estimate",
        {"base": base, "kernel": kernel},
        (estimate,),
        lambda directory: estimate.build_estimate(
            base.directory / "root", kernel.directory / "root", directory
        ),
    )


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
    """Concatenate the segments: early microcode, the boot segment, then one uncompressed archive for each layer."""
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
    version = compute_version(metadata.version("bootos"), [(entry.name, entry.sha256) for entry in entries])
    append_release(work / "initrd.img", loaded.recipe.name, version)
    return version


def build_manifest(
    loaded: Loaded, parts: Parts, segments: Sequence[FileEntry], version: str, work: Path
) -> Manifest:
    """Describe the image in `work`."""
    kernel = read_json(parts.kernel.directory / "kernel.json")
    root = read_json(parts.root.directory / "root.json")
    return Manifest(
        schema=SCHEMA,
        name=loaded.recipe.name,
        version=version,
        bootos_version=metadata.version("bootos"),
        recipe_sha256=compute_key("recipe", {"recipe": loaded.recipe, "files": loaded.find_files()}, ()),
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


def write_sbom(manifest: Manifest, lock: Lock, parts: Parts, base: Stage, work: Path) -> None:
    """The list of packages with their licenses, for people and for tools."""
    copyrights = find_copyrights(base.directory / "root", parts.kernel.directory, parts.loader.directory)
    own = {item.name: item for item in read_own_packages(parts)}
    locked = collect_components(lock, set(manifest.packages) - set(own), copyrights)
    components = sorted((*locked, *own.values()), key=lambda item: item.name)
    write_json(work / "sbom.spdx.json", build_sbom(manifest, components))
    (work / "packages.txt").write_text(build_package_list(components))


def check_budget(loaded: Loaded, manifest: Manifest) -> None:
    """An image that grew beyond its recipe's budget is not published."""
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


def _say(cache: Cache, stage: str) -> Callable[[str], None]:
    return lambda line: cache.report(Event(stage=stage, state="progress", detail=line))
