"""What Broadcom's storcli and storcli2 (Dell: perccli, perccli2) print, as values. Pure but for `read_controllers`.

Used by the inventory and by `raid.megaraid`. The two generations answer the same questions with other keys; which one
it is, the tool's version says: 007 (and older) is the classic one, 008 the second. What an answer holds is used
whatever its status says: one dead drive makes the answer about all drives a failure. What it says against is a
`Remark`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from bootos.hardware.pciids import parse_pci_address
from bootos.hardware.remark import Remark
from bootos.hardware.storcliarray import StorArray, build_arrays
from bootos.hardware.storclidrive import StorDrive, build_drives, name_drive
from bootos.hardware.storclireply import Reply, find_part, find_rows, find_text, is_nothing, read_reply
from bootos.process import Runner, ToolError

DRIVER = "raid.megaraid"
_NAMES = ("storcli64", "storcli", "perccli64", "perccli", "storcli2", "perccli2")
_OWN_PLACES = ("storcli/storcli64", "perccli/perccli64", "storcli2/storcli2", "perccli2/perccli2")
PROGRAMS = (*_NAMES, *(f"/opt/MegaRAID/{place}" for place in _OWN_PLACES))
# Kernel modules (and Windows' driver) of controllers that only hand their drives to the system, and how their models
# are called. IR firmware, which has RAID, says which levels it supports.
_HBA_MODULES = ("mpt2sas", "mpt3sas", "itsas")
_HBA_MODEL = re.compile(r"\bHBA ?\d{3,4}", re.IGNORECASE)
# The tables of `show`, which lists the controllers and shows none of them.
_OVERVIEW, _IT_OVERVIEW = "System Overview", "IT System Overview"


class StorForeign(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration of another controller. `trouble`: why it cannot be imported, in the tool's words."""

    title: str
    drives: tuple[str, ...] = ()
    trouble: str = ""


class StorController(msgspec.Struct, frozen=True, kw_only=True):
    """`data` is the answer to `show all`, for what only the driver needs. `is_hba`: it has no RAID at all."""

    number: int
    version: str
    model: str
    serial: str
    firmware: str
    pci_address: str
    data: dict[str, Any]
    drives: tuple[StorDrive, ...] = ()
    arrays: tuple[StorArray, ...] = ()
    hotspares: tuple[str, ...] = ()
    foreign: tuple[StorForeign, ...] = ()
    is_hba: bool = False
    remarks: tuple[Remark, ...] = ()

    @property
    def title(self) -> str:
        """`controller 0 (MegaRAID 9361-8i)`"""
        return f"controller {self.number}" + (f" ({self.model})" if self.model else "")


def is_second(version: str) -> bool:
    """Whether it is a tool of the second generation."""
    return version.startswith("008")


def build_controller(
    main: Reply, volumes: Reply | None, drives: Sequence[Reply], foreign: Reply | None
) -> StorController:
    """One controller from the answers to `show all` of itself, of its virtual drives, its drives and `fall`; None: it
    was not asked."""
    data = main.data
    basics, version = find_part(data, "Basics"), find_part(data, "Version")
    address = find_text(basics, "PCI Address") or find_text(find_part(data, "HostInterface"), "PCI Address")
    known = build_drives(data, [*drives, volumes] if volumes is not None else drives)
    arrays = tuple(build_arrays(data, volumes, known))
    is_hba = _is_hba(data, arrays)
    told = tuple(_tell_volumes(data, volumes)) if volumes is not None and not is_hba else ()
    configurations, lost = ((), ()) if is_hba or foreign is None else _find_foreign(foreign, known)
    return StorController(
        number=main.controller,
        version=main.version,
        model=find_text(basics, "Model", "Product Name") or find_text(data, "Product Name"),
        serial=find_text(basics, "Serial Number") or find_text(data, "Serial Number"),
        firmware=find_text(version, "Firmware Package Build", "Package Version", "Firmware Version")
        or find_text(data, "FW Package Build", "Package Version", "Firmware Version"),
        pci_address=parse_pci_address(address or find_text(data, "PCI Address")),
        data=data,
        drives=known,
        arrays=arrays,
        hotspares=tuple(d.id for d in known if d.state.upper().startswith("GHS")),
        foreign=tuple(configurations),
        is_hba=is_hba,
        remarks=(
            *_tell_main(main),
            *told,
            *(_tell_lost(data) if not arrays and not any(remark.part == "arrays" for remark in told) else ()),
            *_tell_drives(main, drives, known),
            *lost,
        ),
    )


