"""The TFTP root, `<data>/tftp`: boot loaders and `pxelinux.cfg/default`. Laid out at each start of the server.

The boot loaders are Debian's (packages pxelinux and syslinux-common). The default file has the documented form;
one that the operator has edited is left as it is, told by the hash of what was written here last.
"""

import hashlib
import logging
from pathlib import Path

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
}


def lay_out(settings: Settings, public_url: str, *, host_root: Path = Path("/")) -> None:
    """Bring the TFTP root up to date. Raises BootosError when boot loaders are missing and were asked for."""
    if settings.tftp is not False:
        _copy_loaders(settings, host_root)
    write_default(settings, public_url)


def _copy_loaders(settings: Settings, host_root: Path) -> None:
    sources = {name: host_root / path.lstrip("/") for name, (path, _) in LOADERS.items()}
    missing = sorted({LOADERS[name][1] for name, source in sources.items() if not source.is_file()})
    if missing:
        hint = f"apt-get install {' '.join(missing)}"
        if settings.tftp:
            raise BootosError("the boot loaders for PXE are not installed", hint=hint)
        log.warning("no boot loaders in %s: they are not installed (%s)", settings.tftp_root, hint)
        return
    for name, source in sources.items():
        content = source.read_bytes()
        target = settings.tftp_root / name
        if not target.is_file() or target.read_bytes() != content:
            write_atomically(target, content, mode=0o644)


def render_default(public_url: str, append: str) -> str:
    """`pxelinux.cfg/default` in the documented form."""
    words = " ".join(
        [
            f"initrd={public_url}/bootos/initrd.img",
            "console=tty0 selinux=0 biosdevname=0",
            f"SERVER_ADDR={public_url}",
            *append.split(),
        ]
    )
    return (
        "DEFAULT menu.c32\n"
        "PROMPT 0\n"
        "TIMEOUT 30\n"
        "\n"
        "LABEL bootos\n"
        "MENU LABEL ^BootOS\n"
        "MENU DEFAULT\n"
        f"KERNEL {public_url}/bootos/vmlinuz\n"
        f"APPEND {words}\n"
        "IPAPPEND 2\n"
    )


def write_default(settings: Settings, public_url: str) -> bool:
    """Write the default file; False when the operator has edited it and it was left alone."""
    path, marker = settings.pxe_directory / "default", settings.data / "pxelinux-default.sha256"
    content = render_default(public_url, settings.append).encode()
    digest = hashlib.sha256(content).hexdigest()
    if path.is_file():
        present = hashlib.sha256(path.read_bytes()).hexdigest()
        written = marker.read_text().strip() if marker.is_file() else ""
        if present not in (digest, written):
            log.warning("%s was edited by hand and is left as it is; remove it to have it written", path)
            return False
        if present == digest == written:
            return True
    write_atomically(marker, (digest + "\n").encode(), mode=0o644)
    write_atomically(path, content, mode=0o644)
    return True
