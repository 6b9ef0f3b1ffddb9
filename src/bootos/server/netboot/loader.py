"""The boot loaders in the TFTP root: those that the default image brings, else the host's; and which of them each kind
of firmware is sent.

A loader that is not there makes the boot paths unavailable that begin with it, and no others. Called by `tree` and
`dnsmasq`.
"""

import logging
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.files import write_atomically
from bootos.loader import DIRECTORY, LOADERS
from bootos.server.settings import Settings

log = logging.getLogger(__name__)

# The files of each boot path. Firmware gets the first, which loads the others from its own directory.
BIOS_PXE = {"native": ("lpxelinux.0", "ldlinux.c32", "libutil.c32", "menu.c32"), "ipxe": ("undionly.kpxe",)}
UEFI_PXE = {"native": ("shimx64.efi", "grubx64.efi"), "ipxe": ("ipxe.efi",)}
_HTTP_REQUEST = b" HTTP/1.1\r\nHost: "  # this text is in GRUB's http module


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """The file that firmware is sent for each boot path; empty: that path is not available, and `problems` says why."""

    bios: str = ""
    uefi: str = ""
    http: str = ""
    problems: tuple[str, ...] = ()


def copy_loaders(settings: Settings, image: Path | None, host_root: Path) -> dict[str, str]:
    """Copy those that the image brings, else the host's; returns what neither has, with its package."""
    missing = {}
    for name, (path, package) in LOADERS.items():
        places = [image / DIRECTORY / name] if image is not None else []
        source = next((place for place in (*places, host_root / path) if place.is_file()), None)
        if source is None:
            missing[name] = package
            continue
        content, target = source.read_bytes(), settings.tftp_root / name
        if not target.is_file() or target.read_bytes() != content:
            write_atomically(target, content, mode=0o644)
    return missing


def check_missing(settings: Settings, missing: dict[str, str]) -> None:
    """Say which loaders there are not. Raises BootosError when `--tftp` asked for them."""
    if not missing:
        return
    hint = f"take an image that brings them, or apt-get install {' '.join(sorted(set(missing.values())))}"
    if settings.tftp:
        raise BootosError(f"there are no boot loaders {', '.join(missing)}", hint=hint)
    log.warning("neither the image nor this host has %s (%s)", ", ".join(missing), hint)


def read_stamp(settings: Settings) -> tuple[int, ...]:
    """When each loader in the TFTP root was changed, in ns, 0 where there is none: another value when one has come or
    was replaced."""
    paths = (settings.tftp_root / name for name in LOADERS)
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)


def find_offer(settings: Settings) -> Offer:
    """What can be booted with the loaders that are in the TFTP root."""
    problems = list[str]()

    def find(title: str, names: tuple[str, ...]) -> str:
        missing = [name for name in names if not (settings.tftp_root / name).is_file()]
        if missing:
            packages = " ".join(sorted({LOADERS[name].package for name in missing}))
            problems.append(
                f"{title} is not available, as {', '.join(missing)} is not in {settings.tftp_root}: take an image that "
                f"brings it, or apt-get install {packages} and start the server again"
            )
        return "" if missing else names[0]

    bios = find("BIOS PXE", BIOS_PXE[settings.boot_loader])
    uefi = find("UEFI PXE", UEFI_PXE[settings.boot_loader])
    # The signed shim, if its GRUB can read HTTP (that of Debian 13 can), else iPXE, which is not signed.
    if uefi == "shimx64.efi" and _HTTP_REQUEST in (settings.tftp_root / "grubx64.efi").read_bytes():
        http = uefi
    else:
        http = find("UEFI HTTP Boot", ("ipxe.efi",))
    return Offer(bios=bios, uefi=uefi, http=http, problems=tuple(problems))
