"""LVM as it is: physical volumes, groups, logical volumes and what is on them. `read.read_storage` calls it.

Changes nothing and activates nothing: the content of a logical volume is read through the physical volume, at the place
where its first extent lies. Only linear volumes can be read that way; what is on others stays unknown.
"""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.storage.mark import UNFINISHED
from bootos.drivers.storage.readability import can_read_edges
from bootos.drivers.storage.signature import Signature, name_signature

LVM_TIMEOUT_S = 300.0

_REPORT = ("--reportformat", "json", "--units", "b", "--nosuffix")
_FIRST_RANGE = re.compile(r"^(?P<device>.+?):(?P<first>\d+)-(?P<last>\d+)")


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A physical volume. `device` is its name in plans."""

    device: str
    uuid: str
    size_bytes: int


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A logical volume. `signatures` tells what is on it, if it is linear and not `unreadable`."""

    name: str
    uuid: str
    size_bytes: int
    kind: str = "linear"
    active: bool = False
    unfinished: bool = False
    signatures: tuple[Signature, ...] = ()
    unreadable: bool = False

    @property
    def is_linear(self) -> bool:
        """Whether it lies on its physical volumes in a row, so that it can be looked at without activating it."""
        return self.kind == "linear"

    @property
    def is_blank(self) -> bool:
        """Whether it was looked at, and nothing was found."""
        return self.is_linear and not self.unreadable and not self.signatures


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A volume group. `missing`: how many of its physical volumes are not in this machine."""

    name: str
    uuid: str
    extent_bytes: int
    extent_count: int
    free_count: int
    missing: int = 0
    exported: bool = False
    members: tuple[Member, ...] = ()
    volumes: tuple[Volume, ...] = ()

    def find_volume(self, name: str) -> Volume | None:
        """The logical volume of this name; None: there is none."""
        return next((volume for volume in self.volumes if volume.name == name), None)


def format_uuid(mark: str) -> str:
    """A UUID as LVM writes its own: 32 characters in groups of 6-4-4-4-4-4-6. Empty stays empty."""
    plain = mark.replace("-", "")
    cuts = (0, 6, 10, 14, 18, 22, 26, 32)
    return "-".join(plain[a:b] for a, b in itertools.pairwise(cuts)) if plain else ""


def volume_device(group: str, name: str) -> str:
    """How plans call a logical volume; also its link while it is active."""
    return f"/dev/{group}/{name}"


def tell_group(group: Group, device: str) -> Iterator[str]:
    """What is lost with one of a group's physical volumes, one phrase each. When another of them is wiped first, fewer
    phrases are left, and none that was not there before: the guard compares them."""
    yield f'LVM physical volume of volume group "{group.name}" on {device}'
    if group.missing:
        return
    others = sorted(item.device for item in group.members if item.device != device)
    if others:
        yield f'volume group "{group.name}", which also lies on {", ".join(others)}'
    for volume in group.volumes:
        yield from tell_volume(group.name, volume)


def tell_volume(group: str, volume: Volume) -> Iterator[str]:
    """What is on a logical volume, and that it is there."""
    place = volume_device(group, volume.name)
    if volume.unfinished:
        return
    if not volume.is_linear:
        yield f"{volume.kind} logical volume {place} (its content cannot be read without activating it)"
    if volume.unreadable:
        yield f"what cannot be read on {place}"
    if volume.is_blank:
        yield f"logical volume {place}"
    for signature in volume.signatures:
        yield f"{name_signature(signature)} on {place}"


def parse_report(text: str, key: str) -> list[dict[str, str]]:
    """The rows of `pvs|vgs|lvs --reportformat json`. Raises DriverError."""
    try:
        return [row for part in json.loads(text)["report"] for row in part.get(key, [])]
    except (ValueError, KeyError, TypeError) as cause:
        raise DriverError(f"lvm printed no report of {key}", hint=text[:200]) from cause


def parse_probe(text: str) -> tuple[Signature, ...]:
    """`blkid -p -o export`: at most one signature."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    kind = found.get("TYPE") or found.get("PTTYPE")
    if not kind:
        return ()
    label = re.sub(r"\\(.)", r"\1", found.get("LABEL", ""))
    return (Signature(type=kind, label=label, uuid=found.get("UUID", "")),)


