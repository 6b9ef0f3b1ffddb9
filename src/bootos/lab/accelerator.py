"""Choose how QEMU runs a guest: `kvm` when a throw-away guest really runs with it, else `tcg`.

/dev/kvm may exist and hang its guest (nested virtualization switched off half way), so its presence proves
nothing. BOOTOS_LAB_ACCELERATOR=kvm or =tcg overrides the trial.
"""

import functools
import os
import tempfile
from pathlib import Path
from typing import Literal, cast

from bootos.errors import BootosError
from bootos.lab.qemu import PROGRAM
from bootos.process import ToolError, run

Accelerator = Literal["kvm", "tcg"]
VARIABLE = "BOOTOS_LAB_ACCELERATOR"

_TRIAL_S = 8.0
# A boot sector: write 0x21 to port 0xf4 (isa-debug-exit, which ends QEMU with twice the value plus one), halt.
_BOOT_SECTOR = (b"\xb0\x21\xe6\xf4\xf4\xeb\xfd").ljust(510, b"\0") + b"\x55\xaa"
_DISK_BYTES = 1024 * 1024  # SeaBIOS does not boot from less than a cylinder
_EXPECTED_EXIT = 0x21 * 2 + 1


@functools.cache
def choose_accelerator() -> Accelerator:
    """`kvm` or `tcg`, tried once per process. Raises BootosError when the variable has another value."""
    forced = os.environ.get(VARIABLE, "")
    if forced and forced not in ("kvm", "tcg"):
        raise BootosError(f"{VARIABLE}={forced} is unknown", hint="use kvm or tcg")
    if forced:
        return cast(Accelerator, forced)
    return "kvm" if Path("/dev/kvm").exists() and is_working("kvm") else "tcg"


def is_working(accelerator: str) -> bool:
    """Whether a guest of one boot sector runs to its end with this accelerator within a few seconds."""
    with tempfile.TemporaryDirectory(prefix="bootos-lab-") as directory:
        disk = Path(directory) / "boot.img"
        disk.write_bytes(_BOOT_SECTOR.ljust(_DISK_BYTES, b"\0"))
        argv = [PROGRAM, "-accel", accelerator, "-machine", "q35", "-cpu", "max", "-m", "64", "-nodefaults"]
        argv += ["-display", "none", "-drive", f"file={disk},format=raw"]
        argv += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-smp", "2"]
        try:
            done = run(argv, timeout_s=_TRIAL_S, check=False)
        except ToolError:
            return False
        return done.returncode == _EXPECTED_EXIT
