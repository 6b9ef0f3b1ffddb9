"""The TFTP root, `<data>/tftp`, also served at /bootos/netboot: boot loaders and their configuration, laid out at each
start of the server.

The loaders are Debian's; one that is not installed is left out and said. `pxelinux.cfg/default` is the one source: what
iPXE and GRUB read is rendered from it. One that the operator has edited is left as it is, told by the hash of what was
written here last.
"""

import hashlib
import logging
from pathlib import Path

from bootos.errors import BootosError
from bootos.server.files import write_atomically
from bootos.server.netboot.entry import build_bootos_menu
from bootos.server.netboot.grub import render_grub
from bootos.server.netboot.ipxe import render_ipxe
from bootos.server.netboot.kexec import render_kexec
from bootos.server.netboot.pxelinux import parse_pxelinux, render_pxelinux
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

GRUB = "grub"  # the prefix that is built into Debian's signed network GRUB
IPXE = "ipxe"
IPXE_SCRIPT = "boot.ipxe"
KEXEC_SCRIPT = "kexec.sh"
_HTTP_REQUEST = b" HTTP/1.1\r\nHost: "  # of GRUB's http module


def lay_out(settings: Settings, public_url: str, *, host_root: Path = Path("/")) -> None:
    """Bring the TFTP root up to date. Raises BootosError when boot loaders are missing and were asked for."""
    if settings.tftp is not False:
        _copy_loaders(settings, host_root)
    write_default(settings, public_url)
    write_renderings(settings, public_url)


def _copy_loaders(settings: Settings, host_root: Path) -> None:
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


def find_http_loader(tftp_root: Path) -> str:
    """What UEFI HTTP Boot is sent: the signed shim where its GRUB reads HTTP (Debian 13's does), else unsigned iPXE."""
    grub = tftp_root / "grubx64.efi"
    return "shimx64.efi" if grub.is_file() and _HTTP_REQUEST in grub.read_bytes() else "ipxe.efi"


def render_default(public_url: str, append: str) -> str:
    """`pxelinux.cfg/default` in the documented form."""
    return render_pxelinux(build_bootos_menu(public_url, append))


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


def write_renderings(settings: Settings, public_url: str) -> None:
    """Write what the other loaders read, from the default file as it is now."""
    root = settings.tftp_root
    menu = parse_pxelinux((settings.pxe_directory / "default").read_text(errors="replace"))
    for problem in menu.problems:
        log.warning("pxelinux.cfg/default: not for iPXE and GRUB: %s", problem)
    for directory in (root / GRUB, root / IPXE):
        directory.mkdir(parents=True, exist_ok=True)
    write_atomically(root / GRUB / "grub.cfg", render_grub(menu).encode(), mode=0o644)
    write_atomically(root / IPXE_SCRIPT, render_ipxe(menu).encode(), mode=0o644)
    write_atomically(root / KEXEC_SCRIPT, render_kexec(menu, public_url).encode(), mode=0o644)
    _link_boot_files(root / "bootos", settings.boot_files.absolute())


def _link_boot_files(link: Path, target: Path) -> None:
    """`bootos` in the TFTP root: the boot files for a GRUB that cannot read HTTP."""
    if link.is_symlink() and link.readlink() == target:
        return
    if link.is_symlink():
        link.unlink()
    if not link.exists():
        link.symlink_to(target)
