"""From what was written to an open root to what goes into a layer: without caches and logs, without anything that would
act by itself in the booted machine unless it was asked for by name, and in a form that stacks.
"""

import os
import sqlite3
import stat
import tempfile
from collections.abc import Collection
from pathlib import Path

from bootos.image.squash import SOURCE_DATE

DROPPED = (
    *("run", "tmp", "dev", "proc", "sys", "var/tmp", "var/log", "var/cache", "var/lib/apt", "var/lib/dnf"),
    *("var/lib/rpm/.rpm.lock", "var/lib/systemd", "var/lib/dpkg/lock", "var/lib/dpkg/lock-frontend"),
    *("var/lib/dpkg/triggers/Lock", "etc/resolv.conf", "etc/machine-id", "root/.gnupg"),
)
"""Caches, logs, locks and what belongs to the running system; all of it is made again when it is used."""
OLD_COPIES = ("var/lib/dpkg/*-old", "etc/*-")
"""Where dpkg and passwd keep a file as it was before their change."""
UNIT_DIRECTORIES = ("etc/systemd/system", "usr/lib/systemd/system")
SELF_ACTING = (
    *("usr/lib/udev/rules.d", "etc/udev/rules.d", "usr/lib/systemd/system-generators"),
    *("etc/systemd/system-generators", "etc/cron.d", "etc/xdg/autostart"),
)
OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")
"""How an overlay marks a directory that hides the one below it: as root, and in a user namespace."""


def clean_upper(upper: Path, enabled: Collection[str], since: float) -> list[str]:
    """Remove what a layer must not hold from `upper`; the layers below are still open. Returns the units and rules
    that will not act by themselves, as `enabled` does not name them. `since` (of `read_clock`): when writing began."""
    flatten_database(upper / "var/lib/rpm/rpmdb.sqlite")
    for name in DROPPED:
        for path in (upper / name, *(upper / name).rglob("*")):
            if os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
                path.unlink()
    for pattern in OLD_COPIES:
        for path in upper.glob(pattern):
            path.unlink()
    silent = [path for path in find_self_acting(upper) if path.name not in enabled]
    for path in silent:
        path.unlink()
    expand_opaque(upper, upper.parent / "layers")
    # a directory in which nothing has changed is left out of the layer
    for path in sorted(upper.rglob("*"), reverse=True):
        if (
            path.is_dir()
            and not path.is_symlink()
            and not any(path.iterdir())
            and _is_touched_only(path, upper)
        ):
            path.rmdir()
    clamp_times(upper, since)
    return sorted({path.name for path in silent})


def read_clock(directory: Path) -> float:
    """Now, as a file made in `directory` would have it: some milliseconds behind time.time(), as a kernel stamps files
    with the time of its last tick."""
    with tempfile.TemporaryFile(dir=directory) as file:
        return os.fstat(file.fileno()).st_mtime


def clamp_times(upper: Path, since: float) -> None:
    """What was made since then, as databases and directories, gets the one time of every image; the files of packages
    keep theirs, which are older and which rpm verifies."""
    for path in (upper, *upper.rglob("*")):
        if path.lstat().st_mtime >= since:
            os.utime(path, (int(SOURCE_DATE), int(SOURCE_DATE)), follow_symlinks=False)


def find_self_acting(upper: Path) -> list[Path]:
    """The links that start units at boot, udev rules, generators, cron jobs."""
    found: list[Path] = []
    for directory in UNIT_DIRECTORIES:
        for kind in ("wants", "requires"):
            found += (upper / directory).glob(f"*.{kind}/*")
    for directory in SELF_ACTING:
        if (upper / directory).is_dir():
            found += (path for path in (upper / directory).iterdir() if not _is_whiteout(path))
    return sorted(found)


def find_kernel_modules(upper: Path) -> list[Path]:
    """Kernel modules among what was written: they need the checks of `bootos driver add`."""
    return sorted(path for path in (upper / "usr/lib/modules").rglob("*.ko*") if path.is_file())


def flatten_database(path: Path) -> None:
    """Bring what rpm's write-ahead log holds into the database itself; the log is gone then."""
    if path.is_file():
        database = sqlite3.connect(path)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def expand_opaque(upper: Path, opened: Path) -> None:
    """A directory that hides the one below it says so in an attribute, which a layer does not carry: hide each of the
    names below instead. `opened`: where `overlay.open_root` keeps the opened layers."""
    for directory in (path for path in upper.rglob("*") if path.is_dir() and not path.is_symlink()):
        if not set(OPAQUE) & set(os.listxattr(directory)):
            continue
        inside = directory.relative_to(upper)
        for layer in sorted(opened.glob("*")):
            for lower in (layer / inside).iterdir() if (layer / inside).is_dir() else ():
                if not os.path.lexists(directory / lower.name):
                    os.mknod(directory / lower.name, stat.S_IFCHR, os.makedev(0, 0))


def _is_whiteout(path: Path) -> bool:
    info = path.lstat()
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


def _is_touched_only(directory: Path, upper: Path) -> bool:
    inside = directory.relative_to(upper)
    return any((layer / inside).is_dir() for layer in (upper.parent / "layers").glob("*"))
