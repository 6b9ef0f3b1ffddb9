"""The per-MAC PXE files: `pxelinux.cfg/01-aa-bb-cc-dd-ee-ff`, rendered from a PXE template.

pxelinux looks for this name before `default` (01 is the ARP type of Ethernet). Written atomically, so that a
machine that boots meanwhile reads the old or the new one. Called by `jobs`.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from bootos.errors import BootosError
from bootos.server.files import write_atomically

MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
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


def write_pxe_file(directory: Path, name: str, content: str) -> None:
    """Write the file with mode 0644. Raises BootosError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(directory / name, content.encode(), mode=0o644)
    except OSError as cause:
        raise BootosError(
            f"the PXE file {directory / name} cannot be written: {cause.strerror}",
            hint="check the server's data directory",
        ) from cause


def remove_pxe_files(directory: Path, names: Iterable[str]) -> None:
    """Remove these files if they are there; anything but a per-MAC name is left alone."""
    for name in names:
        if FILE.fullmatch(name):
            (directory / name).unlink(missing_ok=True)
