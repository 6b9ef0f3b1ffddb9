"""The whole demo on a host whose kvm dies in the boot ROM: found out by the trials, and while the machine runs."""

import json
import re
import sys
from pathlib import Path

import pytest
from failing_qemu import build_environment, choose, install

from bootos.process import Completed, run

pytestmark = [pytest.mark.vm, pytest.mark.full, pytest.mark.timeout(1800)]


class FailingHost:
    """A directory with a cache of its own, and the QEMU that plays such a host."""

    def __init__(self, directory: Path, image: Path) -> None:
        self.directory = directory
        self.image = image
        self.programs = install(directory / "bin", how="none")

    def run(self, *words: str, timeout_s: float) -> Completed:
        argv = [sys.executable, "-m", *words]
        env = build_environment(self.programs)
        return run(argv, env=env, cwd=self.directory, timeout_s=timeout_s, check=False)

    def find_accelerator(self) -> str:
        words = ("bootos.cli", "lab", "check", "--json", "--image", str(self.image))
        facts = json.loads(self.run(*words, timeout_s=180).stdout)
        return str(facts["accelerator"])

    def run_demo(self) -> Completed:
        return self.run("bootos.lab.demo", "--image", str(self.image), timeout_s=1500)


@pytest.fixture
def host(tmp_path: Path, image: Path) -> FailingHost:
    return FailingHost(tmp_path, image)


def test_the_demo_ends_well_when_the_trials_find_it_out(host: FailingHost) -> None:
    choose(host.programs, how="internal-error", when="iPXE")
    demo = host.run_demo()
    assert demo.returncode == 0, demo.stderr
    assert "QEMU runs it with tcg: kvm failed: BIOS, network boot ROM" in demo.stdout
    assert re.search(r"^(\d+) of \1 checks hold$", demo.stdout, re.MULTILINE)


def test_the_demo_ends_well_when_the_machine_dies_though_the_trials_went_well(host: FailingHost) -> None:
    assert host.find_accelerator() == "kvm"
    choose(host.programs, how="internal-error", when="iPXE")
    demo = host.run_demo()
    assert demo.returncode == 0, demo.stderr
    assert "QEMU runs it with kvm: kvm ran all of it" in demo.stdout
    assert "lab: kvm failed (QEMU stopped the machine with an internal error" in demo.stdout
    assert re.search(r"^(\d+) of \1 checks hold$", demo.stdout, re.MULTILINE)
    assert host.find_accelerator() == "tcg"
