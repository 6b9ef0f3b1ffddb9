"""Stage `kernel`: the kernel, the modules a recipe keeps with all they need, and the firmware they name.

The packages are unpacked, not installed: the image needs no initramfs tools and no boot loader.
"""

import lzma
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bootos.errors import BootosError
from bootos.files import write_json
from bootos.image import kernel_module as km
from bootos.image.archive import extract_package
from bootos.image.cache import Stage
from bootos.image.lock import Package
from bootos.image.package_store import PackageStore
from bootos.image.recipe import Firmware, Hot, Modules
from bootos.image.squash import build_layers
from bootos.image.steps.microcode import build_microcode
from bootos.process import run

DEPMOD_FILES = ("modules.builtin", "modules.builtin.modinfo", "modules.order")

UNUSED_TABLES = ("modules.alias", "modules.symbols", "modules.symbols.bin", "modules.builtin.modinfo")
"""What depmod writes and modprobe does not read: it uses the .bin twins, and nobody loads by symbol."""


def build_kernel(
    *,
    packages: Sequence[Package],
    modules: Modules,
    firmware: Firmware,
    store: PackageStore,
    directory: Path,
    say: Callable[[str], None],
) -> None:
    """Fill `directory`: `vmlinuz`, `busybox`, `root/` (modules and firmware as they lie in the image), and
    `kernel.json` (release, package versions, module counts, the modules `/init` loads in order). Raises
    BootosError: the packages hold no kernel, or not a module that `/init` loads."""
    work = directory / "work"
    say("unpacking")
    tree = work / "tree"
    for package in packages:
        extract_package(store.directory / package.file, tree)
    release = find_release(tree)
    shutil.copy2(find_vmlinuz(tree, release), directory / "vmlinuz")
    shutil.copy2(tree / "usr/bin/busybox", directory / "busybox")

    run(["depmod", "--basedir", _link_lib(tree), release], timeout_s=600)
    source = tree / "usr/lib/modules" / release
    dependencies = km.parse_dependencies((source / "modules.dep").read_text())
    soft = km.parse_soft_dependencies((source / "modules.softdep").read_text())
    chosen = km.select_modules(dependencies, modules.keep, modules.drop)
    kept = km.close_dependencies(chosen, dependencies, soft)
    for pattern in km.find_unmatched(dependencies, modules.keep):
        say(f"modules.keep: {pattern} matches no module of {release}")
    try:
        load_order = km.order_modules(modules.boot, dependencies)
    except KeyError as cause:
        raise BootosError(f"modules.boot: kernel {release} has no module {cause}") from cause

    say(f"keeping {len(kept | set(load_order))} of {len(dependencies)} modules")
    target = directory / "root/usr/lib/modules" / release
    for path in sorted(kept | set(load_order)):
        unpack_module(source / path, target / strip_compression(path))
    for name in DEPMOD_FILES:
        if (source / name).is_file():
            shutil.copy2(source / name, target / name)
    run(["depmod", "--basedir", _link_lib(directory / "root"), release], timeout_s=600)
    (directory / "root/lib").unlink()
    for name in UNUSED_TABLES:
        (target / name).unlink(missing_ok=True)
    if firmware.microcode:
        say("collecting microcode")
        build_microcode(tree, firmware.microcode_files, directory)
    copy_licenses(tree, directory / "copyright")
    copied = _copy_firmware(tree, directory / "root", target, firmware.drop)
    write_json(
        directory / "kernel.json",
        {
            "release": release,
            "packages": {package.name: package.version for package in packages},
            "modules": len(kept | set(load_order)),
            "modules_available": len(dependencies),
            "firmware_files": copied,
            "boot_modules": [strip_compression(path) for path in load_order],
        },
    )
    shutil.rmtree(work)


def build_modules(*, kernel: Stage, hot: Hot, compression: str, directory: Path) -> None:
    """Fill `directory`: `modules.squashfs` and `modules-hot.squashfs`, kernel modules and firmware as layers of their
    own."""
    build_layers(
        kernel.directory / "root", directory, "modules", compression, hot.paths, all_root=True, programs=False
    )


def find_release(tree: Path) -> str:
    """The kernel release whose modules lie in an unpacked kernel package. Raises BootosError: there is not just one."""
    releases = [path.name for path in (tree / "usr/lib/modules").iterdir()]
    if len(releases) != 1:
        raise BootosError(f"expected the modules of one kernel, found {', '.join(releases) or 'none'}")
    return releases[0]


def find_vmlinuz(tree: Path, release: str) -> Path:
    """The kernel itself, where Debian's packages up to 6.19 have it, or those of later kernels. Raises BootosError: it
    is at neither place."""
    places = (tree / f"boot/vmlinuz-{release}", tree / f"usr/lib/modules/{release}/vmlinuz")
    for place in places:
        if place.is_file():
            return place
    raise BootosError(f"the packages of kernel {release} hold no vmlinuz")


def copy_licenses(tree: Path, target: Path) -> None:
    """Keep each package's copyright file, as `target/PACKAGE`: the list of licenses is made from them."""
    target.mkdir()
    for path in sorted((tree / "usr/share/doc").glob("*/copyright")):
        if path.is_file():
            shutil.copyfile(path, target / path.parent.name)


def strip_compression(path: str) -> str:
    """`a/b.ko.xz` -> `a/b.ko`."""
    return re.sub(r"\.ko\.(xz|zst|gz)$", ".ko", path)


def unpack_module(source: Path, target: Path) -> None:
    """Copy a module uncompressed: squashfs packs it better than xz does one by one, and loading takes less CPU.
    Raises BootosError: it is compressed in another way than by xz."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".xz":
        target.write_bytes(lzma.decompress(source.read_bytes()))
    elif source.suffix == ".ko":
        shutil.copyfile(source, target)
    else:
        raise BootosError(f"{source.name} is compressed in a way this build does not know")


def read_firmware_names(modules: Sequence[Path]) -> set[str]:
    """The firmware files modules say they may ask for (modinfo(8)), as paths below /lib/firmware; a name may hold
    `*`."""
    names: set[str] = set()
    for start in range(0, len(modules), 200):
        printed = run(["modinfo", "--field", "firmware", *modules[start : start + 200]], check=False).stdout
        names.update(line.strip() for line in printed.splitlines() if line.strip())
    return names


def _copy_firmware(tree: Path, root: Path, modules: Path, drop: Sequence[str]) -> int:
    source = tree / "usr/lib/firmware"
    if not source.is_dir():
        return 0
    available = [path.relative_to(source).as_posix() for path in _files(source)]
    wanted = read_firmware_names(sorted(modules.rglob("*.ko")))
    chosen = km.select_firmware(available, wanted, drop)
    for name in sorted(chosen):
        target = root / "usr/lib/firmware" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # copies the content of a symlink, as its target may not be kept
        shutil.copyfile(source / name, target)
    return len(chosen)


def _files(directory: Path) -> Iterable[Path]:
    return (path for path in directory.rglob("*") if path.is_file())


def _link_lib(root: Path) -> Path:
    """depmod looks below /lib; packages put files below /usr/lib."""
    if not (root / "lib").exists():
        (root / "lib").symlink_to("usr/lib")
    return root
