"""What a BMC may do to its machine, whether it is asked by IPMI (`bmc`) or by Redfish (`vendor_tools.redfish_remote`).

`machine.Machine` is one; the plain class is a machine that is always off.
"""

from pathlib import Path


class Chassis:
    """Power, the drive of the virtual CD, and what the machine boots from."""

    def is_on(self) -> bool:
        """Whether the machine runs."""
        return False

    def power_on(self) -> None:
        """Switch on; nothing happens when it is on."""

    def power_off(self) -> None:
        """Switch off at once; nothing happens when it is off."""

    def press_power_button(self) -> None:
        """Ask the operating system to shut down."""

    def reset(self) -> None:
        """Reset the machine."""

    def insert_medium(self, path: Path) -> None:
        """Put an ISO into the drive. A machine that is off looks for it when it starts."""

    def eject_medium(self) -> None:
        """Take it out, whether the guest wants it or not."""

    def set_boot_device(self, target: str) -> None:
        """Choose what the next reset boots from first: `Cd`, `Pxe`, `Hdd`, or another word for the usual order. A
        machine that is off looks for it when it starts."""
