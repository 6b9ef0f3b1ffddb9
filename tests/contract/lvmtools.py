"""LVM's and cryptsetup's commands on the fake machine: what pvs, vgs, lvs, pvcreate, ... print and do."""

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

MIB = 1024**2


class FakeVolume(msgspec.Struct, kw_only=True):
    """`extents` from `first` on, on the physical volume `member`: linear, in one piece."""

    extents: int
    pieces: list[tuple[str, int, int]]  # (node, first extent, last extent)
    tags: list[str] = []
    active: bool = False
    open: bool = False
    signatures: list[dict[str, str]] = []


class FakeGroup(msgspec.Struct, kw_only=True):
    extent_bytes: int
    members: dict[str, int] = {}  # node: extents
    volumes: dict[str, FakeVolume] = {}
    missing: int = 0


class LvmTools:
    """Mixed into `StorageMachine`, whose devices it uses."""

    def __init__(self) -> None:
        self.groups: dict[str, FakeGroup] = {}
        self.pv_uuids: dict[str, str] = {}
        self.containers: dict[str, str] = {}  # open containers: name -> node
        self.inside: dict[str, list[dict[str, str]]] = {}  # what is in each container, by its node

    def drop_member(self, node: str) -> None:
        """The device was wiped: LVM does not see it any more."""
        self.pv_uuids.pop(node, None)
        for group in self.groups.values():
            if node in group.members:
                del group.members[node]
                group.missing += 1
        self.groups = {name: group for name, group in self.groups.items() if group.members}

    def find_volume(self, node: str) -> FakeVolume | None:
        found = re.fullmatch(r"/dev/([^/]+)/([^/]+)", node)
        group = self.groups.get(found.group(1)) if found else None
        return group.volumes.get(found.group(2)) if found and group else None

    def _free(self, group: FakeGroup) -> int:
        return sum(group.members.values()) - sum(volume.extents for volume in group.volumes.values())

    def _take(self, group: FakeGroup, count: int) -> list[tuple[str, int, int]]:
        assert 0 < count <= self._free(group), "LVM says: insufficient free space"
        used = {
            (node, extent)
            for volume in group.volumes.values()
            for node, first, last in volume.pieces
            for extent in range(first, last + 1)
        }
        pieces: list[tuple[str, int, int]] = []
        for node, total in group.members.items():
            for extent in range(total):
                if count == 0:
                    return pieces
                if (node, extent) in used:
                    continue
                if pieces and pieces[-1][0] == node and pieces[-1][2] == extent - 1:
                    pieces[-1] = (node, pieces[-1][1], extent)
                else:
                    pieces.append((node, extent, extent))
                count -= 1
        return pieces

    @staticmethod
    def _print(key: str, rows: list[dict[str, Any]]) -> str:
        text = [{name: str(value) for name, value in row.items()} for row in rows]
        return json.dumps({"report": [{key: text}]})

    def _run_pvs(self, words: Sequence[str], input: str | None) -> str:
        rows = []
        for node, uuid in self.pv_uuids.items():
            group = next((name for name, group in self.groups.items() if node in group.members), "")
            size = self._find(node).size_bytes  # type: ignore[attr-defined]
            rows.append(
                {
                    "pv_name": node,
                    "pv_uuid": uuid,
                    "vg_uuid": f"{group}-uuid" if group else "",
                    "pv_size": size,
                }
                | {"dev_size": size, "pe_start": MIB}
            )
        return self._print("pv", rows)

    def _run_vgs(self, words: Sequence[str], input: str | None) -> str:
        named = words[-1] if words[-2] != "-o" else ""
        rows = [
            {
                "vg_name": name,
                "vg_uuid": f"{name}-uuid",
                "vg_extent_size": group.extent_bytes,
                "vg_extent_count": sum(group.members.values()),
                "vg_free_count": self._free(group),
                "vg_missing_pv_count": group.missing,
                "vg_exported": "",
            }
            for name, group in self.groups.items()
            if named in ("", name)
        ]
        return self._print("vg", rows)

    def _run_lvs(self, words: Sequence[str], input: str | None) -> str:
        if "--segments" not in words:
            assert words[-2:] == ["-o", "lv_device_open"]
            group_name, _, name = words[-3].partition("/")
            volume = self.groups[group_name].volumes[name]
            return self._print(
                "lv", [{"lv_device_open": "open" if volume.open else "" if volume.active else "unknown"}]
            )
        rows = []
        for name, group in self.groups.items():
            for volume_name, volume in group.volumes.items():
                start = 0
                for node, first, last in volume.pieces:
                    rows.append(
                        {
                            "vg_uuid": f"{name}-uuid",
                            "lv_name": volume_name,
                            "lv_uuid": f"{name}-{volume_name}-uuid",
                            "lv_size": volume.extents * group.extent_bytes,
                            "lv_tags": ",".join(volume.tags),
                            "lv_active": "active" if volume.active else "",
                            "segtype": "linear",
                            "seg_start_pe": start,
                            "seg_pe_ranges": f"{node}:{first}-{last}",
                        }
                    )
                    start += last - first + 1
        return self._print("seg", rows)

    def _run_blkid(self, words: Sequence[str], input: str | None) -> str:
        node, offset = words[-1], int(words[words.index("--offset") + 1])
        for group in self.groups.values():
            for volume in group.volumes.values():
                member, first, _ = volume.pieces[0]
                if member == node and MIB + first * group.extent_bytes == offset and volume.signatures:
                    found = volume.signatures[0]
                    return f"TYPE={found['type']}\nLABEL={found['label']}\nUUID={found['uuid']}\n"
        raise self.refusal("", 2)  # type: ignore[attr-defined]

    def _run_pvcreate(self, words: Sequence[str], input: str | None) -> str:
        node = words[-1]
        named = words[words.index("--uuid") + 1] if "--uuid" in words else f"pv-{len(self.pv_uuids)}"
        self.put(node, "LVM2_member", "", named)  # type: ignore[attr-defined]
        self.pv_uuids[node] = named
        return ""

    def _add_member(self, group: FakeGroup, node: str) -> None:
        size = self._find(node).size_bytes  # type: ignore[attr-defined]
        assert node in self.pv_uuids
        group.members[node] = (size - MIB) // group.extent_bytes

    def _run_vgcreate(self, words: Sequence[str], input: str | None) -> str:
        extent = int(words[words.index("--physicalextentsize") + 1].removesuffix("b"))
        name, nodes = words[3], words[4:]
        assert name not in self.groups
        self.groups[name] = FakeGroup(extent_bytes=extent)
        for node in nodes:
            self._add_member(self.groups[name], node)
        return ""

    def _run_vgextend(self, words: Sequence[str], input: str | None) -> str:
        self._add_member(self.groups[words[1]], words[2])
        return ""

    def _run_lvcreate(self, words: Sequence[str], input: str | None) -> str:
        group, name = self.groups[words[-1]], words[words.index("--name") + 1]
        count = int(words[words.index("--extents") + 1])
        assert name not in group.volumes
        tags = [words[words.index("--addtag") + 1]]
        group.volumes[name] = FakeVolume(extents=count, pieces=self._take(group, count), tags=tags)
        return ""

    def _run_lvextend(self, words: Sequence[str], input: str | None) -> str:
        name, volume_name = words[-1].split("/")
        group = self.groups[name]
        volume, text = group.volumes[volume_name], words[words.index("--extents") + 1]
        more = int(text) if text.startswith("+") else int(text) - volume.extents
        assert more > 0
        volume.pieces += self._take(group, more)
        volume.extents += more
        return ""

    def _run_lvchange(self, words: Sequence[str], input: str | None) -> str:
        name, volume_name = words[-1].split("/")
        volume = self.groups[name].volumes[volume_name]
        value = words[2]
        match words[1]:
            case "--addtag":
                volume.tags = sorted({*volume.tags, value})
            case "--deltag":
                volume.tags = [tag for tag in volume.tags if tag != value]
            case "--activate":
                volume.active = value == "y"
        return ""

    def _run_cryptsetup(self, words: Sequence[str], input: str | None) -> str:
        rest = [word for word in words if word not in ("--batch-mode", "--key-file", "-")]
        node = rest[-1]
        match rest[0]:
            case "luksFormat":
                assert input
                label = rest[rest.index("--label") + 1]
                uuid = rest[rest.index("--uuid") + 1] if "--uuid" in rest else "luks"
                self.put(node, "crypto_LUKS", label, uuid)  # type: ignore[attr-defined]
            case "open":
                assert input
                self.containers[rest[-1]] = rest[-2]
            case "close":
                del self.containers[rest[-1]]
            case "config":
                self._find(node).signatures[0]["label"] = rest[rest.index("--label") + 1]  # type: ignore[attr-defined]
        return ""
