"""Processor microcode: the first segment of the initrd, uncompressed, which the kernel reads before it unpacks anything
(Documentation/arch/x86/microcode.rst). Called by stage `kernel` where the recipe asks for it.
"""

import shutil
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from bootos.errors import BootosError
from bootos.image.cpio import write_cpio

PACKAGES = ("amd64-microcode", "intel-microcode")
ARCHIVE = "microcode.cpio"
# The parts of the early archive by their names: where Debian's packages have them, below usr/lib/firmware.
SOURCES = {
    "AuthenticAMD.bin": "amd-ucode/microcode_amd*.bin",
    "GenuineIntel.bin": "intel-ucode/*",
}


def build_microcode(tree: Path, wanted: Sequence[str], directory: Path) -> None:
    """Fill `directory/microcode.cpio` from unpacked packages; `wanted` are patterns, as intel-ucode/06-8f-*.
    Raises BootosError: they match nothing."""
    firmware = tree / "usr/lib/firmware"
    root = directory / "microcode"
    target = root / "kernel/x86/microcode"
    target.mkdir(parents=True)
    for name, pattern in SOURCES.items():
        parts = [path for path in sorted(firmware.glob(pattern)) if _is_wanted(path, firmware, wanted)]
        if parts:
            (target / name).write_bytes(b"".join(path.read_bytes() for path in parts))
    if not any(target.iterdir()):
        raise BootosError(f"firmware.microcode_files names no microcode: {', '.join(wanted)}")
    with (directory / ARCHIVE).open("wb") as output:
        write_cpio(output, root)
    shutil.rmtree(root)


def _is_wanted(path: Path, firmware: Path, wanted: Sequence[str]) -> bool:
    inside = path.relative_to(firmware).as_posix()
    return path.is_file() and any(fnmatchcase(inside, pattern) for pattern in wanted)
