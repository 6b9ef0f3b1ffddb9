"""The clean root that drivers are built in: Debian's compiler, rpmbuild, yum, and the headers of one kernel release.

Made with mmdebstrap from the archive that the image was made from, once for each kernel, and kept in the build cache.
Called by `build` and, for the kernel's symbols, by `check`. Nothing is ever written into a finished one.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bootos.errors import BootosError
from bootos.image.archive import KEYRING, build_sources, read_host_mirrors
from bootos.image.cache import Cache, Event, Hear, Stage, remove_tree
from bootos.image.driver import equipment
from bootos.image.layers.core import Image
from bootos.image.segment import read_segments
from bootos.process import run

PACKAGES = (
    *("gcc", "libc6-dev", "make", "rpm", "kmod", "patch", "bzip2", "xz-utils"),
    *("dnf", "createrepo-c", "wget", "ca-certificates"),
)
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
FILED_BELOW = "driver"
"""Below the build cache, with a lock of its own: an image can be built meanwhile."""


def make_workshop(release: str, sources: str, cache_dir: Path, report: Hear) -> Stage:
    """The clean root for a kernel release; `sources` is the image's sources.list. Raises BootosError."""
    cache = Cache((cache_dir / FILED_BELOW).resolve(), report)
    with cache.locked():
        return cache.make(
            "workshop",
            partial(build_workshop, release=release, packages=PACKAGES),
            makes=["root"],
            tools={
                "sources": sources,
                "say": lambda line: report(Event(stage="workshop", state="progress", detail=line)),
            },
        )


def read_sources(image: Image) -> str:
    """The apt sources that an image was made from; empty when its base does not hold them any more."""
    for segment in reversed(read_segments(image.initrd)):
        if segment.is_layer:
            argv = ["unsquashfs", "-offset", str(segment.file_offset), "-cat", str(image.initrd)]
            if sources := run([*argv, "etc/apt/sources.list"], check=False).stdout:
                return sources
    return ""


def find_symbols(release: str, cache_dir: Path) -> Path | None:
    """`Module.symvers` of a kernel release, where a clean root for it is at hand."""
    found = sorted((cache_dir / FILED_BELOW).glob(f"workshop-*/root/{find_headers(release)}/Module.symvers"))
    return found[-1] if found else None


def find_headers(release: str) -> str:
    """Where Debian puts the headers, without a leading slash."""
    return f"usr/src/linux-headers-{release}"


def build_workshop(
    *, release: str, packages: Sequence[str], sources: str, directory: Path, say: Callable[[str], None]
) -> None:
    """Fill `directory/root`. A kernel that the release itself does not have is looked for in its backports. Raises
    BootosError."""
    root = directory / "root"
    package = f"linux-headers-{release}"
    suite, lines = choose_sources(sources)
    for tried in (lines, [*lines, add_backports(lines[0], suite)]):
        done = run(
            [
                *("mmdebstrap", "--mode=root", "--variant=apt", "--architectures=amd64", "--components=main"),
                f"--include={','.join((*packages, package))}",
                *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
                '--aptopt=Acquire::Retries "3"',
                *(suite, str(root), *tried),
            ],
            timeout_s=3600,
            env={"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
            on_line=lambda line: say(line.removeprefix("I: ")) if line.startswith("I: ") else None,
            check=False,
        )
        if done.returncode == 0:
            equipment.equip(root, release, say)
            return
        remove_tree(root)
        if f"Unable to locate package {package}" not in done.stderr:
            raise BootosError(
                f"the clean root for building drivers could not be made: {done.stderr.strip()[-1500:]}"
            )
    raise BootosError(
        f"the Debian archive does not offer {package}, the headers of this image's kernel",
        hint="when Debian has replaced that kernel: bootos image build, then build the driver for the new one",
    )


def choose_sources(sources: str) -> tuple[str, list[str]]:
    """(suite, `deb` lines) for the clean root from an image's sources.list; an image without one: the host's mirror.
    Raises BootosError: neither names one."""
    lines = [line for line in sources.splitlines() if line.startswith("deb ")]
    lines = [re.sub(r"^deb (?:\[[^\]]*\] )?", f"deb [signed-by={KEYRING}] ", line) for line in lines]
    lines = lines or build_sources(read_host_mirrors(), "trixie", ("main",)).splitlines()
    if not lines:
        raise BootosError("neither the image nor this host names a Debian mirror")
    return lines[0].split("] ", 1)[1].split()[1], lines


def add_backports(line: str, suite: str) -> str:
    """The same source for the backports of `suite`."""
    return line.replace(f" {suite} ", f" {suite}-backports ")
