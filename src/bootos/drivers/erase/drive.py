"""What a drive says of erasing: what it can do, and how far it is. Changes nothing; used by `disk.erase`."""

import logging
from collections.abc import Sequence

import msgspec

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.erase.ability import (
    Ability,
    parse_hdparm,
    parse_nvme,
    parse_opcodes,
    parse_sanitize_log,
    parse_sanitize_status,
)
from bootos.process import ToolError
from bootos.wire.inventory import Disk

log = logging.getLogger(__name__)


def read_ability(machine: Machine, disk: Disk, disks: Sequence[Disk]) -> Ability:
    """Ask the drive what it can. Changes nothing; one that does not answer can be overwritten."""
    try:
        if disk.path.startswith("/dev/nvme"):
            return _read_nvme(machine, disk, disks)
        if not disk.path.startswith("/dev/sd") or disk.transport in ("virtio", "usb", "iscsi", "fc"):
            return Ability()
        identity = machine.run(["hdparm", "-I", disk.path], check=False)
        ability = parse_hdparm(identity.stdout)
        if ability is not None:
            if any(method == "ata-sanitize" for method, _ in ability.ways):
                status = machine.run(["hdparm", "--sanitize-status", disk.path], check=False).stdout
                ability = parse_hdparm(identity.stdout, status) or ability
            return ability
        done = machine.run(["sg_opcodes", disk.path], check=False)
        ability = parse_opcodes(done.stdout) if done.returncode == 0 else Ability(kind="scsi")
        if any(method == "scsi-sanitize" for method, _ in ability.ways):
            running = read_scsi_progress(machine, disk.path) is not None
            ability = msgspec.structs.replace(ability, running=running)
        return ability
    except ToolError as error:
        log.warning("%s: its ways to erase itself are not known: %s", disk.path, error)
        return Ability()


def _read_nvme(machine: Machine, disk: Disk, disks: Sequence[Disk]) -> Ability:
    done = machine.run(["nvme", "id-ctrl", disk.path, "--output-format=json"], check=False)
    if done.returncode != 0:
        return Ability(kind="nvme")
    controller = disk.path.rpartition("n")[0]
    neighbours = tuple(
        other.path
        for other in disks
        if other.path != disk.path and other.path.rpartition("n")[0] == controller
    )
    ability = parse_nvme(done.stdout, neighbours)
    if any(method == "nvme-sanitize" for method, _ in ability.ways):
        status, _ = read_nvme_status(machine, disk.path)
        ability = parse_nvme(done.stdout, neighbours, status)
    return ability


def read_nvme_status(machine: Machine, device: str) -> tuple[int, int]:
    """Status (2: goes on, 3: failed) and progress (in 65536ths) of the last sanitize (NVMe: Sanitize Status log)."""
    return parse_sanitize_log(
        machine.run(["nvme", "sanitize-log", device, "--output-format=json"], check=False).stdout
    )


def read_scsi_progress(machine: Machine, device: str) -> int | None:
    """Percent of a sanitize that goes on (SPC: sense key NOT READY with a progress indication); None: none does."""
    text = machine.run(["sg_requests", "--progress", device], check=False).stdout
    found = [word for word in text.replace("%", " ").split() if word.replace(".", "").isdigit()]
    return int(float(found[0])) if "rogress" in text and found else None


def read_nvme_progress(machine: Machine, device: str) -> int | None:
    """Percent of a sanitize that goes on; None: none does. Raises DriverError when the last one failed."""
    status, progress = read_nvme_status(machine, device)
    if status == 3:
        raise DriverError(f"{device}: the drive says that its sanitize failed")
    return progress * 100 // 65536 if status == 2 else None


def read_ata_progress(machine: Machine, device: str) -> int | None:
    """Percent of a sanitize that goes on; None: none does. Raises DriverError when it failed, or is frozen."""
    state, percent = parse_sanitize_status(
        machine.run(["hdparm", "--sanitize-status", device], check=False).stdout
    )
    if state in ("failed", "frozen"):
        raise DriverError(f"{device}: the drive says that its sanitize {state}")
    return percent if state == "running" else None
