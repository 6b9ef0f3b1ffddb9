"""The out-of-band controller over its local interface (IPMI over KCS), by ipmitool.

Called by `inventory.collect_inventory`; only reads. A BMC is there when the kernel has /dev/ipmi0, or when
SMBIOS lists an IPMI device (type 38): then without /dev/ipmi0 it is known but not readable.
"""

import re

from bootos.hardware.dmi import IPMI_DEVICE, Dmi
from bootos.hardware.tree import Tree
from bootos.process import Runner, ToolError
from bootos.wire.inventory import Bmc

TIMEOUT_S = 20.0
DEVICES = ("dev/ipmi0", "dev/ipmi/0", "dev/ipmidev/0")
_CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8)
_SOURCES = {
    "static address": "static",
    "dhcp address": "dhcp",
    "bios assigned address": "bios",
}


def has_bmc_device(tree: Tree) -> bool:
    """Whether the kernel talks to a BMC."""
    return any(tree.exists(device) for device in DEVICES)


def has_bmc(tree: Tree, dmi: Dmi | None) -> bool:
    """Whether there is a BMC at all, readable or not."""
    return has_bmc_device(tree) or (dmi is not None and dmi.find(IPMI_DEVICE) is not None)


def read_bmc(run: Runner) -> Bmc:
    """Versions and LAN settings of the BMC. Raises ToolError, ValueError."""
    bmc = parse_mc_info(run(["ipmitool", "mc", "info"], timeout_s=TIMEOUT_S).stdout)
    bmc.channel = find_lan_channel(run)
    if bmc.channel is not None:
        argv = ["ipmitool", "lan", "print", str(bmc.channel)]
        # some BMCs refuse a parameter that ipmitool asks for last, after all the others were printed
        add_lan(bmc, run(argv, timeout_s=TIMEOUT_S, check=False).stdout)
    return bmc


def find_lan_channel(run: Runner) -> int | None:
    """The first channel whose medium is a LAN. Raises ToolError when ipmitool cannot be run."""
    for channel in _CHANNELS:
        try:
            said = run(["ipmitool", "channel", "info", str(channel)], timeout_s=TIMEOUT_S).stdout
        except ToolError as error:
            if error.completed is None:
                raise
            continue
        if is_lan_channel(said):
            return channel
    return None


def is_lan_channel(text: str) -> bool:
    """Whether `ipmitool channel info N` tells of a LAN (`802.3 LAN`, `Other LAN`)."""
    return _values(text).get("Channel Medium Type", "").endswith("LAN")


def parse_mc_info(text: str) -> Bmc:
    """`ipmitool mc info`; the maker is `Unknown (0x..)` where ipmitool has no name for the number."""
    values = _values(text)
    vendor = values.get("Manufacturer Name", "")
    if vendor.lower().startswith("unknown") or not vendor:
        number = values.get("Manufacturer ID", "")
        vendor = f"IANA {number}" if number not in ("", "0") else ""
    return Bmc(
        vendor=vendor or None,
        firmware=values.get("Firmware Revision") or None,
        ipmi_version=values.get("IPMI Version") or None,
    )


def add_lan(bmc: Bmc, text: str) -> None:
    """Fill in what `ipmitool lan print N` says. An address of zeros is none."""
    values = _values(text)
    source = values.get("IP Address Source", "").lower()
    if source and source != "unknown":
        bmc.source = _SOURCES.get(source, "other")  # type: ignore[assignment]
    bmc.mac = _unless_zero(values.get("MAC Address", "").lower())
    bmc.address = _unless_zero(values.get("IP Address", ""))
    bmc.netmask = _unless_zero(values.get("Subnet Mask", ""))
    bmc.gateway = _unless_zero(values.get("Default Gateway IP", ""))
    vlan = values.get("802.1q VLAN ID", "")
    bmc.vlan = int(vlan) if vlan.isdigit() else None


def _values(text: str) -> dict[str, str]:
    """`Key   : value` lines; the first of a key counts, continuation lines have an empty key."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        found = re.match(r"\s*(\S.*?)\s*:\s(.*)$", line)
        if found:
            values.setdefault(found[1], found[2].strip())
    return values


def _unless_zero(text: str) -> str | None:
    return text if text and set(text) - set("0.:") else None
