"""Stand-in for Marvell's mvcli over one controller for two drives (Dell BOSS-S1): `info -o hba|vd|pd`, `create`,
`delete`; and for mnv_cli where the card is NVMe (BOSS-N1). What `info` prints follows published outputs
(tests/golden/README.md), the rest Dell's user guide. A drive in no array is a disk of the guest, but for an NVMe card.
A machine has such a controller when its state has the key `mvcli`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

from bootos.lab.vendor_tools.silicon import Output, Silicon

KEY = "mvcli"
_DRIVER = "SG driver version 3.5.36."
_RESERVED_KIB = 65536
_NAME_LENGTH = 10
_STRIPS = {False: ("64", "32"), True: ("128", "256", "512")}  # the first is taken when none is given


class MvDisk(msgspec.Struct, kw_only=True):
    """`failed`: the controller does not show it any more."""

    id: int
    size_bytes: int
    model: str
    serial: str
    firmware: str
    failed: bool = False


class MvArray(msgspec.Struct, kw_only=True):
    """`members` are ids of drives."""

    name: str
    level: int
    members: list[int]
    size_mib: int
    strip_kib: str
    serial: str


class MvCard(msgspec.Struct, kw_only=True):
    """What the controller remembers: it makes one array. `nvme`: mnv_cli knows it, and mvcli does not."""

    nvme: bool = False
    firmware: str = "2.5.13.3024"
    made: int = 0
    disks: list[MvDisk] = []
    array: MvArray | None = None


class MvRefusal(Exception):
    """Why not."""


def read_card(silicon: Silicon) -> MvCard:
    """The card from the state; without one there, a new card with the machine's first two drives."""
    known = silicon.state.get(KEY, {})
    card = msgspec.convert(known, MvCard)
    if "disks" not in known:
        card.disks = [
            MvDisk(
                id=number,
                size_bytes=drive.size_bytes,
                model=drive.model,
                serial=drive.serial or f"LABDRIVE{number:04}",
                firmware=drive.firmware,
            )
            for number, drive in enumerate(silicon.spec.drives[:2])
        ]
        for disk in card.disks:
            if not card.nvme:
                show_disk(silicon, disk)
        keep_card(silicon, card)
    return card


def show_disk(silicon: Silicon, disk: MvDisk) -> None:
    """The guest sees a drive."""
    wwn = f"0x5001b44{hashlib.sha256(disk.serial.encode()).hexdigest()[:9]}"
    silicon.block.plug(f"mvpd{disk.id}", disk.size_bytes, wwn, "ATA", disk.model, disk.serial)


def keep_card(silicon: Silicon, card: MvCard) -> None:
    """Write the card back to the machine's silicon."""
    silicon.state[KEY] = msgspec.to_builtins(card)


def fail_disk(silicon: Silicon, number: int) -> None:
    """A drive dies: it is not shown any more."""
    card = read_card(silicon)
    next(disk for disk in card.disks if disk.id == number).failed = True
    keep_card(silicon, card)


class Mvcli:
    """The stand-in of Marvell's `mvcli` and `mnv_cli`."""

    names: tuple[str, ...] = ("mvcli", "mnv_cli")

    def on_boot(self, silicon: Silicon) -> None:
        """The guest sees the drives that are in no array from its start."""
        if KEY in silicon.state:
            read_card(silicon)

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """See `Tool.run`."""
        card = read_card(silicon) if KEY in silicon.state else None
        if card is None or card.nvme != (program == "mnv_cli"):
            return Output(code=1, stdout=f"{_DRIVER}\nNo adapter is found.\n")
        half = silicon.is_misbehaving("fail-half", program, argv)
        try:
            lines, code = _run(silicon, card, list(argv), half), 0
        except MvRefusal as refusal:
            lines, code = [f"cli: error: {refusal}"], 1
        keep_card(silicon, card)
        head = [] if card.nvme else [_DRIVER]
        return Output(code=code, stdout="\n".join([*head, *lines, ""]))