def _is_hba(data: dict[str, Any], arrays: Sequence[StorArray]) -> bool:
    """Whether the controller makes no arrays: HBAs of the 9300 to 9600 series and their like, in IT mode."""
    if find_rows(data, _IT_OVERVIEW):
        return True
    able = find_part(data, "Capabilities")
    if arrays or find_text(able, "RAID Level Supported", "Supported RAID Levels"):
        return False
    basics, version = find_part(data, "Basics"), find_part(data, "Version")
    module = find_text(version, "Driver Name") or find_text(data, "Driver Name")
    model = find_text(basics, "Model", "Product Name") or find_text(data, "Product Name")
    return module.lower().startswith(_HBA_MODULES) or _HBA_MODEL.search(model) is not None


def _tell_main(main: Reply) -> Iterator[Remark]:
    if main.error and main.data:
        yield Remark(text=f"the tool reports: {main.error}")
    elif not main.data:
        yield Remark(
            text=f"it is not shown: {main.error or 'the tool prints nothing of it'}", part="controller"
        )


def _tell_volumes(data: dict[str, Any], volumes: Reply) -> Iterator[Remark]:
    if not volumes.error or is_nothing(volumes.error):
        return
    if not volumes.data and not find_rows(data, "VD LIST"):
        yield Remark(text=f"its arrays are not shown: {volumes.error}", part="arrays")
        return
    named = [refusal for refusal in volumes.refusals if re.search(r"/v\d+$", refusal.place)]
    for refusal in named:
        yield Remark(text=f"array {refusal.place.rpartition('/v')[2]} is not shown: {refusal.said}")
    if not named:
        yield Remark(text=f"details of its arrays are not shown: {volumes.error}")


def _tell_lost(data: dict[str, Any]) -> Iterator[Remark]:
    """Of a controller without arrays: that the tool counts some."""
    count = find_text(data, "Virtual Drives")
    if count.isdigit() and int(count) and not find_rows(data, "VD LIST"):
        yield Remark(text=f"its arrays are not shown: the tool counts {count}", part="arrays")


def _tell_drives(main: Reply, replies: Sequence[Reply], drives: Sequence[StorDrive]) -> Iterator[Remark]:
    count = find_text(main.data, "Physical Drives")
    errors = [reply.error for reply in replies if reply.error and not is_nothing(reply.error)]
    # what the answer about the arrays lists is a part of them
    listed = find_rows(main.data, "PD LIST") or any(reply.data for reply in replies)
    is_counted = bool(errors) or (count.isdigit() and int(count) > 0)
    is_lost = bool(main.data) and not (drives and listed) and is_counted
    for reply in replies:
        if not reply.error or is_nothing(reply.error):
            continue
        summary = reply.error.partition(": ")[0]
        named = [(name, refusal) for refusal in reply.refusals if (name := name_drive(refusal.place))]
        for name, refusal in named:
            yield Remark(text=f"drive {name} is not shown: {summary} {refusal.said}")
        if not named and drives and not is_lost:
            yield Remark(text=f"details of its drives are not shown: {reply.error}")
    if is_lost:
        why = errors[0] if errors else f"the tool counts {count}"
        yield Remark(text=f"its drives are not {'all ' if drives else ''}shown: {why}", part="drives")


def _find_foreign(reply: Reply, drives: Sequence[StorDrive]) -> tuple[list[StorForeign], list[Remark]]:
    """What drives brought with them. Where the list cannot be had, the drives that are foreign, and how many the tool
    counts, still say that there is something."""
    found = list(_list_foreign(reply.data))
    listed = {id for entry in found for id in entry.drives}
    rest = tuple(d.id for d in drives if is_foreign(d) and d.id not in listed)
    error = "" if is_nothing(reply.error) else reply.error
    count = find_text(reply.data, "Total Foreign PDs")
    if found and error:
        found = [msgspec.structs.replace(entry, trouble=error) for entry in found]
    elif not found and (rest or (error and count.isdigit() and int(count))):
        named = f"of {len(rest)} drives ({', '.join(rest)})" if rest else f"of {count} drives"
        trouble = error or "the tool does not show it"
        found = [StorForeign(title=f"configuration {named}: {trouble}", drives=rest, trouble=trouble)]
    elif not found and error:
        return [], [Remark(text=f"its foreign configurations are not shown: {error}", part="foreign")]
    return found, [Remark(text=f"its foreign configurations are not all shown: {error}")] if error else []


