"""Compares what a template expects (`expect`) with what is there: every difference at once. Pure; called by
`plan_job` before any driver is asked."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any

from bootos.errors import Problem, Problems
from bootos.template.expect import (
    Count,
    CpuExpected,
    DiskExpected,
    Expect,
    GpuExpected,
    MemoryExpected,
    NicExpected,
    RaidExpected,
    SlotExpected,
)
from bootos.template.raid import SOFTWARE
from bootos.template.range import parse_range, parse_sizes, read_speed
from bootos.template.size import TOLERANCE, format_size
from bootos.template.version import is_within
from bootos.wire.inventory import Dimm, Disk, Inventory, Nic, RaidController


def find_differences(expect: Expect, inventory: Inventory) -> list[Problem]:
    """A problem for each thing that is not as expected, with its place in the template."""
    found = _Differences()
    if expect.system is not None:
        found.compare_text("expect.system.vendor", "vendor", expect.system.vendor, inventory.system.vendor)
        found.compare_text(
            "expect.system.product", "product", expect.system.product, inventory.system.product
        )
    if expect.cpu is not None:
        _compare_cpu(found, expect.cpu, inventory)
    if isinstance(expect.memory, str):
        _compare_total(found, "expect.memory", expect.memory, inventory)
    elif expect.memory is not None:
        _compare_memory(found, expect.memory, inventory)
    for number, disk in enumerate(expect.disks):
        fits = [item for item in inventory.disks if is_disk(disk, item)]
        all_disks = [describe_disk(item) for item in inventory.disks]
        found.compare_kind(f"expect.disks[{number}]", "disks", disk, len(fits), all_disks)
    for number, nic in enumerate(expect.nics):
        fits_nic = [item for item in inventory.nics if is_nic(nic, item)]
        all_nics = [describe_nic(item) for item in inventory.nics]
        found.compare_kind(f"expect.nics[{number}]", "network interfaces", nic, len(fits_nic), all_nics)
    controllers = [item for item in inventory.raid if item.driver != SOFTWARE]
    for number, raid in enumerate(expect.raid):
        fits_raid = [item for item in controllers if is_controller(raid, item)]
        all_raid = [describe_controller(item) for item in controllers]
        found.compare_kind(f"expect.raid[{number}]", "RAID controllers", raid, len(fits_raid), all_raid)
    for number, gpu in enumerate(expect.gpus):
        fits_gpu = [item for item in inventory.gpus if is_text(gpu.model, item.model)]
        all_gpus = [item.model or "unknown" for item in inventory.gpus]
        found.compare_kind(f"expect.gpus[{number}]", "GPUs", gpu, len(fits_gpu), all_gpus)
    _compare_rest(found, expect, inventory)
    return found.problems


class _Differences:
    """Collects problems; every method adds one, or none."""

    def __init__(self) -> None:
        self.problems = Problems()

    def add(self, path: str, message: str) -> None:
        self.problems.complain(path, message, "nothing is done to a machine that differs")

    def compare_text(self, path: str, what: str, wanted: str | None, there: str | None) -> None:
        if not is_text(wanted, there):
            self.add(path, f"{what}: expected {wanted}, found {there or 'unknown'}")

    def compare_count(self, path: str, what: str, wanted: Count | None, there: int | None) -> None:
        if wanted is None:
            return
        if there is None or not parse_range(wanted).holds(there):
            self.add(path, f"{what}: expected {wanted}, found {'unknown' if there is None else there}")

    def compare_version(self, path: str, what: str, wanted: str | None, there: str | None) -> None:
        if wanted is not None and not is_within(there or "", wanted):
            self.add(path, f"{what}: expected {wanted}, found {there or 'unknown'}")

    def compare_kind(self, path: str, what: str, wanted: Any, count: int, there: Sequence[str]) -> None:
        """How many of a kind there are; the message lists what there is."""
        needed = ">=1" if wanted.count is None else wanted.count
        if parse_range(needed).holds(count):
            return
        kind = describe_kind(wanted)
        listed = "; ".join(there) if there else "none at all"
        self.add(path, f"{what}{kind}: expected {needed}, found {count} (there: {listed})")


def is_text(pattern: str | None, text: str | None) -> bool:
    """Whether a wildcard pattern allows the text; case ignored. An unknown text fits no pattern."""
    if pattern is None:
        return True
    return text is not None and fnmatchcase(text.strip().casefold(), pattern.strip().casefold())


def is_number(wanted: Count | None, number: int | None) -> bool:
    """Whether a number is in the expected range; a number that is not known is in no range."""
    return wanted is None or (number is not None and parse_range(wanted).holds(number))


def is_size(wanted: str | None, size_bytes: int | None, slack: Fraction = Fraction(0)) -> bool:
    """Whether a size in bytes is as expected, within `slack`; a size that is not known is not."""
    return wanted is None or (size_bytes is not None and parse_sizes(wanted, slack=slack).holds(size_bytes))


def is_disk(wanted: DiskExpected, disk: Disk) -> bool:
    """Whether a disk is as expected."""
    return (
        is_size(wanted.size, disk.size_bytes, TOLERANCE)
        and (wanted.type is None or disk.type.value == wanted.type)
        and is_text(wanted.model, disk.model)
        and is_text(wanted.transport, disk.transport)
        and (wanted.firmware is None or is_within(disk.firmware or "", wanted.firmware))
    )


def is_nic(wanted: NicExpected, nic: Nic) -> bool:
    """Whether a network card is as expected."""
    speed = wanted.speed is None or (
        nic.speed_mbps is not None and parse_range(wanted.speed, read_speed).holds(nic.speed_mbps)
    )
    return (
        speed
        and is_text(wanted.model, nic.model)
        and is_text(wanted.module, nic.driver)
        and (wanted.link is None or bool(nic.link) == wanted.link)
        and (wanted.firmware is None or is_within(nic.firmware or "", wanted.firmware))
    )


def is_controller(wanted: RaidExpected, controller: RaidController) -> bool:
    """Whether a RAID controller is as expected, with all of its drives."""
    sizes = [drive.size_bytes for drive in controller.drives]
    return (
        is_text(wanted.model, controller.model)
        and (wanted.firmware is None or is_within(controller.firmware or "", wanted.firmware))
        and is_number(wanted.drives, len(controller.drives))
        and all(is_size(wanted.drive_size, size, TOLERANCE) for size in sizes)
    )


def _compare_cpu(found: _Differences, wanted: CpuExpected, inventory: Inventory) -> None:
    cpu = inventory.cpu
    found.compare_count("expect.cpu.count", "processors", wanted.count, cpu.sockets)
    found.compare_text("expect.cpu.model", "processor", wanted.model, cpu.model)
    found.compare_count("expect.cpu.cores", "cores", wanted.cores, cpu.cores)
    found.compare_count("expect.cpu.threads", "threads", wanted.threads, cpu.threads)
    missing = [flag for flag in wanted.flags if flag not in cpu.flags]
    if missing:
        found.add("expect.cpu.flags", f"the processors do not have {', '.join(missing)}")


def _compare_total(found: _Differences, path: str, wanted: str, inventory: Inventory) -> None:
    total = inventory.memory.total_bytes
    if not is_size(wanted, total):
        there = "unknown" if total is None else format_size(total)
        found.add(path, f"memory: expected {wanted}, found {there}")


def _compare_memory(found: _Differences, wanted: MemoryExpected, inventory: Inventory) -> None:
    dimms = inventory.memory.dimms
    if wanted.total is not None:
        _compare_total(found, "expect.memory.total", wanted.total, inventory)
    filled = sum(1 for dimm in dimms if dimm.size_bytes)
    found.compare_count("expect.memory.modules", "memory modules", wanted.modules, filled)
    for number, slot in enumerate(wanted.slots):
        path = f"expect.memory.slots[{number}]"
        here = [dimm for dimm in dimms if is_text(slot.slot, dimm.slot)]
        if not here:
            names = ", ".join(dimm.slot for dimm in dimms) or "none"
            found.add(path, f"{slot.slot}: there is no such slot (there: {names})")
        for dimm in here:
            if not is_slot(slot, dimm):
                found.add(
                    path, f"{dimm.slot}: expected {describe_slot(slot)}, found {describe_dimm(dimm, slot)}"
                )


def is_slot(wanted: SlotExpected, dimm: Dimm) -> bool:
    """Whether a memory slot holds what is expected, or is empty as expected."""
    if wanted.empty:
        return not dimm.size_bytes
    return bool(dimm.size_bytes) and (
        is_size(wanted.size, dimm.size_bytes)
        and is_number(wanted.speed, dimm.speed_mts)
        and is_number(wanted.configured_speed, dimm.configured_speed_mts)
        and is_text(wanted.type, dimm.type)
        and is_text(wanted.part, dimm.part)
        and is_text(wanted.vendor, dimm.vendor)
    )


def _compare_rest(found: _Differences, expect: Expect, inventory: Inventory) -> None:
    if expect.firmware is not None:
        bmc = inventory.bmc.firmware if inventory.bmc is not None else None
        found.compare_version("expect.firmware.bios", "BIOS", expect.firmware.bios, inventory.bios.version)
        found.compare_version("expect.firmware.bmc", "BMC firmware", expect.firmware.bmc, bmc)
    found.compare_text("expect.boot_mode", "boot mode", expect.boot_mode, inventory.bios.boot_mode)
    if expect.secure_boot is not None and inventory.bios.secure_boot is not expect.secure_boot:
        words = {True: "on", False: "off", None: "unknown"}
        there = words[inventory.bios.secure_boot]
        found.add("expect.secure_boot", f"secure boot: expected {words[expect.secure_boot]}, found {there}")
    found.compare_text("expect.tpm", "TPM", expect.tpm, inventory.tpm.version if inventory.tpm else "none")
    if expect.bmc is not None and (inventory.bmc is not None) != expect.bmc:
        found.add(
            "expect.bmc", "a BMC is expected, found none" if expect.bmc else "no BMC is expected, found one"
        )


def describe_slot(slot: SlotExpected) -> str:
    """`32GiB 3200 MT/s DDR4`, `empty`."""
    if slot.empty:
        return "empty"
    words = [slot.size or "", f"{slot.speed} MT/s" if slot.speed is not None else "", slot.type or ""]
    if slot.configured_speed is not None:
        words.append(f"running at {slot.configured_speed} MT/s")
    words += [slot.vendor or "", slot.part or ""]
    return " ".join(word for word in words if word) or "a module"


def describe_dimm(dimm: Dimm, wanted: SlotExpected) -> str:
    """What is in the slot, in the words that the expectation uses."""
    if not dimm.size_bytes:
        return "unknown" if dimm.size_bytes is None else "empty"
    words = [format_size(dimm.size_bytes)]
    if dimm.speed_mts is not None:
        words.append(f"{dimm.speed_mts} MT/s")
    if wanted.type is not None:
        words.append(dimm.type or "of unknown type")
    if wanted.configured_speed is not None:
        words.append(f"running at {dimm.configured_speed_mts or 'unknown'} MT/s")
    if wanted.vendor is not None:
        words.append(dimm.vendor or "of unknown vendor")
    if wanted.part is not None:
        words.append(dimm.part or "of unknown part number")
    return " ".join(words)


def describe_kind(wanted: DiskExpected | NicExpected | RaidExpected | GpuExpected) -> str:
    """` (size 480GB, type ssd)`: what was asked of each."""
    keys = [key for key in wanted.__struct_fields__ if key != "count" and getattr(wanted, key) is not None]
    words = [f"{key.replace('_', ' ')} {getattr(wanted, key)}" for key in keys]
    return f" ({', '.join(words)})" if words else ""


def describe_disk(disk: Disk) -> str:
    """A disk in one line: name, size, type, model."""
    return " ".join([disk.name, format_size(disk.size_bytes), disk.type.value, disk.model or ""]).strip()


def describe_nic(nic: Nic) -> str:
    """A network card in one line: name, model, link."""
    link = f"{nic.speed_mbps} Mb/s" if nic.link and nic.speed_mbps else "link" if nic.link else "no link"
    return " ".join(word for word in (nic.name, nic.model or nic.driver or "", link) if word)


def describe_controller(controller: RaidController) -> str:
    """A RAID controller in one line: model, firmware, number of drives."""
    firmware = f" {controller.firmware}" if controller.firmware else ""
    return f"{controller.model or controller.name}{firmware} with {len(controller.drives)} drives"
