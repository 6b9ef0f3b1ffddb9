"""Firmware versions as vendors write them: which of two is newer, when that can be said at all. Pure.

The notation of a version is recognised by its form, not by the vendor's name: BMC, DMI and tools of one vendor do not
give the same name. Called by `chain`, and where a device shows several versions and one of them is looked for.
"""

import re
from typing import NamedTuple

Part = tuple[int, int | str]


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Parsed(NamedTuple):
    """`family` empty: not said. `rest` (a date, a build) counts only where both have one."""

    family: str
    key: tuple[Part, ...]
    rest: tuple[int | str, ...] = ()


# Lenovo UEFI: IVE164L-2.30, in DMI as -[IVE164L-2.30]-. The parts are platform, build, flavour, version.
_LENOVO = re.compile(r"(?:-\[)?([A-Z][A-Z0-9]{2})([A-Z0-9]{3})[A-Z]-(\d+\.\d+)(?:\]-)?")
# XCC's own inventory leaves the platform out: 22J-1.51, 42S-2.83. The manager writes TGBT42S 2.83 2023-07-05, and the
# system of Redfish has the build alone: U8E122J.
_LENOVO_SHORT = re.compile(r"([A-Z0-9]{2})[A-Z]-(\d+\.\d+)")
_LENOVO_DATED = re.compile(r"([A-Z][A-Z0-9]{2})([A-Z0-9]{3})[A-Z]\s+(\d+\.\d+)(?:\s+\d{4}-\d\d-\d\d)?")
_LENOVO_BUILD = re.compile(r"([A-Z][A-Z0-9]{2})([A-Z0-9]\d\d)[A-Z]")
# HPE system ROM: U30 v2.68 (07/14/2022); until Gen8 P70 07/01/2015. iLO 5 v2.78
_HPE = re.compile(r"(?:([A-Z]\d{2}|iLO \d)\s+)v?(\d+(?:\.\d+)+)(?:\s+\(?(\d\d)/(\d\d)/(\d{4})\)?)?")
_HPE_DATED = re.compile(r"([A-Z]\d{2})\s+\(?(\d\d)/(\d\d)/(\d{4})\)?")
# iLO's own inventory: 2.72 Sep 04 2022
_ILO_DATED = re.compile(r"(\d+\.\d+)\s+([A-Z][a-z]{2})\s+(\d\d?)\s+(\d{4})")
# Supermicro by Redfish: BIOS Date: 08/04/2023 Ver 1.4
_SUPERMICRO = re.compile(r"BIOS Date:\s*(\d\d)/(\d\d)/(\d{4})\s+(?:Ver|Rev)\s*(\d\S*)")
# BMCs of NVIDIA: GH200-24.05-2
_PREFIXED = re.compile(r"([A-Za-z]+(?:\d+[A-Za-z]*)?)-(\d+(?:\.\d+)+(?:-\d+)*)")
# Cisco: the CIMC is 4.1(3d), the BIOS C240M5.4.1.3i.0.0713210713, which ends in month, day, year, hour and minute.
_CISCO = re.compile(r"(\d+\.\d+)\((\d+)([a-z]*)\)")
_MELLANOX = re.compile(r"\d\d\.\d\d\.\d{4}")
_MELLANOX_CUT = re.compile(r"(\d\d\.\d\d\.\d\d)\.(\d\d)")
_CISCO_BIOS = re.compile(r"([A-Z]\w+)\.(\d+\.\d+\.\d+[a-z]*)\.\d+\.(\d{4})(\d{2})(\d{4})")
# Intel server boards: SE5C620.86B.02.01.0017.110620230543. The last number is month, day, year, hour and minute.
_INTEL = re.compile(r"([A-Z0-9]{6,8}\.\w{3})\.(\d\d\.\d\d\.\d{4})\.(\d{4})(\d{4})(\d{4})")
# Dell until 2013: A12. ASRock Rack, GIGABYTE: P2.30, R23. For drives and controllers a letter has another meaning.
_LETTERED = re.compile(r"([A-Z])(\d+(?:\.\d+)*)")
# All others: 2.19.1, v1.2, 25.5.9.0001, 51.13.0-3223, 3.4a. A letter may follow a number.
_NUMBERS = re.compile(r"[vV]?(\d+[a-zA-Z]?(?:[._-]\d+[a-zA-Z]?)*)")
_DOTTED = re.compile(r"\d+(?:\.\d+)+")
_MOST_CHARACTERS = 200  # the longest that a maker writes has some forty


