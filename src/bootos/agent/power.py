"""The reboot at the end: PXE next, then a reset. Never a write to a disk."""

import logging
import time
from pathlib import Path

from bootos.process import Runner, ToolError
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)

RESET_GRACE_S = 20.0


def reboot(run: Runner, inventory: Inventory, root: Path = Path("/")) -> None:
    """Ask the BMC to boot from the network next and to reset the machine; without a BMC a plain reboot.

    md arrays are stopped first, so that the disks are left clean. Returns only if nothing worked.
    """
    stop_arrays(run, root)
    run(["sync"], timeout_s=300, check=False)
    if inventory.bmc is not None and reset_by_bmc(run, uefi=inventory.bios.boot_mode == "uefi"):
        time.sleep(RESET_GRACE_S)
        log.warning("the BMC accepted the reset, but the machine still runs after %.0f s", RESET_GRACE_S)
    log.info("rebooting")
    run(["systemctl", "reboot", "--force"], timeout_s=60, check=False)
    time.sleep(RESET_GRACE_S)
    run(["systemctl", "reboot", "--force", "--force"], timeout_s=60, check=False)


def reset_by_bmc(run: Runner, *, uefi: bool) -> bool:
    """`chassis bootdev pxe` (IPMI 2.0, 28.12) and power reset; returns whether the BMC accepted the reset."""
    bootdev = ["ipmitool", "chassis", "bootdev", "pxe"] + (["options=efiboot"] if uefi else [])
    try:
        run(bootdev, timeout_s=30)
    except ToolError as error:
        log.warning("the BMC did not take the PXE boot setting: %s", error)
    log.info("resetting the machine through the BMC")
    try:
        run(["ipmitool", "chassis", "power", "reset"], timeout_s=30)
    except ToolError as error:
        log.warning("the BMC did not reset the machine: %s", error)
        return False
    return True


def stop_arrays(run: Runner, root: Path = Path("/")) -> None:
    """Stop every md array, so that its superblocks say clean."""
    for directory in sorted((root / "sys/block").glob("md*")):
        try:
            run(["mdadm", "--stop", f"/dev/{directory.name}"], timeout_s=60)
        except ToolError as error:
            log.warning("array %s could not be stopped: %s", directory.name, error)
