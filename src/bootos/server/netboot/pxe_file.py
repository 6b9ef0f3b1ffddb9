"""The name and the content of a per-MAC PXE file, `01-aa-bb-cc-dd-ee-ff`, rendered from a PXE template. Pure;
`pxe_directory` writes and removes the files.

pxelinux looks for this name before `default` (01 is the ARP type of Ethernet; SYSLINUX manual, doc/pxelinux.txt).
"""

import re
from collections.abc import Mapping

from bootos.wire.cloudboot_v1 import PREFIX
from bootos.wire.manifest import REQUIRED

MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
FILE = re.compile(r"01(-[0-9a-f]{2}){6}")
INSTALLER_URL = re.compile(re.escape(PREFIX) + r"/device/get(?:System|Network)BySn\?[^\s\"'<>;,#]*")
PLACEHOLDERS = ("sn", "mac", "server", "hostname", "address", "netmask", "gateway", "machine")


def parse_mac(text: str) -> str | None:
    """A MAC address in lower case with colons; None when the text is no MAC address, or one that no NIC can have."""
    mac = text.strip().lower().replace("-", ":")
    if not MAC.fullmatch(mac) or mac == "00:00:00:00:00:00":
        return None
    return mac if int(mac[:2], 16) & 1 == 0 else None  # a group address belongs to no single card


def file_name(mac: str) -> str:
    """The name of the file for a MAC address as `parse_mac` returns it."""
    return "01-" + mac.replace(":", "-")


def render(content: str, values: Mapping[str, str]) -> str:
    """The content of the file: the known placeholders, `{sn}` and the like, are filled in; other braces stay. Line
    ends become LF. A blank in a value is `%20` and the like, as in a URL (RFC 3986): a machine chooses its serial
    number, and a blank would begin another word for the kernel."""
    content = content.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(
        r"\{(" + "|".join(PLACEHOLDERS) + r")\}",
        lambda found: quote_blanks(values.get(found[1], "")),
        content,
    )


def quote_blanks(value: str) -> str:
    """A value without blanks, line ends or control characters in it: each byte of them is `%` and two digits."""
    return re.sub(
        r"[\s\x00-\x1f\x7f]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), value
    )


def add_token(content: str, token: str) -> str:
    """The content with this token in every URL by which an installer asks for its answer file or its network (Cloudboot
    v1), after what stands in the URL already. The content as it is where there is no token."""
    return INSTALLER_URL.sub(rf"\g<0>&token={token}", content) if token else content


def name_version(content: str, version: str) -> str:
    """A PXE file with the URLs of one version in place of the default's."""
    for name in REQUIRED:
        content = re.sub(rf"/bootos/{re.escape(name)}(?![\w.-])", f"/bootos/images/{version}/{name}", content)
    return content
