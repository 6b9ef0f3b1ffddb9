"""A machine with a hardware RAID controller whose tool is a stand-in, in this process: the controller's virtual drives
are disks for lsblk, wipefs and sysfs, as on a real one.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from carrying import Recorder, apply, build_run, carry_through, plan
from siliconmachine import SiliconMachine
from storagemachine import FakeDevice, StorageMachine
from sysfsbackplane import SysfsBackplane

from bootos.drivers.contract import Driver, DriverError, Exporter, Machine
from bootos.drivers.raid.card import CardDriver
from bootos.drivers.storage.controller import Controller
from bootos.engine.plan import JobPlan
from bootos.engine.run import Past, Run
from bootos.engine.watcher import StepFailed
from bootos.lab.vendor_tools.silicon import Knob, PhysicalDrive, SiliconSpec
from bootos.process import Completed
from bootos.wire.inventory import Disk, Inventory, RaidController

HDD = 960_197_124_096


class RaidRig:
    """`plan`, `apply` and `settle` are the engine's. `names` are the kernel's names of the virtual drives; with
    `shows_disks` False the kernel sees none of them."""

    def __init__(
        self,
        root: Path,
        driver: Driver,
        *,
        drives: Sequence[PhysicalDrive],
        state: dict[str, Any] | None = None,
    ) -> None:
        self.driver = driver
        self.drivers: list[Driver] = [driver]  # what plans and applies; each is that of a controller
        self.now = 1000.0
        self.storage = StorageMachine(root, {})
        self.hardware = SiliconMachine(
            root,
            SiliconSpec(drives=tuple(drives), state=state or {}),
            rest=self._run_rest,
            now=lambda: self.now,
        )
        self.silicon = self.hardware.silicon
        self.machine = Machine(run=self.hardware.run, root=root)
        self.names: dict[str, str] = {}
        self.shows_disks = True

    def _run_rest(self, argv: Sequence[Any], **options: Any) -> Completed:
        self._link_disks()
        if Path(str(argv[0])).name == "udevadm":
            return Completed(argv=("udevadm",), returncode=0, stdout="", stderr="", duration_s=0.0)
        self._find_disks()
        return self.storage.run(argv, **options)

    def _link_disks(self) -> None:
        """udev's links by world wide name."""
        place = self.machine.root / "dev/disk/by-id"
        place.mkdir(parents=True, exist_ok=True)
        wanted = {f"wwn-{disk.wwn}": f"../../{disk.name}" for disk in self._find_disks()}
        for link in place.iterdir():
            if link.name not in wanted:
                link.unlink()
        for name, target in wanted.items():
            if not (place / name).is_symlink():
                (place / name).symlink_to(target)

    def _find_disks(self) -> list[Disk]:
        """Virtual drives get sda, sdb, ... in the order they appear."""
        drives = self.silicon.block.drives if self.shows_disks else {}
        for name in [name for name in self.names if name not in drives]:
            del self.storage.devices[f"/dev/{self.names.pop(name)}"]
        disks: list[Disk] = []
        for name, drive in drives.items():
            if name not in self.names:
                free = next(f"sd{c}" for c in "abcdefghijklmnop" if f"sd{c}" not in self.names.values())
                self.names[name] = free
                self.storage.devices[f"/dev/{free}"] = FakeDevice(size_bytes=drive.size_bytes)
            node = self.names[name]
            disks.append(
                Disk(
                    index=len(disks),
                    name=node,
                    path=f"/dev/{node}",
                    model=drive.model,
                    serial=drive.serial,
                    wwn=drive.wwn,
                    size_bytes=drive.size_bytes,
                )
            )
        return disks

    def build_inventory(self) -> Inventory:
        cards = [
            RaidController(name="0000:5c:00.0", driver=driver.name, model="stand-in")
            for driver in self.drivers
            if driver.section == "raid"
        ]
        return Inventory(collected_at="2024-01-01T00:00:00Z", disks=self._find_disks(), raid=cards)

    def read_all(self) -> tuple[Controller, ...]:
        """The controllers, as the driver sees them."""
        assert isinstance(self.driver, CardDriver)
        return self.driver.read(self.machine, self.build_inventory()).controllers

    def read_one(self) -> Controller:
        """The only one."""
        (controller,) = self.read_all()
        return controller

    def plan(self, text: str) -> JobPlan:
        document = {"name": "t", **yaml.safe_load(text)}
        return plan(document, self.machine, self.build_inventory(), drivers=self.drivers)

    def export(self) -> dict[str, Any]:
        assert isinstance(self.driver, Exporter)
        return self.driver.export(self.driver.read(self.machine, self.build_inventory()))

    def apply(
        self,
        text: str,
        *,
        at_first: Callable[[], None] = lambda: None,
        reboot: Callable[[], None] | None = None,
    ) -> list[str]:
        """The whole job with its reboots; returns the ids of its actions. Raises what the engine raises. `at_first`
        happens to the machine when the first action begins: after the engine's last reading before it."""
        document = {"name": "t", **yaml.safe_load(text)}

        def start(past: Past, recorder: Recorder) -> Run:
            recorder.at_first = at_first
            inventory = self.build_inventory()
            return build_run(
                document, self.machine, inventory, drivers=self.drivers, watcher=recorder, past=past
            )

        return carry_through(start, reboot or self.silicon.boot)

    @contextlib.contextmanager
    def raises(self, match: str) -> Iterator[None]:
        """The job in this block ends with an error of the driver that says this."""
        with pytest.raises(StepFailed, match=match) as caught:
            yield
        assert isinstance(caught.value.__cause__, DriverError)

    def settle(self, text: str) -> JobPlan:
        """The whole job, after which nothing is left to plan; returns its plan."""
        planned = self.plan(text)
        document = {"name": "t", **yaml.safe_load(text)}
        apply(document, self.machine, self.build_inventory(), drivers=self.drivers)
        again = self.plan(text)
        assert not again.problems and not again.actions, again
        return planned

    def misbehave(self, tool: str, kind: Any, when: str, times: int | None = None) -> None:
        self.silicon.knobs.append(Knob(tool=tool, kind=kind, when=when, times=times))


def build_card_rig(
    root: Path, driver: CardDriver, drives: Sequence[PhysicalDrive], *keys: str, **state: Any
) -> RaidRig:
    """A machine with the controllers of these keys in the silicon's state, started, whose disks sysfs shows."""
    rig = RaidRig(root, driver, drives=drives, state={key: {} for key in keys} | state)
    rig.silicon.block.backplane = SysfsBackplane(root)
    rig.silicon.boot()
    return rig


def build_drives(count: int, type: Any = "hdd", size_bytes: int = HDD) -> list[PhysicalDrive]:
    return [PhysicalDrive(size_bytes=size_bytes, type=type, serial=f"SN{n:04}") for n in range(count)]
