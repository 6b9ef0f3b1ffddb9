"""With the real QEMU behind one that plays a kvm that fails: how a machine's end is told, and when it starts anew."""

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bootsector import build_kernel
from failing_qemu import PROGRAM, build_environment, choose, install

from bootos.errors import BootosError
from bootos.lab.accelerator import VARIABLE, LabHost
from bootos.lab.emulator import MachineEnded
from bootos.lab.machine import Machine
from bootos.lab.serial import SerialLine, SerialTimeout
from bootos.lab.spec import KernelBoot, MachineSpec, NicSpec
from bootos.lab.trial import NETWORK_BOOT
from bootos.lab.trial_program import SIGN, build_program
from bootos.lab.watch import while_on
from bootos.waiting import wait_for

pytestmark = pytest.mark.skipif(not shutil.which(PROGRAM), reason="needs qemu-system-x86")

UNPACKING = "Probing EDD"
RUNNING = "Linux version 0"
DEADLINE_S = 60.0  # the deadline of waits that must end earlier
KVM_FAILED = (
    "QEMU stopped the machine with an internal error: KVM internal error. Suberror: 1; emulation failure"
)


def build_host(directory: Path) -> LabHost:
    """A host of which it is said that its kvm works, with the QEMU in `bin`."""
    return LabHost(build_environment(directory / "bin", **{VARIABLE: "kvm"}), directory / "accelerator.json")


class Bench:
    """A machine that starts a kernel with kvm, in a QEMU that fails when it is told to."""

    def __init__(self, directory: Path) -> None:
        self.programs = install(directory / "bin", how="none")
        kernel = directory / "vmlinuz"
        kernel.write_bytes(build_kernel(f"{UNPACKING} (edd=off)... ok\r\n{RUNNING}\r\nlogin: ".encode()))
        self.lines: list[SerialLine] = []
        spec = MachineSpec(memory_mib=64, boot=KernelBoot(kernel=str(kernel)))
        self.host = build_host(directory)
        self.machine = Machine(spec, directory / "machine", on_line=self.lines.append, host=self.host)

    def power_on(self, how: str, when: str) -> Machine:
        choose(self.programs, how=how, when=when)
        self.machine.power_on()
        return self.machine

    def find_notes(self) -> list[str]:
        return [line.text for line in self.lines if line.text.startswith("lab: ")]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.machine.power_off()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("internal-error", KVM_FAILED),
        ("end", "QEMU was ended by SIGABRT: qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69"),
        ("start", "QEMU did not start: qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69"),
    ],
)
def test_a_machine_that_kvm_fails_before_its_kernel_runs_starts_anew_and_says_so(
    bench: Bench, how: str, words: str
) -> None:
    machine = bench.power_on(how, UNPACKING)
    assert machine.wait_for_serial("login:", DEADLINE_S).text == "login:"
    assert machine.accelerator == "tcg"
    (note,) = bench.find_notes()
    assert note.startswith(f"lab: kvm failed ({words}") and note.endswith(
        "; the machine starts anew with tcg"
    )
    (remembered,) = json.loads(bench.host.memory.read_text())["results"].values()
    assert remembered["ok"] is False and remembered["words"].startswith(words)


def test_a_machine_that_started_anew_stays_with_tcg(bench: Bench) -> None:
    machine = bench.power_on("internal-error", UNPACKING)
    machine.wait_for_serial("login:", DEADLINE_S)
    machine.power_off()
    machine.power_on()
    machine.wait_for_serial("login:", DEADLINE_S)
    assert len(bench.find_notes()) == 1


def test_lines_and_events_go_on_over_a_start_anew(bench: Bench) -> None:
    machine = bench.power_on("internal-error", UNPACKING)
    login = machine.wait_for_serial("login:", DEADLINE_S)
    assert [line.number for line in machine.serial.lines] == list(range(login.number))
    names = [event.name for event in machine.events]
    assert "STOP" in names
    seen = len(names)
    machine.reset()
    assert machine.wait_for_event("RESET", DEADLINE_S, after=seen).name == "RESET"


def test_a_machine_that_kvm_fails_later_ends_with_that_reason(bench: Bench) -> None:
    machine = bench.power_on("internal-error", RUNNING)
    with pytest.raises(SerialTimeout) as caught:
        machine.wait_for_serial("login:", DEADLINE_S)
    assert f"kvm failed after the machine's first request to the server: {KVM_FAILED}" in str(caught.value)
    assert str(caught.value).splitlines()[-1].endswith(RUNNING)
    assert not machine.is_on()
    assert bench.find_notes() == []
    (remembered,) = json.loads(bench.host.memory.read_text())["results"].values()
    assert remembered["words"] == KVM_FAILED


