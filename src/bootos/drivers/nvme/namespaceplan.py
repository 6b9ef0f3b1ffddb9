"""The namespaces that NVMe drives shall have: what is kept, deleted and created. Pure; the plan of `disk.nvme`.

Namespaces are compared in order. The first ones that are as wanted are kept with what they hold; from the first that
is not, all go, since the order says which is which.
"""

from bootos.drivers.contract import ArrayForecast, Change, Forecast, Planned, Ruling
from bootos.drivers.nvme.lbaformat import choose_format, tell_formats
from bootos.drivers.nvme.namespace import Coming, Held, NvmeDrive, Rebuild
from bootos.drivers.storage.content import Occupancy, find_on_device
from bootos.drivers.storage.desk import Taking, join_rulings, judge, wipe_word
from bootos.drivers.storage.identity import name_drive
from bootos.drivers.storage.mark import COMING_NAMESPACE
from bootos.drivers.storage.selection import select_targets
from bootos.drivers.storage.state import Block, Storage
from bootos.template.erase import NamespaceWanted, NvmeWanted
from bootos.template.size import format_size, parse_size

REBUILD = "disk.nvme:namespaces:"
_SLACK_BYTES = 1024**3  # how much a drive may leave unused when the last namespace has the rest


class NamespacePlan:
    """All entries with `namespaces` of one plan; a drive can be meant by one of them only."""

    def __init__(
        self, storage: Storage, drives: tuple[NvmeDrive, ...], forecast: Forecast, planned: Planned
    ) -> None:
        self.storage = storage
        self.drives = drives
        self.forecast = forecast
        self.planned = planned
        self.meant: dict[str, str] = {}

    def plan_entry(self, wanted: NvmeWanted, at: str) -> None:
        """Plan the drives that one entry of `nvme` selects; problems and actions go to the plan. `at` is its path."""
        targets, problems = select_targets(wanted.select, at, self._build_view(), Forecast())
        self.planned.problems += problems
        for target in targets:
            drive = next(drive for drive in self.drives if drive.disk.path == target.device)
            if self.meant.setdefault(drive.node, at) != at:
                self.planned.complain(
                    f"{at}.select", f"{drive.title} is meant by {self.meant[drive.node]} already"
                )
                continue
            self._plan_drive(drive, wanted, at)

    def _build_view(self) -> Storage:
        """One disk for each drive, also for those that have none or several."""
        disks = tuple(drive.disk for drive in self.drives)
        blocks = {disk.path: Block(device=disk.path, node=disk.path, size_bytes=1) for disk in disks}
        return Storage(disks=disks, blocks=blocks)

    def _plan_drive(self, drive: NvmeDrive, wanted: NvmeWanted, at: str) -> None:
        before = len(self.planned.problems)
        self._check_drive(drive, wanted, at)
        sizes = self._size(drive, wanted.namespaces, at) if drive.total_bytes else []
        kept = 0
        for held, item, size_bytes in zip(drive.held, wanted.namespaces, sizes, strict=False):
            if not _is_right(drive, held, item, size_bytes):
                break
            kept += 1
        self._forecast(drive, wanted, kept, sizes)
        if len(self.planned.problems) > before:
            return
        doomed, missing = drive.held[kept:], wanted.namespaces[kept:]
        loose = [item for item in drive.held[:kept] if not item.device]
        if not (doomed or missing or loose):
            self.planned.notes.append(f"{drive.title} has its {_count(kept)} already")
            return
        ruling = self._judge(drive, doomed, wanted, at)
        if not self.planned.take(ruling):
            return
        name, coming = name_drive(drive.disk, [other.disk for other in self.drives]), []
        for item, size_bytes in zip(missing, sizes[kept:], strict=True):
            chosen = choose_format(drive.formats, item.sector_bytes)
            assert chosen is not None  # _check_drive has seen to it
            coming.append(
                Coming(
                    size_bytes=size_bytes,
                    sector_bytes=item.sector_bytes,
                    lbaf=chosen.index,
                    is_rest=parse_size(item.size).rest,
                )
            )
        self.planned.act(
            f"{REBUILD}{name or drive.node}",
            f"give {drive.title} {_count(len(wanted.namespaces))}",
            Rebuild(
                node=drive.node,
                title=drive.title,
                controller=drive.controller,
                granule_bytes=drive.granule_bytes,
                doomed={item.nsid: item.device for item in doomed},
                loose=tuple(item.nsid for item in loose),
                attached=tuple(held.nsid for held in loose if drive.controller in (held.attached or ())),
                own=bool(name) and f"{REBUILD}{name}" in self.storage.begun,
                coming=tuple(coming),
            ),
            at,
            *(Change(what=_name(drive, held), before=_tell(held)) for held in doomed),
            *(Change(what=_name(drive, held), after=f"{_tell(held)}, attached") for held in loose),
            *(
                Change(
                    what=f"namespace of {drive.node}{f' ({item.name})' if item.name else ''}",
                    after=f"{format_size(new.size_bytes)}, sectors of {new.sector_bytes} bytes",
                )
                for item, new in zip(missing, coming, strict=True)
            ),
            ruling=ruling,
            estimate_s=30.0,
        )
        for held in doomed:
            if held.device:
                self.forecast.freed.add(held.device)
                self.forecast.taken.setdefault(held.device, f"{at}, which deletes it")

    def _check_drive(self, drive: NvmeDrive, wanted: NvmeWanted, at: str) -> None:
        here = f"{at}.namespaces"
        if drive.trouble:
            self.planned.complain(
                here, f"{drive.title} does not tell what namespaces it has: {drive.trouble}"
            )
            return
        if not drive.manages:
            hint = "it says so itself (OACS, bit 3); sector_bytes formats the namespace that it has"
            self.planned.complain(here, f"{drive.title} cannot create or delete namespaces", hint)
            return
        if drive.peers:
            message = f"{drive.title} is reached by {', '.join(drive.peers)}, too"
            self.planned.complain(here, message, "namespaces of several controllers are not managed")
        for held in drive.held:
            others = [number for number in held.attached or () if number != drive.controller]
            if others:
                names = ", ".join(f"{number:#x}" for number in others)
                message = f"{_name(drive, held)} is attached to controller {names}, too"
                self.planned.complain(here, message, "another host may be using it")
            elif held.attached is None and drive.several:
                message = f"{drive.title} does not tell which controllers have {_name(drive, held)}"
                self.planned.complain(here, message, "it can have several, and another host may be using it")
        if len(wanted.namespaces) > drive.most:
            message = f"{drive.title} has at most {drive.most} namespaces, not {len(wanted.namespaces)}"
            self.planned.complain(here, message)
        for number, item in enumerate(wanted.namespaces):
            if choose_format(drive.formats, item.sector_bytes) is None:
                message = f"{drive.title} has no format of {item.sector_bytes} bytes without metadata"
                hint = f"it has {tell_formats(drive.formats)}"
                self.planned.complain(f"{here}[{number}].sector_bytes", message, hint)
        if not drive.total_bytes:
            self.planned.complain(here, f"{drive.title} does not tell its capacity")

    def _size(self, drive: NvmeDrive, namespaces: list[NamespaceWanted], at: str) -> list[int]:
        """Bytes of each: sizes rounded up to what the drive can, shares and the rest rounded down."""
        granule, sizes = drive.granule_bytes, list[int]()
        for number, item in enumerate(namespaces):
            size = parse_size(item.size)
            if size.size_bytes is not None:
                sizes.append(-(-size.size_bytes // granule) * granule)
            else:
                whole = size.of(drive.total_bytes)
                room = drive.total_bytes - sum(sizes) if whole is None else whole
                sizes.append(max(room, 0) // granule * granule)
            if not sizes[-1]:
                message = f"{item.size} of {drive.title} is less than the {format_size(granule)} it counts in"
                self.planned.complain(f"{at}.namespaces[{number}].size", message)
        if sum(sizes) > drive.total_bytes:
            message = f"{drive.title} has {format_size(drive.total_bytes)}, not {format_size(sum(sizes))}"
            self.planned.complain(f"{at}.namespaces", message)
        return sizes

    def _forecast(self, drive: NvmeDrive, wanted: NvmeWanted, kept: int, sizes: list[int]) -> None:
        for number, item in enumerate(wanted.namespaces):
            if item.name is None:
                continue
            device = drive.held[number].device if number < kept else ""
            place = f"{COMING_NAMESPACE}{item.name}"
            self.forecast.arrays[item.name] = ArrayForecast(
                name=item.name,
                device=device or place,
                size_bytes=sizes[number] if number < len(sizes) else 0,
                exists=bool(device),
                place=place,
            )

    def _judge(self, drive: NvmeDrive, doomed: tuple[Held, ...], wanted: NvmeWanted, at: str) -> Ruling:
        """Whether these namespaces may be deleted."""
        word, content, rulings = wipe_word(at, wanted.wipe), list[str](), []
        for item in doomed:
            if item.device not in self.storage.blocks:
                name, size = _name(drive, item), _tell(item)
                content.append(f"{name} ({size}), of which nobody can say what it holds")
                continue
            found = find_on_device(self.storage, item.device, self.forecast.freed)
            content += found.content
            taking = Taking(title=item.device, path=at, cannot="cannot be deleted")
            rulings.append(judge(taking, Occupancy(users=found.users), word))
        taking = Taking(title=drive.title, path=at, cannot="cannot be divided")
        return join_rulings([*rulings, judge(taking, Occupancy(content=tuple(content)), word)])


def _is_right(drive: NvmeDrive, held: Held, item: NamespaceWanted, size_bytes: int) -> bool:
    if held.sector_bytes != item.sector_bytes or held.metadata_bytes:
        return False
    if held.size_bytes == size_bytes:
        return True
    is_filled = held.size_bytes < size_bytes and drive.free_bytes < _SLACK_BYTES
    return parse_size(item.size).rest and is_filled


def _count(number: int) -> str:
    return f"{number} namespace{'s' if number != 1 else ''}"


def _name(drive: NvmeDrive, item: Held) -> str:
    return item.device or f"namespace {item.nsid} of {drive.node}"


def _tell(item: Held) -> str:
    return f"{format_size(item.size_bytes)}, sectors of {item.sector_bytes} bytes"


def find_meant(meant: dict[str, str], drives: tuple[NvmeDrive, ...], device: str) -> str:
    """The entry that rules over the drive of a namespace; empty: none does."""
    for drive in drives:
        if drive.node in meant and device in {item.device for item in drive.held}:
            return meant[drive.node]
    return ""
