"""A TFTP directory for a lab without a BootOS server: pxelinux, its modules and the documented `pxelinux.cfg/default`.

With `bootos serve` the server lays out its own directory (`<data>/tftp`) and this is not used.
"""

import shutil
from pathlib import Path

from bootos.errors import BootosError
from bootos.lab.preflight import PXE_LOADER, PXE_MODULES

_MODULES = ("ldlinux.c32", "menu.c32", "libutil.c32", "libcom32.c32")


def build_default_menu(boot_url: str, *, append: str) -> str:
    """The documented menu with the kernel and initrd below `boot_url`."""
    return f"""DEFAULT menu.c32
PROMPT 0
TIMEOUT 30

LABEL bootos
MENU LABEL ^BootOS
MENU DEFAULT
KERNEL {boot_url}/vmlinuz
APPEND initrd={boot_url}/initrd.img {append}
IPAPPEND 2
"""


def build_tftp_root(directory: Path, menu: str) -> Path:
    """Lay out `directory` for a boot by PXE; returns it. Raises BootosError when pxelinux is not installed."""
    configuration = directory / "pxelinux.cfg"
    configuration.mkdir(parents=True, exist_ok=True)
    for source in (Path(PXE_LOADER), *(Path(PXE_MODULES) / module for module in _MODULES)):
        try:
            shutil.copyfile(source, directory / source.name)
        except FileNotFoundError as cause:
            raise BootosError(
                f"{source} is missing", hint="apt-get install pxelinux syslinux-common"
            ) from cause
    (configuration / "default").write_text(menu)
    return directory
