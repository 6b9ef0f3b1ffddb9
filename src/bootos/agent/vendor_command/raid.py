"""`raid.sh`: arrays, hot spares and the deletion of what is there, as the `raid` section of a template."""

import re
from collections.abc import Sequence
from typing import Any

from bootos.agent.host.cmdline import read_cmdline
from bootos.agent.vendor_command.option import COMMON, Given, Option
from bootos.agent.vendor_command.request import Request, VendorScript, name_problem
from bootos.agent.vendor_command.slot import (
    Meaning,
    Present,
    Slot,
    find_meaning,
    find_present,
    find_slots,
    read_controller,
)
from bootos.drivers.calling import naming_failures, read_state
from bootos.drivers.contract import Driver, Forecast, Machine
from bootos.drivers.registry import choose_drivers
from bootos.drivers.storage.controller import ControllerState
from bootos.errors import BootosError, Problem, Problems, ProblemsError
from bootos.template.check import read_template
from bootos.template.drivelist import parse_drives
from bootos.template.model import Raid, Template
from bootos.template.raid import SOFTWARE
from bootos.wire.inventory import Inventory

LEVELS = ("0", "1", "5", "6", "10", "50", "60")
REDUNDANT = frozenset({"1", "5", "6", "10", "50", "60"})

PLACES = {"raid.driver": "--software", "raid.clear": "-c", "raid.arrays[0].size": "-s"}
PLACES |= {"raid.arrays[0].drives": "-d", "raid.arrays[0].hotspares": "-H"}


class RaidScript(VendorScript):
    name = "raid.sh"
    summary = "build RAID arrays"
    options: Sequence[Option] = (
        Option(letter="c", word="clear", help="delete every array that is not the one asked for here"),
        Option(letter="r", word="raid", value="0|1|5|6|10|50|60", help="build an array of this level"),
        Option(letter="d", word="disk", value="LIST", help="on these drives: 0, 1,2, 3-5, 6- or all"),
        Option(letter="H", word="hotspare", value="LIST", help="with these hot spares"),
        Option(letter="i", word="init", help="what a new array's drives hold may be lost, also without -c"),
        Option(
            letter="l", word="level", value="0|1|5|6|10|50|60", help="as -r, on all drives if -d is not given"
        ),
        Option(letter="s", word="size", value="SIZE", help="of the array, in MiB or with a unit (100GiB)"),
        Option(word="software", help="with Linux md, on the disks that the kernel sees"),
        *COMMON,
    )
    examples: Sequence[str] = ("-c -r 1 -d 0,1 -H 2 -i", "-r 5 -d 3-", "-c -l 10", "-c")

    def check(self, given: Given) -> list[Problem]:
        if not any(word in given for word in ("clear", "raid", "level", "hotspare", "disk", "init", "size")):
            return [Problem(path="", message="nothing is asked for: give -c or -r")]
        problems = _check_level(given)
        level = read_level(given)
        if level is None and not problems:
            missing = "belongs to -r LEVEL, which is missing"
            hints = {"-d": "a hot spare for the array that is there is -H LIST"}
            for word, shown in (("disk", "-d"), ("init", "-i"), ("size", "-s")):
                if word in given and not (word == "init" and "hotspare" in given):
                    problems.complain(shown, missing, hints.get(shown, ""))
            if "hotspare" in given and "clear" in given:
                message = "has no array to belong to: with -c all are deleted, and -r is missing"
                problems.complain("-H", message)
            return problems + _check_list("-H", given.get("hotspare"))
        if "raid" in given and "disk" not in given:
            problems.complain("-d", "is required with -r")
        if problems or level is None:
            return problems
        size = read_size(given)
        wanted: dict[str, Any] = {"name": "array", "level": level, "drives": read_disks(given)}
        wanted |= {"hotspares": given.values["hotspare"]} if "hotspare" in given else {}
        wanted |= {"size": size} if size is not None else {}
        _, found = read_template(build_document(given, wanted))
        return [name_problem(self, given, problem) for problem in found]

    def build(
        self, given: Given, machine: Machine, inventory: Inventory, drivers: Sequence[Driver]
    ) -> Request:
        driver = choose_driver(given, machine, inventory, drivers)
        if driver.state_type is ControllerState:
            slots, present = read_controller(read_state(driver, machine, inventory))
        else:
            slots, present = find_slots(inventory), find_present(inventory, driver.name)
        document = build_document(given, None, driver if "software" in given else None)
        notes: list[str] = []
        array: Present | None = None
        if read_level(given) is not None:
            wanted, array, notes = build_array(given, slots, present)
            document["raid"]["arrays"] = [wanted]
        elif "hotspare" in given:
            wanted, array = add_hotspares(given, slots, present)
            document["raid"]["arrays"] = [wanted]
        if array is not None:
            wanted["name"] = find_name(array, present, driver, machine, inventory) or wanted["name"]
        return Request(document=document, notes=notes)

    def name_place(self, given: Given, path: str) -> str:
        if path == "raid.arrays[0].wipe":
            return "-c" if "clear" in given else "-i"
        if path.startswith("raid.arrays"):
            return PLACES.get(path, "-r" if "raid" in given else "-l" if "level" in given else "-H")
        return PLACES.get(path, "")


