"""The UEFI firmware of lab machines: where Debian's package `ovmf` has it, and each machine's copy of its variables."""

import shutil
from pathlib import Path

from bootos.lab.spec import MachineSpec

_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
_SECURE_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd")
_SECURE_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.ms.fd")


def find_code(spec: MachineSpec) -> Path:
    """The firmware that all machines share. It is of no use to a machine with a BIOS."""
    return _SECURE_CODE if spec.firmware == "uefi-secure" else _CODE


def create_variables(spec: MachineSpec, directory: Path) -> Path:
    """The file with the machine's own variables in its directory; made when it is missing and the machine has UEFI.
    With Secure Boot it begins with Microsoft's keys."""
    path = directory / "uefi-variables.fd"
    if spec.firmware != "bios" and not path.exists():
        shutil.copyfile(_SECURE_VARIABLES if spec.firmware == "uefi-secure" else _VARIABLES, path)
    return path