def test_no_wait_outlives_its_machine(bench: Bench) -> None:
    """Each kind of wait is under way when QEMU crashes, and ends at once with the reason."""
    machine = bench.power_on("none", "")
    machine.wait_for_serial("login:", DEADLINE_S)
    waits: list[Callable[[], object]] = [
        lambda: machine.wait_for_serial("never", DEADLINE_S),
        lambda: machine.wait_for_event("NEVER", DEADLINE_S),
        lambda: machine.wait_for_exit(DEADLINE_S),
        lambda: wait_for(while_on(machine, lambda: None), DEADLINE_S, what="nothing"),
    ]
    told: list[str] = []

    def note_end(wait: Callable[[], object]) -> None:
        with pytest.raises(BootosError) as caught:
            wait()
        told.append(str(caught.value))

    threads = [threading.Thread(target=note_end, args=[wait]) for wait in waits]
    for thread in threads:
        thread.start()
    assert machine.pid is not None
    os.killpg(machine.pid, signal.SIGSEGV)
    for thread in threads:
        thread.join(DEADLINE_S / 2)
    assert len(told) == len(waits)
    for text in told:
        assert "QEMU was ended by SIGSEGV" in text
        assert text.splitlines()[-1].endswith("login:")


def test_a_panic_that_the_guest_tells_is_no_fault_of_kvm(bench: Bench) -> None:
    machine = bench.power_on("panic", UNPACKING)
    with pytest.raises(MachineEnded, match=r"(?s)the machine's kernel panicked.*Probing EDD"):
        machine.wait_for_exit(DEADLINE_S)
    assert bench.find_notes() == []
    assert not bench.host.memory.exists()


def test_a_kernel_that_says_that_it_panicked_for_good_ends_every_wait(bench: Bench, tmp_path: Path) -> None:
    panic = b"Kernel panic - not syncing: VFS: Unable to mount root fs"
    (tmp_path / "vmlinuz").write_bytes(build_kernel(b"%b\r\n---[ end %b ]---\r\n" % (panic, panic)))
    machine = bench.power_on("none", "")
    with pytest.raises(SerialTimeout, match=r"never.*the machine's kernel panicked"):
        machine.wait_for_serial("never", DEADLINE_S)
    assert machine.end is not None and machine.end.kind == "panic"
    assert bench.find_notes() == []


def test_a_qemu_that_was_killed_from_outside_is_told_and_not_started_anew(bench: Bench) -> None:
    machine = bench.power_on("none", "")
    machine.wait_for_serial("login:", DEADLINE_S)
    assert machine.pid is not None
    os.killpg(machine.pid, signal.SIGKILL)
    with pytest.raises(SerialTimeout, match="the machine went off: QEMU was ended by SIGKILL"):
        machine.wait_for_serial("never", DEADLINE_S)
    assert bench.find_notes() == []


def test_a_machine_is_switched_off_while_it_starts_anew(bench: Bench) -> None:
    machine = bench.power_on("internal-error", UNPACKING)
    machine.wait_for_event("STOP", DEADLINE_S)
    machine.power_off()
    assert not machine.is_on() and machine.pid is None
    with pytest.raises(MachineEnded, match="went off"):
        machine.check_on()


def test_a_wait_for_the_server_sees_what_a_machine_did_last(bench: Bench) -> None:
    """What was brought about just before the machine went off is found, though it is off already."""
    machine = bench.power_on("none", "")
    done: list[str] = []

    def look() -> str:
        if not done:
            machine.power_off()
            done.append("reported")
            return ""
        return done[0]

    assert wait_for(while_on(machine, look), DEADLINE_S, what="the report", pause_s=0.0) == "reported"


def press_a_key(machine: Machine, *, after: int) -> None:
    """The boot ROM waits two seconds for one."""
    machine.wait_for_serial(NETWORK_BOOT.pause, DEADLINE_S, after=after)
    machine.type_text("\r")


def test_a_machine_whose_boot_rom_kvm_cannot_run_boots_by_network_all_the_same(
    tmp_path: Path,
) -> None:
    """The lab's card with its real ROM, DHCP and TFTP; nothing had been asked when it failed."""
    install(tmp_path / "bin", how="internal-error", when="iPXE")
    tftp = tmp_path / "tftp"
    tftp.mkdir()
    (tftp / NETWORK_BOOT.spec.bootfile).write_bytes(build_program())
    machine = Machine(NETWORK_BOOT.spec, tmp_path / "machine", tftp_root=tftp, host=build_host(tmp_path))
    machine.power_on()
    try:
        note = machine.wait_for_serial("lab: kvm failed", DEADLINE_S)
        press_a_key(machine, after=note.number)
        machine.wait_for_serial(SIGN, DEADLINE_S)
        assert machine.accelerator == "tcg"
    finally:
        machine.power_off()


def test_a_machine_that_kvm_fails_after_it_loaded_a_file_is_not_started_anew(
    tmp_path: Path,
) -> None:
    install(tmp_path / "bin", how="internal-error", when="16 32")
    tftp = tmp_path / "tftp"
    tftp.mkdir()
    (tftp / NETWORK_BOOT.spec.bootfile).write_bytes(build_program())
    nic = NicSpec(mac="52:54:00:00:00:01", boot=True)
    spec = MachineSpec(memory_mib=128, nics=(nic,), bootfile=NETWORK_BOOT.spec.bootfile)
    machine = Machine(spec, tmp_path / "machine", tftp_root=tftp, host=build_host(tmp_path))
    machine.power_on()
    try:
        press_a_key(machine, after=0)
        with pytest.raises(SerialTimeout, match="kvm failed after the machine's first request to the server"):
            machine.wait_for_serial(SIGN, DEADLINE_S)
        assert not machine.serial.has("lab: ")
    finally:
        machine.power_off()
