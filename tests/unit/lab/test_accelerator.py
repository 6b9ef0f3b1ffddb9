"""With a QEMU in PATH whose kvm fails in a chosen way: what is tried, what is remembered, what makes it forgotten."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from bootsector import build_kernel
from failing_qemu import PROGRAM, build_environment, choose, install

from bootos.errors import BootosError
from bootos.lab.accelerator import VARIABLE, AcceleratorChoice, LabHost
from bootos.lab.trial import build_kernel_trial

pytestmark = pytest.mark.skipif(not shutil.which(PROGRAM), reason="needs qemu-system-x86")


class Bench:
    """A host with that QEMU, and the kernel of an image."""

    def __init__(self, directory: Path) -> None:
        self.programs = install(directory / "bin", how="none")
        self.kernel = directory / "vmlinuz"
        self.memory = directory / "cache/accelerator.json"
        self.facts: dict[str, Any] = {}
        self.write_kernel("Linux version 0")

    def write_kernel(self, said: str) -> None:
        text = f"Probing EDD (edd=off to disable)... ok\r\n{said}\r\n"
        self.kernel.write_bytes(build_kernel(text.encode()))

    def fail(self, how: str) -> None:
        """Let kvm fail this way from now on; the program stays the same."""
        choose(self.programs, how=how, when="Probing EDD")

    def host(self, **words: str) -> LabHost:
        return LabHost(build_environment(self.programs, **words), self.memory, **self.facts)

    def judge(self, **words: str) -> AcceleratorChoice:
        return self.host(**words).judge(trials=[build_kernel_trial(self.kernel)])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_kvm_is_chosen_when_it_ran_all_and_that_is_remembered(bench: Bench) -> None:
    first = bench.judge()
    assert (first.accelerator, [trial.ok for trial in first.trials]) == ("kvm", [True])
    bench.fail("start")
    assert bench.judge() == first
    assert first.memory == str(bench.memory)


def test_a_kvm_that_fails_is_not_chosen_and_not_tried_again(bench: Bench) -> None:
    bench.fail("internal-error")
    first = bench.judge()
    assert first.accelerator == "tcg"
    assert first.reason.startswith(
        "kvm failed: decompression of the image's kernel: QEMU stopped the machine"
    )
    bench.fail("none")
    assert bench.judge() == first


def test_another_kernel_of_the_image_is_tried(bench: Bench) -> None:
    assert bench.judge().accelerator == "kvm"
    bench.fail("internal-error")
    bench.write_kernel("Linux version 1")
    assert bench.judge().accelerator == "tcg"


def test_the_same_kernel_in_another_place_is_known(bench: Bench, tmp_path: Path) -> None:
    assert bench.judge().accelerator == "kvm"
    bench.fail("internal-error")
    bench.kernel = bench.kernel.rename(tmp_path / "copied")
    assert bench.judge().accelerator == "kvm"


def test_another_qemu_is_tried(bench: Bench, tmp_path: Path) -> None:
    assert bench.judge().accelerator == "kvm"
    bench.programs = install(tmp_path / "other", how="start")
    assert bench.judge().accelerator == "tcg"


@pytest.mark.parametrize("change", [{"node": "host-2"}, {"release": "6.12.0-1-amd64"}, {"proc": "other"}])
def test_another_host_kernel_or_processor_is_tried(
    bench: Bench, tmp_path: Path, change: dict[str, str]
) -> None:
    for name, model, mhz in (
        ("one", "AMD EPYC", 2596),
        ("other", "Intel Xeon", 2596),
        ("same", "AMD EPYC", 3100),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cpuinfo").write_text(
            f"processor\t: 0\nmodel name\t: {model}\ncpu MHz\t\t: {mhz}\n\n"
        )
    bench.facts = {"proc": tmp_path / "one", "node": "host-1", "release": "6.1.0-31-amd64"}
    assert bench.judge().accelerator == "kvm"
    bench.fail("start")
    bench.facts["proc"] = tmp_path / "same"  # the same processor at another speed
    assert bench.judge().accelerator == "kvm"
    bench.facts |= {name: tmp_path / value if name == "proc" else value for name, value in change.items()}
    assert bench.judge().accelerator == "tcg"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b'{"results": {"a": {"ok": "perhaps"}}}', b'{"new": 1}', b'{"a":' * 5000],
)
def test_a_damaged_memory_is_ignored_and_made_anew(bench: Bench, content: bytes) -> None:
    bench.memory.parent.mkdir()
    bench.memory.write_bytes(content)
    assert bench.judge().accelerator == "kvm"
    (result,) = json.loads(bench.memory.read_text())["results"].values()
    assert result["ok"] is True


def test_a_memory_that_cannot_be_written_does_not_hinder(bench: Bench) -> None:
    bench.memory.parent.write_text("a file in place of the directory")
    assert bench.judge().accelerator == "kvm"
    bench.fail("start")
    assert bench.judge().accelerator == "kvm"


def test_a_kernel_that_is_no_file_is_not_tried(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "no-kernel").mkdir()
    bench.fail("start")
    choice = bench.host().judge(tmp_path / "no-kernel")
    assert "decompression of the image's kernel" not in [trial.name for trial in choice.trials]


def test_a_machine_that_died_at_work_is_remembered_against_kvm(bench: Bench) -> None:
    assert bench.judge().accelerator == "kvm"
    bench.host().remember_failure("KVM internal error. Suberror: 1")
    choice = bench.judge()
    assert choice.accelerator == "tcg"
    assert choice.reason == "kvm failed: a machine of the lab: KVM internal error. Suberror: 1"


def test_processes_that_ask_at_once_try_once(bench: Bench) -> None:
    choices: list[AcceleratorChoice] = []
    threads = [threading.Thread(target=lambda: choices.append(bench.judge())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(choices) == 3
    assert len({choice.trials[0].seconds for choice in choices}) == 1


@pytest.mark.parametrize("forced", ["kvm", "tcg"])
def test_the_variable_overrides_all_trials(bench: Bench, forced: str) -> None:
    choice = bench.judge(**{VARIABLE: forced})
    assert (choice.accelerator, choice.trials) == (forced, ())
    assert not bench.memory.exists()


def test_an_unknown_value_of_the_variable_is_told(bench: Bench) -> None:
    with pytest.raises(BootosError, match="BOOTOS_LAB_ACCELERATOR=steam is unknown"):
        bench.judge(**{VARIABLE: "steam"})


def test_a_host_without_qemu_has_no_kvm_either(bench: Bench) -> None:
    assert bench.judge(PATH="/nowhere").reason == "qemu-system-x86_64 is not installed"


def test_where_nothing_can_be_tried_kvm_is_not_trusted(bench: Bench) -> None:
    assert bench.host().judge(trials=[]).reason == "there is nothing here to try kvm with"
    assert bench.host().judge(trials=[]).accelerator == "tcg"
