"""A machine whose disks outlive power cuts, and an agent that works on it: what the fast fault suite breaks.

Disks, arrays and the journal of what was done to them are files. `run` stops at the named boundary: it tells the
suite over a socket, and goes on when told.
"""

import json
import logging
import re
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import carrying
import msgspec
from handclock import QuickCaller, QuickClock
from storagemachine import FakeArray, FakeDevice, StorageMachine

from bootos.agent import sequence
from bootos.agent.host.host import Host, collect
from bootos.agent.job.ending import Next
from bootos.agent.job.job import carry_out
from bootos.agent.search import wait_for_server
from bootos.agent.session.capturing import Capturer
from bootos.agent.session.order import wait_for_order
from bootos.drivers.contract import Machine
from bootos.engine.savedstate import read_saved
from bootos.hardware.capture import Replay, build_tree, read_capture
from bootos.hardware.inventory import collect_inventory
from bootos.process import Completed, run

CAPTURE = Path(__file__).parents[1] / "golden/hardware/machines/server-six-disks.json"
MIB = 1024**2
DISKS = {
    "vda": 1024 * MIB, "vdb": 2048 * MIB, "sda": 3072 * MIB, "sdb": 4096 * MIB, "nvme0n1": 5120 * MIB,
    "nvme1n1": 6144 * MIB,
}  # fmt: skip
VANISHING = "/dev/vdb"

TEMPLATE: dict[str, Any] = {
    "name": "faults",
    "raid": {"arrays": [{"name": "os", "level": 5, "drives": "0-2"}]},
    "disks": [
        {
            "select": {"array": "os"},
            "partitions": [
                {"name": "boot", "size": "100MiB", "filesystem": "ext4"},
                {"name": "root", "size": "rest", "filesystem": "xfs"},
            ],
        }
    ],
    "scripts": [
        {
            "name": "tuning",
            "scripts": [
                {"name": "once", "script": "echo once"},
                {"name": "often", "script": "echo often", "repeatable": True},
            ],
        }
    ],
}
REPLAY = Replay(read_capture(CAPTURE))
TOOLS = {"mdadm --create": "create", "sfdisk --quiet": "table", "mkfs.ext4": "ext4", "mkfs.xfs": "xfs"}
SCRIPTS = {"script.0.0.sh": "once", "script.0.1.sh": "often"}


class Disks(msgspec.Struct):
    """What a power cut leaves."""

    devices: dict[str, FakeDevice]
    arrays: list[FakeArray]
    calls: int = 0


class FaultMachine(StorageMachine):
    """`stop` is the boundary (`table:before`, `table:half`, `table:after`), `door` the suite's socket."""

    def __init__(self, directory: Path, stop: str = "", door: str = "") -> None:
        self.directory = directory
        self._file = directory / "disks.json"
        self._journal = directory / "journal"
        self._stop, self._door = stop, door
        self._replay = REPLAY
        self._half = ""
        super().__init__(directory / "root", DISKS)
        self._load()

    def _load(self) -> None:
        if self._file.exists():
            disks = msgspec.json.decode(self._file.read_bytes(), type=Disks)
            self.devices, self.arrays = disks.devices, disks.arrays
            # UUIDs are made from the number of calls, so that none comes twice
            self.calls = [[]] * disks.calls
            self._tell_mdstat()

    def _save(self) -> None:
        disks = Disks(devices=self.devices, arrays=self.arrays, calls=len(self.calls))
        new = self._file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(disks))
        new.replace(self._file)

    def write_journal(self, *words: str) -> None:
        with self._journal.open("a") as file:
            file.write(" ".join(words) + "\n")

    def cut_power(self) -> None:
        """What is in memory is gone: /run, and the arrays that ran."""
        shutil.rmtree(self.root / "run", ignore_errors=True)
        self.restart()
        self._save()

    def pass_boundary(self, name: str) -> None:
        if name != self._stop:
            return
        self._stop = ""
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(self._door)
            door.sendall(name.encode() + b"\n")
            told = door.recv(100).decode().strip()
        if told == "vanish":
            del self.devices[VANISHING]
            self._tell_mdstat()
            self._save()

    def _tell_mdstat(self) -> None:
        super()._tell_mdstat()
        file = self.root / "proc/mdstat"
        text = file.read_text()
        for array in self.arrays:
            for node in array.drives:
                if node not in self.devices:
                    name = re.escape(node.removeprefix("/dev/"))
                    text = re.sub(rf"\b{name}(\[\d+\])", rf"{node.removeprefix('/dev/')}\1(F)", text)
        file.write_text(text)

    def run(self, argv: Sequence[Any], **options: Any) -> Completed:
        words = [str(word) for word in argv]
        if words[0] == "/bin/bash":
            return self._run_script(words, **options)
        if not hasattr(self, f"_run_{words[0].replace('mkfs.', 'mkfs_')}"):
            return self._replay(argv, **options)
        if words[0] == "lsblk":
            self.pass_boundary("plan:before")
        name = next((TOOLS[key] for key in TOOLS if " ".join(words).startswith(key)), "")
        if name:
            self.pass_boundary(f"{name}:before")
            self._note(name, words)
        elif "--all" in words or words[1:2] == ["--zero-superblock"]:
            self._note("wipe", words)
        if name and self._stop == f"{name}:half":
            self._do_half(name, words)
            self._save()
            self.pass_boundary(f"{name}:half")
        done = super().run(argv, **options)
        if name and not done.returncode:
            self.write_journal("done", name)
        self._save()
        if name:
            self.pass_boundary(f"{name}:after")
        return done

    def _run_script(self, words: list[str], **options: Any) -> Completed:
        name = next(SCRIPTS[file] for file in (Path(word).name for word in words) if file in SCRIPTS)
        self.pass_boundary(f"{name}:before")
        self.write_journal("run", name)
        self.pass_boundary(f"{name}:half")
        done = run(argv=words, **options)
        self.write_journal("done", name)
        self.pass_boundary(f"{name}:after")
        return done

    def _note(self, name: str, words: list[str]) -> None:
        """Into the journal, with what is lost that the job had made and finished."""
        lost = [node for node in words[1:] if node.startswith("/dev/") and self._holds_own(node)]
        self.write_journal("do", name, *(f"lost={node}" for node in lost))

    def _holds_own(self, node: str) -> bool:
        try:
            device = self._find(node)
        except Exception:  # noqa: BLE001 - the fake's way to say that it is not there
            return False
        if any(
            s["type"] != "half" and "half" not in s and s["label"] != "foreign" for s in device.signatures
        ):
            array = next((a for a in self.arrays if node in a.drives), None)
            return array is None or not array.half
        return bool(device.parts)

    def _has(self, node: str) -> bool:
        return not super().run(["lsblk", "-J", "-b", "-o", "PATH", node], check=False).returncode

    def _do_half(self, name: str, words: list[str]) -> None:
        """As if the power went off while the tool was writing."""
        node = words[-1]
        if name == "table":
            self._find(node).table = "gpt"
        elif name == "create":
            super().run(words)
            array = self.arrays[-1]
            array.half, array.node = True, ""
            self._find(array.drives[-1]).signatures = []
        else:
            super().run(words)
            for signature in self._find(node).signatures:
                signature["half"] = "yes"


