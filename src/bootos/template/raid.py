"""The `raid` section: arrays, hot spares, single drives, and what may happen to what is there."""

from typing import Literal

import msgspec

from bootos.template.value import Name

SOFTWARE = "raid.mdadm"
"""The driver of Linux md: of all drivers of `raid`, the one that needs no controller and makes arrays of what the
kernel sees. So no other section of a list stands beside its own: that one's arrays would be disks to it."""


class DriveSelect(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Drives by what they are: the first `count` that fit and are free (all of them when left out).

    `size` is a size (`480GB`, within 5 %) or a range (`>=1TB`, `<2TiB`, `400GB-500GB`).
    """

    type: Literal["hdd", "ssd", "nvme"] | None = None
    size: str | None = None
    count: int | None = None


Drives = str | int | DriveSelect


class ArrayWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`drives` and `hotspares` are drive lists in the documented form, or a selection. `wipe: true` lets their data
    be lost. `controller` (its number, serial or PCI address) is needed when there are several.

    `metadata` is how Linux md writes an array down: `imsm` is that of Intel's RSTe and VROC, which the BIOS reads too.
    When left out, a new array gets md's own (1.2), and of one that is there it does not count."""

    name: Name
    level: Literal[0, 1, 5, 6, 10, 50, 60]
    drives: Drives
    hotspares: Drives | None = None
    hotspare_kind: Literal["dedicated", "global"] | None = None
    span: int | None = None  # how many RAID 5, 6 or 1 groups a RAID 50, 60 or 10 is made of
    strip: str | None = None
    size: str | None = None  # per array; the whole drives when left out
    read_policy: Literal["none", "ahead", "adaptive"] | None = None
    write_policy: Literal["through", "back", "always-back"] | None = None
    initialize: Literal["fast", "full", "background", "none"] | None = None
    boot: bool = False
    metadata: Literal["1.2", "imsm"] | None = None
    controller: str | int | None = None
    wipe: bool = False


class Raid(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`clear: true` allows existing arrays that are not wanted to be deleted. `hotspares` are global ones; `jbod` are
    drives that the system shall see as single disks. `controller` is the one meant where an array names none."""

    clear: bool = False
    arrays: list[ArrayWanted] = []
    hotspares: Drives | None = None
    jbod: Drives | None = None
    mode: Literal["raid", "hba"] | None = None
    foreign: Literal["import", "clear"] | None = None
    controller: str | int | None = None
    driver: str | None = None  # needed when more than one could do it, as `raid.mdadm`


RaidSections = Raid | list[Raid] | None
"""What a template may have under `raid`: one section, or one for each of several drivers."""


def list_sections(raid: RaidSections) -> list[tuple[str, Raid]]:
    """The sections with their places: `raid`, or `raid[0]`, `raid[1]`, ... of a list."""
    if isinstance(raid, list):
        return [(f"raid[{number}]", section) for number, section in enumerate(raid)]
    return [("raid", raid)] if raid is not None else []


def find_only(raid: RaidSections) -> Raid | None:
    """The section that a driver is asked with, which is never a list: `drivers.registry` gives each its own. None:
    there is none. Raises TypeError for a list."""
    if isinstance(raid, list):
        raise TypeError("a driver is asked with one section of raid")
    return raid
