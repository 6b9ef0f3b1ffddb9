"""Build an image: `build_image` is the table of contents, each stage is in `bootos.image.steps`.

Each `make_` function is one row of it: what is bound to a stage's function is all that it reads, and is its cache key
together with the code it reaches; what it `makes` is all that it leaves. A stage of which nothing changed is taken from
the cache, so a change in the agent costs seconds. Called by `bootos image build`; runs as root, on Debian or Ubuntu.
"""

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from bootos import __version__, loader
from bootos.errors import BootosError
from bootos.image.archive import KEYRING, Archive, Mirrors, read_host_mirrors
from bootos.image.assembly import Parts, assemble_image
from bootos.image.cache import Cache, Event, Hear, Stage, compute_key
from bootos.image.layers.package import Wanted
from bootos.image.lock import Lock, check_answers, read_lock, write_lock
from bootos.image.package_store import PackageStore
from bootos.image.recipe import Debian, Loaded
from bootos.image.steps import boot as boot_step
from bootos.image.steps import debian as debian_step
from bootos.image.steps import estimate as estimate_step
from bootos.image.steps import kernel as kernel_step
from bootos.image.steps import layer as layer_step
from bootos.image.steps import loader as loader_step
from bootos.image.steps import root as root_step
from bootos.image.steps import rpmdb as rpmdb_step
from bootos.image.steps import snapshot as snapshot_step
from bootos.wire.manifest import Manifest

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


def build_image(
    loaded: Loaded,
    output_dir: Path,
    cache_dir: Path,
    report: Hear,
    *,
    lock_path: Path | None = None,
    update: bool = False,
) -> Manifest:
    """Build `vmlinuz`, `initrd.img` and `manifest.json` into `output_dir`; returns the manifest. With `lock_path` the
    packages are those of that lock, which is written when it is not there; with `update` they are the archive's newest.
    Raises BootosError."""
    check_host()
    os.umask(0o022)  # files are made with modes that do not depend on the caller's umask
    cache = Cache(cache_dir.resolve(), report)
    with cache.locked():
        lock = make_lock(loaded, cache, lock_path, update=update)
        store = fetch_packages(loaded, cache, lock)
        base = make_base(loaded, cache, lock, store)
        kernel = make_kernel(loaded, cache, lock, store)
        rpmdb = make_rpmdb(loaded, cache, base)
        parts = Parts(
            base=base,
            kernel=kernel,
            rpmdb=rpmdb,
            root=make_root(loaded, cache, base),
            modules=make_modules(loaded, cache, kernel),
            boot=make_boot(loaded, cache, kernel),
            layer=make_layer(loaded, cache, base, rpmdb),
            loader=make_loader(cache, lock, store),
            estimate=make_estimate(cache, base, kernel),
        )
        manifest = assemble_image(loaded, lock, parts, cache.directory, output_dir)
    report(Event(stage="image", state="done", detail=f"{manifest.size_bytes / 1e6:.1f} MB in {output_dir}"))
    return manifest


def check_host() -> None:
    """Say everything the build host lacks, at once, and how to install it. Raises BootosError."""
    missing = sorted({package for tool, package in HOST_TOOLS.items() if shutil.which(tool) is None})
    if not KEYRING.is_file():
        missing.append("debian-archive-keyring")
    if missing:
        raise BootosError(
            f"the build host lacks: {', '.join(missing)}", hint=f"apt-get install {' '.join(missing)}"
        )


