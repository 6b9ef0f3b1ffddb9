"""Stage `rpmdb`: tell rpm and dnf what the Debian base provides, so that a vendor's RPM finds what it requires.

One package without files, `bootos-base`, is built and installed with the image's own rpm. It provides the sonames
and symbol versions of every library in the image, the interpreters' paths, and the Debian packages by name.
"""

import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from bootos.errors import BootosError
from bootos.image.recipe import Cut
from bootos.image.steps.root import read_packages, select_cut
from bootos.process import run

NAME = "bootos-base"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
PROGRAM_DIRECTORIES = ("usr/bin", "usr/sbin")
FIXED = ("rtld(GNU_HASH)",)
"""What rpm's own generators ask for and no file shows: the dynamic loader reads GNU hash tables."""


def build_rpmdb(base: Path, cut: Cut, version: str, directory: Path, say: Callable[[str], None]) -> None:
    """Fill `directory/root/var/lib/rpm`. `base` is the installed base; what `cut` removes is not promised."""
    work = directory / "work"
    run(["cp", "--archive", "--reflink=auto", base, work], timeout_s=600)
    libraries = [
        f"/{path.relative_to(work)}" for path in sorted((work / LIBRARIES).rglob("*.so*")) if path.is_file()
    ]
    kept = sorted(set(libraries) - set(select_cut(libraries, cut)))
    say(f"asking rpm what {len(kept)} libraries provide")
    printed = run(
        ["chroot", work, "/usr/lib/rpm/rpmdeps", "--provides"], input="\n".join(kept) + "\n", timeout_s=900
    ).stdout
    programs = [
        f"/{path.relative_to(work)}"
        for name in PROGRAM_DIRECTORIES
        for path in sorted((work / name).iterdir())
        if path.exists()
    ]
    programs = sorted(set(programs) - set(select_cut(programs, cut)))
    names = build_provides(parse_provides(printed), read_packages(work), programs)
    (work / "tmp/bootos-base.spec").write_text(build_spec(names, version))
    say(f"building {NAME} with {len(names)} provides")
    _rpm(work, "rpmbuild", "-bb", "--quiet", "--define", "_topdir /tmp/rpmbuild", "/tmp/bootos-base.spec")
    built = sorted((work / "tmp/rpmbuild/RPMS").rglob("*.rpm"))
    if len(built) != 1:
        raise BootosError(f"rpmbuild made {len(built)} packages instead of {NAME}")
    shutil.rmtree(work / "var/lib/rpm", ignore_errors=True)
    _rpm(work, "rpm", "--install", f"/{built[0].relative_to(work)}")
    if not (work / "var/lib/rpm/rpmdb.sqlite").is_file():
        raise BootosError("rpm left no database in /var/lib/rpm")
    (directory / "root/var/lib/rpm").mkdir(parents=True)
    shutil.copyfile(work / "var/lib/rpm/rpmdb.sqlite", directory / "root/var/lib/rpm/rpmdb.sqlite")
    shutil.rmtree(work)


def parse_provides(printed: str) -> list[str]:
    """The provides `rpmdeps` printed, one each line."""
    return sorted({line.strip() for line in printed.splitlines() if line.strip()})


def build_provides(
    libraries: Iterable[str], packages: Mapping[str, str], programs: Iterable[str]
) -> list[str]:
    """Everything the base provides, in rpm's words. Both spellings of a program's path count: rpm packages ask for
    /bin/sh as well as for /usr/bin/sh."""
    paths = set(programs)
    paths |= {path.removeprefix("/usr") for path in paths}
    named = {f"{name} = {rpm_version(version)}" for name, version in packages.items()}
    return sorted({*libraries, *named, *paths, *FIXED} - {""})


def rpm_version(debian: str) -> str:
    """A Debian version in the characters rpm allows in `epoch:version-release`."""
    epoch, _, rest = debian.rpartition(":")
    upstream, _, release = rest.rpartition("-") if "-" in rest else (rest, "", "")
    parts = [re.sub(r"[^A-Za-z0-9._+~^]", "_", part) for part in (upstream, release)]
    version = f"{parts[0]}-{parts[1]}" if parts[1] else parts[0]
    return f"{epoch}:{version}" if epoch else version


def build_spec(provides: Iterable[str], version: str) -> str:
    """The spec file of the package."""
    lines = [
        f"Name: {NAME}",
        f"Version: {rpm_version(version)}",
        "Release: 1",
        "Summary: What the Debian base of BootOS provides",
        "License: Apache-2.0",
        *(f"Provides: {name}" for name in provides),
        "%description",
        "Lets packages that require libraries and programs of the base be installed.",
        "%files",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _rpm(root: Path, *argv: str) -> None:
    run(["chroot", root, *argv], env={"HOME": "/root", "LC_ALL": "C.UTF-8", "TMPDIR": "/tmp"}, timeout_s=900)