def run_agent(directory: Path, boot_id: str, stop: str, door: str) -> None:
    """One life of an agent: as `sequence.run`, without DHCP and without the reboot at the end."""
    machine = FaultMachine(directory, stop, door)
    host = Host(Machine(run=machine.run, root=machine.root), boot_id, clock=QuickClock(), http=QuickCaller())
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)8d %(levelname)s %(name)s: %(message)s")
    sequence.wait_for_server_address(host)
    collect(host)
    client = wait_for_server(host)
    assert client is not None
    own = OwnLog(directory / f"said-{boot_id}.json")
    logging.getLogger("bootos").addHandler(own)
    reporter = sequence.register(host, client, "", [])
    order = wait_for_order(client, reporter, Capturer(host.machine, reporter.masker), host.clock)
    after = carry_out(order, host, client, reporter)
    (directory / "final.json").write_bytes(msgspec.json.encode(reporter.state))
    machine.write_journal("reboot" if after is Next.REBOOT else "stay")


class OwnLog(logging.Handler):
    """Every line that the agent means the server to have, in a file of its own."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.INFO)
        self._file = path.open("a", buffering=1)

    def emit(self, record: logging.LogRecord) -> None:
        for line in record.getMessage().splitlines() or [""]:
            self._file.write(json.dumps(line) + "\n")


def make_tree(tree: Path) -> None:
    """What all machines show of their hardware. Without a serial number they go by their MAC."""
    build_tree(read_capture(CAPTURE), tree)
    shutil.rmtree(tree / "sys/firmware", ignore_errors=True)
    shutil.rmtree(tree / "sys/class/dmi", ignore_errors=True)


def make_machine(directory: Path, tree: Path, url: str, mac: str) -> None:
    """A new machine, switched off."""
    root = directory / "root"
    (root / "proc").mkdir(parents=True, exist_ok=True)
    for name in ("sys", "dev"):
        (root / name).symlink_to(tree / name)
    for file in (tree / "proc").iterdir():
        if file.is_file():
            shutil.copyfile(file, root / "proc" / file.name)
    words = f"SERVER_ADDR={url} BOOTIF=01-{mac.replace(':', '-')} DEVELOPER=1 POST={url}/bootos/files/post.sh"
    (root / "proc/cmdline").write_text(words + "\n")
    FaultMachine(directory)._save()


def rehearse(directory: Path) -> None:
    """A plan for such a machine, and what it saves: what is imported, compiled and read once for that, the processes
    that are forked from this one share."""
    tree = directory / "tree"
    make_tree(tree)
    make_machine(directory, tree, "http://127.0.0.1:9", "52:54:00:fa:00:00")
    fake = FaultMachine(directory)
    machine = Machine(run=fake.run, root=fake.root)
    inventory = collect_inventory(fake.root, fake.run)
    assert carrying.plan(TEMPLATE, machine, inventory).actions
    read_saved(machine, inventory)