def is_foreign(drive: StorDrive) -> bool:
    """Whether the drive belongs to a configuration of another controller."""
    return drive.group == "F" or "Frgn" in drive.state or "Foreign" in drive.state


def _list_foreign(data: dict[str, Any]) -> Iterator[StorForeign]:
    drives = find_rows(data, "FOREIGN PD LIST")
    for entry in find_rows(data, "FOREIGN DG LIST") or find_rows(data, "FOREIGN CONFIGURATION"):
        group = find_text(entry, "DG")
        own = tuple(find_text(d, "EID:Slt") for d in drives if find_text(d, "DG") == group)
        kind = (find_text(entry, "Type") or "RAID").replace("RAID", "RAID ").strip()
        yield StorForeign(title=f"{kind} of {len(own)} drives ({find_text(entry, 'Size')})", drives=own)


def read_controllers(run: Runner, program: str) -> list[StorController]:
    """All controllers that the tool sees, also those of which it shows nothing. Raises ToolError, and ValueError for an
    answer without any."""
    found: list[StorController] = []
    errors: list[str] = []
    for main in _spread(read_reply(run, program, ["/call", "show", "all"])):
        if main.error and not main.data:
            if is_nothing(main.error):
                continue
            errors.append(main.error)
            if main.controller < 0:
                continue
        found.append(_read_controller(run, program, main))
    if errors and not any(entry.data for entry in found):
        raise ValueError(f"{program} /call show all: {errors[0]}")
    return found


def _spread(replies: Iterable[Reply]) -> Iterator[Reply]:
    """The answers, and of one that only lists controllers an answer for each of its rows."""
    for reply in replies:
        listed = [(key, row) for key in (_OVERVIEW, _IT_OVERVIEW) for row in find_rows(reply.data, key)]
        if not listed and "Number of Controllers" not in reply.data:
            yield reply
        for key, row in listed:
            number = find_text(row, "Ctl", "Ctrl")
            if number.isdigit():
                yield msgspec.structs.replace(reply, controller=int(number), data=_read_overview(key, row))


def _read_overview(key: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row of the overview in the words of `show all`."""
    return {
        "Product Name": find_text(row, "Product Name", "Model"),
        "Serial Number": find_text(row, "SerialNumber"),
        "PCI Address": find_text(row, "PCI Address"),
        "Physical Drives": find_text(row, "PDs", "PD(s)"),
        "Virtual Drives": find_text(row, "VDs", "VD(s)"),
        key: [row],
    }


def _read_controller(run: Runner, program: str, main: Reply) -> StorController:
    if not main.data:
        return build_controller(main, None, [], None)
    at = f"/c{main.controller}"
    volumes = list(_read_rest(run, program, f"{at}/vall"))
    drives = list(_read_rest(run, program, f"{at}/eall/sall"))
    if any(id.startswith(":") for id in _list_ids([main, *drives])):
        drives += _read_rest(run, program, f"{at}/sall")
    foreign = list(_read_rest(run, program, f"{at}/fall"))
    return build_controller(main, _join(volumes), drives, _join(foreign))


def _list_ids(replies: Iterable[Reply]) -> list[str]:
    return [drive.id for reply in replies for drive in build_drives(reply.data, [])]


def _read_rest(run: Runner, program: str, place: str) -> Iterator[Reply]:
    """The answer about a part of a controller. A tool that fails there takes away only that part."""
    try:
        yield from read_reply(run, program, [place, "show", "all"])
    except (ToolError, ValueError) as cause:
        yield Reply(controller=-1, version="", error=f"{cause}", data={})


def _join(replies: Sequence[Reply]) -> Reply:
    """One part was asked for; the first answer that holds something counts."""
    return next((reply for reply in replies if reply.data), replies[0])
