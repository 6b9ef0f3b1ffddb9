"""The out-of-band controller over its local interface (IPMI over KCS), by ipmitool.

Called by `inventory.collect_inventory`; only reads. A BMC is there when the kernel has /dev/ipmi0, or when
SMBIOS lists an IPMI device (type 38): then without /dev/ipmi0 it is known but not readable.
"""

import re

from bootos.hardware.bmccipher import parse_ciphers
from bootos.hardware.dmi import IPMI_DEVICE, Dmi
from bootos.hardware.tree import Tree
from bootos.process import Runner, ToolError
from bootos.wire.inventory import Bmc

TIMEOUT_S = 60.0
DEVICES = ("dev/ipmi0", "dev/ipmi/0", "dev/ipmidev/0")
_USUAL_CHANNEL, _OTHER_CHANNELS = 1, (2, 3, 4, 5, 6, 7, 8)
# IANA enterprise numbers of makers of BMCs: ipmitool's own list may not be installed. 47488 is nobody's; boards of
# Supermicro say it.
_MAKERS = {
    "2": "IBM", "11": "Hewlett-Packard", "42": "Sun Microsystems", "107": "Bull", "111": "Oracle", "119": "NEC",
    "343": "Intel", "674": "Dell", "2011": "Huawei", "2623": "ASUS", "3183": "ASRock Rack", "4337": "RadiSys",
    "4769": "IBM", "5593": "Magnum Technologies", "5703": "NVIDIA", "5771": "Cisco", "6569": "Inventec", "6653": "Tyan",
    "7154": "OpenIPMI", "7244": "Quanta", "9237": "Newisys", "10297": "Advantech", "10368": "Fujitsu",
    "10418": "Avocent", "10437": "Peppercon", "10876": "Supermicro", "11129": "Google", "11161": "Wistron",
    "12290": "Celestica", "13742": "Raritan", "15000": "Kontron", "15370": "GIGABYTE", "19046": "Lenovo",
    "20301": "IBM", "20569": "Inventec", "20974": "American Megatrends", "24339": "ADLINK", "25506": "H3C",
    "28458": "Nokia", "33049": "Mellanox", "37945": "Inspur", "47196": "HPE", "47488": "Supermicro",
    "40092": "Wiwynn", "40981": "Facebook", "42817": "OpenPOWER", "49622": "ASRock Rack", "49769": "YADRO",
    "52538": "Ampere", "58132": "xFusion",
}  # fmt: skip
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
    """Versions and LAN settings of the BMC. Raises ToolError, ValueError.

    The LAN is channel 1 nearly everywhere, so that one is asked for in the same run; only where it is not, the
    other channels are looked through.
    """
    usual = f"lan print {_USUAL_CHANNEL}"
    said = _ask(run, "mc info", f"channel info {_USUAL_CHANNEL}", usual)
    bmc, maker = parse_mc_info(said), parse_maker(said)
    channels = parse_lan_channels(said)
    if not channels:
        channels = parse_lan_channels(_ask(run, *(f"channel info {number}" for number in _OTHER_CHANNELS)))
        said = _ask(run, f"lan print {channels[0]}") if channels else ""
    if channels:
        bmc.channel = channels[0]
        add_lan(bmc, said)
        ciphers = parse_ciphers(said)
        bmc.suite_0_open = ciphers is not None and ciphers.has_open_suite_0(maker)
    return bmc


def _ask(run: Runner, *commands: str) -> str:
    """Several commands in one run: ipmitool's start costs more than what it asks. A command that fails (a
    channel that is not there, a parameter that a BMC refuses) leaves its part of the output out."""
    lines = "".join(f"{command}\n" for command in commands)
    done = run(["ipmitool", "exec", "/dev/stdin"], input=lines, timeout_s=TIMEOUT_S, check=False)
    if done.returncode != 0 and not done.stdout.strip():
        raise ToolError(f"ipmitool says: {done.stderr.strip()[-500:]}", completed=done)
    return done.stdout


def parse_lan_channels(text: str) -> list[int]:
    """The channels whose medium is a LAN, in the output of one or more `channel info N`."""
    parts = re.split(r"^Channel (0x[0-9a-f]+) info:", text, flags=re.MULTILINE | re.IGNORECASE)[1:]
    return [
        int(number, 16)
        for number, part in zip(parts[::2], parts[1::2], strict=True)
        # the words are `802.3 LAN` and `Other LAN`
        if _values(part).get("channel medium type", "").endswith("LAN")
    ]


def parse_mc_info(text: str) -> Bmc:
    """`ipmitool mc info`; the maker is `Unknown (0x..)` where ipmitool has no name for the number."""
    values = _values(text)
    vendor = values.get("manufacturer name", "")
    if vendor.lower().startswith("unknown") or not vendor:
        number = values.get("manufacturer id", "")
        vendor = _MAKERS.get(number, f"IANA enterprise {number}" if number not in ("", "0") else "")
    return Bmc(
        vendor=vendor or None,
        firmware=values.get("firmware revision") or None,
        ipmi_version=values.get("ipmi version") or None,
    )


def parse_maker(text: str) -> int:
    """The IANA number of the BMC's maker, by `ipmitool mc info`; 0: not told."""
    number = _values(text).get("manufacturer id", "")
    return int(number) if number.isdigit() else 0


def add_lan(bmc: Bmc, text: str) -> None:
    """Fill in what `ipmitool lan print N` says. An address of zeros is none."""
    values = _values(text)
    source = values.get("ip address source", "").lower()
    if source and source != "unknown":
        bmc.source = _SOURCES.get(source, "other")  # type: ignore[assignment]
    bmc.mac = _unless_zero(values.get("mac address", "").lower())
    bmc.address = _unless_zero(values.get("ip address", ""))
    bmc.netmask = _unless_zero(values.get("subnet mask", ""))
    bmc.gateway = _unless_zero(values.get("default gateway ip", ""))
    vlan = values.get("802.1q vlan id", "")
    bmc.vlan = int(vlan) if vlan.isdigit() else None


def _values(text: str) -> dict[str, str]:
    """`Key   : value` lines, keys in lower case; the first of a key counts, continuation lines have an empty key."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        found = re.search(r":\s", line)
        key = line[: found.start()].strip() if found else ""
        if found and key:
            values.setdefault(key.lower(), line[found.end() :].strip())
    return values


def _unless_zero(text: str) -> str | None:
    return text if text and set(text) - set("0.:") else None
