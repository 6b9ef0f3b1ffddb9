"""What Marvell's mvcli (Dell BOSS-S1 and S2, Lenovo's mirroring kits) and mnv_cli (NVMe: BOSS-N1, HPE NS204i, Lenovo's
M.2 NVMe kit) print of their controllers for two drives, as values. Pure but for what reads.

Used by the inventory (`raidtool.py`) and by the driver `raid.mvcli`. Blocks of keys and values, one for each
controller, virtual disk and physical disk; what the tool prints before them, as that it finds no disk of the system, is
left out. Keys are lower case here, and those of mnv_cli are called as mvcli does.
"""

import re
from pathlib import Path

import msgspec

from bootos.hardware import cardlist
from bootos.hardware.cardlist import CardList
from bootos.hardware.keyline import parse_pair
from bootos.hardware.pci import read_pci_ids
from bootos.hardware.program import TIMEOUT_S
from bootos.hardware.remark import Remark
from bootos.hardware.tree import Tree
from bootos.process import Runner, ToolError
from bootos.wire.inventory import DiskType

DRIVER = "raid.mvcli"
NVME_PROGRAMS = (
    "mnv_cli", "/usr/sbin/mnv_cli", "/opt/marvell/mnvcli/dell/mnv_cli", "/opt/marvell/mnvcli/lenovo/mnv_cli",
)  # fmt: skip
PROGRAMS = (
    "mvcli", "/usr/sbin/mvcli", "/opt/marvell/storage/cli/mvcli", "/opt/marvell/mvcli/mvcli",
    "/opt/dell/mvcli/mvcli", *NVME_PROGRAMS,
)  # fmt: skip
ASK = ("info", "-o", "hba")

_VENDOR = "1b4b"
_SATA_CLASSES = (
    "0104",
    "0106",
)  # RAID controller, SATA controller (PCI Code and ID Assignment Specification)
_NVME_HEAD = re.compile(r"^(NVMe Controller ID)\s+(\d+)$", re.IGNORECASE)
_NVME_KEYS = {
    "nvme controller id": "controller id",
    "max pd of per vd": "maximum disk in one vd",
    "max vd": "maximum supported vd",
    "support stripe size": "stripe size supported",
    "vd id": "id",
    "stripe block size": "stripe size",
    "pd count": "# of pds",
    "pds": "pd raid setup",
}
_PLACE = re.compile(r"^([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f]{1,2})$", re.IGNORECASE)
# The first key of a block; Dell's and Lenovo's releases of mvcli say `Adapter ID`.
_HEADS = {"hba": ("controller id", "adapter id"), "vd": ("id",), "pd": ("pd id",)}
_SIZE = re.compile(r"^(\d+)\s*([KMGT])?", re.IGNORECASE)
_NOISE = re.compile(r"SG dev|SG driver|cannot access", re.IGNORECASE)
_COUNT = re.compile(r"^total # of", re.IGNORECASE)


class MvController(msgspec.Struct, kw_only=True):
    """`volumes` and `drives` are their keys and values. `remarks` are what the tool does not show. `program` is the one
    that shows it; `id` and the numbers of cards that both programs share out are `cardlist.join_cards`'s."""

    number: int
    id: str = ""
    program: str = ""
    values: dict[str, str] = {}
    volumes: list[dict[str, str]] = []
    drives: list[dict[str, str]] = []
    remarks: list[Remark] = []

    @property
    def model(self) -> str:
        """What its maker calls it; else the chip by its PCI ids, which is all that most releases say of the card."""
        ids = [self.values.get(key, "").lower().removeprefix("0x") for key in ("vid", "did")]
        product = self.values.get("product", "") or "-".join(filter(None, ids))
        return self.values.get("modelnumber") or (f"Marvell {product}" if product else "")

    @property
    def pci_address(self) -> str:
        """As the kernel writes it, where the tool prints it; else empty."""
        found = _PLACE.match(self.values.get("bus device fun", ""))
        return f"0000:{found[1]}:{found[2]}.{int(found[3], 16):x}".lower() if found else ""

    @property
    def node(self) -> str:
        """The kernel's device of the controller (`/dev/nvme0`), of which its arrays are the namespaces; else empty."""
        return self.values.get("device", "")

    @property
    def title(self) -> str:
        """`controller 0 (Marvell 1b4b-9230)`"""
        return f"controller {self.number}" + (f" ({self.model})" if self.model else "")


def parse_blocks(text: str, kind: str) -> list[dict[str, str]]:
    """The blocks of `info -o KIND` (hba, vd, pd), each begun by the key of its number."""
    blocks: list[dict[str, str]] = []
    is_region = False  # in what `info -o blk` prints, which names drives and arrays that others are of
    is_begin = True  # of the text, or below a title: what is a region says so there
    for line in (line.strip() for line in text.splitlines()):
        if line.lower().endswith("information"):
            is_region, is_begin = False, True
        head = _NVME_HEAD.match(line)
        pair = (head[1], head[2]) if head else parse_pair(line)
        if pair is None or _NOISE.search(line) or _COUNT.match(line):
            continue
        key, value = _NVME_KEYS.get(pair[0].lower(), pair[0].lower()), pair[1]
        is_region = is_region or (is_begin and key == "block id")
        is_begin = False
        if is_region:
            continue
        if key in _HEADS[kind] and value.isdigit():
            blocks.append({})
            key = _HEADS[kind][0]
        if blocks:
            blocks[-1].setdefault(key, value)
    return blocks


