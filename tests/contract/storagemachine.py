"""A machine with disks that remembers what was done to it: stands in for lsblk, wipefs, sfdisk, mdadm and mkfs.

Its outputs have the form of the real tools' (see tests/golden/drivers). It is a `Runner`: the drivers cannot tell
it from `bootos.process.run`. What it does not know it refuses loudly.
"""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import msgspec
from lvmtools import LvmTools

from bootos.drivers.contract import Machine
from bootos.process import Command, Completed, Options
from bootos.wire.inventory import Disk, DiskType, Inventory

MIB = 1024**2


class FakeDevice(msgspec.Struct, kw_only=True):
    """A disk, partition or array: what is written on it."""

    size_bytes: int
    signatures: list[dict[str, str]] = []
    table: str | None = None
    parts: dict[int, "FakePart"] = {}
    mountpoint: str | None = None


class FakePart(FakeDevice, kw_only=True):
    start: int
    type: str
    name: str = ""
    bootable: bool = False
    attrs: str = ""


class FakeArray(msgspec.Struct, kw_only=True):
    name: str
    uuid: str
    level: int
    drives: list[str]
    hotspares: list[str]
    chunk_kib: int
    device: FakeDevice
    node: str = ""  # the kernel's name while it runs, as md127
    read_only: bool = False
    half: bool = False  # it was not made to its end, and cannot be started
    # mdadm made it without its last drive, which it rebuilds from the others (mdadm(8), --force)
    lacks_drive: bool = False


