"""Carries one erase out: stamps, the drive's own command or the host's writing, waiting, reading back, the certificate.
Called by `disk.erase`; decides nothing.
"""

import logging
import secrets
import time
from collections.abc import Callable

import msgspec

from bootos import __version__
from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.erase import readback
from bootos.drivers.erase.ability import (
    parse_hdparm,
    parse_sanitize_status,
)
from bootos.drivers.erase.certificate import seal, write_certificate
from bootos.drivers.erase.drive import (
    read_ata_progress,
    read_nvme_progress,
    read_nvme_status,
    read_scsi_progress,
)
from bootos.drivers.storage.device import clear_device, read_size
from bootos.drivers.storage.identity import Marks, is_same_drive, read_marks
from bootos.drivers.storage.settle import settle
from bootos.hardware.block import read_disks
from bootos.hardware.tree import Tree
from bootos.process import ToolError
from bootos.waiting import CLOCK, Clock, find_within

log = logging.getLogger(__name__)

POLL_S = 10.0
SANITIZE_DEADLINE_S = 48 * 3600.0  # overwriting the largest hard disks takes a day and a half
FORMAT_TIMEOUT_S = 6 * 3600.0
SLOWEST_BYTES_PER_S = 5e6  # a slower drive is taken for a broken one
# This is not a secret: it is set for the erase, and the erase removes it. A drive that lost power in between still has
# it.
ATA_PASSWORD = "BootOS"

SANITIZE_ACTIONS = {"block": 2, "overwrite": 3, "crypto": 4}
HDPARM_SANITIZE = {
    "block": ("--sanitize-block-erase",),
    "crypto": ("--sanitize-crypto-scramble",),
    "overwrite": ("--sanitize-overwrite-passes", "1", "--sanitize-overwrite", "hex:00000000"),
}


