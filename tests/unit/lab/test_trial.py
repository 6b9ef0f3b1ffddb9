import shutil
from pathlib import Path

import msgspec
import pytest
from bootsector import build_kernel
from failing_qemu import build_environment, choose, install

from bootos.lab.trial import NETWORK_BOOT, AcceleratorTrial, TrialResult, build_kernel_trial, run_trial
from bootos.lab.trial_program import SIGN, build_program, compute_sign

pytestmark = pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="needs qemu-system-x86")

SAID = b"Probing EDD (edd=off to disable)... ok\r\nLinux version 0\r\n"


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    path = tmp_path / "vmlinuz"
    path.write_bytes(build_kernel(SAID))
    return path


def shorten(trial: AcceleratorTrial, well: TrialResult) -> AcceleratorTrial:
    """The trial with a deadline of a few times what a good run just took on this host."""
    assert well.ok
    return msgspec.structs.replace(trial, deadline_s=round(1 + 4 * well.seconds, 1))


def test_the_sign_is_what_a_processor_that_counts_right_comes_to() -> None:
    assert compute_sign() == SIGN
    assert len(build_program()) < 512


def test_software_emulation_boots_by_network_and_runs_code_of_all_three_kinds() -> None:
    result = run_trial(NETWORK_BOOT, "tcg")
    assert (result.ok, result.words) == (True, "")
    assert result.seconds > 0


def test_software_emulation_runs_a_kernel(kernel: Path) -> None:
    assert run_trial(build_kernel_trial(kernel), "tcg").ok


def test_a_kernel_that_says_nothing_has_not_run(kernel: Path) -> None:
    trial = build_kernel_trial(kernel)
    trial = shorten(trial, run_trial(trial, "tcg"))
    kernel.write_bytes(build_kernel(b"Probing EDD (edd=off to disable)... \r\n"))
    result = run_trial(trial, "tcg")
    assert not result.ok
    assert result.words.startswith(f"not done after {trial.deadline_s:g} s; the machine's last words: ")
    assert result.words.endswith("Probing EDD (edd=off to disable)...")


def test_an_unknown_accelerator_never_works(kernel: Path) -> None:
    result = run_trial(build_kernel_trial(kernel), "steam")
    assert not result.ok
    assert result.words.startswith("QEMU did not start: ") and "steam" in result.words


def test_a_kvm_that_dies_in_the_boot_rom_is_found_out(tmp_path: Path) -> None:
    """The real ROM of the lab's card runs; what the host's kvm would do there is played."""
    programs = install(tmp_path / "bin", how="internal-error", when="iPXE")
    result = run_trial(NETWORK_BOOT, "kvm", env=build_environment(programs))
    assert not result.ok
    assert "KVM internal error. Suberror: 1; emulation failure" in result.words
    assert "iPXE" in result.words.partition("last words: ")[2]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (
            "internal-error",
            "QEMU stopped the machine with an internal error: KVM internal error. Suberror: 1",
        ),
        ("hang", "not done after DEADLINE s; the machine's last words: Booting from ROM"),
        ("end", "QEMU was ended by SIGABRT: qemu-system-x86_64: error: failed to set MSR"),
        ("panic", "the machine's kernel panicked"),
        ("start", "QEMU did not start: qemu-system-x86_64: error: failed to set MSR"),
        ("mute", "QEMU did not start: it said nothing"),
    ],
)
def test_a_kvm_that_dies_while_the_kernel_unpacks_itself_is_found_out(
    tmp_path: Path, kernel: Path, how: str, words: str
) -> None:
    directory = install(tmp_path / "bin", how="none")
    env = build_environment(directory)
    trial = build_kernel_trial(kernel)
    well = run_trial(trial, "kvm", env=env)
    assert well.ok
    choose(directory, how=how, when="Probing EDD")
    assert run_trial(trial, "tcg", env=env).ok
    trial = shorten(trial, well)
    result = run_trial(trial, "kvm", env=env)
    assert not result.ok
    assert result.words.startswith(words.replace("DEADLINE", f"{trial.deadline_s:g}"))
