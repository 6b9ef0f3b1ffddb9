"""An NVMe drive with namespace management: what nvme-cli prints and does, and the disks that the kernel then has.

The kernel numbers its disks in the order in which it sees them, not by NSID. A command can be told to fail, or to do
its work and fail then; the drive can be told to charge its capacity in larger units than it says.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from drivetools import Drive, DriveMachine
from storagemachine import FakeDevice

from bootos.hardware.block import read_disks
from bootos.hardware.tree import Tree
from bootos.wire.inventory import Inventory, PciDevice

GOLDEN = Path(__file__).parents[1] / "golden/drivers/disk.nvme"
MICRON = json.loads((GOLDEN / "id-ctrl-micron-9300.json").read_text())
LBAFS = ({"ms": 0, "ds": 9, "rp": 2}, {"ms": 8, "ds": 12, "rp": 0}, {"ms": 0, "ds": 12, "rp": 0})


class FakeNamespace(msgspec.Struct, kw_only=True):
    sectors: int
    lbaf: int
    attached: list[int]

    @property
    def size_bytes(self) -> int:
        return self.sectors << LBAFS[self.lbaf]["ds"]


class NamespaceMachine(DriveMachine):
    """One drive, /dev/nvme0; `id_ctrl` are answers that differ from the Micron 9300's."""

    def __init__(self, root: Path, **id_ctrl: Any) -> None:
        super().__init__(root, {})
        self.id_ctrl = {**MICRON, **id_ctrl}
        self.namespaces: dict[int, FakeNamespace] = {}
        self.shown: dict[int, str] = {}
        self.failing: dict[str, str] = {}  # command: `before` or `after` its work
        self.made = 0  # disks of namespaces so far: each has a world wide name of its own
        self.unit_bytes = 512
        self.granularity: int | None = None
        self.told_lbafs = LBAFS  # the formats that it says it has
        self.stale: dict[str, str] | None = None
        self.home = root / "sys/devices/pci0000:00/0000:01:00.0/nvme/nvme0"
        self._write(self.home, transport="pcie", model=self.id_ctrl["mn"], serial=self.id_ctrl["sn"])
        self._write(self.home, address="0000:01:00.0")
        self._link("class/nvme/nvme0", self.home)
        self._link("class/nvme-subsystem/nvme-subsys0/nvme0", self.home)
        (root / "sys/block").mkdir()

    def build_inventory(self) -> Inventory:
        drive = PciDevice(address="0000:01:00.0", vendor_id="1344", device_id="51a2", class_id="010802")
        return Inventory(collected_at="", disks=read_disks(Tree(self.root)), pci=[drive])

    def add(self, size_bytes: int, lbaf: int = 0, attached: Sequence[int] = (1,)) -> str:
        """A namespace from before; returns its disk, if it has one."""
        nsid = self._create(size_bytes >> LBAFS[lbaf]["ds"], lbaf)
        self.namespaces[nsid].attached += attached
        self._scan()
        return self.shown.get(nsid, "")

    def tell(self) -> list[tuple[int, int, str]]:
        """(bytes, bytes of a sector, disk) in order."""
        return [
            (item.size_bytes, 1 << LBAFS[item.lbaf]["ds"], self.shown.get(nsid, ""))
            for nsid, item in sorted(self.namespaces.items())
        ]

    def _write(self, place: Path, **files: Any) -> None:
        place.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (place / name).write_text(f"{text}\n")

    def _link(self, name: str, target: Path) -> None:
        link = self.root / "sys" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        up = "/".join([".."] * (len(Path(name).parts) - 1))
        link.symlink_to(f"{up}/{target.relative_to(self.root / 'sys')}")

    @property
    def free_bytes(self) -> int:
        units = sum(-(-item.size_bytes // self.unit_bytes) for item in self.namespaces.values())
        return int(self.id_ctrl["tnvmcap"]) - units * self.unit_bytes

    def _create(self, sectors: int, lbaf: int) -> int:
        nsid = next(number for number in range(1, 100) if number not in self.namespaces)
        self.namespaces[nsid] = FakeNamespace(sectors=sectors, lbaf=lbaf, attached=[])
        if self.free_bytes < 0 or nsid > self.id_ctrl["nn"]:
            del self.namespaces[nsid]
            raise self.refusal("NVMe status: Namespace Insufficient Capacity(0x4115)", 1)
        return nsid

    def _scan(self) -> None:
        """The kernel looks: disks of namespaces that are gone go, new ones get the lowest free number."""
        for nsid in [nsid for nsid in self.shown if not self._is_active(nsid)]:
            node = self.shown.pop(nsid)
            del self.devices[node], self.drives[node]
            (self.root / "sys/block" / node.removeprefix("/dev/")).unlink()
        for nsid in sorted(self.namespaces):
            if nsid in self.shown or not self._is_active(nsid):
                continue
            item = self.namespaces[nsid]
            node = next(f"/dev/nvme0n{n}" for n in range(1, 100) if f"/dev/nvme0n{n}" not in self.devices)
            self.shown[nsid] = node
            self.devices[node] = FakeDevice(size_bytes=item.size_bytes)
            if self.stale is not None:
                self.devices[node].signatures.append(self.stale)
            self.drives[node] = Drive(id_ctrl=json.dumps(self.id_ctrl), lbaf=item.lbaf, lbafs=LBAFS)
            place = self.home / node.removeprefix("/dev/")
            self.made += 1
            self._write(place, nsid=nsid, size=item.size_bytes // 512, wwid=f"eui.{self.made:016x}")
            if not (place / "device").is_symlink():
                (place / "device").symlink_to("..")
            if not (self.root / "sys/block" / place.name).is_symlink():
                self._link(f"block/{place.name}", place)

    def _is_active(self, nsid: int) -> bool:
        return nsid in self.namespaces and self.id_ctrl["cntlid"] in self.namespaces[nsid].attached

    def _run_nvme(self, words: Sequence[str], input: str | None) -> str:
        command, node = words[0], words[1]
        if self.failing.get(command) == "before":
            raise self.refusal("NVMe status: Internal Error(0x6)", 1)
        if node == "/dev/nvme0":
            options = dict(word.removeprefix("--").split("=") for word in words[2:] if "=" in word)
            answer = self._answer(command, options)
        else:
            answer = super()._run_nvme(words, input)
        if self.failing.get(command) == "after":
            raise self.refusal("the tool was cut off", 137)
        return answer

    def _answer(self, command: str, options: dict[str, str]) -> str:
        nsid = int(options.get("namespace-id", "0"), 0)
        match command:
            case "id-ctrl":
                return json.dumps({**self.id_ctrl, "unvmcap": self.free_bytes})
            case "list-ns":
                return json.dumps({"nsid_list": [{"nsid": number} for number in self.namespaces]})
            case "id-ns":
                item = self.namespaces.get(nsid) or FakeNamespace(sectors=0, lbaf=0, attached=[])
                return json.dumps({"nsze": item.sectors, "flbas": item.lbaf, "lbafs": list(self.told_lbafs)})
            case "list-ctrl":
                listed = [{"ctrl_id": number} for number in self.namespaces[nsid].attached]
                return json.dumps({"num_ctrl": len(listed), "ctrl_list": listed})
            case "id-ns-granularity":
                unit = {f"namespace-{what}-granularity": self.granularity for what in ("size", "capacity")}
                return json.dumps({"namespace-granularity-list": [unit]})
            case "delete-ns":
                del self.namespaces[nsid]
                return f"delete-ns: Success, deleted nsid:{nsid}\n"
            case "create-ns":
                assert options["nsze"] == options["ncap"]
                nsid = self._create(int(options["nsze"]), int(options["flbas"]))
                return (GOLDEN / "create-ns.txt").read_text().replace("28", str(nsid))
            case "attach-ns":
                if int(options["controllers"]) in self.namespaces[nsid].attached:
                    raise self.refusal("NVMe status: Namespace Already Attached(0x4118)", 1)
                self.namespaces[nsid].attached.append(int(options["controllers"]))
                return f"attach-ns: Success, nsid:{nsid}\n"
            case "ns-rescan":
                self._scan()
                return ""
        raise AssertionError(f"the fake drive has no {command}")
