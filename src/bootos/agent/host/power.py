"""The reboot at the end: PXE next, then a reset. Never a write to a disk. Called by `sequence` and `cloudboot.flow`."""

import logging
from pathlib import Path

import msgspec

from bootos.process import Runner, ToolError
from bootos.waiting import CLOCK, Clock
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long things may take, in seconds."""

    sync_s: float = 300.0
    command_s: float = 20.0  # for each of the two commands to the BMC
    reset_s: float = 20.0  # from the accepted reset to the machine being off
    reboot_s: float = 20.0


def reboot(
    run: Runner,
    inventory: Inventory,
    root: Path = Path("/"),
    timing: Timing | None = None,
    clock: Clock = CLOCK,
) -> None:
    """Ask the BMC by IPMI to boot from the network next and to reset the machine; without it a plain reboot.

    md arrays are stopped first, so that the disks are left clean. Returns only if nothing worked.
    """
    timing = timing or Timing()
    stop_arrays(run, root)
    try:
        run(["sync"], timeout_s=timing.sync_s)
    except ToolError as error:
        log.warning("%s", error)
    if inventory.bmc is not None and inventory.bmc.may_speak_ipmi:
        reset_by_bmc(run, uefi=inventory.bios.boot_mode == "uefi", timing=timing, clock=clock)
    log.info("rebooting without the BMC")
    for argv in (["systemctl", "reboot", "--force"], ["systemctl", "reboot", "--force", "--force"]):
        try:
            run(argv, timeout_s=60)
        except ToolError as error:
            log.warning("%s", error)
        clock.sleep(timing.reboot_s)


def reset_by_bmc(run: Runner, *, uefi: bool, timing: Timing, clock: Clock) -> None:
    """`chassis bootdev pxe` for the next boot alone (IPMI 2.0, 28.12) and power reset. Returns only if it fails."""
    bootdev = ["ipmitool", "chassis", "bootdev", "pxe"] + (["options=efiboot"] if uefi else [])
    try:
        run(bootdev, timeout_s=timing.command_s)
    except ToolError as error:
        log.warning("the BMC did not take the PXE boot setting: %s", error)
    log.info("resetting the machine through the BMC")
    try:
        run(["ipmitool", "chassis", "power", "reset"], timeout_s=timing.command_s)
    except ToolError as error:
        log.warning("the BMC did not reset the machine: %s", error)
        return
    clock.sleep(timing.reset_s)
    log.warning("the BMC accepted the reset, but the machine still runs after %.0f s", timing.reset_s)


def stop_arrays(run: Runner, root: Path = Path("/")) -> None:
    """Stop every md array, so that its superblocks say clean; a container of arrays only after those."""
    for directory in sorted((root / "sys/block").glob("md*"), key=lambda path: (_is_container(path), path)):
        try:
            run(["mdadm", "--stop", f"/dev/{directory.name}"], timeout_s=60)
        except ToolError as error:
            log.warning("array %s could not be stopped: %s", directory.name, error)


def _is_container(directory: Path) -> bool:
    """Its metadata has a name (`external:imsm`); that of an array in it is the container's (`external:/md127/0`)."""
    try:
        metadata = (directory / "md/metadata_version").read_text().strip()
    except OSError:
        return False
    return metadata.startswith("external:") and metadata[9:10] not in ("/", "-")