def make_lock(loaded: Loaded, cache: Cache, path: Path | None, *, update: bool = False) -> Lock:
    """Which packages: those of the lock file, else what the archive offered when the recipe's list last changed. Raises
    BootosError: the lock was made for another list of packages."""
    question = snapshot_step.read_question(loaded.recipe)
    asked = compute_key("asked", msgspec.structs.asdict(question))
    if path is not None and path.exists() and not update:
        lock = read_lock(path)
        check_answers(lock, asked, path)
        return lock
    mirrors = choose_mirrors(loaded.recipe.debian)
    stage = cache.make(
        "snapshot",
        partial(snapshot_step.build_snapshot, question=question, asked=asked, mirrors=mirrors),
        makes=["lock.json"],
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
    """Have every package of the lock on this host, downloading what is missing; returns where they lie. Raises
    BootosError: the archive no longer has one."""
    recipe, store = loaded.recipe, PackageStore(cache.directory / "debs")
    sources = snapshot_step.add_backports(lock.sources, recipe.debian.suite, recipe.kernel)

    def show(what: str, done_bytes: int, total_bytes: int) -> None:
        detail = f"{done_bytes / 1e6:.0f} of {total_bytes / 1e6:.0f} MB, {what}"
        share = done_bytes / total_bytes
        cache.report(Event(stage="packages", state="progress", detail=detail, share=share))

    with tempfile.TemporaryDirectory(prefix="unfinished-apt-", dir=cache.directory) as work:
        store.fetch([*lock.base, *lock.kernel, *lock.loaders], lambda: Archive(Path(work), sources), show)
    return store


def make_base(loaded: Loaded, cache: Cache, lock: Lock, store: PackageStore) -> Stage:
    """Debian, installed and uncut."""
    return cache.make(
        "base",
        partial(
            debian_step.build_base, debian=loaded.recipe.debian, packages=lock.base, sources=lock.sources
        ),
        makes=["root"],
        tools={"store": store, **_say(cache, "base")},
    )


def make_kernel(loaded: Loaded, cache: Cache, lock: Lock, store: PackageStore) -> Stage:
    """Kernel, modules, firmware, busybox."""
    recipe = loaded.recipe
    return cache.make(
        "kernel",
        partial(
            kernel_step.build_kernel,
            packages=lock.kernel,
            modules=recipe.modules,
            firmware=recipe.firmware,
        ),
        makes=["vmlinuz", "busybox", "root", "kernel.json", "copyright", "microcode.cpio?"],
        tools={"store": store, **_say(cache, "kernel")},
    )


def make_root(loaded: Loaded, cache: Cache, base: Stage) -> Stage:
    """The base, cut, compiled and packed."""
    recipe = loaded.recipe
    return cache.make(
        "root",
        partial(
            root_step.build_root,
            base=base,
            cut=recipe.cut,
            boot=recipe.boot,
            hot=recipe.hot,
            compression=recipe.compression,
        ),
        makes=["root.squashfs", "root-hot.squashfs?", "root.json"],
        tools=_say(cache, "root"),
    )


def make_modules(loaded: Loaded, cache: Cache, kernel: Stage) -> Stage:
    """Kernel modules and firmware, packed as a layer of their own."""
    recipe = loaded.recipe
    return cache.make(
        "modules",
        partial(kernel_step.build_modules, kernel=kernel, hot=recipe.hot, compression=recipe.compression),
        makes=["modules.squashfs", "modules-hot.squashfs?"],
    )


def make_boot(loaded: Loaded, cache: Cache, kernel: Stage) -> Stage:
    """The segment the kernel starts from."""
    return cache.make(
        "boot",
        partial(boot_step.build_boot, kernel=kernel, init=boot_step.INIT, shell=loaded.recipe.shell == "on"),
        makes=["boot.cpio.zst"],
    )


def make_rpmdb(loaded: Loaded, cache: Cache, base: Stage) -> Stage:
    """The recipe's .deb and .rpm files, and what rpm has to know of the base."""
    recipe, boot = loaded.recipe, loaded.recipe.boot
    wanted = Wanted(debs=loaded.debs, rpms=loaded.rpms)
    # a recipe without packages has no need for the rest of this
    has_packages = bool(wanted.debs or wanted.rpms)
    return cache.make(
        "rpmdb",
        partial(
            rpmdb_step.build_rpmdb,
            base=base,
            wanted=wanted,
            keys=tuple(loaded.keys.values()),
            cut=recipe.cut,
            enabled=(*boot.units, *boot.udev_rules, *boot.generators) if has_packages else (),
            compression=recipe.compression if has_packages else "",
            loader_paths=layer_step.ROOTFS / rpmdb_step.LOADER_PATHS,
            version=__version__,
        ),
        makes=["root", "packages.json", "packages.squashfs?"],
        tools=_say(cache, "rpmdb"),
    )


def make_layer(loaded: Loaded, cache: Cache, base: Stage, rpmdb: Stage) -> Stage:
    """The agent, BootOS's units and settings, and the recipe's overlay."""
    return cache.make(
        "layer",
        partial(
            layer_step.build_layer,
            base=base,
            rpmdb=rpmdb,
            agent=layer_step.collect_agent_sources(layer_step.find_project()),
            rootfs=layer_step.ROOTFS,
            repositories=loaded.recipe.repositories,
            keys=loaded.keys,
            site=loaded.site,
        ),
        makes=["layer.squashfs"],
    )


def make_loader(cache: Cache, lock: Lock, store: PackageStore) -> Stage:
    """What lies beside the image: the boot loaders."""
    loaders = {**loader.LOADERS, **loader.MEDIUM_LOADERS}
    return cache.make(
        "loader",
        partial(loader_step.build_loaders, packages=lock.loaders, loaders=loaders),
        makes=["loaders", "copyright"],
        tools={"store": store, **_say(cache, "loader")},
    )


def make_estimate(cache: Cache, base: Stage, kernel: Stage) -> Stage:
    """How well each file packs."""
    return cache.make(
        "estimate",
        partial(estimate_step.build_estimate, base=base, kernel=kernel),
        makes=["estimate.json"],
    )


def _say(cache: Cache, stage: str) -> dict[str, Any]:
    """The tool by which a stage tells how far it is."""
    return {"say": lambda line: cache.report(Event(stage=stage, state="progress", detail=line))}