def _check_level(given: Given) -> Problems:
    problems = Problems()
    for word, shown in (("raid", "-r"), ("level", "-l")):
        value = given.get(word)
        if value is not None and value not in LEVELS:
            problems.complain(shown, f"{value!r} is none of {', '.join(LEVELS)}")
    if "raid" in given and "level" in given:
        problems.complain("-l", "is the older form of -r: give one of them")
    return problems


def _check_list(shown: str, text: str | None) -> Problems:
    problems = Problems()
    problems.parse(shown, parse_drives, text or "all")
    return problems


def read_level(given: Given) -> int | None:
    """The RAID level that was asked for; None when none was, or when there is no such level."""
    text = given.get("raid") or given.get("level")
    return int(text) if text in LEVELS else None


def read_disks(given: Given) -> str:
    """`-l` alone means all drives."""
    return given.get("disk") or "all"


def read_size(given: Given) -> str | None:
    """A bare number counts MiB, as the scripts' own help says ("default MB") and controllers count."""
    text = given.get("size")
    return f"{text}MiB" if text is not None and re.fullmatch(r"\s*\d+\s*", text) else text


def choose_driver(given: Given, machine: Machine, inventory: Inventory, drivers: Sequence[Driver]) -> Driver:
    """The driver that this call is for. Linux md is never chosen because nothing else is there: somebody has to say
    so. Raises BootosError that says what to do."""
    asked = SOFTWARE if "software" in given else None
    template = Template(name=RaidScript.name, raid=Raid(clear=True, driver=asked))
    chosen, problems = choose_drivers(inventory, template, drivers)
    if chosen and (asked or chosen[0].driver.name != SOFTWARE):
        return chosen[0].driver
    controllers = [entry for entry in inventory.raid if entry.driver != SOFTWARE]
    if controllers and asked is None:
        named = ", ".join(
            f"{entry.model or 'of an unknown model'} (PCI {entry.pci_address}"
            + (f", driver {entry.driver})" if entry.driver else ")")
            for entry in controllers
        )
        raise BootosError(
            f"the image has no driver for this machine's RAID controller: {named}",
            hint="--software would use Linux md on the disks that the kernel sees instead",
        )
    if chosen and read_cmdline(machine.root).software_raid:
        return chosen[0].driver
    if problems:
        raise ProblemsError("this machine", problems)
    raise BootosError(
        "this machine has no hardware RAID controller, and nobody asked for Linux software RAID",
        hint="give --software, or SOFTWARE_RAID=1 on the kernel command line, with which scripts stay as they are",
    )


