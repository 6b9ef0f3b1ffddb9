"""Stage `root`: from the installed base to the squashfs of the root file system.

Cuts what a server never needs in memory, removes every unit, udev rule and generator the recipe does not list,
compiles all Python once (the root is read-only below its overlay: what is missing would be compiled at every
boot), and packs the result.
"""

import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bootos.files import write_json
from bootos.image.cache import Stage
from bootos.image.kernel_module import is_below
from bootos.image.recipe import Boot, Cut, Hot
from bootos.image.squash import SOURCE_DATE, build_layers
from bootos.image.steps.bytecode import compile_python
from bootos.image.steps.repeated import drop_repeated
from bootos.process import run

SOURCE_DAY = int(SOURCE_DATE) // 86400
"""What /etc/shadow says of when a password was changed."""
GENERATED = (
    *("var/lib/dbus/machine-id", "var/lib/systemd/random-seed", "dev/console"),
    *("etc/nvme/hostid", "etc/nvme/hostnqn"),
)
"""Made by chance when Debian is installed: no two builds, and all machines of one, would have the same."""
UNIT_DIRECTORIES = ("usr/lib/systemd/system", "etc/systemd/system")
ALLOWED_FILES = {
    # Each directory, with the field of the recipe's [boot] that lists what stays in it.
    "usr/lib/udev/rules.d": "udev_rules",
    "usr/lib/systemd/system-generators": "generators",
    "usr/lib/tmpfiles.d": "tmpfiles",
}


def build_root(
    *,
    base: Stage,
    cut: Cut,
    boot: Boot,
    hot: Hot,
    compression: str,
    directory: Path,
    say: Callable[[str], None],
) -> None:
    """Fill `directory`: `root.squashfs`, `root-hot.squashfs`, `root.json` (packages with versions, unpacked bytes)."""
    source = base.directory / "root"
    root = directory / "root"
    say("copying the base")
    run(["cp", "--archive", "--reflink=auto", source, root], timeout_s=600)
    say("cutting")
    drop_repeated(root, cut.repeated)
    packages = read_packages(root)
    cut_paths(root, cut)
    cut_boot(root, boot)
    make_stateless(root)
    say("compiling Python")
    modules = [root / "usr/lib/python3.13", root / "usr/lib/python3/dist-packages"]
    compile_python(root, source, modules, sourceless=True)
    size_bytes = sum(
        path.lstat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink()
    )
    say(f"packing {size_bytes / 1e6:.0f} MB with {compression}")
    build_layers(root, directory, "root", compression, hot.paths)
    write_json(directory / "root.json", {"packages": packages, "uncompressed_bytes": size_bytes})
    shutil.rmtree(root)


def read_packages(root: Path) -> dict[str, str]:
    """Installed Debian packages -> their versions, as dpkg knows them. Raises ToolError."""
    printed = run(["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show"], timeout_s=60).stdout
    table = (line.split("\t") for line in printed.splitlines())
    return {name.partition(":")[0]: version for name, version in table}


def cut_paths(root: Path, cut: Cut) -> None:
    """Remove the recipe's cut paths, except those it keeps."""
    for path in select_cut((f"/{p.relative_to(root)}" for p in _walk(root)), cut):
        (root / path.lstrip("/")).unlink()
    for directory in sorted((p for p in root.rglob("*") if p.is_dir() and not p.is_symlink()), reverse=True):
        inside = f"/{directory.relative_to(root)}"
        if any(is_below(inside, pattern) for pattern in cut.paths) and not any(directory.iterdir()):
            directory.rmdir()


def select_cut(paths: Iterable[str], cut: Cut) -> list[str]:
    """Those of the absolute paths that a recipe cuts."""
    return [
        path
        for path in paths
        if any(is_below(path, item) for item in cut.paths)
        and not any(is_below(path, item) for item in cut.keep)
    ]


def cut_boot(root: Path, boot: Boot) -> None:
    """Remove all that would act by itself and is not listed: wants of units, udev rules, generators, tmpfiles."""
    for directory in UNIT_DIRECTORIES:
        for link in sorted((root / directory).glob("*.wants/*")) + sorted(
            (root / directory).glob("*.requires/*")
        ):
            if link.name not in boot.units:
                link.unlink()
    for directory, field in ALLOWED_FILES.items():
        for path in sorted((root / directory).iterdir()):
            if path.name not in getattr(boot, field) and not path.is_dir():
                path.unlink()


def make_stateless(root: Path) -> None:
    """Leave nothing of the build host or of the installation, and nothing that makes systemd do first-boot work."""
    for path in _existing(
        root, ("etc/machine-id", "etc/resolv.conf", "etc/hostname", "etc/fstab", "etc/mtab")
    ):
        path.unlink()
    # An empty file: systemd makes an id for this boot and applies no presets. With a missing file or "uninitialized"
    # it would apply them.
    (root / "etc/machine-id").touch()
    (root / "etc/fstab").touch()
    for path in _existing(root, GENERATED):
        path.unlink()
    for name in ("var/log", "var/cache/apt", "var/lib/apt/lists", "tmp", "run", "var/tmp"):
        for path in (root / name).rglob("*") if (root / name).is_dir() else ():
            if path.is_file() or path.is_symlink():
                path.unlink()
    shadow = root / "etc/shadow"
    shadow.write_text(lock_passwords(shadow.read_text()))


def lock_passwords(shadow: str) -> str:
    """The text of /etc/shadow (shadow(5)) in which no account has a password, and none can log in with one; nor does it
    say when it was made."""
    return re.sub(r"^([^:]+):[^:]*:\d*:", rf"\1:*:{SOURCE_DAY}:", shadow, flags=re.MULTILINE)


def _existing(root: Path, names: Sequence[str]) -> list[Path]:
    return [root / name for name in names if (root / name).is_symlink() or (root / name).exists()]


def _walk(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_symlink() or not path.is_dir()]
