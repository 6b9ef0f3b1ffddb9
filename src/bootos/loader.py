"""The boot loaders that firmware is sent, all Debian's: under which name, and where they lie in which package.

The image build lays them beside the image, in `loaders/`; the server serves them from there, or from its own host, and
`bootos image iso` takes them likewise.
"""

from typing import NamedTuple

DIRECTORY = "loaders"
"""Beside vmlinuz, in an image's directory."""


class Loader(NamedTuple):
    path: str
    package: str


LOADERS = {
    "lpxelinux.0": Loader("usr/lib/PXELINUX/lpxelinux.0", "pxelinux"),
    "pxelinux.0": Loader("usr/lib/PXELINUX/pxelinux.0", "pxelinux"),
    **{
        name: Loader(f"usr/lib/syslinux/modules/bios/{name}", "syslinux-common")
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
    "memdisk": Loader("usr/lib/syslinux/memdisk", "syslinux-common"),
    "undionly.kpxe": Loader("usr/lib/ipxe/undionly.kpxe", "ipxe"),
    "ipxe.efi": Loader("usr/lib/ipxe/ipxe.efi", "ipxe"),
    "snponly.efi": Loader("usr/lib/ipxe/snponly.efi", "ipxe"),
    # UEFI loads the shim. The shim loads grubx64.efi from the same directory, and checks that Debian signed it.
    "shimx64.efi": Loader("usr/lib/shim/shimx64.efi.signed", "shim-signed"),
    "grubx64.efi": Loader("usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed", "grub-efi-amd64-signed"),
}

MEDIUM_LOADERS = {
    # The shim on a medium loads this one as grubx64.efi; it finds its configuration on the medium, not by network.
    "gcdx64.efi": Loader("usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed", "grub-efi-amd64-signed"),
}
"""Also beside the image, for `bootos image iso`; firmware is never sent them."""
