"""Whether the machine has Intel's RAID (RSTe, VROC) and what it can: `mdadm --detail-platform`. Parsing is pure.

`IMSM_NO_PLATFORM=1` in the agent's environment is mdadm's own word (mdadm(8), "Environment") for making such arrays
without it, as the lab's machines do; nothing here ever sets it.
"""

import re

import msgspec

from bootos.drivers.contract import Machine, Planned
from bootos.drivers.storage.state import Storage
from bootos.template.raid import ArrayWanted
from bootos.template.size import format_size, parse_bytes

WORD = "IMSM_NO_PLATFORM=1"
_LEVEL = re.compile(r"\braid(\d+)\b", re.IGNORECASE)
_STRIP = re.compile(r"\b(\d+)k\b", re.IGNORECASE)


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """`trouble` is why no array of Intel's can be made; empty: it can. `levels` and `strip_bytes` are what the firmware
    can do; empty: anything that the metadata can."""

    name: str = ""
    levels: tuple[int, ...] = ()
    strip_bytes: tuple[int, ...] = ()
    trouble: str = ""


class MdState(Storage, frozen=True, kw_only=True):
    """What `raid.mdadm` plans on: the storage, and what Intel's RAID is here; None: it was not asked for."""

    platform: Platform | None = None


def read_platform(machine: Machine) -> Platform:
    """What mdadm says of this machine. Raises ToolError: mdadm is not there."""
    if _is_overruled(machine):
        return Platform()
    done = machine.run(["mdadm", "--detail-platform"], check=False, env={"LC_ALL": "C"})
    return parse_platform(done.stdout, done.stderr)


def parse_platform(text: str, complaints: str = "") -> Platform:
    """The output of `mdadm --detail-platform`; of several controllers (SATA, VMD) what any of them can."""
    names: list[str] = []
    levels: set[int] = set()
    strips: set[int] = set()
    for key, value in (_split(line) for line in text.splitlines()):
        if key == "platform":
            names.append(value)
        elif key == "raid levels":
            levels |= {int(level) for level in _LEVEL.findall(value)}
        elif key == "chunk sizes":
            strips |= {parse_bytes(f"{size}KiB") for size in _STRIP.findall(value)}
    if not names:
        said = " ".join((complaints.strip() or text.strip()).split())
        return Platform(trouble=said or "mdadm --detail-platform shows none")
    return Platform(
        name=", ".join(dict.fromkeys(names)), levels=tuple(sorted(levels)), strip_bytes=tuple(sorted(strips))
    )


def check_platform(platform: Platform, wanted: ArrayWanted, at: str, planned: Planned) -> None:
    """Whether the firmware of this machine can have Intel's arrays, and this one; problems go to `planned`."""
    if platform.trouble:
        hint = "switch RAID (RSTe, VROC, VMD) on in the BIOS setup, or leave metadata out: Linux md needs no firmware"
        planned.complain(f"{at}.metadata", f"this machine has no Intel RAID: {platform.trouble}", hint)
        return
    if platform.levels and wanted.level not in platform.levels:
        listed = ", ".join(str(level) for level in platform.levels)
        planned.complain(f"{at}.level", f"{platform.name} has no RAID {wanted.level} here: only {listed}")
    strip_bytes = parse_bytes(wanted.strip) if wanted.strip else None
    if strip_bytes is not None and platform.strip_bytes and strip_bytes not in platform.strip_bytes:
        listed = ", ".join(format_size(size) for size in platform.strip_bytes)
        planned.complain(f"{at}.strip", f"{platform.name} has strips of {listed}")


def _split(line: str) -> tuple[str, str]:
    key, _, value = line.partition(" : ")
    return key.strip().lower(), value.strip()


def _is_overruled(machine: Machine) -> bool:
    try:
        return WORD.encode() in (machine.root / "proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return False