def _run(silicon: Silicon, card: MvCard, argv: list[str], half: bool) -> list[str]:
    if argv[:2] == ["info", "-o"] and len(argv) == 3:
        shows = {"hba": _show_controller, "vd": _show_arrays, "pd": _show_disks}
        if card.nvme:
            shows = {"hba": _show_nvme_controller, "vd": _show_nvme_arrays, "pd": _show_nvme_disks}
        show = shows.get(argv[2])
        if show is None:
            raise MvRefusal("invalid parameter.")
        return show(card)
    options = dict(pairwise(argv))
    if card.nvme and argv[:2] == ["vd", "-a"]:
        if argv[2] == "create":
            level = next((word[2:] for word in argv if word.startswith("-r")), "")
            _create(silicon, card, {**options, "-r": level})
        elif argv[2] == "delete":
            _delete(silicon, card, options.get("-i", ""))
        else:
            raise MvRefusal("invalid command.")
    elif card.nvme:
        raise MvRefusal("invalid command.")
    elif argv[0] == "create" and options.get("-o") == "vd":
        _create(silicon, card, options)
    elif argv[0] == "delete" and options.get("-o") == "vd":
        if "--waiveconfirmation" not in argv:
            raise MvRefusal("the command needs a confirmation.")
        _delete(silicon, card, options.get("-i", ""))
    else:
        raise MvRefusal("invalid command.")
    if half:
        raise MvRefusal("the controller does not answer.")
    return []