def build_array(
    given: Given, slots: list[Slot], present: list[Present]
) -> tuple[dict[str, Any], Present | None, list[str]]:
    """(the wanted array of the template, the one that is there already, how drive lists were understood). Raises
    BootosError when a list means no drive."""
    level = read_level(given)
    assert level is not None
    clear = "clear" in given
    drives = parse_drives(read_disks(given))
    hotspares = parse_drives(given.values["hotspare"]) if "hotspare" in given else None
    meaning = find_meaning(level, drives, hotspares, slots, present, clear=clear)
    texts = {"drives": (drives, meaning.drives), "hotspares": (hotspares, meaning.hotspares)}
    overlap = any(array.numbers & {*meaning.drives, *meaning.hotspares} for array in present)
    wanted: dict[str, Any] = {
        "name": name_array(level, meaning, [] if clear else present),
        "level": level,
        "wipe": clear
        or ("init" in given and not overlap),  # -i alone does not allow the driver to delete an array
    }
    notes = []
    for key, (listed, numbers) in texts.items():
        if listed is None:
            continue
        wanted[key] = listed.text
        if listed.open_from is not None and meaning.passed:
            names = ", ".join(array.name for array in meaning.passed)
            if not numbers:
                raise BootosError(
                    f"{listed.text} means no drive: all of them belong to array {names}",
                    hint="-c deletes the arrays that are there",
                )
            wanted[key] = _tell(numbers)
            notes.append(f"{listed.text} means drives {_tell(numbers)}: those of array {names} are not free")
    size = read_size(given)
    if size is not None:
        wanted["size"] = size
    return wanted, meaning.array, notes


def _tell(numbers: Sequence[int]) -> str:
    return ",".join(str(number) for number in numbers)


def name_array(level: int, meaning: Meaning, present: list[Present]) -> str:
    """A new array's name, after level and first drive: `raid1-0`."""
    name = f"raid{level}-{min(meaning.drives, default=0)}"
    taken = {array.name for array in present}
    names = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))]
    return next(free for free in names if free not in taken)


def find_name(
    array: Present, present: list[Present], driver: Driver, machine: Machine, inventory: Inventory
) -> str | None:
    """The name that the driver has for an existing array. The template must use it: under another name the driver would
    take the array for an unwanted one, and with -c delete it. None when the array lacks drives and does not run:
    nothing is kept of it. Raises BootosError when the driver does not know an array that is whole."""
    forecast = Forecast()
    with naming_failures(driver):
        state = read_state(driver, machine, inventory)
        driver.plan(state, Template(name=RaidScript.name, raid=Raid()), {}, forecast)
    names = [name for name, known in forecast.arrays.items() if set(known.members) & array.members]
    alike = [other for other in present if other.name == array.name]
    if len(names) == 1 and len(alike) == 1:
        return names[0]
    if not names and not array.whole:
        return None
    why = "it does not run" if not names else "another one has its name"
    raise BootosError(
        f"the array asked for is there ({array.name}), but it cannot be kept safely: {why}",
        hint="put it right by hand, or delete it with -c alone",
    )


def add_hotspares(given: Given, slots: list[Slot], present: list[Present]) -> tuple[dict[str, Any], Present]:
    """`-H LIST` alone: for the one array that can use a hot spare. Raises BootosError."""
    able = [array for array in present if array.level in REDUNDANT]
    if len(able) != 1:
        found = ", ".join(f"{array.name} (RAID {array.level})" for array in able) or "none"
        raise BootosError(
            f"-H without -r means the one array that can use a hot spare, and here are {len(able)}: {found}",
            hint="give -r, -d and -H in one call",
        )
    array = able[0]
    busy = frozenset[int]().union(*(other.numbers for other in present))
    count = max((slot.number for slot in slots), default=-1) + 1
    there, missing = parse_drives(given.values["hotspare"]).resolve(count, elsewhere=busy)
    spares = sorted({*there, *missing, *array.hotspares} - array.drives)
    return {
        "name": array.name,
        "level": int(array.level),
        "drives": _tell(sorted(array.drives)),
        "hotspares": _tell(spares),
        "wipe": "init" in given and not busy & set(spares) - array.numbers,
    }, array


def build_document(
    given: Given, array: dict[str, Any] | None, driver: Driver | None = None
) -> dict[str, Any]:
    """The template."""
    raid: dict[str, Any] = {"clear": "clear" in given, "arrays": [array] if array is not None else []}
    if driver is not None:
        raid["driver"] = driver.name
    return {"name": RaidScript.name, "raid": raid}