class StorageMachine(LvmTools):
    """`machine` is what drivers get; `calls` are the commands they ran."""

    def __init__(self, root: Path, disks: Mapping[str, int]) -> None:
        super().__init__()
        self.refusal = _Refusal
        self.root = root
        (root / "proc").mkdir(parents=True, exist_ok=True)
        self.devices = {f"/dev/{name}": FakeDevice(size_bytes=size) for name, size in disks.items()}
        self.arrays: list[FakeArray] = []
        self.calls: list[list[str]] = []
        self.machine = Machine(run=self.run, root=root)
        self._tell_mdstat()

    def build_inventory(self) -> Inventory:
        disks = [
            Disk(
                index=index,
                name=node.removeprefix("/dev/"),
                path=node,
                by_path=f"pci-0000:00:0{index}.0",
                serial=f"SER{index}",
                model="FAKE DISK",
                wwn=f"0x50000000000000{index:02x}",
                size_bytes=device.size_bytes,
                type=DiskType.NVME if "nvme" in node else DiskType.SSD,
            )
            for index, (node, device) in enumerate(self.devices.items())
        ]
        return Inventory(collected_at="2024-01-01T00:00:00Z", disks=disks)

    def restart(self) -> None:
        """As after a reboot: nothing runs."""
        for array in self.arrays:
            array.node, array.read_only = "", False
        self._tell_mdstat()

    def cut_power(self) -> None:
        """The power fails while every array is being written: md starts none again that lacked a drive then."""
        self.restart()
        for array in self.arrays:
            array.half = array.half or array.lacks_drive

    def put(self, node: str, type: str, label: str = "", uuid: str = "") -> None:
        """Write a file system as if somebody had used the disk before."""
        self._find(node).signatures[:] = [{"type": type, "label": label, "uuid": uuid}]

    def run(self, argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        words = list(command.words)
        self.calls.append(words)
        tool = words[0].replace("mkfs.", "mkfs_")
        method = getattr(self, f"_run_{tool}", None)
        assert method is not None, f"the fake machine has no {words[0]}"
        try:
            stdout, code = method(words[1:], command.input), 0
        except _Refusal as refusal:
            stdout, code = str(refusal), refusal.code
        return command.complete(code, stdout)

    def _find(self, node: str) -> Any:
        """A disk, partition, array, active logical volume or open container."""
        volume = self.find_volume(node)
        if volume is not None:
            if not volume.active:
                raise _Refusal(f"{node}: no such device")
            return volume
        mapping = self.containers.get(node.removeprefix("/dev/mapper/"))
        if mapping is not None:
            return FakeDevice(size_bytes=0, signatures=self.inside.setdefault(mapping, []))
        if node in self.devices:
            return self.devices[node]
        for array in self.arrays:
            if array.node and node == f"/dev/{array.node}":
                return array.device
        found = re.match(r"^(.+?)p?(\d+)$", node)
        if found:
            base = found.group(1)
            for candidate in (base, f"{base}p"):
                if candidate != node and (candidate in self.devices or self._find_running(candidate)):
                    part = self._find(candidate).parts.get(int(found.group(2)))
                    if part is not None:
                        return part
        raise _Refusal(f"{node}: no such device")

    def _find_running(self, node: str) -> FakeArray | None:
        return next((array for array in self.arrays if array.node and f"/dev/{array.node}" == node), None)

    def _find_using(self, node: str) -> FakeArray | None:
        return next((a for a in self.arrays if a.node and node in [*a.drives, *a.hotspares]), None)

    def _check_writable(self, node: str) -> None:
        array = self._find_running(re.sub(r"p\d+$", "", node))
        if array is not None and array.read_only:
            raise _Refusal(f"{node} is read-only")
        if self._find_using(node) is not None:
            raise _Refusal(f"{node}: device or resource busy")

    def _list_item(self, node: str, device: FakeDevice, kind: str) -> dict[str, Any]:
        children = [
            self._list_item(self._part_node(node, number), part, "part")
            for number, part in device.parts.items()
        ]
        array = self._find_using(node)
        if array is not None:
            children.append(self._list_item(f"/dev/{array.node}", array.device, f"raid{array.level}"))
        item = {
            "name": node.removeprefix("/dev/"),
            "path": node,
            "type": kind,
            "size": device.size_bytes,
            "ro": False,
            "log-sec": 512,
            "mountpoints": [device.mountpoint],
        }
        return item | ({"children": children} if children else {})

    @staticmethod
    def _part_node(node: str, number: int) -> str:
        return f"{node}p{number}" if node[-1].isdigit() else f"{node}{number}"

    def _tell_mdstat(self) -> None:
        lines = ["Personalities : [raid1] [raid6] [raid5] [raid4] [raid0] [raid10] "]
        for array in self.arrays:
            if not array.node:
                continue
            members = [f"{node.removeprefix('/dev/')}[{n}]" for n, node in enumerate(array.drives)]
            members += [
                f"{node.removeprefix('/dev/')}[{n}](S)"
                for n, node in enumerate(array.hotspares, len(array.drives))
            ]
            state = "active (read-only)" if array.read_only else "active"
            lines.append(f"{array.node} : {state} raid{array.level} {' '.join(reversed(members))}")
            blocks = array.device.size_bytes // 1024
            chunk = f", {array.chunk_kib}k chunk" if array.level != 1 else ""
            lines.append(f"      {blocks} blocks super 1.2 level {array.level}{chunk}")
            if array.level in (5, 6) and not array.read_only:
                lines.append(
                    "      [=>...................]  recovery =  7.1% (1/2) finish=0.1min speed=1K/sec"
                )
            lines.append("      ")
        lines.append("unused devices: <none>")
        (self.root / "proc/mdstat").write_text("\n".join(lines) + "\n")

    def _run_lsblk(self, words: list[str], input: str | None) -> str:
        assert words[:2] == ["-J", "-b"]
        nodes = words[4:]
        if nodes:
            running = {f"/dev/{array.node}": f"raid{array.level}" for array in self.arrays if array.node}
            items = [
                self._list_item(node, self._find(node), running.get(node, self._kind(node))) for node in nodes
            ]
        else:
            items = [self._list_item(node, device, "disk") for node, device in self.devices.items()]
        return json.dumps({"blockdevices": items})

    def _kind(self, node: str) -> str:
        return "disk" if node in self.devices else "part"

    def _run_wipefs(self, words: list[str], input: str | None) -> str:
        nodes = [word for word in words if word.startswith("/dev/")]
        if "--all" in words:
            for node in nodes:
                self._check_writable(node)
                device = self._find(node)
                device.signatures = []
                self.drop_member(node)
                if isinstance(device, FakeDevice):
                    for number in device.parts:
                        self.drop_member(self._part_node(node, number))
                    device.table, device.parts = None, {}
            return ""
        listed = []
        for node in nodes:
            device = self._find(node)
            name = node.removeprefix("/dev/")
            if device.table:
                kinds = ["gpt", "gpt", "PMBR"] if device.table == "gpt" else ["dos"]
                listed += [{"device": name, "type": kind, "uuid": None, "label": None} for kind in kinds]
            listed += [
                {
                    "device": name,
                    "type": signature["type"],
                    "uuid": signature["uuid"] or None,
                    "label": signature["label"] or None,
                }
                for signature in device.signatures
            ]
        return json.dumps({"signatures": listed}) if listed else ""

    def _run_sfdisk(self, words: list[str], input: str | None) -> str:
        node = words[-1]
        device = self._find(node)
        if words[0] == "--json":
            if not device.table:
                raise _Refusal("does not contain a recognized partition table")
            parts = []
            for number, part in device.parts.items():
                item: dict[str, Any] = {
                    "node": self._part_node(node, number),
                    "start": part.start,
                    "size": part.size_bytes // 512,
                    "type": part.type,
                }
                if device.table == "gpt":
                    item |= {"name": part.name} | ({"attrs": part.attrs} if part.attrs else {})
                elif part.bootable:
                    item["bootable"] = True
                parts.append(item)
            return json.dumps(
                {"partitiontable": {"label": device.table, "device": node, "partitions": parts}}
            )
        self._check_writable(node)
        assert input is not None
        device.signatures, device.parts = [], {}
        for line in input.splitlines():
            if line.startswith("label:"):
                device.table = line.split()[1]
            found = re.match(r"(\d+) : start=(\d+), size=(\d+), type=([^,]+)(.*)", line)
            if found:
                number, start, sectors, kind, rest = found.groups()
                name = re.search(r'name="(.*?)"', rest)
                attrs = re.search(r'attrs="?([^",]*)', rest)
                device.parts[int(number)] = FakePart(
                    start=int(start),
                    size_bytes=int(sectors) * 512,
                    type=kind,
                    name=name.group(1) if name else "",
                    bootable="ootable" in rest,
                    attrs=attrs.group(1) if attrs else "",
                )
        return ""

    def _run_mdadm(self, words: list[str], input: str | None) -> str:
        mode, rest = words[0], words[1:]
        method = getattr(self, "_mdadm_" + mode.removeprefix("--").replace("-", "_"))
        output: str = method(rest)
        self._tell_mdstat()
        return output

    def _mdadm_create(self, words: list[str]) -> str:
        options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
        nodes = [word for word in words[1:] if word.startswith("/dev/")]
        level, count = int(options["level"]), int(options["raid-devices"])
        assert len(nodes) == count + int(options.get("spare-devices", 0))
        for node in nodes:
            self._check_writable(node)
        uuid = options.get("uuid", f"{len(self.calls):08x}:00000000:00000000:00000000")
        least = min(self._find(node).size_bytes for node in nodes[:count]) - 2 * MIB
        if "size" in options:
            least = int(options["size"]) * 1024
        data = {0: count, 1: 1, 5: count - 1, 6: count - 2, 10: count // 2}[level]
        array = FakeArray(
            name=options["name"],
            uuid=uuid,
            level=level,
            drives=nodes[:count],
            hotspares=nodes[count:],
            chunk_kib=int(options.get("chunk", 512)),
            device=FakeDevice(size_bytes=least * data),
            node=self._free_name(),
            lacks_drive=level == 5 and "--force" not in words,
        )
        for node in nodes:
            self.put(node, "linux_raid_member", f"any:{array.name}", uuid)
        self.arrays.append(array)
        return ""

    def _free_name(self) -> str:
        used = {array.node for array in self.arrays}
        return next(f"md{number}" for number in range(127, 0, -1) if f"md{number}" not in used)

    def _mdadm_assemble(self, words: list[str]) -> str:
        assert words[:2] == ["--readonly", "--run"]
        nodes = words[3:]
        array = next(a for a in self.arrays if nodes[0] in [*a.drives, *a.hotspares] and not a.node)
        if array.half:
            raise _Refusal("not enough members")
        array.node, array.read_only = self._free_name(), True
        return ""

    def _mdadm_examine(self, words: list[str]) -> str:
        array = next((a for a in self.arrays if words[-1] in [*a.drives, *a.hotspares]), None)
        if array is None or not self._find(words[-1]).signatures:
            raise _Refusal("No md superblock detected")
        return self._export(array) + "MD_EVENTS=17\n"

    def _mdadm_detail(self, words: list[str]) -> str:
        array = self._find_running(words[-1])
        if array is None:
            raise _Refusal(f"{words[-1]} does not appear to be an md device")
        return self._export(array)

    @staticmethod
    def _export(array: FakeArray) -> str:
        return (
            f"MD_LEVEL=raid{array.level}\nMD_DEVICES={len(array.drives)}\nMD_METADATA=1.2\n"
            f"MD_UUID={array.uuid}\nMD_NAME=any:{array.name}\n"
        )

    def _mdadm_stop(self, words: list[str]) -> str:
        array = self._find_running(words[0])
        if array is None:
            raise _Refusal("not running")
        array.node, array.read_only = "", False
        return ""

    def _mdadm_readwrite(self, words: list[str]) -> str:
        array = self._find_running(words[0])
        assert array is not None
        array.read_only = False
        return ""

    def _mdadm_zero_superblock(self, words: list[str]) -> str:
        self._check_writable(words[0])
        self._find(words[0]).signatures = []
        self.arrays = [
            array
            for array in self.arrays
            if array.node or any(self._find(n).signatures for n in [*array.drives, *array.hotspares])
        ]
        return ""

    def _mdadm_manage(self, words: list[str]) -> str:
        array = self._find_running(words[0])
        assert array is not None
        node = words[2]
        if words[1] == "--add":
            self._check_writable(node)
            array.hotspares.append(node)
            self.put(node, "linux_raid_member", f"any:{array.name}", array.uuid)
        else:
            array.hotspares.remove(node)
        return ""

    def _make(self, type: str, words: list[str], label: str, uuid: str) -> str:
        self._check_writable(words[-1])
        options = dict(itertools.pairwise(words))
        volume = options.get(uuid, "").removeprefix("uuid=") or f"uuid-{len(self.calls)}"
        if type == "vfat" and uuid in options:
            volume = f"{volume[:4]}-{volume[4:]}"
        device = self._find(words[-1])
        if isinstance(device, FakeDevice):
            device.table, device.parts = None, {}
        self.put(words[-1], type, options.get(label, ""), volume)
        return ""

    def _run_mkfs_ext4(self, words: list[str], input: str | None) -> str:
        return self._make("ext4", words, "-L", "-U")

    def _run_mkfs_xfs(self, words: list[str], input: str | None) -> str:
        return self._make("xfs", words, "-L", "-m")

    def _run_mkfs_btrfs(self, words: list[str], input: str | None) -> str:
        return self._make("btrfs", words, "-L", "-U")

    def _run_mkfs_vfat(self, words: list[str], input: str | None) -> str:
        return self._make("vfat", words, "-n", "-i")

    def _run_mkswap(self, words: list[str], input: str | None) -> str:
        return self._make("swap", words, "-L", "-U")

    def _check(self, words: list[str]) -> str:
        """A checker: a signature that is `half` is one of a file system whose making was cut off."""
        if any("half" in signature for signature in self._find(words[-1]).signatures):
            raise _Refusal("not sound")
        return ""

    def _run_e2fsck(self, words: list[str], input: str | None) -> str:
        return self._check(words)

    def _run_xfs_repair(self, words: list[str], input: str | None) -> str:
        return self._check(words)

    def _run_udevadm(self, words: list[str], input: str | None) -> str:
        return ""

    def _run_blockdev(self, words: list[str], input: str | None) -> str:
        return ""


class _Refusal(Exception):
    """A tool that fails."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code
