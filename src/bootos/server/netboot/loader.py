"""The boot loaders: Debian's, copied from the host into the TFTP root, and which of them each kind of firmware is sent.

A loader that is not installed makes the boot paths unavailable that begin with it, and no others. Called by `tree` and
`dnsmasq`.
"""

import logging
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.server.files import write_atomically
from bootos.server.settings import Settings

log = logging.getLogger(__name__)

LOADERS = {
    "lpxelinux.0": ("/usr/lib/PXELINUX/lpxelinux.0", "pxelinux"),
    "pxelinux.0": ("/usr/lib/PXELINUX/pxelinux.0", "pxelinux"),
    **{
        name: (f"/usr/lib/syslinux/modules/bios/{name}", "syslinux-common")
        for name in (
            "ldlinux.c32",
            "menu.c32",
            "libutil.c32",
            "libcom32.c32",
            "chain.c32",
            "mboot.c32",
            "libgpl.c32",
        )
    },
    "memdisk": ("/usr/lib/syslinux/memdisk", "syslinux-common"),
    "undionly.kpxe": ("/usr/lib/ipxe/undionly.kpxe", "ipxe"),
    "ipxe.efi": ("/usr/lib/ipxe/ipxe.efi", "ipxe"),
    "snponly.efi": ("/usr/lib/ipxe/snponly.efi", "ipxe"),
    # UEFI loads the shim, which loads grubx64.efi from beside it and checks that Debian signed it.
    "shimx64.efi": ("/usr/lib/shim/shimx64.efi.signed", "shim-signed"),
    "grubx64.efi": ("/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed", "grub-efi-amd64-signed"),
}

# What a boot path needs; firmware is sent the first, which loads the others from beside itself.
BIOS_PXE = {"native": ("lpxelinux.0", "ldlinux.c32", "libutil.c32", "menu.c32"), "ipxe": ("undionly.kpxe",)}
UEFI_PXE = {"native": ("shimx64.efi", "grubx64.efi"), "ipxe": ("ipxe.efi",)}
_HTTP_REQUEST = b" HTTP/1.1\r\nHost: "  # of GRUB's http module


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """The file that firmware is sent for each boot path; empty: that path is not available, and `problems` says why."""

    bios: str = ""
    uefi: str = ""
    http: str = ""
    problems: tuple[str, ...] = ()


def copy_loaders(settings: Settings, host_root: Path) -> None:
    """Copy what the host has. Raises BootosError when something is missing and `--tftp` asked for it."""
    sources = {name: host_root / path.lstrip("/") for name, (path, _) in LOADERS.items()}
    missing = {name: LOADERS[name][1] for name, source in sources.items() if not source.is_file()}
    if missing:
        hint = f"apt-get install {' '.join(sorted(set(missing.values())))}"
        if settings.tftp:
            raise BootosError(f"boot loaders are not installed: {', '.join(missing)}", hint=hint)
        log.warning(
            "not in %s, as they are not installed: %s (%s)", settings.tftp_root, ", ".join(missing), hint
        )
    for name, source in sources.items():
        if name in missing:
            continue
        content = source.read_bytes()
        target = settings.tftp_root / name
        if not target.is_file() or target.read_bytes() != content:
            write_atomically(target, content, mode=0o644)


def find_offer(settings: Settings) -> Offer:
    """What can be booted with the loaders that are in the TFTP root."""
    problems = list[str]()

    def find(title: str, names: tuple[str, ...]) -> str:
        missing = [name for name in names if not (settings.tftp_root / name).is_file()]
        if missing:
            packages = " ".join(sorted({LOADERS[name][1] for name in missing}))
            problems.append(
                f"{title} is not available, as {', '.join(missing)} is not in {settings.tftp_root}: "
                f"apt-get install {packages}, then start the server again"
            )
        return "" if missing else names[0]

    bios = find("BIOS PXE", BIOS_PXE[settings.boot_loader])
    uefi = find("UEFI PXE", UEFI_PXE[settings.boot_loader])
    # The signed shim where its GRUB reads HTTP (Debian 13's does), else unsigned iPXE.
    if uefi == "shimx64.efi" and _HTTP_REQUEST in (settings.tftp_root / "grubx64.efi").read_bytes():
        http = uefi
    else:
        http = find("UEFI HTTP Boot", ("ipxe.efi",))
    return Offer(bios=bios, uefi=uefi, http=http, problems=tuple(problems))