def parse_version(text: str, component: str = "") -> Parsed | None:
    """What a version says; None when it is a name that has no order (`EDA5702Q`), or no version at all."""
    text = text.strip()
    if len(text) > _MOST_CHARACTERS:
        return None
    if found := _LENOVO.fullmatch(text):
        return Parsed(found[1], _parse_numbers(found[3]), (found[2],))
    if found := _CISCO.fullmatch(text):
        return Parsed("", _parse_numbers(f"{found[1]}.{found[2]}{found[3]}"))
    if component in ("bios", "bmc") and (parsed := _parse_own(text)):
        return parsed
    if found := _HPE.fullmatch(text):
        date = (int(found[5]), int(found[3]), int(found[4])) if found[5] else ()
        return Parsed(found[1], _parse_numbers(found[2]), date)
    if found := _HPE_DATED.fullmatch(text):
        return Parsed(found[1], (), (int(found[4]), int(found[2]), int(found[3])))
    if found := _INTEL.fullmatch(text):
        day, year, minute = int(found[3]), int(found[4]), int(found[5])
        return Parsed(found[1], _parse_numbers(found[2]), (year, day, minute))
    if component in ("bios", "bmc") and (found := _LETTERED.fullmatch(text)):
        return Parsed(found[1], _parse_numbers(found[2]))
    found = _NUMBERS.fullmatch(text)
    # The revision of a drive may be digits by chance (0104, 2B6Q): only one with dots is a version.
    if found and (component != "drive" or _DOTTED.fullmatch(text)):
        return Parsed("", _parse_numbers(found[1]))
    return None


def _parse_own(text: str) -> Parsed | None:
    """Notations that only makers' Redfish services have, of BIOS and BMC."""
    if found := _LENOVO_SHORT.fullmatch(text):
        return Parsed("", _parse_numbers(found[2]), (found[1],))
    if found := _LENOVO_DATED.fullmatch(text):
        return Parsed(found[1], _parse_numbers(found[3]), (found[2],))
    if found := _LENOVO_BUILD.fullmatch(text):
        return Parsed(found[1], (), (found[2],))
    if (found := _ILO_DATED.fullmatch(text)) and found[2] in _MONTHS:
        date = (int(found[4]), _MONTHS.index(found[2]) + 1, int(found[3]))
        return Parsed("", _parse_numbers(found[1]), date)
    if (found := _SUPERMICRO.fullmatch(text)) and _NUMBERS.fullmatch(found[4]):
        return Parsed("", _parse_numbers(found[4]), (int(found[3]), int(found[1]), int(found[2])))
    if found := _CISCO_BIOS.fullmatch(text):
        return Parsed(found[1], _parse_numbers(found[2]), (int(found[4]), int(found[3]), int(found[5])))
    if found := _PREFIXED.fullmatch(text):
        return Parsed(found[1], _parse_numbers(found[2]))
    return None


def _parse_numbers(text: str) -> tuple[Part, ...]:
    """3.4a -> ((3, ""), (4, "a")), without zeros at the end: 2.19 is 2.19.0."""
    parts: list[Part] = []
    for word in re.split(r"[._-]", text):
        digits = re.match(r"\d*", word)
        assert digits is not None
        parts.append((int(digits[0] or 0), word[digits.end() :].lower()))
    while len(parts) > 1 and parts[-1] == (0, ""):
        parts.pop()
    return tuple(parts)


