"""The per-MAC PXE files: `pxelinux.cfg/01-aa-bb-cc-dd-ee-ff`, rendered from a PXE template, and what GRUB and iPXE
read in its place, by the same name in `grub` and `ipxe`.

pxelinux looks for this name before `default` (01 is the ARP type of Ethernet). Written atomically, so that a
machine that boots meanwhile reads the old or the new one. Called by `next_boot` and `jobs`.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from bootos.errors import BootosError
from bootos.server.files import write_atomically
from bootos.server.netboot.grub import render_grub
from bootos.server.netboot.ipxe import render_ipxe
from bootos.server.netboot.pxelinux import parse_pxelinux
from bootos.wire.manifest import REQUIRED

MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
PINNED = ".pinned"
"""Directory with the files of machines whose image is pinned, for when a job's file goes."""
FILE = re.compile(r"01(-[0-9a-f]{2}){6}")
PLACEHOLDERS = ("sn", "mac", "server", "hostname", "address", "netmask", "gateway", "machine")


def parse_mac(text: str) -> str | None:
    """A MAC address in lower case with colons; None when it is none, or cannot be a NIC's own address."""
    mac = text.strip().lower().replace("-", ":")
    if not MAC.fullmatch(mac) or mac == "00:00:00:00:00:00":
        return None
    return mac if int(mac[:2], 16) & 1 == 0 else None  # a group address is nobody's own


def file_name(mac: str) -> str:
    return "01-" + mac.replace(":", "-")


def render(content: str, values: Mapping[str, str]) -> str:
    """Fill the known placeholders, `{sn}` and the like; other braces stay. Line ends become LF."""
    content = content.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"\{(" + "|".join(PLACEHOLDERS) + r")\}", lambda found: values.get(found[1], ""), content)


def name_version(content: str, version: str) -> str:
    """A PXE file with the URLs of one version in place of the default's."""
    for name in REQUIRED:
        content = re.sub(rf"/bootos/{re.escape(name)}(?![\w.-])", f"/bootos/images/{version}/{name}", content)
    return content


def write_pxe_file(directory: Path, name: str, content: str) -> None:
    """Write the file with mode 0644, last, so that it stands for all. `directory` is `pxelinux.cfg`; those of the
    other loaders lie beside it. Raises BootosError."""
    menu = parse_pxelinux(content)
    files = (
        (directory.parent / "grub", render_grub(menu, per_machine=True)),
        (directory.parent / "ipxe", render_ipxe(menu, per_machine=True)),
        (directory, content),
    )
    try:
        for place, text in files:
            place.mkdir(parents=True, exist_ok=True)
            write_atomically(place / name, text.encode(), mode=0o644)
    except OSError as cause:
        raise BootosError(
            f"the PXE file {directory / name} cannot be written: {cause.strerror}",
            hint="check the server's data directory",
        ) from cause


def write_pinned(directory: Path, name: str, content: str) -> bool:
    """The file of a machine whose image is pinned: it is there whenever no job has its own. False when the operator
    has a file of that name, which is left alone. Raises BootosError."""
    place, path = directory / PINNED / name, directory / name
    before = place.read_text() if place.is_file() else ""
    if before != content:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, content.encode(), mode=0o644)
        except OSError as cause:
            raise BootosError(f"{place} cannot be written: {cause.strerror}") from cause
    present = path.read_text(errors="replace") if path.is_file() else None
    if present is None or (present == before != content):
        write_pxe_file(directory, name, content)
        return True
    return present == content


def remove_pinned(directory: Path, name: str) -> None:
    """The machine is not pinned any more: remove the file, unless it is another one."""
    place, path = directory / PINNED / name, directory / name
    before = place.read_text() if place.is_file() else ""
    place.unlink(missing_ok=True)
    if before and path.is_file() and path.read_text(errors="replace") == before:
        remove_pxe_files(directory, [name])


def list_pinned(directory: Path) -> set[str]:
    """The names of the files of pinned machines."""
    return {path.name for path in (directory / PINNED).glob("01-*")}


def remove_pxe_files(directory: Path, names: Iterable[str]) -> None:
    """Remove these files if they are there, for every loader; anything but a per-MAC name is left alone."""
    for name in names:
        if FILE.fullmatch(name):
            pinned = directory / PINNED / name
            if pinned.is_file():
                write_pxe_file(directory, name, pinned.read_text())
                continue
            for place in (directory, directory.parent / "grub", directory.parent / "ipxe"):
                (place / name).unlink(missing_ok=True)
