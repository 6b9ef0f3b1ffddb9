"""What the lab needs on this host, what of it is missing, and how to install it: all at once.

Called by `bootos lab check`, and by everything that starts a machine, before it starts the first process.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from bootos.errors import BootosError

Part = Literal["machine", "pxe", "uefi", "bmc", "disk", "layer"]


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """One command or file. `package` is Debian's; `part` is what does not work without it."""

    name: str
    package: str
    part: Part
    is_file: bool = False


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A requirement and where it was found; `path` is empty when it is missing."""

    requirement: Requirement
    path: str


PXE_LOADER = "/usr/lib/PXELINUX/lpxelinux.0"
PXE_MODULES = "/usr/lib/syslinux/modules/bios"

REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement(name="qemu-system-x86_64", package="qemu-system-x86", part="machine"),
    Requirement(name="qemu-img", package="qemu-utils", part="machine"),
    Requirement(name="/usr/share/seabios/bios-256k.bin", package="seabios", part="machine", is_file=True),
    Requirement(name="/usr/lib/ipxe/qemu/efi-virtio.rom", package="ipxe-qemu", part="pxe", is_file=True),
    Requirement(name=PXE_LOADER, package="pxelinux", part="pxe", is_file=True),
    *(
        Requirement(name=f"{PXE_MODULES}/{module}", package="syslinux-common", part="pxe", is_file=True)
        for module in ("ldlinux.c32", "menu.c32", "libutil.c32", "libcom32.c32")
    ),
    Requirement(name="/usr/share/OVMF/OVMF_CODE_4M.fd", package="ovmf", part="uefi", is_file=True),
    Requirement(name="/usr/share/OVMF/OVMF_VARS_4M.fd", package="ovmf", part="uefi", is_file=True),
    Requirement(name="/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", package="ovmf", part="uefi", is_file=True),
    Requirement(name="/usr/share/OVMF/OVMF_VARS_4M.ms.fd", package="ovmf", part="uefi", is_file=True),
    Requirement(name="ipmi_sim", package="openipmi", part="bmc"),
    Requirement(name="ipmitool", package="ipmitool", part="bmc"),
    Requirement(name="mdadm", package="mdadm", part="disk"),
    Requirement(name="sfdisk", package="fdisk", part="disk"),
    Requirement(name="blkid", package="util-linux", part="disk"),
    Requirement(name="mksquashfs", package="squashfs-tools", part="layer"),
)

_SYSTEM_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def find_requirements(
    *,
    parts: Sequence[Part] = ("machine", "pxe", "uefi", "bmc", "disk", "layer"),
    root: Path = Path("/"),
    env: Mapping[str, str] = os.environ,
) -> list[Finding]:
    """Each requirement of these parts and where it is, in the order of REQUIREMENTS."""
    search = os.pathsep.join((env.get("PATH", os.defpath), *_SYSTEM_DIRECTORIES))
    findings = []
    for requirement in REQUIREMENTS:
        if requirement.part not in parts:
            continue
        if requirement.is_file:
            path = root / requirement.name.lstrip("/")
            found = str(path) if path.exists() else ""
        else:
            found = shutil.which(requirement.name, path=search) or ""
        findings.append(Finding(requirement=requirement, path=found))
    return findings


def find_missing_packages(findings: Sequence[Finding]) -> list[str]:
    """The Debian packages that bring what is missing, each once, sorted."""
    return sorted({finding.requirement.package for finding in findings if not finding.path})


def check_host(*parts: Part) -> None:
    """Raises BootosError that names everything missing for these parts, and the one command that installs it."""
    findings = find_requirements(parts=parts) if parts else find_requirements()
    missing = [finding.requirement for finding in findings if not finding.path]
    if not missing:
        return
    lines = "".join(f"\n  - {item.name} (for the {item.part} part)" for item in missing)
    packages = " ".join(find_missing_packages(findings))
    raise BootosError(f"the lab lacks:{lines}", hint=f"apt-get install --no-install-recommends {packages}")
