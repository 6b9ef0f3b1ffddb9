import json
import shutil
import sys
from pathlib import Path

import pytest
import typer
from bootsector import build_kernel
from failing_qemu import PROGRAM, build_environment, choose, install
from typer.testing import CliRunner

from bootos.lab.accelerator import VARIABLE
from bootos.lab.command import app, guest_url
from bootos.lab.netboot import build_default_menu
from bootos.lab.option import build_spec
from bootos.process import Completed, run

RUN = ["--kernel-only", "--memory", "64M", "--timeout", "60"]
needs_qemu = pytest.mark.skipif(not shutil.which(PROGRAM), reason="needs qemu-system-x86")


def test_the_words_of_the_command_line_become_a_machine() -> None:
    spec = build_spec(
        memory="2G", cpus=4, disks=["virtio:2G", "nvme"], nics=["e1000:isolated", "virtio:boot"], bmc=True
    )
    assert (spec.memory_mib, spec.cpus) == (2048, 4)
    assert [(disk.name, disk.bus, disk.size_mib) for disk in spec.disks] == [
        ("disk0", "virtio", 2048),
        ("disk1", "nvme", 1024),
    ]
    assert [(nic.model, nic.boot, nic.isolated) for nic in spec.nics] == [
        ("e1000", False, True),
        ("virtio", True, False),
    ]
    assert spec.bmc is not None


def test_the_first_card_boots_when_none_is_marked() -> None:
    spec = build_spec(memory="1G", cpus=1, disks=[], nics=["e1000", "virtio"], bmc=False)
    assert [nic.boot for nic in spec.nics] == [True, False]
    assert build_spec(memory="1G", cpus=1, disks=[], nics=[], bmc=False).nics[0].boot


@pytest.mark.parametrize(
    ("disks", "nics", "said"),
    [
        (["floppy:1G"], [], "'floppy' is not one of: virtio, sata, nvme, scsi"),
        (["virtio:big"], [], "'big' is not a size"),
        ([], ["e100"], "'e100' is not one of: e1000, e1000e, virtio, vmxnet3, rtl8139"),
        ([], ["virtio:fast"], "'fast' is not boot or isolated"),
    ],
)
def test_words_it_cannot_read_are_wrong_usage(disks: list[str], nics: list[str], said: str) -> None:
    with pytest.raises(typer.BadParameter, match=said):
        build_spec(memory="1G", cpus=1, disks=disks, nics=nics, bmc=False)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://127.0.0.1:8083", "http://10.0.2.2:8083"),
        ("http://localhost:8083/", "http://10.0.2.2:8083"),
        ("https://boot.example:8443/x/", "https://boot.example:8443/x"),
    ],
)
def test_a_guest_reaches_this_hosts_loopback_under_another_address(url: str, seen: str) -> None:
    assert guest_url(url) == seen


class Bench:
    """A directory with an image whose kernel only says that it runs, and a QEMU whose kvm fails."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        image = directory / "build/image"
        image.mkdir(parents=True)
        (image / "vmlinuz").write_bytes(
            build_kernel(b"Probing EDD (edd=off)... ok\r\nLinux version 0\r\nlogin: ")
        )
        (image / "initrd.img").write_bytes(bytes(512))
        self.programs = install(directory / "bin", how="start")

    def lab(self, *words: str, **environment: str) -> Completed:
        """`bootos lab` in that directory, as a process."""
        env = build_environment(self.programs, COLUMNS="240", **environment)
        argv = [sys.executable, "-m", "bootos.cli", "lab", *words]
        return run(argv, env=env, cwd=self.directory, check=False)


@needs_qemu
def test_check_prints_one_json_document(tmp_path: Path) -> None:
    result = Bench(tmp_path).lab("check", "--json")
    facts = json.loads(result.stdout)
    assert facts["ok"] is (result.returncode == 0)
    assert {entry["part"] for entry in facts["requirements"]} == {
        "machine",
        "pxe",
        "uefi",
        "bmc",
        "disk",
        "layer",
    }


@needs_qemu
def test_check_tells_what_was_tried_and_what_came_of_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    facts = json.loads(bench.lab("check", "--json").stdout)
    assert facts["accelerator"] == "tcg"
    (trial,) = facts["trials"]
    assert trial["ok"] is False
    assert trial["words"].startswith(
        "QEMU did not start: qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69"
    )
    assert facts["reason"] == f"kvm failed: {trial['name']}: {trial['words']}"
    assert Path(facts["memory"]) == tmp_path / "build/cache/lab/accelerator.json"
    told = bench.lab("check").stdout
    assert "tried with kvm" in told
    assert f"remembered in {facts['memory']}" in told
    assert f"accelerator: tcg ({facts['reason']})" in told


@needs_qemu
def test_run_goes_on_with_tcg_when_kvm_fails_before_the_kernel_runs(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    choose(bench.programs, how="internal-error", when="Probing EDD")
    result = bench.lab("run", *RUN, "--until", "login:", **{VARIABLE: "kvm"})
    assert result.returncode == 0
    assert "lab: kvm failed (QEMU stopped the machine with an internal error" in result.stdout
    assert "machine: matched after" in result.stdout


@needs_qemu
def test_run_ends_with_1_and_the_reason_when_the_machine_fails(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    choose(bench.programs, how="panic", when="Linux version 0")
    result = bench.lab("run", *RUN, "--until", "login:", **{VARIABLE: "kvm"})
    assert result.returncode == 1
    assert "machine: failed after" in result.stdout
    assert "machine: the machine's kernel panicked" in result.stdout


def test_the_command_that_installs_what_is_missing_is_one_line(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "bootos.cli", "lab", "check"]
    result = run(argv, env={"PATH": str(tmp_path), "COLUMNS": "60"}, cwd=tmp_path, check=False)
    assert result.returncode == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("install: ")]
    assert {"qemu-system-x86", "squashfs-tools", "openipmi"} <= set(line.split())


def test_wrong_usage_ends_with_2() -> None:
    assert CliRunner().invoke(app, ["run", "--disk", "floppy:1G", "--kernel-only"]).exit_code == 2
    assert CliRunner().invoke(app, ["run", "--no-such-option"]).exit_code == 2
    assert CliRunner().invoke(app, ["run", "--until", "["]).exit_code == 2


def test_the_menu_is_the_documented_one() -> None:
    menu = build_default_menu("http://osinstall.idcos.com/bootos", append="console=tty0 SERVER_ADDR=http://x")
    assert menu == (
        "DEFAULT menu.c32\nPROMPT 0\nTIMEOUT 30\n\nLABEL bootos\nMENU LABEL ^BootOS\nMENU DEFAULT\n"
        "KERNEL http://osinstall.idcos.com/bootos/vmlinuz\n"
        "APPEND initrd=http://osinstall.idcos.com/bootos/initrd.img console=tty0 SERVER_ADDR=http://x\n"
        "IPAPPEND 2\n"
    )
