"""Which items of a Redfish firmware inventory are what a template can upgrade, and which of several is the one. Pure;
used by `firmware.redfish`.

A BMC is not its root of trust, a backplane is no controller, and a card that is listed once for each of its images is
one card. Makers say it differently: by what an item is related to, by its name, in iDRAC by the FQDD behind `__` of its
Id.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bootos.drivers.firmware.state import Installed
from bootos.drivers.firmware.version import is_same
from bootos.template.firmware import Component

SINGLE: tuple[Component, ...] = ("bios", "bmc")
# Spare images, and the versions to which iDRAC can return.
_NOT_RUNNING = re.compile(
    r"^(previous|available)(-|(?=[A-Z]))|backup|golden|pending|staged|recovery|redundant|inactive",
    re.IGNORECASE,
)
_NOT_RUNNING_STATES = ("Absent", "StandbySpare", "Disabled")
_NO_VERSION = re.compile(r"|n/?a|none|unknown|not present|(version )?not available", re.IGNORECASE)
# Security chips, logic, power, and software that is no firmware of a part that a template names
_OTHERS = re.compile(
    r"\b(e?rot|root of trust|tpm|cpld\w*|fpga|programmable logic|me|management engine|sps|service module|backplane|bp"
    r"|enclosure|expander|sas ?exp\w*|psu|power (supply|management)|riser|energy pack|battery|diagnostics?|driver pack"
    r"|lifecycle|lxpm|provisioning|gpu\d*|inforom|retimer|pcie ?switch\w*|video)\b"
)
_BMC = (
    r"\b(bmc\d*|bmcimage\d*|hostbmc|baseboard|integrated dell remote access controller|idrac|ilo ?\d?|xcc|imm2?|irmc"
    r"|ibmc|hdm|cimc)\b"
)
# HPE's newer controllers are called by their models alone (MR416i-p, SR932i-p, NS204i-u)
_RAID = r"\b(raid|perc|smart array|megaraid|hba\d*|storage controller|boot controller|boss|[ms]r\d{3}i\w*|ns204\w*)\b"
_NIC = (
    r"\b(nic ?\d*|eth|ethernet|network\w*|adapter|connectx|cx\d|x[lx]?v?\d{3}\w*|e8\d\d|m?lom|vic|broadcom|gigabit"
    r"|smartnic)\b"
)
_NAMES: tuple[tuple[Component, str], ...] = (
    ("bmc", _BMC),
    ("bios", r"\b(bios\d*|biosimage\d*|hostbios|uefi|system rom)\b"),
    ("raid", _RAID),
    ("drive", r"\b(disk|drive|ssd|hdd|nvme\w*)\b"),
    ("nic", _NIC),
)
# The first word of iDRAC's FQDD; others are no parts
_FQDD: dict[str, Component] = {
    "BIOS": "bios", "iDRAC": "bmc", "NIC": "nic", "FC": "nic", "InfiniBand": "nic", "RAID": "raid", "NonRAID": "raid",
    "AHCI": "raid", "BOSS": "raid", "Disk": "drive",
}  # fmt: skip
_DEVICES = ("/networkadapters/", "/pciedevices/", "/storage/", "/drives/", "/processors/", "/memory/")


def parse_inventory(
    items: Sequence[dict[str, Any]], *, running: Sequence[str] = (), versions: Mapping[str, str] | None = None
) -> list[Installed]:
    """The parts that run now, each once. `running` are the images that BIOS and BMC name as theirs, `versions` what
    system and manager say by component: of several items for the BIOS or the BMC they tell which it is. A part without
    a `target` cannot be updated by this service; drives of that kind are left out."""
    there = [(find_component(item), item) for item in items if _is_running(item)]
    parts = []
    for single in SINGLE:
        known = (versions or {}).get(single, "")
        candidates = [item for component, item in there if component == single]
        if candidates:
            ranks = {id(item): _rank_single(item, single, running, known) for item in candidates}
            parts.append(_build_part(single, min(candidates, key=lambda item: ranks[id(item)])))
    cards: dict[tuple[Component, str], list[dict[str, Any]]] = {}
    for component, item in there:
        if component is not None and component not in SINGLE:
            cards.setdefault((component, _find_card(item)), []).append(item)
    for (component, _), listed in cards.items():
        best = min(listed, key=_rank_image)
        if component != "drive" or best.get("Updateable") is not False:
            parts.append(_build_part(component, best))
    return parts


def find_component(item: dict[str, Any]) -> Component | None:
    """By what it is related to where it says so, else by its name."""
    fqdd = str(item.get("Id") or "").partition("__")[2]
    if fqdd:
        return None if fqdd.startswith("RAID.Backplane") else _FQDD.get(fqdd.partition(".")[0])
    words = _read_words(item)
    if _OTHERS.search(words):
        return None
    related = _read_related(item)
    is_device = any(kind in path for path in related for kind in _DEVICES)
    if not is_device and any(path.endswith("/bios") for path in related):
        return "bios"
    if not is_device and any(re.search(r"/managers/[^/]+$", path) for path in related):
        return "bmc"
    if any("/networkadapters" in path or "/ethernetinterfaces" in path for path in related):
        return "nic"
    if any("/drives/" in path for path in related):
        return "drive"
    found = next((component for component, pattern in _NAMES if re.search(pattern, words)), None)
    # `UEFI driver & BIOS` of a card is not the machine's
    if is_device and (found is None or found in SINGLE):
        return "raid" if any("/storage/" in path for path in related) else None
    return found


def _read_words(item: dict[str, Any]) -> str:
    """Name and Id in lower case. Words that are written together (`ActiveBMC`) stand there apart as well."""
    text = re.sub(r"[_.:\-]+", " ", f"{item.get('Name') or ''} {item.get('Id') or ''}")
    apart = re.sub(r"(?<=[a-z]{2})(?=[A-Z]{2})", " ", text)
    return f"{text} {apart}".lower() if apart != text else text.lower()


def _read_related(item: dict[str, Any]) -> list[str]:
    """Paths in lower case. Older CIMCs have a path for the list of references."""
    told = item.get("RelatedItem")
    listed = [{"@odata.id": told}] if isinstance(told, str) else told if isinstance(told, list) else []
    links = [link for link in listed if isinstance(link, dict)]
    return [str(link.get("@odata.id", "")).partition("#")[0].rstrip("/").lower() for link in links]


def _is_running(item: dict[str, Any]) -> bool:
    names = (str(item.get("Id") or ""), str(item.get("Name") or ""))
    status = item.get("Status")
    state = status.get("State") if isinstance(status, dict) else None
    version = str(item.get("Version") or "").strip()
    return (
        not any(_NOT_RUNNING.search(name) for name in names)
        and state not in _NOT_RUNNING_STATES
        and not _NO_VERSION.fullmatch(version)
    )


def _rank_single(
    item: dict[str, Any], component: str, running: Sequence[str], version: str
) -> tuple[bool, bool, bool, bool, bool, int, str]:
    """What comes first is the BIOS or the BMC: what they name themselves, what has their version, what is called so,
    what is not that of a board of GPUs (HGX) inside, and of iDRAC's images that which is installed."""
    words, identity = _read_words(item), str(item.get("Id") or "")
    named = any(kind == component and re.search(pattern, words) for kind, pattern in _NAMES)
    return (
        str(item.get("@odata.id") or "-").rstrip("/") not in [path.rstrip("/") for path in running],
        "hgx" in words,
        not (version and is_same(str(item.get("Version")), version, component)),
        not named,
        "__" in identity and not identity.startswith("Installed-"),
        len(identity),
        identity,
    )