def read_groups(machine: Machine, names: Mapping[str, str]) -> tuple[tuple[Group, ...], tuple[Member, ...]]:
    """All groups, and physical volumes without one. `names`: the name in plans of each device with LVM's signature."""
    rows = _report(machine, "pvs", "pv", "pv_name,pv_uuid,vg_uuid,pv_size,dev_size,pe_start")
    members: dict[str, list[Member]] = {}
    for row in rows:
        device = names.get(row["pv_name"])
        if device is None:
            continue  # this volume group is on a removable or mapped device
        size = int(row["dev_size"] or row["pv_size"] or 0)
        members.setdefault(row["vg_uuid"], []).append(
            Member(device=device, uuid=row["pv_uuid"], size_bytes=size)
        )
    starts = {row["pv_name"]: int(row["pe_start"] or 0) for row in rows}
    columns = "vg_name,vg_uuid,vg_extent_size,vg_extent_count,vg_free_count,vg_missing_pv_count,vg_exported"
    listed = _report(machine, "vgs", "vg", columns)
    extents = {row["vg_uuid"]: int(row["vg_extent_size"]) for row in listed}
    volumes = _read_volumes(machine, starts, extents)
    groups = tuple(
        Group(
            name=row["vg_name"],
            uuid=row["vg_uuid"],
            extent_bytes=int(row["vg_extent_size"]),
            extent_count=int(row["vg_extent_count"]),
            free_count=int(row["vg_free_count"]),
            missing=int(row["vg_missing_pv_count"] or 0),
            exported=bool(row["vg_exported"]),
            members=tuple(sorted(members.get(row["vg_uuid"], []), key=lambda item: item.device)),
            volumes=volumes.get(row["vg_uuid"], ()),
        )
        for row in sorted(listed, key=lambda row: (row["vg_name"], row["vg_uuid"]))
    )
    return groups, tuple(members.get("", []))


def _report(machine: Machine, tool: str, key: str, columns: str, *more: str) -> list[dict[str, str]]:
    done = machine.run([tool, *_REPORT, *more, "-o", columns], timeout_s=LVM_TIMEOUT_S)
    return parse_report(done.stdout, key)


def _read_volumes(
    machine: Machine, starts: Mapping[str, int], extents: Mapping[str, int]
) -> dict[str, tuple[Volume, ...]]:
    """Logical volumes by the UUID of their group. `lvs --segments` has a row for each piece of a volume."""
    columns = "vg_uuid,lv_name,lv_uuid,lv_size,lv_tags,lv_active,segtype,seg_start_pe,seg_pe_ranges"
    pieces: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in _report(machine, "lvs", "seg", columns, "--segments"):
        pieces.setdefault((row["vg_uuid"], row["lv_name"]), []).append(row)
    found: dict[str, list[Volume]] = {}
    for (group, name), rows in pieces.items():
        first = min(rows, key=lambda row: int(row["seg_start_pe"] or 0))
        kinds = {row["segtype"] for row in rows}
        kind = "linear" if kinds == {"linear"} else min(kinds - {"linear"})
        signatures = _probe(machine, first, starts, extents[group]) if kind == "linear" else ()
        found.setdefault(group, []).append(
            Volume(
                name=name,
                uuid=first["lv_uuid"],
                size_bytes=int(first["lv_size"]),
                kind=kind,
                active=first["lv_active"] == "active",
                unfinished=UNFINISHED in first["lv_tags"].split(","),
                signatures=signatures or (),
                unreadable=signatures is None,
            )
        )
    return {group: tuple(sorted(volumes, key=lambda volume: volume.name)) for group, volumes in found.items()}


def _probe(
    machine: Machine, piece: dict[str, Any], starts: Mapping[str, int], extent_bytes: int
) -> tuple[Signature, ...] | None:
    """What lies where the volume begins; None: that cannot be read. The device's other extents are not looked at."""
    place = _FIRST_RANGE.match(piece["seg_pe_ranges"])
    if place is None or place["device"] not in starts:
        return None  # it begins on a physical volume that is not there
    offset = starts[place["device"]] + int(place["first"]) * extent_bytes
    size = (int(place["last"]) - int(place["first"]) + 1) * extent_bytes
    argv = ["blkid", "--probe", "--output", "export", "--offset", str(offset), "--size", str(size)]
    done = machine.run([*argv, place["device"]], check=False)
    if done.returncode == 2:  # nothing found
        is_blank = can_read_edges(machine.root, place["device"], size, offset)
        return () if is_blank else None
    if done.returncode == 8:  # blkid finds several signatures: there is data, of whatever kind
        return (Signature(type="ambiguous"),)
    if done.returncode != 0:
        raise DriverError(f"{place['device']} cannot be read: {done.stderr.strip()}")
    return parse_probe(done.stdout)


@contextmanager
def opened(machine: Machine, group: str, name: str) -> Iterator[str]:
    """Activate a logical volume, yield its node, and deactivate it again. While it is open it is tagged as unfinished,
    and stays so when its content could not be made to the end. Raises DriverError (it was taken into use since it was
    planned: earlier actions may have taken hours), ToolError."""
    place = f"{group}/{name}"
    rows = _report(machine, "lvs", "lv", "lv_device_open", place)
    if any(row["lv_device_open"] == "open" for row in rows):  # `unknown` is one that is not active
        raise DriverError(f"{volume_device(group, name)} was taken into use: something has it open")
    machine.run(["lvchange", "--yes", "--addtag", UNFINISHED, place], timeout_s=LVM_TIMEOUT_S)
    # The image's lists of volumes to activate are for `-aay` only, so they do not stop this command.
    machine.run(["lvchange", "--yes", "--activate", "y", place], timeout_s=LVM_TIMEOUT_S)
    try:
        yield volume_device(group, name)
    finally:
        machine.run(["udevadm", "settle", "--timeout=30"], check=False)
        machine.run(["lvchange", "--yes", "--activate", "n", place], timeout_s=LVM_TIMEOUT_S)
    machine.run(["lvchange", "--yes", "--deltag", UNFINISHED, place], timeout_s=LVM_TIMEOUT_S)
