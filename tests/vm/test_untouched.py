"""Disks that hold somebody's data stay as they are: after a boot, after a refused job, after a refused plan."""

import json
from pathlib import Path

import foreign
import pytest

from bootos.lab.disk import fingerprint_disk
from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import DiskSpec, MachineSpec, NicSpec, boot_image

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1200)]

# Drives are numbered by where they are attached, which is the order of this list.
DISKS = ("md0", "md1", "lvm", "swap", "parted", "ext4")

NO_PERMISSION = """
name: no-permission
raid: {arrays: [{name: new, level: 1, drives: "2,3"}]}
disks:
  - select: {drives: "4"}
    table: gpt
    partitions: [{name: all, size: rest, filesystem: xfs}]
  - select: {drives: "5"}
    filesystem: xfs
"""

ALL_WRONG = """
name: all-wrong
colour: red
raid:
  arrays:
    - {name: small, level: 5, drives: "2,3", wipe: true}
    - {name: far, level: 1, drives: "3,17", wipe: true}
disks:
  - select: {drives: "4"}
    wipe: true
    table: gpt
    partitions:
      - {name: one, start: 1MiB, size: 100MiB}
      - {name: two, start: 50MiB, size: 100MiB}
  - select: {drives: "5"}
    wipe: true
    table: gpt
    partitions: [{name: huge, size: 10TiB}]
"""


@pytest.fixture(scope="module")
def disks(output: Path) -> dict[str, Path]:
    directory = output / "disks"
    directory.mkdir(exist_ok=True)
    paths = {name: directory / f"{name}.raw" for name in DISKS}
    foreign.make_md_disks([paths["md0"], paths["md1"]])
    foreign.make_lvm_disk(paths["lvm"])
    foreign.make_swap_disk(paths["swap"])
    foreign.make_partitioned_disk(paths["parted"])
    foreign.make_ext4_disk(paths["ext4"])
    return paths


def read_digests(disks: dict[str, Path]) -> dict[str, str]:
    return {name: fingerprint_disk(path).digest for name, path in disks.items()}


def test_no_disk_is_written_by_booting_by_a_refused_job_or_by_planning(
    image: Path, output: Path, disks: dict[str, Path]
) -> None:
    before = read_digests(disks)
    with Scenario(output / "run") as scenario:
        server = scenario.start_server(boot_files=image)
        operator = Operator(server.data)
        append = f"console=tty0 console=ttyS0,115200 SERVER_ADDR={server.guest_url} DEVELOPER=1"
        spec = MachineSpec(
            name="untouched",
            disks=tuple(
                DiskSpec(name=name, bus="virtio", serial=name.upper(), path=str(disks[name]))
                for name in DISKS
            ),
            nics=(NicSpec(mac="52:54:00:aa:00:01"),),
            boot=boot_image(image, append=append),
        )
        machine = scenario.add_machine(spec)
        machine.power_on()
        machine.wait_for_serial("waiting for an order", 400)
        assert read_digests(disks) == before, "booting wrote to a disk"

        (output / "no-permission.yaml").write_text(NO_PERMISSION)
        operator.command("template", "add", output / "no-permission.yaml")
        created = operator.command(
            "job", "create", "--machine", spec.identity.serial, "--template", "no-permission"
        )
        job = operator.wait_for_job(created["id"], ["refused"], 300, machine=machine)
        assert job["state"] == "refused", job["message"]
        problems = job["report"]["problems"]
        said = " / ".join(f"{problem['path']}: {problem['message']}" for problem in problems)
        for found in ("LVM", "swap", "precious", "raid.arrays[0]", "disks[0]", "disks[1]"):
            assert found in said, said
        assert read_digests(disks) == before, "a refused job wrote to a disk"

        files = server.data / "files"
        files.mkdir(exist_ok=True)
        (files / "all-wrong.yaml").write_text(ALL_WRONG)
        url = f"{server.guest_url}/bootos/files/all-wrong.yaml"
        code, _ = run_in_shell(machine, f"curl -sf -o /run/all-wrong.yaml {url}")
        assert code == 0
        code, text = run_in_shell(machine, "bootos-agent plan /run/all-wrong.yaml")
        assert code == 1
        for place in (
            "colour",
            "raid.arrays[0]",
            "raid.arrays[1]",
            "disks[0].partitions[1]",
            "disks[1].partitions[0]",
        ):
            assert place in text, text
        assert read_digests(disks) == before, "planning wrote to a disk"


def test_the_image_stays_within_its_budget(image: Path) -> None:
    manifest = json.loads((image / "manifest.json").read_text())
    sizes = {file["name"]: file["size_bytes"] for file in manifest["files"]}
    assert sizes["vmlinuz"] == (image / "vmlinuz").stat().st_size
    assert sizes["initrd.img"] == (image / "initrd.img").stat().st_size
    assert sizes["vmlinuz"] + sizes["initrd.img"] <= 140_000_000
