"""A machine on which mdadm knows Intel's metadata (IMSM): containers of drives, volumes in them, hot spares.

What it prints has the form of the real tool's, see tests/golden/drivers/raid.mdadm/imsm-*.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from storagemachine import MIB, FakeDevice, StorageMachine

ZERO = "00000000:00000000:00000000:00000000"
RESERVED = 10402 * 512  # of each drive, seen with mdadm 4.4


class Volume(msgspec.Struct, kw_only=True):
    """`drives` are its slots; None: the drive is missing."""

    name: str
    uuid: str
    level: int
    drives: list[str | None]
    member_bytes: int
    chunk_kib: int
    device: FakeDevice
    node: str = ""
    read_only: bool = False


class Home(msgspec.Struct, kw_only=True):
    """A container. `drives` are all of its drives, `stale` those of them that have failed and do not know it."""

    uuid: str
    drives: list[str]
    volumes: list[Volume] = []
    stale: list[str] = []
    node: str = ""


class ImsmMachine(StorageMachine):
    """`platform` is what `mdadm --detail-platform` prints; empty: there is none, and mdadm refuses. `forced` puts
    mdadm's own word against that into the agent's environment. `unseen` are UUIDs of volumes that `--examine` does not
    print, `refused` those of containers and volumes that do not start, with what mdadm says then."""

    def __init__(
        self, root: Path, disks: Mapping[str, int], *, platform: str = "", forced: bool = True
    ) -> None:
        self.homes: list[Home] = []
        self.platform = platform
        self.forced = forced
        self.unseen: set[str] = set()
        self.refused: dict[str, str] = {}
        super().__init__(root, disks)
        (root / "proc/self").mkdir(parents=True, exist_ok=True)
        words = ["PATH=/usr/sbin", *(["IMSM_NO_PLATFORM=1"] if forced else []), ""]
        (root / "proc/self/environ").write_text("\0".join(words))

    def restart(self) -> None:
        for home in self.homes:
            home.node = ""
            for volume in home.volumes:
                volume.node, volume.read_only = "", False
        super().restart()

    def replace(self, node: str) -> None:
        """The machine was off, and the drive is another, blank one."""
        self.devices[node].signatures = []
        self._forget(node)
        self.restart()

    def fail(self, node: str) -> None:
        """The drive fails while the volumes on it run: it stays in the container."""
        for home in self.homes:
            for volume in home.volumes:
                volume.drives = [None if drive == node else drive for drive in volume.drives]
            if node in home.drives:
                home.stale.append(node)
        self._tell_mdstat()

    def find_volume_named(self, name: str) -> Volume:
        return next(volume for home in self.homes for volume in home.volumes if volume.name == name)

    def _forget(self, node: str) -> None:
        for home in self.homes:
            home.drives = [drive for drive in home.drives if drive != node]
            home.stale = [drive for drive in home.stale if drive != node]
            for volume in home.volumes:
                volume.drives = [None if drive == node else drive for drive in volume.drives]
        self.homes = [home for home in self.homes if home.drives]

    def _list_spares(self, home: Home) -> list[str]:
        working = {drive for volume in home.volumes for drive in volume.drives}
        return [drive for drive in home.drives if drive not in working and drive not in home.stale]

    def _find(self, node: str) -> Any:
        for home in self.homes:
            for volume in home.volumes:
                if volume.node and node == f"/dev/{volume.node}":
                    return volume.device
                prefix = f"/dev/{volume.node}p"
                if volume.node and node.startswith(prefix) and node.removeprefix(prefix).isdigit():
                    return volume.device.parts[int(node.removeprefix(prefix))]
        return super()._find(node)

    def _find_running_home(self, node: str) -> Home | None:
        return next((home for home in self.homes if home.node and node == f"/dev/{home.node}"), None)

    def _check_writable(self, node: str) -> None:
        for home in self.homes:
            if home.node and node in home.drives:
                raise self.refusal(f"{node}: device or resource busy")
            for volume in home.volumes:
                is_own = node == f"/dev/{volume.node}" or node.startswith(f"/dev/{volume.node}p")
                if volume.node and is_own and volume.read_only:
                    raise self.refusal(f"{node} is read-only")
        super()._check_writable(node)

    def _list_item(self, node: str, device: FakeDevice, kind: str) -> dict[str, Any]:
        item = super()._list_item(node, device, kind)
        for home in self.homes:
            if not home.node or node not in home.drives:
                continue
            for volume in home.volumes:
                if volume.node and node in volume.drives:
                    child = super()._list_item(f"/dev/{volume.node}", volume.device, f"raid{volume.level}")
                    item.setdefault("children", []).append(child)
            child = {
                "name": home.node,
                "path": f"/dev/{home.node}",
                "type": "md",
                "size": 0,
                "mountpoints": [],
            }
            item.setdefault("children", []).append(child)
        return item

    def _kind(self, node: str) -> str:
        volumes = [volume for home in self.homes for volume in home.volumes if volume.node]
        found = next((volume for volume in volumes if node == f"/dev/{volume.node}"), None)
        return f"raid{found.level}" if found is not None else super()._kind(node)

    def _free_name(self) -> str:
        used = {array.node for array in self.arrays} | {home.node for home in self.homes}
        used |= {volume.node for home in self.homes for volume in home.volumes}
        return next(f"md{number}" for number in range(127, 0, -1) if f"md{number}" not in used)

    def _tell_mdstat(self) -> None:
        super()._tell_mdstat()
        path = self.root / "proc/mdstat"
        lines = path.read_text().splitlines()[:-1]
        for home in (home for home in self.homes if home.node):
            for number, volume in enumerate(home.volumes):
                if not volume.node:
                    continue
                members = [
                    f"{drive.removeprefix('/dev/')}[{n}]" for n, drive in enumerate(volume.drives) if drive
                ]
                state = "active (read-only)" if volume.read_only else "active"
                chunk = f" {volume.chunk_kib}k chunks" if volume.level != 1 else ""
                lines.append(f"{volume.node} : {state} raid{volume.level} {' '.join(reversed(members))}")
                blocks = volume.device.size_bytes // 1024
                lines += [f"      {blocks} blocks super external:/{home.node}/{number}{chunk}", "      "]
            members = [f"{drive.removeprefix('/dev/')}[{n}](S)" for n, drive in enumerate(home.drives)]
            lines.append(f"{home.node} : inactive {' '.join(reversed(members))}")
            lines += ["      2210 blocks super external:imsm", "       "]
        path.write_text("\n".join([*lines, "unused devices: <none>"]) + "\n")

    def _run_wipefs(self, words: list[str], input: str | None) -> str:
        said = super()._run_wipefs(words, input)
        if "--all" in words:
            for node in (word for word in words if word in self.devices):
                self._forget(node)
        return said

    def _run_mdadm(self, words: list[str], input: str | None) -> str:
        if words[0].startswith("--kill-subarray="):
            home = self._find_running_home(words[1])
            assert home is not None
            if any(volume.node for volume in home.volumes):
                raise self.refusal("Subarray still active, aborting")
            del home.volumes[int(words[0].partition("=")[2])]
            return ""
        return super()._run_mdadm(words, input)

    def _mdadm_detail_platform(self, words: list[str]) -> str:
        if not self.platform:
            raise self.refusal("mdadm: imsm capabilities not found for controller: /sys/devices/pci0000:00")
        return self.platform

    def _mdadm_create(self, words: list[str]) -> str:
        options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
        nodes = [word for word in words[1:] if word in self.devices]
        home = next((home for home in self.homes if home.node and set(nodes) <= set(home.drives)), None)
        if options.get("metadata") == "imsm":
            self._check_platform()
            assert len(nodes) == int(options["raid-devices"])
            for node in nodes:
                self._check_writable(node)
                self.put(node, "isw_raid_member")
            self.homes.append(
                Home(uuid=f"c{len(self.calls):07x}:0:0:0", drives=nodes, node=self._free_name())
            )
            return f"mdadm: container {words[0]} prepared.\n"
        if home is None:
            return super()._mdadm_create(words)
        assert "--bitmap=internal" not in words and "uuid" not in options, "not for Intel's metadata"
        level, count = int(options["level"]), int(options["raid-devices"])
        assert len(nodes) == count and len(home.volumes) < 2, "at most two volumes"
        assert count == {1: 2, 10: 4}.get(level, count), "platform does not support this"
        if home.volumes:
            assert home.volumes[0].drives == nodes, (
                "Raid members are in different order than for the first volume"
            )
        used = sum(volume.member_bytes + 3 * MIB for volume in home.volumes)
        room = (min(self.devices[node].size_bytes for node in nodes) - RESERVED - used) // MIB * MIB
        member = int(options["size"]) * 1024 if "size" in options else room
        if member > room or room <= 0:
            raise self.refusal("mdadm: no free space left on device. Aborting...")
        data = {0: count, 1: 1, 5: count - 1, 10: count // 2}[level]
        home.volumes.append(
            Volume(
                name=words[0].rpartition("/")[2],
                uuid=f"{len(self.calls):08x}:1:1:1",
                level=level,
                drives=list(nodes),
                member_bytes=member,
                chunk_kib=int(options.get("chunk", 128)),
                device=FakeDevice(size_bytes=member * data),
                node=self._free_name(),
            )
        )
        return f"mdadm: array {words[0]} started.\n"

    def _check_platform(self) -> None:
        if not (self.platform or self.forced):
            raise self.refusal("mdadm: /dev/sda is not suitable for this array.")

    def _mdadm_assemble(self, words: list[str]) -> str:
        uuid = next((word.partition("=")[2] for word in words if word.startswith("--uuid=")), "")
        if uuid:
            home = self._find_running_home(words[-1])
            assert home is not None
            volume = next(volume for volume in home.volumes if volume.uuid == uuid)
            if sum(drive is None for drive in volume.drives) > (volume.level != 0):
                raise self.refusal("has been assembled with 1 device but cannot be started")
            self._check_starts(uuid)
            volume.node, volume.read_only = self._free_name(), "--readonly" in words
            self._rebuild(home)
            return ""
        nodes = [word for word in words if word in self.devices]
        home = next((home for home in self.homes if nodes[0] in home.drives and not home.node), None)
        if home is None:
            return super()._mdadm_assemble(words)
        self._check_platform()
        self._check_starts(home.uuid)
        home.node = self._free_name()
        return ""

    def _check_starts(self, uuid: str) -> None:
        if uuid in self.refused:
            raise self.refusal(self.refused[uuid])

    def _rebuild(self, home: Home) -> None:
        """mdmon gives a spare to a volume that lacks a drive, if that may be written."""
        for volume in home.volumes:
            spares = self._list_spares(home)
            if volume.node and not volume.read_only and None in volume.drives and volume.level and spares:
                volume.drives[volume.drives.index(None)] = spares[0]

    def _mdadm_examine(self, words: list[str]) -> str:
        if words[0] == "--export":
            return super()._mdadm_examine(words)
        told, code = [], 0
        for node in words:
            home = next((home for home in self.homes if node in home.drives), None)
            code = int(home is None)
            if home is not None:
                told.append(self._examine(home, node))
        if code:
            raise self.refusal("\n".join(told))
        return "\n".join(told)

    def _examine(self, home: Home, node: str) -> str:
        is_spare = node in self._list_spares(home) or not home.volumes
        generation = 1 if is_spare else 0x10 if node in home.stale else 0x16
        lines = [
            f"{node}:",
            "          Magic : Intel Raid ISM Cfg Sig.",
            f"     Generation : {generation:08x}",
            f"           UUID : {ZERO if is_spare else home.uuid}",
            "",
            "  Disk00 Serial : FAKE",
            f"          State : {'spare' if is_spare else 'active'}",
            "",
        ]
        for number, volume in enumerate(() if is_spare else home.volumes):
            if volume.uuid in self.unseen:
                continue
            slot = volume.drives.index(node) if node in volume.drives else 1
            slots = "".join("_" if drive is None else "U" for drive in volume.drives)
            lines += [
                f"[{volume.name}]:",
                f"       Subarray : {number}",
                f"           UUID : {volume.uuid}",
                f"     RAID Level : {volume.level}",
                f"        Members : {len(volume.drives)}",
                f"          Slots : [{slots}]",
                f"      This Slot : {slot}",
                f"     Array Size : {volume.device.size_bytes // 512} (x)",
                f"     Chunk Size : {volume.chunk_kib} KiB",
                f"      Map State : {'degraded' if None in volume.drives else 'normal'}",
                "",
            ]
        return "\n".join([*lines, "  Disk01 Serial : OTHER", "          State : active", ""])

    def _mdadm_detail(self, words: list[str]) -> str:
        for home in self.homes:
            for number, volume in enumerate(home.volumes):
                if volume.node and words[-1] == f"/dev/{volume.node}":
                    return (
                        f"MD_LEVEL=raid{volume.level}\nMD_DEVICES={len(volume.drives)}\n"
                        f"MD_CONTAINER=/dev/{home.node}\nMD_MEMBER={number}\nMD_UUID={volume.uuid}\n"
                    )
        return super()._mdadm_detail(words)

    def _mdadm_stop(self, words: list[str]) -> str:
        home = self._find_running_home(words[0])
        if home is not None:
            if any(volume.node for volume in home.volumes):
                raise self.refusal(f"mdadm: Cannot stop container {words[0]}: member still active")
            home.node = ""
            return ""
        for volume in (volume for home in self.homes for volume in home.volumes):
            if volume.node and words[0] == f"/dev/{volume.node}":
                volume.node, volume.read_only = "", False
                return ""
        return super()._mdadm_stop(words)

    def _mdadm_zero_superblock(self, words: list[str]) -> str:
        home = next((home for home in self.homes if words[0] in home.drives), None)
        if home is None and self.devices[words[0]].signatures[:1] != [{"type": "isw_raid_member"}]:
            return super()._mdadm_zero_superblock(words)
        self._check_writable(words[0])
        self.devices[words[0]].signatures = []
        self._forget(words[0])
        return ""

    def _mdadm_manage(self, words: list[str]) -> str:
        home = self._find_running_home(words[0])
        if home is None:
            return super()._mdadm_manage(words)
        node = words[2]
        if words[1] == "--add":
            self._check_writable(node)
            home.drives.append(node)
            self.put(node, "isw_raid_member")
            self._rebuild(home)
        elif any(node in volume.drives for volume in home.volumes):
            raise self.refusal(f"mdadm: {node} is still in use, cannot remove.")
        else:
            home.drives.remove(node)
            home.stale = [drive for drive in home.stale if drive != node]
        return ""
