"""With the real QEMU: a machine whose boot sector writes a line to the serial port and stops."""

import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from bootsector import build_boot_sector

from bootos.errors import BootosError
from bootos.lab.machine import Machine
from bootos.lab.scenario import Scenario
from bootos.lab.serial import SerialTimeout
from bootos.lab.spec import BmcSpec, DiskSpec, MachineSpec, NicSpec
from bootos.lab.vendor_tools.silicon import Output, Silicon, SiliconSpec
from bootos.waiting import wait_for

pytestmark = pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="needs qemu-system-x86")

NIC = NicSpec(mac="52:54:00:00:00:01")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    disk = tmp_path / "boot.raw"
    disk.write_bytes(build_boot_sector(b"LAB BOOTED\n").ljust(1024**2, b"\0"))
    disks = (DiskSpec(name="boot", bus="sata", path=str(disk)), DiskSpec(name="data", size_mib=8))
    spec = MachineSpec(memory_mib=64, cpus=1, boot="disk", disks=disks, nics=(NIC,))
    one = Machine(spec, tmp_path / "machine")
    yield one
    one.power_off()


def test_is_watched_reset_and_switched_off(machine: Machine) -> None:
    machine.power_on()
    first = machine.wait_for_serial("LAB BOOTED", 60)
    assert 0 < first.at_s <= machine.elapsed_s() and first.cpu_s > 0
    assert machine.read_status() == "running"
    assert machine.read_memory_bytes()["resident"] > 0
    machine.reset()
    second = machine.wait_for_serial("LAB BOOTED", 60, after=first.number + 1)
    assert second.at_s > first.at_s
    assert [event.name for event in machine.events].count("RESET") >= 1
    machine.power_off()
    assert not machine.is_on()
    assert machine.read_cpu_s() >= second.cpu_s
    with pytest.raises(SerialTimeout, match="went off"):
        machine.wait_for_serial("never", 60)
    with pytest.raises(BootosError, match="is off"):
        machine.reset()


def test_a_second_power_on_has_logs_of_its_own_and_keeps_the_disks(machine: Machine) -> None:
    for _ in range(2):
        machine.power_on()
        machine.wait_for_serial("LAB BOOTED", 60)
        machine.power_off()
    names = sorted(path.name for path in machine.directory.iterdir())
    assert {"serial.log", "serial-2.log", "data.raw", "qemu.log"} <= set(names)
    assert machine.disk_path("data").stat().st_size == 8 * 1024**2


def test_a_cable_can_be_pulled_and_a_missing_disk_or_card_is_named(machine: Machine) -> None:
    machine.power_on()
    machine.cut_network(NIC.mac)
    machine.restore_network(NIC.mac)
    with pytest.raises(BootosError, match="no card 52:54:00:00:00:09"):
        machine.cut_network("52:54:00:00:00:09")
    with pytest.raises(BootosError, match="no disk 'other'"):
        machine.remove_disk("other")


@pytest.mark.skipif(not shutil.which("ipmi_sim"), reason="needs openipmi")
def test_the_bmc_switches_the_machine_over_lan(tmp_path: Path) -> None:
    disk = tmp_path / "boot.raw"
    disk.write_bytes(build_boot_sector(b"LAB BOOTED\n").ljust(1024**2, b"\0"))
    disks = (DiskSpec(name="boot", bus="sata", path=str(disk)),)
    card = NicSpec(mac=NIC.mac, boot=True)  # which the BMC shares
    spec = MachineSpec(memory_mib=64, cpus=1, boot="disk", disks=disks, nics=(card,), bmc=BmcSpec())
    with Scenario(tmp_path / "run", needs=["machine", "bmc"]) as scenario:
        machine = scenario.add_machine(spec)
        assert machine.bmc is not None
        assert machine.bmc.run_ipmitool("chassis", "power", "on").returncode == 0
        wait_for(machine.is_on, 30, what="power on by the BMC")
        first = machine.pid
        machine.wait_for_serial("LAB BOOTED", 60)
        assert machine.bmc.run_ipmitool("chassis", "power", "cycle").returncode == 0
        wait_for(lambda: machine.pid not in (None, first), 30, what="a power cycle by the BMC")
        machine.wait_for_serial("LAB BOOTED", 60)
        assert machine.bmc.run_ipmitool("chassis", "power", "off").returncode == 0
        wait_for(lambda: not machine.is_on(), 30, what="power off by the BMC")


def test_qemus_own_words_tell_why_it_did_not_start(tmp_path: Path) -> None:
    spec = MachineSpec(cpu_model="abacus", boot="disk", nics=(NIC,))
    with pytest.raises(BootosError, match=r"QEMU did not start: .*abacus"):
        Machine(spec, tmp_path).power_on()


def test_a_scenario_switches_off_what_it_started(tmp_path: Path) -> None:
    spec = MachineSpec(memory_mib=64, cpus=1, boot="disk", nics=(NIC,))
    with pytest.raises(KeyboardInterrupt), Scenario(tmp_path / "run", needs=["machine"]) as scenario:
        machine = scenario.add_machine(spec)
        machine.power_on()
        raise KeyboardInterrupt
    assert not machine.is_on()


def test_a_scenario_ends_on_sigterm_as_on_ctrl_c(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit), Scenario(tmp_path / "run", needs=["machine"]) as scenario:
        child = scenario.start_process(["sleep", "60"], name="sleeper")
        signal.raise_signal(signal.SIGTERM)
    assert child.poll() is not None
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_scenario_does_not_empty_a_directory_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(BootosError, match="was not made by a lab run"), Scenario(tmp_path, needs=["machine"]):
        pass
    assert (tmp_path / "thesis.txt").exists()


def test_a_virtual_drive_is_there_while_its_controller_has_it(tmp_path: Path) -> None:
    silicon = Silicon(SiliconSpec())
    spec = MachineSpec(memory_mib=64, cpus=1, boot="disk", nics=(NIC,), silicon=silicon.spec)
    machine = Machine(spec, tmp_path, silicon=silicon)
    silicon.block.plug("os", 1024**2, "0x6000000000000001", "DELL", "PERC H730", "0001")
    path = machine.virtual_drive_path("os")
    machine.power_on()
    try:
        silicon.block.plug("data", 2 * 1024**2, "0x6000000000000002", "DELL", "PERC H730", "0002")
        assert [p.stat().st_size for p in (path, machine.virtual_drive_path("data"))] == [
            1024**2,
            2 * 1024**2,
        ]
        path.write_bytes(b"content".ljust(1024**2, b"\0"))
        machine.power_off()
        machine.power_on()
        assert path.read_bytes().startswith(b"content")
        silicon.block.unplug("data")
        silicon.block.unplug("os")
        assert not path.exists()
    finally:
        machine.power_off()


def test_a_reset_lets_pending_settings_of_the_silicon_take_effect(tmp_path: Path) -> None:
    class Clerk:
        names: tuple[str, ...] = ()
        boots = 0

        def run(
            self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
        ) -> Output:
            return Output()

        def on_boot(self, silicon: Silicon) -> None:
            self.boots += 1

    clerk = Clerk()
    silicon = Silicon(SiliconSpec(), tools=(clerk,))
    spec = MachineSpec(memory_mib=64, cpus=1, boot="disk", nics=(NIC,), silicon=silicon.spec)
    machine = Machine(spec, tmp_path, silicon=silicon)
    machine.power_on()
    try:
        first = clerk.boots
        assert first >= 1
        machine.reset()
        wait_for(lambda: clerk.boots > first, 30, what="a start of the silicon")
    finally:
        machine.power_off()