def _create(silicon: Silicon, card: MvCard, options: dict[str, str]) -> None:
    level, names = options.get("-r", ""), options.get("-d", "").split(",")
    disks = [disk for disk in card.disks if str(disk.id) in names and not disk.failed]
    strips = _STRIPS[card.nvme]
    strip = options.get("-b", strips[0])
    if card.array is not None:
        raise MvRefusal("the maximum of virtual disks is reached.")
    if level not in ("0", "1") or len(disks) != 2 or len(names) != 2:
        raise MvRefusal("invalid number of physical disks.")
    if strip not in strips:
        raise MvRefusal("invalid stripe size.")
    card.made += 1
    least = min(disk.size_bytes // 1024 for disk in disks) - _RESERVED_KIB
    array = MvArray(
        name=options.get("-n", "VD0")[:_NAME_LENGTH],
        level=int(level),
        members=[disk.id for disk in disks],
        size_mib=least * (2 if level == "0" else 1) // 1024,
        strip_kib=strip,
        serial=hashlib.sha256(f"array/{card.made}".encode()).hexdigest()[:16],
    )
    for disk in disks:
        if not card.nvme:
            silicon.block.unplug(f"mvpd{disk.id}")
    card.array = array
    model = "Dell BOSS-N1" if card.nvme else "DELLBOSS VD"
    silicon.block.plug("mvvd0", array.size_mib * 1024**2, f"0x{array.serial}", "ATA", model, array.serial)


def _delete(silicon: Silicon, card: MvCard, number: str) -> None:
    if card.array is None or number != "0":
        raise MvRefusal("invalid virtual disk.")
    silicon.block.unplug("mvvd0")
    for disk in card.disks:
        if disk.id in card.array.members and not disk.failed and not card.nvme:
            show_disk(silicon, disk)
    card.array = None


def _row(key: str, value: object) -> str:
    return f"{key + ':':<20} {value}"


def _show_controller(card: MvCard) -> list[str]:
    values = {
        "controller ID": 0,
        "Product": "1b4b-9230",
        "Sub Product": "1028-1fd6",
        "Firmware version": card.firmware,
        "Supported RAID mode": "RAID0 RAID1 JBOD",
        "Maximum disk in one VD": 2,
        "Maximum supported disk": 2,
        "Maximum supported VD": 1,
        "Stripe size supported": "32K 64K",
    }
    return [f"{key + ':':<40} {value}" for key, value in values.items()]


def _show_arrays(card: MvCard) -> list[str]:
    lines = ["", "Virtual Disk Information", "-------------------------"]
    if card.array is not None:
        array = card.array
        lost = [disk for disk in card.disks if disk.id in array.members and disk.failed]
        status = "functional" if not lost else "degraded" if array.level == 1 else "offline"
        values = {
            "id": 0,
            "name": array.name,
            "status": status,
            "Stripe size": array.strip_kib,
            "RAID mode": f"RAID{array.level}",
            "Cache mode": "Not Support",
            "size": f"{array.size_mib} M",
            "BGA status": "not running",
            "Block ids": "0 4",
            "# of PDs": 2,
            "PD RAID setup": " ".join(map(str, array.members)),
            "Running OS": "no",
        }
        lines += [*(_row(key, value) for key, value in values.items()), ""]
    return [*lines, f"Total # of VD:       {1 if card.array is not None else 0}"]


def _show_disks(card: MvCard) -> list[str]:
    lines = ["", "Physical Disk Information", "----------------------------"]
    shown = [disk for disk in card.disks if not disk.failed]
    for disk in shown:
        is_used = card.array is not None and disk.id in card.array.members
        values = {
            "Adapter": 0,
            "PD ID": disk.id,
            "Type": "SATA PD",
            "Linked at": f"HBA port {disk.id}",
            "Size": f"{disk.size_bytes // 1024} K",
            "model": disk.model,
            "Serial": disk.serial,
            "Firmware version": disk.firmware,
            "SSD Type": "SSD",
            "block ids": str(4 * disk.id) if is_used else "",
            "PD valid size": f"{disk.size_bytes // 1024 - _RESERVED_KIB} K",
        }
        lines += [*(_row(key, value) for key, value in values.items()), "", ""]
    return [*lines, f"Total # of PD:       {len(shown)}"]


def _show_nvme_controller(card: MvCard) -> list[str]:
    values = {
        "Bus Device Fun": "45:00.00",
        "Device": "/dev/nvme0",
        "Firmware Version": "1.0.0.1051",
        "VID": "0x1b4b",
        "SVID": "0x1b4b",
        "DID": "0x2241",
        "SDID": "0x2241",
        "Max PD of Per VD": 2,
        "Max VD": 2,
        "Max PD": 2,
        "Supported RAID Mode": "RAID0 RAID1 JBOD",
        "Support Stripe Size": "128KB 256KB 512KB",
    }
    return [
        "NVMe Controller ID                   0",
        *(f"{k + ':':<36} {value}" for k, value in values.items()),
    ]


def _show_nvme_arrays(card: MvCard) -> list[str]:
    lines = []
    if card.array is not None:
        array = card.array
        lost = [disk for disk in card.disks if disk.id in array.members and disk.failed]
        values = {
            "VD ID": 0,
            "Name": array.name,
            "Status": "Functional" if not lost else "Degrade" if array.level == 1 else "Offline",
            "Importable": "No",
            "RAID Mode": f"RAID{array.level}",
            "size": f"{array.size_mib // 1024} GB",
            "PD Count": 2,
            "PDs": " ".join(map(str, array.members)),
            "Stripe Block Size": f"{array.strip_kib}K",
            "Sector Size": "512 bytes",
            "VD is secure": "No",
        }
        lines += [*(_row(key, value) for key, value in values.items()), ""]
    return [*lines, f"Total # of VD:       {1 if card.array is not None else 0}"]


def _show_nvme_disks(card: MvCard) -> list[str]:
    lines = []
    shown = [disk for disk in card.disks if not disk.failed]
    for disk in shown:
        is_used = card.array is not None and disk.id in card.array.members
        values = {
            "PD ID": disk.id,
            "Model": disk.model,
            "Serial": disk.serial,
            "Sector Size": "512 bytes",
            "LBA": disk.size_bytes // 512,
            "Size": f"{disk.size_bytes // 1024**3} GB",
            "SSD backend RC/Slot ID": disk.id,
            "SSD backend Namespace ID": 1,
            "Firmware version": disk.firmware,
            "Status": "Idle",
            "Assigned": "Yes" if is_used else "No",
            "SMART Critical Warning": "No",
        }
        lines += [*(f"{key + ':':<32} {value}" for key, value in values.items()), ""]
    return [*lines, f"Total # of PD:       {len(shown)}"]
