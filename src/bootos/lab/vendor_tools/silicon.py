"""What the stand-in hardware of one machine remembers: a JSON document on the host, kept after each call.

Stand-ins of vendor tools (`silicon.Tool`) read and change it; tests and scenarios look at it and break it from outside.
It survives reboots and power cycles of the machine as a controller's memory does.
"""

import copy
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from bootos.files import write_atomically
from bootos.lab.chassis import Chassis

Misbehaviour = Literal["ignore", "fail-half", "hang", "junk", "wrong-exit"]
_DRIVES = "block"  # the key in the state under which the virtual drives are


class Knob(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One way a tool misbehaves. `tool` is the program's name or a pattern (`storcli*`), `when` the words that must
    be in its command line (patterns, in any case and order; empty: always), `times` how often (None: always)."""

    tool: str
    kind: Misbehaviour
    when: str = ""
    times: int | None = None


class PhysicalDrive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A drive behind a RAID controller, in slot order; the guest does not see it."""

    size_bytes: int
    type: Literal["ssd", "hdd"] = "ssd"
    interface: Literal["sas", "sata", "nvme"] = "sata"
    vendor: str = "ATA"
    model: str = "LAB DRIVE"
    serial: str = ""
    firmware: str = "LB01"
    controller: int = 0


class PciIdentity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a device's `uevent` says: ids as `1000:005d`, the class as `10400`, the kernel module it works with."""

    id: str
    subsystem: str
    kernel_module: str
    class_id: str = "10400"


class Output(msgspec.Struct, kw_only=True):
    """What a program did: exit code, what it printed, and the files it wrote in the guest, by path."""

    code: int = 0
    stdout: str = ""
    stderr: str = ""
    files: dict[str, str] = {}


class Tool(Protocol):
    """A stand-in. A tool may have `on_boot(silicon)` too: called when the machine starts."""

    names: tuple[str, ...]  # its programs in the guest's PATH

    def run(
        self, silicon: "Silicon", argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        """Do what the program does. `argv` is without the program's name, `files` are those it names, by path."""
        ...


class SiliconSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The stand-in hardware of a machine. `programs` are the tools in the guest's PATH (names of `catalog`). `state`
    is what the tools' parts of the state begin with, by the key of the tool; what is not there the tool makes up from
    `drives`. `controllers` are PCI devices that do nothing, and say in sysfs that they are RAID controllers."""

    programs: tuple[str, ...] = ()
    controllers: tuple[PciIdentity, ...] = ()
    drives: tuple[PhysicalDrive, ...] = ()
    state: dict[str, Any] = {}
    knobs: tuple[Knob, ...] = ()


class VirtualDrive(msgspec.Struct, frozen=True, kw_only=True):
    """A disk the guest gets from a controller. `name` is unique in the machine: letters, digits, `-` and `_`. `wwn`
    is `0x` and 16 or 32 hexadecimal digits, as /dev/disk/by-id/wwn-* has it."""

    name: str
    size_bytes: int
    wwn: str
    vendor: str
    model: str
    serial: str


class Backplane(Protocol):
    """Where virtual drives appear: a running machine."""

    def plug(self, drive: VirtualDrive) -> None:
        """Let a new, empty one appear."""
        ...

    def unplug(self, name: str) -> None:
        """Let it disappear with what is on it."""
        ...


class Block:
    """The virtual drives that exist now. They are part of the state, so they come back with the machine."""

    def __init__(self, silicon: "Silicon") -> None:
        self._silicon = silicon
        self.backplane: Backplane | None = None

    @property
    def drives(self) -> dict[str, VirtualDrive]:
        """By name, in the order they were made."""
        known = self._silicon.state.get(_DRIVES, {})
        return {name: msgspec.convert(drive, VirtualDrive) for name, drive in known.items()}

    def plug(self, name: str, size_bytes: int, wwn: str, vendor: str, model: str, serial: str) -> None:
        """A new, empty virtual drive appears in the guest. Raises ValueError for a name in use."""
        if name in self.drives:
            raise ValueError(f"there is a virtual drive {name} already")
        drive = VirtualDrive(
            name=name, size_bytes=size_bytes, wwn=wwn, vendor=vendor, model=model, serial=serial
        )
        if self.backplane is not None:
            self.backplane.plug(drive)
        self._silicon.state.setdefault(_DRIVES, {})[name] = msgspec.to_builtins(drive)

    def unplug(self, name: str) -> None:
        """Take a drive away, with what is on it. Raises KeyError when there is no such drive."""
        del self._silicon.state[_DRIVES][name]
        if self.backplane is not None:
            self.backplane.unplug(name)


class Silicon:
    """The hardware of one machine, kept in the file `path` (None: in memory only).

    `state` belongs to the tools, each under its own key, and must be plain JSON. `now` may be replaced, to let time
    pass in tests. `lock` is held during a tool's run: one call at a time. `chassis` is the machine around it.
    """

    def __init__(
        self,
        spec: SiliconSpec,
        path: Path | None = None,
        *,
        tools: Sequence["Tool"] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self.spec = spec
        self.path = path
        self.tools = tuple(tools)
        self.now = now
        self.lock = threading.RLock()
        self.knobs: list[Knob] = [copy.copy(knob) for knob in spec.knobs]
        self.calls: list[tuple[str, ...]] = []  # the command lines so far, for tests
        self.state: dict[str, Any] = copy.deepcopy(spec.state)
        if path is not None and path.exists():
            self.state = json.loads(path.read_text())
        self.block = Block(self)
        self.chassis = Chassis()
        self.aimed_at = 0.0  # of time.monotonic: when it was last said what the machine boots from

    def find_tool(self, program: str) -> "Tool | None":
        """The stand-in for a program, by its name without a directory."""
        return next((tool for tool in self.tools if program in tool.names), None)

    def is_misbehaving(self, kind: Misbehaviour, program: str, argv: Sequence[str]) -> bool:
        """Whether a knob says so for this command line. Each call that returns true uses up one of the knob's
        `times`."""
        words = [word.lower() for word in argv]
        for knob in self.knobs:
            if knob.kind != kind or knob.times == 0 or not fnmatchcase(program, knob.tool):
                continue
            if all(any(fnmatchcase(word, want) for word in words) for want in knob.when.lower().split()):
                if knob.times is not None:
                    knob.times -= 1
                return True
        return False

    def boot(self) -> None:
        """The machine starts: every tool with `on_boot` applies what was pending."""
        with self.lock:
            for tool in self.tools:
                on_boot = getattr(tool, "on_boot", None)
                if on_boot is not None:
                    on_boot(self)
            self.save()

    def save(self) -> None:
        """Write the state down; a reader sees the old or the new one, never half of it."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, json.dumps(self.state, indent=1).encode(), durable=False)
