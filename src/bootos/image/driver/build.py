"""Build a driver's source into an rpm, as `rpmbuild -bb` does on a machine that runs the image's kernel.

The build happens in the clean root of `workshop`, under an overlay that is thrown away, without network. What a maker's
Makefile asks the running system (`uname -r`) is answered for the image's kernel. Called by `bootos driver build`.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.image.driver.source import Source, check_source_name
from bootos.process import run

RUN = Path(__file__).with_name("rpmbuild.sh")
_SHOWN_LINES = 15
_MOST_ERRORS = 8


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What a build made."""

    rpms: tuple[Path, ...]
    kernel_release: str
    log: Path


def check_root() -> None:
    """Raises BootosError; before a clean root is made, which needs root as well."""
    if os.geteuid() != 0:
        raise BootosError(
            "building a driver needs root: it has a root directory of its own", hint="run it with sudo"
        )


def build_driver(
    source: Source, workshop: Path, release: str, output: Path, say: Callable[[str], None]
) -> Built:
    """Build `source` in the clean root `workshop` for a kernel release; the rpms and the log go to `output`. Raises
    BootosError with the end of what the compiler said."""
    check_source_name(source)
    output.mkdir(parents=True, exist_ok=True)
    log = output / f"{Path(source.spec_name).stem}.log"
    lines: list[str] = []

    def keep(line: str) -> None:
        lines.append(line)
        say(line)

    with tempfile.TemporaryDirectory(prefix="building-", dir=workshop.parent.parent) as place:
        work = Path(place)
        top = work / "upper/root/rpmbuild"
        for name in ("SOURCES", "SPECS"):
            (top / name).mkdir(parents=True)
        for directory in (work / "upper", work / "upper/root"):
            directory.chmod(0o755)
        shutil.copyfile(source.tar, top / "SOURCES" / source.tar.name)
        (top / "SPECS" / source.spec_name).write_text(source.spec)
        done = run(
            [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--ipc"),
                *("sh", RUN, workshop.resolve(), work, release, source.spec_name),
            ],
            timeout_s=7200,
            check=False,
            on_line=keep,
        )
        log.write_text("\n".join(lines) + "\n")
        if done.returncode != 0:
            raise BootosError(
                f"{source.tar.name} does not build for kernel {release}:\n{find_reason(lines)}",
                hint=f"all of it is in {log}",
            )
        rpms = []
        for path in sorted((work / "upper/root/rpmbuild/RPMS").rglob("*.rpm")):
            target = output / path.name
            shutil.copyfile(path, target)
            rpms.append(target)
    if not rpms:
        raise BootosError(f"{source.spec_name} built no rpm", hint=f"its log is {log}")
    return Built(rpms=tuple(rpms), kernel_release=release, log=log)


def find_reason(lines: list[str]) -> str:
    """Why a build failed: the compiler's first errors, and how the output ended."""
    errors = [line for line in lines if re.search(r"\b(fatal )?error: |ERROR: modpost", line)][:_MOST_ERRORS]
    end = lines[-_SHOWN_LINES:]
    return "\n".join(f"    {line}" for line in [*(line for line in errors if line not in end), *end])
