"""Erase with a certificate, NVMe block size, LVM, LUKS and file systems on virtio, SCSI and NVMe disks of one machine;
verified from outside; the second run plans nothing but what a new job erases again."""

import json
from pathlib import Path

import pytest

from bootos.drivers.erase.certificate import is_sealed
from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import DiskSpec, MachineSpec, NicSpec, boot_image

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1800)]

PASSPHRASE = "correct-horse-battery"
ERASE = """
erase:
  - {select: {serial: VIRT0}, confirm: lose-all-data, verify: full}
  - {select: {serial: NVME0}, confirm: lose-all-data}
"""
TEMPLATE = """
nvme:
  - {select: {serial: NVME0}, sector_bytes: 4096, wipe: true}
disks:
  - select: {serial: VIRT0}
    partitions:
      - {name: efi, size: 64MiB, type: efi, filesystem: {type: vfat, label: EFI}}
      - {name: pv, size: rest, volume_group: vg0}
  - {select: {serial: SCSI0}, volume_group: vg0}
  - select: {serial: NVME0}
    partitions:
      - name: secret
        size: rest
        attributes: [no-automount]
        filesystem: ext4
        encryption: {passphrase: {secret: disk}, label: safe}
volume_groups:
  - name: vg0
    volumes:
      - {name: root, size: 320MiB, filesystem: {type: xfs, label: root}}
      - {name: data, size: rest, filesystem: {type: ext4, label: data}}
"""
LOOK = """
set -e
lvchange -ay vg0/root vg0/data; udevadm settle
blkid -p -o value -s LABEL /dev/vg0/root; blkid -p -o value -s LABEL /dev/vg0/data
lvchange -an vg0/root vg0/data
cat /sys/block/nvme0n1/queue/logical_block_size
printf %s PASSPHRASE | cryptsetup open --key-file - /dev/nvme0n1p1 looked
blkid -p -o value -s TYPE /dev/mapper/looked
cryptsetup close looked
echo ACTIVE=$(lvs --noheadings -o lv_active vg0 | tr -d ' \\n').
""".replace("PASSPHRASE", PASSPHRASE)


def test_drives_are_erased_and_set_up_in_full(image: Path, output: Path) -> None:
    precious = output / "virtio.raw"
    precious.write_bytes(b"precious" * (64 * 1024**2 // 8))
    with precious.open("r+b") as file:
        file.truncate(192 * 1024**2)
    with Scenario(output / "run") as scenario:
        server = scenario.start_server(boot_files=image)
        operator = Operator(server.data)
        append = f"console=tty0 console=ttyS0,115200 SERVER_ADDR={server.guest_url} DEVELOPER=1"
        spec = MachineSpec(
            name="deep",
            memory_mib=1536,
            disks=(
                DiskSpec(name="first", bus="virtio", serial="VIRT0", path=str(precious)),
                DiskSpec(name="second", bus="scsi", serial="SCSI0", size_mib=512),
                DiskSpec(name="third", bus="nvme", serial="NVME0", size_mib=256),
            ),
            nics=(NicSpec(mac="52:54:00:d1:5c:01"),),
            boot=boot_image(image, append=append),
        )
        operator.command("secret", "set", "disk", "--file", "-", input=PASSPHRASE)
        for name, text in (
            ("erased", f"name: erased\n{ERASE}{TEMPLATE}"),
            ("kept", f"name: kept\n{TEMPLATE}"),
        ):
            (output / f"{name}.yaml").write_text(text)
            operator.command("template", "add", output / f"{name}.yaml")
        machine = scenario.add_machine(spec)
        machine.power_on()
        machine.wait_for_serial("waiting for an order", 400)

        words = ("--machine", spec.identity.serial, "--no-reboot", "--template")
        created = operator.command("job", "create", *words, "erased")
        job = operator.wait_for_job(created["id"], ["done"], 900, machine=machine)
        assert job["state"] == "done", job["message"]
        operator.command("job", "certificates", created["id"], "--output", output / "certificates")
        certificates = {
            path.stem: json.loads(path.read_text()) for path in (output / "certificates").glob("*.json")
        }
        assert {serial: item["method"]["method"] for serial, item in certificates.items()} == {
            "VIRT0": "overwrite",
            "NVME0": "nvme-format",
        }
        assert all(is_sealed(item) for item in certificates.values())
        assert certificates["VIRT0"]["verification"]["found"] == {"stamp": 192 * 1024**2 // 4096}
        assert "stamp" not in certificates["NVME0"]["verification"]["found"]

        again = operator.command("job", "create", *words, "kept")
        job = operator.wait_for_job(again["id"], ["done"], 400, machine=machine)
        assert job["state"] == "done", job["message"]
        drivers = [step for step in job["report"]["steps"] if step["id"].startswith("disk.")]
        assert {step["id"]: step["state"] for step in drivers} == {
            "disk.nvme": "unchanged",
            "disk.partition": "unchanged",
            "disk.lvm": "unchanged",
            "disk.luks": "unchanged",
            "disk.filesystem": "unchanged",
        }

        files = server.data / "files"
        files.mkdir(exist_ok=True)
        (files / "look.sh").write_text(LOOK)
        code, text = run_in_shell(machine, f"curl -sf {server.guest_url}/bootos/files/look.sh | sh", 200)
        assert code == 0, text
        for expected in ("root", "data", "4096", "ext4", "ACTIVE=."):
            assert expected in text.splitlines(), text
        log = str(operator.command("job", "log", str(created["id"])))
        assert PASSPHRASE not in log
        machine.power_off()
    assert b"precious" not in precious.read_bytes(), "seen from outside: the old content is there"
