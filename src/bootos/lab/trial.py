"""Trials of an accelerator: small machines that run what a lab machine runs, each until it has said that it really did.

Called by `accelerator`. A trial is judged by what its machine writes to the serial line, and given up when QEMU reports
an internal error, ends, or the deadline passes.
"""

import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bootos.errors import BootosError
from bootos.lab.emulator import Emulator
from bootos.lab.firmware import create_variables, find_code
from bootos.lab.qemu import RunPaths, build_argv
from bootos.lab.serial import SerialLog
from bootos.lab.spec import KernelBoot, MachineSpec, NicSpec
from bootos.lab.trial_program import SIGN, build_program

_DEADLINE_S = 20.0  # with tcg each trial takes less than 6 s on one idle processor
_LOADER = "trial.0"
_NIC = NicSpec(mac="52:54:00:b0:0c:f0", boot=True)


class AcceleratorTrial(msgspec.Struct, frozen=True, kw_only=True):
    """One machine, and the regular expression that its serial line must match within `deadline_s` seconds. `pause`:
    what it says where it waits for a key for some seconds; it gets one."""

    name: str
    spec: MachineSpec
    sign: str
    pause: str = ""
    deadline_s: float = _DEADLINE_S


class TrialResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a trial. `words`: why it failed. `seconds`: how long it took."""

    name: str
    ok: bool
    words: str = ""
    seconds: float = 0.0


NETWORK_BOOT = AcceleratorTrial(
    name="BIOS, network boot ROM, 16, 32 and 64 bit code",
    spec=MachineSpec(name="network-boot", memory_mib=256, cpus=2, nics=(_NIC,), bootfile=_LOADER),
    sign=SIGN,
    pause="Press Ctrl-B for the iPXE command line",
)
UEFI = AcceleratorTrial(
    name="UEFI firmware",
    spec=MachineSpec(name="uefi", memory_mib=256, firmware="uefi", nics=(_NIC,)),
    sign="Start PXE over|BdsDxe: ",
)


def build_kernel_trial(kernel: Path) -> AcceleratorTrial:
    """A trial that lets a kernel unpack itself, until its first line. The kernel needs no initrd for that."""
    boot = KernelBoot(kernel=str(kernel.resolve()), append="console=ttyS0,115200")
    spec = MachineSpec(name="kernel", memory_mib=512, cpus=2, boot=boot)
    return AcceleratorTrial(name="decompression of the image's kernel", spec=spec, sign="Linux version")


def run_trial(
    trial: AcceleratorTrial, accelerator: str, *, env: Mapping[str, str] = os.environ
) -> TrialResult:
    """Run the machine until its sign; returns the result, also when QEMU does not start. QEMU is found and started
    in the environment `env`."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bootos-lab-trial-") as directory:
        words = _run(trial, accelerator, Path(directory), env)
    return TrialResult(name=trial.name, ok=not words, words=words, seconds=round(time.monotonic() - began, 1))


def _run(trial: AcceleratorTrial, accelerator: str, directory: Path, env: Mapping[str, str]) -> str:
    """Why the trial failed; empty when it did not."""
    (directory / "tftp").mkdir()
    (directory / "tftp" / _LOADER).write_bytes(build_program())
    variables = create_variables(trial.spec, directory)

    def build(serial_socket: str, qmp_socket: str) -> list[str]:
        paths = RunPaths(
            serial_socket=serial_socket,
            qmp_socket=qmp_socket,
            tftp_root=str(directory / "tftp"),
            uefi_code=str(find_code(trial.spec)),
            uefi_variables=str(variables),
        )
        return build_argv(trial.spec, paths, accelerator=accelerator)

    emulator: Emulator | None = None

    def find_end() -> str:
        return emulator.end.words if emulator is not None and emulator.end is not None else ""

    serial = SerialLog(directory / "serial", read_cpu_s=lambda: 0.0, find_end=find_end)
    try:
        emulator = Emulator(
            build,
            log_path=directory / "qemu.log",
            serial=serial,
            env=env,
            start_deadline_s=trial.deadline_s,
        )
    except BootosError as error:
        return str(error)
    until = time.monotonic() + trial.deadline_s
    try:
        if trial.pause:
            serial.wait_for(trial.pause, trial.deadline_s)
            serial.send("\r")
        serial.wait_for(trial.sign, until - time.monotonic())
    except BootosError:
        why = find_end() or f"not done after {trial.deadline_s:g} s"
        return f"{why}; the machine's last words: {serial.read_last_words() or 'none'}"
    else:
        return ""
    finally:
        emulator.stop()