def compare_versions(one: str, other: str, component: str = "") -> int | None:
    """-1, 0, 1 as `one` is older, the same, newer; None: they differ, and which is newer cannot be said."""
    if _plain(one) == _plain(other):
        return 0
    if component == "nic":
        one, other = _join_mellanox(one, other), _join_mellanox(other, one)
    if component == "nic" and not (_CISCO.fullmatch(one.strip()) or _CISCO.fullmatch(other.strip())):
        one, other = pick_part(one, other), pick_part(other, one)
    left, right = parse_version(one, component), parse_version(other, component)
    if left is None or right is None:
        return 0 if _plain(one) == _plain(other) else None
    if left.family and right.family and left.family.lower() != right.family.lower():
        return None  # the firmware of another machine cannot be compared
    if bool(left.key) != bool(right.key):  # one is a number, the other only a date
        if not left.rest or len(left.rest) != len(right.rest):
            return None
        return (left.rest > right.rest) - (left.rest < right.rest)
    first: tuple[object, ...] = left.key
    second: tuple[object, ...] = right.key
    if first == second and left.rest and right.rest and len(left.rest) == len(right.rest):
        first, second = left.rest, right.rest
        # Lenovo's build, of which one is written shorter
        if len(first) == 1 and isinstance(first[0], str) and isinstance(second[0], str):
            size = min(len(first[0]), len(second[0]))
            first, second = (first[0][-size:],), (second[0][-size:],)
    return (first > second) - (first < second)


def _join_mellanox(text: str, other: str) -> str:
    """Dell and Supermicro show Mellanox's 24.40.1000 as 24.40.10.00."""
    if (found := _MELLANOX_CUT.fullmatch(text.strip())) and _MELLANOX.fullmatch(other.strip()):
        return f"{found[1]}{found[2]}"
    return text


def is_same(one: str, other: str, component: str = "") -> bool:
    """Whether two versions are equal in the way that `compare_versions` compares them for this component."""
    return compare_versions(one, other, component) == 0


def spell_bios(version: str, date: str | None, revision: tuple[int | None, int | None]) -> str:
    """HPE's SMBIOS has the family alone as its version (`U30`): spelled as its tools and Redfish do, from the release
    date and the revision (DSP0134, type 0, offsets 14h and 15h; 255 is none). Others stay as they are."""
    if re.fullmatch(r"[A-Z]\d{2}", version) is None or not date:
        return version
    major, minor = revision
    if major is None or minor is None or 255 in (major, minor):
        return f"{version} {date}"
    return f"{version} v{major}.{minor:02d} ({date})"


def pick_part(shown: str, wanted: str) -> str:
    """The part of a NIC's text that `wanted` is to be compared with: `9.20 0x8000d95e 22.31.6` of Intel holds the
    version of the NVM and that of the package, `229.1.123.0/pkg 22.92.06.10` of Broadcom likewise."""
    parts = _find_parts(shown)
    if not parts:
        return shown
    if not _DOTTED.fullmatch(wanted.strip()):
        return parts[0] if _find_parts(wanted) and len(parts) == len(_find_parts(wanted)) else shown
    alike = [part for part in parts if part.count(".") == wanted.strip().count(".")]
    if alike:
        return alike[0]
    return parts[0]


def _find_parts(shown: str) -> list[str]:
    """The versions in a NIC's text, that of its package first: after pkg, mfw or FFV, else the last one."""
    parts: list[str] = re.findall(r"(?:(?<=FFV)|(?<![\w.]))\d+(?:\.\d+)+(?![\w.])", shown)
    packaged = re.search(r"(?:pkg |mfw |FFV)(\d+(?:\.\d+)+)", shown)
    main = packaged[1] if packaged else parts[-1] if parts else ""
    return [main, *(part for part in parts if part != main)] if main else []


def _plain(text: str) -> str:
    return " ".join(text.removeprefix("-[").removesuffix("]-").split()).lower()