def list_members(volume: dict[str, str]) -> list[str]:
    """The numbers of the physical disks of a virtual one, in order."""
    return volume.get("pd raid setup", "").split()


def find_level(volume: dict[str, str]) -> str:
    """SNIA's number of `RAID1`."""
    return volume.get("raid mode", "").upper().removeprefix("RAID")


def find_running(volume: dict[str, str]) -> str:
    """What runs in its background: `rebuilding is 15% done`; empty: nothing."""
    said = volume.get("bga progress") or volume.get("bga status", "")
    return "" if said.lower() == "not running" else said


def is_used(drive: dict[str, str]) -> bool:
    """Whether the drive says itself that it is in an array."""
    said = drive.get("block ids") or drive.get("block id") or drive.get("associated vds")
    return bool(said) or drive.get("assigned", "").lower() == "yes"


def parse_size(text: str) -> int:
    """`117220824 K`, `3815367 M`, in units of 1024; strips are in K without a letter. 0: it is no size."""
    found = _SIZE.match(text.strip())
    return int(found[1]) * 1024 ** (" KMGT".index((found[2] or "K").upper())) if found else 0


def find_size(drive: dict[str, str]) -> int:
    """How large a drive is. mnv_cli rounds, and prints its sectors too."""
    sectors, sector = drive.get("lba", ""), re.match(r"\d+", drive.get("sector size", ""))
    if sectors.isdigit() and sector:
        return int(sectors) * int(sector[0])
    return parse_size(drive.get("size", ""))


def find_status(drive: dict[str, str]) -> str:
    """How a drive is, in the tool's word; empty: it prints none."""
    return drive.get("pd status") or drive.get("status", "")


def find_type(drive: dict[str, str]) -> DiskType:
    """Whether it turns; these controllers have M.2 drives, as a rule."""
    if "ssd backend rc/slot id" in drive:
        return DiskType.NVME
    return DiskType.SSD if drive.get("ssd type", "").upper().startswith("SSD") else DiskType.UNKNOWN


def parse_error(text: str) -> str:
    """What the tool says against a command, in one line; empty: nothing. It says little of what went well."""
    said = [line.strip() for line in text.splitlines() if line.strip() and not _NOISE.search(line)]
    return " ".join(
        line for line in said if re.search(r"\berror|\bfail|invalid|not (?:allow|support)", line, re.I)
    )


def has_sata_card(root: Path) -> bool:
    """Whether a SATA controller of Marvell's is there, by its PCI ids: a card of mvcli, whatever that says of it."""
    devices = read_pci_ids(Tree(root))
    return any(device.vendor_id == _VENDOR and device.class_id[:4] in _SATA_CLASSES for device in devices)


def read_cards(run: Runner, root: Path) -> CardList[MvController] | None:
    """The controllers of both programs; None: neither is installed."""
    return cardlist.read_cards(run, root, PROGRAMS, read_controllers)


def read_controllers(run: Runner, program: str) -> list[MvController]:
    """The controllers that one program knows, of which it shows the first one's arrays and drives. Raises ToolError,
    and ValueError for an answer that shows none and does not say so."""
    text = _ask(run, program, "hba")
    blocks = parse_blocks(text, "hba")
    found = [MvController(number=int(b["controller id"]), program=program, values=b) for b in blocks]
    if not found:
        if re.search(r"no (?:adapter|controller|device)|not found", text, re.IGNORECASE):
            return []
        said = parse_error(text) or text.strip()
        raise ValueError(f"it shows no controller, but: {said[:200]!r}")
    for kind, part, noun in (("vd", "arrays", "arrays"), ("pd", "drives", "drives")):
        try:
            blocks = parse_blocks(answer := _ask(run, program, kind), kind)
        except ToolError as cause:
            found[0].remarks.append(_tell(part, noun, f"{cause}"))
            continue
        if not blocks and (error := parse_error(answer)):
            found[0].remarks.append(_tell(part, noun, error))
        setattr(found[0], "volumes" if kind == "vd" else "drives", blocks)
    for other in found[1:]:
        said = "the tool shows the arrays and drives of its first controller alone"
        other.remarks.append(Remark(text=said, part="controller"))
    return found


def _tell(part: str, noun: str, said: str) -> Remark:
    text = f"its {noun} are not shown: {said}"
    return Remark(text=text, part="arrays" if part == "arrays" else "drives")


def _ask(run: Runner, program: str, kind: str) -> str:
    done = run([program, "info", "-o", kind], timeout_s=TIMEOUT_S, check=False)
    return f"{done.stdout}\n{done.stderr}"
