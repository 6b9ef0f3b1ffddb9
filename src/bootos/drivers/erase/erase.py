"""`disk.erase`: drives forget what was on them, and a certificate says how that was done and what reading back found.

Comes before everything else that touches disks. A drive for which this job has a certificate is done; another job
erases it again. A sanitize that was cut off goes on in the drive by itself and is waited for.
"""

from collections.abc import Sequence

import msgspec

from bootos.drivers.contract import Action, Change, DriverError, Forecast, Machine, Match, Planned
from bootos.drivers.erase import tool as erasetool
from bootos.drivers.erase.ability import Ability, choose_way
from bootos.drivers.erase.certificate import read_certificate, read_certificates
from bootos.drivers.erase.drive import read_ability
from bootos.drivers.storage.content import Occupancy, find_on_device
from bootos.drivers.storage.desk import Taking, Word, judge
from bootos.drivers.storage.identity import Marks, is_same_drive, name_drive, read_marks
from bootos.drivers.storage.read import read_storage
from bootos.drivers.storage.selection import select_targets
from bootos.drivers.storage.state import Storage, describe_disk
from bootos.template.model import EraseWanted, Template
from bootos.template.size import format_size
from bootos.waiting import CLOCK, Clock
from bootos.wire.inventory import Disk, DiskType, Inventory

ERASE = "disk.erase:erase:"
HOST_BYTES_PER_S = 100e6  # roughly how fast a disk is overwritten, for the estimate


class EraseState(msgspec.Struct, frozen=True, kw_only=True):
    """`proven`: the disks for which this job has a certificate."""

    storage: Storage
    abilities: dict[str, Ability] = {}
    proven: frozenset[str] = frozenset()
    machine: dict[str, str] = {}


class EraseDriver:
    name = "disk.erase"
    section = "disks.erase"
    title = "Erase drives"
    state_type = EraseState

    def __init__(self, clock: Clock = CLOCK) -> None:
        self._clock = clock

    def match(self, inventory: Inventory) -> Match | None:
        return Match(reason="every drive can be erased") if inventory.disks else None

    def wants(self, template: Template) -> bool:
        return bool(template.erase)

    def read(self, machine: Machine, inventory: Inventory) -> EraseState:
        storage = read_storage(machine, inventory)
        abilities = {disk.path: read_ability(machine, disk, storage.disks) for disk in storage.disks}
        # A drive that is being sanitized, or is locked by a password, cannot be read, and can be erased nevertheless.
        silent = {path for path, ability in abilities.items() if ability.running or ability.locked}
        blocks = {
            path: msgspec.structs.replace(found, unreadable=found.unreadable and path not in silent)
            for path, found in storage.blocks.items()
        }
        proven = {disk.path for disk in storage.disks if _is_proven(machine, disk, storage)}
        system = inventory.system
        named = {"serial_number": system.serial, "vendor": system.vendor, "product": system.product}
        return EraseState(
            storage=msgspec.structs.replace(storage, blocks=blocks),
            abilities=abilities,
            proven=frozenset(proven),
            machine={key: value for key, value in named.items() if value},
        )

    def plan(
        self, state: EraseState, template: Template, secrets: dict[str, str], forecast: Forecast
    ) -> Planned:
        planned = Planned()
        chosen: dict[str, str] = {}
        for index, wanted in enumerate(template.erase):
            at = f"erase[{index}]"
            # An empty forecast: what the template does with a drive later is no obstacle.
            targets, problems = select_targets(wanted.select, at, state.storage, Forecast())
            planned.problems += problems
            for target in targets:
                if target.device in chosen:
                    message = f"{target.title} is erased by {chosen[target.device]} already"
                    planned.complain(f"{at}.select", message)
                    continue
                chosen[target.device] = at
                disk = next(disk for disk in state.storage.disks if disk.path == target.device)
                _plan_drive(state, wanted, at, disk, forecast, planned)
        return planned

    def apply(self, machine: Machine, action: Action, secrets: dict[str, str]) -> None:
        if not isinstance(action.detail, erasetool.Erase):
            raise DriverError(f"{self.name} has no action like {action.id}")
        erasetool.apply_erase(machine, action.detail, self._clock)