class Erase(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to one drive; `drive` and `machine` are who they are, for the certificate."""

    device: str
    asked: str
    method: str
    variant: str
    why: str
    passes: int
    full: bool
    minutes: int | None
    drive: dict[str, str | int]
    machine: dict[str, str]


def apply_erase(machine: Machine, wanted: Erase, clock: Clock) -> None:
    """Raises DriverError when the drive fails or what is read back proves nothing."""
    device, path = wanted.device, machine.root / wanted.device.lstrip("/")
    check_drive(machine, wanted)
    began = _now()
    seed = secrets.token_hex(16)
    ability = _is_running(machine, wanted)
    commands: list[str] = []
    if ability:
        log.info("%s: a sanitize that an earlier attempt began goes on in the drive", device)
    else:
        clear_device(machine, device)
    size_bytes = read_size(machine, device)[0]
    positions = readback.find_positions(size_bytes, seed)
    if not ability and wanted.method != "overwrite":
        log.info("%s: writing %d stamps that must be gone afterwards", device, len(positions))
        readback.write_stamps(path, seed, positions)
    if wanted.method == "overwrite":
        for number in range(1, wanted.passes + 1):
            seed = secrets.token_hex(16)
            readback.overwrite(path, seed, _watch(f"{device}: pass {number} of {wanted.passes}"))
            commands.append(f"write {size_bytes} bytes of stamps (seed {seed})")
    else:
        commands += _erase_itself(machine, wanted, ability, clock)
    machine.run(["blockdev", "--flushbufs", device], check=False)
    machine.run(["blockdev", "--rereadpt", device], check=False)
    settle(machine)
    log.info("%s: reading back %s", device, "all of it" if wanted.full else f"{len(positions)} blocks")
    if wanted.full:
        found = readback.read_all(path, seed, _watch(f"{device}: reading back"))
    else:
        found = readback.read_samples(path, seed, positions)
    problem = readback.find_doubt(wanted.method, wanted.variant, dict(found), resumed=ability)
    if problem:
        raise DriverError(
            f"{device} is not proven to be erased: {problem}",
            hint="the drive said that it is; do not let it leave the house",
        )
    content = seal(
        {
            "certificate": "bootos-erase",
            "version": 1,
            "machine": wanted.machine,
            "job": machine.owner,
            "drive": wanted.drive,
            "method": {
                "asked": wanted.asked,
                "method": wanted.method,
                "variant": wanted.variant,
                "why": wanted.why,
                "passes": wanted.passes if wanted.method == "overwrite" else 1,
                "commands": commands,
                "resumed": ability,
            },
            "started_at": began,
            "ended_at": _now(),
            "verification": {
                "kind": "full" if wanted.full else "sample",
                "block_bytes": readback.BLOCK_BYTES,
                "seed": seed,
                "stamps_before": wanted.method != "overwrite" and not ability,
                "positions": [] if wanted.full else positions,
                "found": dict(sorted(found.items())),
                "result": "passed",
            },
            "agent_version": __version__,
        }
    )
    write_certificate(machine.root, machine.owner, device, content)
    machine.record(content)


def check_drive(machine: Machine, wanted: Erase) -> None:
    """Raise DriverError when another drive has this name by now: the erasing of the drives before it takes hours, in
    which drives are pulled and plugged."""
    disks = read_disks(Tree(machine.root))
    present = next((disk for disk in disks if disk.path == wanted.device), None)
    if present is None:
        return  # what comes next says so
    planned, found = msgspec.convert(wanted.drive, Marks), read_marks(present)
    if is_same_drive(planned, found):
        return
    known = {"serial": (found.serial, planned.serial), "wwn": (found.wwn, planned.wwn)}
    known["size_bytes"] = (str(found.size_bytes), str(planned.size_bytes))
    other = [
        f"{key} {now or 'unknown'}, not {then or 'unknown'}"
        for key, (now, then) in known.items()
        if now != then
    ]
    raise DriverError(
        f"{wanted.device} is another drive than when it was planned: {'; '.join(other)}",
        hint="start the job again to see the new plan",
    )


def _is_running(machine: Machine, wanted: Erase) -> bool:
    match wanted.method:
        case "nvme-sanitize":
            return read_nvme_status(machine, wanted.device)[0] == 2
        case "ata-sanitize":
            text = machine.run(["hdparm", "--sanitize-status", wanted.device], check=False).stdout
            return parse_sanitize_status(text)[0] == "running"
        case "scsi-sanitize":
            return read_scsi_progress(machine, wanted.device) is not None
    return False


def _erase_itself(machine: Machine, wanted: Erase, running: bool, clock: Clock) -> list[str]:
    """Let the drive do it, and wait until it has. Returns the commands."""
    device, done = wanted.device, list[str]()

    def command(*argv: str, timeout_s: float = 120.0) -> None:
        done.append(" ".join(argv))
        machine.run(argv, timeout_s=timeout_s)

    match wanted.method:
        case "nvme-format":
            ses = "2" if wanted.variant == "crypto" else "1"
            limit = f"--timeout={int(FORMAT_TIMEOUT_S * 1000)}"
            command(
                "nvme", "format", device, f"--ses={ses}", "--force", limit, timeout_s=FORMAT_TIMEOUT_S + 60
            )
        case "nvme-sanitize":
            if not running:
                action = SANITIZE_ACTIONS[wanted.variant]
                passes = ["--owpass=1", "--ovrpat=0"] if wanted.variant == "overwrite" else []
                command("nvme", "sanitize", device, f"--sanact={action}", *passes)
            _wait(lambda: read_nvme_progress(machine, device), device, clock)
        case "ata-sanitize":
            if not running:
                words = HDPARM_SANITIZE[wanted.variant]
                command("hdparm", "--yes-i-know-what-i-am-doing", *words, device)
            _wait(lambda: read_ata_progress(machine, device), device, clock)
        case "scsi-sanitize":
            if not running:
                kind = ["--overwrite", "--zero"] if wanted.variant == "overwrite" else [f"--{wanted.variant}"]
                command("sg_sanitize", *kind, "--early", "--quick", device)
            _wait(lambda: read_scsi_progress(machine, device), device, clock)
        case "ata-security-erase":
            _erase_by_password(machine, wanted, command)
        case _:
            raise DriverError(f"there is no method {wanted.method}")
    return done


def _erase_by_password(machine: Machine, wanted: Erase, command: Callable[..., None]) -> None:
    device = wanted.device
    present = parse_hdparm(machine.run(["hdparm", "-I", device]).stdout)
    if present is not None and present.locked:
        command("hdparm", "--user-master", "u", "--security-unlock", ATA_PASSWORD, device)
    if present is None or not present.enabled:
        command("hdparm", "--user-master", "u", "--security-set-pass", ATA_PASSWORD, device)
    word = "--security-erase-enhanced" if wanted.variant == "enhanced" else "--security-erase"
    timeout_s = (wanted.minutes or 720) * 120.0 + 600.0
    try:
        command("hdparm", "--user-master", "u", word, ATA_PASSWORD, device, timeout_s=timeout_s)
    except ToolError:
        machine.run(["hdparm", "--user-master", "u", "--security-disable", ATA_PASSWORD, device], check=False)
        raise


def _wait(read_percent: Callable[[], int | None], device: str, clock: Clock) -> None:
    """Until nothing runs any more. Raises DriverError after SANITIZE_DEADLINE_S."""
    told = -10

    def is_over() -> bool:
        nonlocal told
        percent = read_percent()
        if percent is not None and percent >= told + 10:
            log.info("%s: sanitizing, %d %%", device, percent)
            told = percent
        return percent is None

    if not find_within(is_over, SANITIZE_DEADLINE_S, pause_s=POLL_S, clock=clock):
        raise DriverError(f"{device} is still being sanitized after {SANITIZE_DEADLINE_S / 3600:g} h")


def _watch(what: str) -> readback.Progress:
    """Logs each tenth, and raises DriverError when it takes far too long."""
    began, told = CLOCK.now(), -1

    def progress(done: int, total: int) -> None:
        nonlocal told
        if CLOCK.now() - began > total / SLOWEST_BYTES_PER_S + 600:
            raise DriverError(f"{what}: too slow, given up after {done * 100 // total} %")
        if done * 10 // total > told:
            told = done * 10 // total
            log.info("%s: %d %%", what, told * 10)

    return progress


def _now() -> str:
    """UTC, to be shown."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
