"""Drives with commands to erase themselves: what nvme, hdparm, sg_opcodes and sg_sanitize print and do.

The drives are files, so that what is read back from them is what was written. Each can be told to misbehave.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from storagemachine import MIB, FakeDevice, StorageMachine

GOLDEN = Path(__file__).parents[1] / "golden/drivers/disk.erase"


class Drive(msgspec.Struct, kw_only=True):
    """`lies`: it says that it is erased and is not. `left`: polls until a sanitize has ended; None: none runs."""

    hdparm: str = ""
    sg_opcodes: str = ""
    id_ctrl: str = ""
    lies: bool = False
    fails: bool = False
    left: int | None = None
    ended: bool = False
    password: str = ""
    lbaf: int = 0
    lbafs: tuple[dict[str, int], ...] = (
        {"ms": 0, "ds": 9, "rp": 2},
        {"ms": 8, "ds": 12, "rp": 0},
        {"ms": 0, "ds": 12, "rp": 1},
    )


class DriveMachine(StorageMachine):
    """The machine with its drives by path; each is a file of 16 MiB below its root."""

    def __init__(self, root: Path, drives: dict[str, Drive]) -> None:
        super().__init__(root, dict.fromkeys(drives, 16 * MIB))
        self.drives = {f"/dev/{name}": drive for name, drive in drives.items()}
        for node in self.drives:
            file = self._file(node)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(b"precious" * (2 * MIB))

    def _file(self, node: str) -> Path:
        return self.root / node.lstrip("/")

    def _forget(self, node: str) -> None:
        drive = self.drives[node]
        drive.ended = True
        if not drive.lies:
            self._file(node).write_bytes(bytes(16 * MIB))

    def _list_item(self, node: str, device: FakeDevice, kind: str) -> dict[str, Any]:
        item = super()._list_item(node, device, kind)
        drive = self.drives.get(node)
        return item | ({"log-sec": 1 << drive.lbafs[drive.lbaf]["ds"]} if drive is not None else {})

    def poll(self, node: str) -> int | None:
        """Time passes in the drive each time it is asked."""
        drive = self.drives[node]
        if drive.left is None:
            return None
        if drive.left == 0:
            drive.left = None
            self._forget(node)
            return None
        drive.left -= 1
        return 100 - drive.left * 10

    def _run_hdparm(self, words: Sequence[str], input: str | None) -> str:
        node = words[-1]
        drive = self.drives[node]
        if words[0] == "-I":
            text = drive.hdparm
            if drive.password:
                text = text.replace("\tnot\tenabled", "\t\tenabled").replace("\tnot\tlocked", "\t\tlocked")
            return text
        if words[0] == "--sanitize-status":
            percent = self.poll(node)
            if percent is not None:
                return f"State:    SD2 Sanitize operation In Process\nProgress: 0x1000 ({percent}%)\n"
            last = "Last Sanitize Operation Completed Without Error" if drive.ended else ""
            return (
                "State:    SD3 Sanitize Failed\n" if drive.fails else f"State:    SD0 Sanitize Idle\n{last}\n"
            )
        if any(word.startswith("--sanitize") for word in words):
            assert "--yes-i-know-what-i-am-doing" in words
            drive.left = 3
            return ""
        assert words[:2] == ["--user-master", "u"]
        match words[2]:
            case "--security-set-pass":
                drive.password = words[3]
            case "--security-erase" | "--security-erase-enhanced":
                assert drive.password == words[3]
                if drive.fails:
                    raise self.refusal("SECURITY_ERASE: Input/output error", 5)
                drive.password = ""
                self._forget(node)
            case "--security-disable":
                drive.password = ""
        return ""

    def _run_sg_opcodes(self, words: Sequence[str], input: str | None) -> str:
        drive = self.drives[words[-1]]
        if not drive.sg_opcodes:
            raise self.refusal("Report supported operation codes: operation not supported", 9)
        return drive.sg_opcodes

    def _run_sg_sanitize(self, words: Sequence[str], input: str | None) -> str:
        assert "--early" in words
        self.drives[words[-1]].left = 3
        return ""

    def _run_sg_requests(self, words: Sequence[str], input: str | None) -> str:
        percent = self.poll(words[-1])
        return f"Progress indication: {percent}.00% done\n" if percent is not None else ""

    def _run_nvme(self, words: Sequence[str], input: str | None) -> str:
        node = words[1]
        drive = self.drives[node]
        match words[0]:
            case "id-ctrl":
                return drive.id_ctrl
            case "id-ns":
                return json.dumps({"flbas": drive.lbaf, "lbafs": list(drive.lbafs)})
            case "format":
                found = [word for word in words if word.startswith("--lbaf=")]
                if found and not drive.lies:
                    drive.lbaf = int(found[0].removeprefix("--lbaf="))
                self._forget(node)
            case "sanitize":
                drive.left = 3
            case "sanitize-log":
                percent = self.poll(node)
                status = 2 if percent is not None else 3 if drive.fails else int(drive.ended)
                return json.dumps({"nvme0": {"sprog": (percent or 0) * 655, "sstat": {"status": status}}})
        return ""
