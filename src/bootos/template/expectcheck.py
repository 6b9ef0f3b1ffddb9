"""The `expect` section: mistakes that need no machine. Called by `check.read_template`."""

from collections.abc import Callable
from typing import Any, Literal, get_args

from bootos.errors import Problem, Problems
from bootos.template import version
from bootos.template.expect import Expect, MemoryExpected
from bootos.template.range import parse_range, parse_sizes, read_count, read_speed

DiskKind = Literal["hdd", "ssd", "nvme", "virtual"]
BOOT_MODES = ("uefi", "bios")

Check = Callable[[Any], object]


def check_count(value: Any) -> object:
    """The range of a number of things. Raises ValueError with a sentence."""
    return parse_range(value, read_count)


def check_speed(value: Any) -> object:
    """The range of a speed. Raises ValueError with a sentence."""
    return parse_range(value, read_speed)


# How the values of fields are checked, by the name of the field, in every part.
CHECKS: dict[str, Check] = {
    "count": check_count,
    "cores": check_count,
    "threads": check_count,
    "modules": check_count,
    "drives": check_count,
    "configured_speed": check_count,
    "total": parse_sizes,
    "size": parse_sizes,
    "drive_size": parse_sizes,
    "firmware": version.parse_range,
    "bios": version.parse_range,
    "bmc": version.parse_range,
}


def check_expect(expect: Expect) -> list[Problem]:
    """The problems of the section `expect` that show without a machine."""
    problems = Problems()

    def check_fields(part: Any, at: str, **more: Check) -> None:
        for field in part.__struct_fields__:
            check = {**CHECKS, **more}.get(field)
            value = getattr(part, field)
            if check is not None and value is not None and not isinstance(value, bool):
                problems.parse(f"{at}.{field}", check, value)

    if expect.cpu is not None:
        check_fields(expect.cpu, "expect.cpu")
    if expect.firmware is not None:
        check_fields(expect.firmware, "expect.firmware")
    if isinstance(expect.memory, str):
        problems.parse("expect.memory", parse_sizes, expect.memory)
    elif expect.memory is not None:
        check_fields(expect.memory, "expect.memory")
        problems += _check_slots(expect.memory)
        for number, slot in enumerate(expect.memory.slots):
            check_fields(slot, f"expect.memory.slots[{number}]", speed=check_count)
    for key in ("disks", "nics", "raid", "gpus"):
        for number, part in enumerate(getattr(expect, key)):
            check_fields(part, f"expect.{key}[{number}]", speed=check_speed)
    for number, disk in enumerate(expect.disks):
        if disk.type is not None and disk.type not in get_args(DiskKind):
            message = f"{disk.type!r} is not one of: {', '.join(get_args(DiskKind))}"
            problems.complain(f"expect.disks[{number}].type", message)
    if expect.boot_mode is not None and expect.boot_mode not in BOOT_MODES:
        problems.complain("expect.boot_mode", f"{expect.boot_mode!r} is not one of: {', '.join(BOOT_MODES)}")
    return problems


def _check_slots(memory: MemoryExpected) -> list[Problem]:
    """A slot that is empty has no size."""
    return [
        Problem(path=f"expect.memory.slots[{number}].{field}", message="says what is in a slot that is empty")
        for number, slot in enumerate(memory.slots)
        if slot.empty
        for field in ("size", "speed", "configured_speed", "type", "part", "vendor")
        if getattr(slot, field) is not None
    ]
