"""The TFTP root, `<data>/tftp`, also served at /bootos/netboot: boot loaders, their configuration, and links to the
images; laid out at each start of the server, and brought up to date when another image is the default.

`pxelinux.cfg/default` is the one source: what iPXE and GRUB read is rendered from it. One that the operator has edited
is left as it is, told by the hash of what was written here last.
"""

import hashlib
import logging
from pathlib import Path

from bootos.files import write_atomically
from bootos.server.image.manifest import LOCAL
from bootos.server.image.shelf import Shelf
from bootos.server.netboot.entry import build_bootos_menu
from bootos.server.netboot.grub import render_grub
from bootos.server.netboot.ipxe import render_ipxe
from bootos.server.netboot.kexec import render_kexec
from bootos.server.netboot.link import ADVICE, find_link_out
from bootos.server.netboot.loader import check_missing, copy_loaders
from bootos.server.netboot.pxe_file import name_version
from bootos.server.netboot.pxelinux import parse_pxelinux, render_pxelinux
from bootos.server.settings import Settings
from bootos.wire.manifest import REQUIRED

log = logging.getLogger(__name__)

GRUB = "grub"  # the prefix that is built into Debian's signed network GRUB
IPXE = "ipxe"
IPXE_SCRIPT = "boot.ipxe"
KEXEC_SCRIPT = "kexec.sh"


class NetbootTree:
    """The TFTP root of a server that machines reach at `public_url`; it follows the default of the `shelf`."""

    def __init__(self, settings: Settings, public_url: str, shelf: Shelf) -> None:
        self._settings = settings
        self._public_url = public_url
        self._shelf = shelf

    def lay_out(self, *, host_root: Path = Path("/")) -> None:
        """Make the TFTP root, at start. Raises BootosError when boot loaders are missing and were asked for."""
        self.write_default()
        check_missing(self._settings, self._follow(host_root))
        self.link_images()

    def follow_shelf(self) -> None:
        """Bring the TFTP root up to date after a change of the shelf, under its lock. What cannot be written is logged:
        the images are served all the same."""
        try:
            self._follow(Path("/"))
        except OSError as cause:
            log.error("%s cannot be brought up to date: %s", self._settings.tftp_root, cause)
        self.link_images()

    def _follow(self, host_root: Path) -> dict[str, str]:
        """What depends on the default image; returns the loaders that there are not."""
        version = self._shelf.stock.default
        self._write_renderings(version)
        if self._settings.tftp is False:
            return {}
        return copy_loaders(self._settings, self._shelf.find_directory(version), host_root)

    def write_default(self) -> bool:
        """Write the default file; False when the operator has edited it and it was left alone."""
        settings = self._settings
        path, marker = settings.pxe_directory / "default", settings.data / "pxelinux-default.sha256"
        content = render_default(self._public_url, settings.append).encode()
        digest = hashlib.sha256(content).hexdigest()
        if path.is_file():
            present = hashlib.sha256(path.read_bytes()).hexdigest()
            written = marker.read_text(errors="replace").strip() if marker.is_file() else ""
            if present not in (digest, written):
                log.warning("%s was edited by hand and is left as it is; remove it to have it written", path)
                return False
            if present == digest == written:
                return True
        write_atomically(marker, (digest + "\n").encode(), mode=0o644)
        write_atomically(path, content, mode=0o644)
        return True

    def _write_renderings(self, version: str) -> None:
        """Write what the other loaders read, from the default file as it is now. They read it at each boot, so it names
        the version: kernel and initrd are of one image then, whatever becomes the default in between. `kexec.sh` does
        not, as people keep it."""
        root = self._settings.tftp_root
        source = (self._settings.pxe_directory / "default").read_text(errors="replace")
        menu = parse_pxelinux(source)
        versioned = parse_pxelinux(name_version(source, version)) if version != LOCAL else menu
        for problem in menu.problems:
            log.warning("pxelinux.cfg/default: not for iPXE and GRUB: %s", problem)
        for directory in (root / GRUB, root / IPXE):
            directory.mkdir(parents=True, exist_ok=True)
        write_atomically(root / GRUB / "grub.cfg", render_grub(versioned).encode(), mode=0o644)
        write_atomically(root / IPXE_SCRIPT, render_ipxe(versioned).encode(), mode=0o644)
        write_atomically(root / KEXEC_SCRIPT, render_kexec(menu, self._public_url).encode(), mode=0o644)

    def link_images(self) -> None:
        """`bootos` in the TFTP root: what `/bootos` is by HTTP, for a GRUB that cannot read HTTP; without `files`. What
        cannot be linked is logged: by HTTP it is served all the same."""
        settings, shelf = self._settings, self._shelf
        root = settings.tftp_root / "bootos"
        directories = {version: shelf.find_directory(version) for version in shelf.stock.items}
        wanted = {
            root / "images" / version: path for version, path in directories.items() if path is not None
        }
        if (default := directories.get(shelf.stock.default)) is not None:
            wanted |= {root / name: default / name for name in REQUIRED}
        try:
            if root.is_symlink():
                root.unlink()
            (root / "images").mkdir(parents=True, exist_ok=True)
            for link in (*root.iterdir(), *(root / "images").iterdir()):
                if link.is_symlink() and link not in wanted and link != root / "files":
                    link.unlink()
            for link, target in wanted.items():
                _place_link(link, target.absolute())
        except OSError as cause:
            log.error("%s cannot be brought up to date: %s", root, cause)

    def link_files(self) -> str:
        """`bootos/files` in the TFTP root: the operator's own, as long as no link in there leads out, which a TFTP
        server would follow. Says why it is not there; empty when it is."""
        link, files = self._settings.tftp_root / "bootos/files", self._settings.files
        try:
            if (outward := find_link_out(files)) is None:
                link.parent.mkdir(parents=True, exist_ok=True)
                _place_link(link, files.absolute())
                return ""
            if link.is_symlink():
                link.unlink()
        except OSError as cause:
            log.error("%s cannot be brought up to date: %s", link, cause)
            return ""
        return f"{outward} leads out of files/: nothing of files/ is served by TFTP; {ADVICE}"


def render_default(public_url: str, append: str) -> str:
    """`pxelinux.cfg/default` in the documented form."""
    return render_pxelinux(build_bootos_menu(public_url, append))


def _place_link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    if link.exists() and not link.is_symlink():
        log.warning("%s was put there by hand and is left as it is; remove it to have %s there", link, target)
        return
    temporary = link.with_name(f".{link.name}.tmp")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)  # in one step: a reader gets the old or the new target
