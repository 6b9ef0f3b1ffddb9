"""What the `raid` section demands of a controller, whose drives `resolve` found, and what it cannot do of it. Pure."""

import msgspec

from bootos.drivers.storage.controller import Array, Capability, Controller, Drive, SpareKind, describe_drive
from bootos.errors import Problem, Problems
from bootos.template.raid import ArrayWanted
from bootos.template.size import format_size, parse_bytes
from bootos.wire.inventory import DiskType

SUPPORTED = {
    "read_policy": ("read_policies", "read policy"),
    "write_policy": ("write_policies", "write policy"),
    "initialize": ("initializations", "initialisation"),
}


class Demand(msgspec.Struct, kw_only=True):
    """A wanted array with its controller and drives. `existing` is the array of that name on the controller; where a
    controller keeps no names, the array on those drives."""

    at: str
    wanted: ArrayWanted
    controller: Controller
    drives: list[Drive]
    hotspares: list[Drive]
    kind: SpareKind
    existing: Array | None
    sound: bool  # it can be planned: its drives exist, are enough, and are in no other demand
    blocked: bool = False  # an array that may not be deleted is in the way

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all drives of the array, hot spares as well."""
        return frozenset(drive.id for drive in [*self.drives, *self.hotspares])


class Whole(msgspec.Struct, kw_only=True):
    """What is demanded of one controller apart from arrays. None: the template does not say."""

    controller: Controller
    hotspares: list[Drive] | None = None
    jbod: list[Drive] = []


def find_incapable(demand: Demand) -> list[Problem]:
    """What this controller cannot do, with the reason."""
    wanted, can, at = demand.wanted, demand.controller.capability, demand.at
    model = demand.controller.model or "this controller"
    problems = Problems()
    most = min(filter(None, [can.most_drives, can.most_drives_of.get(wanted.level)]), default=None)
    if can.levels and wanted.level not in can.levels:
        known = ", ".join(str(level) for level in can.levels)
        problems.complain(f"{at}.level", f"{model} has no RAID {wanted.level}", f"it has {known}")
    elif most is not None and len(demand.drives) > most:
        problems.complain(f"{at}.drives", f"{model} takes at most {most} drives in a RAID {wanted.level}")
    if can.name_length and len(wanted.name) > can.name_length:
        problems.complain(f"{at}.name", f"{model} keeps names of up to {can.name_length} characters")
    if wanted.strip is not None:
        strip_bytes = parse_bytes(wanted.strip)
        if can.strip_bytes and strip_bytes not in can.strip_bytes:
            known = ", ".join(format_size(size) for size in can.strip_bytes)
            problems.complain(f"{at}.strip", f"{model} has no strip size {wanted.strip}", f"it has {known}")
    if wanted.size is not None and not can.partial:
        problems.complain(f"{at}.size", f"{model} makes arrays of whole drives only", "leave it out")
    for key, (field, noun) in SUPPORTED.items():
        value, able = getattr(wanted, key), getattr(can, field)
        if value is not None and value not in able:
            hint = f"it has {', '.join(able)}" if able else "leave it out"
            problems.complain(f"{at}.{key}", f"{model} has no {noun} {value!r}", hint)
    if wanted.hotspares is not None and demand.kind not in can.hotspares:
        hint = f"it has {', '.join(can.hotspares)}" if can.hotspares else ""
        key = "hotspare_kind" if wanted.hotspare_kind else "hotspares"
        problems.complain(f"{at}.{key}", f"{model} has no {demand.kind} hot spares", hint)
    if wanted.boot and not can.boot:
        problems.complain(f"{at}.boot", f"{model} cannot be told which array to boot from", "leave it out")
    if wanted.level in (10, 50, 60) and wanted.span is not None and wanted.level == 10:
        per_span = len(demand.drives) // max(1, wanted.span)
        if per_span % 2:
            problems.complain(f"{at}.span", f"a span of RAID 10 has an even number of drives, not {per_span}")
    pairs = len(demand.drives) // 2
    if can.pairs_only and wanted.level == 10 and wanted.span not in (None, pairs):
        problems.complain(
            f"{at}.span", f"{model} makes RAID 10 of pairs: {pairs} of {len(demand.drives)} drives"
        )
    for key, message in (*_find_mixture(demand, can), *_find_bad_spares(demand, can)):
        problems.complain(f"{at}.{key}", message)
    return problems


def _find_mixture(demand: Demand, can: Capability) -> list[tuple[str, str]]:
    """Drives that cannot be in one array. Of a dead one the tool may not say what it was."""
    drives = [drive for drive in demand.drives if drive.id not in demand.controller.failed]
    types = {drive.type for drive in drives if drive.type is not DiskType.UNKNOWN}
    told = []
    for allowed, noun, kinds in (
        (can.mixed_media, "types", {kind.value for kind in types}),
        (can.mixed_interface, "interfaces", {drive.interface for drive in drives if drive.interface}),
        (can.mixed_sector, "sector sizes", {f"{drive.sector_bytes} bytes" for drive in drives}),
    ):
        if len(kinds) > 1 and not allowed:
            told.append(
                (
                    "drives",
                    f"drives of different {noun} cannot be in one array: {' and '.join(sorted(kinds))}",
                )
            )
    return told


def _find_bad_spares(demand: Demand, can: Capability) -> list[tuple[str, str]]:
    if not demand.drives:
        return []
    gone = demand.controller.failed
    sound = [drive for drive in demand.drives if drive.id not in gone] or demand.drives
    least = min(sound, key=lambda drive: drive.room_bytes)
    told = []
    for spare in (drive for drive in demand.hotspares if drive.id not in gone):
        name = describe_drive(spare)
        if spare.room_bytes < least.room_bytes and demand.wanted.size is None:
            has, need = format_size(spare.room_bytes), format_size(least.room_bytes)
            told.append(("hotspares", f"{name} has {has}: too small to stand in for a drive of {need}"))
        is_known = DiskType.UNKNOWN not in (spare.type, least.type)
        if is_known and spare.type is not least.type and not can.mixed_media:
            told.append(
                ("hotspares", f"{name} is {spare.type.value}, the array's drives are {least.type.value}")
            )
        if spare.sector_bytes != least.sector_bytes and not can.mixed_sector:
            message = (
                f"{name} has sectors of {spare.sector_bytes} bytes, the array's drives {least.sector_bytes}"
            )
            told.append(("hotspares", message))
        if (
            spare.interface != least.interface
            and not can.mixed_interface
            and spare.interface
            and least.interface
        ):
            told.append(
                ("hotspares", f"{name} is {spare.interface}, the array's drives are {least.interface}")
            )
    return told
