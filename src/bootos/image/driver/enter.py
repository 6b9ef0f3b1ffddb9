"""Work in the clean root of `workshop`: an overlay takes what is written, and is thrown away.

Called by `build` (rpmbuild, without network) and `shell` (a person, or the commands of one, with network).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.image.layers.chroot import PROXIES

ENTER = Path(__file__).with_name("enter.sh")
TOP = "root/rpmbuild"
APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--ipc")


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """A place to work at: `upper` has what is written."""

    workshop: Path
    work: Path
    release: str

    @property
    def upper(self) -> Path:
        """Where all that is written lands."""
        return self.work / "upper"

    def build_argv(self, command: Sequence[str], *, network: bool) -> list[str | Path]:
        """How to run a command there, in /root, with nothing of the host's environment but its terminal and proxies."""
        env = {
            "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "TERM": os.environ.get("TERM", "dumb") if network else "dumb",
            "BUILD_KERNEL": self.release,
            "KVER": self.release,
            "MAKEFLAGS": f"-j{os.cpu_count() or 1}",
        }
        if network:
            env.update({key: value for key, value in os.environ.items() if key.lower() in PROXIES})
        return [
            *(*APART, *(() if network else ("--net",))),
            *("sh", ENTER, self.workshop.resolve(), self.work),
            *("/usr/bin/env", "-i", "-C", "/root", *(f"{key}={value}" for key, value in env.items())),
            *command,
        ]

    def collect_rpms(self, output: Path) -> tuple[Path, ...]:
        """Copy the built rpms out; returns where they are now."""
        rpms = []
        for path in sorted((self.upper / TOP / "RPMS").rglob("*.rpm")):
            output.mkdir(parents=True, exist_ok=True)
            rpms.append(Path(shutil.copyfile(path, output / path.name)))
        return tuple(rpms)


def check_root() -> None:
    """Raises BootosError; before a clean root is made, which needs root as well."""
    if os.geteuid() != 0:
        raise BootosError(
            "building a driver needs root: it has a root directory of its own", hint="run it with sudo"
        )


@contextmanager
def open_bench(workshop: Path, release: str) -> Iterator[Bench]:
    """A new place to work at in the clean root `workshop` for a kernel release; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="building-", dir=workshop.parent.parent) as place:
        bench = Bench(workshop=workshop, work=Path(place), release=release)
        for name in ("SOURCES", "SPECS"):
            (bench.upper / TOP / name).mkdir(parents=True)
        for directory in (bench.upper, bench.upper / "root"):
            directory.chmod(0o755)
        yield bench