def _rank_image(item: dict[str, Any]) -> tuple[bool, bool, int, str]:
    """Of the images of one card: the one that can be updated; of iDRAC's that which is installed."""
    identity = str(item.get("Id") or "")
    return item.get("Updateable") is False, not identity.startswith("Installed-"), len(identity), identity


def _find_card(item: dict[str, Any]) -> str:
    """What the images of one card have in common: the FQDD, the drive, the PCIe device; else the item is its own."""
    identity = str(item.get("Id") or "")
    if "__" in identity:
        return identity.partition("__")[2]
    related = _read_related(item)
    for kind in ("/drives/", "/pciedevices/", "/networkadapters/"):
        for path in related:
            if kind in path:
                return path
    return identity


def _build_part(component: Component, item: dict[str, Any]) -> Installed:
    identity, name = str(item.get("Id") or ""), str(item.get("Name") or "")
    single = component in SINGLE
    is_fixed = item.get("Updateable") is False and not single
    return Installed(
        component=component,
        id=component if single else f"{component}:{identity}",
        title=component.upper() if single else name if name == identity else f"{name} ({identity})",
        version=str(item["Version"]).strip(),
        source="Redfish",
        model=name or None,
        device=identity,
        target=None if is_fixed else str(item.get("@odata.id") or ""),
    )
