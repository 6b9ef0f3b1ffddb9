"""Stand-in for Marvell's mvcli over one controller for two drives (Dell BOSS-S1): `info -o hba|vd|pd`, `create`,
`delete`; and for mnv_cli where the card is NVMe (BOSS-N1). What `info` prints (`mvclitext.py`) follows published
outputs (tests/golden/README.md), the rest Dell's user guide. The cards are in
`marvell.py`.
"""

from collections.abc import Sequence
from itertools import pairwise

from bootos.lab.vendor_tools.marvell import (
    KEYS,
    NVME_KEY,
    RESERVED_KIB,
    MvArray,
    MvCard,
    read_card,
    show_disk,
)
from bootos.lab.vendor_tools.mvclitext import SHOWS
from bootos.lab.vendor_tools.onecard import CardRefusal, CardTool
from bootos.lab.vendor_tools.silicon import Silicon

_DRIVER = "SG driver version 3.5.36."
_NAME_LENGTH = 10
_STRIPS = {False: ("64", "32"), True: ("128", "256", "512")}  # the first is taken when none is given


class Mvcli(CardTool[MvCard]):
    """The stand-in of Marvell's `mvcli` and `mnv_cli`."""

    names: tuple[str, ...] = ("mvcli", "mnv_cli")
    keys = KEYS

    def read_card(self, silicon: Silicon, key: str) -> MvCard:
        return read_card(silicon, key)

    def find_key(self, silicon: Silicon, program: str) -> str | None:
        """Each program knows its own kind of card."""
        known = [key for key in KEYS if key in silicon.state]
        is_nvme = {key: key == NVME_KEY or bool(silicon.state[key].get("nvme")) for key in known}
        return next((key for key in reversed(known) if is_nvme[key] == (program == "mnv_cli")), None)

    def tell_none(self, program: str) -> list[str]:
        return [_DRIVER, "No adapter is found."]

    def tell_head(self, card: MvCard) -> list[str]:
        return [] if card.nvme else [_DRIVER]

    def tell_refusal(self, program: str, argv: Sequence[str], refusal: CardRefusal) -> list[str]:
        return [f"cli: error: {refusal}"]

    def call(self, silicon: Silicon, card: MvCard, program: str, argv: list[str], half: bool) -> list[str]:
        return _run(silicon, card, argv, half)


def _run(silicon: Silicon, card: MvCard, argv: list[str], half: bool) -> list[str]:
    if argv[:2] == ["info", "-o"] and len(argv) == 3:
        show = SHOWS[card.nvme].get(argv[2])
        if show is None:
            raise CardRefusal("invalid parameter.")
        return show(card)
    options = dict(pairwise(argv))
    if card.nvme and argv[:2] == ["vd", "-a"]:
        if argv[2] == "create":
            level = next((word[2:] for word in argv if word.startswith("-r")), "")
            _create(silicon, card, {**options, "-r": level})
        elif argv[2] == "delete":
            _delete(silicon, card, options.get("-i", ""))
        else:
            raise CardRefusal("invalid command.")
    elif card.nvme:
        raise CardRefusal("invalid command.")
    elif argv[0] == "create" and options.get("-o") == "vd":
        _create(silicon, card, options)
    elif argv[0] == "delete" and options.get("-o") == "vd":
        if "--waiveconfirmation" not in argv:
            raise CardRefusal("the command needs a confirmation.")
        _delete(silicon, card, options.get("-i", ""))
    else:
        raise CardRefusal("invalid command.")
    if half:
        raise CardRefusal("the controller does not answer.")
    return []


def _create(silicon: Silicon, card: MvCard, options: dict[str, str]) -> None:
    level, names = options.get("-r", ""), options.get("-d", "").split(",")
    disks = [disk for disk in card.disks if str(disk.id) in names and not disk.failed]
    strips = _STRIPS[card.nvme]
    strip = options.get("-b", strips[0])
    if card.array is not None:
        raise CardRefusal("the maximum of virtual disks is reached.")
    if level not in ("0", "1") or len(disks) != 2 or len(names) != 2:
        raise CardRefusal("invalid number of physical disks.")
    if strip not in strips:
        raise CardRefusal("invalid stripe size.")
    card.made += 1
    least = min(disk.size_bytes // 1024 for disk in disks) - RESERVED_KIB
    array = MvArray(
        name=options.get("-n", "VD0")[:_NAME_LENGTH],
        level=int(level),
        members=[disk.id for disk in disks],
        size_mib=least * (2 if level == "0" else 1) // 1024,
        strip_kib=strip,
        serial=card.build_serial(),
    )
    for disk in disks:
        if not card.nvme:
            silicon.block.unplug(f"{card.prefix}pd{disk.id}")
    card.array = array
    model = "Dell BOSS-N1" if card.nvme else "DELLBOSS VD"
    silicon.block.plug(
        f"{card.prefix}vd0", array.size_mib * 1024**2, f"0x{array.serial}", "ATA", model, array.serial
    )


def _delete(silicon: Silicon, card: MvCard, number: str) -> None:
    if card.array is None or number != "0":
        raise CardRefusal("invalid virtual disk.")
    silicon.block.unplug(f"{card.prefix}vd0")
    for disk in card.disks:
        if disk.id in card.array.members and not disk.failed and not card.nvme:
            show_disk(silicon, card, disk)
    card.array = None
