"""How long firmware takes, and the wait until a part shows its new version. Used by drivers that flash from here."""

from bootos.drivers.contract import DriverError, Machine
from bootos.drivers.firmware.plan import Hop
from bootos.drivers.firmware.source import Finder, read_installed
from bootos.drivers.firmware.state import Installed
from bootos.drivers.firmware.version import is_same
from bootos.waiting import Clock, find_within
from bootos.wire.inventory import Bmc, Inventory, System

# Roughly how many seconds a package takes without the reboot, and after how many it is given up.
USUAL_S = {"bios": 300.0, "bmc": 600.0, "raid": 180.0, "nic": 180.0, "drive": 60.0}
MOST_S = {"bios": 1800.0, "bmc": 3600.0, "raid": 1800.0, "nic": 1800.0, "drive": 1800.0}
SETTLE_S = 600.0  # how long a BMC may take to restart with new firmware
LOOK_EVERY_S = 10.0


def tell_hop(hop: Hop) -> str:
    """`BIOS to 2.19.1`"""
    return f"{hop.title} to {hop.package.version}"


def wait_for_version(
    machine: Machine,
    hop: Hop,
    vendor: str | None,
    find_program: Finder,
    clock: Clock,
) -> None:
    """What takes effect at once is looked at before the next hop builds on it; a BMC is away for a while.

    Raises DriverError when a part shows another version after SETTLE_S."""
    if all(part.source == "inventory" for part in hop.parts):
        return  # only the next inventory, after a reboot, can tell
    bmc = Bmc() if hop.component == "bmc" else None
    known = Inventory(collected_at="", system=System(vendor=vendor), bmc=bmc)
    ids = {part.id for part in hop.parts}
    wrong: list[Installed] = []

    def is_there() -> bool:
        parts = [part for part in read_installed(machine, known, find_program) if part.id in ids]
        wrong[:] = [
            part
            for part in parts
            if part.version is None or not is_same(part.version, hop.package.version, hop.component)
        ]
        return bool(parts) and not wrong

    if not find_within(is_there, SETTLE_S, pause_s=LOOK_EVERY_S, clock=clock):
        has = ", ".join(f"{part.title} has {part.version or 'no readable version'}" for part in wrong)
        message = f"{tell_hop(hop)}: the package reported success, but {has or 'it is gone'}"
        raise DriverError(message, hint="reboot: true, if it takes effect with a reboot only")
