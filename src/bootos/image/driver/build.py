"""Build a driver's source into an rpm, as `rpmbuild -bb` does on a machine that runs the image's kernel.

The build happens in the clean root of `workshop`, without network. Called by `bootos driver build`.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.image.driver.enter import TOP, open_bench
from bootos.image.driver.source import Source, check_source_name
from bootos.process import run

_SHOWN_LINES = 15
_MOST_ERRORS = 8


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What a build made."""

    rpms: tuple[Path, ...]
    kernel_release: str
    log: Path


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

    with open_bench(workshop, release) as bench:
        shutil.copyfile(source.tar, bench.upper / TOP / "SOURCES" / source.tar.name)
        (bench.upper / TOP / "SPECS" / source.spec_name).write_text(source.spec)
        command = ("rpmbuild", "-bb", "--nodeps", f"/{TOP}/SPECS/{source.spec_name}")
        done = run(bench.build_argv(command, network=False), timeout_s=7200, check=False, on_line=keep)
        log.write_text("\n".join(lines) + "\n")
        if done.returncode != 0:
            raise BootosError(
                f"{source.tar.name} does not build for kernel {release}:\n{find_reason(lines)}",
                hint=f"all of it is in {log}",
            )
        rpms = bench.collect_rpms(output)
    if not rpms:
        raise BootosError(f"{source.spec_name} built no rpm", hint=f"its log is {log}")
    return Built(rpms=rpms, kernel_release=release, log=log)


def find_reason(lines: list[str]) -> str:
    """Why a build failed: the compiler's first errors, and how the output ended."""
    errors = [line for line in lines if re.search(r"\b(fatal )?error: |ERROR: modpost", line)][:_MOST_ERRORS]
    end = lines[-_SHOWN_LINES:]
    return "\n".join(f"    {line}" for line in [*(line for line in errors if line not in end), *end])
