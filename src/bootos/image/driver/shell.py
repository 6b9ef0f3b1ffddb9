"""A shell in the clean root of `workshop`, where the commands of a driver's own instructions run as they are written:
`yum install kernel-devel gcc`, `wget`, `rpmbuild -bb`. What they built is kept. Called by `bootos driver shell`.
"""

import shutil
import sys
from pathlib import Path

import msgspec

from bootos.image.driver.enter import open_bench
from bootos.process import attach

TAKEN = ("etc/resolv.conf", "etc/hosts", "etc/ssl/certs/ca-certificates.crt")
"""From the host: what it resolves and trusts is resolved and trusted there too."""


class Worked(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a shell: the rpms that were built, and its exit code."""

    rpms: tuple[Path, ...]
    kernel_release: str
    exit_code: int


def work_in_shell(workshop: Path, release: str, output: Path, *, to_stderr: bool = False) -> Worked:
    """Let the person at the terminal work there, or run the commands on standard input up to the first that fails. The
    rpms below /root/rpmbuild/RPMS go to `output` in either case."""
    with open_bench(workshop, release) as bench:
        for name in TAKEN:
            if Path("/", name).is_file():
                (bench.upper / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path("/", name), bench.upper / name)
        command = ("bash",) if sys.stdin.isatty() else ("bash", "-e")
        code = attach(bench.build_argv(command, network=True), to_stderr=to_stderr)
        return Worked(rpms=bench.collect_rpms(output), kernel_release=release, exit_code=code)