def _plan_drive(
    state: EraseState, wanted: EraseWanted, at: str, disk: Disk, forecast: Forecast, planned: Planned
) -> None:
    title = describe_disk(disk)
    if disk.path in state.proven:
        planned.notes.append(f"{title} was erased by this job, which has its certificate")
        return
    size = format_size(disk.size_bytes)
    found = find_on_device(state.storage, disk.path)
    ruling = judge(
        Taking(title=title, path=at, cannot="cannot be erased"),
        Occupancy(content=(f"everything on {title}, {size}", *found.content), users=found.users),
        Word(path=f"{at}.confirm", is_given=wanted.confirm == "lose-all-data"),
    )
    is_allowed = planned.take(ruling)
    ability, name = state.abilities[disk.path], name_drive(disk, state.storage.disks)
    begun = bool(name) and f"{ERASE}{name}" in state.storage.begun
    if begun and ability.enabled:  # an earlier attempt has set the password
        blocked = {key: text for key, text in ability.blocked.items() if key != "ata-security-erase"}
        ability = msgspec.structs.replace(ability, blocked=blocked)
    way, why = choose_way(ability, wanted.method)
    if way is None:
        planned.complain(f"{at}.method", f"{title}: {why}", _find_hint(why))
    if way is None or not is_allowed:
        return
    forecast.freed.add(disk.path)
    method, variant = way
    passes = f", {wanted.passes} passes" if method == "overwrite" and wanted.passes > 1 else ""
    estimate = disk.size_bytes / HOST_BYTES_PER_S * wanted.passes if method == "overwrite" else 120.0
    if method == "ata-security-erase" and ability.minutes:
        estimate = ability.minutes * 60.0
    if method == "nvme-sanitize":
        name = _name_sanitized(disk, state.storage.disks) or name
    planned.act(
        f"{ERASE}{name or disk.path}",
        f"erase {title} by {method} ({variant}{passes})",
        erasetool.Erase(
            device=disk.path,
            asked=wanted.method,
            method=method,
            variant=variant,
            why=why,
            passes=wanted.passes,
            full=wanted.verify == "full",
            minutes=ability.minutes,
            drive=_describe_drive(disk),
            machine=state.machine,
        ),
        at,
        Change(what=title, before=f"{disk.model or 'drive'}, {size}", after="erased and read back"),
        Change(what="method", after=f"{method} ({variant}): {why}"),
        ruling=ruling,
        estimate_s=estimate + (disk.size_bytes / HOST_BYTES_PER_S if wanted.verify == "full" else 0.0),
    )


def _is_proven(machine: Machine, disk: Disk, storage: Storage) -> bool:
    """Whether this job has erased the drive: by its certificate, if that is of this very drive and not of one that was
    pulled since; by that of another namespace whose sanitizing concerned the whole NVMe drive; in another boot, which
    has no certificates, by what the server was told. A drive that nothing tells from another one is erased again then,
    and so is one whose id is that of an agent before 0.2.0, which named the kernel's device."""
    certificate = read_certificate(machine.root, machine.owner, disk.path)
    if certificate is not None:
        return is_same_drive(msgspec.convert(certificate["drive"], Marks), read_marks(disk))
    whole = _name_sanitized(disk, storage.disks)
    if whole and disk.serial in _find_sanitized(machine):
        return True
    names = filter(None, (name_drive(disk, storage.disks), whole))
    return any(f"{ERASE}{name}" in machine.done for name in names)


def _name_sanitized(disk: Disk, disks: Sequence[Disk]) -> str:
    """What ids call an NVMe drive that is sanitized, which is all of it: the same for each of its namespaces, also for
    those that are made anew, with other world wide names. Empty: it has no serial number of its own."""
    drives = {other.path.rpartition("n")[0] for other in disks if other.serial == disk.serial}
    return f"{disk.serial}:drive" if disk.type is DiskType.NVME and disk.serial and len(drives) == 1 else ""


def _find_sanitized(machine: Machine) -> set[str]:
    """The serial numbers of the NVMe drives that this job has sanitized: no namespace of them holds what it held, also
    those that were made since (NVMe: a sanitize operation concerns the whole NVM subsystem)."""
    certificates = read_certificates(machine.root, machine.owner)
    sanitized = [item["drive"] for item in certificates if item["method"]["method"] == "nvme-sanitize"]
    return {drive["serial"] for drive in sanitized if "serial" in drive}


def _describe_drive(disk: Disk) -> dict[str, str | int]:
    told = {
        "model": disk.model,
        "vendor": disk.vendor,
        "serial": disk.serial,
        "wwn": disk.wwn,
        "firmware": disk.firmware,
        "type": disk.type.value,
        "size_bytes": disk.size_bytes,
        "path": disk.path,
        "by_path": disk.by_path,
    }
    return {key: value for key, value in told.items() if value is not None}


def _find_hint(why: str) -> str:
    if "frozen" in why:
        return (
            "power the drive off and on (pull and plug it, or a cold start without the firmware's drive lock), "
            "or ask for method: overwrite and know that spare areas are not reached"
        )
    if "password" in why:
        return "take the password away with the tool that set it, or ask for method: overwrite if the drive is open"
    return "" if "it has" not in why else "name one of those, or auto"
