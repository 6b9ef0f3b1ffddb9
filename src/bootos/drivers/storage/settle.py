"""Waiting for udev."""

from bootos.drivers.contract import Machine


def settle(machine: Machine) -> None:
    """Wait until udev has handled what happened so far (20 s at most; later steps check for themselves)."""
    machine.run(["udevadm", "settle", "--timeout=20"], timeout_s=30, check=False)
